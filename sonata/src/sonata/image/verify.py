"""Bytes checked against the digest and size that a descriptor promised."""

from __future__ import annotations

import hashlib
from io import RawIOBase

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata_core.models.streams import ByteStream

_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_HEX = frozenset("0123456789abcdef")


def parse_digest(digest: str) -> tuple[str, str]:
    """Algorithm and hex part of a digest; both are safe in a file name. Raises Damaged."""
    algorithm, _, text = digest.partition(":")
    if _LENGTHS.get(algorithm) != len(text) or not _HEX.issuperset(text):
        raise Damaged(f"{digest[:100]!r} is no digest that can be verified", hint="sha256, sha384 and sha512 can")
    return algorithm, text


def verify_bytes(content: bytes, digest: str, what: str) -> None:
    """Compare content that is at hand. Raises Damaged."""
    algorithm, text = parse_digest(digest)
    found = hashlib.new(algorithm, content).hexdigest()
    if found != text:
        raise Damaged(f"{what} has the digest {algorithm}:{found}; {digest} was asked for")


class VerifyingReader(RawIOBase):
    """Passes a stream on; its end is reached only by content that has the digest and size.

    `size` -1 stands for any. `resume` is the hash of what was read before, `done` how many bytes. Raises
    Damaged for content that is longer (as soon as it is), shorter, or other.
    """

    def __init__(self, stream: ByteStream, digest: str, size: int, *, done: int = 0, resume: Any = None) -> None:
        algorithm, self._hex = parse_digest(digest)
        self._stream = stream
        self._digest = digest
        self._size = size
        self.done = done
        self.hash: Any = resume if resume is not None else hashlib.new(algorithm)
        self._checked = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """As the stream's own."""
        if size < 0:
            return self.readall()
        part = self._stream.read(size)
        if part:
            self.done += len(part)
            if 0 <= self._size < self.done:
                raise Damaged(f"the blob {self._digest} is longer than the {self._size} bytes of its descriptor")
            self.hash.update(part)
        elif size:
            self._check()
        return part

    def readinto(self, buffer: Any) -> int:
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _check(self) -> None:
        if self._checked:
            return
        if 0 <= self._size != self.done:
            raise Damaged(f"the blob {self._digest} ends after {self.done} bytes; its descriptor says {self._size}")
        if self.hash.hexdigest() != self._hex:
            raise Damaged(f"the blob {self._digest} is damaged: what came has the digest {self.hash.hexdigest()}")
        self._checked = True

    def close(self) -> None:
        """Close the stream too."""
        if not self.closed:
            self._stream.close()
        super().close()
