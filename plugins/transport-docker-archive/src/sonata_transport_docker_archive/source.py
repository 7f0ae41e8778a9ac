"""Reading an image from a docker-archive: its manifest is made up, from its config and its layers' sizes."""

from __future__ import annotations

import hashlib
import io
import json

from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, MANIFEST_LIMIT
from sonata_core.naming import check_digest
from sonata_core.sdk.content import BLOCK
from sonata_core.sdk.manifests import load_object
from sonata_core.sdk.outer import HEAD, compression_of, decompressed
from sonata_transport_docker_archive.archive import choose, read_items

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any, BinaryIO, Self

    from sonata_core.models.image import Descriptor, ImageReference
    from sonata_core.sdk.tar_index import TarIndex


class DockerArchiveSource:
    """An image of an archive. Blobs are the config and the layers' uncompressed bytes."""

    def __init__(self, index: TarIndex, reference: ImageReference) -> None:
        from threading import Lock

        self._index = index
        self._reference = reference
        self._lock = Lock()
        self._manifest: ManifestBytes | None = None
        self._config: tuple[str, bytes] = ("", b"")
        self._layers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._index.close()

    def resolve(self) -> ManifestBytes:
        """A Docker manifest as peers make it up, so that its digest is theirs. Raises NotFound, UsageError, Damaged."""
        with self._lock:
            if self._manifest is None:
                self._manifest = self._make()
            return self._manifest

    def _make(self) -> ManifestBytes:
        where = self._reference.path
        item = choose(read_items(self._index, where), self._reference.selector, where)
        config = self._index.read(item.config, MANIFEST_LIMIT)
        diff_ids = _diff_ids(config, where)
        if len(diff_ids) != len(item.layers):
            raise Damaged(f"{where}: {len(item.layers)} layers, but the config names {len(diff_ids)}")
        digest = "sha256:" + hashlib.sha256(config).hexdigest()
        self._config = (digest, config)
        layers = []
        for diff_id, path in zip(diff_ids, item.layers, strict=True):
            self._layers.setdefault(diff_id, path)
            size = self._uncompressed_size(path)
            layers.append({"mediaType": f"{DOCKER_LAYER}.gzip", "size": size, "digest": diff_id})
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "size": len(config), "digest": digest},
            "layers": layers,
        }
        content = json.dumps(document, separators=(",", ":")).encode()
        own = Digest("sha256:" + hashlib.sha256(content).hexdigest())
        return ManifestBytes(media_type=DOCKER_MANIFEST, digest=own, content=content)

    def _uncompressed_size(self, path: str) -> int:
        """The size of a layer's tar; of a compressed one it must be found out by reading it."""
        place = self._index.find(path)
        with self._index.open(path) as stream:
            name = compression_of(stream.read(HEAD))
        if not name:
            return place.size
        return sum(len(chunk) for chunk in self._unpacked(path, name))

    def _unpacked(self, path: str, name: str) -> Iterator[bytes]:
        stream = self._index.open(path)
        return decompressed(name, lambda: stream.read(BLOCK))

    def manifest(self, digest: Digest) -> ManifestBytes:
        """The one that there is. Raises NotFound for any other."""
        found = self.resolve()
        if found.digest != digest:
            raise NotFound(f"{self._reference.path} holds no manifest {check_digest(digest)}")
        return found

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        """The config, or a layer's uncompressed bytes. Raises NotFound, Damaged."""
        self.resolve()
        if blob.digest == self._config[0]:
            return io.BytesIO(self._config[1][offset:])
        path = self._layers.get(blob.digest)
        if path is None:
            raise NotFound(f"{self._reference.path} holds no blob {check_digest(blob.digest)}")
        with self._index.open(path) as stream:
            name = compression_of(stream.read(HEAD))
        if not name:
            return self._index.open(path, offset).as_binary()
        return _Unpacked(self._unpacked(path, name), offset).as_binary()

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """An archive keeps none."""
        check_digest(digest)
        return ()


def _diff_ids(config: bytes, where: str) -> tuple[Digest, ...]:
    rootfs: Any = load_object(config, f"config of {where}").get("rootfs") or {}
    found = (rootfs.get("diff_ids") or []) if isinstance(rootfs, dict) else []
    if not isinstance(found, list):
        raise Damaged(f"config of {where}: diff_ids is no list")
    return tuple(check_digest(item) for item in found)


class _Unpacked(io.RawIOBase):
    """A stream over chunks, from an offset on."""

    def __init__(self, chunks: Iterator[bytes], offset: int) -> None:
        self._chunks = chunks
        self._left = b""
        self._skip = offset

    def as_binary(self) -> BinaryIO:
        """The contract's type."""
        return self  # type: ignore[return-value]

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        if size is None or size < 0:
            return self._left + b"".join(self._chunks)
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            skipped = min(self._skip, len(chunk))
            self._skip -= skipped
            self._left = chunk[skipped:]
        found, self._left = self._left[:size], self._left[size:]
        return found

    def readinto(self, buffer: Any, /) -> int:
        """As of `io.RawIOBase`."""
        view = memoryview(buffer).cast("B")
        chunk = self.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)
