"""Streams of bytes as those who read them see them: much less than a file."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Readable(Protocol):
        """What can be read from, front to back."""

        def read(self, size: int = ..., /) -> bytes:
            """At most `size` bytes, all that is left where it is negative; empty at the end."""

    class ByteStream(Readable, Protocol):
        """What is closed after it was read."""

        def close(self) -> None:
            """Give back what it holds."""
