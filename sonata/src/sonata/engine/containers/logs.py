"""`logs`: what containers wrote."""

from __future__ import annotations

from sonata.engine.containers import ending, filters, present
from sonata.engine.containers.select import select
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.monitor.log_lines import LogRecord, shown_stamp
from sonata.monitor.logs import LogOptions, Reader, read
from sonata.monitor.watch import FileWatch, wait_any
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import NotFound, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.engine import Engine
    from sonata.model.container_request import LogsRequest
    from sonata.state.rows import ContainerRow


_STILL = (Phase.INITIALISING, Phase.INITIALISED)
"""Phases without a process in which there may be more to read: it is being started (again)."""


class Source:
    """One record, with whose it is; `number` counts the containers of the request."""

    __slots__ = ("details", "id", "name", "number", "record")

    def __init__(self, whose: _Whose, number: int, record: LogRecord) -> None:
        self.id = whose.row.config.id
        self.name = whose.row.config.name
        self.details = whose.details
        self.number = number
        self.record = record

    @property
    def when(self) -> str:
        """The record's time, as it is shown."""
        return shown_stamp(self.record.stamp)


class _Whose:
    """A container whose log is read, and what `--details` puts before its lines: labels and tag of `--log-opt`."""

    __slots__ = ("details", "row")

    def __init__(self, engine: Engine, row: ContainerRow, *, detailed: bool) -> None:
        self.row = row
        self.details: dict[str, str] = dict(row.config.log.labels) if detailed else {}
        if detailed and row.config.log.tag:
            from sonata.engine.containers import log_tag

            self.details["tag"] = log_tag.tag(engine, row.config.id)


def logs(engine: Engine, request: LogsRequest, *, merged: bool = False) -> Iterator[Source]:
    """Records of the selected containers; of several that are followed, as they come.

    `merged`: neighbouring records of one stream may come as one. Raises NotFound, Unsupported for a log driver that
    keeps nothing to be read.
    """
    found = [rows.get(engine.database, ident) for ident, _ in select(engine, request.select)]
    for row in found:
        _require_kept(row)
        if row.config.log.max_files > 1 and row.state.phase == Phase.RUNNING:
            from sonata.engine.containers import log_rotation

            log_rotation.revive(engine, present.corrected(engine, row))
    options = LogOptions(
        tail=request.tail,
        since=_moment("since", request.since) if request.since else 0,
        until=_moment("until", request.until, ahead=True) if request.until else 0,
        follow=request.follow,
        merged=merged,
        stamped=merged and request.timestamps,
    )
    all_of_them = [_Whose(engine, row, detailed=request.details) for row in found]
    if len(found) > 1 and request.follow:
        return _together(engine, all_of_them, options)
    return _in_turn(engine, all_of_them, options)


def _require_kept(row: ContainerRow) -> None:
    driver = row.config.log.driver
    if driver == "none" or driver.startswith("passthrough"):
        raise Unsupported(
            f"this container is using the '{driver}' log driver, cannot read logs: "
            "this container is not logging output",
            hint="its output went where its monitor's goes" if driver != "none" else "",
        )


def _path(engine: Engine, row: ContainerRow) -> str:
    return row.config.log.path or ContainerPaths(engine, row.config.backends.storage, row.config.id).log


def _lives(engine: Engine, row: ContainerRow) -> bool:
    """Whether there may be more: it runs, or somebody or its policy is about to start it again."""
    # Asked before and after: a restart holds its mark from before the stop until it runs.
    if ending.is_returning(engine, row):
        return True
    try:
        now = present.corrected(engine, rows.get(engine.database, row.config.id))
    except NotFound:
        return False
    if now.state.phase == Phase.STOPPED:
        # Its monitor writes down what is left, unless somebody killed it.
        return process.alive(now.state.conmon_pid, now.state.conmon_start)
    if now.state.pid > 0 or now.state.phase in _STILL or present.is_awaited(engine, now):
        return True
    return ending.is_returning(engine, row)


def _records(engine: Engine, row: ContainerRow, options: LogOptions) -> Iterator[LogRecord]:
    if row.config.log.driver == "journald":
        from sonata.engine.containers import journal

        yield from journal.records(engine, row, options, lambda: _lives(engine, row))
        return
    try:
        yield from read(
            _path(engine, row), options.replace(files=row.config.log.max_files), lambda: _lives(engine, row)
        )
    except NotFound:
        # It has not been started yet, or is just going away.
        return


def _in_turn(engine: Engine, found: list[_Whose], options: LogOptions) -> Iterator[Source]:
    for number, whose in enumerate(found):
        for record in _records(engine, whose.row, options):
            yield Source(whose, number, record)


class _Followed:
    """One of several logs that are followed."""

    def __init__(self, engine: Engine, whose: _Whose, number: int, options: LogOptions) -> None:
        self.engine, self.whose, self.number = engine, whose, number
        path = _path(engine, whose.row)
        self.watch = FileWatch(path)
        self.reader = Reader(path, options.replace(files=whose.row.config.log.max_files))
        self.alive = True

    def take(self) -> list[Source]:
        return [Source(self.whose, self.number, record) for record in self.reader.take()]

    def ended(self) -> bool:
        """Nothing came: whether nothing will. Said only of one that was looked at after its end."""
        if not self.alive or self.reader.over:
            return True
        self.alive = _lives(self.engine, self.whose.row)
        return False

    def close(self) -> None:
        self.reader.close()
        self.watch.close()


def _together(engine: Engine, found: list[_Whose], options: LogOptions) -> Iterator[Source]:
    for whose in found:
        if whose.row.config.log.driver == "journald":
            raise Unsupported("logs of several containers cannot be followed where one of them logs to the journal")
    followed = [_Followed(engine, whose, number, options) for number, whose in enumerate(found)]
    try:
        while followed:
            arrived = [source for one in followed for source in one.take()]
            if arrived:
                yield from arrived
                continue
            for one in [one for one in followed if one.ended()]:
                one.close()
                followed.remove(one)
            if followed and all(one.alive for one in followed):
                wait_any([one.watch for one in followed])
    finally:
        for one in followed:
            one.close()


def _moment(option: str, text: str, *, ahead: bool = False) -> int:
    try:
        return filters.moment(text, ahead=ahead)
    except UsageError as error:
        raise UsageError(f'parsing --{option} "{text}": unable to interpret time value') from error
