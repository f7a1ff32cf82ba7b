"""What is SQLite's own about the metadata store: its settings, its files, its processes, its errors."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import apsw
import pytest

from lightningstor_server.stores.errors import Broken, NoRoom, ReadOnly, StoreError, Unavailable
from lightningstor_server.stores.metadata import sqlite
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.database import Connection
from lightningstor_server.stores.metadata.sql import SqlMetadata
from lightningstor_server.stores.metadata.sqlite import SqliteConnection, SqliteWriter, migrate, open_sqlite, prepare_sqlite
from lightningstor_server.stores.metadata.statements import migrations

COMMITS = 500
PROCESS_SECONDS = 120.0
NEWEST = migrations()[-1][0]
COUNT = """
import asyncio, sys
from pathlib import Path
from lightningstor_server.stores.metadata.sqlite import open_sqlite

async def main(path, name, commits):
    metadata = await open_sqlite(Path(path))
    async def work(tx):
        for setting in (name, "both"):
            value = int(await tx.configuration.get(setting) or 0)
            await tx.configuration.set(setting, str(value + 1))
        await tx.configuration.bump()
        return value + 1
    async def caller():
        return [await metadata.commit(work) for _ in range(commits // 10)]
    print("ready", flush=True)
    sys.stdin.readline()
    seen = sorted(sum(await asyncio.gather(*(caller() for _ in range(10))), []))
    assert len(set(seen)) == commits, seen
    assert await metadata.read(lambda tx: tx.configuration.get(name)) == str(commits)
    await metadata.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def setting(name: str, value: str) -> Callable[[Transaction], Awaitable[None]]:
    """Work that keeps a setting."""
    return lambda tx: tx.configuration.set(name, value)


def kept(name: str) -> Callable[[Transaction], Awaitable[str | None]]:
    """Work that reads it."""
    return lambda tx: tx.configuration.get(name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that was prepared."""
    path = tmp_path / "meta.db"
    prepare_sqlite(path)
    return path


@pytest.fixture
async def metadata(path: Path) -> AsyncIterator[SqlMetadata]:
    """The store in it."""
    metadata = await open_sqlite(path)
    yield metadata
    await metadata.close()


class FaultyFile(apsw.VFSFile):
    """A file of the database whose medium can be made to fail."""

    def __init__(self, base: str, faults: dict[str, type[apsw.Error]], name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._faults = faults
        super().__init__(base, name, flags)

    def _check(self, call: str) -> None:
        if call in self._faults:
            raise self._faults[call](call)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        """Read, or fail."""
        self._check("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write, or fail."""
        self._check("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Sync, or fail."""
        self._check("sync")
        super().xSync(flags)


class FaultyDisk(apsw.VFS):
    """The default file system with faults: `read`, `write` and `sync` by the error that they raise."""

    def __init__(self) -> None:
        self.faults: dict[str, type[apsw.Error]] = {}
        self._base = apsw.vfs_names()[0]
        super().__init__("faulty", self._base, makedefault=True)

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> FaultyFile:  # noqa: N802 - SQLite's name
        """Open a file on this disk."""
        return FaultyFile(self._base, self.faults, name, flags)


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    """What databases that are opened from now on stand on."""
    default = apsw.vfs_names()[0]
    disk = FaultyDisk()
    yield disk
    disk.faults.clear()
    disk.unregister()
    assert apsw.vfs_names()[0] == default


# -- opening


@pytest.mark.parametrize("cls", [SqliteConnection, SqliteWriter])
def test_every_connection_is_set_up_and_read_back(path: Path, cls: type[SqliteConnection]) -> None:
    """WAL with a sync at every commit, checked references, no memory map: what durability rests on."""
    connection = cls(path)
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "mmap_size": 0,
        "cell_size_check": 1,
        "trusted_schema": 0,
        "busy_timeout": sqlite.BUSY_TIMEOUT_MILLISECONDS,
        "cache_size": -sqlite.CACHE_KIBIBYTES,
    }
    assert {name: connection.all(f"PRAGMA {name}")[0][0] for name in expected} == expected
    connection.close()


def test_a_setting_that_does_not_take_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not as it must be is never used."""
    monkeypatch.setattr(sqlite, "_PRAGMAS", (("synchronous", "OFF", 2),))
    with pytest.raises(Broken, match="synchronous"):
        SqliteConnection(path)


@pytest.mark.parametrize(("version", "taken"), [("3.40.1", False), ("3.51.2", False), ("3.51.3", True), ("3.100.0", True)])
def test_an_sqlite_with_the_wal_race_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, taken: bool) -> None:
    """Versions are compared as numbers; the refusal names what it found."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    if taken:
        SqliteConnection(path).close()
    else:
        with pytest.raises(Broken, match=version.replace(".", r"\.")):
            SqliteConnection(path)


async def test_a_store_in_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """By an error of the store's, not the driver's."""
    with pytest.raises(Broken):
        await open_sqlite(tmp_path / "absent" / "meta.db")
    (tmp_path / "text.db").write_text("this is no database, however long one looks at it. " * 100)
    with pytest.raises(Broken):
        prepare_sqlite(tmp_path / "text.db")


def test_nothing_stays_open_behind_a_connection(path: Path) -> None:
    """Closing gives every descriptor back, the lock's too."""

    def descriptors() -> list[str]:
        targets = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return sorted(target for target in targets if target.startswith(str(path.parent)))

    before = descriptors()
    SqliteWriter(path).close()
    prepare_sqlite(path)
    assert descriptors() == before


# -- formats


def test_preparing_makes_a_store_of_the_newest_format(tmp_path: Path) -> None:
    """From nothing; doing it again changes nothing."""
    path = tmp_path / "meta.db"
    prepare_sqlite(path)
    connection = SqliteWriter(path)
    assert connection.all("SELECT value FROM configuration WHERE name = 'store_format'") == [(str(NEWEST),)]
    schema = connection.all("SELECT name, sql FROM sqlite_schema ORDER BY name")
    assert migrate(connection) == NEWEST
    connection.close()
    prepare_sqlite(path)
    connection = SqliteWriter(path)
    assert connection.all("SELECT name, sql FROM sqlite_schema ORDER BY name") == schema
    assert connection.all("SELECT value FROM configuration WHERE name = 'generation'") == [("1",)]
    connection.close()


async def test_a_store_of_a_newer_format_is_refused(path: Path) -> None:
    """And left as it is, for the version that knows it."""
    metadata = await open_sqlite(path)
    await metadata.commit(setting("store_format", str(NEWEST + 1)))
    await metadata.close()
    with pytest.raises(Broken, match=f"format {NEWEST + 1}"):
        prepare_sqlite(path)
    connection = SqliteConnection(path)
    assert connection.all("SELECT value FROM configuration WHERE name = 'store_format'") == [(str(NEWEST + 1),)]
    connection.close()


def test_a_migration_that_fails_leaves_the_format_before_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is one transaction: what came before it stays, nothing of it does, and it can be tried again."""
    steps = [*migrations(), (NEWEST + 1, "CREATE TABLE a (x);"), (NEWEST + 2, "CREATE TABLE b (x); SELECT nonsense;")]
    monkeypatch.setattr(sqlite, "migrations", lambda: steps)
    for _ in range(2):
        with pytest.raises(StoreError):
            prepare_sqlite(path)
        connection = SqliteConnection(path)
        assert connection.all("SELECT value FROM configuration WHERE name = 'store_format'") == [(str(NEWEST + 1),)]
        assert connection.all("SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')") == [("a",)]
        connection.close()
    steps[-1] = (NEWEST + 2, "CREATE TABLE b (x);")
    prepare_sqlite(path)


# -- recovery


async def test_what_was_committed_is_there_after_a_kill(metadata: SqlMetadata, path: Path, tmp_path: Path) -> None:
    """Database and log of a store that was never closed hold everything that was answered."""
    for number in range(50):
        await metadata.commit(setting(f"s{number}", str(number)))
    folder = tmp_path / "after"
    folder.mkdir()
    for suffix in (".db", ".db-wal"):
        shutil.copy(path.with_suffix(suffix), folder)
    assert (folder / "meta.db-wal").stat().st_size > 0
    prepare_sqlite(folder / "meta.db")
    # the checkpoint has moved the log into the database and synced it before anything is written
    assert not (folder / "meta.db-wal").exists() or (folder / "meta.db-wal").stat().st_size == 0
    found = await open_sqlite(folder / "meta.db")
    for number in range(50):
        assert await found.read(kept(f"s{number}")) == str(number)
    await found.commit(setting("s0", "new"))
    await found.close()


async def test_what_was_not_committed_is_not_there_after_a_kill(metadata: SqlMetadata, path: Path, tmp_path: Path) -> None:
    """The files of a moment within a transaction have nothing of it."""
    folder = tmp_path / "after"
    folder.mkdir()

    async def work(tx: Transaction) -> None:
        await tx.configuration.set("x", "1")
        for suffix in (".db", ".db-wal"):
            shutil.copy(path.with_suffix(suffix), folder)

    await metadata.commit(setting("before", "1"))
    await metadata.commit(work)
    prepare_sqlite(folder / "meta.db")
    found = await open_sqlite(folder / "meta.db")
    assert (await found.read(kept("before")), await found.read(kept("x"))) == ("1", None)
    await found.close()


def test_a_log_that_cannot_be_checkpointed_is_refused(path: Path) -> None:
    """Writes are taken only once what recovery found is synced: a reader that holds the log stands in the way."""
    writer, reader = SqliteWriter(path), SqliteConnection(path)
    reader.all("BEGIN")
    reader.all("SELECT count(*) FROM configuration")
    writer.all("INSERT INTO configuration VALUES ('x', '1')")
    monkeypatch = pytest.MonkeyPatch()
    pragmas = tuple((name, 0, 0) if name == "busy_timeout" else (name, *rest) for name, *rest in sqlite._PRAGMAS)
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)
    try:
        with pytest.raises(Broken, match="another process"):
            prepare_sqlite(path)
    finally:
        monkeypatch.undo()
        reader.close()
        writer.close()
    prepare_sqlite(path)


# -- reading beside a writer


async def test_a_read_does_not_see_what_is_committed_meanwhile(metadata: SqlMetadata, path: Path) -> None:
    """All of its look-ups are of the moment of the first; the next read is of a later one."""
    await metadata.commit(setting("x", "old"))
    other = SqliteWriter(path)

    async def work(tx: Transaction) -> list[str | None]:
        first = await tx.configuration.get("x")
        other.all("UPDATE configuration SET value = 'new' WHERE name = 'x'")
        return [first, await tx.configuration.get("x")]

    assert await metadata.read(work) == ["old", "old"]
    assert await metadata.read(kept("x")) == "new"
    assert await metadata.look(kept("x")) == "new"
    other.close()


def test_two_processes_commit_into_one_database(path: Path) -> None:
    """Each of their commits reads what the other's left: the common count is exact, as is each one's own."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, str(path), name, str(COMMITS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("left", "right")
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:  # both have the database open: now they run at once
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            assert process.communicate(timeout=PROCESS_SECONDS)[1] == ""
            assert process.returncode == 0
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=PROCESS_SECONDS)  # closes its pipes, too
    connection = SqliteConnection(path)
    expected = {"left": COMMITS, "right": COMMITS, "both": 2 * COMMITS, "generation": 1 + 2 * COMMITS}
    for name, total in expected.items():
        assert connection.all("SELECT value FROM configuration WHERE name = $1", (name,)) == [(str(total),)]
    connection.close()


# -- errors


async def test_a_full_disk_is_no_room(metadata: SqlMetadata) -> None:
    """What does not fit is refused and leaves no trace; what fits beside it is kept, and so is what comes later."""

    async def limit(connection: Connection) -> None:
        await connection.rows("PRAGMA max_page_count = 1")  # SQLite raises it to what is in use

    async def unlimited(connection: Connection) -> None:
        await connection.rows("PRAGMA max_page_count = 1000000")

    await metadata.commit(setting("here", "1"))
    await metadata._database.commit(limit)
    works = [setting("big", "x" * 200_000), setting("here", "2"), setting("large", "y" * 200_000)]
    outcomes = await asyncio.gather(*map(metadata.commit, works), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NoRoom, type(None), NoRoom]
    with pytest.raises(NoRoom):
        await metadata.commit(setting("big", "x" * 200_000))
    assert [await metadata.read(kept(name)) for name in ("big", "here", "large")] == [None, "2", None]
    await metadata._database.commit(unlimited)
    await metadata.commit(setting("big", "x" * 200_000))
    assert len(await metadata.read(kept("big")) or "") == 200_000


@pytest.mark.parametrize(
    ("fault", "error", "expected"),
    [
        ("write", apsw.FullError, NoRoom),
        ("write", apsw.IOError, Broken),
        ("sync", apsw.FullError, NoRoom),
        ("sync", apsw.IOError, Broken),
    ],
)
async def test_a_commit_that_the_medium_refuses_is_not_kept(
    disk: FaultyDisk, path: Path, fault: str, error: type[apsw.Error], expected: type[StoreError]
) -> None:
    """A full disk is NoRoom and passes; an I/O error is Broken. Nothing of the refused is visible, or comes later."""
    metadata = await open_sqlite(path)
    await metadata.commit(setting("x", "old"))
    disk.faults[fault] = error
    with pytest.raises(expected):
        await metadata.commit(setting("x", "new"))
    disk.faults.clear()
    assert await metadata.read(kept("x")) == "old"
    if expected is NoRoom:
        await metadata.commit(setting("y", "1"))
        assert [await metadata.read(kept(name)) for name in ("x", "y")] == ["old", "1"]
    await metadata.close()


async def test_a_batch_is_not_acknowledged_after_a_failed_sync(disk: FaultyDisk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second sync of a descriptor may say yes to what is lost: once one has failed, nothing is answered as done."""
    metadata = await open_sqlite(path)
    await metadata.commit(setting("x", "old"))
    commit = SqliteWriter.commit

    def once(writer: SqliteWriter) -> None:
        try:
            commit(writer)
        finally:
            disk.faults.clear()

    monkeypatch.setattr(SqliteWriter, "commit", once)
    disk.faults["sync"] = apsw.IOError
    outcomes = await asyncio.gather(*(metadata.commit(setting(f"s{number}", "1")) for number in range(10)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Broken}
    await metadata.close()


async def test_a_read_that_the_medium_refuses_is_broken(disk: FaultyDisk, path: Path) -> None:
    """And not some lesser error: a process whose medium fails must end."""
    metadata = await open_sqlite(path)
    await metadata.read(kept("x"))
    other = SqliteWriter(path)  # its commit voids what the reader has cached
    other.all("INSERT INTO configuration VALUES ('x', '1')")
    disk.faults["read"] = apsw.IOError
    try:
        with pytest.raises(Broken):
            await metadata.read(kept("x"))
    finally:
        disk.faults.clear()
    assert await metadata.read(kept("x")) == "1"
    other.close()
    await metadata.close()


def test_a_failed_statement_raises_the_stores_own_errors(path: Path) -> None:
    """Locked is Unavailable, read-only is ReadOnly, and all else is a StoreError: the driver's never leave."""
    first, second = SqliteWriter(path), SqliteConnection(path)
    second.all("PRAGMA busy_timeout = 0")
    first.begin()
    with pytest.raises(Unavailable):
        second.all("BEGIN IMMEDIATE")
    first.rollback()
    second.all("PRAGMA query_only = ON")
    with pytest.raises(ReadOnly):
        second.all("DELETE FROM configuration")
    for nonsense in ("SELECT * FROM nothing", "INSERT INTO parts VALUES ('u', 1, 1, '', '', 1, 1)", "COMMIT"):
        with pytest.raises(StoreError):
            first.all(nonsense)
    first.close()
    second.close()


async def test_closing_finishes_what_was_handed_in(path: Path) -> None:
    """Every commit that waits is answered and durable, and the log is folded into the database."""
    metadata = await open_sqlite(path)
    tasks = [asyncio.create_task(metadata.commit(setting(f"s{number}", str(number)))) for number in range(200)]
    await asyncio.sleep(0)
    await metadata.close()
    await asyncio.gather(*tasks)
    assert not path.with_suffix(".db-wal").exists()
    found = await open_sqlite(path)
    for number in range(200):
        assert await found.read(kept(f"s{number}")) == str(number)
    await found.close()
