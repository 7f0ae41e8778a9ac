"""Devices: `--device HOST[:CONTAINER][:rwm]` and rules for the device cgroup."""

from __future__ import annotations

from sonata.model.container import Device
from sonata.plan.resources import device_rule
from sonata.plan.values import go_quote
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.defaults import Defaults
    from sonata.model.materials import Materials
    from sonata.model.request import RunRequest
    from sonata_core.lite import Any
    from sonata_core.models.host import HostFacts


def parse(text: str) -> tuple[str, str, str]:
    """Host path, container path and access. Raises UsageError with Podman's texts."""
    source, *rest = text.split(":")
    target, access = source, "rwm"
    if len(rest) > 2:
        raise UsageError(f"invalid device specification: {text}")
    if len(rest) == 2:
        target, access = rest
        if not _is_access(access):
            raise UsageError(f"invalid device mode {go_quote(access)} in device {go_quote(text)}")
    elif rest and _is_access(rest[0]):
        access = rest[0]
    elif rest:
        if not rest[0].startswith("/"):
            raise UsageError(f"invalid device mode {go_quote(rest[0])} in device {go_quote(text)}")
        target = rest[0]
    return source, target, access


def _is_access(text: str) -> bool:
    return bool(text) and set(text) <= set("rwm") and len(set(text)) == len(text)


def is_cdi(text: str) -> bool:
    """Whether a `--device` value is a CDI name (`vendor/class=device`)."""
    if text.startswith("/") or "=" not in text:
        return False
    from sonata.plan.cdi import qualified

    return qualified(text) is not None


def cdi_names(request: RunRequest, defaults: Defaults) -> tuple[str, ...]:
    """The CDI devices that are asked for; `--gpus X` is `nvidia.com/gpu=X`, as in Podman.

    Raises UsageError for what cannot be a name.
    """
    named = [text for text in (*defaults.devices, *request.device) if is_cdi(text)]
    for text in (f"nvidia.com/gpu={name}" for name in request.gpus):
        if not is_cdi(text):
            raise UsageError(f"stat {text}: no such file or directory")
        named.append(text)
    return tuple(dict.fromkeys(named))


def decide(
    request: RunRequest, materials: Materials, facts: HostFacts, defaults: Defaults
) -> tuple[tuple[Device, ...], tuple[dict[str, Any], ...]]:
    """Nodes and rules. Raises UsageError for a path that the engine did not find."""
    nodes: dict[str, Device] = {}
    for text in (*defaults.devices, *request.device):
        if is_cdi(text):
            continue
        source, target, access = parse(text)
        found = materials.devices.get(source, ())
        if not found:
            raise UsageError(f"stat {source}: no such file or directory")
        for node in found:
            path = target + node.source.removeprefix(source)
            nodes[path] = node.replace(path=path, access=access)
    if request.device_cgroup_rule and facts.rootless:
        raise UsageError("device cgroup rules are not supported in rootless mode or in a user namespace")
    return tuple(nodes.values()), tuple(device_rule(text) for text in request.device_cgroup_rule)
