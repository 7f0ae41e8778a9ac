"""`rm`: removing what was selected, going on after failures."""

from __future__ import annotations

from sonata.engine.containers.remove import remove
from sonata.engine.containers.select import select
from sonata.state import containers as rows
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container_request import RemoveRequest


def remove_many(engine: Engine, request: RemoveRequest) -> tuple[list[str], list[SonataError]]:
    """Remove containers: what to print for those that are gone, and the errors of the others."""
    done: list[str] = []
    failed: list[SonataError] = []
    for name in request.select.names:
        try:
            done += _selected(engine, request.replace(select=request.select.replace(names=(name,), cidfile=())))
        except NotFound:
            if not request.ignore:
                text = f'no container with ID or name "{name}" found: no such container'
                failed.append(NotFound(text, name=name))
        except SonataError as error:
            failed.append(error)
    if not request.select.names:
        chosen = select(engine, request.select, ignore=request.ignore)
        for ident, shown in chosen:
            try:
                _remove(engine, request, ident)
                done.append(shown)
            except NotFound:
                continue
            except SonataError as error:
                failed.append(error)
    return done, failed


def _selected(engine: Engine, request: RemoveRequest) -> list[str]:
    found = select(engine, request.select)
    for ident, _ in found:
        _remove(engine, request, ident)
    return [shown for _, shown in found]


def _remove(engine: Engine, request: RemoveRequest, ident: str) -> None:
    if request.depend:
        for other in rows.dependents(engine.database, ident):
            _remove(engine, request, other)
    remove(engine, ident, force=request.force, volumes=request.volumes, timeout=request.time)
