"""A file of records, read and replaced whole, with the token that tells peers of a change.

The order of a save is token, temporary file, rename: a crash in between costs peers a needless
reload and nothing else. A full disk leaves the old file as it was.
"""

from __future__ import annotations

import json
import os
import time

from sonata.store.names import dump_json
from sonata_core.errors import Damaged, Denied, SonataError, Unavailable
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata_core.sdk.locks import FileLock

Row = dict[str, Any]

# Where replacing a file by rename, without waiting for the disk, leaves the old or the new content after a
# power cut, never an empty file.
_ORDERED = ("ext3", "ext4", "tmpfs")


def trouble(error: OSError, doing: str) -> SonataError:
    """An error of the house for one of the system's."""
    import errno

    text = f"{doing}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(text, hint="free some space: `sonata system df` shows what takes it")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(text, hint="is the store of another user, or mounted read-only?")
    return Unavailable(text)


def write_token(lock: FileLock) -> None:
    """Mark the lock file with a fresh writer's token: 64 bytes, of which only equality matters."""
    stamp = time.time_ns().to_bytes(8, "little") + os.urandom(8) + (os.getpid() & 0xFFFFFFFF).to_bytes(4, "little")
    os.pwrite(lock.fd, stamp + os.urandom(44), 0)


def write_file(path: str, data: bytes, *, durable: bool) -> None:
    """Replace a file of mode 0600. Raises OSError, and then the old file is untouched and nothing is left beside it."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".tmp-{name}{int.from_bytes(os.urandom(4), 'big')}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            _write_all(fd, data)
            if durable or not _ordered(folder):
                os.fdatasync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _ordered(folder: str) -> bool:
    device = os.stat(folder).st_dev
    wanted = f" {os.major(device)}:{os.minor(device)} "
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if wanted in line:
                kind, _, options = line.partition(" - ")[2].partition(" ")
                return kind in _ORDERED and "noauto_da_alloc" not in options
    return False


def read_rows(path: str) -> tuple[list[Row], bytes]:
    """The records of a file and its bytes; an absent or empty file has none. Raises Damaged for what is no list."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return [], b""
    except OSError as error:
        raise trouble(error, f"reading {path}") from error
    with open(fd, "rb") as file:
        raw = file.read()
    if not raw.strip():
        return [], raw
    try:
        rows = json.loads(raw)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if rows is None:
        return [], raw
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
        raise _damaged(path, "it is no list of records")
    return rows, raw


def _damaged(path: str, why: str) -> Damaged:
    return Damaged(f"{path}: {why}", hint="run `sonata system check --repair`", path=path)


class Table:
    """The records of one kind in one store: `NAME.json` and, from newer peers, `volatile-NAME.json`."""

    def __init__(self, folder: str, name: str) -> None:
        self.folder = folder
        self._path = os.path.join(folder, f"{name}.json")
        self._volatile_path = os.path.join(folder, f"volatile-{name}.json")
        self.rows, self._raw = read_rows(self._path)
        self._volatile, self._volatile_raw = read_rows(self._volatile_path)

    def all(self) -> list[Row]:
        """Every record; those of volatile containers last."""
        return self.rows + self._volatile if self._volatile else self.rows

    def find(self, key: str) -> Row | None:
        """The record with an id."""
        for row in self.all():
            if row["id"] == key:
                return row
        return None

    def remove(self, row: Row) -> None:
        """Take a record out of the list that has it."""
        for rows in (self.rows, self._volatile):
            if any(one is row for one in rows):
                rows[:] = [one for one in rows if one is not row]

    def save(self, lock: FileLock, *, durable: bool = True) -> None:
        """Write what changed. Raises Unavailable (disk full), Denied; then the files are as before."""
        files = (
            (self._path, self.rows, "_raw", durable),
            (self._volatile_path, self._volatile, "_volatile_raw", False),
        )
        for path, rows, memory, wait in files:
            data = dump_json(rows)
            old = getattr(self, memory)
            if data == old or (not rows and not old):
                continue
            try:
                write_token(lock)
                write_file(path, data, durable=wait)
            except OSError as error:
                raise trouble(error, f"writing {path}") from error
            setattr(self, memory, data)
