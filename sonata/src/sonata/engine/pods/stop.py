"""`pod stop`: all containers of a level get their stop signal at once, dependents first, the infra container last."""

from __future__ import annotations

import time

from sonata.engine import events
from sonata.engine.containers import ending
from sonata.engine.containers.stop import settle
from sonata.engine.containers.stopping import begin, kill_now, require_dead, send, warn_of_kill
from sonata.engine.pods.members import levels, members
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig
    from sonata.state.rows import ContainerRow


def stop(engine: Engine, pod: PodConfig, timeout: int | None = None) -> list[SonataError]:
    """Stop the pod's containers; what went wrong with each that did not stop. Stopped already is success.

    `timeout` in seconds; as each container says if it is None or, as Podman has it for pods, negative.
    """
    if timeout is not None and timeout < 0:
        timeout = None
    troubles = stop_all(engine, members(engine, pod), timeout)
    if not troubles:
        events.pod(engine, pod.id, pod.name, "stop")
    return troubles


def stop_all(engine: Engine, found: list[ContainerRow], timeout: int | None) -> list[SonataError]:
    """Stop containers, those that need others before those."""
    troubles: list[SonataError] = []
    for level in reversed(levels(engine, found)):
        troubles += _stop_level(engine, [row.config.id for row in level], timeout)
    return troubles


class _Stopping:
    """A container that has been told to stop."""

    def __init__(self, engine: Engine, row: ContainerRow, timeout: int | None) -> None:
        self.row = row
        self.attended = ending.Attended(engine, row)
        self.attended.__enter__()
        self.seconds = row.config.process.stop_timeout if timeout is None else timeout
        self.deadline = time.monotonic() + self.seconds


def _stop_level(engine: Engine, idents: list[str], timeout: int | None) -> list[SonataError]:
    begun: list[_Stopping] = []
    troubles: list[SonataError] = []
    try:
        for ident in idents:
            try:
                row = begin(engine, ident)
                if row is not None:
                    begun.append(_Stopping(engine, row, timeout))
                    _signal(engine, begun[-1])
            except NotFound:
                continue
            except SonataError as error:
                troubles.append(_told(ident, error))
        for one in begun:
            try:
                _end(engine, one)
            except SonataError as error:
                troubles.append(_told(one.row.config.id, error))
    finally:
        for one in begun:
            one.attended.__exit__(None, None, None)
    return troubles


def _told(ident: str, error: SonataError) -> SonataError:
    error.message = f"stopping container {ident}: {error.message}"
    return error


def _signal(engine: Engine, one: _Stopping) -> None:
    if one.seconds == 0:
        kill_now(engine, one.row)
    else:
        send(engine, one.row.config, one.row.config.process.stop_signal)


def _end(engine: Engine, one: _Stopping) -> None:
    left = None if one.seconds < 0 else max(one.deadline - time.monotonic(), 0.0)
    if one.seconds == 0 or not ending.wait_dead(one.row, left):
        if one.seconds:
            warn_of_kill(engine, one.row.config, one.seconds)
            kill_now(engine, one.row)
        require_dead(engine, one.row)
    ending.wait_exit_file(engine, one.row)
    settle(engine, one.row.config.id)
