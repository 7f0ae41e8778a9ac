"""`top`: the processes in a container, read from /proc; no program is run for it, but ps(1) for its own options.

Descriptors, their headings and the way values are written are those of psgo, which Podman uses.
"""

from __future__ import annotations

import os
import time

from sonata.engine.containers.small import processes
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine

DEFAULT = ("user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args")

_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """One process, as /proc has it. Raises FileNotFoundError where it has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        text = _read(f"/proc/{pid}/stat")
        self.comm = text[text.index("(") + 1 : text.rindex(")")]
        self.stat = text[text.rindex(")") + 2 :].split()
        lines = (line.partition(":") for line in _read(f"/proc/{pid}/status").splitlines())
        self.status = {key: value.strip() for key, _, value in lines}
        self._maps: dict[tuple[int | str, str], list[tuple[int, ...]]] = {}
        self.args = _read(f"/proc/{pid}/cmdline").replace("\0", " ")

    def field(self, number: int) -> str:
        """A field of /proc/PID/stat by its number in proc(5)."""
        return self.stat[number - 3]

    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(self.field(22)) / _TICKS

    def cpu(self) -> float:
        """Seconds of processor time."""
        return (int(self.field(14)) + int(self.field(15))) / _TICKS

    def own_id(self, number: str, key: str) -> str:
        """A user's or group's id as the process's own user namespace has it; `key` is Uid or Gid."""
        if self._shares_ours():
            return number
        for inside, outside, size in self._map(self.pid, key):
            if outside <= int(number) < outside + size:
                return str(int(number) - outside + inside)
        return "65534"

    def host_id(self, column: str, key: str) -> str:
        """An id as the host has it: /proc shows ids as the reader's user namespace has them."""
        for inside, outside, size in self._map("self", key):
            if inside <= int(column) < inside + size:
                return str(int(column) - inside + outside)
        return column

    def _shares_ours(self) -> bool:
        """Whether it is in our user namespace: the kernel shows its map with the ids of the one above then."""
        try:
            return os.readlink(f"/proc/{self.pid}/ns/user") == os.readlink("/proc/self/ns/user")
        except OSError:
            return False

    def _map(self, process: int | str, key: str) -> list[tuple[int, ...]]:
        kept = self._maps.get((process, key))
        if kept is None:
            lines = _read(f"/proc/{process}/{key.lower()}_map").splitlines()
            kept = self._maps[process, key] = [tuple(int(word) for word in line.split()) for line in lines]
        return kept

    def inner(self, name: str) -> str:
        """A pid as the innermost namespace has it: NSpid, NSpgid."""
        return self.status.get(name, "0").split()[-1]


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read(1 << 20)


