"""How images are copied."""

from sonata.image.layers.compress import Compression
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Platform
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.image.signatures.carrying import Carrier
    from sonata_core.models.image import TransportFacts


SYSTEM, ALL, INDEX_ONLY = "system", "all", "index-only"


class CopyOptions(Record):
    """How to copy. `source`, `facts`: what the two transports say of themselves; `spool`: a folder for packed layers.

    `multi` says what of an index is copied: `system` (the image for `platform`), `all`, or `index-only`; with
    `platforms` an index of just these. `compression` empty keeps layers as they are; `pack` compresses those that are
    not compressed, `may_pack` too unless signatures go along, `unpack` none. With `force` layers that the place has in
    another compression are packed again.
    `near` names the repository of the source where the place is one of the same registry: (`host`, `path`).
    """

    source: "TransportFacts"
    facts: "TransportFacts"
    spool: str
    platform: Platform
    platforms: tuple[Platform, ...] = ()
    multi: str = SYSTEM
    manifest_type: str = ""
    compression: str = ""
    level: int | None = None
    pack: bool = False
    may_pack: bool = False
    unpack: bool = False
    force: bool = False
    preserve_digests: bool = False
    carrier: "Carrier | None" = None
    """What becomes of signatures; None: an image that has some is refused."""
    parallel: int = 3
    retries: int = 3
    retry_delay: float = 1.0
    addresses: bool = False
    """Whether the place takes addresses for layers, so that those that have some stay there."""
    near: tuple[str, str] = ("", "")
    digest: str = ""
    """Where the place is named by a digest: what is copied has this one, and nothing of it may change."""

    @property
    def target(self) -> Compression | None:
        """What every layer is to be; None: as it is."""
        if self.facts.layer_compression == "none" or self.unpack:
            return Compression.NONE
        return Compression(self.compression.partition(":")[0]) if self.compression else None

    @property
    def chunked(self) -> bool:
        """Whether zstd is written as zstd:chunked."""
        return self.compression.endswith(":chunked")
