"""An image as templates of `inspect` meet it: Go's structs, also with the members that JSON leaves out."""

from __future__ import annotations

from sonata.cli.render.gotemplate.values import Duration, NilList, NilMap, Struct
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CONFIG: dict[str, Any] = {
    "User": "",
    "ExposedPorts": NilMap(),
    "Env": NilList(),
    "Entrypoint": NilList(),
    "Cmd": NilList(),
    "Volumes": NilMap(),
    "WorkingDir": "",
    "Labels": NilMap(),
    "StopSignal": "",
    "ArgsEscaped": False,
}
"""The members of v1.ImageConfig, in its order; what a config does not say is nil."""

_HISTORY = (
    ("Created", "created"),
    ("CreatedBy", "created_by"),
    ("Author", "author"),
    ("Comment", "comment"),
    ("EmptyLayer", "empty_layer"),
)
_HEALTH = ("Test", "StartPeriod", "StartInterval", "Interval", "Timeout", "Retries")


def templated_image(value: dict[str, Any], member: Callable[[str, Any], Any]) -> Struct:
    """The object that `inspect` prints for an image, as a struct; `member` makes what is below it by name and value."""
    members = {key: member(key, item) for key, item in value.items()}
    health = _health(value.get("Healthcheck"))
    config = value.get("Config") or {}
    inner = {key: member(key, config[key]) if key in config else empty for key, empty in _CONFIG.items()}
    members["Config"] = Struct("*v1.ImageConfig", {**inner, "Healthcheck": health}, tuple(_CONFIG), json=config)
    history = value.get("History")
    members["History"] = NilList() if history is None else [_step(step, member) for step in history]
    for key, empty in (("Labels", NilMap()), ("NamesHistory", NilList())):
        members[key] = empty if members.get(key) is None else members[key]
    members["HealthCheck"] = health
    members["ID"] = members["Id"]
    return Struct("interface {}", members, tuple(value), json=value)


def _health(value: dict[str, Any] | None) -> Struct | None:
    if not value:
        return None
    told: dict[str, Any] = {"Test": [], "Retries": 0, **value}
    members = {key: told[key] if key in ("Test", "Retries") else Duration(told.get(key, 0)) for key in _HEALTH}
    return Struct("*manifest.Schema2HealthConfig", members, _HEALTH, json=value)


def _step(value: dict[str, Any], member: Callable[[str, Any], Any]) -> Struct:
    found = {name: member(name, value.get(key, "")) for name, key in _HISTORY}
    found["EmptyLayer"] = bool(value.get("empty_layer"))
    return Struct("v1.History", found, tuple(name for name, _ in _HISTORY), json=value)
