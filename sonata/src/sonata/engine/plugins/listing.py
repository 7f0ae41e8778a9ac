"""Which plugins are installed, and whether each can be used on this host."""

from __future__ import annotations

from sonata_core.groups import HOOKS, NET, RUNTIME, STORAGE, TRANSPORT
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata_core.catalog import Listed
    from sonata_core.groups import Group

PROBES: dict[Group, str] = {
    RUNTIME: "runtime_facts",
    NET: "net_facts",
    STORAGE: "storage_facts",
    TRANSPORT: "transport_facts",
    HOOKS: "",
}
"""The hook of each group that says whether a plugin can run here."""


class ListedPlugin(Record):
    """A plugin as `plugin ls` shows it. `state` is `ok`, `unavailable: reason` or `broken: reason`."""

    kind: str
    name: str
    distribution: str
    version: str
    contract: str
    file: str
    state: str


def survey(engine: Engine, group: Group) -> tuple[Listed, ...]:
    """The plugins of one group, each tried."""
    return engine.catalog.survey(group, lambda name: engine.context(group, name), PROBES[group])


def listing(engine: Engine) -> list[ListedPlugin]:
    """Every installed plugin, by kind and name. Raises PluginFault where two distributions claim one name."""
    return [listed(row) for group in PROBES for row in survey(engine, group)]


def listed(row: Listed) -> ListedPlugin:
    """One row."""
    return ListedPlugin(
        kind=row.group,
        name=row.name,
        distribution=row.distribution,
        version=row.version,
        contract=row.contract,
        file=row.file,
        state=f"{row.status}: {row.reason}" if row.reason else row.status,
    )
