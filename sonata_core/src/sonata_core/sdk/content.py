"""Streams over parts of files, and content stored so that only what verifies ever has its name."""

from __future__ import annotations

import io
import os
import stat
from errno import EACCES, EDQUOT, EFBIG, EINVAL, EISDIR, ENOENT, ENOSPC, ENOTDIR, EOPNOTSUPP, EPERM, EROFS

from sonata_core.errors import Damaged, Denied, NotFound, SonataError, Unavailable, Unsupported
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.naming import digest_parts, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata_core.models.image import Descriptor

BLOCK = 1 << 20
LARGE = 16 << 20
"""Blobs of this size and more are hashed beside being written; a thread for less is not worth its start."""


def file_error(what: str, error: OSError) -> SonataError:
    """The error for a file that the system refuses; `what` says what was done, such as `open /x`."""
    text = f"{what}: {(error.strerror or str(error)).lower()}"
    if error.errno in (ENOENT, ENOTDIR):
        return NotFound(text)
    if error.errno in (EACCES, EPERM):
        return Denied(text)
    if error.errno in (ENOSPC, EDQUOT, EFBIG):
        return Unavailable(text, hint="make room on that disk, or choose another place")
    if error.errno == EROFS:
        return Unavailable(text, hint="choose a place that can be written to")
    return Unavailable(text)


def make_folder(path: str, mode: int = 0o755) -> None:
    """Make a folder and those above it, if they are not there. Raises as `file_error`."""
    try:
        os.makedirs(path, mode, exist_ok=True)
    except OSError as error:
        raise file_error(f"mkdir {path}", error) from error


class Section(io.RawIOBase):
    """The bytes of an open file between two offsets, read by position: several may share one file.

    `owner` is called with the descriptor when the stream is closed; None where the file is closed elsewhere.
    """

    def __init__(self, fd: int, start: int, size: int, owner: Callable[[int], None] | None = None) -> None:
        self._fd = fd
        self._at = start
        self._end = start + size
        self._owner = owner

    def as_binary(self) -> BinaryIO:
        """The stream as the contract's type: `RawIOBase` is one in all but name."""
        return self  # type: ignore[return-value]

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; empty at the end. Raises Damaged where the file is shorter than it was."""
        left = self._end - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        chunk = os.pread(self._fd, wanted, self._at)
        if not chunk:
            raise Damaged("a file became shorter while it was read")
        self._at += len(chunk)
        return chunk

    def readinto(self, buffer: Any, /) -> int:
        """As of `io.RawIOBase`, without a copy."""
        view = memoryview(buffer).cast("B")[: self._end - self._at]
        if not len(view):
            return 0
        count = os.preadv(self._fd, [view], self._at)
        if not count:
            raise Damaged("a file became shorter while it was read")
        self._at += count
        return count

    def readall(self) -> bytes:
        """All that is left."""
        found = bytearray()
        while chunk := self.read(BLOCK):
            found += chunk
        return bytes(found)

    def close(self) -> None:
        """Give the file back."""
        if self._owner is not None and not self.closed:
            self._owner(self._fd)
        super().close()


def open_regular(path: str) -> tuple[int, int]:
    """Open a file for reading: descriptor and size. Never waits for a FIFO. Raises NotFound, Denied, Unsupported."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise file_error(f"open {path}", error) from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise Unsupported(f"{shown(path)} is not a regular file")
    return fd, found.st_size


def read_small(path: str, limit: int) -> bytes:
    """A whole small file. Raises NotFound, Damaged for more than `limit` bytes."""
    fd, size = open_regular(path)
    with Section(fd, 0, size, os.close) as section:
        if size > limit:
            raise Damaged(f"{shown(path)} has {size} bytes, more than the {limit} that are accepted")
        return section.read()


