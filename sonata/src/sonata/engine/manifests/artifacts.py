"""Artifacts that were made of files for a list: their manifests, and where their content is.

Nothing is copied when an artifact is added: `artifacts.json` has its manifest, the paths of the files, and the
content of what is no file. The files are read, and their digests checked, when the list is pushed.
"""

from __future__ import annotations

import os

from sonata.engine.manifests import described, lists
from sonata.image.artifact_type import WINDOW, media_type
from sonata.image.convert import go_json
from sonata.image.index import ANYWHERE, Entry, written
from sonata_core.errors import Damaged, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes
from sonata_core.models.media import MANIFEST_LIMIT, OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST
from sonata_core.record import Record
from sonata_core.sdk.holding import HoldsNothing
from sonata_core.sdk.manifests import digest_of

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata.engine.engine import Engine
    from sonata.engine.manifests.lists import StoredList
    from sonata.model.manifest_request import ListAddRequest
    from sonata_core.models.ids import ImageId

_UNKNOWN = "application/vnd.unknown.artifact.v1"
_TITLE = "org.opencontainers.image.title"
_EMPTY = b"{}"
_BLOCK = 1 << 20


class File(Record):
    """A file that becomes a layer: its absolute path, and the layer."""

    path: str
    layer: Descriptor


def add_artifact(engine: Engine, ident: ImageId, request: ListAddRequest, subject: Descriptor | None) -> None:
    """Make an artifact of the request's files, and add it to a list. `subject` becomes the list's.

    Raises UsageError for a file that cannot be read, and for annotations that are none.
    """
    files = [_file(path, request) for path in request.images]
    config, data = _config(request)
    kind = _UNKNOWN if request.artifact_type is None else request.artifact_type
    manifest = _manifest(kind, config, data, files)
    entry = Entry(
        descriptor=Descriptor(
            media_type=OCI_MANIFEST,
            digest=manifest.digest,
            size=len(manifest.content),
            platform=ANYWHERE,
            artifact_type=kind,
        )
    )
    entry = described.changed(entry, request)

    def edit(old: StoredList) -> StoredList:
        images = old.images.with_entry(entry)
        if subject is not None:
            images = images.replace(subject=subject)
        return old.replace(images=images, artifacts=_tables(old.artifacts, manifest, config.digest, data, files))

    lists.change(engine, ident, edit)


def _file(path: str, request: ListAddRequest) -> File:
    import hashlib

    whole = os.path.abspath(path)
    digest, size, head = hashlib.sha256(), 0, b""
    try:
        with open(whole, "rb") as file:
            while part := file.read(_BLOCK):
                head = head or part[:WINDOW]
                digest.update(part)
                size += len(part)
    except OSError as error:
        told = (error.strerror or "").lower()
        raise UsageError(f'reading "{path}" to determine its digest: open {whole}: {told}') from error
    title = os.path.basename(whole)
    layer = Descriptor(
        media_type=request.artifact_layer_type or _type_of(title, head),
        digest=Digest(f"sha256:{digest.hexdigest()}"),
        size=size,
        annotations={} if request.artifact_exclude_titles else {_TITLE: title},
    )
    return File(path=whole, layer=layer)


def _type_of(name: str, head: bytes) -> str:
    """By the ending of a file's name, else by its first bytes; without parameters."""
    import mimetypes

    ending = os.path.splitext(f"x{name[name.rfind('.') :]}")[1] if "." in name else ""
    known = mimetypes.guess_type(f"x{ending}")[0] if ending else None
    return known or media_type(head).partition(";")[0]


def _config(request: ListAddRequest) -> tuple[Descriptor, bytes]:
    data, kind = _EMPTY, request.artifact_config_type or OCI_EMPTY
    if request.artifact_config:
        try:
            with open(request.artifact_config, "rb") as file:
                data = file.read(MANIFEST_LIMIT + 1)
        except OSError as error:
            raise UsageError(f"open {request.artifact_config}: {(error.strerror or '').lower()}") from error
        if len(data) > MANIFEST_LIMIT:
            raise UsageError(f"{request.artifact_config} has more than {MANIFEST_LIMIT} bytes: it is no configuration")
        kind = request.artifact_config_type or OCI_CONFIG
        if not data:
            data = _EMPTY
    return Descriptor(media_type=kind, digest=digest_of(data), size=len(data)), data


def _manifest(kind: str, config: Descriptor, data: bytes, files: list[File]) -> ManifestBytes:
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    if kind:
        document["artifactType"] = kind
    document["config"] = written(config, _base64(data))
    document["layers"] = [written(file.layer) for file in files]
    content = go_json(document)
    return ManifestBytes(media_type=OCI_MANIFEST, digest=digest_of(content), content=content)


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode("ascii")


def _tables(
    old: dict[str, dict[str, Any]], manifest: ManifestBytes, config: Digest, data: bytes, files: list[File]
) -> dict[str, dict[str, Any]]:
    """`artifacts.json` with one more artifact."""
    paths = {file.path: file.layer.digest for file in files}
    ordered = dict(sorted(paths.items()))
    more: dict[str, dict[str, Any]] = {
        "manifests": {manifest.digest: manifest.content.decode()},
        "files": {manifest.digest: list(ordered)},
        "config": {manifest.digest: config},
        "layers": {manifest.digest: list(ordered.values())},
        "detached": {digest: path for path, digest in ordered.items()},
        "blobs": {config: _base64(data)},
    }
    return {part: {**old.get(part, {}), **table} for part, table in more.items()}


class ArtifactSource(HoldsNothing):
    """`ImageSource` for an artifact that was made of files."""

    def __init__(self, tables: dict[str, dict[str, Any]], digest: str) -> None:
        self._tables = tables
        self._digest = digest

    def resolve(self) -> ManifestBytes:
        """The artifact's manifest. Raises Damaged."""
        content = str(self._tables.get("manifests", {}).get(self._digest, "")).encode()
        if digest_of(content) != self._digest:
            raise Damaged(f"artifacts.json has another manifest than {self._digest}", hint="add the artifact again")
        return ManifestBytes(media_type=OCI_MANIFEST, digest=Digest(self._digest), content=content)

    def manifest(self, digest: Digest) -> ManifestBytes:
        """The artifact's manifest. Raises Damaged."""
        return self.resolve()

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        """A file, or content that `artifacts.json` has itself. Raises NotFound for a file that is gone."""
        import base64
        from io import BytesIO

        known = self._tables.get("blobs", {}).get(blob.digest)
        if isinstance(known, str):
            return BytesIO(base64.b64decode(known)[offset:])
        path = str(self._tables.get("detached", {}).get(blob.digest, ""))
        try:
            file = open(path, "rb")  # noqa: SIM115
        except OSError as error:
            told = (error.strerror or "").lower()
            raise NotFound(
                f"open {path}: {told}", hint="an artifact's files are read where they were when it was added"
            ) from error
        file.seek(offset)
        return file

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """None: it was made here."""
        return ()
