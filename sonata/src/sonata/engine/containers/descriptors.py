"""Descriptors of the caller that a container or an exec session inherits: `--preserve-fds`, `--preserve-fd`, and the
sockets of a service manager (sd_listen_fds(3))."""

from __future__ import annotations

import os

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST = 1024
"""Descriptors that a service manager may hand over."""


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


def activated(environment: Mapping[str, str]) -> tuple[tuple[int, ...], dict[str, str]]:
    """Sockets that came with LISTEN_FDS, and the variables that tell the runtime and the container of them.

    As Podman we take them whoever LISTEN_PID names, since a shell may stand between. What a wrapper's environment
    promises to another process, and is not there, is left alone. Raises UsageError for what cannot be had.
    """
    text = environment.get("LISTEN_FDS", "")
    if not text.isdecimal() or int(text) > _MOST:
        raise UsageError(f'converting LISTEN_FDS={text}: strconv.Atoi: parsing "{text}": invalid syntax')
    wanted = tuple(range(3, 3 + int(text)))
    for number in wanted:
        if not _inherited(number):
            if environment.get("LISTEN_PID") not in (None, str(os.getpid())):
                return (), {}
            raise UsageError(f"file descriptor {number} is not available - LISTEN_FDS={text} promises it")
    names = environment.get("LISTEN_FDNAMES", "")
    # To the container, which is 1 to itself; conmon puts the runtime's own number there for the runtime.
    told = {"LISTEN_FDS": text, "LISTEN_PID": "1"}
    return wanted, {**told, "LISTEN_FDNAMES": names} if names else told


def announced(environment: Mapping[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with the variables of `activated`, of which runtimes add no more than some. Raises UsageError."""
    told = activated(environment)[1]
    process = spec["process"]
    kept = [one for one in process["env"] if one.partition("=")[0] not in told]
    env = [*kept, *(f"{name}={value}" for name, value in told.items())]
    return {**spec, "process": {**process, "env": env}}


def _inherited(number: int) -> bool:
    """Whether our caller gave us that descriptor: what we opened ourselves is closed on exec."""
    try:
        return os.get_inheritable(number)
    except OSError:
        return False
