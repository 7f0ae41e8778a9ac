"""A file of records, read and replaced whole, with the token that tells peers of a change.

The order of a save is token, temporary file, rename: a crash in between costs peers a needless
reload and nothing else. A full disk leaves the old file as it was.
"""

from __future__ import annotations

import os
import stat
import time

from sonata.store.names import dump_json
from sonata_core import json_text as json
from sonata_core.errors import Damaged, Denied, SonataError, Unavailable
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata_core.sdk.locks import FileLock

Row = dict[str, Any]

_TYPES: dict[str, type] = {
    **dict.fromkeys(("id", "created", "metadata", "digest", "layer", "parent", "image", "diff-digest"), str),
    **dict.fromkeys(("compressed-diff-digest", "toc-digest"), str),
    **dict.fromkeys(("diff-size", "compressed-size", "compression"), int),
    **dict.fromkeys(("flags", "big-data-sizes", "big-data-digests"), dict),
    **dict.fromkeys(("names", "names-history", "mapped-layers", "big-data-names", "uidmap", "gidmap"), list),
}
_TEXTS = ("names", "names-history", "mapped-layers", "big-data-names")
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
            if durable:
                os.fdatasync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        _unlink_if_there(temporary)
        raise


def _unlink_if_there(path: str) -> None:
    """Interrupted after the rename, there is nothing under the temporary name any more."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_file(path: str) -> None:
    """Wait until a file lies on the disk; one that is gone need not. Raises Unavailable."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fdatasync(fd)
    except OSError as error:
        raise trouble(error, f"writing {path}") from error
    finally:
        os.close(fd)


def replaces_safely(folder: str) -> bool:
    """Whether a file replaced by rename, not waited for, is old or new after a power cut and never empty."""
    device = os.stat(folder).st_dev
    wanted = f" {os.major(device)}:{os.minor(device)} "
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if wanted in line:
                kind, _, options = line.partition(" - ")[2].partition(" ")
                return kind in _ORDERED and "noauto_da_alloc" not in options
    return False


def _read(path: str) -> bytes:
    """A file of records; empty where there is none. Raises Damaged for what is no file: a fifo would make us wait."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if os.path.islink(path):
            raise _damaged(path, "it is a symbolic link that leads nowhere") from None
        return b""
    except NotADirectoryError:
        raise _damaged(os.path.dirname(path), "it is no folder") from None
    except OSError as error:
        raise trouble(error, f"reading {path}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _damaged(path, "it is no file")
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def read_rows(path: str) -> tuple[list[Row], bytes]:
    """The records of a file and its bytes; an absent or empty file has none. Raises Damaged for what is no list."""
    raw = _read(path)
    if not raw.strip():
        return [], raw
    try:
        rows = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if rows is None:
        return [], raw
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
        raise _damaged(path, "it is no list of records")
    for row in rows:
        wrong = misfit(row)
        if wrong:
            raise _damaged(path, f"{wrong} of record {row['id']!r} is of a wrong type")
    return rows, raw


def misfit(row: Row) -> str:
    """The first key whose value is of another type than containers/storage gives it; empty for none."""
    for key, value in row.items():
        wanted = _TYPES.get(key)
        if wanted is None or value is None:
            continue
        if type(value) is not wanted:
            return key
        several: Any = value
        if key in _TEXTS and not all(type(one) is str for one in several):
            return key
    return ""


def _damaged(path: str, why: str) -> Damaged:
    return Damaged(f"{path}: {why}", hint="run `sonata system check --repair`", path=path)


class Table:
    """The records of one kind in one store: `NAME.json` and, from newer peers, `volatile-NAME.json`.

    Rows are changed through `add`, `change` and `drop`, which edit the file's text in place: a store
    of a thousand layers is not serialised anew for one of them. Rows that are the caller's to change
    freely are written by `save_all`.
    """

    def __init__(self, folder: str, name: str) -> None:
        self.folder = folder
        self._main = _File(os.path.join(folder, f"{name}.json"))
        self._volatile = _File(os.path.join(folder, f"volatile-{name}.json"))

    @property
    def path(self) -> str:
        """The file of the records that are kept."""
        return self._main.path

    def all(self) -> list[Row]:
        """Every record; those of volatile containers last."""
        return self._main.rows + self._volatile.rows if self._volatile.rows else self._main.rows

    def find(self, key: str) -> Row | None:
        """The record with an id."""
        for row in self.all():
            if row["id"] == key:
                return row
        return None

    def add(self, row: Row) -> None:
        """Append a record."""
        self._main.add(row)

    def change(self, row: Row, **values: object) -> None:
        """Set keys of a record; None takes a key away. Underscores stand for hyphens."""
        self._file_of(row).change(row, {key.replace("_", "-"): value for key, value in values.items()})

    def update(self, row: Row, values: Row) -> None:
        """Set keys of a record."""
        self._file_of(row).change(row, values)

    def drop(self, row: Row) -> None:
        """Take a record out of the file that has it."""
        self._file_of(row).drop(row)

    def _file_of(self, row: Row) -> _File:
        return self._volatile if any(one is row for one in self._volatile.rows) else self._main

    def save(self, lock: FileLock, *, durable: bool = True) -> None:
        """Write what changed. Raises Unavailable (disk full), Denied; then the files are as before."""
        self._main.save(lock, durable=durable)
        self._volatile.save(lock, durable=False)

    def save_all(self, lock: FileLock) -> None:
        """As `save`, with every row as it is now."""
        self._main.text = dump_json(self._main.rows)
        self._volatile.text = dump_json(self._volatile.rows)
        self.save(lock)


class _File:
    """One file's rows, and the text that says the same."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.rows, self._written = read_rows(path)
        self.text = self._written

    def add(self, row: Row) -> None:
        head = self.text.rstrip()[:-1] if self.rows else b"["
        self.rows.append(row)
        self.text = head + (b"," if len(self.rows) > 1 else b"") + dump_json(row) + b"]"

    def change(self, row: Row, values: Row) -> None:
        old = dump_json(row)
        for key, value in values.items():
            if value is None:
                row.pop(key, None)
            else:
                row[key] = value
        self._swap(old, dump_json(row))

    def drop(self, row: Row) -> None:
        place = next((index for index, one in enumerate(self.rows) if one is row), None)
        if place is None:
            return
        del self.rows[place]
        old = dump_json(row)
        self._swap(old + b"," if place == 0 and self.rows else b"," + old if self.rows else old, b"")

    def _swap(self, old: bytes, new: bytes) -> None:
        """Put `new` where `old` is; a peer's spelling that is not ours has the whole file written anew."""
        if self.text.count(old) == 1:
            self.text = self.text.replace(old, new)
        else:
            self.text = dump_json(self.rows)

    def save(self, lock: FileLock, *, durable: bool) -> None:
        if self.text == self._written or (not self.rows and not self._written):
            return
        try:
            write_token(lock)
            write_file(self.path, self.text, durable=durable)
        except OSError as error:
            raise trouble(error, f"writing {self.path}") from error
        self._written = self.text
