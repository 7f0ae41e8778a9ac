"""One blob on its way to a registry (distribution-spec, Pushing blobs): whole, in pieces, again from a break."""

from __future__ import annotations

from sonata_core.errors import Damaged, Denied, RegistryFailure, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import check_digest
from sonata_transport_registry.address import follow
from sonata_transport_registry.wire import discard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from sonata_core.models.image import Descriptor
    from sonata_transport_registry.address import Origin
    from sonata_transport_registry.answer import Answer
    from sonata_transport_registry.client import Client

SCOPE = "pull,push"
_BLOCK = 1 << 18
_SMALL = 1 << 18
"""A blob of so many bytes goes along with the request that ends its upload."""
_PIECE = 16 << 20
"""Where a registry, or a proxy before it, says that a request is too large."""


def send(
    client: Client,
    method: str,
    place: tuple[Origin, str],
    what: str,
    *,
    welcome: tuple[int, ...],
    headers: dict[str, str] | None = None,
    body: object = None,
) -> Answer:
    """One request that writes; our credentials only go along to the registry itself.

    A token that is no longer taken is fetched anew, once, where the body can be sent again. Raises what an
    unwelcome answer means.
    """
    origin, target = place
    for last in (False, True):
        allowed = client.authorization(SCOPE) if origin == client.origin() else {}
        every = {"Content-Length": "0", **allowed} if body is None else {**(headers or {}), **allowed}
        answer = client.wire.once(method, origin, target, every, body)
        if answer.status in welcome:
            discard(answer)
            return answer
        if answer.status != 401 or last or not allowed or not isinstance(body, bytes | None):
            break
        discard(answer)
        client.forget(SCOPE)
    raise client.failure(what, answer)


def location(client: Client, answer: Answer, place: tuple[Origin, str]) -> tuple[Origin, str]:
    """Where an upload goes on. Raises RegistryFailure where the registry does not say, or says what is not followed."""
    found = answer.headers.get("Location", "")
    if not found:
        raise RegistryFailure(f"registry {client.name.domain} accepts an upload but does not say where")
    return follow(*place, found, insecure=client.wire.insecure)


def cancel(client: Client, place: tuple[Origin, str]) -> None:
    """Tell the registry to forget an upload. Registries forget by themselves in time, so failure is no matter."""
    origin, target = place
    try:
        allowed = client.authorization(SCOPE) if origin == client.origin() else {}
        discard(client.wire.once("DELETE", origin, target, allowed))
    except SonataError:
        return


