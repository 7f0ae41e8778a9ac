"""Writing an image to a registry (distribution-spec, Push)."""

from __future__ import annotations

from sonata_core.errors import Denied, RegistryFailure, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.media import ACCEPTED, OCI_MANIFEST
from sonata_core.naming import check_digest
from sonata_transport_registry.upload import SCOPE, Upload, cancel, location, send
from sonata_transport_registry.wire import discard

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

    from sonata_core.models.image import Descriptor, ManifestBytes
    from sonata_transport_registry.client import Client

_MOUNT_FROM = "containerd.io/distribution.source."
_REJECTIONS = frozenset(("MANIFEST_INVALID", "TAG_INVALID", "UNSUPPORTED"))


class RegistrySink:
    """A repository of a registry, open for writing. A name appears when its manifest is put: at `commit`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the repository has the blob, if need be mounted from another one of the registry.

        Other repositories are named by the annotation `containerd.io/distribution.source.HOST`.
        """
        client = self._client
        answer = client.get("HEAD", f"{client.base}/blobs/{check_digest(blob.digest)}", {}, SCOPE)
        discard(answer)
        if answer.status == 200:
            return True
        if answer.status not in (404, 400):
            raise client.failure(f"checking whether a blob {blob.digest} exists in {client.name.repository}", answer)
        known = blob.annotations.get(_MOUNT_FROM + client.name.domain, "")
        return any(self._mount(blob, path) for path in known.split(",") if path and path != client.name.path)

    def _mount(self, blob: Descriptor, path: str) -> bool:
        from urllib.parse import urlencode

        client = self._client
        query = urlencode({"from": path, "mount": blob.digest})
        try:
            headers = client.authorization(SCOPE, f"repository:{path}:pull")
        except Denied:  # of the other repository: this one can be written without it
            return False
        target = f"{client.base}/blobs/uploads/?{query}"
        answer = client.wire.once("POST", client.origin(), target, {**headers, "Content-Length": "0"})
        discard(answer)
        if answer.status == 202:
            cancel(client, location(client, answer, (client.origin(), target)))
        return answer.status == 201

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Upload, hashing on the way. Raises Damaged before the registry is told that it is whole."""
        Upload(self._client, blob, stream).run()

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """Store a manifest by its digest."""
        self._put(manifest, check_digest(manifest.digest))

    def commit(self, manifest: ManifestBytes) -> None:
        """Store the manifest under the reference's tag, or by its digest where there is none."""
        self._put(manifest, self._client.name.tag or check_digest(manifest.digest))

    def _put(self, manifest: ManifestBytes, under: str) -> None:
        client = self._client
        if manifest.media_type and manifest.media_type not in ACCEPTED:
            raise Unsupported(f"a registry is given no manifests of type {manifest.media_type}")
        headers = {"Content-Type": manifest.media_type or OCI_MANIFEST, "Content-Length": str(len(manifest.content))}
        what = f"writing manifest {under} to {client.name.repository}"
        target = f"{client.base}/manifests/{under}"
        place = (client.origin(), target)
        try:
            answer = send(client, "PUT", place, what, welcome=(201, 202), headers=headers, body=manifest.content)
        except RegistryFailure as error:
            # As containers/image has it: a registry that knows one form of manifests says so of the other in many ways.
            codes = error.details.get("codes")
            known = isinstance(codes, tuple) and bool(_REJECTIONS.intersection(codes))
            error.details["manifest_rejected"] = known or error.details.get("status") == 415
            raise
        if b'"subject"' in manifest.content and not answer.headers.get("OCI-Subject"):
            from sonata_transport_registry.referrers import note_subject

            note_subject(client, manifest, self._put)
