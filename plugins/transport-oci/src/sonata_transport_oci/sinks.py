"""Writing an image to an OCI layout: in a folder, next to what is there, or as a new archive."""

from __future__ import annotations

import os
from io import BytesIO

from sonata_core.errors import NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Descriptor
from sonata_core.models.media import DOCKER_LIST, DOCKER_MANIFEST, MANIFEST_LIMIT, OCI_INDEX, OCI_MANIFEST
from sonata_core.naming import digest_parts
from sonata_core.sdk.content import NewFile, make_folder, store_blob, store_bytes
from sonata_core.sdk.tar_write import TarWriter
from sonata_transport_oci.layout import LAYOUT, parse_entries, with_image
from sonata_transport_oci.tree import FolderTree, blob_path

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

    from sonata_core.models.image import ImageReference, ManifestBytes

MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX)


_TAKEN = (*MANIFEST_TYPES, DOCKER_MANIFEST, DOCKER_LIST)
"""A layout may hold anything: what was asked for is taken in Docker's form too."""


def _require_known(manifest: ManifestBytes) -> Descriptor:
    if manifest.media_type not in _TAKEN:
        raise Unsupported(f"an OCI layout holds no manifests of type {manifest.media_type}")
    return Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=len(manifest.content))


class FolderSink:
    """A layout in a folder. Blobs lie there by digest at once; the index, rewritten last, makes them an image."""

    def __init__(self, reference: ImageReference) -> None:
        self._folder = reference.path
        self._name = reference.selector

    def __enter__(self) -> Self:
        make_folder(f"{self._folder}/blobs/sha256")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Blobs of an image that was not committed stay: another image may have them in common."""

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether a blob of that digest and size is there: it could only get its name by verifying."""
        try:
            found = os.stat(f"{self._folder}/{blob_path(blob.digest)}", follow_symlinks=False)
        except FileNotFoundError:
            return False
        return blob.size in (-1, found.st_size)

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Store a blob. Raises Damaged."""
        algorithm, _ = digest_parts(blob.digest)
        make_folder(f"{self._folder}/blobs/{algorithm}")
        store_blob(f"{self._folder}/{blob_path(blob.digest)}", blob, stream)

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """Store a manifest among the blobs. Raises Damaged, Unsupported."""
        blob = _require_known(manifest)
        if not self.has_blob(blob):
            self.put_blob(blob, BytesIO(manifest.content))

    def commit(self, manifest: ManifestBytes) -> None:
        """Put the image into the index, under the reference's name."""
        self.put_manifest(manifest)
        try:
            content = FolderTree(self._folder).read("index.json", MANIFEST_LIMIT)
            found = parse_entries(content, self._folder)
        except NotFound:
            found = []
        store_bytes(f"{self._folder}/oci-layout", LAYOUT)
        store_bytes(f"{self._folder}/index.json", with_image(found, manifest, self._name))


class ArchiveSink:
    """A layout as a tar archive: written beside its place, and put there by `commit`."""

    def __init__(self, reference: ImageReference) -> None:
        from threading import Lock

        self._name = reference.selector
        self._file = NewFile(reference.path)
        self._stored: set[str] = set()
        self._lock = Lock()
        self._committed = ""

    def __enter__(self) -> Self:
        self._file.__enter__()
        self._tar = TarWriter(self._file.fd, mode=0o644)
        self._tar.add_folder("blobs/")
        self._tar.add_folder("blobs/sha256/")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__()

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob was put already."""
        return blob.digest in self._stored

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Append a blob. Raises Damaged, and the archive is as before."""
        with self._lock:
            if blob.digest not in self._stored:
                self._tar.add_blob(blob_path(blob.digest), blob, stream)
                self._stored.add(blob.digest)

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """Append a manifest among the blobs. Raises Damaged, Unsupported."""
        self.put_blob(_require_known(manifest), BytesIO(manifest.content))

    def commit(self, manifest: ManifestBytes) -> None:
        """Write the index, and give the archive its name."""
        if self._committed == manifest.digest:
            return
        self.put_manifest(manifest)
        self._tar.add_bytes("index.json", with_image([], manifest, self._name))
        self._tar.add_bytes("oci-layout", LAYOUT)
        self._tar.end()
        self._file.keep()
        self._committed = manifest.digest
