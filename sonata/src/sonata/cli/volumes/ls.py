"""`sonata volume ls`."""

from __future__ import annotations

from sonata.cli.volumes.inspect import shown as as_json
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine
    from sonata.state.objects import Volume

COLUMNS = (("Driver", "DRIVER"), ("Name", "VOLUME NAME"))
HEADINGS = {"Name": "VOLUME NAME"}


def command(parsed: Parsed, call: Call) -> int:
    """List volumes, sorted by name."""
    from sonata.engine.volumes.listing import listing

    engine = call.engine
    print(shown(parsed, engine, listing(engine, tuple(parsed["filter"]))), end="")
    return 0


def shown(parsed: Parsed, engine: Engine, volumes: list[Volume]) -> str:
    """What is printed for the volumes."""
    form = parsed.get("format")
    if parsed["quiet"] and form is not None:
        raise UsageError("quiet and format flags cannot be used together")
    if parsed["quiet"]:
        return "".join(f"{volume.name}\n" for volume in volumes)
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    if form is not None and is_json(form):
        return json_text(form, [as_json(engine, volume) for volume in volumes])
    rows = [fields(engine, volume) for volume in volumes]
    report = Report("ls", "*types.VolumeListReport", COLUMNS, HEADINGS)
    return render_rows(report, rows, form, heading=not parsed["noheading"])


def fields(engine: Engine, volume: Volume) -> Mapping[str, Any]:
    """The members of a row, as templates name them: its own, and the structs that Go embeds them from."""
    from sonata.cli.render.gotemplate.values import Struct
    from sonata.engine.volumes.listing import mount_count

    own: dict[str, Any] = {
        "Anonymous": volume.anonymous,
        "CreatedAt": lambda: _time(volume.created),
        "Driver": volume.driver,
        "GID": volume.gid,
        "Labels": dict(volume.labels),
        "LockNumber": 0,
        "MountCount": mount_count(engine, volume),
        "Mountpoint": volume.mountpoint or volume.mounted_at,
        "Name": volume.name,
        "NeedsChown": volume.unowned,
        "NeedsCopyUp": volume.fresh,
        "Options": dict(volume.options),
        "Scope": "local",
        "Status": {},
        "StorageID": volume.storage_id,
        "Timeout": volume.timeout,
        "UID": volume.uid,
    }
    order = {"CreatedAt": _time(volume.created)}
    shown_order = tuple(name for name in _IN_GO if name in own)
    inner = Struct("define.InspectVolumeData", own | order, shown_order)
    outer = Struct("types.VolumeConfigResponse", {**own, "InspectVolumeData": inner}, ("InspectVolumeData",))
    return {**own, "InspectVolumeData": lambda: inner, "VolumeConfigResponse": lambda: outer}


_IN_GO = (
    *("Name", "Driver", "Mountpoint", "CreatedAt", "Status", "Labels", "Scope", "Options", "UID", "GID"),
    *("Anonymous", "MountCount", "NeedsCopyUp", "NeedsChown", "Timeout", "StorageID", "LockNumber"),
)
"""Members in the order in which Go prints them."""


def _time(moment: int) -> Any:
    from sonata.cli.render.gotemplate.times import Time

    return Time(moment)