class Upload:
    """The upload of one blob. Raises Damaged before the registry is told that it is whole."""

    def __init__(self, client: Client, blob: Descriptor, stream: BinaryIO) -> None:
        self._client = client
        self._blob = blob
        self._body = Body(blob, stream)
        self._what = f"writing blob {blob.digest} to {client.name.repository}"
        self._piece = 0
        self._place = self._begin()

    def _begin(self) -> tuple[Origin, str]:
        client = self._client
        start = (client.origin(), f"{client.base}/blobs/uploads/")
        return location(client, send(client, "POST", start, self._what, welcome=(202,)), start)

    def run(self) -> None:
        """All of it."""
        try:
            if 0 <= self._blob.size <= _SMALL:
                self._end(b"".join(self._body.blocks(-1)))
                return
            self._transfer()
            self._body.check()
        except (Damaged, RegistryFailure, Denied):
            cancel(self._client, self._place)
            raise
        self._end(None)

    def _end(self, body: bytes | None) -> None:
        origin, target = self._place
        target += f"{'&' if '?' in target else '?'}digest={self._blob.digest.replace(':', '%3A')}"
        headers = {"Content-Type": "application/octet-stream"}
        if body is not None:
            self._body.check()
            headers["Content-Length"] = str(len(body))
        send(self._client, "PUT", (origin, target), self._what, welcome=(201,), headers=headers, body=body)

    def _transfer(self) -> None:
        """The bytes; after a break the registry is asked how many it has, as often as there are retries."""
        from time import sleep

        left = self._client.options.retries
        while not self._body.ended:
            try:
                self._patch()
            except (RegistryFailure, Denied) as error:
                if not self._may_go_on(error) or not left or not self._body.rewindable:
                    raise
                left -= 1
                sleep(self._client.options.retry_delay)
                self._take_up()

    def _may_go_on(self, error: SonataError) -> bool:
        status = error.details.get("status")
        if status == 413 and not self._piece:
            self._piece = _PIECE
            return True
        if status == 401:
            self._client.forget(SCOPE)
            return True
        return bool(error.details.get("temporary"))

    def _patch(self) -> None:
        first, size = self._body.done, self._blob.size
        count = min(size - first, self._piece) if self._piece and size >= 0 else size - first
        headers = {"Content-Type": "application/octet-stream"}
        if size >= 0:
            headers["Content-Length"] = str(count)
        if size >= 0 and (self._piece or first):
            headers["Content-Range"] = f"{first}-{first + count - 1}"
        blocks = self._body.blocks(count if self._piece else -1)
        sent = send(self._client, "PATCH", self._place, self._what, welcome=(202, 201), headers=headers, body=blocks)
        self._place = location(self._client, sent, self._place)
        self._body.ended = self._body.ended or self._body.done == size

    def _take_up(self) -> None:
        """Go back to the first byte that the registry has not."""
        origin, target = self._place
        allowed = self._client.authorization(SCOPE) if origin == self._client.origin() else {}
        answer = self._client.wire.ask("GET", origin, target, allowed)
        discard(answer)
        if answer.status != 204:
            self._place = self._begin()
            self._body.go_back(0)
            return
        if answer.headers.get("Location"):
            self._place = location(self._client, answer, self._place)
        last = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")[2]
        has = int(last) + 1 if last.isascii() and last.isdigit() and len(last) < 19 else 0
        self._body.go_back(0 if has == 1 else has)  # `0-0` is what an empty upload says


class Body:
    """A stream cut into blocks, its digest and size taken on the way. `ended`: all of it was sent."""

    def __init__(self, blob: Descriptor, stream: BinaryIO) -> None:
        self._blob = blob
        self._stream = stream
        self._begin()

    def _begin(self) -> None:
        import hashlib

        algorithm, _, self._wanted = check_digest(self._blob.digest).partition(":")
        self._hash = hashlib.new(algorithm)
        self.done = 0
        self.ended = False

    @property
    def rewindable(self) -> bool:
        """Whether bytes can be sent again."""
        seekable = getattr(self._stream, "seekable", None)
        return self._blob.size >= 0 and seekable is not None and bool(seekable())

    def blocks(self, count: int) -> Iterator[bytes]:
        """The next `count` bytes; -1 for all that is left, which must then be the blob's."""
        left = count
        while left and (chunk := self._next(_BLOCK if left < 0 else min(_BLOCK, left))):
            left -= len(chunk) if left > 0 else 0
            yield chunk
        if left:
            self.check()
            self.ended = True

    def _next(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._hash.update(chunk)
        self.done += len(chunk)
        if 0 <= self._blob.size < self.done:
            raise Damaged(f"blob {self._blob.digest} has more than the {self._blob.size} bytes announced")
        return chunk

    def go_back(self, offset: int) -> None:
        """Read what the registry has once more, for the digest of the whole. Raises RegistryFailure for more."""
        had = self.done
        if offset > had:
            raise RegistryFailure(f"the registry has more bytes of blob {self._blob.digest} than were sent")
        self._stream.seek(0)
        self._begin()
        while self.done < offset and self._next(min(_BLOCK, offset - self.done)):
            pass

    def check(self) -> None:
        """Raise Damaged unless what was read is the blob."""
        if self._blob.size not in (-1, self.done):
            raise Damaged(f"blob {self._blob.digest} has {self.done} bytes, {self._blob.size} were announced")
        if self._hash.hexdigest() != self._wanted:
            raise Damaged(
                f"blob {self._blob.digest} does not verify: its bytes have {self._hash.name}:{self._hash.hexdigest()}"
            )
