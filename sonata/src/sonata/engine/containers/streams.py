"""Which of our descriptors and signals take part in a container's or a session's streams."""

from __future__ import annotations

from sonata.monitor.attach import Streams
from sonata.monitor.terminal import parse_detach_keys
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    import signal

    from sonata.engine.engine import Engine
    from sonata.model.container_request import ExecRequest
    from sonata.model.request import RunRequest
else:
    import _signal as signal


_NOT_FORWARDED = ("SIGCHLD", "SIGPIPE", "SIGURG", "SIGWINCH", "SIGKILL", "SIGSTOP")


class Sides(Record):
    """Which of our streams take part, as `-a`, `-i`, `--sig-proxy` and `--detach-keys` say."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    sig_proxy: bool = True
    detach_keys: str | None = None


def preserved_of(request: RunRequest | ExecRequest) -> tuple[int, ...]:
    """Descriptors of ours that the process inherits, from 3 on; -1 for a gap. Raises UsageError."""
    if not (request.preserve_fd or request.preserve_fds):
        return ()
    from sonata.engine.containers.descriptors import preserved

    return preserved(request.preserve_fd, request.preserve_fds)


def streams_for(engine: Engine, sides: Sides, *, terminal: bool) -> Streams:
    """The descriptors that take part, and the signals to pass on; who passes them on is the caller's to add."""
    keys = engine.config.engine.detach_keys if sides.detach_keys is None else sides.detach_keys
    return Streams(
        stdin=0 if sides.stdin else -1,
        stdout=1 if sides.stdout else -1,
        stderr=2 if sides.stderr else -1,
        terminal=terminal,
        detach_keys=parse_detach_keys(keys),
        signals=_forwarded() if sides.sig_proxy and not terminal else (),
    )


def _forwarded() -> tuple[int, ...]:
    left_out = {getattr(signal, name) for name in _NOT_FORWARDED}
    return tuple(number for number in range(1, 32) if number not in left_out)
