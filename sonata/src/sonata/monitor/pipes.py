"""The pipes between us and conmon: a pair of sockets whose packets are lines of JSON or single bytes."""

from __future__ import annotations

import _socket
import os
import select
import time

from sonata_core import interrupts
from sonata_core import json_text as json
from sonata_core.errors import TimedOut
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_PACKET = 1 << 18
_LOG_LIMIT = 1 << 20


class Answer:
    """A line of conmon's: a number, and what the runtime said when that is an error."""

    def __init__(self, data: int, message: str) -> None:
        self.data = data
        self.message = message


class Channel:
    """A pair of connected sockets: ours, and the one that conmon inherits."""

    def __init__(self) -> None:
        kind = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
        self._ours, self._theirs = _socket.socketpair(_socket.AF_UNIX, kind)
        self._rest = b""

    @property
    def theirs(self) -> int:
        """The descriptor for conmon."""
        return self._theirs.fileno()

    @property
    def ours(self) -> int:
        """Our own descriptor, to poll."""
        return self._ours.fileno()

    def close_theirs(self) -> None:
        """Once conmon has it, so that its end is our end-of-file."""
        self._theirs.close()

    def go(self) -> None:
        """Let conmon go on. One that has died is noticed where its answer is read."""
        try:
            self._ours.send(b"\0")
        except (BrokenPipeError, ConnectionResetError):
            return

    def read_answer(self, timeout: float | None, what: str) -> Answer | None:
        """The next line, or None if conmon closed the pipe or said nothing sensible.

        Raises TimedOut with the message `what` after `timeout` seconds.
        """
        line = self._read_line(timeout, what)
        try:
            content = json.loads(line)
            return Answer(int(content["data"]), str(content.get("message", "")))
        except (ValueError, KeyError, TypeError):
            return None

    def _read_line(self, timeout: float | None, what: str) -> bytes:
        deadline = None if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._ours.fileno(), select.POLLIN)
        while b"\n" not in self._rest:
            left = None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000))
            with interrupts.Window():
                ready = poll.poll(left)
            if not ready:
                raise TimedOut(what)
            try:
                packet = self._ours.recv(_PACKET)
            except ConnectionResetError:
                packet = b""
            if not packet:
                break
            self._rest += packet
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def close(self) -> None:
        """Close both ends; twice is fine."""
        self._ours.close()
        self._theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def remove_if_there(path: str) -> None:
    """Unlink; an absent file and an empty path are fine."""
    if path:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return


def read_log_lines(path: str) -> tuple[str, ...]:
    """The lines of the runtime's log, the last megabyte of them; none if it wrote no log."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_LIMIT))
            return tuple(file.read(_LOG_LIMIT).decode(errors="replace").splitlines())
    except FileNotFoundError:
        return ()
