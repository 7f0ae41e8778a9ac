"""TLS within TLS: to a registry, through a proxy that is itself spoken to by TLS."""

from __future__ import annotations

from io import BufferedReader, RawIOBase
from ssl import MemoryBIO, SSLWantReadError

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext, SSLSocket

_BLOCK = 1 << 16


class Inner:
    """The inner connection, with as much of a socket as is needed here."""

    def __init__(self, outer: SSLSocket, context: SSLContext, host: str) -> None:
        self._outer = outer
        self._in, self._out = MemoryBIO(), MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host.encode())
        self._do(self._tls.do_handshake)

    def _do(self, act: Callable[..., Any], *given: object) -> Any:
        while True:
            try:
                done = act(*given)
            except SSLWantReadError:
                self._flush()
                data = self._outer.recv(_BLOCK)
                if data:
                    self._in.write(data)
                else:
                    self._in.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if self._out.pending:
            self._outer.sendall(self._out.read())

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        view = memoryview(data)
        while view:
            view = view[self._do(self._tls.write, view[:_BLOCK]) :]

    def recv_into(self, buffer: memoryview) -> int:
        """The next bytes; 0 at the end."""
        from ssl import SSLZeroReturnError

        try:
            count: int = self._do(self._tls.read, len(buffer), buffer)
        except SSLZeroReturnError:
            return 0
        return count

    def makefile(self, _mode: str, buffering: int) -> BufferedReader:
        """A reader of what comes."""
        return BufferedReader(_Reader(self), buffering)

    def close(self) -> None:
        """Close the outer connection."""
        self._outer.close()


class _Reader(RawIOBase):
    def __init__(self, inner: Inner) -> None:
        super().__init__()
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inner.recv_into(memoryview(buffer).cast("B"))
