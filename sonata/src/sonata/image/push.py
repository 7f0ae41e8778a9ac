"""An image out of the store into a sink: layers made again by tar-split, compressed as asked, a manifest to match."""

from io import BytesIO
from threading import BoundedSemaphore

from sonata.image.convert import convert, digest_of_blob, layer_type, wanted_type
from sonata.image.crew import in_order
from sonata.image.forms import in_a_form
from sonata.image.layers.compress import Compression
from sonata.image.manifest import Index, LegacyManifest, Manifest, parse
from sonata.image.packing import Told, pack
from sonata.image.progress import Progress, Quiet
from sonata_core.errors import Damaged, SonataError, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ImageBatch, ImageSink, ManifestBytes, TransportFacts
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata.image.packing import Packed
    from sonata.image.signatures.carrying import Carrier
    from sonata_core.models.streams import Readable


_CONFIG = -1
"""In place of a layer's number."""


class StoredLayer(Record):
    """A layer of the store: its uncompressed tar's digest and size in bytes; `open_tar` gives that very tar."""

    diff_digest: Digest
    diff_size: int
    open_tar: "Callable[[], BinaryIO]"


class StoredImage(Record):
    """An image of the store. `layers` are base first; `config` of a schema 1 image is the one that was made for it."""

    manifest: ManifestBytes
    config: bytes
    layers: tuple[StoredLayer, ...]


class PushOptions(Record):
    """How to push. `spool` is a folder for compressed layers on their way, `manifest_type` forces one.

    With `reuse`, a blob that the destination has under the digest of the image's own manifest is not
    compressed again; with `force` only if it is compressed as is asked for. `chunked` writes zstd:chunked; `plain`
    leaves layers uncompressed. So many layers are on their way at once (`parallel`), of which so many (`packers`) are
    being compressed: that takes processors and memory, where sending mostly waits.
    """

    facts: TransportFacts
    spool: str
    compression: Compression = Compression.GZIP
    level: int | None = None
    manifest_type: str = ""
    parallel: int = 3
    packers: int = 3
    chunked: bool = False
    plain: bool = False
    reuse: bool = True
    force: bool = False
    preserve_digests: bool = False


def push_image(
    image: StoredImage, sink: ImageSink, options: PushOptions, progress: Progress | None = None
) -> ManifestBytes:
    """Store an image in a sink and give it the sink's name. Returns the manifest as it was stored.

    Raises what `put_image` raises.
    """
    manifest = put_image(image, sink, options, progress)
    sink.commit(manifest)
    return manifest


def put_image(
    image: StoredImage, sink: ImageSink | ImageBatch, options: PushOptions, progress: Progress | None = None
) -> ManifestBytes:
    """Store an image's blobs; the manifest that is to be committed.

    Raises Unsupported (no type of manifest will do, or the digest cannot be kept), Damaged (the store's
    copy was changed), RegistryFailure, Denied, Unavailable.
    """
    document = _as_manifest(image)
    plain = options.plain or options.facts.layer_compression == "none"
    kind = Compression.NONE if plain else options.compression
    zstd = kind is Compression.ZSTD
    wanted = wanted_type(document, options.facts.manifest_types, options.manifest_type, zstd=zstd)
    work = _Push(image, document, sink, options, progress or Quiet(), wanted, kind)
    layers = work.layers()
    manifest = work.manifest(layers)
    if options.preserve_digests and manifest.digest != image.manifest.digest:
        raise Unsupported(
            f"the image's digest {image.manifest.digest} cannot be kept here: its layers are stored otherwise"
        )
    return manifest


def push_signed(
    image: StoredImage, sink: ImageSink, options: PushOptions, carrier: "Carrier", progress: Progress | None
) -> ManifestBytes:
    """As `push_image`, with signatures; where a registry refuses this form of manifest, in the other one.

    A form that was asked for is not changed, as in containers/image. Raises what `put_image` and `carry` raise.
    """
    manifest = put_image(image, sink, options, progress)
    carrier.carry(image.manifest, manifest)

    def again(other: str) -> ManifestBytes:
        made = _in_other_form(image, sink, options, manifest, other, progress or Quiet())
        carrier.written.pop(manifest.digest, None)
        carrier.carry(image.manifest, made)
        return made

    return in_a_form(sink.commit, manifest, again, fixed=bool(options.manifest_type) or options.preserve_digests)


def _in_other_form(
    image: StoredImage, sink: ImageSink, options: PushOptions, refused: ManifestBytes, other: str, progress: Progress
) -> ManifestBytes:
    """The manifest in the other form, over the blobs that lie there. Raises Unsupported if it knows no such layers."""
    taken = options.facts.manifest_types
    if taken and other not in taken:
        raise Unsupported(f"a manifest of the type {other} is not taken there")
    work = _Push(image, _as_manifest(image), sink, options, progress, other, options.compression)
    document = parse(refused)
    assert isinstance(document, Manifest)
    return work.manifest([one.replace(media_type=layer_type(one.media_type, other)) for one in document.layers])


def _as_manifest(image: StoredImage) -> Manifest:
    """The image's manifest; one of schema 1 is taken for what it converts to."""
    document = parse(image.manifest)
    if isinstance(document, Index):
        raise Unsupported("an index is not pushed as one image", hint="use `manifest push`")
    if isinstance(document, LegacyManifest):
        config = Descriptor(media_type=DOCKER_CONFIG, digest=digest_of_blob(image.config), size=len(image.config))
        layers = tuple(layer.replace(media_type=f"{DOCKER_LAYER}.gzip") for layer in document.real_layers)
        document = Manifest(media_type=DOCKER_MANIFEST, config=config, layers=layers)
    if len(document.layers) != len(image.layers):
        raise Damaged(f"the image's manifest has {len(document.layers)} layers, the store {len(image.layers)}")
    return document


