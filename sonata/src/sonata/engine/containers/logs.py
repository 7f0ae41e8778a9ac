"""`logs`: what containers wrote."""

from __future__ import annotations

from sonata.engine.containers import filters, present
from sonata.engine.containers.select import select
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.monitor.logs import LogOptions, LogRecord, read
from sonata.state import containers as rows
from sonata_core.errors import NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.engine import Engine
    from sonata.model.container_request import LogsRequest
    from sonata.state.rows import ContainerRow

_FILES = ("k8s-file", "json-file", "")


class Source:
    """One record, with whose it is; `number` counts the containers of the request."""

    __slots__ = ("id", "name", "number", "record")

    def __init__(self, row: ContainerRow, number: int, record: LogRecord) -> None:
        self.id = row.config.id
        self.name = row.config.name
        self.number = number
        self.record = record


def logs(engine: Engine, request: LogsRequest) -> Iterator[Source]:
    """Records of the selected containers; of several that are followed, as they come.

    Raises NotFound, Unsupported for a log driver that keeps nothing to be read.
    """
    found = [rows.get(engine.database, ident) for ident, _ in select(engine, request.select)]
    for row in found:
        _require_file(row)
    options = LogOptions(
        tail=request.tail,
        since=filters.moment(request.since) if request.since else 0,
        until=filters.moment(request.until, ahead=True) if request.until else 0,
        follow=request.follow,
    )
    if len(found) > 1 and request.follow:
        return _together(engine, found, options)
    return _in_turn(engine, found, options)


def _require_file(row: ContainerRow) -> None:
    driver = row.config.log.driver
    if driver == "none":
        raise Unsupported(
            "this container is using the 'none' log driver, cannot read logs: this container is not logging"
        )
    if driver not in _FILES:
        raise Unsupported(
            f"logs of the log driver {driver!r} cannot be read", hint="journalctl -t or --log-driver k8s-file"
        )


def _path(engine: Engine, row: ContainerRow) -> str:
    return row.config.log.path or ContainerPaths(engine, row.config.backends.storage, row.config.id).log


def _records(engine: Engine, row: ContainerRow, options: LogOptions) -> Iterator[LogRecord]:
    def running() -> bool:
        try:
            return present.corrected(engine, rows.get(engine.database, row.config.id)).state.pid > 0
        except NotFound:
            return False

    try:
        yield from read(_path(engine, row), options, running)
    except NotFound:
        # It has not been started yet, or is just going away.
        return


def _in_turn(engine: Engine, found: list[ContainerRow], options: LogOptions) -> Iterator[Source]:
    for number, row in enumerate(found):
        for record in _records(engine, row, options):
            yield Source(row, number, record)


def _together(engine: Engine, found: list[ContainerRow], options: LogOptions) -> Iterator[Source]:
    """A thread for each container follows its file; the state database is left to this one."""
    import _thread
    import queue

    arrived: queue.SimpleQueue[Source | None] = queue.SimpleQueue()
    rows_now = [present.corrected(engine, row) for row in found]

    def follow(number: int, row: ContainerRow) -> None:
        def running() -> bool:
            return process.alive(row.state.pid, row.state.pid_start)

        try:
            for record in read(_path(engine, row), options, running):
                arrived.put(Source(row, number, record))
        except NotFound:
            # Its log went away with it.
            return
        finally:
            arrived.put(None)

    for number, row in enumerate(rows_now):
        _thread.start_new_thread(follow, (number, row))
    ended = 0
    while ended < len(found):
        source = arrived.get()
        if source is None:
            ended += 1
        else:
            yield source
