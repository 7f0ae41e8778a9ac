"""Manifests and indexes: bytes of strangers become checked values.

The digest of a manifest is over its exact bytes, so nothing here writes one back: what is kept is
always `ManifestBytes`, and the records of this module are what those bytes say.
"""

from itertools import pairwise

from sonata.image.document import Fields
from sonata_core.errors import Damaged
from sonata_core.lite import Callable, Mapping
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes, Platform
from sonata_core.models.media import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
)
from sonata_core.naming import check_digest, shown
from sonata_core.record import Record
from sonata_core.sdk.manifests import digest_of, kind_of, load_object

EMPTY_LAYER = Digest("sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4")
"""The empty gzip layer that throwaway entries of schema 1 name."""

_OWNED = {
    OCI_MANIFEST: {"config", "layers"},
    DOCKER_MANIFEST: {"config", "layers"},
    OCI_INDEX: {"manifests"},
    DOCKER_LIST: {"manifests"},
    SCHEMA1: {"fslayers", "history"},
    SCHEMA1_SIGNED: {"fslayers", "history"},
}
_SCHEMA1 = (SCHEMA1, SCHEMA1_SIGNED)
_AMBIGUOUS = {"config", "fslayers", "history", "layers", "manifests"}


class Manifest(Record):
    """An image manifest of OCI or Docker (schema 2)."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = {}
    artifact_type: str = ""
    subject: Descriptor | None = None

    @property
    def is_image(self) -> bool:
        """Whether an image can be made of it: its config is an image config. Else it is an artifact."""
        return self.config.media_type in (OCI_CONFIG, DOCKER_CONFIG)


class Index(Record):
    """An OCI index or Docker manifest list: one manifest per platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = {}
    artifact_type: str = ""
    subject: Descriptor | None = None


class LegacyManifest(Record):
    """A schema 1 manifest, turned to oldest first. A history entry is the parsed `v1Compatibility`.

    `layers[i]` belongs to `history[i]`; sizes are unknown (-1). Only those whose entry is not
    `throwaway` are layers of the image. `newest` is the last entry as it is written.
    """

    media_type: str
    architecture: str
    layers: tuple[Descriptor, ...]
    history: tuple[Mapping[str, object], ...]
    newest: bytes

    @property
    def real_layers(self) -> tuple[Descriptor, ...]:
        """The layers that hold files."""
        pairs = zip(self.layers, self.history, strict=True)
        return tuple(layer for layer, entry in pairs if not entry.get("throwaway"))


Document = Manifest | Index | LegacyManifest


def detect(content: bytes, claimed: str = "") -> str:
    """The media type of a manifest's bytes. `claimed` is what its place says of it, if anything.

    A known claim must agree with the document's own `mediaType`. Raises Damaged for what is unknown.
    """
    return _detect(Fields(load_object(content, "manifest"), "manifest"), claimed)


def _detect(fields: Fields, claimed: str) -> str:
    claimed = claimed.partition(";")[0].strip()
    own = kind_of(fields.value)
    if claimed not in _OWNED:
        return own
    if own != claimed and (own in _SCHEMA1) != (claimed in _SCHEMA1):
        raise Damaged(f"manifest is {own}, but was delivered as {claimed}")
    if own != claimed and fields.value.get("mediaType") in _OWNED:
        raise Damaged(f"manifest says that it is {own}, but was delivered as {claimed}")
    return own if own in _SCHEMA1 else claimed


def parse(manifest: ManifestBytes) -> Document:
    """What a manifest's bytes say. Raises Damaged for anything malformed or of two minds."""
    return parse_bytes(manifest.content, manifest.media_type)


def parse_bytes(content: bytes, claimed: str = "") -> Document:
    """As `parse`, for bytes whose media type may be unknown."""
    fields = Fields(load_object(content, "manifest"), "manifest")
    media_type = _detect(fields, claimed)
    _refuse_ambiguity(fields, media_type)
    return _PARSERS[media_type](fields, media_type)


def _refuse_ambiguity(fields: Fields, media_type: str) -> None:
    """GHSA-qq97-vm5h-rrhg: one document that is an index to one reader and an image to another."""
    seen: set[str] = set()
    for key, value in fields.value.items():
        folded = key.lower()
        if folded in seen and folded in _AMBIGUOUS:
            raise Damaged(f"manifest has {shown(key)} twice, in different spellings")
        seen.add(folded)
        if value is not None and folded in _AMBIGUOUS - _OWNED[media_type]:
            raise Damaged(f"manifest is ambiguous: {shown(key)} does not belong into {media_type}")


