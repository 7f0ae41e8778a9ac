"""What transports need to know of manifests: their digest, and their kind where nobody says it."""

from __future__ import annotations

from sonata_core.errors import Damaged
from sonata_core.models.ids import Digest
from sonata_core.models.media import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MANIFEST_LIMIT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
)
from sonata_core.naming import shown

_ALGORITHMS = ("sha256", "sha384", "sha512")


def load_object(content: bytes, what: str, limit: int = MANIFEST_LIMIT) -> dict[str, object]:
    """Parse a stranger's JSON object. Raises Damaged for what is longer than `limit` bytes, too deep, or no object.

    Halves of characters (`\\ud800`) become U+FFFD.
    """
    from sonata_core import json_text

    if len(content) > limit:
        raise Damaged(f"{what} has {len(content)} bytes, more than the {limit} that are accepted")
    try:
        value = json_text.loads(content.decode("utf-8"), constants=False)
        if b"\\ud" in content or b"\\uD" in content:
            value = _encodable(value)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{what} is not valid JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise Damaged(f"{what} is not a JSON object")
    return value


def _encodable(value: object) -> object:
    """The value with U+FFFD for every half of a character, as Go reads it: nothing could print or keep such a half."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def media_type_of(content: bytes) -> str:
    """The kind of a manifest by its own words (containers-storage notes 5.2). Raises Damaged if it has none."""
    return kind_of(load_object(content, "manifest"))


def kind_of(document: dict[str, object]) -> str:
    """As `media_type_of`, for a parsed manifest."""
    own = document.get("mediaType")
    if isinstance(own, str) and own in (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST):
        return own
    version = document.get("schemaVersion")
    if version == 1:
        return SCHEMA1_SIGNED if document.get("signatures") else SCHEMA1
    if version == 2:
        config = document.get("config")
        kind = config.get("mediaType") if isinstance(config, dict) else None
        if kind == DOCKER_CONFIG:
            return DOCKER_MANIFEST
        return OCI_INDEX if kind != OCI_CONFIG and document.get("manifests") else OCI_MANIFEST
    raise Damaged(f"manifest of unknown kind: mediaType {shown(own)}, schemaVersion {shown(version)}")


def digest_of(content: bytes, algorithm: str = "sha256") -> Digest:
    """The digest of a manifest's bytes; of signed schema 1, that of what was signed."""
    import hashlib

    if algorithm not in _ALGORITHMS:
        raise Damaged(f"unknown digest algorithm: {shown(algorithm)}")
    if b'"signatures"' in content:
        content = _signed_part(content)
    return Digest(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")


def _signed_part(content: bytes) -> bytes:
    """The payload of a schema 1 manifest's signature (libtrust), or the bytes as they are for other kinds."""
    document = load_object(content, "manifest")
    signatures = document.get("signatures")
    if document.get("schemaVersion") != 1 or not isinstance(signatures, list) or not signatures:
        return content
    try:
        protected = load_object(_unbase64(signatures[0]["protected"]), "protected header")
        length, tail = protected["formatLength"], _unbase64(protected["formatTail"])
    except (ValueError, TypeError, LookupError) as error:
        raise Damaged("schema 1 manifest: its signature is malformed") from error
    if not isinstance(length, int) or not 0 <= length <= len(content):
        raise Damaged("schema 1 manifest: formatLength is outside the document")
    return content[:length] + tail


def _unbase64(text: object) -> bytes:
    import base64

    if not isinstance(text, str):
        raise ValueError("not a string")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
