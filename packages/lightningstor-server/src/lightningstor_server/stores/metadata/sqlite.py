"""SQLite through apsw: connect, run, translate errors.

Law: every connection is set and read back before use; every write begins IMMEDIATE, behind a file
lock that queues processes fairly (SQLite's busy handler polls: waits of 430 ms against 80 ms); no
read transaction spans a client's download. Source: sqlite.org, "Write-Ahead Logging", "PRAGMA".
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from lightningstor_server.stores.errors import Broken, CopyRefused
from lightningstor_server.stores.metadata.committer import Committer, drive
from lightningstor_server.stores.metadata.database import Connection, Parameters, Row, T
from lightningstor_server.stores.metadata.shipping.folder import CopyFolder
from lightningstor_server.stores.metadata.shipping.shipper import Delivery
from lightningstor_server.stores.metadata.shipping.starting import admitted, begin_first, enter_start, resume
from lightningstor_server.stores.metadata.sql import SqlMetadata
from lightningstor_server.stores.metadata.sqlite_errors import translated
from lightningstor_server.stores.metadata.statements import migrations

SQLITE_MINIMUM: Final = (3, 51, 3)
"""Older ones have the WAL-reset race between connections (sqlite.org, 2026-03-13)."""
BUSY_TIMEOUT_MILLISECONDS: Final = 10_000
CACHE_KIBIBYTES: Final = 24 << 10
PAGE_BYTES: Final = 16 << 10
"""Three bodies of 4 KiB share a leaf page; 8 KiB pages hold one, and 4 KiB pages send each to an overflow page."""
CACHED_STATEMENTS: Final = 200

_PRAGMAS: Final[tuple[tuple[str, str | int, str | int], ...]] = (
    # name, what is set, what must be read back
    ("page_size", PAGE_BYTES, PAGE_BYTES),  # before the first table, or it has no effect
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("busy_timeout", BUSY_TIMEOUT_MILLISECONDS, BUSY_TIMEOUT_MILLISECONDS),
    ("foreign_keys", "ON", 1),
    ("mmap_size", 0, 0),
    ("cell_size_check", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cache_size", -CACHE_KIBIBYTES, -CACHE_KIBIBYTES),
)
_MEMORY_PRAGMAS: Final = tuple(pragma for pragma in _PRAGMAS if pragma[0] not in {"journal_mode", "mmap_size"})


class SqliteConnection:
    """A connection as the SQL above sees it; its awaits never suspend."""

    def __init__(self, path: Path | None, *, keep_log: bool = False) -> None:
        """Open it. `keep_log` leaves the write-ahead log to whoever ships it; else the last to close removes it.

        Raises:
            Broken: it cannot be opened, or not set as it must be.
        """
        if tuple(int(number) for number in apsw.sqlite_lib_version().split(".")) < SQLITE_MINIMUM:
            raise Broken(f"SQLite {apsw.sqlite_lib_version()} is too old; this store needs 3.51.3 or later")
        with translated():
            self._driver = apsw.Connection(str(path) if path else ":memory:", statementcachesize=CACHED_STATEMENTS)
            for name, value, expected in _PRAGMAS if path else _MEMORY_PRAGMAS:
                self._driver.execute(f"PRAGMA {name} = {value}").fetchall()
                found = self._driver.execute(f"PRAGMA {name}").fetchall()
                if found != [(expected,)]:
                    raise Broken(f"PRAGMA {name} is {found}, and must be {expected}")
            if keep_log:
                self._driver.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._run = self._driver.execute

    async def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """See `Connection.rows`."""
        return self.all(statement, parameters)

    async def row(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """See `Connection.row`. All rows are fetched, so that the statement ends."""
        found = self.all(statement, parameters)
        return found[0] if found else None

    async def run(self, statement: str, parameters: Parameters = ()) -> None:
        """See `Connection.run`."""
        self.all(statement, parameters)

    def all(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Run a statement and fetch what it returns."""
        try:
            return self._run(statement, parameters).fetchall()
        except apsw.Error:
            with translated():
                raise

    def each(self, statement: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Run a statement and hand out its rows one at a time, however many there are."""
        with translated():
            yield from self._run(statement, parameters)

    def script(self, text: str) -> None:
        """Run several statements."""
        with translated():
            self._driver.execute(text)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; SQLite ends one by itself on some errors."""
        return self._driver.in_transaction

    def close(self) -> None:
        """Close the connection."""
        with translated():
            self._driver.close()


class SqliteWriter(SqliteConnection):
    """The connection that writes, behind a file lock that other processes' writers share."""

    def __init__(self, path: Path | None, *, keep_log: bool = False) -> None:
        super().__init__(path, keep_log=keep_log)
        self._delivery: Delivery | None = None
        self._frames = 0
        """How many the write-ahead log has since the last commit that wrote."""
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) if path else None

    def deliver_to(self, path: Path, copy: CopyFolder) -> Delivery:
        """Ship every commit from now on, and checkpoint only behind that: this takes the place of SQLite's own checkpoints."""
        self._delivery = Delivery(path, copy, self.lock)
        self._driver.set_wal_hook(self._wrote)
        return self._delivery

    def _wrote(self, _driver: apsw.Connection, _name: str, frames: int) -> int:
        self._frames = frames
        return apsw.SQLITE_OK

    def begin(self) -> None:
        """See `Transactional.begin`."""
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.all("BEGIN IMMEDIATE")

    @property
    def lock(self) -> int:
        """The descriptor of the write lock of a database in a file."""
        if self._lock is None:
            raise Broken("a database in memory has no write lock")
        return self._lock

    def savepoint(self) -> None:
        """See `Transactional.savepoint`."""
        self.all("SAVEPOINT work")

    def release(self) -> None:
        """See `Transactional.release`."""
        self.all("RELEASE work")

    def undo(self) -> bool:
        """See `Transactional.undo`."""
        if not self.in_transaction:
            return False
        self.all("ROLLBACK TO work")
        self.all("RELEASE work")
        return True

    def commit(self) -> None:
        """See `Transactional.commit`."""
        self.all("COMMIT")
        if self._delivery is not None and self._frames:
            frames, self._frames = self._frames, 0
            if self._delivery.committed(frames):
                with translated(), suppress(apsw.BusyError):
                    self._driver.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._unlock()

    def rollback(self) -> None:
        """See `Transactional.rollback`."""
        try:
            if self.in_transaction:
                self.all("ROLLBACK")
        finally:
            self._unlock()

    def close(self) -> None:
        """Close the connection and the lock file."""
        super().close()
        if self._delivery is not None:
            self._delivery.close()
            self._delivery = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _unlock(self) -> None:
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


