"""One image of a copy: its blobs streamed from place to place, packed anew only where the place wants it so."""

from __future__ import annotations

from io import BytesIO

from sonata.image.convert import convert, digest_of_blob, is_layer, layer_type, pick_type, wanted_type
from sonata.image.layers.compress import Compression, Decompressor
from sonata.image.manifest import Index, LegacyManifest, Manifest, parse
from sonata.image.packing import Packed, Plain, Told, pack
from sonata.image.signatures.carrying import Carrier
from sonata.image.transfer import read_config
from sonata.image.verify import VerifyingReader
from sonata_core.errors import Damaged, RegistryFailure, SonataError, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Descriptor
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from sonata.image.copy_options import CopyOptions
    from sonata.image.progress import Progress
    from sonata_core.models.image import ImageBatch, ImageSink, ImageSource, ManifestBytes
    from sonata_core.models.streams import Readable

    T = TypeVar("T")
    U = TypeVar("U")

_MOUNT_FROM = "containerd.io/distribution.source."


class One:
    """Copies images of one source into one sink."""

    def __init__(
        self, source: ImageSource, sink: ImageSink | ImageBatch, options: CopyOptions, progress: Progress
    ) -> None:
        self._source = source
        self._sink = sink
        self._options = options
        self._progress = progress
        self.carrier = options.carrier or Carrier(
            lambda manifest: source.signatures(manifest.digest), place=options.facts.schemes[0]
        )

    def copy(self, image: ManifestBytes, *, kinds: tuple[str, ...] = (), legacy: bool = True) -> ManifestBytes:
        """Have an image's blobs in the sink; the manifest that is to be stored: the same object if nothing changed.

        `kinds` are the types of manifests that may be made, by default those that the sink takes; with `legacy` a
        schema 1 manifest may stay what it is. Raises as `copy_image`.
        """
        self.carrier.admit(image)
        document = parse(image)
        assert not isinstance(document, Index)
        original = image
        kinds = kinds or self._options.facts.manifest_types
        if isinstance(document, LegacyManifest):
            if legacy and self._legacy_stays(image.media_type, kinds):
                self._blobs(list(document.layers))
                self.carrier.carry(image, image)
                return image
            image, config, document = self._modern(document)
        else:
            config = b""
        wanted = self._wanted(document, kinds)
        if self._options.preserve_digests and not self._keeps(document, wanted):
            raise self._cannot_keep(image)
        work = _Instance(self, document, config, wanted)
        made = work.run(image)
        if self._options.preserve_digests and made is not image:
            raise self._cannot_keep(image)
        self.carrier.carry(original, made)
        return made

    def _legacy_stays(self, media_type: str, kinds: tuple[str, ...]) -> bool:
        options = self._options
        return not options.manifest_type and options.target is None and (not kinds or media_type in kinds)

    def _keeps(self, document: Manifest, wanted: str) -> bool:
        """Whether an image can stay as it is. What keeps no manifest makes one of Docker's out of any other."""
        if self._options.facts.layer_compression == "none" and document.media_type != DOCKER_MANIFEST:
            return False
        return wanted == document.media_type

    @property
    def packs(self) -> bool:
        """Whether layers that are not compressed become so."""
        return self._options.pack or (self._options.may_pack and not self.carrier.bound)

    def _cannot_keep(self, image: ManifestBytes) -> Unsupported:
        return Unsupported(
            f"the image's digest {image.digest} cannot be kept: the destination takes it in another form only",
            hint="leave out --preserve-digests, or choose a destination that keeps images as they are",
        )

    def _wanted(self, document: Manifest, kinds: tuple[str, ...]) -> str:
        """The type of manifest to write: what was asked for, what the sink takes, and OCI's alone for zstd."""
        options = self._options
        forced, zstd = options.manifest_type, options.target is Compression.ZSTD
        if document.is_image:
            return wanted_type(document, kinds, forced, zstd=zstd)
        wanted = forced or pick_type(document, kinds)
        if wanted != document.media_type:
            raise Unsupported(
                f"an artifact of the type {document.artifact_type or document.config.media_type} cannot be "
                f"written as {wanted}",
                hint="copy it to a registry, an OCI layout or a folder",
            )
        return wanted

    def _modern(self, document: LegacyManifest) -> tuple[ManifestBytes, bytes, Manifest]:
        """What a schema 1 manifest converts to. Its layers are read once for their sizes and plain digests."""
        from sonata.image.convert import write_manifest
        from sonata.image.legacy_config import from_legacy

        layers, diff_ids = [], []
        for layer in document.real_layers:
            stream = VerifyingReader(self._source.open_blob(layer, 0), layer.digest, -1)
            with stream:
                unpacked = Decompressor(stream)
                plain = Plain(unpacked)
                while plain.read():
                    pass
                kind = DOCKER_LAYER if unpacked.kind is Compression.NONE else f"{DOCKER_LAYER}.gzip"
                layers.append(layer.replace(media_type=kind, size=stream.done))
                diff_ids.append(plain.digest)
        config = from_legacy(document, tuple(diff_ids))
        described = Descriptor(media_type=DOCKER_CONFIG, digest=digest_of_blob(config), size=len(config))
        manifest = write_manifest(DOCKER_MANIFEST, described, layers)
        made = parse(manifest)
        assert isinstance(made, Manifest)
        return manifest, config, made

    def _blobs(self, blobs: list[Descriptor]) -> None:
        """Have these blobs in the sink as they are."""
        unique = {blob.digest: blob for blob in blobs}
        self.each(list(unique.values()), self.send)

    def each(self, blobs: Sequence[T], work: Callable[[T], U]) -> list[U]:
        """Do `work` on every blob, several at once where the place can take them so; the results in order."""
        if self._options.parallel < 2 or len(blobs) < 2 or self._options.facts.sequential:
            return [work(blob) for blob in blobs]
        from sonata.image.crew import in_order

        return list(in_order(work, blobs, self._options.parallel))

    def send(self, blob: Descriptor) -> None:
        """A blob as it is, unless the place has it. What breaks off is begun again, as often as was asked for."""
        if self.is_there(blob):
            return
        import time

        for attempt in range(self._options.retries + 1):
            try:
                stream = self._source.open_blob(blob, 0)
                try:
                    self.put(blob, stream)
                finally:
                    stream.close()
                return
            except RegistryFailure as failure:
                if not failure.details.get("temporary") or attempt == self._options.retries:
                    raise
                time.sleep(min(self._options.retry_delay * float(2**attempt), 60.0))

    def is_there(self, blob: Descriptor) -> bool:
        """Whether the place has it, if need be from another repository of the same registry."""
        host, path = self._options.near
        asked = blob.replace(annotations={**blob.annotations, _MOUNT_FROM + host: path}) if path else blob
        try:
            there = self._sink.has_blob(asked)
        except SonataError as error:
            error.message = f"trying to reuse blob {blob.digest} at destination: {error.message}"
            raise
        if not there:
            return False
        self._progress.blob(blob.digest, "exists", max(blob.size, 0), blob.size)
        return True

    def put(self, blob: Descriptor, stream: Readable) -> None:
        """Store a blob; the sink verifies it (T-03)."""
        self._sink.put_blob(blob, Told(stream, blob, self._progress))  # type: ignore[arg-type]
        self._progress.blob(blob.digest, "done", blob.size, blob.size)

    def open(self, blob: Descriptor) -> VerifyingReader:
        """A blob's verified bytes."""
        return VerifyingReader(self._source.open_blob(blob, 0), blob.digest, blob.size)

    def begin_config(self, blob: Descriptor) -> None:
        """Have it told of as what it is."""
        self._progress.blob(blob.digest, "config", 0, blob.size)

    def config(self, blob: Descriptor) -> bytes:
        """The config, verified."""
        return read_config(self._source, blob)

    @property
    def options(self) -> CopyOptions:
        """How."""
        return self._options


