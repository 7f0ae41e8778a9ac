"""Capabilities, limits, identifiers, security modules, clock, and the interpreter."""

from __future__ import annotations

import os
import sys

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata.engine.system.doctor.ordinary_ids import makes_sense
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata_core.models.host import HostFacts

NEEDED = {
    "SYS_ADMIN": "mounts and namespaces cannot be made",
    "NET_ADMIN": "networks cannot be made",
    "SYS_CHROOT": "a container's root cannot be entered",
    "SETUID": "a container's user cannot be set",
    "SETGID": "a container's group cannot be set",
    "SETPCAP": "a container's capabilities cannot be limited",
    "SETFCAP": "images with file capabilities cannot be unpacked",
    "CHOWN": "images cannot be unpacked",
    "DAC_OVERRIDE": "files of containers cannot be managed",
    "FOWNER": "files of containers cannot be managed",
    "FSETID": "set-id bits of images are lost",
    "MKNOD": "images with devices cannot be unpacked",
    "KILL": "containers of other users cannot be stopped",
}
_USEFUL = {
    "SYS_RESOURCE": "limits cannot be raised above this process's own",
    "SYS_PTRACE": "processes of containers cannot be inspected",
    "NET_RAW": "ping in containers needs it when asked for",
    "NET_BIND_SERVICE": "ports below 1024 cannot be published",
}
_FILES_NEEDED = 1024
_EARLIEST = 1_735_689_600
"""The first of January 2025: before that, this program did not exist."""
_PATCHED = {(3, 11): 2, (3, 12): 1, (3, 13): 1}
"""The first patch release of each version that Sonata is tried with."""


def check_capabilities(facts: HostFacts) -> Iterator[Finding]:
    """What root must be able to do."""
    if facts.rootless:
        return
    for name, consequence in NEEDED.items():
        if name not in facts.capabilities:
            yield error(
                f"capability-{name.lower()}",
                f"the capability {name} is missing: {consequence}",
                f"CapEff of this process has no CAP_{name}",
                f"run Sonata with it, such as `docker run --cap-add {name}` or AmbientCapabilities=CAP_{name}",
            )
    for name, consequence in _USEFUL.items():
        if name not in facts.capabilities:
            yield note(
                f"capability-{name.lower()}",
                f"the capability {name} is missing: {consequence}",
                f"CapEff of this process has no CAP_{name}",
                f"run Sonata with it, such as AmbientCapabilities=CAP_{name}",
            )


def check_limits(facts: HostFacts) -> Iterator[Finding]:
    """How many files and processes this process may have."""
    soft, hard = facts.nofile_limit
    if 0 <= hard < _FILES_NEEDED:
        yield warning(
            "limit-nofile",
            "few open files are allowed: containers inherit it, and pulls may fail",
            f"RLIMIT_NOFILE is {soft} (at most {hard})",
            f"ulimit -n {_FILES_NEEDED * 64}",
        )
    soft, hard = facts.nproc_limit
    if 0 <= soft < _FILES_NEEDED and facts.uid != 0:
        yield warning(
            "limit-nproc",
            "few processes are allowed",
            f"RLIMIT_NPROC is {soft} (at most {hard})",
            f"ulimit -u {_FILES_NEEDED * 16}",
        )


def check_identifiers(subuid: str | None, subgid: str | None) -> Iterator[Finding]:
    """The files with maps for user namespaces."""
    for path, text in (("/etc/subuid", subuid), ("/etc/subgid", subgid)):
        for number, line in enumerate((text or "").splitlines(), 1):
            fields = line.split("#")[0].strip().split(":")
            if fields == [""]:
                continue
            if len(fields) != 3 or not makes_sense(fields[1], fields[2]):
                yield warning(
                    "subid-malformed",
                    f"a line of {path} makes no sense",
                    f"{path}:{number}: {line}",
                    f"sed -i {number}d {path}",
                )


def check_modules(facts: HostFacts, parser: str | None) -> Iterator[Finding]:
    """Security modules of the kernel. `parser`: the path of apparmor_parser."""
    if facts.apparmor and parser is None and not facts.rootless:
        yield warning(
            "apparmor",
            "AppArmor is on, and profiles cannot be loaded",
            "apparmor_parser is not in PATH",
            "apt-get install apparmor",
        )


def check_clock(now: float) -> Iterator[Finding]:
    """Whether the time can be true: certificates are judged by it."""
    if now < _EARLIEST:
        yield warning(
            "clock",
            "the clock is wrong: certificates of registries will be refused",
            f"it says {int(now)} seconds after 1970",
            "timedatectl set-ntp true",
        )


def check_interpreter(version: tuple[int, int, int] | None = None) -> Iterator[Finding]:
    """Whether this Python is one that Sonata knows to work."""
    major, minor, patch = version or sys.version_info[:3]
    text = f"Python {major}.{minor}.{patch}: {sys.executable}"
    if (major, minor) < (3, 11):
        yield error("python", "this Python is too old", text, "apt-get install python3.11")
    elif patch < _PATCHED.get((major, minor), 0):
        fixed = f"{major}.{minor}.{_PATCHED[major, minor]}"
        what = f"this Python is older than {fixed}, the first of its kind that Sonata is tried with"
        yield note("python-patch", what, text, "apt-get upgrade python3")


def check_working_directory() -> Iterator[Finding]:
    """Whether the working directory is still there: helper programs start in it."""
    try:
        os.getcwd()
    except OSError as trouble:
        yield note("working-directory", "the working directory is gone", f"getcwd: {trouble.strerror}", "cd /")
