"""Images for the transports' suite, made of bytes: a config, layers, a manifest, and an index over two of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes, Platform
from sonata_core.models.media import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

if TYPE_CHECKING:
    from typing import Any


def digest_of(content: bytes) -> Digest:
    """The digest of some bytes."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def layer_tar(name: str, size: int) -> bytes:
    """A layer with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = size
        tar.addfile(member, io.BytesIO((name.encode() * (size // len(name) + 1))[:size]))
    return out.getvalue()


class SampleImage:
    """One image. `blobs` has the config and the layers by digest, `descriptors` says what they are."""

    def __init__(
        self, seed: str, *, docker: bool = False, compressed: bool = True, architecture: str = "amd64"
    ) -> None:
        layers = [layer_tar(f"{seed}-one", 1_500_000), layer_tar(f"{seed}-two", 3)]
        stored = [gzip.compress(layers[0], 1, mtime=0) if compressed else layers[0], layers[1]]
        self.config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "created": "2026-01-01T00:00:00Z",
                "config": {"Env": [f"SEED={seed}", "HTML=<b>&c"], "Cmd": ["sh"]},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
                "history": [{"created_by": seed}, {"created_by": "two"}],
            }
        ).encode()
        plain, packed = (DOCKER_LAYER, f"{DOCKER_LAYER}.gzip") if docker else (OCI_LAYER, f"{OCI_LAYER}+gzip")
        kinds = [packed if compressed else plain, plain]
        self.descriptors = [
            _descriptor(DOCKER_CONFIG if docker else OCI_CONFIG, self.config),
            *(_descriptor(kind, blob) for kind, blob in zip(kinds, stored, strict=True)),
        ]
        self.layers = layers
        self.blobs = {digest_of(blob): blob for blob in (self.config, *stored)}
        rows = [plain_of(each) for each in self.descriptors]
        media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        self.manifest = manifest_bytes(
            media_type, {"schemaVersion": 2, "mediaType": media_type, "config": rows[0], "layers": rows[1:]}
        )
        self.platform = Platform(os="linux", architecture=architecture)


def index_over(images: list[SampleImage], *, docker: bool = False) -> ManifestBytes:
    """An index that names each image for its platform."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    rows = [
        {
            "mediaType": image.manifest.media_type,
            "digest": image.manifest.digest,
            "size": len(image.manifest.content),
            "platform": {"os": image.platform.os, "architecture": image.platform.architecture},
        }
        for image in images
    ]
    return manifest_bytes(media_type, {"schemaVersion": 2, "mediaType": media_type, "manifests": rows})


def manifest_bytes(media_type: str, document: dict[str, Any]) -> ManifestBytes:
    """A document as a manifest."""
    content = json.dumps(document, indent=1).encode()
    return ManifestBytes(media_type=media_type, digest=digest_of(content), content=content)


def plain_of(descriptor: Descriptor) -> dict[str, Any]:
    """A descriptor as JSON has it."""
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}


def descriptors_of(manifest: ManifestBytes) -> list[Descriptor]:
    """Config and layers that a manifest names."""
    document = json.loads(manifest.content)
    rows = [document["config"], *document["layers"]]
    return [Descriptor(media_type=row["mediaType"], digest=Digest(row["digest"]), size=row["size"]) for row in rows]


def _descriptor(media_type: str, content: bytes) -> Descriptor:
    return Descriptor(media_type=media_type, digest=digest_of(content), size=len(content))
