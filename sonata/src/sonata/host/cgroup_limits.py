"""Limits of a control group, written to its files: `linux.resources` of the runtime specification, without a runtime.

Sources: the kernel's cgroup-v1 and cgroup-v2 documents; for version 2 the conversions of the runtime specification.
"""

from __future__ import annotations

import os

from sonata.host.cgroups import ROOT
from sonata_core.errors import ExternalFailure
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    File = tuple[str, str, str]

_RATES = (
    ("throttleReadBpsDevice", "read_bps_device", "rbps"),
    ("throttleWriteBpsDevice", "write_bps_device", "wbps"),
    ("throttleReadIOPSDevice", "read_iops_device", "riops"),
    ("throttleWriteIOPSDevice", "write_iops_device", "wiops"),
)


def apply(group: str, resources: Mapping[str, Any], version: int, root: str = ROOT) -> None:
    """Set the group's limits. Raises ExternalFailure with what the kernel says, and for a file that it lacks."""
    files = _version_1(resources) if version == 1 else _version_2(resources)
    for controller, name, text in files:
        path = f"{root}/{controller}{group}/{name}" if version == 1 else f"{root}{group}/{name}"
        if name.startswith("blkio.weight") and not os.path.exists(path):
            path = path.replace("blkio.weight", "blkio.bfq.weight")  # the other went with CFQ in Linux 5.0
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise ExternalFailure(
                f'failed to write "{text}": write {path}: {(error.strerror or "").lower()}'
            ) from error


def _version_1(resources: Mapping[str, Any]) -> Iterator[File]:
    memory, cpu, block = (resources.get(name, {}) for name in ("memory", "cpu", "blockIO"))
    for key, name in (
        ("limit", "memory.limit_in_bytes"),
        ("swap", "memory.memsw.limit_in_bytes"),
        ("reservation", "memory.soft_limit_in_bytes"),
        ("swappiness", "memory.swappiness"),
    ):
        if key in memory:
            yield "memory", name, str(memory[key])
    for key, controller, name in (
        ("shares", "cpu", "cpu.shares"),
        ("period", "cpu", "cpu.cfs_period_us"),
        ("quota", "cpu", "cpu.cfs_quota_us"),
        ("cpus", "cpuset", "cpuset.cpus"),
        ("mems", "cpuset", "cpuset.mems"),
    ):
        if key in cpu:
            yield controller, name, str(cpu[key])
    if "weight" in block:
        yield "blkio", "blkio.weight", str(block["weight"])
    for one in block.get("weightDevice", ()):
        yield "blkio", "blkio.weight_device", f"{one['major']}:{one['minor']} {one['weight']}"
    for key, name, _ in _RATES:
        for one in block.get(key, ()):
            yield "blkio", f"blkio.throttle.{name}", f"{one['major']}:{one['minor']} {one['rate']}"


def _version_2(resources: Mapping[str, Any]) -> Iterator[File]:
    memory, cpu, block = (resources.get(name, {}) for name in ("memory", "cpu", "blockIO"))
    if "limit" in memory:
        yield "", "memory.max", str(memory["limit"])
    if "swap" in memory:
        yield "", "memory.swap.max", str(memory["swap"] - memory.get("limit", 0))
    if "reservation" in memory:
        yield "", "memory.low", str(memory["reservation"])
    if "shares" in cpu:
        yield "", "cpu.weight", str(1 + (cpu["shares"] - 2) * 9999 // 262142)
    if "quota" in cpu or "period" in cpu:
        yield "", "cpu.max", f"{cpu.get('quota', 'max')} {cpu.get('period', 100000)}"
    for key in ("cpus", "mems"):
        if key in cpu:
            yield "", f"cpuset.{key}", cpu[key]
    yield from _io_version_2(block)


def _io_version_2(block: Mapping[str, Any]) -> Iterator[File]:
    if "weight" in block:
        yield "", "io.bfq.weight", str(block["weight"])
    for one in block.get("weightDevice", ()):
        yield "", "io.bfq.weight", f"{one['major']}:{one['minor']} {one['weight']}"
    for key, _, name in _RATES:
        for one in block.get(key, ()):
            yield "", "io.max", f"{one['major']}:{one['minor']} {name}={one['rate']}"
