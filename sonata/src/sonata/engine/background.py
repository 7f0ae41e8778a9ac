"""One piece of work beside the main line: network set-up while the root filesystem is mounted."""

from __future__ import annotations

import _thread

from sonata_core import interrupts
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Generic, TypeVar

    T = TypeVar("T")
else:

    class Generic:
        def __class_getitem__(cls, _item):
            return cls

    T = None


class Background(Generic[T]):
    """A call in a thread of its own. It must not touch the state database."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._ended = False
        self._done = _thread.allocate_lock()
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._done.acquire()
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            self._answer.append(self._work())
        except BaseException as error:
            # Raised again where the answer is asked for.
            self._error = error
        finally:
            self._ended = True
            self._done.release()

    def wait(self) -> None:
        """Until it has ended, however."""
        if self._ended:
            # Whoever was interrupted just when it had waited holds the lock for ever.
            return
        with interrupts.Window():
            self._done.acquire()
        self._done.release()

    def result(self) -> T:
        """The call's answer, or its error raised here."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._answer[0]
