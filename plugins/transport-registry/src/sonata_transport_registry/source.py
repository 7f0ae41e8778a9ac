"""Reading an image from a registry, or from the first of its mirrors that has it."""

from __future__ import annotations

from sonata_core.errors import RegistryFailure, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import MANIFEST_LIMIT
from sonata_core.naming import check_digest, parse_name
from sonata_transport_registry.address import split
from sonata_transport_registry.blob import BlobStream, RangeStream, open_range
from sonata_transport_registry.client import Client
from sonata_transport_registry.manifests import fetch_manifest
from sonata_transport_registry.wire import read_all

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Descriptor, ImageReference, TransportOptions
    from sonata_transport_registry.answer import Answer


class RegistrySource:
    """An image of a registry. The endpoint that yields its manifest first serves all the rest."""

    def __init__(self, reference: ImageReference, clients: tuple[Client, ...], options: TransportOptions) -> None:
        from threading import Lock

        self._reference = reference
        self._clients = clients
        self._options = options
        self._lock = Lock()
        self._chosen: tuple[Client, ManifestBytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()

    def resolve(self) -> ManifestBytes:
        """The manifest or index that the name means. Raises NotFound, Denied, RegistryFailure."""
        return self._choose()[1]

    def _choose(self) -> tuple[Client, ManifestBytes]:
        with self._lock:
            if self._chosen is None:
                self._chosen = self._first()
            return self._chosen

    def _first(self) -> tuple[Client, ManifestBytes]:
        failures: list[tuple[Client, SonataError]] = []
        for client in self._clients:
            try:
                return client, fetch_manifest(client, client.name.digest or client.name.tag)
            except SonataError as error:
                failures.append((client, error))
        raise self._all_failed(failures)

    def _all_failed(self, failures: list[tuple[Client, SonataError]]) -> SonataError:
        """The last failure, that of the registry itself, with what its mirrors said."""
        *mirrors, (_, last) = failures
        text = f"initializing source docker://{parse_name(self._reference.rest.removeprefix('//')).familiar}: "
        if mirrors:
            said = "\n".join(f"[{client.name}: {error}]" for client, error in mirrors)
            text += f"(Mirrors also failed: {said}): {self._clients[-1].name}: "
        return type(last)(text + last.message, hint=last.hint, **last.details)

    def manifest(self, digest: Digest) -> ManifestBytes:
        """A manifest by digest, from the place that answered `resolve`."""
        return fetch_manifest(self._choose()[0], check_digest(digest))

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        """A stream that takes itself up again where the connection broke."""
        for url in blob.urls:
            stream = self._open_foreign(blob, url, offset)
            if stream is not None:
                return stream
        client = self._choose()[0]
        target = f"{client.base}/blobs/{check_digest(blob.digest)}"
        what = f"fetching blob {blob.digest} from {client.name.repository}"

        def ask(headers: dict[str, str]) -> Answer:
            answer = client.get("GET", target, headers)
            if answer.status not in (200, 206, 416):
                raise client.failure(what, answer)
            return answer

        return BlobStream(ask, blob, offset, self._options, what=what).as_binary()

    def open_range(self, blob: Descriptor, offset: int, size: int) -> BinaryIO | None:
        """T-21. A part of a blob; None for a blob that lies elsewhere, or where the registry knows no ranges."""
        if blob.urls:
            return None
        client = self._choose()[0]
        what = f"fetching a part of blob {blob.digest} from {client.name.repository}"
        headers = {"Range": f"bytes={offset}-{offset + size - 1}"}
        answer = client.get("GET", f"{client.base}/blobs/{check_digest(blob.digest)}", headers)
        if answer.status == 200:
            answer.close()
            return None
        if answer.status != 206:
            raise client.failure(what, answer)
        return RangeStream(answer, offset, size, what).as_binary()

    def _open_foreign(self, blob: Descriptor, url: str, offset: int) -> BinaryIO | None:
        """A blob that lies outside the registry: asked for without credentials. None where that fails."""
        client = self._choose()[0]
        try:
            origin, target = split(url)
            if origin.scheme == "http" and not client.wire.insecure:
                return None
        except RegistryFailure:
            return None
        what = f"fetching blob {blob.digest} from {origin.netloc}"

        def ask(headers: dict[str, str]) -> Answer:
            answer = client.wire.ask("GET", origin, target, headers)
            if answer.status not in (200, 206, 416):
                raise client.failure(what, answer)
            return answer

        try:
            first = open_range(ask, blob, offset, what)
        except SonataError:
            return None
        return BlobStream(ask, blob, offset, self._options, what=what, first=first).as_binary()

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """The signatures of a manifest, where those of the endpoint that served it lie."""
        from sonata_transport_registry.signatures import read

        return read(self._choose()[0], digest, lambda blob: self.open_blob(blob, 0))


def list_tags(client: Client) -> tuple[str, ...]:
    """All tags of the repository, in the registry's order. Raises NotFound, Denied, RegistryFailure."""
    import json

    from sonata_core.naming import is_tag
    from sonata_transport_registry.pages import Pages

    what = "fetching tags list"
    found: dict[str, None] = {}
    pages = Pages(client, f"{client.base}/tags/list", "pull", what)
    for answer in pages:
        if answer.status != 200:
            raise client.failure(what, answer)
        try:
            document = json.loads(read_all(answer, MANIFEST_LIMIT, what).decode("utf-8"))
            tags = document.get("tags") or []
            pages.count(len(tags))
            found.update((tag, None) for tag in tags if isinstance(tag, str) and is_tag(tag))
        except (ValueError, RecursionError, AttributeError, TypeError) as error:
            raise RegistryFailure(f"{what}: the answer is not a list of tags") from error
    return tuple(found)
