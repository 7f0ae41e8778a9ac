"""Reading an image from an OCI layout."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import check_digest
from sonata_transport_oci.layout import entries, find, manifest_bytes
from sonata_transport_oci.tree import blob_path

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Descriptor, ImageReference, ManifestBytes
    from sonata_transport_oci.tree import Tree


class OciSource:
    """An image of a layout in a folder or an archive."""

    def __init__(self, tree: Tree, reference: ImageReference) -> None:
        self._tree = tree
        self._reference = reference

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tree.close()

    def resolve(self) -> ManifestBytes:
        """What the layout's index has for the reference. Raises NotFound, UsageError, Damaged."""
        path = self._reference.path
        entry = find(entries(self._tree, path), self._reference.selector, path)
        digest = check_digest(entry.get("digest"))
        return manifest_bytes(self._tree, blob_path(digest), digest, entry.get("mediaType"))

    def manifest(self, digest: Digest) -> ManifestBytes:
        """A manifest by digest: it lies among the blobs."""
        return manifest_bytes(self._tree, blob_path(digest), digest, None)

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        """A stream of a blob. Raises NotFound."""
        return self._tree.open(blob_path(blob.digest), offset).as_binary()

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """A layout keeps none."""
        check_digest(digest)
        return ()
