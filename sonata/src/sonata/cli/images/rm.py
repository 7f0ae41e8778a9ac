"""`sonata rmi`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove images or their names: every `Untagged: NAME`, then every `Deleted: ID` of an image that is gone."""
    from sonata.engine.containers.freeing import evict
    from sonata.engine.images.remove import Removal, remove_records, remove_several

    how = Removal(evict=evict if parsed["force"] else None, ignore=parsed["ignore"], prune=not parsed["no-prune"])
    if parsed["all"]:
        own = [image for image in call.engine.store.images() if not image.read_only]
        done = remove_records(call.engine, own, how)
    else:
        done = remove_several(call.engine, parsed.args, how)
    lines = [*(f"Untagged: {name}" for name in done.untagged), *(f"Deleted: {image}" for image in done.deleted)]
    return outcome(lines, list(done.errors), joined=True)
