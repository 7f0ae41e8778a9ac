"""Artifacts: manifests whose layers are files (image-spec, "Guidelines for Artifact Usage").

The manifests made here are to the byte what Podman makes of the same files at the same moment.
"""

import json
import os

from sonata.image.manifest import Manifest, parse_bytes
from sonata_core.errors import AlreadyExists, Conflict, Damaged, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes
from sonata_core.models.media import OCI_EMPTY, OCI_MANIFEST
from sonata_core.record import Record
from sonata_core.sdk.manifests import digest_of, load_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.model.artifact import NewFiles

TITLE = "org.opencontainers.image.title"
CREATED = "org.opencontainers.image.created"
EMPTY = b"{}"
EMPTY_BLOB = Descriptor(
    media_type=OCI_EMPTY,
    digest=Digest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    size=len(EMPTY),
)
_MANIFEST_KEYS = ("schemaVersion", "mediaType", "artifactType", "config", "layers", "subject", "annotations")
_BLOB_KEYS = ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType")
_ESCAPES = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


class Artifact(Record):
    """An artifact of the store: the name that it has there, empty for none, and its manifest."""

    name: str
    manifest: ManifestBytes
    document: Manifest

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(blob.size for blob in self.document.layers)

    @property
    def created(self) -> str:
        """When it was made, by its own word; empty where it says nothing."""
        return self.document.annotations.get(CREATED, "")


def title_of(blob: Descriptor) -> str:
    """The name that a file had when it was added; empty for none."""
    return blob.annotations.get(TITLE, "")


def file_name(blob: Descriptor, title: str = "") -> str:
    """What a blob is called in a folder: its title, else its digest. Raises UsageError for a title with a slash.

    An artifact is a stranger's: a title such as `../x` must not name a place outside the folder.
    """
    name = title or blob.digest.replace(":", "-")
    if "/" in name:
        raise UsageError(f"invalid name: {json.dumps(name)} cannot contain /: artifact blob title invalid")
    if name in (".", "..") or "\0" in name:
        raise UsageError(f"invalid name: {json.dumps(name)} is no name of a file: artifact blob title invalid")
    return name


def chosen(artifact: Artifact, digest: str, title: str) -> tuple[tuple[Descriptor, str], ...]:
    """The blobs that are meant, each with its file's name. Raises UsageError, NotFound in Podman's words.

    Names of the form `../x` are refused by `file_name`, which the caller asks where it uses the names.
    """
    if digest and title:
        raise UsageError("cannot specify both digest and title")
    blobs = artifact.document.layers
    if digest:
        found = [(blob, "") for blob in blobs if blob.digest == digest]
        if not found:
            raise NotFound(f'no blob with the digest "{digest}"')
        return tuple(found[:1])
    if title:
        found = [(blob, title) for blob in blobs if title_of(blob) == title]
        if not found:
            raise NotFound(f'no blob with the title "{title}"')
        return tuple(found[:1])
    return tuple((blob, title_of(blob)) for blob in blobs)


def parse_artifact(name: str, manifest: ManifestBytes) -> Artifact:
    """An artifact by its manifest's bytes. Raises Damaged, also for an index."""
    document = parse_bytes(manifest.content, manifest.media_type)
    if not isinstance(document, Manifest):
        raise Damaged(f"{name or manifest.digest}: it is no artifact, but of the type {document.media_type}")
    return Artifact(name=name, manifest=manifest, document=document)


def find(artifacts: "Sequence[tuple[str, Digest]]", text: str) -> tuple[str, Digest]:
    """The entry that `text` names: by its whole name, else by the first digits of its digest.

    Raises NotFound in Podman's words, Conflict where several artifacts begin so.
    """
    for name, digest in artifacts:
        if text and name == text:
            return name, digest
    found = [one for one in artifacts if text and one[1].partition(":")[2].startswith(text)]
    if not found:
        raise NotFound(f"{text}: artifact does not exist", name=text)
    if len({digest for _, digest in found}) > 1:
        raise Conflict(f"{text}: more than one artifact begins so", hint="write more digits, or the name")
    return found[0]


def document_of(manifest: ManifestBytes) -> dict[str, Any]:
    """A manifest as Go's structures print it: known members in their order, maps sorted, what is empty left out."""
    return ordered(load_object(manifest.content, "manifest"))


def ordered(value: "Mapping[str, Any]") -> dict[str, Any]:
    """The members of a manifest in the order of specs-go."""
    made: dict[str, Any] = {}
    for key in _MANIFEST_KEYS:
        part = value.get(key)
        if key in ("config", "subject") and isinstance(part, dict):
            made[key] = _blob(part)
        elif key == "layers" and isinstance(part, list):
            made[key] = [_blob(one) if isinstance(one, dict) else one for one in part]
        elif key == "annotations" and isinstance(part, dict):
            made[key] = dict(sorted(part.items()))
        elif part not in (None, ""):
            made[key] = part
    return {key: part for key, part in made.items() if part != {} or key == "config"}


def _blob(value: "Mapping[str, Any]") -> dict[str, Any]:
    made = {key: value[key] for key in _BLOB_KEYS if value.get(key) not in (None, "", [], {})}
    made["size"] = value.get("size", 0)
    if isinstance(made.get("annotations"), dict):
        made["annotations"] = dict(sorted(made["annotations"].items()))
    return {key: made[key] for key in _BLOB_KEYS if key in made}


def new_layers(
    old: "Sequence[str]", files: "Sequence[tuple[str, Descriptor]]", more: "NewFiles"
) -> list[dict[str, Any]]:
    """The layers for files, by path. `old` are the titles that are there. Raises AlreadyExists for a title twice."""
    taken = set(old)
    made: list[dict[str, Any]] = []
    for path, blob in files:
        name = os.path.basename(path)
        if name in taken:
            raise AlreadyExists(f"{name}: file already exists in artifact", name=name)
        annotations = {TITLE: name, **more.annotations}
        if annotations[TITLE] in taken:
            raise AlreadyExists(f"duplicate layers {TITLE} labels within an artifact not allowed", name=name)
        taken.add(annotations[TITLE])
        made.append(
            {
                "mediaType": blob.media_type,
                "digest": blob.digest,
                "size": blob.size,
                "annotations": dict(sorted(annotations.items())),
            }
        )
    return made


def new_manifest(layers: list[dict[str, Any]], more: "NewFiles") -> ManifestBytes:
    """The manifest of a new artifact."""
    config = {"mediaType": OCI_EMPTY, "digest": EMPTY_BLOB.digest, "size": EMPTY_BLOB.size, "data": "e30="}
    return packed(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": more.artifact_type,
            "config": config,
            "layers": layers,
            "annotations": {**more.annotations, CREATED: more.created},
        }
    )


def longer_manifest(old: ManifestBytes, layers: list[dict[str, Any]]) -> ManifestBytes:
    """The manifest with layers more; all else as it was."""
    document = document_of(old)
    return packed({**document, "layers": [*document.get("layers", ()), *layers]})


def packed(document: "Mapping[str, Any]") -> ManifestBytes:
    """A manifest's bytes as Go writes them."""
    text = json.dumps(ordered(document), separators=(",", ":"), ensure_ascii=False)
    for plain, escape in _ESCAPES:
        text = text.replace(plain, escape)
    content = text.encode()
    return ManifestBytes(media_type=OCI_MANIFEST, digest=digest_of(content), content=content)
