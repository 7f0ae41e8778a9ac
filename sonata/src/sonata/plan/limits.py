"""Which file of a control group holds which limit, and what it should say: both versions of control groups."""

from sonata_core.lite import Any
from sonata_core.record import Record

UNLIMITED = 1 << 62
"""From here on a number in a file of version 1 means that there is no limit."""
_PAGE = 4096


class Limit(Record):
    """A limit: its name as `linux.resources` has it, the controller, the file, and what was asked; None for nothing.

    `ceiling`: the groups above bound it too. `also`: what newer runtimes write for the same.
    """

    name: str
    controller: str
    file: str
    asked: str | None = None
    ceiling: bool = False
    also: str | None = None


_V1 = (
    ("memory.limit", "memory", "memory.limit_in_bytes", True),
    ("memory.reservation", "memory", "memory.soft_limit_in_bytes", False),
    ("memory.swap", "memory", "memory.memsw.limit_in_bytes", True),
    ("memory.kernel", "memory", "memory.kmem.limit_in_bytes", False),
    ("memory.swappiness", "memory", "memory.swappiness", False),
    ("cpu.shares", "cpu", "cpu.shares", False),
    ("cpu.quota", "cpu", "cpu.cfs_quota_us", False),
    ("cpu.period", "cpu", "cpu.cfs_period_us", False),
    ("cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", False),
    ("cpu.realtimePeriod", "cpu", "cpu.rt_period_us", False),
    ("cpu.cpus", "cpuset", "cpuset.cpus", False),
    ("cpu.mems", "cpuset", "cpuset.mems", False),
    ("pids.limit", "pids", "pids.max", True),
    ("blockIO.weight", "blkio", "blkio.weight", False),
    ("blockIO.throttleReadBpsDevice", "blkio", "blkio.throttle.read_bps_device", False),
    ("blockIO.throttleWriteBpsDevice", "blkio", "blkio.throttle.write_bps_device", False),
    ("blockIO.throttleReadIOPSDevice", "blkio", "blkio.throttle.read_iops_device", False),
    ("blockIO.throttleWriteIOPSDevice", "blkio", "blkio.throttle.write_iops_device", False),
)
_V2 = (
    ("memory.limit", "memory", "memory.max", True),
    ("memory.reservation", "memory", "memory.low", False),
    ("memory.swap", "memory", "memory.swap.max", True),
    ("cpu.shares", "cpu", "cpu.weight", False),
    ("cpu.quota", "cpu", "cpu.max", False),
    ("cpu.cpus", "cpuset", "cpuset.cpus", False),
    ("cpu.mems", "cpuset", "cpuset.mems", False),
    ("pids.limit", "pids", "pids.max", True),
    ("blockIO.weight", "io", "io.bfq.weight", False),
)
_IO_MAX = (("ReadBps", "rbps"), ("WriteBps", "wbps"), ("ReadIOPS", "riops"), ("WriteIOPS", "wiops"))


def limits(resources: Any, version: int) -> tuple[Limit, ...]:
    """Every limit that a control group of that version has, with what `linux.resources` asks of it."""
    table = _V2 if version == 2 else _V1
    found = []
    for name, controller, file, ceiling in table:
        asked = _asked_v2(name, resources) if version == 2 else _asked(name, resources)
        also = _newer_weight(_value(name, resources)) if version == 2 and name == "cpu.shares" else None
        found.append(Limit(name=name, controller=controller, file=file, asked=asked, ceiling=ceiling, also=also))
    for page in resources.get("hugepageLimits", ()):
        size, suffix = page["pageSize"], "max" if version == 2 else "limit_in_bytes"
        file = f"hugetlb.{size}.{suffix}"
        found.append(Limit(name=f"hugepage.{size}", controller="hugetlb", file=file, asked=str(page["limit"])))
    if version == 2:
        found += _io_max(resources.get("blockIO", {}))
        found += [
            Limit(name=f"unified.{file}", controller=file.partition(".")[0], file=file, asked=str(value))
            for file, value in resources.get("unified", {}).items()
        ]
    return tuple(found)


def _value(name: str, resources: Any) -> Any:
    part, _, key = name.partition(".")
    return resources.get(part, {}).get(key)


def _asked(name: str, resources: Any) -> str | None:
    value = _value(name, resources)
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return "\n".join(f"{one['major']}:{one['minor']} {one['rate']}" for one in value)
    return "max" if value == -1 and name != "cpu.quota" else str(value)


def _asked_v2(name: str, resources: Any) -> str | None:
    value = _value(name, resources)
    if name == "memory.swap" and value is not None:
        # Version 2 counts swap alone, the specification memory and swap together.
        memory = _value("memory.limit", resources) or 0
        return "max" if value < 0 else str(value - memory)
    if name == "cpu.shares" and value:
        return str(1 + (min(max(value, 2), 262144) - 2) * 9999 // 262142)
    if name == "cpu.quota" and (value or _value("cpu.period", resources)):
        return f"{value if value and value > 0 else 'max'} {_value('cpu.period', resources) or 100000}"
    return _asked(name, resources)


def _io_max(block: Any) -> list[Limit]:
    devices: dict[str, dict[str, int]] = {}
    for word, key in _IO_MAX:
        for one in block.get(f"throttle{word}Device", ()):
            devices.setdefault(f"{one['major']}:{one['minor']}", {})[key] = one["rate"]
    return [
        Limit(name=f"blockIO.{device}.{key}", controller="io", file="io.max", asked=f"{device} {key}={rate}")
        for device, rates in devices.items()
        for key, rate in rates.items()
    ]


def _newer_weight(shares: int | None) -> str | None:
    """`cpu.weight` for shares as crun 1.23 and runc 1.3.2 reckon it, by which 1024 is 100."""
    if not shares:
        return None
    from math import ceil, log2

    power = log2(min(max(shares, 2), 262144))
    return str(ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34)))


def met(asked: str, enforced: str) -> bool:
    """Whether a file says what was asked: sizes in whole pages, processors in any notation, lines in any order."""
    if enforced == asked:
        return True
    wanted, found = amount(asked), amount(enforced)
    if wanted is not None and found is not None:
        return wanted // _PAGE == found // _PAGE if wanted > 1 << 20 else wanted == found
    if "\n" in asked or ":" in asked:
        lines = enforced.splitlines()
        return all(any(_has(line, one) for line in lines) for one in asked.splitlines())
    return _members(asked) is not None and _members(asked) == _members(enforced)


def amount(text: str) -> int | None:
    """A file's number; -1 and `max` are no limit, and higher than any."""
    if text in ("max", "-1"):
        return UNLIMITED
    if not text.isdigit():
        return None
    return min(int(text), UNLIMITED)


def _has(line: str, asked: str) -> bool:
    return set(asked.split()) <= set(line.split())


def _members(text: str) -> set[int] | None:
    """`0-2,5` as a set."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            return None
        found.update(range(int(first), int(last or first) + 1))
    return found
