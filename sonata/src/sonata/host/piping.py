"""One program's output into another's input, both run to their ends."""

from __future__ import annotations

import os

from sonata_core.errors import CommandFailed
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CHUNK = 1 << 16


def pipe(giver: Sequence[str], taker: Sequence[str], env: Mapping[str, str]) -> tuple[int, int, bytes]:
    """Run both, the first's standard output being the second's input: their exit codes, and what the second printed.

    They share our standard error, and the terminal. Exit codes are negative for signals. Where the first ends without a
    word the second is not begun, and its code is 0. Raises CommandFailed for a program that cannot be started.
    """
    passing, receiving = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    pids: list[int] = []
    try:
        try:
            try:
                pids.append(_start(giver, env, {1: passing[1]}))
            finally:
                os.close(passing[1])
            if _comes(passing[0]):
                pids.append(_start(taker, env, {0: passing[0], 1: receiving[1]}))
        finally:
            os.close(passing[0])
            os.close(receiving[1])
        told = b"".join(iter(lambda: os.read(receiving[0], _CHUNK), b""))
    finally:
        os.close(receiving[0])
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return codes[0], codes[1] if len(codes) > 1 else 0, told


def _comes(fd: int) -> bool:
    """Wait for something to read; False where nothing comes any more."""
    import select

    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    return bool(waiting.poll()[0][1] & select.POLLIN)


def _start(argv: Sequence[str], env: Mapping[str, str], fds: Mapping[int, int]) -> int:
    try:
        return spawn(argv, env, SpawnOptions(fds=fds))
    except OSError as error:
        raise CommandFailed(f"{argv[0]}: {error.strerror}") from error
