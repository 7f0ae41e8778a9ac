"""What the kernel enforces on a process, read from /proc and from its control groups; nothing runs in its place."""

from __future__ import annotations

import os

from sonata.host.cgroups import ROOT, of_process
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.host import CAPABILITIES
from sonata_core.sdk import syscalls
from sonata_core.sdk.safepath import open_in_root, read_in_root

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
_LIMITS = {
    "Max cpu time": "RLIMIT_CPU",
    "Max file size": "RLIMIT_FSIZE",
    "Max data size": "RLIMIT_DATA",
    "Max stack size": "RLIMIT_STACK",
    "Max core file size": "RLIMIT_CORE",
    "Max resident set": "RLIMIT_RSS",
    "Max processes": "RLIMIT_NPROC",
    "Max open files": "RLIMIT_NOFILE",
    "Max locked memory": "RLIMIT_MEMLOCK",
    "Max address space": "RLIMIT_AS",
    "Max file locks": "RLIMIT_LOCKS",
    "Max pending signals": "RLIMIT_SIGPENDING",
    "Max msgqueue size": "RLIMIT_MSGQUEUE",
    "Max nice priority": "RLIMIT_NICE",
    "Max realtime priority": "RLIMIT_RTPRIO",
    "Max realtime timeout": "RLIMIT_RTTIME",
}
"""Names in /proc/PID/limits, with those of the runtime specification."""
_NAME_WIDTH = 26
"""Columns that /proc/PID/limits gives to the name."""
_CLONE_NEWIPC, _CLONE_NEWUTS = 0x08000000, 0x04000000


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status; empty if the process is gone."""
    return {
        line.partition(":")[0]: line.partition(":")[2].strip() for line in _read(f"/proc/{pid}/status").splitlines()
    }


def capabilities(mask: str) -> list[str]:
    """Names, with CAP_, of a mask as /proc/PID/status has it; sorted. A number without a name stays a number."""
    bits = int(mask or "0", 16)
    known = [f"CAP_{CAPABILITIES[n]}" for n in range(len(CAPABILITIES)) if bits >> n & 1]
    beyond = range(len(CAPABILITIES), bits.bit_length())
    return sorted(known) + [str(number) for number in beyond if bits >> number & 1]


def rlimits(pid: int) -> dict[str, tuple[int, int]]:
    """Soft and hard limit by the specification's name; -1: unlimited."""
    found = {}
    for line in _read(f"/proc/{pid}/limits").splitlines()[1:]:
        name, values = line[:_NAME_WIDTH].strip(), line[_NAME_WIDTH:].split()
        if name in _LIMITS and len(values) >= 2:
            soft, hard = (-1 if word == "unlimited" else int(word) for word in values[:2])
            found[_LIMITS[name]] = (soft, hard)
    return found


def namespaces(pid: int | str) -> dict[str, int]:
    """Inode numbers of a process's namespaces; those that may not be seen are left out."""
    found = {}
    for name in _SPACES:
        try:
            found[name] = os.stat(f"/proc/{pid}/ns/{name}").st_ino
        except OSError:
            continue
    return found


def id_map(pid: int, kind: str) -> list[tuple[int, int, int]]:
    """The lines of `uid_map` or `gid_map`: inside, outside, how many."""
    rows = (line.split() for line in _read(f"/proc/{pid}/{kind}").splitlines())
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows if len(row) == 3]


def number(pid: int, name: str) -> int | None:
    """The number in a file of /proc/PID, such as `oom_score_adj`."""
    text = _read(f"/proc/{pid}/{name}").strip()
    return int(text) if text.removeprefix("-").isdigit() else None


def security_label(pid: int) -> str:
    """The process's label by AppArmor or SELinux; empty without either."""
    for name in ("apparmor/current", "current"):
        text = _read(f"/proc/{pid}/attr/{name}").strip("\0\n ")
        if text:
            return text
    return ""


def mounts(pid: int) -> list[dict[str, Any]]:
    """The process's mounts as /proc/PID/mountinfo has them (proc_pid_mountinfo(5)), in their order."""
    found = []
    for line in _read(f"/proc/{pid}/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        own, source = left.split(), right.split(" ")
        if len(own) >= 6 and len(source) >= 3:
            found.append(
                {
                    "Id": int(own[0]),
                    "Parent": int(own[1]),
                    "Destination": _plain(own[4]),
                    "Root": _plain(own[3]),
                    "Type": source[0],
                    "Source": _plain(source[1]),
                    "Options": own[5].split(","),
                    "SuperOptions": source[2].split(","),
                    "Propagation": own[6:] or ["private"],
                }
            )
    return found


def mount_at(pid: int, path: str) -> int:
    """The id of the mount that a path of the process is on, links followed inside its root; 0 for no such path."""
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        handle = open_in_root(root, path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return 0
    finally:
        os.close(root)
    try:
        lines = _read(f"/proc/self/fdinfo/{handle}").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("mnt_id:")), 0)
    finally:
        os.close(handle)


def sysctls(pid: int, names: Iterable[str]) -> dict[str, str | None]:
    """Kernel parameters as the process's namespaces have them; None for one that is not there.

    /proc/sys answers with the values of whoever reads: a thread of ours joins the namespaces for that, and ends.
    """

    def work() -> dict[str, str | None]:
        syscalls.unshare(syscalls.CLONE_FS)
        for name, kind in (("ipc", _CLONE_NEWIPC), ("net", syscalls.CLONE_NEWNET), ("uts", _CLONE_NEWUTS)):
            handle = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                syscalls.setns(handle, kind)
            finally:
                os.close(handle)
        return {name: _sysctl(name) for name in names}

    try:
        return syscalls.in_thread(work)
    except OSError:
        return dict.fromkeys(names)


def _sysctl(name: str) -> str | None:
    # A dot in an interface's name is written as a slash, and the other way round (sysctl(8)).
    path = name if "/" in name else name.replace(".", "/")
    top = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return read_in_root(top, path, 1 << 16).decode(errors="replace").strip()
    except (OSError, Damaged):
        return None
    finally:
        os.close(top)


class Group:
    """The control group of a process: the folder for each controller, whichever version has it."""

    def __init__(self, pid: int) -> None:
        self._groups = of_process(pid)
        self.unified = os.path.exists(f"{ROOT}/cgroup.controllers")
        self.path = (
            self._groups.get("", "") if self.unified else self._groups.get("pids", self._groups.get("memory", ""))
        )

    def files(self, controller: str, name: str) -> list[str]:
        """The file in the process's group, then in every group above it. Empty if there is no such controller."""
        if self.unified:
            top, group = ROOT, self._groups.get("", "")
        else:
            top, group = f"{ROOT}/{controller}", self._groups.get(controller, "")
        if not group:
            return []
        found = []
        while group.strip("/"):
            found.append(f"{top}{group}/{name}")
            group = group.rpartition("/")[0]
        return found


def content(path: str) -> str | None:
    """A small file's text; None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16).strip()
    except OSError:
        return None


def _plain(word: str) -> str:
    """A path of mountinfo, in which blanks and backslashes are written as octal numbers."""
    if "\\" not in word:
        return word
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, char)
    return word


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
