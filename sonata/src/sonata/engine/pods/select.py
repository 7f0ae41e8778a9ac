"""Which pods a command means, and the containers in them."""

from __future__ import annotations

import os

from sonata.engine.containers import filters, present
from sonata.model.pod import PodConfig, PodMember
from sonata.plan.pod import status
from sonata.state import containers as rows
from sonata.state import pods
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.model.pod import PodSelection
    from sonata.state.rows import ContainerRow


def select(engine: Engine, wanted: PodSelection, *, ignore: bool = False) -> list[tuple[PodConfig, str]]:
    """Pods, each with how it was named; by its id where it was not. `ignore` leaves out names that are not there.

    Raises NotFound, UsageError.
    """
    present.recover(engine)
    files = [path for path in wanted.pod_id_file if not ignore or os.path.exists(path)]
    named = [*wanted.names, *(read_id_file(path) for path in files)]
    if named or wanted.pod_id_file:
        found = []
        for name in dict.fromkeys(named):
            try:
                found.append((pods.find(engine.database, name), name))
            except NotFound:
                if not ignore:
                    raise
        return found
    every = pods.listed(engine.database)
    if wanted.latest:
        if not every:
            raise NotFound("no such pod")
        every = every[-1:]
    return [(pod, pod.id) for pod in every]


def one(engine: Engine, name: str, *, latest: bool = False) -> PodConfig:
    """One pod by name, or the latest one. Raises NotFound, UsageError."""
    if not latest:
        return pods.find(engine.database, name)
    every = pods.listed(engine.database)
    if not every:
        raise NotFound("no such pod")
    return every[-1]


def read_id_file(path: str) -> str:
    """The id in a file that `--pod-id-file` has written. Raises UsageError."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.readline(256).strip()
    except OSError as error:
        raise UsageError(f"reading pod ID file: open {path}: {(error.strerror or '').lower()}") from error
    if not text:
        raise UsageError(f"{path} does not hold a pod id")
    return text


Outcome = tuple[list[str], list[SonataError]]


def attempt(
    found: list[tuple[PodConfig, str]],
    act: Callable[[PodConfig], list[SonataError]],
    shown: Callable[[PodConfig, str], str],
) -> Outcome:
    """Do something to each pod, going on after failures: what to print for those that went well, and the errors."""
    done: list[str] = []
    failed: list[SonataError] = []
    for pod, name in found:
        try:
            errors = act(pod)
        except SonataError as error:
            errors = [error]
        failed += errors
        if not errors:
            done.append(shown(pod, name))
    return done, failed


def by_id(pod: PodConfig, _name: str) -> str:
    """Pods are printed by their ids."""
    return pod.id


def by_name(pod: PodConfig, name: str) -> str:
    """Pods are printed as they were named; those that were not, by their names."""
    return pod.name if name == pod.id else name


def members(engine: Engine, pod: PodConfig) -> list[ContainerRow]:
    """The pod's containers as they are now, the infra container first, then oldest first."""
    settled = [present.settled(engine, row) for row in rows.of_pod(engine.database, pod.id)]
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
