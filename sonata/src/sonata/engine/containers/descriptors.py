"""Descriptors of the caller that a container or an exec session inherits: `--preserve-fds`, `--preserve-fd`."""

from __future__ import annotations

import os

from sonata_core.errors import UsageError


def preserved(numbers: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The caller's descriptors from 3 on as the process gets them, under their own numbers; -1 where it gets none.

    `numbers` names them one by one, else `count` of them from 3 on are meant (Podman's rule where both are given).
    Raises UsageError for one that is not open.
    """
    for number in numbers:
        if number < 3:
            raise UsageError(
                f"cannot preserve FD {number}, consider using the passthrough log-driver to pass STDIO streams into "
                "the container: invalid argument"
            )
    option = "preserve-fd" if numbers else "preserve-fds"
    wanted = numbers or tuple(range(3, 3 + count))
    for number in wanted:
        if not _inherited(number):
            raise UsageError(
                f"file descriptor {number} is not available - the {option} option requires that file descriptors "
                "must be passed"
            )
    return tuple(number if number in wanted else -1 for number in range(3, max(wanted) + 1))


def _inherited(number: int) -> bool:
    """Whether our caller gave us that descriptor: what we opened ourselves is closed on exec."""
    try:
        return os.get_inheritable(number)
    except OSError:
        return False
