"""Logging that costs a comparison until an event passes the level.

structlog takes 100 ms to import; a healthy command is silent and never pays. Events are constant
snake-case names with fields.
"""

from __future__ import annotations

import sys

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

LEVELS = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "fatal": 50, "panic": 50}


class Secret(str):
    """A string that prints as stars wherever it is shown by mistake."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __format__(self, spec: str) -> str:
        return "***"

    def reveal(self) -> str:
        """The secret itself."""
        return str.__str__(self)


class Logger:
    """Compares levels, and brings structlog in for the first event that passes."""

    def __init__(
        self,
        level: str = "warning",
        stream: TextIO | None = None,
        bound: dict[str, object] | None = None,
        *,
        syslog: bool = False,
    ) -> None:
        self.level = LEVELS[level]
        self._stream = stream
        self._syslog = syslog
        self._bound = bound or {}
        self._real: Any = None

    def bind(self, **fields: object) -> Logger:
        """A logger that adds these fields to each event."""
        child = Logger(stream=self._stream, bound={**self._bound, **fields}, syslog=self._syslog)
        child.level = self.level
        return child

    def debug(self, event: str, **fields: object) -> None:
        """For whoever looks for a fault."""
        if self.level <= 10:
            self._emit("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """For whoever wants to follow."""
        if self.level <= 20:
            self._emit("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """For everybody: something is not as asked, and work goes on."""
        if self.level <= 30:
            self._emit("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """For everybody: something failed that no caller will report."""
        if self.level <= 40:
            self._emit("error", event, fields)

    def _emit(self, kind: str, event: str, fields: dict[str, object]) -> None:
        if self._real is None:
            import structlog

            stream = self._stream or sys.stderr
            processors: list[Any] = [
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.dev.ConsoleRenderer(colors=stream.isatty()),
            ]
            self._real = structlog.wrap_logger(structlog.PrintLogger(stream), processors=processors)
        getattr(self._real, kind)(event, **self._bound, **fields)
        if self._syslog:
            to_syslog(kind, event, {**self._bound, **fields})


_SYSLOG = "/dev/log"
_PRIORITIES = {"debug": 15, "info": 14, "warning": 12, "error": 11}
"""Facility `user` and the severity (RFC 3164)."""


def to_syslog(kind: str, event: str, fields: dict[str, object]) -> None:
    """Send one line to the system's log. Where none listens, nothing is lost but that."""
    import os
    import socket

    words = " ".join([event, *(f"{key}={value!r}" for key, value in fields.items())])
    line = f"<{_PRIORITIES[kind]}>sonata[{os.getpid()}]: {words}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(line.encode(errors="replace"), _SYSLOG)
        except OSError:
            return