class _Push:
    """One image on its way out."""

    def __init__(
        self,
        image: StoredImage,
        document: Manifest,
        sink: ImageSink | ImageBatch,
        options: PushOptions,
        progress: Progress,
        wanted: str,
        kind: Compression,
    ) -> None:
        self._image = image
        self._sink = sink
        self._options = options
        self._progress = progress
        self._wanted = wanted
        self._kind = kind
        self._document = document
        self._gate = BoundedSemaphore(max(options.packers, 1))
        self._same_type = image.manifest.media_type == wanted
        self._early = ("", "")
        """The config, where it was sent beside the layers, and whether it was there."""

    def layers(self) -> list[Descriptor]:
        """Have every layer in the sink; several at once where they are compressed, put in their order if need be."""
        places = range(len(self._image.layers))
        if self._kind is Compression.NONE or self._options.parallel < 2:
            return [self._layer(at) for at in places]
        if self._options.facts.sequential:
            return [self._put_packed(*packed) for packed in in_order(self._packed, places, self._options.parallel)]
        if not self._same_type:
            return list(in_order(self._layer, places, self._options.parallel))
        # The config stays what it is, so it need not wait for the layers.
        return list(in_order(self._layer_or_config, [*places, _CONFIG], self._options.parallel))[:-1]

    def _layer_or_config(self, at: int) -> Descriptor:
        if at != _CONFIG:
            return self._layer(at)
        config = self._document.config
        there = self._is_there(config)
        if not there:
            self._sink.put_blob(config, BytesIO(self._image.config))
        self._early = (config.digest, "exists" if there else "done")
        return config

    def _layer(self, at: int) -> Descriptor:
        if self._kind is Compression.NONE:
            return self._send_plain(self._image.layers[at], self._document.layers[at])
        return self._put_packed(*self._packed(at))

    def _packed(self, at: int) -> "tuple[Descriptor, Packed | None]":
        """What a layer will be, and its content where it has to be sent."""
        layer, original = self._image.layers[at], self._document.layers[at]
        if self._reusable(original) and self._there(original):
            return original.replace(media_type=layer_type(original.media_type, self._wanted)), None
        media_type = layer_type(original.media_type, self._wanted, self._kind)
        with self._gate, layer.open_tar() as stream:
            told = _Compressing(stream, layer, self._progress)
            made = pack(told, self._kind, self._options.level, self._options.spool, chunked=self._options.chunked)  # type: ignore[arg-type]
        if made.diff_digest != layer.diff_digest:
            made.file.close()
            raise Damaged(
                f"the store's copy of layer {layer.diff_digest} was changed since it was unpacked",
                hint="`system check` tells more",
            )
        return Descriptor(media_type=media_type, digest=made.digest, size=made.size, annotations=made.notes), made

    def _reusable(self, original: Descriptor) -> bool:
        """Whether the blob of the image's own manifest will do, if the place has it."""
        if not self._options.reuse or original.size < 0:
            return False
        return not self._options.force or original.media_type.endswith(("." + self._kind, "+" + self._kind))

    def _put_packed(self, blob: Descriptor, packed: "Packed | None") -> Descriptor:
        if packed is not None:
            with packed:
                # The digest under which it was compressed: for who looks on it is one thing all the way.
                if not self._there(blob, packed.diff_digest):
                    self._put(blob, packed.file, packed.diff_digest)
        return blob

    def _is_there(self, blob: Descriptor, told: str = "") -> bool:
        try:
            return self._sink.has_blob(blob)
        except SonataError as error:
            error.message = f"trying to reuse blob {told or blob.digest} at destination: {error.message}"
            raise

    def _there(self, blob: Descriptor, told: str = "") -> bool:
        if not self._is_there(blob, told):
            return False
        self._progress.blob(Digest(told or blob.digest), "exists", blob.size, blob.size)
        return True

    def _send_plain(self, layer: StoredLayer, original: Descriptor) -> Descriptor:
        blob = Descriptor(
            media_type=layer_type(original.media_type, self._wanted, ""),
            digest=layer.diff_digest,
            size=layer.diff_size,
        )
        if not self._there(blob):
            with layer.open_tar() as stream:
                self._put(blob, stream)
        return blob

    def _put(self, blob: Descriptor, stream: "Readable", told: str = "") -> None:
        shown = blob.replace(digest=Digest(told or blob.digest))
        self._sink.put_blob(blob, Told(stream, shown, self._progress))  # type: ignore[arg-type]
        self._progress.blob(shown.digest, "done", blob.size, blob.size)

    def manifest(self, layers: list[Descriptor]) -> ManifestBytes:
        """Have the config in the sink; the source's own manifest if nothing changed."""
        unchanged = self._same_type and list(self._document.layers) == layers
        made = convert(self._document, self._image.config, self._wanted, layers)
        config = self._document.config if unchanged else made.config
        self._progress.blob(config.digest, "config", 0, config.size)
        if self._early[0] == config.digest:
            self._progress.blob(config.digest, self._early[1], config.size, config.size)
        elif not self._there(config):
            self._put(config, BytesIO(self._image.config if unchanged else made.config_bytes))
        return self._image.manifest if unchanged else made.manifest


class _Compressing:
    """A layer's tar that tells how far it was compressed."""

    def __init__(self, stream: "Readable", layer: StoredLayer, progress: Progress) -> None:
        self._stream = stream
        self._layer = layer
        self._progress = progress
        self._done = 0

    def read(self, size: int) -> bytes:
        part = self._stream.read(size)
        self._done += len(part)
        self._progress.blob(self._layer.diff_digest, "compressing", self._done, self._layer.diff_size)
        return part
