"""Comparing wanted connections with actual ones and mending the difference while containers run."""

from __future__ import annotations

import os

from sonata.engine.containers import abandoned, network, present
from sonata.engine.networks import leasing, lookup, shared_upkeep
from sonata.engine.system import pending
from sonata.host import netns, process
from sonata.model.reconcile import MISSING, STALE, Finding, Reconciled
from sonata.plan import reconcile as plan
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.codec import freeze, thaw
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.hookspecs.net import NetReconcile
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import AttachRequest, AttachResult, NetMember, NetnsRef, NetPicture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow
    from sonata_core.models.net import NetFact

_SETTLED = (Phase.INITIALISED, Phase.RUNNING, Phase.PAUSED)
_UNSETTLED = (Phase.INITIALISING, Phase.STOPPING)
_TRIES = 3


class _Wish:
    """What the command is about: containers by id, networks by name; neither: everything."""

    def __init__(self, engine: Engine, names: Iterable[str]) -> None:
        self.containers: dict[str, tuple[str, ...]] = {}
        self.networks: set[str] = set()
        for name in names:
            try:
                row = rows.find(engine.database, name)
            except (NotFound, UsageError):
                self.networks.add(_network_named(engine, name))
                continue
            self.containers[row.config.id] = tuple(one.network for one in row.config.network.networks)

    def has(self, finding: Finding) -> bool:
        """Whether a finding is of what was asked for."""
        everything = not self.containers and not self.networks
        shared = not finding.container and not finding.network
        return everything or shared or finding.container in self.containers or finding.network in self.networks


class _Sight:
    """What was seen of one backend's containers."""

    def __init__(self, backend: str, members: tuple[NetMember, ...], picture: NetPicture, stable: bool) -> None:
        self.backend = backend
        self.members = members
        self.picture = picture
        unsettled = [one for one in members if not one.settled]
        self._unsettled = {str(one.request.container) for one in unsettled}
        self._busy = {each.network.name for one in unsettled for each in one.request.attachments}
        self._stable = stable

    def missing(self, wish: _Wish) -> tuple[NetFact, ...]:
        """Nothing, too, where every container is just coming or going: what they share does so with them."""
        if not any(one.settled for one in self.members):
            return ()
        facts = plan.missing(self.picture, self._unsettled, self._busy)
        return plan.of_interest(facts, wish.containers, wish.networks)

    def stale(self, wish: _Wish) -> tuple[NetFact, ...]:
        """Nothing where containers came and went while it was looked: what is new to us is not old."""
        if not self._stable:
            return ()
        facts = plan.stale(self.picture, self._unsettled, self._busy)
        return plan.of_interest(facts, wish.containers, wish.networks)


def reconcile(engine: Engine, names: tuple[str, ...] = (), *, check: bool = False) -> Reconciled:
    """Find what is wrong with the network of running containers, and mend it unless `check`.

    `names` are containers and networks; none: all. Containers run on, and what is as it should be is not touched.
    Raises NotFound for a name, and what backends raise while they look.
    """
    wish = _Wish(engine, names)
    notes: list[str] = []
    if not check:
        _settle(engine)
    found = _look(engine, wish, notes)
    if check or not found:
        return Reconciled(findings=tuple(found), notes=tuple(notes))
    for _ in range(2):  # links that lead nowhere go when the kernel comes to it, maybe while it is mended
        said: list[str] = []
        _mend(engine, wish, said)
        left = {_key(one) for one in _look(engine, wish, [])}
        if not left:
            break
    notes += said
    return Reconciled(
        findings=tuple(one.replace(mended=_key(one) not in left) for one in found), notes=tuple(dict.fromkeys(notes))
    )


def _key(one: Finding) -> tuple[str, ...]:
    return one.problem, one.kind, one.what, one.container, one.network


def _network_named(engine: Engine, name: str) -> str:
    try:
        return lookup.look_up(engine, name).name
    except NotFound as error:
        raise NotFound(f"no container and no network with name or ID {name}", name=name) from error


