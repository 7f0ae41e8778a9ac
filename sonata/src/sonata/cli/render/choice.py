"""A list from which one line is chosen with the arrow keys: looks and keys are those of Podman's prompts."""

from __future__ import annotations

import os
import sys
import termios
import tty

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHOWN = 5
_UP = (b"\x1b[A", b"\x1bOA", b"k", b"\x10")
_DOWN = (b"\x1b[B", b"\x1bOB", b"j", b"\x0e")
_ENTER = (b"\r", b"\n")
_ENDS = {b"\x03": "^C", b"\x04": "^D", b"": "^D"}


def choose(question: str, answers: Sequence[str]) -> str:
    """The answer that is chosen at the terminal. Raises UsageError for Ctrl-C and Ctrl-D, in Podman's words."""
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    at = 0
    try:
        tty.setraw(handle)
        _say("\x1b[?25l" + _drawn(question, answers, at))
        for key in _keys(handle):
            if key in _ENTER:
                break
            if key in _ENDS:
                raise UsageError(_ENDS[key], hint="write the full name of the image to be asked nothing")
            at += (key in _DOWN) - (key in _UP)
            at = min(max(at, 0), len(answers) - 1)
            _say(_undrawn(answers) + _drawn(question, answers, at))
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
        _say(_undrawn(answers) + "\x1b[?25h")
    _say(f"\x1b[32m\x1b[32m\N{HEAVY CHECK MARK}\x1b[0m \x1b[2m{answers[at]}\x1b[0m\n")
    return answers[at]


def _keys(handle: int) -> Iterator[bytes]:
    """Keys as they are pressed; empty at the end of the terminal."""
    held = b""
    while True:
        if not held:
            held = os.read(handle, 64)
        size = 3 if held[:2] in (b"\x1b[", b"\x1bO") else 1
        key, held = held[:size], held[size:]
        yield key


def _drawn(question: str, answers: Sequence[str], at: int) -> str:
    """The question, and the answers around the one at which the pointer is."""
    first = max(0, min(at - _SHOWN + 1, len(answers) - _SHOWN))
    lines = [f"\x1b[2K\r\x1b[34m?\x1b[0m {question}: "]
    for place, answer in enumerate(answers[first : first + _SHOWN], first):
        pointed = f"\x1b[1m\N{BLACK RIGHT-POINTING SMALL TRIANGLE}\x1b[0m \x1b[4m{answer}\x1b[0m"
        lines.append(f"\x1b[2K\r  {pointed}" if place == at else f"\x1b[2K\r    {answer}")
    return "\r\n".join([*lines, ""])


def _undrawn(answers: Sequence[str]) -> str:
    return f"\x1b[{min(len(answers), _SHOWN) + 1}A\x1b[J"


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
