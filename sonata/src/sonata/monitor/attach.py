"""Joining a container's or an exec session's standard streams through conmon's attach socket.

The socket keeps packets apart (SOCK_SEQPACKET). From conmon: one byte, 2 for standard output or 3 for
standard error, then at most 8192 bytes. To conmon: plain bytes; of a packet longer than 32768 it would
drop the rest without a word.
"""

import _socket
import errno
import os
import select
import time

from sonata.monitor import terminal
from sonata_core import interrupts
from sonata_core.errors import Conflict, ExternalFailure
from sonata_core.lite import TYPE_CHECKING, Callable, StrEnum
from sonata_core.record import Record

if TYPE_CHECKING:
    import signal
    from typing import Self
else:
    import _signal as signal

_STDIN_PACKET = 32768
_RECEIVE = 8193
_BATCH = 32
"""Packets that are gathered before one write."""
_STDOUT, _STDERR = 2, 3


class AttachEnd(StrEnum):
    """Why the copying ended."""

    EOF = "eof"
    """The container's streams are closed."""
    DETACHED = "detached"
    """The user typed the detach keys."""
    OUTPUT_CLOSED = "output-closed"
    """Nobody reads our standard output any more."""


class Streams(Record):
    """Our side: descriptors, -1 for one that takes no part.

    `terminal`: the container has a terminal, so ours is put in raw mode (if it is one) and its size
    is passed on. `detach_keys` is what `terminal.parse_detach_keys` gives; they are looked for only
    in what is typed at a terminal, so that piped data passes unchanged. `forward` is called, outside
    any signal handler, with each signal of `signals` that arrives meanwhile.
    """

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    terminal: bool = False
    detach_keys: bytes = b""
    signals: tuple[int, ...] = ()
    forward: "Callable[[int], None] | None" = None


