"""An end to what never ends: a server that sends a byte a minute keeps every timeout of a socket content."""

from __future__ import annotations

import socket
import time

from sonata_core.errors import RegistryFailure
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from threading import Thread
    from types import TracebackType
    from typing import Self


class Patience(Record):
    """Seconds that a server may take: for the head of an answer, and for each block of a body (a quarter mebibyte)."""

    head: float = 120.0
    block: float = 600.0


class Watch:
    """Shuts sockets down whose time is over. One thread, begun when it is first needed."""

    def __init__(self) -> None:
        from threading import Condition

        self._lock = Condition()
        self._limits: set[Limit] = set()
        self._thread: Thread | None = None
        self._wakes = float("inf")
        self._stop = False

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            self._stop = True
            self._lock.notify()

    def add(self, limit: Limit) -> None:
        """Watch a limit."""
        from threading import Thread

        with self._lock:
            self._limits.add(limit)
            if self._thread is None:
                self._stop = False
                self._thread = Thread(target=self._run, name="sonata-watch", daemon=True)
                self._thread.start()
            elif limit.end < self._wakes:
                self._lock.notify()

    def drop(self, limit: Limit) -> None:
        """Watch it no longer."""
        with self._lock:
            self._limits.discard(limit)

    def _run(self) -> None:
        with self._lock:
            while not self._stop:
                now = time.monotonic()
                for limit in [one for one in self._limits if one.end <= now]:
                    limit.fire()
                    self._limits.discard(limit)
                self._wakes = min((one.end for one in self._limits), default=float("inf"))
                self._lock.wait(None if self._wakes == float("inf") else max(self._wakes - now, 0.0))
            self._thread = None


class Limit:
    """Within it, the socket is shut down after `seconds`. Raises RegistryFailure at its end if that happened."""

    def __init__(self, watch: Watch, sock: Any, seconds: float, what: str) -> None:
        self._watch = watch
        self._socket = sock
        self._seconds = seconds
        self._what = what
        self.end = 0.0
        self._fired = False

    def fire(self) -> None:
        """Time is over."""
        self._fired = True
        try:
            # Not that of a TLS socket: it would take away what the reading thread is using.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # closed by itself meanwhile

    def __enter__(self) -> Self:
        self.end = time.monotonic() + self._seconds
        self._watch.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.drop(self)
        if self._fired:
            raise RegistryFailure(
                f"{self._what}: not done after {self._seconds:g} seconds",
                hint="the server is very slow, or means no good; registry_head_seconds and registry_block_seconds of "
                "containers.conf say how long to wait",
                temporary=True,
            ) from error
