"""Which pods a command means, and the containers in them."""

from __future__ import annotations

import os

from sonata.engine.system import pending
from sonata.model.pod import PodConfig
from sonata.state import pods
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.model.pod import PodSelection


def select(engine: Engine, wanted: PodSelection, *, ignore: bool = False) -> list[tuple[PodConfig, str]]:
    """Pods, each with how it was named; by its id where it was not. `ignore` leaves out names that are not there.

    Raises NotFound, UsageError.
    """
    pending.recover(engine)
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
