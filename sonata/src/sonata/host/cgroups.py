"""Control groups of both versions: version 1 has one tree per controller, version 2 a single one.

A group is named by its path within the trees, such as `/libpod_parent/libpod-ID`.
"""

from __future__ import annotations

import errno
import os
import time

from sonata_core.errors import Conflict, ExternalFailure
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata_core.models.host import HostFacts

ROOT = "/sys/fs/cgroup"
_BUSY_FOR = 1.0
"""Seconds that the kernel may take to let go of processes that have ended."""


class Usage(Record):
    """What a group uses now. Times in nanoseconds, sizes in bytes; `pids_limit` and `memory_limit` 0 for none."""

    cpu_ns: int = 0
    cpu_system_ns: int = 0
    per_cpu_ns: tuple[int, ...] = ()
    memory: int = 0
    idle_cache: int = 0
    """Of `memory`, the page cache that the kernel gives back first."""
    memory_limit: int = 0
    pids: int = 0
    pids_limit: int = 0
    io_read: int = 0
    io_written: int = 0


def detect(root: str = ROOT) -> tuple[int, bool, tuple[str, ...]]:
    """Version (1, 2, or 0 for none), whether version 2 keeps controllers beside version 1, and the controllers."""
    unified = _read(f"{root}/cgroup.controllers")
    if unified is not None:
        return 2, False, tuple(unified.split())
    names: list[str] = []
    for tree in _trees_v1(root):
        names += [name for name in tree.split(",") if name not in ("systemd", "unified")]
    hybrid = bool((_read(f"{root}/unified/cgroup.controllers") or "").strip())
    return (1 if names else 0), hybrid, tuple(sorted(names))


def trees(root: str = ROOT) -> tuple[str, ...]:
    """The folders in which groups are made: one for version 2, one per hierarchy for version 1."""
    if os.path.exists(f"{root}/cgroup.controllers"):
        return (root,)
    return tuple(f"{root}/{name}" for name in _trees_v1(root))


def create(group: str, root: str = ROOT) -> None:
    """Make the group, with its parents, in every tree. Existing is fine. Raises ExternalFailure."""
    for tree in trees(root):
        try:
            _create_in(tree, group)
        except OSError as error:
            raise ExternalFailure(f"creating the cgroup {tree}{group}: {error.strerror}") from error


def remove(group: str, root: str = ROOT, patience: float = _BUSY_FOR) -> None:
    """Remove the group and those below it from every tree. Absent is fine.

    Raises Conflict if processes are still in it after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    for tree in trees(root):
        while not _remove_in(f"{tree}{group}"):
            if time.monotonic() > deadline:
                raise Conflict(f"cgroup {tree}{group} still has processes", processes=processes(group, root))
            time.sleep(0.005)


def move(pid: int, group: str, root: str = ROOT) -> tuple[str, ...]:
    """Put a process into the group, made on demand; says what went wrong and never raises.

    On version 1 `name=systemd` and the unified tree are left out, as Podman does for conmon.
    """
    troubles = []
    for tree in trees(root):
        if tree.rsplit("/", 1)[-1] in ("systemd", "unified"):
            continue
        try:
            _create_in(tree, group)
            _write(f"{tree}{group}/cgroup.procs", str(pid))
        except OSError as error:
            troubles.append(f"{tree}{group}: {error.strerror}")
    return tuple(troubles)


def wake(root: str = ROOT) -> None:
    """Put this process into the group that it is in: nothing changes, but the next move of a process is quick.

    The first move after 10 ms of rest waits for an RCU grace period, 8 ms and more on a busy machine
    (`cgroup_threadgroup_rwsem`). Called from a thread ahead of time, that passes beside other work. Never raises.
    """
    for names, group in sorted(of_process().items()):
        path = f"{root}{group}" if not names else f"{root}/{names}{group}"
        try:
            _write(f"{path}/cgroup.procs", str(os.getpid()))
        except OSError:
            continue
        return


def granted(facts: HostFacts) -> bool:
    """Whether this user's containers have control groups: those of version 1 are root's alone."""
    return not facts.rootless or facts.cgroup_version == 2


def of_process(pid: int | str = "self") -> dict[str, str]:
    """Groups of a process by controller; version 2's has the key "". Empty if the process is gone."""
    found: dict[str, str] = {}
    for line in (_read(f"/proc/{pid}/cgroup") or "").splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            found[name] = path
    return found


def delegated(root: str = ROOT) -> str:
    """Version 2: the uppermost group of this process that it may divide, handed over to its user; or "".

    Its own processes lie in groups below it, or its controllers could not be handed on (cgroups(7), "no internal
    processes"). systemd hands over user@UID.service, whoever writes a unit with Delegate=, and root by chown.
    """
    found, group = "", of_process().get("", "")
    while group not in ("", "/"):
        names = ("", "/cgroup.procs", "/cgroup.subtree_control")
        if not all(os.access(f"{root}{group}{name}", os.W_OK) for name in names):
            break
        if _read(f"{root}{group}/cgroup.subtree_control") or not _read(f"{root}{group}/cgroup.procs"):
            found = group
        group = os.path.dirname(group)
    return found


def exists(group: str, root: str = ROOT) -> bool:
    """Is there such a group in any tree?"""
    return any(os.path.isdir(f"{tree}{group}") for tree in trees(root))


