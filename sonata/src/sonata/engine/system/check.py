"""`system check`: the store's own check, and everything else that Sonata keeps or makes on a host.

Each finding says what, on what evidence, and what a repair does. What another engine may own is
never touched: a namespace is ours by its tag, a monitor by its exit folder, a folder by its place.
"""

from __future__ import annotations

from functools import partial

from sonata.engine.artifacts.check import find as find_artifacts
from sonata.engine.storage import absent_stores, delete_container
from sonata.engine.system import leftovers
from sonata.engine.system.contents import read_layers
from sonata.engine.system.database import check_database
from sonata.engine.system.recover import recover_any
from sonata.state import containers as rows
from sonata.state import intents, pods
from sonata.store.check import Finding, obstacles
from sonata_core.errors import Damaged, SonataError, Unavailable
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig
    from sonata.store.repair import CheckResult

    Mend = Callable[[], object]

GRACE = 24 * 3600.0
"""Seconds for which a layer that nothing needs is left alone: a pull may be under way."""


class CheckRequest(Record):
    """`repair` removes what is of no use to anybody, `force` also containers that cannot run any more."""

    quick: bool = False
    repair: bool = False
    force: bool = False
    max_age: float | None = None
    """Seconds after which a layer that nothing needs is removed; None: a day."""


class Checked(Record):
    """What was found: `mended` is gone, `left` stays, `notes` say why a repair failed."""

    mended: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def check(engine: Engine, request: CheckRequest) -> Checked:
    """Look at everything that Sonata keeps, and mend it if asked to. A repair that fails stops no other."""
    repair = request.repair or request.force
    mended: list[Finding] = []
    left: list[Finding] = []
    notes: list[str] = []

    def settle(finding: Finding, mend: Mend | None) -> None:
        if not repair or mend is None:
            left.append(finding)
            return
        try:
            mend()
            mended.append(finding)
        except (SonataError, OSError) as error:
            left.append(finding)
            notes.append(f"{finding.what} {finding.subject}: {error}")

    for finding, mend in check_database(engine):
        settle(finding, mend)
    if not left:
        unread = _unreadable(engine, repair=repair)
        mended, left, notes = [*mended, *unread.mended], [*unread.left], [*unread.notes]
    if left:
        return Checked(mended=tuple(mended), left=tuple(left), notes=tuple(notes))
    _require_stores(engine)
    artifacts = find_artifacts(engine, quick=request.quick, force=request.force)
    for finding, mend in (*half_done(engine), *artifacts):
        settle(finding, mend)
    for finding, mend in leftovers.find_live(engine):
        settle(finding, mend)
    store = _check_store(engine, request, settle)
    mended += store.mended
    left += store.left
    notes += store.notes
    lost = (*_lost_containers(engine, force=request.force), *_lost_pods(engine, force=request.force))
    for finding, mend in (*lost, *leftovers.find(engine)):
        settle(finding, mend)
    return Checked(mended=tuple(mended), left=tuple(left), notes=tuple(notes))


def _require_stores(engine: Engine) -> None:
    """Raise Unavailable where layers are wanting that an additional store may have, which is not there."""
    gone = absent_stores(engine)
    if not gone:
        return
    layers = engine.store.layers()
    needed = [layer.parent for layer in layers.values()] + [image.layer for image in engine.store.images()]
    lost = [layer for layer in needed if layer is not None and layer not in layers]
    if lost:
        raise Unavailable(
            f"additional image store {gone[0]} is not there, and layer {lost[0]} in no other",
            hint="mount it, or take it out of storage.conf: what stands on its layers looks damaged without it",
        )


def _unreadable(engine: Engine, *, repair: bool) -> CheckResult:
    """Records of the store that cannot be read, and its locks: all else, what runs and what is mounted, is judged by
    them.
    """
    from sonata.store.repair import CheckResult

    kinds = ("records", "lock")
    try:
        blocked = any(obstacles(engine.store.place))
        if not blocked:
            engine.store.images(), engine.store.layers(), engine.store.containers()
            return CheckResult()
    except Damaged:
        pass
    found = engine.store.check(quick=True, repair=repair, only=kinds, own=rows.ids(engine.database))
    mended, left = ([one for one in several if one.kind in kinds] for several in (found.mended, found.left))
    return found.replace(mended=tuple(mended), left=tuple(left))


