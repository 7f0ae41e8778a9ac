"""`sonata artifact inspect`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.image.artifact import Artifact

_TYPES = {"Manifest": "*v1.Manifest", "Config": "v1.Descriptor", "Subject": "*v1.Descriptor", "Layers": "v1.Descriptor"}
_LEFT_OUT: dict[str, dict[str, Any]] = {
    "*v1.Manifest": {"MediaType": "", "ArtifactType": "", "Subject": None, "Annotations": {}},
    "v1.Descriptor": {"URLs": [], "Annotations": {}, "Data": "", "Platform": None, "ArtifactType": ""},
}


def command(parsed: Parsed, call: Call) -> int:
    """Print an artifact as JSON, or through a template."""
    from sonata.cli.render.report import is_json, render_object
    from sonata.engine.artifacts.stored import get, inspect

    artifact = get(call.engine, parsed.args[0])
    shown, form = inspect(artifact), parsed["format"]
    if is_json(form):
        from sonata.cli.render.json import dumps

        print(dumps(shown, indent=5))
        return 0
    print(render_object("inspect", templated(artifact, shown), form), end="")
    return 0


def templated(artifact: Artifact, shown: dict[str, Any]) -> Any:
    """The object as a template meets it: Go's names, and the size of all files."""
    from sonata.cli.render.gotemplate.values import Struct

    members = {key: _member(key, value) for key, value in shown.items()}
    methods = {"TotalSizeBytes": lambda: artifact.size, "Artifact": lambda: members["Manifest"]}
    return Struct("*entities.ArtifactInspectReport", members | methods, tuple(shown), json=shown)


def _member(name: str, value: Any) -> Any:
    from sonata.cli.render.gotemplate.values import Struct

    if isinstance(value, list) and name == "Layers":
        return [_member(name, one) for one in value]
    if name not in _TYPES or not isinstance(value, dict):
        return value
    named = {("URLs" if key == "urls" else key[:1].upper() + key[1:]): one for key, one in value.items()}
    members = {key: _member(key, one) for key, one in named.items()}
    absent = _LEFT_OUT[_TYPES[name] if name == "Manifest" else "v1.Descriptor"]
    return Struct(_TYPES[name], {**absent, **members}, tuple(members), json=value)
