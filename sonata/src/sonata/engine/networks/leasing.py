"""Leases of addresses and host ports against who is connected: part of `network reconcile`."""

from __future__ import annotations

from sonata.model.reconcile import MISSING, STALE, Finding
from sonata.plan import reconcile as plan
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import leases
from sonata_core.codec import thaw
from sonata_core.errors import Conflict, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import AttachRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def findings(engine: Engine, live: list[ContainerRow], names: Mapping[str, str]) -> list[Finding]:
    """Leases that are missing, and leases and host ports of containers that are not connected.

    What a container has that is being stopped or cleaned up is neither.
    """
    boot = engine.facts.boot_id
    passing = {row.config.id for row in live if row.state.phase in (Phase.INITIALISING, Phase.STOPPING)}
    wanted = []
    for row in live:
        request = thaw(AttachRequest, dict(row.state.request))
        for each in request.attachments:
            pairs = zip(each.network.subnets, each.addresses, strict=False)
            wanted += [(row.config.id, each.network.name, address) for _subnet, address in pairs]
    found = plan.leases(leases.all_held(engine.database, boot), wanted, names)
    known = {row.config.id for row in live}
    for container, protocol, address, port in leases.all_ports(engine.database, boot):
        if container not in known:
            what = f"{address or '0.0.0.0'}:{port}/{protocol}"  # noqa: S104 - what was taken, not what is bound
            found.append(
                Finding(problem=STALE, kind="port", what=what, container=container, name=names.get(container, ""))
            )
    found = [one for one in found if one.container not in passing]
    return [one for one in found if one.problem == MISSING or _is_nobodys(engine, one.container)]


def mend(engine: Engine, live: list[ContainerRow], wished: Callable[[Finding], bool]) -> None:
    """Give back what the gone hold, and hold what the living have. What somebody else took meanwhile stays."""
    for one in findings(engine, live, {}):
        if not wished(one):
            continue
        if one.problem == STALE:
            _give_back(engine, one.container)
            continue
        try:
            with engine.database.transaction(durable=False):
                lease = leases.Lease(network=one.network, address=one.what, container=one.container)
                leases.hold(engine.database, lease, engine.facts.boot_id, "")
        except Conflict as error:
            engine.log.warning("lease_is_anothers", container=one.container, error=error.message)


def _give_back(engine: Engine, container: str) -> None:
    held = engine.locks.try_hold(container)
    if held is None:
        return  # a command has it, and knows what it holds
    with held:
        if _is_at_rest(engine, container):
            leases.release_all(engine.database, container)
        if held.fresh:
            engine.locks.forget(container)


def _is_nobodys(engine: Engine, container: str) -> bool:
    """Whether no command has the container and it does not run: it may have started since containers were listed."""
    held = engine.locks.try_hold(container)
    if held is None:
        return False
    with held:
        resting = _is_at_rest(engine, container)
        if held.fresh:
            engine.locks.forget(container)
    return resting


def _is_at_rest(engine: Engine, container: str) -> bool:
    try:
        row = rows.get(engine.database, container)
    except NotFound:
        return True
    return row.state.phase in (Phase.CONFIGURED, Phase.EXITED)
