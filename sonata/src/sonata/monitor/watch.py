"""Waiting for a file to change: inotify on its folder, or a plain pause where the kernel gives none."""

from __future__ import annotations

import os
import select
import time

from sonata_core.sdk import syscalls

_MODIFY, _MOVED_TO, _CREATE = 0x2, 0x80, 0x100
_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK
_PAUSE = 0.2


class FileWatch:
    """Tells when something in the folder of `path` was written, made or moved in."""

    def __init__(self, path: str) -> None:
        self._descriptor = -1
        try:
            descriptor = syscalls.call("inotify_init1", _CLOEXEC_NONBLOCK)
        except OSError:  # the user's inotify instances are used up: look from time to time
            return
        try:
            folder = os.fsencode(os.path.dirname(path) or ".")
            syscalls.call("inotify_add_watch", descriptor, folder, _MODIFY | _MOVED_TO | _CREATE)
            self._descriptor = descriptor
        except OSError:
            os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """To poll; -1 where there is none."""
        return self._descriptor

    def wait(self, seconds: float, also: int = -1) -> None:
        """Return when something has changed since the last call, when `also` is readable, or after `seconds`."""
        if self._descriptor < 0:
            time.sleep(min(_PAUSE, seconds))
            return
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if also >= 0:
            poll.register(also, select.POLLIN)
        if poll.poll(int(seconds * 1000)):
            try:
                os.read(self._descriptor, 65536)
            except BlockingIOError:
                return

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def wait_any(watches: list[FileWatch], seconds: float = 1.0) -> None:
    """Return when something has changed for one of these, or after so long."""
    poll = select.poll()
    known = {watch.descriptor: watch for watch in watches if watch.descriptor >= 0}
    if len(known) < len(watches):
        seconds = min(seconds, _PAUSE)
    for descriptor in known:
        poll.register(descriptor, select.POLLIN)
    for descriptor, _ in poll.poll(int(seconds * 1000)):
        known[descriptor].wait(0)
