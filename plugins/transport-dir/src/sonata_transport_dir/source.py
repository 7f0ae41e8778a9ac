"""Reading an image from a folder of the `dir` transport."""

from __future__ import annotations

import os

from sonata_core.errors import NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import MANIFEST_LIMIT
from sonata_core.naming import check_digest, digest_parts, shown
from sonata_core.sdk.content import Section, open_regular, read_small
from sonata_core.sdk.holding import HoldsNothing
from sonata_core.sdk.manifests import digest_of, media_type_of
from sonata_core.sdk.signatures import LARGEST, require_bounded

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Descriptor

VERSION = b"Directory Transport Version: "
KNOWN = (b"1.1\n", b"1.2\n")


def blob_name(digest: str) -> str:
    """The file of a blob: its hex part, with the algorithm in front if that is not sha256. Raises Damaged."""
    algorithm, hexadecimal = digest_parts(digest)
    return hexadecimal if algorithm == "sha256" else f"{algorithm}-{hexadecimal}"


def check_version(folder: str) -> None:
    """Refuse a folder that the transport did not write, or not in a way that is known. Raises NotFound, Unsupported."""
    version = read_small(f"{folder}/version", 256)
    if not version.startswith(VERSION) or version.removeprefix(VERSION) not in KNOWN:
        raise Unsupported(f"{folder}: version {shown(version.decode(errors='replace'))} is not known")


class DirSource(HoldsNothing):
    """A folder with one image or list."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def resolve(self) -> ManifestBytes:
        """`manifest.json`. Raises NotFound, Damaged, Unsupported."""
        try:
            content = read_small(f"{self._folder}/manifest.json", MANIFEST_LIMIT)
        except NotFound as error:
            raise NotFound(f"{self._folder} holds no image: it has no manifest.json") from error
        try:
            check_version(self._folder)
        except NotFound:
            pass  # as peers: a folder without `version` is read, and only never overwritten
        return ManifestBytes(media_type=media_type_of(content), digest=digest_of(content), content=content)

    def manifest(self, digest: Digest) -> ManifestBytes:
        """A manifest of the list, or the one that there is. Raises NotFound, Damaged."""
        try:
            content = read_small(f"{self._folder}/{blob_name(digest)}.manifest.json", MANIFEST_LIMIT)
        except NotFound:
            top = self.resolve()
            if digest_of(top.content, digest_parts(digest)[0]) != digest:
                raise
            return top.replace(digest=digest)
        return ManifestBytes(media_type=media_type_of(content), digest=check_digest(digest), content=content)

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        """A stream of a blob. Raises NotFound."""
        fd, size = open_regular(f"{self._folder}/{blob_name(blob.digest)}")
        skipped = min(offset, size)
        return Section(fd, skipped, size - skipped, os.close).as_binary()

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """The signature files of a manifest, in order, until the first that is missing. Raises Damaged."""
        prefix = signature_prefix(self.resolve(), digest)
        found: list[bytes] = []
        while True:
            try:
                found.append(read_small(f"{self._folder}/{prefix}signature-{len(found) + 1}", LARGEST))
            except NotFound:
                return tuple(found)
            require_bounded((len(one) for one in found), self._folder)


def signature_prefix(top: ManifestBytes, digest: Digest) -> str:
    """What the names of a manifest's signature files begin with: nothing for the folder's own manifest."""
    return "" if top.digest == digest else f"{blob_name(digest)}."
