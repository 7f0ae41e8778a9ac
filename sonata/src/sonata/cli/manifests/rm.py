"""`sonata manifest rm`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove lists, and none of their images: `Untagged: NAME`, then the ids of the lists that are gone."""
    from sonata.engine.manifests.edit import delete

    untagged: list[str] = []
    deleted: list[str] = []
    failed: list[SonataError] = []
    for name in parsed.args:
        try:
            names, ident = delete(call.engine, name)
        except NotFound as error:
            if not parsed["ignore"]:
                failed.append(error)
        except SonataError as error:
            failed.append(error)
        else:
            untagged += [f"Untagged: {one}" for one in names]
            deleted.append(f"Deleted: {ident}")
    return outcome([*untagged, *deleted], failed, joined=True)
