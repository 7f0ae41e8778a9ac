"""Where an ordinary user's things are, what he may open, and what ends with his session."""

from __future__ import annotations

import os
import stat

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata.engine.system.doctor.kernel import read
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.system.doctor.ordinary_ids import User

_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "afs", "ceph", "lustre", "9p", "fuse.sshfs")
_LOOKED_AT = 2000
"""Files of a store that are looked at, for a store may have millions."""


def check_runtime(user: User, given: str | None, used: str, mountinfo: str) -> Iterator[Finding]:
    """`given`: what XDG_RUNTIME_DIR says; `used`: the folder that is taken."""
    usual = f"/run/user/{user.uid}"
    if not given or not given.startswith("/"):
        yield note(
            "runtime-dir-unset",
            f"XDG_RUNTIME_DIR is not set: {used} is used, and programs that have it set do not see these containers",
            f"XDG_RUNTIME_DIR={given} is no absolute path" if given else "the environment has no XDG_RUNTIME_DIR",
            f"export XDG_RUNTIME_DIR={usual}",
        )
    try:
        seen = os.stat(used)
    except OSError as trouble:
        if given:
            yield error(
                "runtime-dir-absent",
                "the folder that XDG_RUNTIME_DIR names cannot be entered",
                f"{used}: {trouble.strerror}",
                f"loginctl enable-linger {user.name}, or log in anew; else `install -d -m 700 -o {user.name} {used}`",
            )
        return
    if not stat.S_ISDIR(seen.st_mode):
        yield error(
            "runtime-dir-absent",
            "XDG_RUNTIME_DIR names no folder",
            f"{used}: Not a directory",
            f"export XDG_RUNTIME_DIR={usual}",
        )
    elif seen.st_uid != user.uid:
        yield error(
            "runtime-dir-owner",
            "XDG_RUNTIME_DIR names somebody else's folder",
            f"{used} belongs to user {seen.st_uid} and not to {user.uid}",
            f"export XDG_RUNTIME_DIR={usual}  # after su or sudo the variable is still the other user's",
        )
    elif stat.S_IMODE(seen.st_mode) & 0o022:
        yield error(
            "runtime-dir-mode",
            "others may write to the runtime folder: Sonata does not use it",
            f"{used} has mode {stat.S_IMODE(seen.st_mode):o}",
            f"chmod 700 {used}",
        )
    elif not os.access(used, os.W_OK | os.X_OK):
        yield error(
            "runtime-dir-unwritable",
            "nothing can be written to the runtime folder",
            f"{used} has mode {stat.S_IMODE(seen.st_mode):o}, or is mounted read-only",
            f"chmod 700 {used}",
        )
    elif filesystem(used, mountinfo) not in ("tmpfs", "ramfs"):
        yield note(
            "runtime-dir-kept",
            "the runtime folder outlives a restart of the host: what was running then seems to run still",
            f"{used} is on {filesystem(used, mountinfo)}",
            f"loginctl enable-linger {user.name}  # makes {usual}",
        )


def filesystem(path: str, mountinfo: str) -> str:
    """The type of the file system that a path is on."""
    best, kind = "", "unknown"
    place = os.path.realpath(path)
    for line in mountinfo.splitlines():
        fields = line.split()
        if " - " not in line or len(fields) < 5:
            continue
        top = fields[4]
        if (place == top or place.startswith(top.rstrip("/") + "/")) and len(top) >= len(best):
            best, kind = top, line.partition(" - ")[2].split()[0]
    return kind


def check_home(user: User, home: str | None) -> Iterator[Finding]:
    """Where images and settings go if nothing else is said."""
    if not home or not home.startswith("/"):
        yield warning(
            "home-unset",
            "HOME names no folder",
            f"HOME={home or ''}",
            f"export HOME=$(getent passwd {user.uid} | cut -d: -f6)",
        )
    elif not os.path.isdir(home) or os.stat(home).st_uid != user.uid:
        owner = os.stat(home).st_uid if os.path.isdir(home) else "nobody: it is absent"
        yield warning(
            "home-foreign",
            "HOME is not this user's own folder",
            f"{home} belongs to {owner}",
            f"export HOME=$(getent passwd {user.uid} | cut -d: -f6)  # or `sudo -i`, `su -`, which set it",
        )


