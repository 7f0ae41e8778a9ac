"""A transfer whose other end refuses connections begun again, as Podman and Skopeo do.

What breaks off while it is on its way is asked for again by the transport, which knows how far it came.
"""

from __future__ import annotations

from sonata_core.errors import RegistryFailure
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sonata.engine.engine import Engine
    from sonata_core.models.image import TransportOptions

    T = TypeVar("T")


def again(engine: Engine, options: TransportOptions, work: Callable[[], T]) -> T:
    """Do `work`, once more after each pause while nothing listens there, as often as --retry says; what it returns.

    Raises what `work` raises.
    """
    import time

    for attempt in range(1, options.retries + 1):
        try:
            return work()
        except RegistryFailure as failure:
            if not failure.details.get("refused"):
                raise
            pause = options.retry_delay or float(2 ** (attempt - 1))
            told = f"({attempt}/{options.retries}). Error: {failure.message}"
            engine.notify(f"Failed, retrying in {_shown(pause)} ... {told}")
            time.sleep(pause)
    return work()


def _shown(seconds: float) -> str:
    """A duration as Go writes it: 1m30s, 500ms."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}h{minutes}m{rest:g}s" if hours else f"{minutes}m{rest:g}s" if minutes else f"{rest:g}s"
