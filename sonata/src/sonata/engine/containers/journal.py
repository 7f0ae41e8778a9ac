"""Logs in the systemd journal: conmon writes them there, journalctl reads them."""

from __future__ import annotations

import os
import select

from sonata_core.errors import CommandFailed, HostLacks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine
    from sonata.monitor.log_lines import LogRecord
    from sonata.monitor.logs import LogOptions
    from sonata.state.rows import ContainerRow

SOCKET = "/run/systemd/journal/socket"
_CHUNK = 262144
_FIELDS = "MESSAGE,PRIORITY,CONTAINER_PARTIAL_MESSAGE"
_WANTED = (b"MESSAGE", b"PRIORITY", b"CONTAINER_PARTIAL_MESSAGE", b"__REALTIME_TIMESTAMP")
_QUIET = 300
"""Milliseconds without an entry after which a container that is followed is looked at."""
_ERROR = b"3"
"""conmon's priority for standard error."""


def require() -> None:
    """Raises HostLacks where nobody takes what is written to the journal: conmon would say nothing and lose it."""
    if not os.path.exists(SOCKET):
        raise HostLacks(
            f"log driver journald: there is no journal on this host ({SOCKET})",
            hint="choose another one: --log-driver k8s-file, or log_driver in containers.conf",
        )


def records(engine: Engine, row: ContainerRow, options: LogOptions, running: Callable[[], bool]) -> Iterator[LogRecord]:
    """What a container wrote, oldest first; with `follow` until it has ended. Raises HostLacks, CommandFailed."""
    from sonata.monitor.log_lines import shown_stamp

    program = engine.find_program("journalctl")
    if program is None:
        raise HostLacks("reading the journal needs journalctl", hint="apt-get install systemd")
    argv = [program, "-q", "-o", "export", f"--output-fields={_FIELDS}", f"CONTAINER_ID_FULL={row.config.id}"]
    argv += ["-n", str(options.tail) if options.tail >= 0 else "all"] if options.follow or options.tail >= 0 else []
    if options.since:
        argv.append(f"--since=@{options.since // 1_000_000_000}")
    if options.follow:
        argv.append("-f")
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawn(argv, {"PATH": engine.facts.path, "LC_ALL": "C.UTF-8"}, SpawnOptions(fds={1: writing}))
    except OSError as error:
        os.close(reading)
        raise CommandFailed(f"{program} cannot be started: {error.strerror}", argv=argv, code=None) from error
    finally:
        os.close(writing)
    begun: dict[str, bool] = {}
    try:
        for record, stamp in _entries(reading, running if options.follow else None):
            if options.since and stamp < options.since:
                continue
            if options.until and stamp > options.until:
                break
            if options.stamped and begun.get(record.stream, True):
                record.text = f"{shown_stamp(record.stamp)} ".encode() + record.text
            begun[record.stream] = not record.partial
            yield record
    finally:
        _end(reading, pid)


def _end(reading: int, pid: int) -> None:
    os.close(reading)
    os.kill(pid, 15)
    os.waitpid(pid, 0)


def _entries(reading: int, running: Callable[[], bool] | None) -> Iterator[tuple[LogRecord, int]]:
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    pending = b""
    alive = True
    while True:
        if running is not None and not poll.poll(_QUIET):
            if not alive:
                return
            alive = running()
            continue
        data = os.read(reading, _CHUNK)
        if not data:
            return
        pending += data
        while True:
            entry, used = _entry(pending)
            if not used:
                break
            pending = pending[used:]
            if b"MESSAGE" in entry:
                yield _record(entry)


def _entry(data: bytes) -> tuple[dict[bytes, bytes], int]:
    """The first whole entry in the journal's export format, and how many bytes it took; 0 where there is none yet.

    A field is `NAME=value`, or its name alone, eight bytes of length (least first) and the value; an empty line ends
    an entry. https://systemd.io/JOURNAL_EXPORT_FORMATS/
    """
    fields: dict[bytes, bytes] = {}
    at = 0
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            return {}, 0
        line, at = data[at:end], end + 1
        if not line:
            return fields, at
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(data[at : at + 8], "little")
            if len(data) < at + 8 + size + 1:
                return {}, 0
            value, at = data[at + 8 : at + 8 + size], at + 8 + size + 1
        if name in _WANTED:
            fields[name] = value


def _record(entry: dict[bytes, bytes]) -> tuple[LogRecord, int]:
    from datetime import UTC, datetime

    from sonata.monitor.log_lines import LogRecord

    micros = int(entry.get(b"__REALTIME_TIMESTAMP", b"0"))
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC).astimezone()
    offset = moment.strftime("%z")
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{micros % 1_000_000:06d}000{offset[:3]}:{offset[3:]}"
    stream = "stderr" if entry.get(b"PRIORITY") == _ERROR else "stdout"
    text, partial = entry[b"MESSAGE"], b"CONTAINER_PARTIAL_MESSAGE" in entry
    return LogRecord(stamp, stream, partial, text if partial or text.endswith(b"\n") else text + b"\n"), micros * 1000
