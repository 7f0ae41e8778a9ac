"""Threads that do one kind of work: results in order, errors carried over, nothing begun after one."""

from __future__ import annotations

import threading
import time

import pytest

from sonata.image.crew import in_order


def test_results_come_in_the_order_of_the_items_however_long_each_takes() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert second.wait(60)
        if item == 2:
            second.set()
        return item * 10

    assert list(in_order(work, [1, 2, 3], 2)) == [10, 20, 30]
    assert list(in_order(work, [], 3)) == []


def test_no_more_than_asked_work_at_once() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    together = threading.Barrier(3)

    def work(_item: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(60)
        with lock:
            now[0] -= 1

    assert len(list(in_order(work, range(9), 3))) == 9
    assert most == [3]


def test_an_error_is_raised_and_what_was_not_begun_stays_so() -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise KeyError(item)
        # Until the thread that failed has ended.
        while any(thread is not threading.current_thread() for thread in crew()):
            time.sleep(0.001)

    with pytest.raises(KeyError):
        list(in_order(work, range(50), 2))
    assert begun in ([0], [0, 1])
    assert not crew()


def crew() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("sonata-crew")]
