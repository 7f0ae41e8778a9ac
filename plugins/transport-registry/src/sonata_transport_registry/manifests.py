"""Manifests asked for by tag or digest."""

from __future__ import annotations

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import ACCEPTED, MANIFEST_LIMIT
from sonata_core.sdk.manifests import digest_of, media_type_of

if TYPE_CHECKING:
    from sonata_transport_registry.client import Client


def fetch_manifest(client: Client, wanted: str) -> ManifestBytes:
    """A manifest by tag or digest, its digest computed here. Raises NotFound, Denied, RegistryFailure."""
    what = f"reading manifest {wanted} in {client.name.repository}"
    headers = {"Accept": ", ".join(ACCEPTED)}
    answer, content = client.read(f"{client.base}/manifests/{wanted}", headers, MANIFEST_LIMIT, what)
    claimed = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    media_type = claimed if claimed in ACCEPTED else media_type_of(content)
    algorithm, colon, _ = wanted.partition(":")
    digest = digest_of(content, algorithm if colon else "sha256")
    if colon and digest != wanted:
        raise Damaged(f"{what}: manifest digest mismatch: the bytes have {digest}")
    return ManifestBytes(media_type=media_type, digest=digest, content=content)
