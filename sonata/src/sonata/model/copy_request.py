"""What a door asks for when it copies images."""

from sonata.model.image_request import PullOptions
from sonata.model.signing import Signing
from sonata_core.record import Record


class CopyChoices(Record):
    """How a copy is to be made; empty fields: as the image is, or as the destination likes it best.

    `multi`: `system`, `all` or `index-only`. `compression`: gzip, zstd or zstd:chunked; `force` packs again what the
    destination has in another compression.
    """

    source: PullOptions = PullOptions()
    destination: PullOptions = PullOptions()
    platforms: tuple[str, ...] = ()
    multi: str = ""
    manifest_type: str = ""
    compression: str = ""
    level: int | None = None
    compress: bool = False
    decompress: bool = False
    accept_uncompressed: bool = False
    force: bool = False
    preserve_digests: bool = False
    remove_signatures: bool = False
    signing: Signing = Signing()
    additional_tags: tuple[str, ...] = ()
