"""Blobs on their way: what has come of each lies in one folder, so that a killed pull goes on where it was.

`<algorithm>-<hex>` holds a blob's first bytes, `<algorithm>-<hex>.json` its digest, its size and how
many bytes are there (`offset`, written now and then and at the end). Nothing in the folder is
trusted: what is read back goes through the same hash as what comes from the network.
"""

from __future__ import annotations

import fcntl
import os
from errno import EDQUOT, ENOSPC, EXDEV

from sonata.image.verify import parse_digest
from sonata_core.errors import Damaged, RegistryFailure, Unavailable
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata_core.models.image import Descriptor

    class Opener(Protocol):
        """Opens a blob from an offset on."""

        def __call__(self, blob: Descriptor, offset: int) -> BinaryIO: ...


_NOTE_EVERY = 16 << 20


class PartialBlob:
    """One blob's file, locked against other pulls. `have` bytes were there at the start.

    Where another pull has the lock, and where no folder is named, there is no file (`usable` is false), and nothing is
    kept.
    """

    def __init__(self, folder: str, blob: Descriptor) -> None:
        algorithm, text = parse_digest(blob.digest)
        self._blob = blob
        self.path = os.path.join(folder, f"{algorithm}-{text}")
        self._noted = 0
        self._fd = -1
        self.have = 0
        if not folder:
            return
        try:
            make_private(folder)
            fd = _lock(self.path)
        except OSError as error:
            raise Unavailable(f"keeping a partial blob in {folder}: {error.strerror}") from error
        if fd is None:
            return
        self._fd = fd
        self.have = os.fstat(fd).st_size
        if 0 <= blob.size < self.have:
            self.reset()

    @property
    def usable(self) -> bool:
        """Whether this pull may keep bytes here."""
        return self._fd >= 0

    def reset(self) -> None:
        """Forget what is there."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
        self.have = 0

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that are there."""
        return os.pread(self._fd, size, offset)

    def write(self, data: bytes, offset: int) -> None:
        """Keep bytes that came. Raises Unavailable, for a full disk after it has forgotten what is there."""
        if self._fd < 0:
            return
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._fd, data[done:] if done else data, offset + done)
            if offset + done - self._noted >= _NOTE_EVERY:
                self.note(offset + done)
        except OSError as error:
            if disk_is_full(error):
                self.remove()
            raise Unavailable(
                f"keeping a partial blob: {error.strerror} ({self.path})", hint="free some space, or prune"
            ) from error

    def note(self, offset: int) -> None:
        """Write down how much is there."""
        if self._fd < 0:
            return
        self._noted = offset
        text = f'{{"digest":"{self._blob.digest}","size":{self._blob.size},"offset":{offset}}}'
        temporary = f"{self.path}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, text.encode())
        except OSError:
            os.unlink(temporary)
            raise
        finally:
            os.close(fd)
        os.rename(temporary, f"{self.path}.json")

    def remove(self) -> None:
        """The blob is where it belongs, or was bad: keep nothing of it. Idempotent."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            self.close()

    def hand_over(self, path: str) -> bool:
        """Give a blob that is whole and verified its place, `path`; False where that is on another file system."""
        if self._fd < 0:
            return False
        try:
            os.fchmod(self._fd, 0o644)
            os.rename(self.path, path)
        except OSError as error:
            if error.errno != EXDEV:
                raise Unavailable(f"writing {path}: {error.strerror}") from error
            return False
        _unlink(f"{self.path}.json")
        os.close(self._fd)
        self._fd = -1
        return True

    def close(self) -> None:
        """Let go of the file; what is in it stays for the next pull, if the disk has room. Idempotent."""
        if self._fd < 0:
            return
        if not self._noted_whole():
            _unlink(self.path)
            _unlink(f"{self.path}.json")
        os.close(self._fd)
        self._fd = -1

    def _noted_whole(self) -> bool:
        """Whether something is there, and it is written down how much."""
        size = os.fstat(self._fd).st_size
        try:
            if size:
                self.note(size)
        except OSError:
            return False
        return size > 0


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that a file system or a quota has no room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
            return True
        error = error.__cause__
    return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _lock(path: str) -> int | None:
    """Open and lock a blob's file; None where another pull is at it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)  # another pull finished with it, and removed it, between open and lock


