"""`rm`: removing what was selected, going on after failures."""

from __future__ import annotations

from sonata.engine.containers.remove import remove
from sonata.engine.containers.select import attempt, select
from sonata.state import containers as rows
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container_request import RemoveRequest


def remove_many(engine: Engine, request: RemoveRequest) -> tuple[list[str], list[SonataError]]:
    """Remove containers: what to print for those that are gone, and the errors of the others.

    Nothing is removed where a name is unknown, unless the request ignores such names.
    """
    try:
        pairs = select(engine, request.select, ignore=request.ignore)
    except NotFound as error:
        name = error.details.get("name")
        if name is None:
            raise
        raise NotFound(f'no container with ID or name "{name}" found: no such container', name=name) from error
    if request.depend or request.select.all:
        pairs = _dependents_first(engine, pairs)

    def act(ident: str) -> None:
        remove(engine, ident, force=request.force, volumes=request.volumes, timeout=request.time)

    # With --all nobody named the one that went away by itself meanwhile.
    return attempt(pairs, act, ignore=request.ignore or request.select.all)


def _dependents_first(engine: Engine, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same containers, and whatever needs them, each before what it needs."""
    names = dict(pairs)
    found: dict[str, str] = {}

    def visit(ident: str) -> None:
        for other in rows.dependents(engine.database, ident):
            if other not in found:
                visit(other)
        found[ident] = names.get(ident, ident)

    for ident, _ in pairs:
        if ident not in found:
            visit(ident)
    return list(found.items())
