"""Signatures of a registry's images: OpenPGP's in a lookaside or kept by the registry, sigstore's in the repository."""

from __future__ import annotations

from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import TransportOptions
from sonata_core.naming import check_digest
from sonata_core.sdk import signatures as stored
from sonata_transport_registry import attachments, extension, lookaside
from sonata_transport_registry.client import Client, Settings
from sonata_transport_registry.sink import RegistrySink

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Descriptor, Endpoint


def read(client: Client, digest: Digest, open_blob: Callable[[Descriptor], BinaryIO]) -> tuple[bytes, ...]:
    """All signatures of a manifest. Raises Damaged, RegistryFailure, Denied."""
    check_digest(digest)
    client.origin()
    if client.keeps_signatures:
        found = extension.read(client, digest)
    else:
        found = lookaside.read(client, client.endpoint.lookaside, digest)
    if client.endpoint.attachments:
        found += attachments.read(client, digest, open_blob)
    return tuple(found)


def write(
    endpoint: Endpoint, options: TransportOptions, settings: Settings, digest: Digest, blobs: tuple[bytes, ...]
) -> None:
    """Keep these for a manifest that is there: OpenPGP's in place of those before, sigstore's beside them.

    Raises Unsupported before anything is written, RegistryFailure, Denied.
    """
    check_digest(digest)
    found = [(blob, stored.read(blob)) for blob in blobs]
    attached = [one for _, one in found if isinstance(one, stored.Sigstore)]
    simple = [blob for blob, one in found if isinstance(one, stored.Simple)]
    if attached and not endpoint.attachments:
        raise Unsupported(
            "writing sigstore attachments is disabled by configuration",
            hint="a file in /etc/containers/registries.d with use-sigstore-attachments: true",
        )
    client = Client(endpoint, options, settings)
    try:
        if simple:
            _write_simple(client, digest, simple)
        if attached:
            place = f"{client.name.repository}:{attachments.tag_of(digest)}"
            with RegistrySink(Client(endpoint.replace(reference=place), options, settings)) as sink:
                attachments.write(client, sink, digest, attached)
    finally:
        client.close()


def _write_simple(client: Client, digest: Digest, signatures: list[bytes]) -> None:
    client.origin()
    if client.keeps_signatures:
        extension.write(client, digest, signatures)
    else:
        lookaside.write(client.endpoint.lookaside_staging or client.endpoint.lookaside, digest, signatures)