def copy_verified(stream: BinaryIO, write: Callable[[memoryview], object], blob: Descriptor) -> int:
    """Copy a blob block by block, hashing. Returns its size. Raises Damaged unless digest and size are right.

    What was written by then must not be kept when this raises.
    """
    import hashlib

    algorithm, wanted = digest_parts(blob.digest)
    state = hashlib.new(algorithm)
    size = _copy_hashed(stream, write, blob, state) if blob.size < LARGE else _copy_beside(stream, write, blob, state)
    if blob.size not in (-1, size):
        raise Damaged(f"blob {blob.digest} has {size} bytes, {blob.size} were announced")
    if state.hexdigest() != wanted:
        raise Damaged(f"blob {blob.digest} does not verify: its bytes have {algorithm}:{state.hexdigest()}")
    return size


def _copy_hashed(stream: BinaryIO, write: Callable[[memoryview], object], blob: Descriptor, state: Any) -> int:
    buffer = memoryview(bytearray(BLOCK))
    size = 0
    while len(chunk := _next(stream, buffer)):
        size = _within(blob, size + len(chunk))
        state.update(chunk)
        write(chunk)
    return size


def _copy_beside(stream: BinaryIO, write: Callable[[memoryview], object], blob: Descriptor, state: Any) -> int:
    """The same with the hash taken by a thread, which takes most of the time."""
    from sonata_core.sdk.hash_ring import HashRing

    size = 0
    with HashRing(state, BLOCK) as ring:
        while len(chunk := _next(stream, buffer := ring.buffer())):
            size = _within(blob, size + len(chunk))
            ring.update(buffer, chunk)
            write(chunk)
    return size


def _next(stream: BinaryIO, buffer: memoryview) -> memoryview:
    """The next bytes of a stream, in the buffer where it can put them there; empty at the end."""
    readinto: Any = getattr(stream, "readinto", None)
    return memoryview(stream.read(len(buffer))) if readinto is None else buffer[: readinto(buffer) or 0]


def _within(blob: Descriptor, size: int) -> int:
    """The size, if the blob may have as much. Raises Damaged."""
    if 0 <= blob.size < size:
        raise Damaged(f"blob {blob.digest} has more than the {blob.size} bytes announced")
    return size


def write_all(fd: int, chunk: memoryview | bytes) -> None:
    """Write every byte: a file system may take fewer at a time. Raises as `file_error`."""
    view = memoryview(chunk)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as error:
        raise file_error("write", error) from error


class NewFile:
    """A file that gets its name only when it is whole, by `keep`; left without that, it is forgotten.

    Until then it has no name at all, where the file system can do that: whoever is killed leaves nothing.
    """

    def __init__(self, path: str, mode: int = 0o644) -> None:
        self.path = path
        self._mode = mode
        folder, name = os.path.split(path)
        self._temporary = os.path.join(folder, f".{name[:64]}.{os.urandom(6).hex()}")
        self._named = False
        self.fd = -1

    def __enter__(self) -> NewFile:
        try:
            self.fd = self._open()
        except OSError as error:
            raise file_error(f"open {self.path}", error) from error
        return self

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(os.path.dirname(self.path) or ".", flags | os.O_TMPFILE, self._mode)
        except OSError as error:
            if error.errno not in (EOPNOTSUPP, EISDIR, EINVAL):
                raise
        fd = os.open(self._temporary, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, self._mode)
        self._named = True
        return fd

    def keep(self, *, sync: bool = False) -> None:
        """Give the file its name, over an older file of that name."""
        try:
            if sync:
                os.fdatasync(self.fd)
            if not self._named:
                # A folder's number makes Python call linkat, which follows; a path that begins with / ignores it.
                os.link(f"/proc/self/fd/{self.fd}", self._temporary, src_dir_fd=self.fd, follow_symlinks=True)
                self._named = True
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise file_error(f"write {self.path}", error) from error
        self._named = False

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        if self._named:
            os.unlink(self._temporary)


def store_blob(path: str, blob: Descriptor, stream: BinaryIO) -> None:
    """Store a blob under a file name, if it verifies. Raises Damaged and leaves nothing otherwise."""
    with NewFile(path) as file:
        copy_verified(stream, lambda chunk: write_all(file.fd, chunk), blob)
        file.keep()


def store_bytes(path: str, content: bytes) -> None:
    """Store a small file at once: readers see the old one or the new one."""
    with NewFile(path) as file:
        write_all(file.fd, content)
        file.keep()
