"""Ctrl-C, SIGTERM and SIGHUP that come at their proper time.

Python raises KeyboardInterrupt between any two steps: after a process was started and before its pid was kept,
between a rename and the note that it happened, in the middle of taking back what an earlier one interrupted. A
`Shield` holds these signals back; a `Window` within it, around a wait that may be long, lets them through. What is
between two windows is done whole or not begun.

The table of signal handlers is the process's own, so nothing has to be handed through to the rooms below: a window
finds the shield by the handler that is installed. In threads other than the first there is neither.
"""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from types import TracebackType
    from typing import Any
else:
    import _signal as signal

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE = 3
"""So many signals are let through wherever that may be: somebody really wants it to end."""


class Terminated(KeyboardInterrupt):
    """A signal that is not Ctrl-C, raised as Ctrl-C is so that all is taken back in the same way."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def exit_code(error: KeyboardInterrupt) -> int:
    """What a shell says of a program that died of the signal: 128 and its number."""
    return 128 + (error.number if isinstance(error, Terminated) else int(signal.SIGINT))


class Shield:
    """Signals wait until a `Window`, for as long as the `with` block lasts; none that came too late has an effect.

    `firm`: windows are shut meanwhile, for work that takes something back. Shields may be nested.
    """

    def __init__(self, *, firm: bool = False) -> None:
        self._firm = firm
        self._holder: _Holder | None = None
        self._outermost = False

    def __enter__(self) -> Shield:
        holder = _current()
        if holder is None and in_first_thread():
            holder = _Holder()
            self._outermost = True
        self._holder = holder
        if holder is not None:
            holder.firm += self._firm
            if self._outermost:
                holder.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holder is not None:
            self._holder.firm -= self._firm
            if self._outermost:
                self._holder.remove()


class Window:
    """Signals have their effect while the block lasts, and one that came before has it now. No shield, no effect."""

    def __enter__(self) -> None:
        self._holder = _current() if in_first_thread() else None
        if self._holder is not None:
            self._holder.open += 1
            self._holder.act()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holder is not None:
            self._holder.open = max(0, self._holder.open - 1)


class Unwinding:
    """SIGTERM and SIGHUP unwind what is done, as Ctrl-C does, while the block lasts, so that no file is left lying.

    Where a shield is, and where a signal is ignored or has a handler, it stays as it is.
    """

    def __enter__(self) -> None:
        self._set: list[int] = []
        if not in_first_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _unwind)
                self._set.append(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._set:
            signal.signal(number, signal.SIG_DFL)


def _unwind(number: int, _frame: object) -> None:
    raise Terminated(number)


def point() -> None:
    """A place where work may be given up: a signal that came since the last one has its effect here."""
    with Window():
        pass


def take(numbers: tuple[int, ...]) -> int:
    """A signal of these that came and had no effect yet, 0 if there is none; it will have none from now on."""
    holder = _current()
    if holder is None or holder.pending not in numbers:
        return 0
    number, holder.pending = holder.pending, 0
    return number


def shielded() -> bool:
    """Whether signals are being held back. What is started meanwhile is not the terminal's to interrupt."""
    return _current() is not None


def in_first_thread() -> bool:
    """Signal handlers can be set in the first thread only, and run there."""
    import _thread

    return _thread.get_native_id() == os.getpid()


class _Holder:
    """What has come, and whether it may have its effect."""

    def __init__(self) -> None:
        self.open = 0
        self.firm = 0
        self._came = 0
        self.pending = 0
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        for number in _NUMBERS:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):
                self._before[number] = before
                signal.signal(number, self.arrived)

    def remove(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def arrived(self, number: int, _frame: object) -> None:
        self._came += 1
        self.pending = number
        if self._came >= _PATIENCE:
            self._raise()
        self.act()

    def act(self) -> None:
        if self.pending and self.open and not self.firm:
            self._raise()

    def _raise(self) -> None:
        number, self.pending = self.pending, 0
        self.open = 0
        before = self._before.get(number)
        if callable(before):
            before(number, None)
        else:
            raise Terminated(number)


def _current() -> _Holder | None:
    for number in _NUMBERS:
        holder = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(holder, _Holder):
            return holder
    return None
