"""Writing an image to a folder of the `dir` transport."""

from __future__ import annotations

import os

from sonata_core.errors import Conflict, NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Descriptor
from sonata_core.sdk.content import file_error, make_folder, store_blob, store_bytes
from sonata_core.sdk.trees import remove_tree
from sonata_transport_dir.source import KNOWN, VERSION, blob_name, check_version

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

    from sonata_core.models.image import ManifestBytes

_STAGE = ".new."
_ORDERED = ("version", "manifest.json")


class DirSink:
    """A folder. What is put lies in a folder inside until `commit` puts it in the older image's place.

    The manifest goes first and comes last, so that a reader never sees one whose blobs are not there;
    `version` comes first, so that a folder whose writer was killed is known as ours.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._stage = ""
        self._made = False
        self._lock = -1
        self._other_digests = False
        self._committed = ""

    def __enter__(self) -> Self:
        try:
            self._lock = self._claimed()
        except OSError as error:
            raise file_error(f"mkdir {self._folder}", error) from error
        try:
            if not self._made:
                self._require_ours()
            self._stage = f"{self._folder}/{_STAGE}{os.urandom(6).hex()}"
            make_folder(self._stage)
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def _claimed(self) -> int:
        """The folder, locked until the descriptor is closed: another writer waits, and never clears away our stage."""
        from fcntl import LOCK_EX, flock

        while True:
            try:
                os.makedirs(self._folder)
                self._made = True
            except FileExistsError:
                self._made = False
            try:
                held = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # its writer gave up, and took it away
            try:
                flock(held, LOCK_EX)
            except OSError:
                return held  # a file system without locks
            except BaseException:
                os.close(held)
                raise
            try:
                if os.path.samestat(os.stat(self._folder), os.fstat(held)):
                    return held
            except FileNotFoundError:
                pass
            os.close(held)

    def _require_ours(self) -> None:
        try:
            if all(name.startswith(_STAGE) for name in os.listdir(self._folder)):
                return  # empty, or left by a writer that was killed
            check_version(self._folder)
        except (NotFound, Unsupported) as error:
            raise Conflict(
                f"{self._folder} is not empty, and was not written by this transport",
                hint="choose another folder: this one would be emptied",
            ) from error
        except OSError as error:
            raise file_error(f"open {self._folder}", error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._clear()
        finally:
            os.close(self._lock)

    def _clear(self) -> None:
        remove_tree(self._stage)
        if self._made and not self._committed:
            try:
                os.rmdir(self._folder)
            except OSError:
                return  # somebody else has put something there

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob was put already."""
        return os.path.exists(f"{self._stage}/{blob_name(blob.digest)}")

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Store a blob. Raises Damaged."""
        self._other_digests |= not blob.digest.startswith("sha256:")
        store_blob(f"{self._stage}/{blob_name(blob.digest)}", blob, stream)

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """Store a manifest by its digest: an instance of a list. Raises Damaged."""
        from io import BytesIO

        blob = Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=len(manifest.content))
        store_blob(f"{self._stage}/{blob_name(manifest.digest)}.manifest.json", blob, BytesIO(manifest.content))

    def commit(self, manifest: ManifestBytes) -> None:
        """Make the folder hold this image and nothing else."""
        if self._committed == manifest.digest:
            return
        own = f"{blob_name(manifest.digest)}.manifest.json"
        store_bytes(f"{self._stage}/version", VERSION + KNOWN[self._other_digests])
        store_bytes(f"{self._stage}/manifest.json", manifest.content)
        try:
            self._replace(own)
        except OSError as error:
            raise file_error(f"write {self._folder}", error) from error
        self._committed = manifest.digest

    def _replace(self, own: str) -> None:
        new = [name for name in os.listdir(self._stage) if name not in (own, *_ORDERED)]
        old = [name for name in os.listdir(self._folder) if f"{self._folder}/{name}" != self._stage]
        for name in sorted(old, key=lambda name: name != "manifest.json"):
            if name != "version":
                remove_tree(f"{self._folder}/{name}")
        for name in ("version", *new, "manifest.json"):
            os.replace(f"{self._stage}/{name}", f"{self._folder}/{name}")