class SqliteDatabase:
    """A database file: one connection that reads on the loop's thread, one that writes on its own."""

    def __init__(self, path: Path, copy: Path | None = None) -> None:
        self._reader = SqliteConnection(path, keep_log=copy is not None)
        self._committer = Committer(lambda: _writer(path, copy))

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """See `Database.read`."""
        self._reader.all("BEGIN")
        try:
            return drive(work, self._reader)
        finally:
            if self._reader.in_transaction:  # SQLite ends it by itself where the medium fails
                self._reader.all("ROLLBACK")

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """See `Database.look`."""
        return await work(self._reader)

    async def commit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """See `Database.commit`."""
        return await self._committer.submit(work)

    async def close(self) -> None:
        """See `Database.close`."""
        await self._committer.close()
        self._reader.close()


def _writer(path: Path, copy: Path | None) -> SqliteWriter:
    writer = SqliteWriter(path, keep_log=copy is not None)
    if copy is not None:
        writer.deliver_to(path, CopyFolder(copy))
    return writer


class MemoryDatabase:
    """A database in memory: one connection, no thread, nothing durable. For tests and for trying."""

    def __init__(self) -> None:
        self._connection = SqliteWriter(None)

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """See `Database.read`."""
        return drive(work, self._connection)

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """See `Database.look`."""
        return await work(self._connection)

    async def commit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """See `Database.commit`."""
        self._connection.begin()
        try:
            outcome = drive(work, self._connection)
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        return outcome

    async def close(self) -> None:
        """See `Database.close`."""
        self._connection.close()


def migrate(connection: SqliteWriter) -> int:
    """Bring a store to the newest format, each step in its own transaction. Returns the format.

    Raises:
        Broken: the store is of a format that this version does not know.
    """
    steps = migrations()
    known = connection.all("SELECT count(*) FROM sqlite_schema WHERE name = 'configuration'")[0][0]
    found = connection.all("SELECT value FROM configuration WHERE name = 'store_format'") if known else []
    current = int(found[0][0]) if found else 0
    if current > steps[-1][0]:
        raise Broken(f"the store has format {current}; this version knows formats up to {steps[-1][0]}")
    for number, script in steps:
        if number <= current:
            continue
        connection.begin()
        try:
            connection.script(script)
            connection.all(
                "INSERT INTO configuration (name, value) VALUES ('store_format', $1) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (str(number),),
            )
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    return steps[-1][0]


def prepare_sqlite(path: Path, copy: Path | None = None) -> None:
    """Recover and migrate the database before any worker opens it, and bring its copy up to it.

    The checkpoint comes first: pages that recovery takes from the log may be clean in the page
    cache and absent on disk, so no write is taken before a TRUNCATE checkpoint has synced them.
    Before it goes to the copy what a killed server committed and did not ship.

    Raises:
        Broken: the checkpoint did not go through, or the format is unknown.
        CopyRefused: the copy cannot be used.
    """
    folder = None if copy is None else admitted(path, copy)
    connection = SqliteWriter(path, keep_log=folder is not None)
    try:
        resumed = folder is not None and resume(folder, path, connection.lock)
        busy, *_ = connection.all("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        if busy:
            raise Broken("another process has the database open: the log could not be checkpointed")
        if folder is None:
            migrate(connection)
        else:
            _prepare_copied(connection, path, folder, resumed=resumed)
    finally:
        connection.close()


def _prepare_copied(connection: SqliteWriter, path: Path, folder: CopyFolder, *, resumed: bool) -> None:
    delivery = connection.deliver_to(path, folder) if resumed else None
    migrate(connection)
    connection.begin()
    store = enter_start(connection.all)
    connection.commit()
    if delivery is None:
        begin_first(folder, path, connection.lock, store)
    elif delivery.failing:
        raise CopyRefused(f"the metadata copy {folder.path} cannot be written")


async def open_sqlite(path: Path, copy: Path | None = None) -> SqlMetadata:
    """The metadata store in a file that `prepare_sqlite` has prepared, its commits shipped to `copy`."""
    return SqlMetadata(SqliteDatabase(path, copy))


async def open_memory() -> SqlMetadata:
    """A metadata store in memory."""
    database = MemoryDatabase()
    migrate(database._connection)
    return SqlMetadata(database)
