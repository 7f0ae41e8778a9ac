"""A blob as a stream: taken up again where the connection broke, and never spliced wrongly."""

from __future__ import annotations

import io

from sonata_core.errors import RegistryFailure
from sonata_core.lite import TYPE_CHECKING
from sonata_transport_registry.answer import read_some

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata_core.models.image import Descriptor, TransportOptions
    from sonata_transport_registry.answer import Answer

    Ask = Callable[[dict[str, str]], Answer]

_ENOUGH_PROGRESS = 1 << 20
_ENOUGH_TIME = 60.0
_BUFFER = 1 << 18


class BlobStream(io.RawIOBase):
    """The bytes of a blob from an offset on.

    After a break the rest is asked for with a Range, if this is the first break, or a mebibyte
    came or a minute passed since the last one. What is spliced is only what the registry says
    begins exactly there; whether the whole verifies is the reader's to check.
    """

    def __init__(
        self,
        ask: Ask,
        blob: Descriptor,
        offset: int,
        options: TransportOptions,
        *,
        what: str,
        first: Answer | None = None,
    ) -> None:
        self._ask = ask
        self._blob = blob
        self._at = offset
        self._delay = options.retry_delay
        self._what = what
        self._answer: Answer | None = first or open_range(ask, blob, offset, what)
        self._broke_at = -1
        self._broke_when = 0.0

    def as_binary(self) -> BinaryIO:
        """The stream as the contract's type: `RawIOBase` is one in all but name."""
        return self  # type: ignore[return-value]

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; empty at the end. Raises RegistryFailure when the connection stays broken."""
        if size is None or size < 0:
            return self.readall()
        while self._answer is not None and size:
            try:
                chunk = read_some(self._answer, size, self._what)
            except (OSError, RegistryFailure) as error:
                self._take_up(error)
                continue
            self._at += len(chunk)
            if not chunk:
                self._answer = None
            return chunk
        return b""

    def readinto(self, buffer: object, /) -> int:
        """As of `io.RawIOBase`."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        chunk = self.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)

    def readall(self) -> bytes:
        """Everything that is left: for small blobs, such as a config."""
        found = bytearray()
        while chunk := self.read(_BUFFER):
            found += chunk
        return bytes(found)

    def _take_up(self, error: Exception) -> None:
        import time

        now = time.monotonic()
        if (
            self._broke_at >= 0
            and self._at - self._broke_at < _ENOUGH_PROGRESS
            and now - self._broke_when < _ENOUGH_TIME
        ):
            raise RegistryFailure(
                f"{self._what}: the connection broke after {self._at} bytes, and again",
                hint="try again: what has arrived is kept",
                temporary=True,
            ) from error
        self._broke_at, self._broke_when = self._at, now
        if self._answer is not None:
            self._answer.close()
        time.sleep(self._delay)
        self._answer = open_range(self._ask, self._blob, self._at, self._what)

    def close(self) -> None:
        """Drop the connection: what was not read would have to be read to use it again."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None
        super().close()


class RangeStream(io.RawIOBase):
    """So many bytes of a blob, and not one more. Raises RegistryFailure for an answer of other bytes."""

    def __init__(self, answer: Answer, offset: int, size: int, what: str) -> None:
        span = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")[0]
        if span != f"{offset}-{offset + size - 1}":
            answer.close()
            raise RegistryFailure(f"{what}: other bytes than were asked for were sent", temporary=False)
        self._answer = answer
        self._left = size
        self._what = what

    def as_binary(self) -> BinaryIO:
        """The stream as the contract's type."""
        return self  # type: ignore[return-value]

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; empty at the end. Raises RegistryFailure when the connection breaks."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        if not wanted:
            return b""
        try:
            chunk = self._answer.read(wanted)
        except OSError as error:
            raise RegistryFailure(f"{self._what}: the connection broke", temporary=True) from error
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Give the connection back where all was read, else drop it."""
        self._answer.close()
        super().close()


def open_range(ask: Ask, blob: Descriptor, offset: int, what: str) -> Answer | None:
    """The answer with the blob's bytes from `offset` on; None where nothing is left. Raises RegistryFailure."""
    if not offset:
        answer = ask({})
        if answer.status != 200:
            answer.close()
            raise RegistryFailure(f"{what}: HTTP status {answer.status} to a request for the whole")
        return answer
    if blob.size == offset:
        return None
    answer = ask({"Range": f"bytes={offset}-"})
    if answer.status == 206 and _is_right(answer, blob, offset):
        return answer
    if answer.status != 200:
        answer.close()
        answer = ask({})
    if answer.status == 200:
        return _skip(answer, offset, what)
    answer.close()
    raise RegistryFailure(f"{what}: the registry has nothing from byte {offset} on", temporary=False)


def _is_right(answer: Answer, blob: Descriptor, offset: int) -> bool:
    """CWE-354: a 206 with other bytes than were asked for must not be glued on. The whole is asked for instead."""
    return covers(answer.headers.get("Content-Range", ""), blob.size, offset)


def covers(given: str, size: int, offset: int) -> bool:
    """Whether a `Content-Range` speaks of all from `offset` on of so many bytes; -1 where their number is unknown."""
    span, _, total = given.removeprefix("bytes ").partition("/")
    first, _, last = span.partition("-")
    whole = f"{size}" if size >= 0 else total
    known = total.isascii() and total.isdigit() and len(total) < 20
    end_is_right = total == "*" or (known and last == str(int(total) - 1))
    return first == str(offset) and total in (whole, "*") and end_is_right


def _skip(answer: Answer, offset: int, what: str) -> Answer:
    """A registry without ranges sends the whole: pass over what is known."""
    left = offset
    try:
        while left:
            chunk = read_some(answer, min(left, _BUFFER), what)
            if not chunk:
                raise RegistryFailure(f"{what}: the registry sent fewer bytes than before", temporary=False)
            left -= len(chunk)
    except OSError as error:
        answer.close()
        raise RegistryFailure(f"{what}: the connection broke", temporary=True) from error
    except RegistryFailure:
        answer.close()
        raise
    return answer
