"""`sonata volume inspect`."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata.model.times import rfc3339
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine
    from sonata.state.objects import Volume


def shown(_engine: Engine, volume: Volume) -> dict[str, Any]:
    """The object that `inspect` and `ls --format json` show for a volume: what is empty is left out."""
    fields: dict[str, Any] = {
        "Name": volume.name,
        "Driver": volume.driver,
        "Mountpoint": volume.mountpoint,
        "CreatedAt": rfc3339(volume.created),
        "Labels": dict(volume.labels),
        "Scope": "local",
        "Options": dict(volume.options),
    }
    optional = (("UID", volume.uid), ("GID", volume.gid), ("Anonymous", volume.anonymous))
    fields.update({key: value for key, value in optional if value})
    fields["MountCount"] = 0
    if volume.fresh:
        fields.update(NeedsCopyUp=True, NeedsChown=True)
    return {**fields, "LockNumber": 0}


def command(parsed: Parsed, call: Call) -> int:
    """Print volumes as JSON, or through a template."""
    from sonata.engine.volumes.create import get, listed

    engine = call.engine
    if parsed["all"]:
        return inspect_all(
            parsed, [volume.name for volume in listed(engine)], lambda name: shown(engine, get(engine, name))
        )

    def find(name: str) -> dict[str, Any]:
        try:
            return shown(engine, get(engine, name))
        except NotFound as error:
            raise NotFound(f"no such volume {name}", error.hint, name=name) from error

    return inspect_all(parsed, parsed.args, find)
