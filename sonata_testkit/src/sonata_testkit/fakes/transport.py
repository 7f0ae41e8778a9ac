"""A transport whose images lie in memory, for tests of what pulls and pushes."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from sonata_core.errors import Damaged, NotFound, UsageError
from sonata_core.hookspecs.transport import TransportHooks, TransportTags, TransportWrite
from sonata_core.markers import hookimpl
from sonata_core.models.image import ImageReference, ManifestBytes, TransportFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.sdk.holding import HoldsNothing

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata_core.context import PluginContext
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Descriptor, ImageSink, ImageSource, TransportOptions


class FakeTransport(TransportHooks, TransportWrite, TransportTags):
    """Images by name. `blobs`, `manifests` and `names` may be looked at and changed."""

    def __init__(self, context: PluginContext) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, ManifestBytes] = {}
        self.names: dict[str, ManifestBytes] = {}

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="fake", version="0.1.0", summary="images in memory", contract="transport/1.0")

    @hookimpl
    def transport_facts(self) -> TransportFacts:
        return TransportFacts(schemes=("fake",), multi_image=True, writes=True)

    @hookimpl
    def transport_parse(self, text: str) -> ImageReference:
        if not text or "\0" in text:
            raise UsageError("fake: no name is given", hint="write fake:NAME")
        return ImageReference(transport="fake", rest=text, name=text)

    @hookimpl
    def transport_open_source(self, reference: ImageReference, options: TransportOptions) -> ImageSource:
        return _Source(self, reference)

    @hookimpl
    def transport_open_sink(self, reference: ImageReference, options: TransportOptions) -> ImageSink:
        return _Sink(self, reference)

    @hookimpl
    def transport_tags(self, reference: ImageReference, options: TransportOptions) -> tuple[str, ...]:
        return tuple(self.names)


class _Handle(HoldsNothing):
    def __init__(self, place: FakeTransport, reference: ImageReference) -> None:
        self._place, self._name = place, reference.rest


class _Source(_Handle):
    def resolve(self) -> ManifestBytes:
        if self._name not in self._place.names:
            raise NotFound(f"fake: no image {self._name}")
        return self._place.names[self._name]

    def manifest(self, digest: Digest) -> ManifestBytes:
        if digest not in self._place.manifests:
            raise NotFound(f"fake: no manifest {digest}")
        return self._place.manifests[digest]

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        if blob.digest not in self._place.blobs:
            raise NotFound(f"fake: no blob {blob.digest}")
        return io.BytesIO(self._place.blobs[blob.digest][offset:])

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        return ()


class _Sink(_Handle):
    def has_blob(self, blob: Descriptor) -> bool:
        return blob.digest in self._place.blobs

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        content = stream.read()
        if len(content) != blob.size or hashlib.sha256(content).hexdigest() != blob.digest.partition(":")[2]:
            raise Damaged(f"blob {blob.digest} does not verify")
        self._place.blobs[blob.digest] = content

    def put_manifest(self, manifest: ManifestBytes) -> None:
        self._place.manifests[manifest.digest] = manifest

    def commit(self, manifest: ManifestBytes) -> None:
        self.put_manifest(manifest)
        self._place.names[self._name] = manifest