class BlobStream:
    """A blob as a stream: first what an earlier pull left, then the rest from its source.

    A source that fails or ends too early is asked again from where it was, `retries` times over without
    progress. Bytes are not verified here.
    """

    def __init__(
        self, blob: Descriptor, partial: PartialBlob, open_blob: Opener, *, retries: int, delay: float
    ) -> None:
        self._blob = blob
        self._partial = partial
        self._open = open_blob
        self._source: BinaryIO | None = None
        self._left = self._retries = retries
        self._delay = delay
        self.done = 0

    def read(self, size: int = 1 << 18) -> bytes:
        """The next bytes; empty at the end."""
        if self.done < self._partial.have:
            part = self._partial.read(self.done, min(size, self._partial.have - self.done))
            if part:
                self.done += len(part)
                return part
        while (fresh := self._from_source(size)) is None:
            pass
        if fresh:
            self._partial.write(fresh, self.done)
            self.done += len(fresh)
            self._left = self._retries
        return fresh

    def _from_source(self, size: int) -> bytes | None:
        """Bytes of the source; None where it must be asked again."""
        if 0 <= self._blob.size == self.done and self._source is None:
            return b""
        try:
            if self._source is None:
                self._source = self._open(self._blob, self.done)
            part = self._source.read(size)
        except (RegistryFailure, OSError) as error:
            if not self._again():
                if isinstance(error, OSError):
                    raise RegistryFailure(f"reading blob {self._blob.digest}: {error}") from error
                raise
            return None
        if not part and 0 <= self.done < self._blob.size and self._again():
            return None
        return part

    def _again(self) -> bool:
        """Whether to go on after a failure, and be patient first."""
        self.close()
        if not self._left:
            return False
        from time import sleep

        sleep(self._delay * (self._retries - self._left + 1))
        self._left -= 1
        return True

    def close(self) -> None:
        """Let go of the source."""
        if self._source is not None:
            self._source.close()
            self._source = None


class PartialUse:
    """What a folder of partial blobs takes: for `system df` and `system prune`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def entries(self) -> list[tuple[str, int, int]]:
        """Digest, bytes that are there, and whole size (-1 where unknown) of each."""
        from json import loads

        found: list[tuple[str, int, int]] = []
        try:
            names = sorted(name for name in os.listdir(self._folder) if "." not in name)
        except FileNotFoundError:
            return []
        for name in names:
            digest = name.replace("-", ":", 1)
            try:
                parse_digest(digest)
                have = os.stat(os.path.join(self._folder, name)).st_size
            except (Damaged, FileNotFoundError):
                continue  # no blob's name, or gone meanwhile
            try:
                with open(os.path.join(self._folder, f"{name}.json"), "rb") as note:
                    size = loads(note.read(4096))["size"]
            except (FileNotFoundError, ValueError, KeyError, TypeError):
                size = -1
            found.append((digest, have, size if isinstance(size, int) else -1))
        return found

    def prune(self, keep_bytes: int = 0) -> int:
        """Remove the oldest until at most `keep_bytes` are left; those in use stay. Returns the bytes freed."""
        aged: list[tuple[float, str, int]] = []
        for digest, have, _ in self.entries():
            path = os.path.join(self._folder, digest.replace(":", "-", 1))
            aged.append((os.stat(path).st_mtime, path, have))
        total, freed = sum(have for _, _, have in aged), 0
        for _, path, have in sorted(aged):
            if total - freed <= keep_bytes:
                break
            if _remove_unlocked(path):
                freed += have
        return freed


def _remove_unlocked(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _unlink(path)
        _unlink(f"{path}.json")
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
