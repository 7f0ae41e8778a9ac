"""What pulls and pushes learn of where blobs lie, told to the next push: it mounts them in place of sending them."""

from __future__ import annotations

from sonata.image.blob_places import BlobPlaces
from sonata.image.manifest import Manifest, parse
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

    from sonata.engine.engine import Engine
    from sonata_core.models.image import Descriptor, Endpoint, ImageSink, ManifestBytes, TransportOptions

_SOURCE = "containerd.io/distribution.source."
"""Annotation of a descriptor: repositories of that host which have the blob (clause T-17 of transports)."""


def places(engine: Engine) -> BlobPlaces:
    """The cache of this store."""
    return BlobPlaces(f"{engine.config.paths.static_dir}/blob-places.db")


def learn(engine: Engine, endpoint: Endpoint, manifest: ManifestBytes) -> None:
    """The repository of an endpoint has all that a manifest names."""
    document = parse(manifest)
    if isinstance(document, Manifest):
        name = parse_name(endpoint.reference)
        blobs = (document.config, *document.layers)
        places(engine).learn(name.domain, name.path, [one.digest for one in blobs if not one.urls])


def mounting(engine: Engine, sink: ImageSink, options: TransportOptions, beside: Endpoint | None = None) -> ImageSink:
    """A sink that mounts what it need not be sent; one that is no registry's is returned as it is.

    `beside` is where the image comes from, if that is a registry.
    """
    return MountingSink(engine, sink, options.endpoints[-1], beside) if options.endpoints else sink


class MountingSink:
    """A sink of a registry that is told where else on its host each blob lies."""

    def __init__(self, engine: Engine, sink: ImageSink, endpoint: Endpoint, beside: Endpoint | None = None) -> None:
        self._engine = engine
        self._sink = sink
        self._endpoint = endpoint
        self._name = parse_name(endpoint.reference)
        self._places = places(engine)
        self._beside = parse_name(beside.reference) if beside else None

    def __enter__(self) -> Self:
        self._sink.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.__exit__(kind, error, trace)

    def has_blob(self, blob: Descriptor) -> bool:
        """As the sink's own, which may take the blob from next door."""
        host = self._name.domain
        beside = [self._beside.path] if self._beside and self._beside.domain == host else []
        others = dict.fromkeys((*beside, *self._places.find(host, blob.digest)))
        others.pop(self._name.path, None)
        known = blob.annotations.get(_SOURCE + host, "")
        if others and not known:
            blob = blob.replace(annotations={**blob.annotations, _SOURCE + host: ",".join(others)})
        return self._sink.has_blob(blob)

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        """As the sink's own."""
        self._sink.put_blob(blob, stream)

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """As the sink's own, and remembered."""
        self._sink.put_manifest(manifest)
        learn(self._engine, self._endpoint, manifest)

    def commit(self, manifest: ManifestBytes) -> None:
        """As the sink's own, and remembered."""
        self._sink.commit(manifest)
        learn(self._engine, self._endpoint, manifest)
