"""The store of artifacts: an OCI layout in `<graphroot>/artifacts`, shared with Podman and locked as it locks it.

The index names the artifacts. A blob gets its name only when it is whole and verified, and the index is
written last: what a killed process leaves is never seen, and goes with the next removal.
"""

from __future__ import annotations

import json
import os

from sonata.image.artifact import EMPTY, EMPTY_BLOB, Artifact, find, parse_artifact
from sonata_core.errors import Damaged, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes
from sonata_core.models.media import MANIFEST_LIMIT, OCI_INDEX
from sonata_core.naming import check_digest, digest_parts
from sonata_core.sdk.content import NewFile, file_error, make_folder, open_regular, read_small, store_bytes, write_all
from sonata_core.sdk.locks import FileLock, lock_file
from sonata_core.sdk.manifests import load_object, media_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_REF_NAME = "org.opencontainers.image.ref.name"
_BLOCK = 1 << 20


class ArtifactStore:
    """The layout in `folder`. Nothing is made before something is written."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def entries(self) -> list[dict[str, Any]]:
        """The index as it is now. Raises Damaged."""
        if not os.path.isdir(self.folder):
            return []
        with self._lock(shared=True):
            return self._read()

    def changing(self) -> ArtifactChange:
        """`with store.changing() as change`: the store for this process alone."""
        return ArtifactChange(self)

    def _lock(self, *, shared: bool) -> FileLock:
        return lock_file(f"{self.folder}/index.lock", shared=shared)

    def _read(self) -> list[dict[str, Any]]:
        try:
            content = read_small(f"{self.folder}/index.json", MANIFEST_LIMIT)
        except NotFound:
            return []
        found = load_object(content, f"index.json of {self.folder}").get("manifests") or []
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise Damaged(f"index.json of {self.folder}: manifests is no list of descriptors")
        return found

    def names(self) -> list[tuple[str, Digest]]:
        """Name and digest of every artifact, in the index's order."""
        return names(self.entries())

    def get(self, text: str) -> Artifact:
        """The artifact that a name, or the first digits of a digest, mean. Raises NotFound, Damaged."""
        return self.chosen(lambda known: find(known, text))

    def chosen(self, choose: Callable[[list[tuple[str, Digest]]], tuple[str, Digest]]) -> Artifact:
        """The artifact that `choose` takes of all names and digests. Whoever removes it waits until it is read."""
        if not os.path.isdir(self.folder):
            return self.read(*choose([]))
        with self._lock(shared=True):
            return self.read(*choose(names(self._read())))

    def all(self) -> tuple[list[Artifact], list[SonataError]]:
        """All artifacts in the index's order, as they are at one moment, and what is wrong with the others."""
        found: list[Artifact] = []
        failed: list[SonataError] = []
        if not os.path.isdir(self.folder):
            return found, failed
        with self._lock(shared=True):
            for name, digest in names(self._read()):
                try:
                    found.append(self.read(name, digest))
                except SonataError as error:
                    error.details.setdefault("object", name)
                    failed.append(error)
        return found, failed

    def read(self, name: str, digest: Digest) -> Artifact:
        """An artifact of the index, its manifest verified: in a store that is locked, or it may be removed meanwhile.

        Raises NotFound, Damaged.
        """
        from sonata.image.verify import verify_bytes

        try:
            content = read_small(self.blob_path(digest), MANIFEST_LIMIT)
        except NotFound as error:
            raise Damaged(f"{name}: the store of artifacts lacks its manifest {digest}") from error
        verify_bytes(content, digest, f"the manifest of {name}")
        return parse_artifact(name, ManifestBytes(media_type=media_type_of(content), digest=digest, content=content))

    def blob_path(self, digest: str) -> str:
        """The file of a blob, whether it is there or not. Raises Damaged for what is no digest."""
        algorithm, text = digest_parts(digest)
        return f"{self.folder}/blobs/{algorithm}/{text}"

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is there, with the size that it must have: it could only get its name by verifying."""
        return _is_file(self.blob_path(blob.digest), blob.size)

    def unneeded(self) -> list[str]:
        """Paths of files that no artifact needs now."""
        if not os.path.isdir(self.folder):
            return []
        with self._lock(shared=True):
            return self.unneeded_of(self._read())

    def unneeded_of(self, entries: list[dict[str, Any]]) -> list[str]:
        """The same for an index's entries, in a store that is locked.

        Where a manifest cannot be read nobody knows what it needs, and everything is needed.
        """
        try:
            needed = {one for _, digest in names(entries) for one in self._needs(digest, 0)}
        except SonataError:
            return []
        top = f"{self.folder}/blobs"
        folders = os.listdir(top) if os.path.isdir(top) else []
        found = [(folder, name) for folder in folders for name in os.listdir(f"{top}/{folder}")]
        return [f"{top}/{folder}/{name}" for folder, name in found if f"{folder}:{name}" not in needed]

    def _needs(self, digest: Digest, depth: int) -> list[str]:
        """The digests of a manifest's blobs, its own too; of an index, those of all its manifests."""
        content = load_object(read_small(self.blob_path(digest), MANIFEST_LIMIT), "manifest")
        found: list[str] = [digest]
        parts: list[Any] = [content.get("config"), *_list(content.get("layers"))]
        found += [check_digest(part.get("digest")) for part in parts if isinstance(part, dict)]
        for part in _list(content.get("manifests")):
            inner = check_digest(part.get("digest")) if isinstance(part, dict) else ""
            if depth < 4 and inner and os.path.exists(self.blob_path(inner)):
                found += self._needs(Digest(inner), depth + 1)
        return found

    def open_blob(self, blob: Descriptor) -> BinaryIO:
        """A stream of a blob, not verified. Raises NotFound, Damaged where its size is another."""
        from sonata_core.sdk.content import Section

        fd, size = open_regular(self.blob_path(blob.digest))
        if size != blob.size:
            os.close(fd)
            raise Damaged(f"the store's copy of {blob.digest} has {size} bytes; its manifest says {blob.size}")
        return Section(fd, 0, size, os.close).as_binary()


