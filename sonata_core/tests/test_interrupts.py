"""Signals that are held back, let through at windows, and never while something is taken back."""

import os
import signal
import threading

import pytest

from sonata_core import interrupts
from sonata_core.interrupts import Shield, Terminated, Window


def send(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def test_a_signal_waits_for_the_next_window() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Shield():
        send()
        done.append("whole")
        with Window():
            done.append("never")
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_within_a_window_acts_at_once() -> None:
    with pytest.raises(Terminated) as caught, Shield(), Window():
        send(signal.SIGTERM)
        pytest.fail("it went on")
    assert interrupts.exit_code(caught.value) == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_windows_are_shut_while_something_is_taken_back() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Shield():
        with Shield(firm=True):
            send()
            with Window():
                done.append("taken back")
        interrupts.point()
    assert done == ["taken back"]


def test_a_signal_after_the_last_window_has_no_effect() -> None:
    with Shield():
        send()


def test_the_third_signal_is_let_through_anywhere() -> None:
    with pytest.raises(KeyboardInterrupt), Shield(firm=True):
        send()
        send()
        send()
        pytest.fail("it went on")


def test_a_signal_can_be_taken_for_somebody_else() -> None:
    with Shield():
        send(signal.SIGTERM)
        assert interrupts.take((signal.SIGINT,)) == 0
        assert interrupts.take((signal.SIGTERM,)) == signal.SIGTERM
        interrupts.point()


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Shield():
            send(signal.SIGHUP)
            interrupts.point()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_have_neither_shield_nor_window() -> None:
    def work() -> None:
        with Shield(), Window():
            seen.append(interrupts.shielded())

    seen: list[bool] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