def _settle(engine: Engine) -> None:
    """Clean up after what has ended and nobody was left to: what it had goes with it."""
    pending.recover(engine)
    for row in rows.listed(engine.database):
        abandoned.settled(engine, row)


def _living(engine: Engine) -> tuple[list[ContainerRow], list[ContainerRow]]:
    """Containers with a connection of their own: those that run, and those that have ended and were not cleaned up.

    One that is being cleaned up counts as one that is stopping: what it has is left to whoever does that.
    """
    live, ended = [], []
    for row in rows.listed(engine.database):
        if row.state.boot != engine.facts.boot_id or not row.state.request or not row.state.netns:
            continue
        if row.config.network.mode not in network.OWN or not network.backend_name(engine, row.config):
            continue
        now = present.corrected(engine, row)
        if now.state.phase in (*_SETTLED, *_UNSETTLED):
            live.append(now)
        elif present.is_left_alone(engine, row):
            ended.append(row)
        else:
            live.append(row.replace(state=row.state.replace(phase=Phase.STOPPING)))
    return live, ended


def _look(engine: Engine, wish: _Wish, notes: list[str]) -> list[Finding]:
    live, ended = _living(engine)
    names = {row.config.id: row.config.name for row in rows.listed(engine.database)}
    found = [
        Finding(
            problem=STALE, kind="container", what="ended, not cleaned up", container=one.config.id, name=one.config.name
        )
        for one in ended
    ]
    found += _namespaces(live)
    found += shared_upkeep.findings(engine, live)
    found += leasing.findings(engine, live, names)
    found = [one for one in found if wish.has(one)]
    for sight in _sights(engine, notes):
        found += plan.findings(sight.missing(wish), MISSING, names)
        found += plan.findings(sight.stale(wish), STALE, names)
        notes += sight.picture.unclear
    return found


def _namespaces(live: list[ContainerRow]) -> list[Finding]:
    """Containers that run, and whose namespace is not kept any more where everybody looks for it."""
    return [
        Finding(problem=MISSING, kind="namespace", what=row.state.netns, container=row.config.id, name=row.config.name)
        for row in live
        if row.state.pid and row.state.phase in _SETTLED and not netns.exists(row.state.netns)
    ]


def _sights(engine: Engine, notes: list[str]) -> list[_Sight]:
    """What each backend sees of its containers. Where these come and go meanwhile, it looks again."""
    for _ in range(_TRIES):
        live, _ended = _living(engine)
        sights = [
            _Sight(backend, members, picture, stable=True)
            for backend, members in _members(engine, live).items()
            if (picture := _picture(engine, backend, members, notes)) is not None
        ]
        if _same(live, _living(engine)[0]):
            return sights
    return [_Sight(one.backend, one.members, one.picture, stable=False) for one in sights]


def _same(before: list[ContainerRow], after: list[ContainerRow]) -> bool:
    return [(row.config.id, row.state) for row in before] == [(row.config.id, row.state) for row in after]


def _members(engine: Engine, live: list[ContainerRow]) -> dict[str, tuple[NetMember, ...]]:
    """The connected containers by backend; that of bridges is always asked, for what the gone have left."""
    bridges = engine.config.network.network_backend or "netavark"
    found: dict[str, tuple[NetMember, ...]] = {bridges: ()}
    for row in live:
        member = NetMember(
            netns=NetnsRef(path=row.state.netns),
            request=thaw(AttachRequest, dict(row.state.request)),
            attached=thaw(AttachResult, dict(row.state.attached)) if row.state.attached else AttachResult(),
            settled=row.state.phase in _SETTLED and bool(row.state.attached),
        )
        backend = network.backend_name(engine, row.config)
        found[backend] = (*found.get(backend, ()), member)
    return found


