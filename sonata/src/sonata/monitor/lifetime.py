"""The pipe whose other end tells a helper that the container's monitor is gone, found again in the monitor."""

from __future__ import annotations

import os

_CHANNELS = 5
"""conmon's standard descriptors, and the pipes by which it speaks with us, come before what it only keeps."""


def reopened(pid: int, container: int) -> int:
    """A new read end of the pipe that conmon keeps open to the end; -1 where it has none, or several might be it.

    A pipe's read end can be opened through the descriptor of its write end, /proc being asked for it: pipe(7), proc(5).
    """
    found = {}
    try:
        streams = {_target(container, number) for number in range(3)}
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = _target(pid, int(name))
            if int(name) >= _CHANNELS and target.startswith("pipe:") and target not in streams and _writes(pid, name):
                found[target] = name
        if len(found) != 1:
            return -1
        return os.open(f"/proc/{pid}/fd/{next(iter(found.values()))}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return -1


def _target(pid: int, number: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{number}")
    except OSError:
        return ""


def _writes(pid: int, name: str) -> bool:
    with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as file:
        flags = next((line.split()[1] for line in file if line.startswith("flags:")), "0")
    return int(flags, 8) & os.O_ACCMODE == os.O_WRONLY
