"""`sonata system prune`."""

from __future__ import annotations

from sonata.cli.output import agreed
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def warning(parsed: Parsed) -> str:
    """What will be removed."""
    lines = ["\t- all stopped containers", "\t- all networks not used by at least one container"]
    if parsed["volumes"]:
        lines.append("\t- all volumes not used by at least one container")
    if parsed["build"]:
        lines.append("\t- all build containers")
    if parsed["all"]:
        lines += ["\t- all images without at least one container associated with them", "\t- all build cache"]
    else:
        lines += ["\t- all dangling images", "\t- all dangling build cache"]
    return "WARNING! This command removes:\n" + "\n".join(lines) + "\n"


def command(parsed: Parsed, call: Call) -> int:
    """Remove what nothing uses, after asking; print what is gone."""
    from sonata.cli.render.human import human_size
    from sonata.engine.system.prune import Wanted, prune, prune_external

    if parsed["external"]:
        if parsed["all"] or parsed["volumes"] or parsed["build"] or parsed["filter"]:
            raise UsageError("system prune --external cannot be combined with other options")
        prune_external(call.engine)
        return 0
    if not parsed["force"] and not agreed(warning(parsed)):
        return 0
    wanted = Wanted(
        images=parsed["all"], volumes=parsed["volumes"], build=parsed["build"], filters=tuple(parsed["filter"])
    )
    pruned = prune(call.engine, wanted)
    for title, names in pruned.removed:
        if names:
            print(f"Deleted {title}")
            print("\n".join(names))
    print(f"Total reclaimed space: {human_size(pruned.reclaimed)}")
    return 0
