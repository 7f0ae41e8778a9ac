"""What an ordinary user needs to become root of a namespace: subordinate ids, the helpers that map them, namespaces."""

from __future__ import annotations

import os
import stat
from itertools import combinations

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata.engine.system.doctor.kernel import read
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

_WANTED = 65536
"""How many subordinate ids images are made for: `nobody` is 65534."""
_IDS = 2**32 - 1
_FOLDERS = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


class User(Record):
    """Whoever asks. `names`: as /etc/subuid may name him, by name or by number."""

    uid: int
    gid: int
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """As commands call him."""
        return self.names[0]


class Range(Record):
    """A line of /etc/subuid or /etc/subgid."""

    owner: str
    first: int
    size: int

    def meets(self, other: Range) -> bool:
        """Whether an id is in both."""
        return self.first < other.first + other.size and other.first < self.first + self.size


def makes_sense(first: str, size: str) -> bool:
    """Whether these are ids that the kernel knows."""
    if not (first.isdigit() and size.isdigit() and max(len(first), len(size)) < 12):
        return False
    return int(size) > 0 and int(first) + int(size) <= _IDS


def ranges(text: str) -> list[Range]:
    """The lines that make sense."""
    found = []
    for line in text.splitlines():
        fields = line.split("#")[0].strip().split(":")
        if len(fields) == 3 and makes_sense(fields[1], fields[2]):
            found.append(Range(owner=fields[0], first=int(fields[1]), size=int(fields[2])))
    return found


def check_ranges(user: User, kind: str, text: str | None) -> Iterator[Finding]:
    """`kind`: uid or gid; `text`: what /etc/subuid or /etc/subgid says, None where it cannot be read."""
    path, option = f"/etc/sub{kind}", f"--add-sub{kind}s"
    if text is None:
        yield warning(
            f"sub{kind}-unreadable",
            f"{path} cannot be read: a container has one user only",
            f"open {path}: it is absent, or closed to {user.name}",
            f"touch {path} && chmod 644 {path}",
        )
        return
    every = ranges(text)
    own = [one for one in every if one.owner in user.names]
    if not own:
        yield warning(
            f"sub{kind}-absent",
            f"no range of {kind}s belongs to {user.name}: a container has one user only",
            f"{path} has no line for {user.name} or {user.uid}",
            f"usermod {option} 100000-165535 {user.name}",
        )
        return
    total = sum(one.size for one in own)
    if total < _WANTED:
        yield warning(
            f"sub{kind}-small",
            f"{user.name} has few subordinate {kind}s: images with higher ids cannot be unpacked",
            f"{path} gives {total}, and images are made for {_WANTED}",
            f"usermod {option} 200000-265535 {user.name}",
        )
    yield from _check_meeting(user, kind, own, every)


def _check_meeting(user: User, kind: str, own: list[Range], every: list[Range]) -> Iterator[Finding]:
    path = f"/etc/sub{kind}"
    number = user.uid if kind == "uid" else user.gid
    for one, other in combinations(own, 2):
        if one.meets(other):
            line = f"{other.owner}:{other.first}:{other.size}"
            yield error(
                f"sub{kind}-overlap",
                f"two of {user.name}'s ranges of subordinate {kind}s overlap: no namespace can be made",
                f"{path}: {one.owner}:{one.first}:{one.size} and {line}",
                f"sed -i '0,/^{line}$/{{//d}}' {path}",
            )
    for one in own:
        line = f"{one.owner}:{one.first}:{one.size}"
        if one.meets(Range(owner="", first=number, size=1)):
            yield error(
                f"sub{kind}-own",
                f"a range of subordinate {kind}s holds the user's own: no namespace can be made",
                f"{path}: {line} includes {number}",
                f"sed -i /^{line}$/d {path} && usermod --add-sub{kind}s 300000-365535 {user.name}",
            )
        for other in every:
            if other.owner not in user.names and one.meets(other):
                yield warning(
                    f"sub{kind}-shared",
                    f"{other.owner} has the same subordinate {kind}s: each can read the other's containers",
                    f"{path}: {line} and {other.owner}:{other.first}:{other.size}",
                    f"sed -i /^{line}$/d {path} && usermod --add-sub{kind}s 300000-365535 {user.name}",
                )


