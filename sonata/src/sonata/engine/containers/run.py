"""`run`, and attaching to what runs: create, start, copy the streams, wait, clean up."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.background import Background
from sonata.engine.containers import ending, lookup, present, starting
from sonata.engine.containers.create import create
from sonata.engine.containers.stop import settle
from sonata.engine.containers.stopping import send
from sonata.engine.containers.streams import Sides, preserved_of, streams_for
from sonata.engine.paths import ContainerPaths
from sonata.host import cgroups, process
from sonata.monitor.attach import AttachEnd, Attachment, Streams, forward_until
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core import interrupts, trace
from sonata_core.errors import Conflict, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.request import RunRequest
    from sonata.state.rows import ContainerRow
else:
    pass


_BEFORE_RUNNING = (Phase.CREATING, Phase.CONFIGURED, Phase.INITIALISING, Phase.INITIALISED)


class Ended(Record):
    """How a foreground command ended: the container's exit code, or detached from it."""

    container: str
    code: int = 0
    detached: bool = False


def run_detached(engine: Engine, request: RunRequest) -> str:
    """Create and start; the id."""
    engine.conmon()
    preserved = preserved_of(request)
    Background(cgroups.wake)
    with interrupts.Shield():
        row = create(engine, request)
        try:
            starting.start_needed(engine, row)
            row = starting.start_one(engine, row, preserved=preserved)
        except BaseException as error:
            _give_up(engine, row, error)
            raise
    return row.config.id


def run_attached(engine: Engine, request: RunRequest, sides: Sides, *, needed: bool = True) -> Ended:
    """Create, attach, start, and wait for the end; with --rm nothing is left when this returns.

    Containers that it needs are started first, unless `needed` is off: the caller has seen that they live.
    """
    engine.conmon()
    preserved = preserved_of(request)
    Background(cgroups.wake)
    with interrupts.Shield():
        row = create(engine, request)
        try:
            if needed:
                starting.start_needed(engine, row)
            return _follow(engine, row, sides, preserved)
        except BaseException as error:
            _give_up(engine, row, error)
            raise


def start_attached(engine: Engine, container: str, sides: Sides) -> Ended:
    """Start a container and follow it. Raises Conflict if it runs already."""
    row = lookup.load(engine, container)
    if row.state.phase == Phase.RUNNING:
        return attach(engine, container, sides)
    with interrupts.Shield():
        starting.start_needed(engine, row)
        return _follow(engine, row, sides, ())


def attach(engine: Engine, container: str, sides: Sides) -> Ended:
    """Follow a running container. Raises Conflict if it does not run."""
    from sonata.plan import lifecycle
    from sonata.plan.lifecycle import Verb

    row = lookup.load(engine, container)
    lifecycle.require(Phase(row.state.phase), Verb.ATTACH, row.config.id)
    if row.config.log.driver.startswith("passthrough"):
        raise Conflict(
            "this container is using the 'passthrough' log driver, cannot attach: this container is not logging output"
        )
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    with interrupts.Shield():
        streams = _streams(engine, row.config, sides)
        with Attachment(paths.bundle) as attachment:
            events.container(engine, row.config, "attach")
            end = attachment.copy(streams)
        return _wait(engine, row, end, streams)


def _follow(engine: Engine, row: ContainerRow, sides: Sides, preserved: tuple[int, ...]) -> Ended:
    with ending.Attended(engine, row):
        return _follow_to_end(engine, row, sides, preserved)


def _follow_to_end(engine: Engine, row: ContainerRow, sides: Sides, preserved: tuple[int, ...]) -> Ended:
    streams = _streams(engine, row.config, sides)
    if row.config.log.driver.startswith("passthrough"):
        return _wait(engine, starting.start_one(engine, row, preserved=preserved), AttachEnd.EOF, streams)
    with engine.locks.hold(row.config.id) as held:
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        if row.state.phase == Phase.RUNNING:
            held.release()
            return attach(engine, row.config.id, sides)
        row = starting.ready(engine, row, preserved)
        paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
        with Attachment(paths.bundle) as attachment:
            with trace.span("start"):
                row = starting.release(engine, row)
            held.release()
            events.container(engine, row.config, "attach")
            if row.config.process.sdnotify == "healthy":
                started = row
                Background(lambda: starting.await_health(engine, started))
            with trace.span("attached"):
                end = attachment.copy(streams)
    return _wait(engine, row, end, streams)


def _streams(engine: Engine, config: ContainerConfig, sides: Sides) -> Streams:
    streams = streams_for(engine, sides, terminal=config.process.terminal)
    return streams.replace(forward=lambda number: send(engine, config, number))


def _wait(engine: Engine, row: ContainerRow, end: AttachEnd, streams: Streams) -> Ended:
    """After the streams' end: the exit code, and the clean-up that conmon's exit command would do."""
    if end is AttachEnd.DETACHED:
        return Ended(container=row.config.id, detached=True)
    with trace.span("wait for exit"):
        _wait_dead(row, streams)
        ending.wait_exit_file(engine, row)
    code = _code_now(engine, row)
    if process.alive(row.state.pid, row.state.pid_start):
        return Ended(container=row.config.id, code=code)
    with trace.span("clean up"), interrupts.Shield(firm=True):
        settled = settle_ended(engine, row)
    return Ended(container=row.config.id, code=code if settled is None else settled)


def _wait_dead(row: ContainerRow, streams: Streams) -> None:
    """Wait for the first process's end; one that has closed its output still gets the signals."""
    descriptor = process.open_process(*present.process_of(row))
    if descriptor is None:
        return
    try:
        forward_until(descriptor, streams)
    finally:
        os.close(descriptor)


def _code_now(engine: Engine, row: ContainerRow) -> int:
    found = present.read_exit(engine, row)
    if found is not None:
        return found[0]
    try:
        return ending.exit_code(engine, row.config.id)
    except NotFound:
        return present.LOST


def settle_ended(engine: Engine, row: ContainerRow) -> int | None:
    """Clean up as conmon's exit command would; the recorded code, None if the container is gone or restarts."""
    if row.config.restart.name != "no":
        # Whether it starts again is for the exit command to decide, exactly once.
        return None
    settled = settle(engine, row.config.id)
    return None if settled is None or not settled.state.exited else settled.state.exit_code


def _give_up(engine: Engine, row: ContainerRow, error: BaseException) -> None:
    """A container of `run --rm` that could not be started does not stay; the error says that it came that late."""
    if isinstance(error, SonataError):
        error.details["stage"] = "start"
        error.details.setdefault("object", row.config.name)
    if not row.config.auto_remove or (isinstance(error, KeyboardInterrupt) and _running(engine, row)):
        return
    from sonata.engine.containers.remove import remove

    try:
        with interrupts.Shield(firm=True):
            remove(engine, row.config.id, force=True, timeout=0)
    except SonataError as trouble:
        engine.log.debug("giving_up_failed", container=row.config.id, error=trouble.message)


def _running(engine: Engine, row: ContainerRow) -> bool:
    """Whoever is interrupted while following a container leaves it alone: its monitor will clean up after it."""
    try:
        return rows.get(engine.database, row.config.id).state.phase not in _BEFORE_RUNNING
    except NotFound:
        return False
