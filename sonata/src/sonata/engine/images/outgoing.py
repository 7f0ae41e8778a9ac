"""An image of the store on its way out: what it is, and how it is to arrive."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.images.stored import stored_image
from sonata.image.convert import require_packing
from sonata.image.layers.compress import Compression
from sonata.image.push import PushOptions
from sonata.model.signing import Signing
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.push import StoredImage
    from sonata_core.slot import Slot


_DEFAULT_PARALLEL, _PACKERS = 6, 3


class PushChoices(Record):
    """How an image is to arrive. Empty fields: as the destination likes it best.

    `compression`: gzip, zstd or zstd:chunked. `force` compresses anew what lies there in another compression;
    `compress` compresses in folders of the `dir` transport too, `plain` nowhere.
    """

    manifest_type: str = ""
    compression: str = ""
    level: int | None = None
    force: bool = False
    compress: bool = False
    plain: bool = False
    preserve_digests: bool = False
    remove_signatures: bool = False
    signing: Signing = Signing()


def stored(engine: Engine, image: str, digest: str = "") -> StoredImage:
    """An image as the store has it, with the manifest of that digest if it has several. Raises NotFound."""
    record, _ = lookup.get(engine, image)
    return stored_image(engine.store, lambda layer: engine.storage.hook.storage_contents(layer=layer), record, digest)


def settings_for(engine: Engine, slot: Slot[Any], choices: PushChoices) -> PushOptions:
    """How images go to a transport."""
    conf = engine.config.engine
    require_packing(slot.hook.transport_facts(), choices.compression)
    word = choices.compression or conf.compression_format or "gzip"
    return PushOptions(
        facts=slot.hook.transport_facts(),
        spool=engine.config.paths.tmp_dir,
        compression=Compression(word.partition(":")[0]),
        level=(conf.compression_level or None) if choices.level is None else choices.level,
        chunked=word.endswith(":chunked"),
        plain=choices.plain or (slot.name == "dir" and not choices.compress),
        force=choices.force,
        manifest_type=choices.manifest_type,
        preserve_digests=choices.preserve_digests,
        parallel=conf.image_parallel_copies or _DEFAULT_PARALLEL,
        packers=conf.image_parallel_copies or _PACKERS,
    )