def names(entries: Iterable[dict[str, Any]]) -> list[tuple[str, Digest]]:
    """Name and digest of each entry of an index. Raises Damaged."""
    return [(_name(entry), check_digest(entry.get("digest"))) for entry in entries]


def _name(entry: dict[str, Any]) -> str:
    annotations = entry.get("annotations") or {}
    name = annotations.get(_REF_NAME, "") if isinstance(annotations, dict) else ""
    return name if isinstance(name, str) else ""


class ArtifactChange:
    """What may be done to a store while it is locked. Entries change at once with `commit`, or not at all."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._lock: FileLock | None = None
        self.entries: list[dict[str, Any]] = []

    def __enter__(self) -> ArtifactChange:
        folder = self._store.folder
        make_folder(os.path.dirname(folder), 0o700)
        make_folder(folder, 0o700)
        self._lock = self._store._lock(shared=False)
        try:
            self.entries = self._store._read()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def find(self, text: str) -> tuple[str, Digest]:
        """As `ArtifactStore.get`, without its manifest."""
        return find(names(self.entries), text)

    def has(self, name: str) -> bool:
        """Whether an artifact has this very name."""
        return any(_name(entry) == name for entry in self.entries)

    def put(self, name: str, manifest: ManifestBytes) -> None:
        """Give a manifest the name; who had it before loses its place. Seen after `commit`."""
        self._blob_of(manifest.content, manifest.digest)
        self.entries = [entry for entry in self.entries if _name(entry) != name]
        self.entries.append(
            {
                "mediaType": manifest.media_type,
                "digest": manifest.digest,
                "size": len(manifest.content),
                "annotations": {_REF_NAME: name},
            }
        )

    def put_empty(self) -> None:
        """Have the config that artifacts without one name."""
        self._blob_of(EMPTY, EMPTY_BLOB.digest)

    def _blob_of(self, content: bytes, digest: str) -> None:
        path = self._store.blob_path(digest)
        if not _is_file(path, len(content)):
            make_folder(os.path.dirname(path))
            store_bytes(path, content)

    def put_file(self, fd: int, media_type: str) -> Descriptor:
        """Copy what an open file has from where it stands into the store; `media_type` empty: by its first bytes."""
        import hashlib

        from sonata.image.artifact_type import media_type as sniffed

        state, size = hashlib.sha256(), 0
        make_folder(f"{self._store.folder}/blobs/sha256")
        with NewFile(f"{self._store.folder}/blobs/sha256/new") as file:
            while part := _read(fd):
                media_type = media_type or sniffed(part)
                state.update(part)
                size += len(part)
                write_all(file.fd, part)
            digest = Digest(f"sha256:{state.hexdigest()}")
            file.path = self._store.blob_path(digest)
            if not _is_file(file.path, size):
                file.keep()
        return Descriptor(media_type=media_type or sniffed(b""), digest=digest, size=size)

    def has_blob(self, blob: Descriptor) -> bool:
        """As the store's."""
        return self._store.has_blob(blob)

    def place_for(self, blob: Descriptor) -> str:
        """Where a blob goes, its folder made."""
        path = self._store.blob_path(blob.digest)
        make_folder(os.path.dirname(path))
        return path

    def remove(self, name: str, digest: Digest) -> None:
        """Take an entry away. Seen after `commit`."""
        gone = next(e for e in self.entries if _name(e) == name and e.get("digest") == digest)
        self.entries = [entry for entry in self.entries if entry is not gone]

    def commit(self) -> None:
        """Write the index: this is what others see, all of it at once."""
        store_bytes(f"{self._store.folder}/oci-layout", _LAYOUT)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.entries}
        text = json.dumps(index, separators=(",", ":"), ensure_ascii=False)
        store_bytes(f"{self._store.folder}/index.json", text.encode())

    def sweep(self) -> None:
        """Remove files that no artifact needs: those of removed ones, and what killed processes left."""
        for path in self._store.unneeded_of(self.entries):
            os.unlink(path)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_file(path: str, size: int) -> bool:
    import stat

    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _BLOCK)
    except OSError as error:
        raise file_error("read", error) from error
