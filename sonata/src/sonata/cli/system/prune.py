"""`sonata system prune`."""

from __future__ import annotations

from sonata.cli.output import agreed
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def warning(parsed: Parsed) -> str:
    """What will be removed."""
    lines = ["\t- all stopped containers", "\t- all networks not used by at least one container"]
    if parsed["volumes"]:
        lines.append("\t- all volumes not used by at least one container")
    lines.append("\t- all images without at least one container" if parsed["all"] else "\t- all dangling images")
    lines.append("\t- all partial downloads")
    return "WARNING! This command removes:\n" + "\n".join(lines) + "\n"


def command(parsed: Parsed, call: Call) -> int:
    """Remove what nothing uses, after asking; print what is gone."""
    from sonata.cli.render.human import human_size
    from sonata.engine.system.prune import prune

    if not parsed["force"] and not agreed(warning(parsed)):
        return 0
    pruned = prune(call.engine, images=parsed["all"], volumes=parsed["volumes"], filters=tuple(parsed["filter"]))
    for title, names in pruned.removed:
        if names:
            print(f"Deleted {title}")
            print("\n".join(names))
    print(f"Total reclaimed space: {human_size(pruned.reclaimed)}")
    return 0
