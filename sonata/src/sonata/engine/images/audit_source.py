"""What `image audit` looks at: an image of a store, or of any place that a transport reads."""

from __future__ import annotations

from contextlib import contextmanager
from io import BufferedReader

from sonata_core.errors import NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sonata.engine.engine import Engine
    from sonata.image.audit import Heads
    from sonata.image.limits import Limits
    from sonata.model.image import ImageConfig
    from sonata.model.image_request import PullOptions
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata_core.models.image import Descriptor, ImageReference, ImageSource, ManifestBytes


class Layer:
    """One layer: `open` gives its tar; its `size` in bytes is known once that was read."""

    def __init__(self, digest: str, size: int, opened: Callable[[Layer], AbstractContextManager[Heads]]) -> None:
        self.digest = digest
        self.size = size
        self._opened = opened

    def open(self) -> AbstractContextManager[Heads]:
        """The tar, to be read once."""
        return self._opened(self)


class Subject:
    """An image. `reference` is where it lies, if not in a store."""

    def __init__(self, config: ImageConfig, manifest: ManifestBytes | None, layers: tuple[Layer, ...]) -> None:
        self.config = config
        self.manifest = manifest
        self.layers = layers
        self.id = ""
        self.names: tuple[str, ...] = ()
        self.digest = ""
        self.signatures: tuple[bytes, ...] = ()
        self.reference: ImageReference | None = None


def subject_of_record(engine: Engine, record: ImageRecord) -> Subject:
    """An image of the store. Raises NotFound, Damaged."""
    from sonata.engine.images.facts import read_config
    from sonata.engine.images.stored import layer_chain
    from sonata.store.signatures import stored_signatures

    manifest = _stored_manifest(engine, record)
    layers = tuple(
        Layer(str(one.diff_digest), max(one.diff_size, 0), _opener(engine, one))
        for one in layer_chain(engine.store, record)
    )
    subject = Subject(read_config(engine, record), manifest, layers)
    subject.id = record.id
    subject.names = tuple(record.names)
    subject.digest = str(record.digest or "")
    if manifest is not None:
        subject.signatures = stored_signatures(engine.store, record, manifest.digest)
    return subject


def _stored_manifest(engine: Engine, record: ImageRecord) -> ManifestBytes | None:
    """The image's own manifest; None where the store has none."""
    from sonata_core.models.image import ManifestBytes
    from sonata_core.sdk.manifests import digest_of

    try:
        content = engine.store.image_data(record, "manifest")
    except NotFound:
        return None
    return ManifestBytes(media_type="", digest=digest_of(content), content=content)


def _opener(engine: Engine, layer: LayerRecord) -> Callable[[Layer], AbstractContextManager[Heads]]:
    from sonata.engine.images.stored import open_heads

    return lambda _: open_heads(engine.store, lambda ref: engine.storage.hook.storage_contents(layer=ref), layer)


@contextmanager
def subject_of_source(engine: Engine, text: str, options: PullOptions) -> Iterator[Subject]:
    """An image where a transport finds it; it is judged by the policy, and looked at whatever that says.

    Raises NotFound, Damaged, Unsupported (an artifact, encrypted layers), RegistryFailure.
    """
    from sonata.engine.images.ends import source_end
    from sonata.engine.images.pull import transfer_options

    end = source_end(engine, text, options)
    transfer = transfer_options(engine, options, end.options)
    with end.slot.hook.transport_open_source(reference=end.reference, options=end.options) as source:
        subject = _subject(source, transfer.platform, transfer.limits)
        subject.names = (text,)
        subject.reference = end.reference
        assert subject.manifest is not None
        subject.signatures = source.signatures(subject.manifest.digest)
        yield subject


def _subject(source: ImageSource, platform: object, limits: Limits) -> Subject:
    from sonata.image.config import check_layers, parse
    from sonata.image.manifest import LegacyManifest
    from sonata.image.transfer import choose_image, read_config, refuse_encrypted

    chosen = choose_image(source, platform)  # type: ignore[arg-type]
    document = chosen.document
    if isinstance(document, LegacyManifest):
        raise Unsupported(
            f"{chosen.manifest.digest} has a manifest of schema 1, whose layers cannot be looked at in place",
            hint="pull it, and look at it in the store",
        )
    if not document.is_image:
        raise Unsupported(
            f"{chosen.manifest.digest} is no image: its config is of the type {document.config.media_type!r}",
            hint="artifacts have no layers of files",
        )
    refuse_encrypted(document.layers)
    config = parse(read_config(source, document.config))
    check_layers(config, len(document.layers))
    layers = tuple(
        Layer(str(diff_id), 0, _blob_opener(source, blob, limits))
        for diff_id, blob in zip(config.diff_ids, document.layers, strict=True)
    )
    subject = Subject(config, chosen.manifest, layers)
    subject.id = document.config.digest.partition(":")[2]
    subject.digest = str(chosen.manifest.digest)
    return subject


def _blob_opener(
    source: ImageSource, blob: Descriptor, limits: Limits
) -> Callable[[Layer], AbstractContextManager[Heads]]:
    """Opens a layer's blob: verified against its digest, and bounded in what it unpacks to."""
    from sonata.image.layers.compress import decompressed
    from sonata.image.layers.feed import Feed
    from sonata.image.layers.heads import OfFeed
    from sonata.image.verify import VerifyingReader

    @contextmanager
    def opened(layer: Layer) -> Iterator[Heads]:
        reader = VerifyingReader(source.open_blob(blob, 0), blob.digest, blob.size)
        plain: BufferedReader = decompressed(reader)
        feed = Feed(plain, limits.of_blob(blob.size).size, hashed=False)
        try:
            yield OfFeed(feed)
            for _ in feed.rest():  # to the end, where the digest is checked
                pass
            layer.size = feed.size
        finally:
            feed.close()
            reader.close()

    return opened
