"""The state database: one SQLite file per graph root, in write-ahead mode.

Write transactions begin IMMEDIATE and last milliseconds; no hook is called inside one. What a
command has acknowledged is on the disk (`synchronous = FULL`); what only has to outlive the command
itself, and not a power cut, is not waited for. Opening creates or migrates the file under a lock of
its own, because switching to write-ahead mode is the one thing for which SQLite does not wait.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import time

from sonata_core.errors import Conflict, Damaged, HostLacks, TimedOut, Unavailable
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from types import TracebackType

    Row = tuple[Any, ...]
else:
    from sonata_core.sqlite import sqlite3

SCHEMA = 2
"""Number of the newest migration in `schema/`."""

PATIENCE = 120.0
"""Seconds to wait for another process's transaction."""

_STEP = 0.001
"""Seconds between two attempts to begin one; different processes take different steps."""

_LOG_PAGES = 200
_LONGEST = 511
"""Bytes of a name that SQLite opens: its MAX_PATHNAME, less the end."""


class Database:
    """One connection, opened on first use. Not to be shared between threads."""

    def __init__(self, path: str, facts: dict[str, str], *, read_only: bool = False) -> None:
        self.path = path
        self.facts = facts
        self.read_only = read_only
        self._connection: sqlite3.Connection | None = None
        self._depth = 0
        self._writer = 0
        self._waits = True

    @property
    def busy(self) -> bool:
        """A transaction is open."""
        return self._depth > 0

    def assert_idle(self) -> None:
        """Raise Conflict inside this thread's transaction: nothing slow may happen there."""
        if self._depth and self._writer == _thread.get_ident():
            raise Conflict("a hook was called inside a state transaction")

    def query(self, sql: str, values: Iterable[Any] = ()) -> list[Row]:
        """All rows of a query."""
        try:
            return self._open().execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def one(self, sql: str, values: Iterable[Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        rows = self.query(sql, values)
        return rows[0] if rows else None

    def execute(self, sql: str, values: Iterable[Any] = ()) -> int:
        """Run one statement inside the open transaction; how many rows it changed.

        sqlite3.IntegrityError passes: callers know what it means for their table.
        """
        assert self._depth, "writes happen in a transaction"
        try:
            return self._open().execute(sql, tuple(values)).rowcount
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def transaction(self, *, durable: bool = True) -> Transaction:
        """A write transaction, as a context manager: committed at the end, rolled back on any error.

        One that is not `durable` outlives the process, but not a power cut until a later one is.
        Inside another transaction it shares that one's fate.
        """
        return Transaction(self, durable=durable)

    def imagine(self) -> None:
        """From now on, have all that is written be true for this command alone. For one that was opened to look."""
        from sonata.state.looking import copied

        assert self.read_only
        connection = self._open()
        self._connection = copied(connection)
        connection.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def begin(self, *, durable: bool) -> None:
        """Enter a transaction (the outermost one begins it)."""
        if self._depth == 0:
            try:
                connection = self._open()
                if durable != self._waits:
                    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                    self._waits = durable
                self._begin_immediately(connection)
            except sqlite3.Error as error:
                raise self._explain(error) from error
            self._writer = _thread.get_ident()
        self._depth += 1

    def _begin_immediately(self, connection: sqlite3.Connection) -> None:
        """Take the writer's lock. Waits in short steps: SQLite's own grow to 100 ms, while a transaction takes one."""
        deadline = 0.0
        while True:
            try:
                connection.execute("PRAGMA busy_timeout = 0")
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                deadline = deadline or now + PATIENCE
                if not _busy(error) or now > deadline:
                    raise
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
            time.sleep(_STEP + os.getpid() % 16 * _STEP / 16)

    def end(self, *, keep: bool) -> None:
        """Leave a transaction (the outermost one commits or rolls back)."""
        self._depth -= 1
        connection = self._open()
        if self._depth or not connection.in_transaction:
            return
        try:
            connection.execute("COMMIT" if keep else "ROLLBACK")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise self._explain(error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._connect()
            except sqlite3.Error as error:
                raise self._explain(error) from error
            except OSError as error:
                raise Unavailable(f"state database {self.path}: {error.strerror}", hint=_mend(error)) from error
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        if self.read_only:
            from sonata.state.looking import connect

            return connect(self.path, SCHEMA)
        fresh = not os.path.exists(self.path)
        if fresh:
            make_private(os.path.dirname(self.path))
        connection = self._attach()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA:
            connection.close()
            connection = self._prepare()
        return connection

    def _attach(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = FULL")
        # Commands leave without SQLite's goodbye, so the log is read by the next one: it is kept short.
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _prepare(self) -> sqlite3.Connection:
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection = self._attach()
            os.chmod(self.path, 0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA:
                raise HostLacks(
                    f"state database {self.path} has schema {version}, this Sonata knows {SCHEMA}",
                    hint="use the newer Sonata that wrote it",
                )
            for number in range(version + 1, SCHEMA + 1):
                self._migrate(connection, number)
            return connection
        finally:
            os.close(lock)

    def _migrate(self, connection: sqlite3.Connection, number: int) -> None:
        folder = os.path.join(os.path.dirname(__file__), "schema")
        with open(f"{folder}/{number:04}.sql", encoding="utf-8") as script:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script.read()}\nPRAGMA user_version = {number};\nCOMMIT;")
        for key, value in self.facts.items():
            connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))

    def _explain(self, error: sqlite3.Error) -> Unavailable | TimedOut | Damaged:
        text = str(error)
        if _busy(error):
            return TimedOut(f"state database {self.path}: another command held it for {PATIENCE:.0f} seconds")
        if ("full" in text or "disk I/O" in text) and os.path.isfile(self.path):
            return Unavailable(
                f"state database {self.path}: {text}", hint=f"free space on the file system of {self.path}"
            )
        if "malformed" in text or "not a database" in text:
            return Damaged(f"state database {self.path}: {text}", hint="sonata system check --repair")
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            return Damaged(f"state database {self.path}: it is no file", hint="sonata system check --repair")
        long = len(os.fsencode(self.path)) > _LONGEST
        hint = f"SQLite opens no name longer than {_LONGEST} bytes: name a shorter --root" if long else None
        return Unavailable(f"state database {self.path}: {text}", hint=hint)


def _busy(error: sqlite3.Error) -> bool:
    text = str(error)
    return "locked" in text or "busy" in text


class Transaction:
    """`with database.transaction():`."""

    def __init__(self, database: Database, *, durable: bool) -> None:
        self._database = database
        self._durable = durable

    def __enter__(self) -> Database:
        self._database.begin(durable=self._durable)
        return self._database

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.end(keep=kind is None)


def _mend(error: OSError) -> str | None:
    import errno

    if error.errno in (errno.EACCES, errno.EPERM):
        return "run the command as the owner of the graph root: without --root it is below HOME"
    if error.errno == errno.EROFS:
        return "the file system of the graph root is mounted read-only: name another --root"
    if error.errno == errno.ENAMETOOLONG:
        return "name a shorter --root"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free space on that file system"
    return None