def go_seconds(seconds: float) -> str:
    """As Go prints a duration: `1h2m3.5s`, `0s`."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, last = divmod(rest, 60)
    fraction = f"{seconds - whole:.9f}"[1:].rstrip("0").rstrip(".")
    text = f"{last}{fraction}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _capabilities(one: Process, key: str) -> str:
    from sonata.plan.caps import ALL

    mask = int(one.status.get(key, "0"), 16)
    names = sorted(name.removeprefix("CAP_") for number, name in enumerate(_by_number(ALL)) if mask >> number & 1)
    if not names:
        return "none"
    return "full" if len(names) >= len(ALL) else ",".join(names)


def _by_number(names: tuple[str, ...]) -> tuple[str, ...]:
    """Capability names in the order of their numbers (linux/capability.h)."""
    order = (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
        "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
        "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
        "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
        "PERFMON BPF CHECKPOINT_RESTORE"
    )
    known = tuple(f"CAP_{name}" for name in order.split())
    return known if set(names) <= set(known) else tuple(names)


def _user(one: Process, key: str, column: int) -> str:
    return _name_in("/etc/passwd", one, one.own_id(one.status.get(key, "0").split()[column], "Uid"))


def _group(one: Process, key: str, column: int) -> str:
    return _name_in("/etc/group", one, one.own_id(one.status.get(key, "0").split()[column], "Gid"))


def _groups(one: Process) -> str:
    numbers = one.status["Groups"].split()
    return ",".join(_name_in("/etc/group", one, one.own_id(number, "Gid")) for number in numbers)


def _name_in(path: str, one: Process, number: str) -> str:
    """A name by its number, in the process's own root; the number itself where it has none."""
    from sonata_core.sdk.safepath import read_in_root

    try:
        root = os.open(f"/proc/{one.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return number
    try:
        text = read_in_root(root, path, 1 << 20).decode("utf-8", "surrogateescape")
    except OSError:
        return number
    finally:
        os.close(root)
    for line in text.splitlines():
        parts = line.split(":")
        if len(parts) > 2 and parts[2] == number:
            return parts[0]
    return number


def _host_name(path: str, number: str) -> str:
    """A name by its number, as the host has it; the number itself where it has none."""
    try:
        text = _read(path)
    except OSError:
        return number
    return next((line.split(":")[0] for line in text.splitlines() if line.split(":")[2:3] == [number]), number)


def _host_group(one: Process, number: str) -> str:
    return _host_name("/etc/group", one.host_id(number, "Gid"))


def _label(one: Process) -> str:
    """The label that a security module gave the process; `?` where there is none."""
    try:
        return _read(f"/proc/{one.pid}/attr/current").strip("\0\n") or "?"
    except OSError:
        return "?"


def _started(one: Process) -> str:
    """When it began, as Go prints a time."""
    moment = time.localtime(time.time() - one.elapsed())
    return time.strftime("%Y-%m-%d %H:%M:%S %z ", moment) + (moment.tm_zone or "")


def _tty(one: Process) -> str:
    number = int(one.field(7))
    if not number:
        return "?"
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    if 136 <= major <= 143:
        return f"pts/{minor + (major - 136) * 256}"
    return f"tty{minor}" if major == 4 and minor < 64 else "?"


def _pcpu(one: Process) -> str:
    elapsed = one.elapsed()
    return f"{100 * one.cpu() / elapsed if elapsed else 0:.3f}"


def _seccomp(one: Process) -> str:
    return {"0": "disabled", "1": "strict", "2": "filter"}.get(one.status.get("Seccomp", "0"), "unsupported")


def _inner_parent(one: Process) -> str:
    parent = int(one.field(4))
    try:
        text = _read(f"/proc/{parent}/status")
    except OSError:
        return "0"
    levels = [line for line in text.splitlines() if line.startswith("NSpid:")]
    own = len(one.status.get("NSpid", "0").split())
    above = levels[0].split()[1:] if levels else []
    return above[own - 1] if len(above) >= own else "0"


DESCRIPTORS: dict[str, tuple[str, Callable[[Process], str]]] = {
    "args": ("COMMAND", lambda one: one.args or f"[{one.comm}]"),
    "capamb": ("AMBIENT CAPS", lambda one: _capabilities(one, "CapAmb")),
    "capbnd": ("BOUNDING CAPS", lambda one: _capabilities(one, "CapBnd")),
    "capeff": ("EFFECTIVE CAPS", lambda one: _capabilities(one, "CapEff")),
    "capinh": ("INHERITED CAPS", lambda one: _capabilities(one, "CapInh")),
    "capprm": ("PERMITTED CAPS", lambda one: _capabilities(one, "CapPrm")),
    "comm": ("COMMAND", lambda one: one.comm),
    "etime": ("ELAPSED", lambda one: go_seconds(one.elapsed())),
    "group": ("GROUP", lambda one: _group(one, "Gid", 1)),
    "groups": ("GROUPS", _groups),
    "hgroup": ("HGROUP", lambda one: _host_group(one, one.status["Gid"].split()[1])),
    "hgroups": ("HGROUPS", lambda one: ",".join(_host_group(one, gid) for gid in one.status["Groups"].split())),
    "hpid": ("HPID", lambda one: str(one.pid)),
    "huid": ("HUID", lambda one: one.host_id(one.status["Uid"].split()[1], "Uid")),
    "huser": ("HUSER", lambda one: _host_name("/etc/passwd", one.host_id(one.status["Uid"].split()[1], "Uid"))),
    "label": ("LABEL", _label),
    "nice": ("NI", lambda one: one.field(19)),
    "pcpu": ("%CPU", _pcpu),
    "pgid": ("PGID", lambda one: one.inner("NSpgid")),
    "pid": ("PID", lambda one: one.inner("NSpid")),
    "ppid": ("PPID", _inner_parent),
    "rgroup": ("RGROUP", lambda one: _group(one, "Gid", 0)),
    "rss": ("RSS", lambda one: one.status.get("VmRSS", "0 kB").split()[0]),
    "ruser": ("RUSER", lambda one: _user(one, "Uid", 0)),
    "seccomp": ("SECCOMP", _seccomp),
    "state": ("STATE", lambda one: one.field(3)),
    "stime": ("STIME", _started),
    "time": ("TIME", lambda one: go_seconds(int(one.cpu()))),
    "tty": ("TTY", _tty),
    "uid": ("UID", lambda one: one.own_id(one.status["Uid"].split()[1], "Uid")),
    "user": ("USER", lambda one: _user(one, "Uid", 1)),
    "vsz": ("VSZ", lambda one: str(int(one.field(23)) // 1024)),
}

ALIASES = {
    "%cpu": "pcpu",
    "%C": "pcpu",
    "%G": "rgroup",
    "%P": "ppid",
    "%U": "user",
    "%a": "args",
    "%c": "comm",
    "%g": "group",
    "%n": "nice",
    "%p": "pid",
    "%r": "pgid",
    "%t": "etime",
    "%u": "ruser",
    "%x": "time",
    "%y": "tty",
    "%z": "vsz",
}


def top(engine: Engine, container: str, wanted: tuple[str, ...]) -> list[list[str]] | list[str]:
    """Headings and one row a process; lines as ps(1) wrote them where `wanted` are its options.

    Raises NotFound, Conflict, ExternalFailure where ps does not understand them either.
    """
    names = [ALIASES.get(name, name) for word in wanted or DEFAULT for name in word.split(",") if name]
    row, pids = processes(engine, container)
    if not DESCRIPTORS.keys() >= set(names):
        from sonata.engine.containers import top_ps

        return top_ps.lines(engine, row, wanted)
    rows = [[DESCRIPTORS[name][0] for name in names]]
    for pid in sorted(pids):
        try:
            one = Process(pid)
            rows.append([DESCRIPTORS[name][1](one) for name in names])
        except (OSError, ValueError, IndexError):
            # It ended while it was looked at.
            continue
    return rows