class Attachment:
    """A connection to `FOLDER/attach`, and `FOLDER/ctl` for the window's size. A context manager.

    Connect before the container is started, or its first output is in the log only.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._socket = _connect(f"{folder}/attach")

    @property
    def descriptor(self) -> int:
        """The socket, to poll."""
        return self._socket.fileno()

    def resize(self, rows: int, columns: int) -> None:
        """Tell the container's terminal its size."""
        resize(self.folder, rows, columns)

    def end_input(self) -> None:
        """Close the container's standard input, for all clients, once what was sent has been read."""
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET):
                raise

    def copy(self, streams: Streams) -> AttachEnd:
        """Copy both ways until the container's streams end, the user detaches, or our output is closed."""
        raw = streams.terminal and streams.stdin >= 0 and os.isatty(streams.stdin)
        early = interrupts.take(streams.signals)
        with terminal.Signals(self._signals_of(streams, raw)) as signals, terminal.RawMode(streams.stdin, raw):
            if raw:
                self._send_size(streams.stdin)
            if early:
                # It came when the start could not be given up any more: it is the container's.
                self.on_signal(early, streams)
            with interrupts.Window():
                return _Copy(self, streams, signals).run()

    def _signals_of(self, streams: Streams, raw: bool) -> tuple[int, ...]:
        return (*streams.signals, signal.SIGWINCH) if raw else streams.signals

    def _send_size(self, descriptor: int) -> None:
        size = terminal.window_size(descriptor)
        if size is not None:
            self.resize(*size)

    def on_signal(self, number: int, streams: Streams) -> None:
        """Pass on a signal: the window's new size, or the signal itself."""
        if number == signal.SIGWINCH:
            self._send_size(streams.stdin)
        elif streams.forward is not None:
            streams.forward(number)

    def receive(self) -> bytes | None:
        """A packet; b"" at the end, None if there is none now."""
        try:
            return self._socket.recv(_RECEIVE, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""

    def send(self, data: memoryview) -> int:
        """Send at most a packet; 0 if conmon cannot take it now, all of it if conmon is gone."""
        try:
            return self._socket.send(data[:_STDIN_PACKET], _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        except (BrokenPipeError, ConnectionResetError):
            return len(data)

    def close(self) -> None:
        """Let go; the container goes on."""
        self._socket.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


class _Copy:
    """One run of copying: the state between two polls."""

    def __init__(self, attachment: Attachment, streams: Streams, signals: terminal.Signals) -> None:
        self.attachment = attachment
        self.streams = streams
        self.signals = signals
        self.poll = select.poll()
        self.pending = memoryview(b"")
        self.input_open = streams.stdin >= 0
        self.detached = False
        keys = streams.detach_keys if self.input_open and os.isatty(streams.stdin) else b""
        self.keys = terminal.KeyMatcher(keys)

    def run(self) -> AttachEnd:
        socket = self.attachment.descriptor
        self.poll.register(socket, select.POLLIN)
        if self.signals.descriptor >= 0:
            self.poll.register(self.signals.descriptor, select.POLLIN)
        if self.input_open:
            self.poll.register(self.streams.stdin, select.POLLIN)
        while True:
            for descriptor, event in self.poll.poll():
                end = self._handle(descriptor, event)
                if end is not None:
                    return end

    def _handle(self, descriptor: int, event: int) -> AttachEnd | None:
        """Serve one descriptor that is ready; the reason if that was the end."""
        if descriptor == self.signals.descriptor:
            for number in self.signals.arrived():
                self.attachment.on_signal(number, self.streams)
            return None
        if descriptor != self.attachment.descriptor:
            self._take_input()
            return AttachEnd.DETACHED if self.detached else None
        if event & select.POLLOUT:
            self._push()
        return self._take_output() if event & ~select.POLLOUT else None

    def _take_output(self) -> AttachEnd | None:
        """Write what has come, a batch at a time; the reason if that was the end."""
        batch: list[memoryview] = []
        kind = _STDOUT
        end: AttachEnd | None = None
        for _ in range(_BATCH):
            packet = self.attachment.receive()
            if packet is None:
                break
            if not packet:
                end = AttachEnd.EOF
                break
            if packet[0] != kind:
                if not self._write(kind, batch):
                    return AttachEnd.OUTPUT_CLOSED
                batch, kind = [], packet[0]
            batch.append(memoryview(packet)[1:])
        return end if self._write(kind, batch) else AttachEnd.OUTPUT_CLOSED

    def _write(self, kind: int, parts: list[memoryview]) -> bool:
        target = self.streams.stderr if kind == _STDERR else self.streams.stdout
        return target < 0 or not parts or write_all(target, parts)

    def _take_input(self) -> None:
        try:
            data = os.read(self.streams.stdin, _STDIN_PACKET)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal that was hung up
                raise
            data = b""
        if not data:
            self._stop_reading()
            rest = self.keys.flush()
            self.input_open = False
            self.pending = memoryview(rest)
            self._push()
            return
        passed, self.detached = self.keys.feed(data)
        self.pending = memoryview(passed)
        self._push()

    def _push(self) -> None:
        """Send what is pending; while conmon cannot take it, stop reading and ask to be told when it can."""
        had_to_wait = False
        while self.pending:
            sent = self.attachment.send(self.pending)
            if not sent:
                had_to_wait = True
                break
            self.pending = self.pending[sent:]
        socket = self.attachment.descriptor
        if had_to_wait:
            self.poll.modify(socket, select.POLLIN | select.POLLOUT)
            self._stop_reading()
            return
        self.poll.modify(socket, select.POLLIN)
        if self.input_open:
            self.poll.register(self.streams.stdin, select.POLLIN)
        else:
            self.attachment.end_input()

    def _stop_reading(self) -> None:
        try:
            self.poll.unregister(self.streams.stdin)
        except KeyError:
            return


def forward_until(pidfd: int, streams: Streams) -> None:
    """Pass on the signals of `streams` until the process of `pidfd` has ended."""
    early = interrupts.take(streams.signals)
    with terminal.Signals(streams.signals) as signals:
        if early and streams.forward is not None:
            streams.forward(early)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if signals.descriptor >= 0:
            poll.register(signals.descriptor, select.POLLIN)
        while True:
            with interrupts.Window():
                ready = [descriptor for descriptor, _ in poll.poll()]
            for number in signals.arrived() if signals.descriptor in ready else ():
                if streams.forward is not None:
                    streams.forward(number)
            if pidfd in ready:
                return


def resize(folder: str, rows: int, columns: int) -> None:
    """Set the size of the terminal of the container or session whose bundle is `folder`."""
    control(folder, f"1 {rows} {columns}\n")


def reopen_log(folder: str) -> None:
    """Make conmon open its log anew, after the file was moved away."""
    control(folder, "2 0 0\n")


def control(folder: str, line: str, patience: float = 2.0) -> None:
    """Write a line to conmon's control FIFO. A conmon that is gone is fine: so is what it was to do."""
    deadline = time.monotonic() + patience
    while True:
        try:
            descriptor = os.open(f"{folder}/ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(descriptor, line.encode())
                return
            finally:
                os.close(descriptor)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ExternalFailure(f"conmon does not read its control file {folder}/ctl") from None
            time.sleep(0.05)
        except (FileNotFoundError, BrokenPipeError):
            return
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody has it open for reading
                return
            raise ExternalFailure(f"{folder}/ctl: {error.strerror}") from error


def write_all(descriptor: int, parts: list[memoryview]) -> bool:
    """Write everything; False if nobody reads it any more. Waits for a full pipe, blocking or not."""
    while parts:
        try:
            written = os.writev(descriptor, parts)
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
            continue
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):
                return False
            raise ExternalFailure(f"writing the container's output: {error.strerror}") from error
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if written:
            parts[0] = parts[0][written:]
    return True


def _connect(path: str) -> _socket.socket:
    """The paths of bundles are longer than the 107 bytes of a socket's name: connect through a descriptor."""
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        anchor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            socket.connect(f"/proc/self/fd/{anchor}")
        finally:
            os.close(anchor)
    except OSError as error:
        socket.close()
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            raise Conflict(f"nothing listens at {path}: the container is not running") from error
        raise ExternalFailure(f"{path}: {error.strerror}") from error
    return socket
