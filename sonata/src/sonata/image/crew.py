"""A few threads that do one kind of work on many things, side by side.

What `concurrent.futures` does too, which brings `logging` along: a fifth of what a push costs that moves nothing.
"""

from __future__ import annotations

from _queue import SimpleQueue
from threading import Thread

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    T = TypeVar("T")
    U = TypeVar("U")


def in_order(work: Callable[[T], U], items: Iterable[T], most: int) -> Iterator[U]:
    """What `work` makes of each item, in the order of the items, done by up to `most` threads at once.

    Raises what it raised for the first item in that order. After an error, or when no more is taken, nothing is begun
    any more, and what was begun is waited for.
    """
    jobs = [_Job(item) for item in items]
    # Taking the next of a list is one step: no two threads get the same.
    waiting = iter(jobs)
    threads = [
        Thread(target=_attend, args=(work, waiting), name=f"sonata-crew-{at}", daemon=True)
        for at in range(min(max(most, 1), len(jobs)))
    ]
    for thread in threads:
        thread.start()
    try:
        for job in jobs:
            value, error = job.done.get()
            if error is not None:
                raise error
            yield value
    finally:
        for _left in waiting:
            pass
        for thread in threads:
            thread.join()


def _attend(work: Callable[[Any], Any], waiting: Iterator[_Job]) -> None:
    for job in waiting:
        try:
            job.done.put((work(job.item), None))
        except BaseException as error:  # carried over to the thread that waits for it
            job.done.put((None, error))
            for _left in waiting:
                pass


class _Job:
    """One item, and where its result arrives."""

    def __init__(self, item: Any) -> None:
        self.item = item
        self.done: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
