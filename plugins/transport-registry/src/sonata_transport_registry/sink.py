"""Writing an image to a registry (distribution-spec, Push)."""

from __future__ import annotations

from sonata_core.errors import Damaged, RegistryFailure, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.media import ACCEPTED, OCI_MANIFEST
from sonata_core.naming import check_digest
from sonata_transport_registry.address import follow
from sonata_transport_registry.wire import discard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import BinaryIO, Self

    from urllib3 import BaseHTTPResponse

    from sonata_core.models.image import Descriptor, ManifestBytes
    from sonata_transport_registry.address import Origin
    from sonata_transport_registry.client import Client

_SCOPE = "pull,push"
_BLOCK = 1 << 18
_MOUNT_FROM = "containerd.io/distribution.source."


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
        answer = client.get("HEAD", f"{client.base}/blobs/{check_digest(blob.digest)}", {}, _SCOPE)
        discard(answer)
        if answer.status == 200:
            return True
        if answer.status not in (404, 400):
            raise client.failure(f"checking whether blob {blob.digest} exists in {client.name.repository}", answer)
        known = blob.annotations.get(_MOUNT_FROM + client.name.domain, "")
        return any(self._mount(blob, path) for path in known.split(",") if path and path != client.name.path)

    def _mount(self, blob: Descriptor, path: str) -> bool:
        from urllib.parse import urlencode

        client = self._client
        query = urlencode({"from": path, "mount": blob.digest})
        headers = client.authorization(_SCOPE, f"repository:{path}:pull")
        target = f"{client.base}/blobs/uploads/?{query}"
        answer = client.wire.once("POST", client.origin(), target, {**headers, "Content-Length": "0"})
        discard(answer)
        if answer.status == 202:
            origin, target = self._location(answer, target)
            self._cancel(origin, target)
        return answer.status == 201

    def put_blob(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Upload in one PATCH, hashing on the way. Raises Damaged before the registry is told that it is whole."""
        client = self._client
        what = f"writing blob {blob.digest} to {client.name.repository}"
        begun = self._send("POST", client.origin(), f"{client.base}/blobs/uploads/", what, welcome=(202,))
        origin, target = self._location(begun, f"{client.base}/blobs/uploads/")
        body = _Hashing(blob, stream)
        headers = {"Content-Type": "application/octet-stream"}
        if blob.size >= 0:
            headers["Content-Length"] = str(blob.size)
        try:
            sent = self._send("PATCH", origin, target, what, welcome=(202, 201), headers=headers, body=iter(body))
            body.check()
        except (Damaged, RegistryFailure):
            self._cancel(origin, target)
            raise
        origin, target = self._location(sent, target, origin)
        separator = "&" if "?" in target else "?"
        self._send("PUT", origin, f"{target}{separator}digest={blob.digest.replace(':', '%3A')}", what, welcome=(201,))

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
        welcome = (201, 202)
        answer = self._send(
            "PUT", client.origin(), target, what, welcome=welcome, headers=headers, body=manifest.content
        )
        if b'"subject"' in manifest.content and not answer.headers.get("OCI-Subject"):
            from sonata_transport_registry.referrers import note_subject

            note_subject(client, manifest, self._put)

    def _send(
        self,
        method: str,
        origin: Origin,
        target: str,
        what: str,
        *,
        welcome: tuple[int, ...],
        headers: dict[str, str] | None = None,
        body: object = None,
    ) -> BaseHTTPResponse:
        client = self._client
        own = client.origin()
        allowed = client.authorization(_SCOPE) if origin == own else {}
        every = {"Content-Length": "0", **allowed} if body is None else {**(headers or {}), **allowed}
        answer = client.wire.once(method, origin, target, every, body)
        if answer.status not in welcome:
            raise client.failure(what, answer)
        discard(answer)
        return answer

    def _location(self, answer: BaseHTTPResponse, target: str, origin: Origin | None = None) -> tuple[Origin, str]:
        """Where an upload goes on; our credentials only go along where that is the registry itself."""
        client = self._client
        location = answer.headers.get("Location", "")
        if not location:
            raise RegistryFailure(f"registry {client.name.domain} accepts an upload but does not say where")
        return follow(origin or client.origin(), target, location, insecure=client.wire.insecure)

    def _cancel(self, origin: Origin, target: str) -> None:
        """Tell the registry to forget an upload. Registries forget by themselves in time, so failure is no matter."""
        client = self._client
        try:
            allowed = client.authorization(_SCOPE) if origin == client.origin() else {}
            discard(client.wire.once("DELETE", origin, target, allowed))
        except RegistryFailure:
            return


class _Hashing:
    """A stream cut into blocks, its digest and size taken on the way."""

    def __init__(self, blob: Descriptor, stream: BinaryIO) -> None:
        import hashlib

        algorithm, _, self._wanted = check_digest(blob.digest).partition(":")
        self._hash = hashlib.new(algorithm)
        self._blob = blob
        self._stream = stream
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._stream.read(_BLOCK):
            self._hash.update(chunk)
            self._size += len(chunk)
            if 0 <= self._blob.size < self._size:
                raise Damaged(f"blob {self._blob.digest} has more than the {self._blob.size} bytes announced")
            yield chunk
        self.check()

    def check(self) -> None:
        """Raise Damaged unless what was read is the blob."""
        if self._blob.size not in (-1, self._size):
            raise Damaged(f"blob {self._blob.digest} has {self._size} bytes, {self._blob.size} were announced")
        if self._hash.hexdigest() != self._wanted:
            raise Damaged(
                f"blob {self._blob.digest} does not verify: its bytes have {self._hash.name}:{self._hash.hexdigest()}"
            )
