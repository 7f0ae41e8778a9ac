"""Archives compressed as a whole: unpacked once, to a file without a name, to be read by position."""

from __future__ import annotations

import os

from sonata_core.errors import Damaged, HostLacks, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.content import BLOCK, file_error, make_folder, open_regular, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    Parts = Generator[bytes, None, bytes]
    Step = Callable[[Any, bytes], Parts]

_MAGIC = ((b"\x1f\x8b\x08", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
HEAD = 6
_PIECE = 512


def compression_of(head: bytes) -> str:
    """`gzip`, `bzip2`, `xz`, `zstd`, or empty for what begins with no such magic."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    return ""


def open_archive(path: str, scratch: str) -> tuple[int, int]:
    """Open an archive: a descriptor of its uncompressed bytes, and how many there are.

    A compressed one is unpacked into an unlinked file in the folder `scratch` (made if absent).
    Raises NotFound, Denied, Damaged, HostLacks, Unavailable.
    """
    fd, size = open_regular(path)
    name = compression_of(os.pread(fd, HEAD, 0))
    if not name:
        return fd, size
    try:
        make_folder(scratch, 0o700)
        unpacked = os.open(scratch, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        os.close(fd)
        raise file_error(f"open {scratch}", error) from error
    except SonataError:
        os.close(fd)
        raise
    try:
        total = 0
        for chunk in decompressed(name, lambda: os.read(fd, BLOCK)):
            write_all(unpacked, chunk)
            total += len(chunk)
    except BaseException:
        os.close(unpacked)
        raise
    finally:
        os.close(fd)
    return unpacked, total


def decompressed(name: str, read: Callable[[], bytes]) -> Iterator[bytes]:
    """The uncompressed bytes of a stream, of all its members, in parts of some MiB at the most.

    Raises Damaged for what is malformed or cut short.
    """
    make, step, errors = _engine(name)
    data = read()
    while data:
        engine = make()
        while not engine.eof:
            data = data or read()
            if not data:
                raise Damaged(f"the archive's {name} data is cut short")
            try:
                data = yield from step(engine, data)
            except errors as error:
                raise Damaged(f"the archive's {name} data is damaged: {error}") from error
        data = data or read()
        if not data.strip(b"\0"):
            data = b""


def _inflated(engine: Any, data: bytes) -> Parts:
    """What zlib makes of some input, of which little may become a thousand times as much; what is left of the input."""
    full = True
    while not engine.eof and (data or full):
        chunk = engine.decompress(data, BLOCK)
        full = len(chunk) == BLOCK
        data = engine.unconsumed_tail
        yield chunk
    return bytes(engine.unused_data)


def _bounded(engine: Any, data: bytes) -> Parts:
    """The same of bz2 and lzma, which keep what they have not used yet."""
    yield engine.decompress(data, BLOCK)
    while not engine.eof and not engine.needs_input:
        yield engine.decompress(b"", BLOCK)
    return bytes(engine.unused_data) if engine.eof else b""


def _by_pieces(engine: Any, data: bytes) -> Parts:
    """The same of zstandard, which knows no bound: of some bytes it makes 128 KiB at the most."""
    at = 0
    while at < len(data) and not engine.eof:
        yield engine.decompress(data[at : at + _PIECE])
        at += _PIECE
    return bytes(engine.unused_data) + data[at:] if engine.eof else b""


def _engine(name: str) -> tuple[Callable[[], Any], Step, tuple[type[Exception], ...]]:
    if name == "gzip":
        import zlib

        return lambda: zlib.decompressobj(31), _inflated, (zlib.error,)
    if name == "bzip2":
        import bz2

        return bz2.BZ2Decompressor, _bounded, (OSError, ValueError)
    if name == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(memlimit=256 << 20), _bounded, (lzma.LZMAError,)
    try:
        import zstandard
    except ImportError as error:
        raise HostLacks("the archive is compressed with zstd", hint="install python3-zstandard") from error
    return (
        lambda: zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(),
        _by_pieces,
        (zstandard.ZstdError,),
    )