class _Instance:
    """One manifest on its way. `config` is what was made for schema 1; else it is read if something changes."""

    def __init__(self, one: One, document: Manifest, config: bytes, wanted: str) -> None:
        self._one = one
        self._document = document
        self._config = config
        self._wanted = wanted
        self._options = one.options
        self._diff_ids: tuple[str, ...] = ()

    def run(self, image: ManifestBytes) -> ManifestBytes:
        document = self._document
        layers = list(document.layers)
        if self._may_change():
            self._read_config()
            unique: dict[str, int] = {}
            for at, layer in enumerate(layers):
                unique.setdefault(layer.digest, at)
            made = dict(zip(unique, self._one.each(list(unique.values()), self._changed_layer), strict=True))
            layers = [made[layer.digest] for layer in layers]
        else:
            unique_layers = {layer.digest: layer for layer in layers if not self._stays_away(layer)}
            self._one.each(list(unique_layers.values()), self._one.send)
        if layers == list(document.layers) and self._wanted == document.media_type:
            self._put_config(document.config)
            return image
        self._read_config()
        converted = convert(document, self._config, self._wanted, layers)
        self._one.begin_config(converted.config)
        if not self._one.is_there(converted.config):
            self._one.put(converted.config, BytesIO(converted.config_bytes))
        return converted.manifest

    def _put_config(self, config: Descriptor) -> None:
        self._one.begin_config(config)
        if not self._config:
            self._one.send(config)
        elif not self._one.is_there(config):
            self._one.put(config, BytesIO(self._config))

    def _read_config(self) -> None:
        from sonata.image.config import check_layers
        from sonata.image.config import parse as parse_config

        if not self._config:
            self._config = self._one.config(self._document.config)
        described = parse_config(self._config)
        check_layers(described, len(self._document.layers))
        self._diff_ids = described.diff_ids

    def _may_change(self) -> bool:
        """Whether a layer may have to be packed anew; an artifact's never is, even if its config is of an image."""
        if not self._document.is_image or self._document.artifact_type:
            return False
        options = self._options
        if options.target is not None or options.pack:
            return True
        layers = [layer.media_type for layer in self._document.layers]
        if self._one.packs and any(_claimed(layer) is Compression.NONE for layer in layers):
            return True
        converts = self._wanted != self._document.media_type
        if converts and self._wanted == DOCKER_MANIFEST and any("zstd" in layer for layer in layers):
            return True
        return converts and not options.source.keeps_digests

    def _stays_away(self, layer: Descriptor) -> bool:
        """A layer with addresses stays at them, where the place takes such."""
        return self._options.addresses and bool(layer.urls)

    def _changed_layer(self, at: int) -> Descriptor:
        layer, options = self._document.layers[at], self._options
        if self._stays_away(layer):
            return layer
        if layer.media_type.endswith("+encrypted"):
            if options.facts.layer_compression != "none" and self._wanted == self._document.media_type:
                self._one.send(layer)
                return layer
            raise Unsupported(
                f"layer {layer.digest} is encrypted: it cannot be packed or described in another way",
                hint="copy it as it is, or decrypt it first, as skopeo copy --decryption-key does",
            )
        if not is_layer(layer.media_type) and self._wanted == self._document.media_type:
            self._one.send(layer)
            return layer
        target = options.target
        may_stay = target not in (None, Compression.NONE) or (not options.pack and self._one.packs)
        if may_stay and not options.force and self._one.is_there(layer):
            return self._typed(layer, _claimed(layer.media_type))
        found = self._found(layer)
        target = self._settled(target, found)
        if found is target:
            self._one.send(layer)
            return self._typed(layer, _claimed(layer.media_type) if options.source.keeps_digests else found)
        if options.preserve_digests:
            raise Unsupported(
                f"layer {layer.digest} is stored {target} there, so that digests cannot be kept",
                hint="leave out --preserve-digests",
            )
        return self._repacked(layer, target, self._diff_ids[at])

    def _settled(self, target: Compression | None, found: Compression) -> Compression:
        if target is None:
            target = Compression.GZIP if self._one.packs and found is Compression.NONE else found
        if self._wanted == DOCKER_MANIFEST and target is Compression.ZSTD:
            # Docker's own manifests of such layers there are, though no engine should make one.
            return (
                Compression.ZSTD if found is target and self._wanted == self._document.media_type else Compression.GZIP
            )
        return target

    def _found(self, layer: Descriptor) -> Compression:
        """What a layer is packed with: what its type says, where the source's word is worth something."""
        claimed = _claimed(layer.media_type)
        if self._options.source.keeps_digests and claimed is not Compression.NONE:
            return claimed
        with self._one.open(layer) as stream:
            return Decompressor(stream).kind

    def _typed(self, layer: Descriptor, kind: Compression) -> Descriptor:
        word = "" if kind is Compression.NONE else str(kind)
        if self._wanted == self._document.media_type and kind is _claimed(layer.media_type):
            return layer
        return layer.replace(media_type=layer_type(layer.media_type, self._wanted, word))

    def _pack(self, stream: VerifyingReader, target: Compression) -> Packed:
        options = self._options
        plain = Decompressor(stream)
        return pack(plain, target, options.level, options.spool, chunked=options.chunked)

    def _repacked(self, layer: Descriptor, target: Compression, diff_id: str) -> Descriptor:
        with (
            self._one.open(layer) as stream,
            self._pack(stream, target) as packed,
        ):
            if packed.diff_digest != diff_id:
                raise Damaged(
                    f"layer {layer.digest} does not match the image's config: it unpacks to {packed.diff_digest}, "
                    f"the config says {diff_id}"
                )
            made = self._typed(layer, target).replace(
                digest=packed.digest, size=packed.size, annotations={**_plain_notes(layer), **packed.notes}
            )
            if not self._one.is_there(made):
                self._one.put(made, packed.file)
        return made


def _claimed(media_type: str) -> Compression:
    for kind in (Compression.GZIP, Compression.ZSTD):
        if media_type.endswith(("+" + kind, "." + kind)):
            return kind
    return Compression.NONE


def _plain_notes(layer: Descriptor) -> dict[str, str]:
    """A layer's annotations without what is so of its former packing only."""
    return {key: text for key, text in layer.annotations.items() if "zstd-chunked" not in key and "stargz" not in key}
