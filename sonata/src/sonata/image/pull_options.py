"""How images are pulled."""

from sonata.image.limits import NO_LIMITS, Limits
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Platform
from sonata_core.models.process import IdMapping
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.image.chunked_pull import Reuse


class PullOptions(Record):
    """How to pull. `partial` is the folder of partial blobs, empty for none; `parallel` counts layers at once."""

    platform: Platform
    partial: str
    parallel: int = 3
    retries: int = 3
    retry_delay: float = 1.0
    mapping: IdMapping | None = None
    rootless: bool = False
    any_owner: bool = False
    limits: Limits = NO_LIMITS
    reuse: "Reuse | None" = None
    """Finds files that the store has, for layers that can be fetched in parts; None: all are fetched whole."""