def _check_store(engine: Engine, request: CheckRequest, settle: Callable[[Finding, Mend], None]) -> CheckResult:
    """The store's own check; with force once more, when containers are gone that held what is broken."""
    grace = GRACE if request.max_age is None else request.max_age
    truths = None if request.quick else read_layers(engine)
    look = partial(engine.store.check, quick=request.quick, grace=grace, truths=truths)
    found = look(repair=request.repair or request.force, own=rows.ids(engine.database))
    found = found.replace(left=tuple(one for one in found.left if not _being_removed(engine, one)))
    broken = [one for one in found.left if one.kind == "container-kept"]
    if not broken or not request.force:
        return found
    for one in broken:
        settle(one.replace(repair="remove it"), partial(_remove_broken, engine, one.subject))
    again = look(repair=True, own=rows.ids(engine.database))
    return again.replace(mended=(*found.mended, *again.mended))


def _being_removed(engine: Engine, finding: Finding) -> bool:
    """Whether a container lacks its layer because a command is at it, which removes that ahead of the rest."""
    if finding.kind != "container":
        return False
    held = engine.locks.try_hold(finding.subject)
    if held is None:
        return True
    held.release()
    return all(one.id != finding.subject for one in engine.store.containers())


def half_done(engine: Engine) -> list[tuple[Finding, Mend]]:
    """What was begun by a command that is gone."""
    found: list[tuple[Finding, Mend]] = []
    words = {
        "create": "container that was being made",
        "init": "container that was being started",
        "remove": "container that was being removed",
        "volume": "volume that was being made or removed",
        "pod": "pod that was being made or removed",
    }
    for intent in intents.pending(engine.database):
        held = engine.locks.try_hold(intent.id)
        if held is None:
            continue
        held.release()
        finding = Finding(
            kind="half-done",
            what=words.get(intent.kind, f"operation {intent.kind}"),
            subject=intent.id.removeprefix("volume-"),
            evidence="it was written down, its end was not, and nobody holds its lock",
            repair="finish the removal" if intent.kind == "remove" else "take it back",
        )
        found.append((finding, partial(_again, engine, intent.id)))
    return found


def _again(engine: Engine, ident: str) -> None:
    recover_any(engine, ident)
    if intents.of(engine.database, ident):
        raise Damaged(f"{ident} is still half done")


def _lost_containers(engine: Engine, *, force: bool) -> list[tuple[Finding, Mend | None]]:
    """Containers of ours whose record in the store is gone, and those whose layer is broken."""
    found: list[tuple[Finding, Mend | None]] = []
    there = {str(record.id): record for record in engine.store.containers()}
    layers = engine.store.layers()
    for row in rows.listed(engine.database):
        ident = row.config.id
        if row.config.rootfs or row.state.phase in ("creating", "removing"):
            continue
        if row.config.backends.storage != engine.driver:
            continue
        record = there.get(ident)
        if record is not None and record.layer in layers:
            continue
        finding = Finding(
            kind="removed-from-storage",
            what="container that was removed from storage" if record is None else "container whose layer is gone",
            subject=ident,
            evidence=f"its name is {row.config.name}; the store has no {'record' if record is None else 'layer'} of it",
            repair="remove it" if force else "",
        )
        found.append((finding, (partial(_remove, engine, ident)) if force else None))
    return found


def _remove_broken(engine: Engine, ident: str) -> None:
    """A container whose root cannot be mounted, ours or another engine's."""
    if ident in rows.ids(engine.database):
        _remove(engine, ident)
    else:
        delete_container(engine, ident)


def _lost_pods(engine: Engine, *, force: bool) -> list[tuple[Finding, Mend | None]]:
    """Pods whose infra container is gone: nothing holds what their containers share, so none of them can start."""
    found: list[tuple[Finding, Mend | None]] = []
    there = set(rows.ids(engine.database))
    for pod in pods.listed(engine.database):
        if not pod.infra or pod.infra in there or intents.of(engine.database, pod.id):
            continue
        members = rows.of_pod(engine.database, pod.id)
        finding = Finding(
            kind="pod",
            what="pod whose infra container is gone",
            subject=pod.id,
            evidence=f"its name is {pod.name}, it has {len(members)} containers, and none is {pod.infra}",
            repair="remove it with its containers" if force else "",
        )
        found.append((finding, partial(_remove_pod, engine, pod) if force else None))
    return found


def _remove_pod(engine: Engine, pod: PodConfig) -> None:
    from sonata.engine.pods.remove import remove

    troubles = remove(engine, pod, force=True, timeout=0)
    if troubles:
        raise troubles[0]


def _remove(engine: Engine, ident: str) -> None:
    from sonata.engine.containers.freeing import remove_user

    remove_user(engine, ident, timeout=0)
