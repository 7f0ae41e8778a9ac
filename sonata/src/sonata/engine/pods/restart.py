"""`pod restart`."""

from __future__ import annotations

from sonata.engine.pods.start import start
from sonata.engine.pods.stop import stop
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig


def restart(engine: Engine, pod: PodConfig) -> list[SonataError]:
    """Stop what runs of the pod, and start it; what went wrong."""
    return stop(engine, pod) or start(engine, pod)