def unlimit(group: str, controller: str, version: int, root: str = ROOT) -> None:
    """Lift the limit of `pids` or the quota of `cpu`. Raises ExternalFailure with what the kernel says."""
    names = {("pids", 1): "pids.max", ("pids", 2): "pids.max", ("cpu", 1): "cpu.cfs_quota_us", ("cpu", 2): "cpu.max"}
    name = names[controller, version]
    path = f"{root}/{controller}{group}/{name}" if version == 1 else f"{root}{group}/{name}"
    try:
        _write(path, "-1" if name == "cpu.cfs_quota_us" else "max")
    except OSError as error:
        raise ExternalFailure(f"writing file {path}: {(error.strerror or '').lower()}") from error


def processes(group: str, root: str = ROOT) -> tuple[int, ...]:
    """Pids in the group and below it, sorted."""
    found: set[int] = set()
    for tree in trees(root):
        for folder, _, _ in os.walk(f"{tree}{group}"):
            found.update(int(word) for word in (_read(f"{folder}/cgroup.procs") or "").split())
    return tuple(sorted(found))


def frozen(group: str, root: str = ROOT) -> bool:
    """Are the group's processes frozen?"""
    state = _read(f"{root}/freezer{group}/freezer.state")
    if state is not None:
        return state.strip() == "FROZEN"
    return "frozen 1" in (_read(f"{root}{group}/cgroup.events") or "").splitlines()


def usage(group: str, root: str = ROOT) -> Usage:
    """What the group uses; what cannot be read is 0."""
    if os.path.exists(f"{root}/cgroup.controllers"):
        return _usage_v2(f"{root}{group}")
    return _usage_v1(group, root)


def _trees_v1(root: str) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _create_in(tree: str, group: str) -> None:
    path = tree
    for part in group.strip("/").split("/"):
        parent, path = path, f"{path}/{part}"
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            continue
        if os.path.exists(f"{parent}/cgroup.subtree_control"):
            _delegate(parent)
        elif os.path.exists(f"{parent}/cpuset.cpus"):
            # Version 1: a new cpuset is empty, and takes no process before it is filled.
            for name in ("cpuset.cpus", "cpuset.mems"):
                _write(f"{path}/{name}", (_read(f"{parent}/{name}") or "").strip())


def _delegate(parent: str) -> None:
    """Version 2: what a group may control below it must be said, one by one, since one refusal refuses all."""
    enabled = set((_read(f"{parent}/cgroup.subtree_control") or "").split())
    for name in (_read(f"{parent}/cgroup.controllers") or "").split():
        if name in enabled:
            continue
        try:
            _write(f"{parent}/cgroup.subtree_control", f"+{name}")
        except OSError:
            continue  # a controller that another namespace holds, or a parent with processes of its own


def _remove_in(folder: str) -> bool:
    """Remove a group and those below it; False if one is busy."""
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                continue
            if error.errno in (errno.EBUSY, errno.ENOTEMPTY):
                return False
            raise ExternalFailure(f"removing the cgroup {path}: {error.strerror}") from error
    return True


def _usage_v1(group: str, root: str) -> Usage:
    stat = _pairs(_read(f"{root}/cpuacct{group}/cpuacct.stat"))
    io = _read(f"{root}/blkio{group}/blkio.throttle.io_service_bytes_recursive") or ""
    per_cpu = _read(f"{root}/cpuacct{group}/cpuacct.usage_percpu") or ""
    limit = _number(f"{root}/memory{group}/memory.limit_in_bytes")
    return Usage(
        cpu_ns=_number(f"{root}/cpuacct{group}/cpuacct.usage"),
        cpu_system_ns=stat.get("system", 0) * (1_000_000_000 // os.sysconf("SC_CLK_TCK")),
        per_cpu_ns=tuple(int(word) for word in per_cpu.split()),
        memory=_number(f"{root}/memory{group}/memory.usage_in_bytes"),
        idle_cache=_pairs(_read(f"{root}/memory{group}/memory.stat")).get("total_inactive_file", 0),
        memory_limit=limit if limit < 1 << 62 else 0,
        pids=_number(f"{root}/pids{group}/pids.current"),
        pids_limit=_number(f"{root}/pids{group}/pids.max"),
        io_read=_sum_io(io, "Read"),
        io_written=_sum_io(io, "Write"),
    )


def _usage_v2(folder: str) -> Usage:
    cpu = _pairs(_read(f"{folder}/cpu.stat"))
    read = written = 0
    for line in (_read(f"{folder}/io.stat") or "").splitlines():
        fields = dict(word.split("=", 1) for word in line.split()[1:] if "=" in word)
        read += int(fields.get("rbytes", 0))
        written += int(fields.get("wbytes", 0))
    return Usage(
        cpu_ns=cpu.get("usage_usec", 0) * 1000,
        cpu_system_ns=cpu.get("system_usec", 0) * 1000,
        memory=_number(f"{folder}/memory.current"),
        idle_cache=_pairs(_read(f"{folder}/memory.stat")).get("inactive_file", 0),
        memory_limit=_number(f"{folder}/memory.max"),
        pids=_number(f"{folder}/pids.current"),
        pids_limit=_number(f"{folder}/pids.max"),
        io_read=read,
        io_written=written,
    )


def _sum_io(text: str, kind: str) -> int:
    """Lines `8:0 Read 4096` of version 1."""
    words = (line.split() for line in text.splitlines())
    return sum(int(word[2]) for word in words if len(word) == 3 and word[1] == kind)


def _pairs(text: str | None) -> dict[str, int]:
    words = (line.split() for line in (text or "").splitlines())
    return {word[0]: int(word[1]) for word in words if len(word) == 2}


def _number(path: str) -> int:
    """The number in a file; 0 for an absent file and for `max`."""
    text = (_read(path) or "").strip()
    return int(text) if text.isdigit() else 0


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
