"""Writing docker-archives, the same bytes for the same images."""

from __future__ import annotations

import os

from sonata_core.errors import Conflict, Damaged, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_MANIFEST, MANIFEST_LIMIT, OCI_CONFIG, OCI_MANIFEST
from sonata_core.naming import check_digest, digest_parts
from sonata_core.sdk.content import NewFile, copy_verified
from sonata_core.sdk.manifests import load_object
from sonata_core.sdk.raw_json import go_text, raw_members
from sonata_core.sdk.tar_write import TarWriter
from sonata_transport_docker_archive.legacy import legacy_layers

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, BinaryIO, Self

    from sonata_core.models.image import Descriptor, ImageReference, ManifestBytes

MANIFEST_TYPES = (DOCKER_MANIFEST, OCI_MANIFEST)


class _Writer:
    """A new archive. Layers are put uncompressed: their digests are the configs' diff IDs.

    The archive is written beside its place and put there by `commit`.
    """

    def __init__(self, reference: ImageReference) -> None:
        from threading import Lock

        self._reference = reference
        self._file = NewFile(reference.path)
        self._lock = Lock()
        self._layers: set[str] = set()
        self._configs: dict[str, bytes] = {}
        self._written: set[str] = set()
        self._table: list[dict[str, Any]] = []
        self._repositories: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Self:
        path = self._reference.path
        if os.path.exists(path) and not os.path.isfile(path):
            raise Unsupported(f"{path} is not a regular file", hint="save to a file, and send that on")
        if os.path.exists(path) and os.path.getsize(path):
            raise Conflict(
                f"docker-archive doesn't support modifying existing images: {path} exists and is not empty",
                hint="remove it, or choose another file",
            )
        self._file.__enter__()
        self._tar = TarWriter(self._file.fd)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__()

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob was put already."""
        return blob.digest in self._layers or blob.digest in self._configs

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Append a layer, or keep a config until its turn. Raises Damaged, and the archive is as before."""
        with self._lock:
            if self.has_blob(blob):
                return
            if blob.media_type in (DOCKER_CONFIG, OCI_CONFIG):
                self._keep_config(blob, stream)
                return
            _, hexadecimal = digest_parts(blob.digest)
            self._tar.add_blob(f"{hexadecimal}.tar", blob, stream)
            self._layers.add(blob.digest)

    def _keep_config(self, blob: Descriptor, stream: BinaryIO) -> None:
        if blob.size > MANIFEST_LIMIT:
            raise Damaged(
                f"config {blob.digest} has {blob.size} bytes, more than the {MANIFEST_LIMIT} that are accepted"
            )
        content = bytearray()
        copy_verified(stream, content.extend, blob)
        self._configs[blob.digest] = bytes(content)

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """An archive keeps no manifest: what it says is in the config. Raises Unsupported for a list."""
        if manifest.media_type not in MANIFEST_TYPES:
            raise Unsupported(f"a docker-archive holds no manifests of type {manifest.media_type}")

    def add(self, manifest: ManifestBytes, names: tuple[str, ...]) -> None:
        """Write config and folders of an image. Raises Damaged where a blob is missing."""
        self.put_manifest(manifest)
        described: Any = load_object(manifest.content, "manifest").get("config")
        digest = check_digest(described.get("digest") if isinstance(described, dict) else None)
        if digest not in self._configs:
            raise Damaged(f"config {digest} was not stored before the manifest that names it")
        config = load_object(self._configs[digest], "image config")
        diff_ids = self._diff_ids(config)
        _, hexadecimal = digest_parts(digest)
        if digest not in self._written:
            self._tar.add_bytes(f"{hexadecimal}.json", self._configs[digest])
            self._written.add(digest)
        top = self._write_folders(raw_members(self._configs[digest], "image config"), diff_ids)
        files = [f"{digest_parts(diff_id)[1]}.tar" for diff_id in diff_ids]
        self._table.append({"Config": f"{hexadecimal}.json", "RepoTags": list(names), "Layers": files})
        for name in names if top else ():
            repository, _, tag = name.rpartition(":")
            self._repositories.setdefault(repository, {})[tag] = top

    def _finish(self) -> None:
        """Write the tables, and give the archive its name."""
        self._tar.add_bytes("manifest.json", go_text(self._table).encode())
        repositories = {name: dict(sorted(tags.items())) for name, tags in sorted(self._repositories.items())}
        self._tar.add_bytes("repositories", go_text(repositories).encode())
        self._tar.end()
        self._file.keep()

    def _diff_ids(self, config: dict[str, Any]) -> tuple[str, ...]:
        rootfs = config.get("rootfs")
        found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        diff_ids = tuple(check_digest(item) for item in found or ())
        missing = [item for item in diff_ids if item not in self._layers]
        if missing:
            raise Damaged(f"layer {missing[0]} of the image was not stored uncompressed")
        return diff_ids

    def _write_folders(self, config: dict[str, str], diff_ids: tuple[str, ...]) -> str:
        """The layers' folders, those that other images share once; the id of the last, if any."""
        layers = legacy_layers(config, diff_ids)
        for layer in layers:
            if layer.id in self._written:
                continue
            _, hexadecimal = digest_parts(layer.diff_id)
            self._tar.add_link(f"{layer.id}/layer.tar", f"../{hexadecimal}.tar")
            self._tar.add_bytes(f"{layer.id}/VERSION", b"1.0")
            self._tar.add_bytes(f"{layer.id}/json", layer.json)
            self._written.add(layer.id)
        return layers[-1].id if layers else ""


class DockerArchiveSink(_Writer):
    """A new archive with one image, under the reference's own name."""

    _committed = ""

    def commit(self, manifest: ManifestBytes) -> None:
        """Write config, folders and tables, and give the archive its name. Raises Damaged where a blob is missing."""
        if self._committed == manifest.digest:
            return
        name = self._reference.name
        self.add(manifest, (name,) if name else ())
        self._finish()
        self._committed = manifest.digest


class DockerArchiveBatch(_Writer):
    """A new archive with several images."""

    def commit(self) -> None:
        """Give the archive its name."""
        self._finish()
