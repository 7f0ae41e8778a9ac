"""A hash that a thread of its own takes, while the caller reads on and writes what was read."""

from __future__ import annotations

import _thread
from _queue import SimpleQueue

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_BUFFERS = 4


class HashRing:
    """A few buffers of `size` bytes that go round: filled and written by the caller, hashed by the thread.

    What is hashed is the memory that the caller writes from, so that a source which changes meanwhile cannot have
    bytes stored that were not hashed. `state` is of `hashlib`, which lets go of the interpreter's lock.
    """

    def __init__(self, state: Any, size: int) -> None:
        self._state = state
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, memoryview] | None] = SimpleQueue()
        self._ended = _thread.allocate_lock()
        for _ in range(_BUFFERS):
            self._free.put(memoryview(bytearray(size)))

    def __enter__(self) -> Self:
        self._ended.acquire()
        try:
            _thread.start_new_thread(self._run, ())
        except BaseException:
            self._ended.release()
            raise
        return self

    def buffer(self) -> memoryview:
        """One that was hashed; the caller has it to itself until the next call of `update`, and reads it until here."""
        return self._free.get()

    def update(self, buffer: memoryview, content: memoryview) -> None:
        """Have `content` hashed, which lies in `buffer` or stays what it is; it may be read meanwhile, not changed."""
        self._full.put((buffer, content))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Everything is hashed when this returns."""
        self._full.put(None)
        with self._ended:
            pass

    def _run(self) -> None:
        try:
            while (pair := self._full.get()) is not None:
                self._state.update(pair[1])
                self._free.put(pair[0])
        finally:
            self._ended.release()
