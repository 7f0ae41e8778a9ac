"""Signals of Linux: names and numbers. Runtimes ignore unknown names silently, so we do not."""

from __future__ import annotations

from sonata.plan.values import is_digits
from sonata_core.errors import UsageError

_WORDS = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU "
    "URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_NAMES = _WORDS.split()
_ALIASES = {"IOT": 6, "CLD": 17, "POLL": 29, "UNUSED": 31, "RTMIN": 34, "RTMAX": 64}


def number(text: str) -> int:
    """The number of a signal given by name (with or without SIG, any case) or number, 1 to 64.

    Raises UsageError (`invalid signal: X`).
    """
    if is_digits(text):
        value = int(text) if len(text) < 4 else 0
        if 0 < value <= 64:
            return value
        raise UsageError(
            f"invalid signal: {text}" if value == 0 and len(text) < 4 else "valid signals are 1 through 64"
        )
    bare = text.upper().removeprefix("SIG")
    if bare in _NAMES:
        return _NAMES.index(bare) + 1
    if bare in _ALIASES:
        return _ALIASES[bare]
    for base, sign in (("RTMIN", 1), ("RTMAX", -1)):
        offset = bare.removeprefix(base)[1:]
        if bare.startswith(base + ("+" if sign > 0 else "-")) and is_digits(offset) and int(offset[:4]) <= 30:
            return _ALIASES[base] + sign * int(offset)
    raise UsageError(f"invalid signal: {text}")


def name(value: int) -> str:
    """`SIGTERM` for 15; real-time signals as `SIGRTMIN+3`; the number itself where there is no name."""
    if 0 < value <= len(_NAMES):
        return "SIG" + _NAMES[value - 1]
    if 34 <= value <= 64:
        return "SIGRTMIN" if value == 34 else f"SIGRTMIN+{value - 34}"
    return str(value)
