"""Archives compressed as a whole: unpacked once, to a file without a name, to be read by position."""

from __future__ import annotations

import os

from sonata_core.errors import Damaged, HostLacks, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.content import BLOCK, file_error, make_folder, open_regular, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAGIC = ((b"\x1f\x8b\x08", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
HEAD = 6


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
    """The uncompressed bytes of a stream, of all its members. Raises Damaged for what is malformed or cut short."""
    make, errors = _engine(name)
    engine = make()
    data = read()
    while data:
        try:
            chunk = engine.decompress(data)
        except errors as error:
            raise Damaged(f"the archive's {name} data is damaged: {error}") from error
        if chunk:
            yield chunk
        if not engine.eof:
            data = read()
            if not data:
                raise Damaged(f"the archive's {name} data is cut short")
            continue
        data = engine.unused_data or read()
        if not data.strip(b"\0"):
            data = b""
        engine = make()


def _engine(name: str) -> tuple[Callable[[], Any], tuple[type[Exception], ...]]:
    if name == "gzip":
        import zlib

        return lambda: zlib.decompressobj(31), (zlib.error,)
    if name == "bzip2":
        import bz2

        return bz2.BZ2Decompressor, (OSError, ValueError)
    if name == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(memlimit=256 << 20), (lzma.LZMAError,)
    try:
        import zstandard
    except ImportError as error:
        raise HostLacks("the archive is compressed with zstd", hint="install python3-zstandard") from error
    return lambda: zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(), (zstandard.ZstdError,)
