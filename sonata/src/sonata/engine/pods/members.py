"""The containers of a pod, as they are now and in the order in which they need each other."""

from __future__ import annotations

from sonata.engine.containers import abandoned, filters
from sonata.model.pod import PodConfig, PodMember
from sonata.plan.pod import status
from sonata.state import containers as rows
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def members(engine: Engine, pod: PodConfig) -> list[ContainerRow]:
    """The pod's containers as they are now, the infra container first, then oldest first."""
    settled = [abandoned.settled(engine, row) for row in rows.of_pod(engine.database, pod.id)]
    found = [row for row in settled if row is not None]
    return sorted(found, key=lambda row: not row.config.infra)


def listed(found: list[ContainerRow]) -> tuple[PodMember, ...]:
    """Containers as lists of pods show them."""
    return tuple(
        PodMember(
            id=row.config.id,
            name=row.config.name,
            state=filters.shown_state(row),
            restarts=row.state.restarts,
            init=bool(row.config.init_type),
        )
        for row in found
    )


def status_of(shown: tuple[PodMember, ...]) -> str:
    """The pod's state."""
    return status([one.state for one in shown if not one.init])


def levels(engine: Engine, found: list[ContainerRow]) -> list[list[ContainerRow]]:
    """Containers in the order in which they start: each after all that it needs, those of one level in any order."""
    here = {row.config.id: row for row in found}
    needs = {ident: [one for one in rows.needed_by(engine.database, ident) if one in here] for ident in here}
    depth: dict[str, int] = {}

    def visit(ident: str, above: tuple[str, ...]) -> int:
        if ident not in depth and ident not in above:
            depth[ident] = 1 + max((visit(one, (*above, ident)) for one in needs[ident]), default=-1)
        return depth.get(ident, 0)

    for ident in here:
        visit(ident, ())
    ordered: list[list[ContainerRow]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for ident, row in here.items():
        ordered[depth[ident]].append(row)
    return ordered
