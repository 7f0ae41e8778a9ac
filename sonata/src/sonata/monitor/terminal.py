"""Our own end of an attached session: raw mode, the window's size, detach keys, signals."""

from __future__ import annotations

import errno
import fcntl
import os

from sonata_core import interrupts
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from typing import Any, Self
else:
    import _signal as signal

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


def parse_detach_keys(text: str) -> bytes:
    """Bytes of a detach sequence: characters and `ctrl-X`, separated by commas; "" for none.

    Raises UsageError. X is a letter or one of ``@ ^ [ \\ ] _``.
    """
    keys = b""
    for key in text.split(",") if text else ():
        control = key[5:]
        if key.startswith("ctrl-") and len(control) == 1 and (control.islower() or control in "@^[\\]_"):
            keys += bytes((ord(control.upper()) & 0x1F,))
        elif len(key) == 1 and key.isascii():
            keys += key.encode()
        else:
            raise UsageError(
                f"invalid detach keys: Unknown character: '{key}'",
                hint="a key is one character, or ctrl- and a letter or one of @ ^ [ \\ ] _",
            )
    return keys


class KeyMatcher:
    """Finds the detach sequence in what is typed, however it is cut; keeps back what may be its beginning."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What is to be passed on, and whether the sequence is complete (what follows it is dropped)."""
        if not self._keys:
            return data, False
        data = self._held + data
        place = data.find(self._keys)
        if place >= 0:
            self._held = b""
            return data[:place], True
        held = next(
            (size for size in range(min(len(self._keys) - 1, len(data)), 0, -1) if data.endswith(self._keys[:size])), 0
        )
        self._held = data[len(data) - held :]
        return data[: len(data) - held], False

    def flush(self) -> bytes:
        """What was kept back, at the end of input."""
        held, self._held = self._held, b""
        return held


def window_size(descriptor: int) -> tuple[int, int] | None:
    """Rows and columns of a terminal, None if it is none."""
    import termios

    try:
        answer = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b"\0" * 8)
    except OSError:
        return None
    return int.from_bytes(answer[0:2], "little"), int.from_bytes(answer[2:4], "little")


class RawMode:
    """A terminal in raw mode, put back at the end. Does nothing unless `wanted`."""

    def __init__(self, descriptor: int, wanted: bool) -> None:
        self._descriptor = descriptor
        self._wanted = wanted
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        if not self._wanted:
            return self
        import termios as t

        self._before = t.tcgetattr(self._descriptor)
        mode = t.tcgetattr(self._descriptor)
        # cfmakeraw(3)
        mode[0] &= ~(t.IGNBRK | t.BRKINT | t.PARMRK | t.ISTRIP | t.INLCR | t.IGNCR | t.ICRNL | t.IXON)
        mode[1] &= ~t.OPOST
        mode[2] = mode[2] & ~(t.CSIZE | t.PARENB) | t.CS8
        mode[3] &= ~(t.ECHO | t.ECHONL | t.ICANON | t.ISIG | t.IEXTEN)
        mode[6][t.VMIN], mode[6][t.VTIME] = 1, 0
        t.tcsetattr(self._descriptor, t.TCSADRAIN, mode)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._before is None:
            return
        import termios

        try:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        except termios.error as error:
            if error.args[0] != errno.EIO:  # the terminal was hung up
                raise


class Signals:
    """Signals of this process as bytes on a descriptor, while it is entered. In threads other than the first: none."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self._numbers = numbers
        self._before: dict[int, Any] = {}
        self._wake_before = -1
        self.descriptor = -1
        self._write_end = -1

    def __enter__(self) -> Self:
        if not self._numbers or not interrupts.in_first_thread():
            return self
        self.descriptor, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wake_before = signal.set_wakeup_fd(self._write_end)
        for number in self._numbers:
            self._before[number] = signal.signal(number, _noted)
        return self

    def arrived(self) -> tuple[int, ...]:
        """The signals that came since the last call, in order."""
        try:
            received = os.read(self.descriptor, 4096)
        except BlockingIOError:
            return ()
        return tuple(number for number in received if number in self._before)

    def __exit__(self, *_exc: object) -> None:
        if self.descriptor < 0:
            return
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(self._wake_before)
        os.close(self.descriptor)
        os.close(self._write_end)
        self.descriptor = -1


def _noted(_number: int, _frame: object) -> None:
    """The wake-up descriptor has the number already."""
