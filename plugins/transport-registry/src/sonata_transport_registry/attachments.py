"""Sigstore signatures in the repository itself: a manifest under a tag that is made of the digest.

Each layer of it is a payload, its annotations the signature and what proves whose it is. Source: cosign's
SIGNATURE_SPEC, and containers-storage notes 7.8.
"""

from __future__ import annotations

import json
from io import BytesIO

from sonata_core.errors import Damaged, NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes
from sonata_core.models.media import OCI_CONFIG, OCI_MANIFEST
from sonata_core.naming import check_digest, digest_parts
from sonata_core.sdk import signatures as stored
from sonata_core.sdk.manifests import digest_of, load_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata_transport_registry.client import Client
    from sonata_transport_registry.sink import RegistrySink


def tag_of(digest: Digest) -> str:
    """The tag under which a manifest's attachments are."""
    return f"{'-'.join(digest_parts(digest))}.sig"


def read(client: Client, digest: Digest, open_blob: Callable[[Descriptor], BinaryIO]) -> list[bytes]:
    """The signatures that are attached to a manifest, in their stored form. Raises Damaged, RegistryFailure."""
    document = _manifest(client, digest)
    if document is None:
        return []
    layers = _layers(document)
    stored.require_bounded((layer.size for layer in layers), digest)
    return [_stored(layer, _content(layer, open_blob)) for layer in layers]


def _manifest(client: Client, digest: Digest) -> dict[str, Any] | None:
    from sonata_transport_registry.manifests import fetch_manifest

    try:
        found = fetch_manifest(client, tag_of(digest))
    except NotFound:
        return None
    if found.media_type != OCI_MANIFEST:
        raise Damaged(f"the attachments of {digest} are of the type {found.media_type}, not {OCI_MANIFEST}")
    return load_object(found.content, "manifest of attachments")


def _layers(document: dict[str, Any]) -> list[Descriptor]:
    found = document.get("layers")
    if not isinstance(found, list | None):
        raise Damaged("the manifest of attachments is malformed")
    try:
        return [_descriptor(one) for one in found or ()]
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise Damaged("the manifest of attachments is malformed") from error


def _descriptor(layer: dict[str, Any]) -> Descriptor:
    size, kind, notes = layer["size"], layer["mediaType"], layer.get("annotations") or {}
    if type(size) is not int or size < 0 or not isinstance(kind, str):
        raise ValueError("a descriptor without size or type")
    if not all(isinstance(one, str) for one in notes.values()):
        raise ValueError("an annotation that is no string")
    return Descriptor(media_type=kind, digest=check_digest(layer["digest"]), size=size, annotations=notes)


def _content(layer: Descriptor, open_blob: Callable[[Descriptor], BinaryIO]) -> bytes:
    """A payload, verified."""
    stream = open_blob(layer)
    try:
        content = b""
        while len(content) <= layer.size and (part := stream.read(layer.size + 1 - len(content))):
            content += part
    finally:
        stream.close()
    if len(content) != layer.size or _digest(content, digest_parts(layer.digest)[0]) != layer.digest:
        raise Damaged(f"a signature's payload is not {layer.digest}")
    return content


def _digest(content: bytes, algorithm: str = "sha256") -> Digest:
    import hashlib

    return Digest(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")


def _stored(layer: Descriptor, content: bytes) -> bytes:
    return stored.write(stored.Sigstore(payload=content, annotations=layer.annotations, mime=layer.media_type))


def write(client: Client, sink: RegistrySink, digest: Digest, signatures: list[stored.Sigstore]) -> None:
    """Attach signatures beside those that are there. `sink` is the repository under the tag of the attachments."""
    document = _manifest(client, digest) or {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}
    layers = _layers(document)
    changed = False
    for one in signatures:
        layer = Descriptor(
            media_type=one.mime, digest=_digest(one.payload), size=len(one.payload), annotations=one.annotations
        )
        if layer not in layers:
            _put(sink, layer, one.payload)
            layers.append(layer)
            changed = True
    if len(layers) > stored.MOST:
        raise Unsupported(f"{digest} would have {len(layers)} signatures; {stored.MOST} are read")
    if changed:
        _commit(sink, document, layers)


def _commit(sink: RegistrySink, document: dict[str, Any], layers: list[Descriptor]) -> None:
    rootfs = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
    config = _json({"architecture": "", "config": {}, "os": "", "rootfs": rootfs})
    described = Descriptor(media_type=OCI_CONFIG, digest=_digest(config), size=len(config))
    _put(sink, described, config)
    content = _json({**document, "config": _shown(described), "layers": [_shown(layer) for layer in layers]})
    sink.commit(ManifestBytes(media_type=OCI_MANIFEST, digest=digest_of(content), content=content))


def _put(sink: RegistrySink, blob: Descriptor, content: bytes) -> None:
    if not sink.has_blob(blob):
        sink.put_blob(blob, BytesIO(content))


def _shown(blob: Descriptor) -> dict[str, object]:
    found: dict[str, object] = {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}
    return {**found, "annotations": dict(blob.annotations)} if blob.annotations else found


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
