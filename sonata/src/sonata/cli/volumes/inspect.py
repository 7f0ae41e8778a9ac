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


def shown(engine: Engine, volume: Volume, status: dict[str, Any] | None = None) -> dict[str, Any]:
    """The object that `inspect` and `ls --format json` show for a volume: what is empty is left out."""
    from sonata.engine.volumes.listing import mount_count

    fields: dict[str, Any] = {
        "Name": volume.name,
        "Driver": volume.driver,
        "Mountpoint": volume.mountpoint or volume.mounted_at,
        "CreatedAt": rfc3339(volume.created),
        **({"Status": status} if status else {}),
        "Labels": dict(volume.labels),
        "Scope": "local",
        "Options": dict(sorted(volume.options.items())),
    }
    optional = (("UID", volume.uid), ("GID", volume.gid), ("Anonymous", volume.anonymous))
    fields.update({key: value for key, value in optional if value})
    fields["MountCount"] = mount_count(engine, volume)
    later = (("NeedsCopyUp", volume.fresh), ("NeedsChown", volume.unowned))
    rest = (*later, ("Timeout", volume.timeout), ("StorageID", volume.storage_id))
    fields.update({key: value for key, value in rest if value})
    return {**fields, "LockNumber": 0}


def with_status(engine: Engine, volume: Volume) -> dict[str, Any]:
    """As `shown`, with what the volume's driver says of it."""
    from sonata.engine.volumes.listing import status

    return shown(engine, volume, status(engine, volume))


def command(parsed: Parsed, call: Call) -> int:
    """Print volumes as JSON, or through a template."""
    from sonata.engine.volumes.create import get, listed

    engine = call.engine
    if parsed["all"]:
        return inspect_all(
            parsed, [volume.name for volume in listed(engine)], lambda name: with_status(engine, get(engine, name))
        )

    def find(name: str) -> dict[str, Any]:
        try:
            return with_status(engine, get(engine, name))
        except NotFound as error:
            raise NotFound(f"no such volume {name}", error.hint, name=name) from error

    return inspect_all(parsed, parsed.args, find)
