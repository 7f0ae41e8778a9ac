"""`plugin inspect`: what one plugin is, offers and says of this host."""

from __future__ import annotations

from sonata.engine.plugins.listing import PROBES, listed, survey
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata_core.groups import Group


def group_named(kind: str) -> Group:
    """A group by its name. Raises NotFound naming those that there are."""
    for group in PROBES:
        if group.name == kind:
            return group
    names = ", ".join(group.name for group in PROBES)
    raise NotFound(f'no kind of plugins is named "{kind}" (there are: {names})', name=kind)


def inspect(engine: Engine, name: str) -> dict[str, Any]:
    """One plugin by `NAME` or `KIND/NAME`. Raises NotFound where none has it, also where several kinds have it."""
    kind, slash, short = name.rpartition("/")
    groups = [group_named(kind)] if slash else list(PROBES)
    found = [
        (group, row) for group in groups for row in survey(engine, group) if row.name == (short if slash else name)
    ]
    if len(found) > 1:
        choices = " or ".join(f"{group.name}/{name}" for group, _ in found)
        raise NotFound(f'several kinds of plugins are named "{name}": {choices}', name=name)
    if not found:
        raise NotFound(f'no plugin "{name}" is installed', hint="`sonata plugin ls` shows all", name=name)
    group, row = found[0]
    plugin = listed(row)
    return {
        "Kind": plugin.kind,
        "Name": plugin.name,
        "Distribution": plugin.distribution,
        "Version": plugin.version,
        "Contract": plugin.contract,
        "File": plugin.file,
        "State": plugin.state,
        **_details(engine, group, plugin.name),
    }


def _details(engine: Engine, group: Group, name: str) -> dict[str, Any]:
    """What only the plugin itself can tell; empty where it cannot be used."""
    from sonata_core.codec import freeze

    try:
        slot = engine.catalog.load(group, name, lambda found: engine.context(group, found))
        facts = getattr(slot.hook, PROBES[group])() if PROBES[group] else None
        summary = slot.info().summary
    except SonataError:
        return {"Summary": "", "Capabilities": [], "Facts": {}}
    return {
        "Summary": summary,
        "Capabilities": sorted(slot.offered),
        "Facts": freeze(facts) if facts is not None else {},
    }
