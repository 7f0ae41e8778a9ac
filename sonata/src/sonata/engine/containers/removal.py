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
    from sonata.store.records import ContainerRecord


def remove_many(engine: Engine, request: RemoveRequest) -> tuple[list[str], list[SonataError]]:
    """Remove containers: what to print for those that are gone, and the errors of the others.

    Nothing is removed where a name is unknown, unless the request ignores such names.
    """
    outside = _outside(engine, request)
    if outside:
        return _remove_mixed(engine, request, outside)
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
        if request.select.all and rows.get(engine.database, ident).config.infra:
            _remove_pod_of(engine, ident, request)
            return
        remove(engine, ident, force=request.force, volumes=request.volumes, timeout=request.time)

    # With --all nobody named the one that went away by itself meanwhile.
    return attempt(pairs, act, ignore=request.ignore or request.select.all)


def _remove_pod_of(engine: Engine, infra: str, request: RemoveRequest) -> None:
    """With --all an infra container goes after the others of its pod, and the pod with it. Raises what prevents it."""
    from sonata.engine.pods.remove import remove as remove_pod
    from sonata.state import pods

    pod = pods.get(engine.database, rows.get(engine.database, infra).config.pod)
    troubles = remove_pod(engine, pod, force=request.force, timeout=request.time)
    if troubles:
        raise troubles[0]


def _remove_mixed(
    engine: Engine, request: RemoveRequest, outside: dict[str, ContainerRecord]
) -> tuple[list[str], list[SonataError]]:
    """As `remove_many`, where other programs' containers are among those that are named."""
    from sonata.engine.containers import external

    names = tuple(name for name in request.select.names if name not in outside)
    ours = remove_many(engine, request.replace(select=request.select.replace(names=names))) if names else ([], [])
    pairs = [(name, name) for name in outside]
    theirs = attempt(pairs, lambda name: external.remove(engine, outside[name], force=request.force))
    return [*ours[0], *theirs[0]], [*ours[1], *theirs[1]]


def _outside(engine: Engine, request: RemoveRequest) -> dict[str, ContainerRecord]:
    """Names that are those of other programs' containers in the store."""
    found: dict[str, ContainerRecord] = {}
    for name in request.select.names:
        try:
            rows.find(engine.database, name)
        except NotFound:
            from sonata.engine.containers import external

            record = external.find(engine, name)
            if record is not None:
                found[name] = record
    return found


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
