"""Limits: `-m`, `--cpus`, `--pids-limit`, … → `linux.resources` of the runtime specification."""

from __future__ import annotations

from sonata.plan.values import atoi, go_quote, is_digits, size
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.model.defaults import Defaults
    from sonata.model.materials import Materials
    from sonata.model.request import ResourceOptions
    from sonata_core.lite import Any
    from sonata_core.models.host import HostFacts

CPU_PERIOD = 100_000
_IGNORED = "Resource limits are not supported and ignored on cgroups V1 rootless systems"
_NOT_DELEGATED = "Resource limits are ignored: no control group is delegated to this user"


def decide(
    given: ResourceOptions, materials: Materials, facts: HostFacts, defaults: Defaults
) -> tuple[dict[str, Any], list[str]]:
    """Resources without devices, and notices about what was left out. Raises UsageError."""
    notices: list[str] = []
    parts = {
        "memory": _memory(given, facts),
        "cpu": _cpu(given, facts),
        "pids": _pids(given, defaults),
        "blockIO": _block_io(given, materials, notices),
        "unified": _unified(given, facts, defaults),
    }
    resources = {key: value for key, value in parts.items() if value}
    if given.kernel_memory:
        notices.append("The --kernel-memory flag is no longer supported. This flag is a noop.")
    parent = group_parent(given, materials, facts, defaults)
    if resources and not groups_are_made(parent, defaults, facts):
        asked = {key for key in resources if key != "pids" or (given.pids_limit or 0) > 0}
        if asked:
            notices.append(_IGNORED if facts.cgroup_version == 1 else _NOT_DELEGATED)
        return {}, notices
    return resources, notices


def group_parent(given: ResourceOptions, materials: Materials, facts: HostFacts, defaults: Defaults) -> str:
    """The control group to be below, as asked; where nobody asks, an ordinary user's is one that he may divide."""
    require_parent(given.cgroup_parent, defaults.cgroup_manager)
    ours = facts.rootless and facts.cgroup_version == 2 and defaults.cgroup_manager == "cgroupfs"
    if given.cgroup_parent or not ours or not materials.cgroup_delegated:
        return given.cgroup_parent
    return f"{materials.cgroup_delegated}/libpod_parent"


def require_parent(parent: str, manager: str) -> None:
    """A control group to be below must be of its manager's kind. Raises UsageError."""
    is_slice = parent.rpartition("/")[2].endswith(".slice")
    if parent and manager == "systemd" and not is_slice:
        raise UsageError(
            "did not receive systemd slice as cgroup parent when using systemd to manage cgroups: invalid argument"
        )
    if is_slice and manager != "systemd":
        raise UsageError("systemd slice received as cgroup parent when using cgroupfs: invalid argument")


def groups_are_made(parent: str, defaults: Defaults, facts: HostFacts) -> bool:
    """Whether containers below this parent get a control group of their own."""
    if not facts.rootless:
        return True
    return facts.cgroup_version == 2 and bool(parent or defaults.cgroup_manager == "systemd")


def _bytes(text: str) -> int:
    try:
        return size(text)
    except UsageError as error:
        raise UsageError(f"invalid value for memory: {error.message}") from None


def _memory(given: ResourceOptions, facts: HostFacts) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if given.memory:
        result["limit"] = _bytes(given.memory)
    if given.memory_reservation:
        result["reservation"] = _bytes(given.memory_reservation)
    swap = _swap(given.memory_swap, result.get("limit", 0))
    if swap is not None:
        result["swap"] = swap
    if 0 < result.get("limit", 0) < result.get("reservation", 0):
        raise UsageError("minimum memory limit cannot be less than memory reservation limit, see usage")
    if given.memory_swappiness != -1:
        if not 0 <= given.memory_swappiness <= 100:
            raise UsageError(f"invalid value: {given.memory_swappiness}, valid memory swappiness range is 0-100")
        if facts.cgroup_version == 2:
            raise UsageError("memory-swappiness is not supported on cgroup V2", "Leave out --memory-swappiness.")
        result["swappiness"] = given.memory_swappiness
    if given.oom_kill_disable:
        result["disableOOMKiller"] = True
    return result


def _swap(text: str, limit: int) -> int | None:
    if not text:
        return limit * 2 or None
    if text == "-1":
        return None
    swap = _bytes(text)
    if swap and not limit:
        raise UsageError("you should always set a memory limit when using a memoryswap limit, see usage")
    if 0 < swap < limit:
        raise UsageError("minimum memoryswap limit should be larger than memory limit, see usage")
    return swap or limit * 2


