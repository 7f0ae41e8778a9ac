"""`rm`: removing what was selected, going on after failures."""

from __future__ import annotations

from sonata.engine.containers.remove import remove
from sonata.engine.containers.select import each
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
        return each(engine, request.select, lambda one: _remove(engine, request, one), ignore=request.ignore)
    except NotFound as error:
        name = error.details.get("name")
        if name is None:
            raise
        raise NotFound(f'no container with ID or name "{name}" found: no such container', name=name) from error


def _remove(engine: Engine, request: RemoveRequest, ident: str) -> None:
    if request.depend:
        for other in rows.dependents(engine.database, ident):
            _remove(engine, request, other)
    remove(engine, ident, force=request.force, volumes=request.volumes, timeout=request.time)
