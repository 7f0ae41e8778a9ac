"""What an ordinary user's bridges stand on, wanted and actual: shared namespace, way out, forwarders of ports."""

from __future__ import annotations

from sonata.engine.containers import forwarding, present
from sonata.engine.networks import shared
from sonata.model.reconcile import MISSING, Finding
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.codec import thaw
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import AttachRequest, AttachResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.state.locks import Held
    from sonata.state.rows import ContainerRow
    from sonata_core.models.net import NetnsRef

    Wished = Callable[[Finding], bool]

_NAMESPACE = Finding(problem=MISSING, kind="namespace", what="the network namespace that ordinary users' bridges share")
_WAY_OUT = Finding(problem=MISSING, kind="helper", what="the way out of the shared network namespace runs")
_SETTLED = (Phase.INITIALISED, Phase.RUNNING, Phase.PAUSED)


def findings(engine: Engine, live: list[ContainerRow]) -> list[Finding]:
    """What is missing of what these containers share, and of the ways from the host's ports to them."""
    users = _users(live)
    if not users:
        return []
    return [*_of_namespace(engine, users[0][1]), *(_forwarder(row) for row, _ in users if _is_cut_off(engine, row))]


def mend(engine: Engine, live: list[ContainerRow], wished: Wished) -> None:
    """Make the namespace, its way out and the ways of answers again. Raises as `shared.enter`."""
    users = _users(live)
    if not users:
        return
    outer = users[0][1]
    found = [one for one in _of_namespace(engine, outer) if wished(one)]
    if _NAMESPACE in found:
        # It is counted anew, too. A forwarder would keep the old one, and the bridges in it, from ending.
        for row, reference in users:
            forwarding.stop(engine, row.config)
            shared.enter(engine, reference, row.config.id)
    elif _WAY_OUT in found:
        shared.enter(engine, outer, users[0][0].config.id)
    lost = tuple(one.what for one in found if one.kind in ("rule", "route"))
    if lost:
        shared.mend_returns(engine, outer, lost)


def mend_forwarders(engine: Engine, live: list[ContainerRow], wished: Wished, notes: list[str]) -> None:
    """Start forwarders that do not run, or lead nowhere. One whose port somebody has taken is for the notes."""
    for row, _ in _users(live):
        if not wished(_forwarder(row)):
            continue
        lock = engine.locks.try_hold(row.config.id)
        if lock is None:
            continue
        try:
            now = _present(engine, row, lock)
            if now is not None:
                forwarding.renew(engine, now, *_connection(now))
        except SonataError as error:
            notes.append(f"container {row.config.name}: {error.message}")
        finally:
            lock.release()


def _of_namespace(engine: Engine, outer: NetnsRef) -> list[Finding]:
    state = shared.state(engine)
    if not state.present:
        return [_NAMESPACE]
    found = [] if state.uplink else [_WAY_OUT]
    for words in shared.lost_returns(engine, outer):
        found.append(Finding(problem=MISSING, kind="route" if " route " in words else "rule", what=words))
    return found


def _forwarder(row: ContainerRow) -> Finding:
    target = forwarding.target_of(*_connection(row))
    return Finding(
        problem=MISSING,
        kind="helper",
        what="the forwarder of published ports runs",
        container=row.config.id,
        name=row.config.name,
        network="" if target is None else target.network,
    )


def _is_cut_off(engine: Engine, row: ContainerRow) -> bool:
    """Whether a container's ports lead nowhere; a container that a command is at is left to it."""
    if forwarding.stands(engine, row.config, *_connection(row)):
        return False
    lock = engine.locks.try_hold(row.config.id)
    if lock is None:
        return False
    try:
        now = _present(engine, row, lock)
        return now is not None and not forwarding.stands(engine, now.config, *_connection(now))
    finally:
        lock.release()


def _present(engine: Engine, row: ContainerRow, lock: Held) -> ContainerRow | None:
    """How the container is by now; None if it does not run any more."""
    try:
        now = present.corrected(engine, rows.get(engine.database, row.config.id))
    except NotFound:
        if lock.fresh:
            engine.locks.forget(row.config.id)
        return None
    return now if now.state.phase in _SETTLED and now.state.attached else None


def _users(live: list[ContainerRow]) -> list[tuple[ContainerRow, NetnsRef]]:
    """Those whose bridges are in the shared namespace, each with its reference."""
    found = []
    for row in live:
        outer = thaw(AttachRequest, dict(row.state.request)).outer
        if outer is not None and row.state.attached and row.state.phase in _SETTLED:
            found.append((row, outer))
    return found


def _connection(row: ContainerRow) -> tuple[AttachRequest, AttachResult]:
    return thaw(AttachRequest, dict(row.state.request)), thaw(AttachResult, dict(row.state.attached))
