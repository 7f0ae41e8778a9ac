"""`sonata image prune`."""

from __future__ import annotations

from sonata.cli.output import agreed, lines
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove images that nothing uses, after asking; print their ids."""
    from sonata.engine.system.prune import prune_build_cache, prune_images

    which = "all images without at least one container associated with them" if parsed["all"] else "all dangling images"
    if not parsed["force"] and not agreed(f"WARNING! This command removes {which}."):
        return 0
    lines(prune_images(call.engine, tuple(parsed["filter"]), everything=parsed["all"], external=parsed["external"]))
    if parsed["build-cache"]:
        prune_build_cache(call.engine)
    return 0