def _picture(engine: Engine, backend: str, members: tuple[NetMember, ...], notes: list[str]) -> NetPicture | None:
    try:
        slot = engine.net(backend)
        if not slot.offers(NetReconcile):
            notes += [_not_looked_at(backend, one) for one in members]
            return None
        networks = tuple(lookup.definitions(engine))
        return slot.require(NetReconcile).net_picture(members=members, networks=networks)
    except SonataError as error:
        if members:
            raise
        # Nobody is on its networks: a backend that cannot run here has left nothing here.
        engine.log.info("backend_not_asked", backend=backend, error=error.message)
        return None


def _not_looked_at(backend: str, member: NetMember) -> str:
    name = member.request.name
    return (
        f"container {name}: network backend {backend} cannot compare; `network reload {name}` makes its network again"
    )


def _mend(engine: Engine, wish: _Wish, notes: list[str]) -> None:
    """Mend what is found under the locks of the containers that it is of."""
    live, _ended = _living(engine)
    for row in live:
        if any(wish.has(one) for one in _namespaces([row])):
            netns.remove(engine.kernel, row.state.netns)
            netns.pin(engine.kernel, row.state.pid, row.state.netns)
    leasing.mend(engine, live, wish.has)
    shared_upkeep.mend(engine, live, wish.has)
    for sight in _sights(engine, notes):
        missing, extra = sight.missing(wish), sight.stale(wish)
        if missing or extra:
            try:
                _mend_one(engine, sight, (missing, extra), notes)
            except SonataError as error:
                notes.append(error.message)
    # Last: what leads to a container has to know where it is now.
    shared_upkeep.mend_forwarders(engine, live, wish.has, notes)


def _mend_one(
    engine: Engine, sight: _Sight, facts: tuple[tuple[NetFact, ...], tuple[NetFact, ...]], notes: list[str]
) -> None:
    missing, extra = facts
    affected = sorted({fact.container for fact in missing if fact.container})
    held = {ident: engine.locks.try_hold(ident) for ident in affected}
    try:
        busy = {ident for ident, lock in held.items() if lock is None or not _unchanged(engine, sight, ident)}
        for ident in sorted(busy):
            notes.append(f"container {ident[:12]}: another command is at work on it")
        members, opened = _with_lifetime(engine, sight.members, affected)
        try:
            results = (
                engine.net(sight.backend)
                .require(NetReconcile)
                .net_mend(
                    members=members,
                    picture=sight.picture,
                    missing=tuple(fact for fact in missing if fact.container not in busy),
                    extra=extra,
                )
            )
        finally:
            for descriptor in opened:
                os.close(descriptor)
        for member, result in zip(sight.members, results, strict=True):
            if result != member.attached and str(member.request.container) not in busy:
                _store(engine, str(member.request.container), result)
    finally:
        for lock in held.values():
            if lock is not None:
                lock.release()


def _unchanged(engine: Engine, sight: _Sight, ident: str) -> bool:
    try:
        row = present.corrected(engine, rows.get(engine.database, ident))
    except NotFound:
        return False
    where = next(one.netns.path for one in sight.members if one.request.container == ident)
    return row.state.netns == where and row.state.phase in _SETTLED


def _with_lifetime(
    engine: Engine, members: tuple[NetMember, ...], affected: list[str]
) -> tuple[tuple[NetMember, ...], list[int]]:
    """A helper that is started again ends with the container's monitor, as the one before did."""
    from sonata.monitor.lifetime import reopened

    opened, found = [], []
    for one in members:
        if str(one.request.container) in affected and one.attached.helpers:
            state = rows.get(engine.database, str(one.request.container)).state
            monitored = process.alive(state.conmon_pid, state.conmon_start)
            descriptor = reopened(state.conmon_pid, state.pid) if monitored else -1
            if descriptor >= 0:
                opened.append(descriptor)
                one = one.replace(request=one.request.replace(lifetime_fd=descriptor))  # noqa: PLW2901
        found.append(one)
    return tuple(found), opened


def _store(engine: Engine, ident: str, result: AttachResult) -> None:
    row = rows.get(engine.database, ident)
    rows.put_state(engine.database, ident, row.state.replace(attached=freeze(result)), durable=False)