def check_helpers(names: tuple[str, ...] = ("newuidmap", "newgidmap"), path: str = _FOLDERS) -> Iterator[Finding]:
    """Whether the maps can be written: by programs that have the privilege to."""
    for name in names:
        found = next((f"{one}/{name}" for one in path.split(":") if os.access(f"{one}/{name}", os.X_OK)), "")
        if not found:
            yield error(
                name,
                f"{name} is missing: subordinate ids cannot be mapped",
                f"no {name} in PATH",
                "apt-get install uidmap",
            )
        elif not _privileged(found):
            yield error(
                f"{name}-plain",
                f"{name} has no privilege: subordinate ids cannot be mapped",
                f"{found} is neither setuid root nor has it file capabilities",
                f"chmod u+s {found}",
            )
        elif os.statvfs(found).f_flag & os.ST_NOSUID:
            yield error(
                f"{name}-nosuid",
                f"{name} gets no privilege: its file system is mounted nosuid",
                f"statvfs {found}: nosuid",
                f"mount -o remount,suid $(findmnt -no TARGET -T {found})",
            )


def _privileged(path: str) -> bool:
    seen = os.stat(path)
    if seen.st_mode & stat.S_ISUID and seen.st_uid == 0:
        return True
    try:
        return bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False


def check_process(status: str | None) -> Iterator[Finding]:
    """`status`: /proc/self/status. Who may gain no privilege gets none from newuidmap either."""
    if "\nNoNewPrivs:\t1" in f"\n{status or ''}":
        yield error(
            "no-new-privileges",
            "this process may gain no privileges: newuidmap cannot map ids",
            "/proc/self/status: NoNewPrivs: 1",
            "run Sonata without NoNewPrivileges=yes, no_new_privs or `setpriv --no-new-privs`",
        )


SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "userns-clone", "kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "userns-max", "user.max_user_namespaces=15000"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "userns-apparmor",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
"""Below /proc/sys: what switches user namespaces off, the value that does, and how to have them again."""


def check_switches(folder: str = "/proc/sys") -> Iterator[Finding]:
    """What keeps ordinary users from making user namespaces, by its name."""
    for name, bad, ident, mend in SWITCHES:
        if read(f"{folder}/{name}") == bad:
            yield error(
                ident,
                "ordinary users may make no user namespaces: no container can be run",
                f"{name.replace('/', '.')} is {bad}",
                f"sysctl -w {mend}",
            )


def check_keeper(path: str, maps: dict[str, list[tuple[int, ...]]]) -> Iterator[Finding]:
    """`path` is pause.pid, `maps` what the namespace would be given if it was made now, by uid and gid."""
    text = read(path)
    if text is None:
        return
    from sonata.host.rootless import keeper

    pid = keeper(path)
    if not pid:
        yield note(
            "pause-stale",
            "the process that keeps the user's namespaces is gone: the next command makes them anew",
            f"{path}: {text[:32]} is no such process",
            "sonata system migrate",
        )
        return
    for kind, wanted in maps.items():
        lines = (read(f"/proc/{pid}/{kind}_map") or "").splitlines()
        seen = sorted(tuple(int(word) for word in line.split()) for line in lines)
        if seen and seen != sorted(wanted):
            shown = ", ".join(" ".join(str(number) for number in part) for part in seen)
            yield warning(
                f"sub{kind}-changed",
                f"/etc/sub{kind} has changed since the user's namespaces were made",
                f"/proc/{pid}/{kind}_map: {shown}",
                "sonata system migrate",
            )