def check_store(user: User, graph: str, mountinfo: str) -> Iterator[Finding]:
    """The store's file system, and whose its files are."""
    existing = graph
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    kind = filesystem(existing, mountinfo)
    if kind in _REMOTE:
        yield error(
            "graph-root-remote",
            "images cannot be kept on a network's file system: it knows no subordinate ids",
            f"{existing} is on {kind}",
            'printf \'[storage]\\ndriver = "overlay"\\nrootless_storage_path = "/var/tmp/$USER/storage"\\n\' > '
            "~/.config/containers/storage.conf",
        )
    if existing == graph and os.stat(graph).st_uid != user.uid:
        yield error(
            "graph-root-owner",
            "the store belongs to somebody else",
            f"{graph} belongs to user {os.stat(graph).st_uid}",
            f"chown {user.uid}:{user.gid} {graph}  # as root; or name another --root",
        )
        return
    foreign = _foreign(graph) if existing == graph else []
    if foreign:
        yield error(
            "graph-root-mixed",
            "files of the store are root's: somebody ran commands on it with sudo",
            f"{foreign[0]}" + (f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""),
            f"find {graph} -uid 0 -exec chown -h {user.uid}:{user.gid} {{}} +  # as root",
        )


def _foreign(graph: str) -> list[str]:
    """Files of root's, three folders deep: where records and databases lie. Containers' own files have other ids."""
    found, looked = [], 0
    for top, folders, files in os.walk(graph):
        if top.count("/") - graph.count("/") >= 2:
            folders.clear()
        for name in (*folders, *files):
            looked += 1
            try:
                if os.lstat(f"{top}/{name}").st_uid == 0:
                    found.append(f"{top}/{name}")
            except OSError:
                continue
        if looked > _LOOKED_AT:
            break
    return found


def check_devices(user: User, command: str) -> Iterator[Finding]:
    """What a user must be able to open. `command`: the program of networks that is configured."""
    for path, ident, feature in (
        ("/dev/net/tun", "device-net-tun", f"{command} networks cannot be used"),
        ("/dev/fuse", "device-fuse", "fuse-overlayfs cannot be used"),
    ):
        if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
            make = warning if ident == "device-net-tun" else note
            yield make(
                f"{ident}-mode",
                f"{path} is closed to {user.name}: {feature}",
                f"{path} has mode {stat.S_IMODE(os.stat(path).st_mode):o}",
                f"chmod 0666 {path}",
            )


def check_ping(user: User, text: str | None) -> Iterator[Finding]:
    """`text`: net.ipv4.ping_group_range."""
    low, high = (int(word) for word in (text or "0 0").split()[:2])
    if text is not None and not low <= user.gid <= high:
        yield note(
            "ping-group",
            "ping in containers needs --cap-add net_raw",
            f"net.ipv4.ping_group_range is {low} {high} and leaves out group {user.gid}",
            "sysctl -w 'net.ipv4.ping_group_range=0 2147483647'",
        )


def check_session(user: User, manager: str, bus: str | None, runtime: str) -> Iterator[Finding]:
    """What ends with the session, and what systemd must be asked over. `manager`: of control groups."""
    if not os.path.isdir("/run/systemd/system"):
        return
    if not os.path.exists(f"/var/lib/systemd/linger/{user.name}"):
        yield note(
            "linger",
            "containers end when the user logs out, and none starts with the host",
            f"/var/lib/systemd/linger/{user.name} is absent",
            f"loginctl enable-linger {user.name}",
        )
    if manager == "systemd" and not bus and not os.path.exists(f"{runtime}/bus"):
        yield warning(
            "dbus-session",
            "systemd manages the control groups and cannot be asked: there is no session bus",
            f"DBUS_SESSION_BUS_ADDRESS is not set, and {runtime}/bus is absent",
            "log in anew (not by su), `apt-get install dbus-user-session`, or use --cgroup-manager cgroupfs",
        )


def check_groups(version: int, controllers: str | None, group: str) -> Iterator[Finding]:
    """`controllers`: of the user's own group of version 2, None where there is none."""
    if version == 1:
        yield note(
            "cgroup-v1",
            "control groups of version 1 are root's alone: limits are ignored, pause and stats are refused",
            "/sys/fs/cgroup has version 1",
            "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
        )
    elif version == 2:
        lacking = [name for name in ("cpu", "memory", "pids") if name not in (controllers or "").split()]
        if lacking:
            yield warning(
                "cgroup-delegation",
                f"the controllers {', '.join(lacking)} are not delegated: their limits have no effect or are refused",
                f"/sys/fs/cgroup{group}/cgroup.controllers: {controllers or 'nothing'}",
                "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' > "
                "/etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload",
            )


def mounts() -> str:
    """What is mounted here."""
    return read("/proc/self/mountinfo") or ""
