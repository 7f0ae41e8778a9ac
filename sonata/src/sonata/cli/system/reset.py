"""`sonata system reset`."""

from __future__ import annotations

from sonata.cli.output import agreed
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_KINDS = ("containers", "pods", "images", "networks", "build cache", "machines", "volumes")


def warning(graph_root: str, run_root: str, others: list[tuple[str, str]]) -> str:
    """What will be removed; `others`: ids and names of other engines' containers in the store."""
    lines = [f"        - all {kind}" for kind in _KINDS]
    lines.append(f'        - the graphRoot directory: "{graph_root}"')
    lines.append(f'        - the runRoot directory: "{run_root}"')
    if others:
        lines.append("WARNING! The following external containers will be purged:")
        lines += [f"\t- {ident[:12]} ({name})" for ident, name in others]
    return "WARNING! This will remove:\n" + "\n".join(lines)


def command(parsed: Parsed, call: Call) -> int:
    """Remove everything that Sonata keeps, after asking; say what stays in its folders."""
    from sonata.cli.call import warn
    from sonata.engine.system.reset import external, reset

    engine = call.engine
    storage = engine.config.storage
    if not parsed["force"] and not agreed(warning(storage.graph_root, storage.run_root, external(engine))):
        return 0
    for path in reset(engine):
        warn(f"{path} stays: it is not Sonata's")
    return 0