def _manifest(fields: Fields, media_type: str) -> Document:
    config = fields.part("config")
    if config is None:
        raise Damaged("manifest has no config")
    return Manifest(
        media_type=media_type,
        config=descriptor(config),
        layers=_descriptors(fields, "layers"),
        annotations=fields.text_map("annotations"),
        artifact_type=fields.text("artifactType"),
        subject=_subject(fields),
    )


def _index(fields: Fields, media_type: str) -> Document:
    return Index(
        media_type=media_type,
        manifests=_descriptors(fields, "manifests"),
        annotations=fields.text_map("annotations"),
        artifact_type=fields.text("artifactType"),
        subject=_subject(fields),
    )


def _legacy(fields: Fields, media_type: str) -> Document:
    sums = [check_digest(Fields(item, "fsLayers").value.get("blobSum")) for item in fields.items("fsLayers")]
    texts = [Fields(item, "history").text("v1Compatibility") for item in fields.items("history")]
    if not sums or len(sums) != len(texts):
        raise Damaged(f"schema 1 manifest has {len(sums)} layers and {len(texts)} history entries")
    entries = [load_object(text.encode(), "v1Compatibility") for text in texts]
    pairs = list(zip(sums, entries, strict=True))
    kept = [pair for i, pair in enumerate(pairs) if i == 0 or pair[1].get("id") != pairs[i - 1][1].get("id")]
    for child, parent in pairwise(kept):
        if child[1].get("parent") != parent[1].get("id"):
            raise Damaged("schema 1 manifest: an entry's parent is not the entry below it")
    _check_legacy_ids([entry for _, entry in kept])
    kept.reverse()
    return LegacyManifest(
        media_type=media_type,
        architecture=fields.text("architecture"),
        layers=tuple(Descriptor(media_type="", digest=digest, size=-1) for digest, _ in kept),
        history=tuple(entry for _, entry in kept),
        newest=texts[0].encode(),
    )


def _check_legacy_ids(entries: list[dict[str, object]]) -> None:
    """As the peers: every entry has an id of its own, and the oldest nothing below it. Raises Damaged."""
    for entry in entries:
        ident = entry.get("id")
        if not isinstance(ident, str) or len(ident) != 64 or not set(ident) <= set("0123456789abcdef"):
            raise Damaged(f"image ID {shown(ident)} is invalid")
    if entries[-1].get("parent"):
        raise Damaged("Invalid parent ID in the base layer of the image")


_PARSERS: dict[str, Callable[[Fields, str], Document]] = {
    OCI_MANIFEST: _manifest,
    DOCKER_MANIFEST: _manifest,
    OCI_INDEX: _index,
    DOCKER_LIST: _index,
    SCHEMA1: _legacy,
    SCHEMA1_SIGNED: _legacy,
}


def _subject(fields: Fields) -> Descriptor | None:
    subject = fields.part("subject")
    return None if subject is None else descriptor(subject)


def _descriptors(fields: Fields, key: str) -> tuple[Descriptor, ...]:
    return tuple(descriptor(Fields(item, key)) for item in fields.items(key))


def descriptor(fields: Fields) -> Descriptor:
    """A descriptor with its digest and size checked. Raises Damaged."""
    size = fields.whole("size")
    if size < 0:
        raise Damaged(f"{fields.what}: size is negative")
    platform = fields.part("platform")
    return Descriptor(
        media_type=fields.text("mediaType"),
        digest=check_digest(fields.value.get("digest")),
        size=size,
        urls=fields.texts("urls"),
        annotations=fields.text_map("annotations"),
        platform=None if platform is None else _platform(platform),
        artifact_type=fields.text("artifactType"),
    )


def _platform(fields: Fields) -> Platform:
    return Platform(
        os=fields.text("os"),
        architecture=fields.text("architecture"),
        variant=fields.text("variant"),
        os_version=fields.text("os.version"),
        os_features=fields.texts("os.features"),
    )


def is_index(media_type: str) -> bool:
    """Whether a media type is that of an index or list."""
    return media_type in INDEXES


def is_manifest(media_type: str) -> bool:
    """Whether a media type is that of an image manifest."""
    return media_type in MANIFESTS


def check_matches(manifest: ManifestBytes, wanted: str) -> ManifestBytes:
    """The manifest, if its bytes have the digest `wanted`. Raises Damaged."""
    algorithm, _, _ = wanted.partition(":")
    found = digest_of(manifest.content, algorithm)
    if found != wanted:
        raise Damaged(f"manifest digest mismatch: {wanted} was asked for, the bytes have {found}")
    return manifest
