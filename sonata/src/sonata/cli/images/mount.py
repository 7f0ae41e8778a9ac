"""`sonata image mount`."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.images.mounting import MountedImage


def command(parsed: Parsed, call: Call) -> int:
    """Mount images and print where, or print those that are mounted. Raises UsageError for other formats."""
    from sonata.engine.images.mounting import mount, mount_all, mounted, require

    if parsed["format"] not in ("", "json"):
        raise UsageError(f'unknown --format argument: "{parsed["format"]}"')
    if parsed["all"] and parsed.args:
        raise UsageError("when using the --all switch, you may not pass any image names or IDs")
    require(call.engine)
    if parsed["all"]:
        found = mount_all(call.engine)
    else:
        found = mount(call.engine, parsed.args) if parsed.args else mounted(call.engine)
    if parsed["format"]:
        from sonata.cli.render.json import dumps

        print(dumps([_as_json(one) for one in found], indent=1))
    elif len(found) == 1 and parsed.args:
        print(found[0].path)
    else:
        widest = max((len(_name(one)) for one in found), default=0)
        print("".join(f"{_name(one):<{widest}}  {one.path}\n" for one in found), end="")
    return 0


def _name(one: MountedImage) -> str:
    return one.names[0] if one.names else one.id


def _as_json(one: MountedImage) -> dict[str, object]:
    return {
        "id": one.id,
        "Names": list(one.digests),
        "Repositories": list(one.names),
        "mountpoint": one.path,
    }