def _cpu(given: ResourceOptions, facts: HostFacts) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if given.cpus:
        for name, value in (("--cpu-period", given.cpu_period), ("--cpu-quota", given.cpu_quota)):
            if value:
                raise UsageError(f"{name} and --cpus cannot be set together")
        if given.cpus < 0:
            raise UsageError(f'invalid argument {go_quote(str(given.cpus))} for "--cpus" flag: must not be negative')
        result["quota"] = int(given.cpus * CPU_PERIOD)
        result["period"] = CPU_PERIOD
    numbers = {
        "shares": given.cpu_shares,
        "period": given.cpu_period,
        "quota": given.cpu_quota,
        "realtimePeriod": given.cpu_rt_period,
        "realtimeRuntime": given.cpu_rt_runtime,
    }
    result.update({key: value for key, value in numbers.items() if value})
    if facts.cgroup_version == 2:
        result.pop("realtimePeriod", None)
        result.pop("realtimeRuntime", None)
    for key, option, text in (("cpus", "cpus", given.cpuset_cpus), ("mems", "mems", given.cpuset_mems)):
        if text:
            _require_set(option, text)
            result[key] = text
    return result


def _require_set(option: str, text: str) -> None:
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not is_digits(first) or (dash and (not is_digits(last) or int(last) < int(first))):
            raise UsageError(
                f"invalid value {go_quote(text)} for --cpuset-{option}: use numbers and ranges as in 0-3,7"
            )


def _pids(given: ResourceOptions, defaults: Defaults) -> dict[str, Any]:
    limit = defaults.pids_limit if given.pids_limit is None else given.pids_limit
    if given.pids_limit is None and given.cgroups == "disabled":
        return {}
    if limit < 0:
        return {"limit": -1} if given.pids_limit is not None else {}
    return {"limit": limit} if limit or given.pids_limit is not None else {}


def _block_io(given: ResourceOptions, materials: Materials, notices: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if given.blkio_weight or given.blkio_weight_device:
        weight = atoi(given.blkio_weight, "ParseUint") if given.blkio_weight else 0
        weights = [_weight(text, materials) for text in given.blkio_weight_device]
        if materials.blkio_weight:
            result |= {"weight": weight} if weight else {}
            result |= {"weightDevice": weights} if weights else {}
        else:
            notices.append(
                "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."
            )
    for key, texts, in_bytes in (
        ("throttleReadBpsDevice", given.device_read_bps, True),
        ("throttleWriteBpsDevice", given.device_write_bps, True),
        ("throttleReadIOPSDevice", given.device_read_iops, False),
        ("throttleWriteIOPSDevice", given.device_write_iops, False),
    ):
        if texts:
            result[key] = [_rate(text, materials, in_bytes=in_bytes) for text in texts]
    return result


def _numbers(path: str, materials: Materials, asked: str) -> dict[str, Any]:
    nodes: Sequence[Any] = materials.devices.get(path, ())
    if not nodes:
        raise UsageError(f"{asked}: no such file or directory")
    return {"major": nodes[0].major, "minor": nodes[0].minor}


def _rate(text: str, materials: Materials, *, in_bytes: bool) -> dict[str, Any]:
    path, colon, rate = text.rpartition(":")
    if not colon or not path.startswith("/dev/"):
        raise UsageError(f"bad format for device path: {text}")
    try:
        value = size(rate) if in_bytes else atoi(rate, "ParseUint")
    except UsageError:
        unit = "[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        wanted = unit if in_bytes else ". Number must be a positive integer"
        raise UsageError(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>{wanted}"
        ) from None
    return {**_numbers(path, materials, f"could not parse device {path}"), "rate": value}


def _weight(text: str, materials: Materials) -> dict[str, Any]:
    path, colon, weight = text.rpartition(":")
    if not colon or not path.startswith("/dev/"):
        raise UsageError(f"bad format for device path: {text}")
    if not is_digits(weight) or not (10 <= int(weight[:5]) <= 1000 or int(weight[:5]) == 0):
        raise UsageError(f"invalid weight for device: {text}")
    asked = f"failed to inspect '{path}' in --blkio-weight-device"
    return {**_numbers(path, materials, asked), "weight": int(weight)}


def _unified(given: ResourceOptions, facts: HostFacts, defaults: Defaults) -> dict[str, str]:
    texts = given.cgroup_conf or (defaults.cgroup_conf if facts.cgroup_version == 2 else ())
    result = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"invalid --cgroup-conf {go_quote(text)}: use KEY=VALUE")
        result[key] = value
    if result and facts.cgroup_version == 1:
        raise UsageError("cgroup-conf is not supported on cgroup v1", "Use the options for memory, cpu and pids.")
    return result


def device_rule(text: str) -> dict[str, Any]:
    """`--device-cgroup-rule "c 42:* rmw"` as an entry of `linux.resources.devices`."""
    parts = text.split(" ")
    numbers = parts[1].split(":") if len(parts) == 3 else []
    if len(parts) != 3 or len(numbers) != 2:
        raise UsageError(f"invalid device cgroup rule requires type, major:Minor, and access rules: {go_quote(text)}")
    if parts[0] not in ("a", "b", "c"):
        raise UsageError(f"invalid device type in device-access-add: {parts[0]}")
    rule: dict[str, Any] = {"allow": True, "type": parts[0]}
    for key, value in zip(("major", "minor"), numbers, strict=True):
        if value != "*":
            rule[key] = atoi(value, "ParseInt")
    if not parts[2] or not set(parts[2]) <= set("rwm"):
        raise UsageError(f"invalid device access in device-access-add: {parts[2]}")
    return rule | {"access": parts[2]}
