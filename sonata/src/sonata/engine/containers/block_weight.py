"""`--blkio-weight` on control groups of version 1 whose only weight is BFQ's.

The file `blkio.weight` went with the scheduler CFQ in Linux 5.0. Runtimes write that, and crun 1.8 nothing else; so the
spec has no weight there, and it is written here once the group exists.
"""

from __future__ import annotations

import os

from sonata.host import cgroups
from sonata_core.errors import HostLacks
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TREE = f"{cgroups.ROOT}/blkio"
_KEYS = ("weight", "weightDevice")


def is_only_bfqs(version: int) -> bool:
    """Whether BFQ's is the only weight: its counters are in the first group, its weight in all others."""
    first = f"{_TREE}/blkio."
    return version == 1 and not os.path.exists(f"{first}weight") and os.path.exists(f"{first}bfq.io_serviced")


def is_scheduled(number: int) -> bool:
    """Whether BFQ schedules a device, or the disk that it is a part of."""
    place = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
    for path in (f"{place}/queue/scheduler", f"{place}/../queue/scheduler"):
        try:
            with open(path, encoding="ascii") as file:
                return "[bfq]" in file.read(4096)
        except OSError:
            continue
    return False


def asked(resources: Mapping[str, Any]) -> dict[str, Any]:
    """The weights among limits."""
    block = resources.get("blockIO", {})
    return {key: block[key] for key in _KEYS if block.get(key)}


def without(resources: Mapping[str, Any]) -> dict[str, Any]:
    """The limits for a runtime."""
    block = {key: value for key, value in resources.get("blockIO", {}).items() if key not in _KEYS}
    rest = {kind: values for kind, values in resources.items() if kind != "blockIO"}
    return {**rest, "blockIO": block} if block else rest


def write(pid: int, weights: Mapping[str, Any]) -> None:
    """Give the group of a process its weights. Raises HostLacks with the kernel's answer."""
    folder = f"{_TREE}{cgroups.of_process(pid).get('blkio', '')}"
    lines = [("weight", str(weights["weight"]))] if weights.get("weight") else []
    lines += [
        ("weight_device", f"{one['major']}:{one['minor']} {one['weight']}") for one in weights.get("weightDevice", ())
    ]
    for name, line in lines:
        path = f"{folder}/blkio.bfq.{name}"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise HostLacks(
                f"failed to write {line!r} to {path}: {(error.strerror or '').lower()}",
                hint="a device needs the scheduler bfq: /sys/block/NAME/queue/scheduler",
            ) from error
