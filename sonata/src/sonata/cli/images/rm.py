"""`sonata rmi`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove images or their names: `Untagged: NAME` and ids of images that are gone."""
    from sonata.engine.images.listing import listing
    from sonata.engine.images.remove import remove

    engine = call.engine
    names = [image.id for image in listing(engine)] if parsed["all"] else parsed.args
    lines: list[str] = []
    failed: list[SonataError] = []
    for name in names:
        try:
            removed = remove(engine, name, force=parsed["force"])
        except NotFound as error:
            if not (parsed["force"] or parsed["ignore"]):
                failed.append(error)
        except SonataError as error:
            error.details.setdefault("object", name)
            failed.append(error)
        else:
            lines += [f"Untagged: {untagged}" for untagged in removed.untagged]
            lines += [f"Deleted: {removed.deleted}"] if removed.deleted else []
    return outcome(lines, failed)
