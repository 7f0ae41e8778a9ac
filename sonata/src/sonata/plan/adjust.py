"""Merging what participants of the hooks group ask for into a spec; nobody overwrites anybody."""

from __future__ import annotations

from sonata_core.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata_core.lite import Any
    from sonata_core.models.hooks import OciHook, SpecAdjustment


class _Claims:
    """Who wrote which field: a second writer is a Conflict naming both."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def claim(self, field: str, origin: str) -> None:
        owner = self._owners.setdefault(field, origin)
        if owner != origin:
            raise Conflict(
                f"{owner} and {origin} both set {field}", "Remove one of the two, or narrow when it applies."
            )


def merge(spec: dict[str, Any], adjustments: Iterable[SpecAdjustment]) -> dict[str, Any]:
    """A new spec with all adjustments; `spec` stays as it is. Raises Conflict."""
    result = dict(spec)
    claims = _Claims()
    for adjustment in adjustments:
        _mounts(result, adjustment, claims)
        _linux(result, adjustment, claims)
        _process(result, adjustment, claims)
        for key, value in adjustment.annotations.items():
            claims.claim(f"annotation {key}", adjustment.origin)
            result["annotations"] = {**result.get("annotations", {}), key: value}
        for hook in adjustment.hooks:
            result["hooks"] = _with_hook(result.get("hooks", {}), hook)
    return result


def _mounts(result: dict[str, Any], adjustment: SpecAdjustment, claims: _Claims) -> None:
    for mount in adjustment.mounts:
        claims.claim(f"the mount at {mount['destination']}", adjustment.origin)
        kept = [known for known in result.get("mounts", ()) if known["destination"] != mount["destination"]]
        result["mounts"] = sorted([*kept, dict(mount)], key=depth)


def depth(mount: Mapping[str, Any]) -> int:
    """Mounts are ordered by how deep their destinations lie."""
    return len([part for part in str(mount["destination"]).split("/") if part])


def _linux(result: dict[str, Any], adjustment: SpecAdjustment, claims: _Claims) -> None:
    if not adjustment.devices and not adjustment.device_rules:
        return
    linux = dict(result.get("linux", {}))
    for device in adjustment.devices:
        claims.claim(f"the device {device['path']}", adjustment.origin)
        kept = [known for known in linux.get("devices", ()) if known["path"] != device["path"]]
        linux["devices"] = [*kept, dict(device)]
    if adjustment.device_rules:
        resources = dict(linux.get("resources", {}))
        resources["devices"] = [*resources.get("devices", ()), *(dict(rule) for rule in adjustment.device_rules)]
        linux["resources"] = resources
    result["linux"] = linux


def _process(result: dict[str, Any], adjustment: SpecAdjustment, claims: _Claims) -> None:
    if not adjustment.env and not adjustment.additional_gids:
        return
    process = dict(result.get("process", {}))
    for entry in adjustment.env:
        name = entry.partition("=")[0]
        claims.claim(f"the variable {name}", adjustment.origin)
        kept = [known for known in process.get("env", ()) if known.partition("=")[0] != name]
        process["env"] = [*kept, entry]
    if adjustment.additional_gids:
        user = dict(process.get("user", {}))
        user["additionalGids"] = list(dict.fromkeys([*user.get("additionalGids", ()), *adjustment.additional_gids]))
        process["user"] = user
    result["process"] = process


def _with_hook(hooks: Mapping[str, Any], hook: OciHook) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": hook.path}
    if hook.args:
        entry["args"] = list(hook.args)
    if hook.env:
        entry["env"] = list(hook.env)
    if hook.timeout is not None:
        entry["timeout"] = hook.timeout
    return {**hooks, **{stage: [*hooks.get(stage, ()), entry] for stage in hook.stages}}
