"""The grammar of SQLite's write-ahead log, against logs that SQLite wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from lightningstor_server.stores.errors import Corrupted
from lightningstor_server.stores.metadata import wal

PAGE_BYTES = 4096


@pytest.fixture
def database(tmp_path: Path) -> Iterator[apsw.Connection]:
    """A database with a log of three commits, still open."""
    with closing(apsw.Connection(str(tmp_path / "x.db"))) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}").fetchall()
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (zeroblob(20000))")
        connection.execute("DELETE FROM t")
        yield connection


def log_of(connection: apsw.Connection) -> bytes:
    return Path(connection.filename + "-wal").read_bytes()


def test_a_log_is_read_as_sqlite_wrote_it(database: apsw.Connection) -> None:
    """As many frames as SQLite counts, all under the header's salts; the last one ends a transaction and tells the pages."""
    log = log_of(database)
    header = wal.decode_header(log[: wal.HEADER_BYTES])
    assert header.page_bytes == PAGE_BYTES
    frames = list(wal.frames(log[wal.HEADER_BYTES :], PAGE_BYTES))
    assert len(frames) == database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0]
    assert {frame.salts for frame in frames} == {header.salts}
    assert frames[-1].database_pages == database.execute("PRAGMA page_count").fetchall()[0][0]
    assert sum(frame.database_pages > 0 for frame in frames) == 3


def test_frames_stand_where_they_are_sought(database: apsw.Connection) -> None:
    """Frame n of a log begins at its offset, with its page behind its head."""
    log = log_of(database)
    every = list(wal.frames(log[wal.HEADER_BYTES :], PAGE_BYTES))
    for number, frame in enumerate(every, start=1):
        at = wal.frame_offset(number, PAGE_BYTES)
        assert list(wal.frames(log[at : at + wal.frame_bytes(PAGE_BYTES)], PAGE_BYTES)) == [frame]


def test_a_new_beginning_counts_the_first_salt_on(database: apsw.Connection) -> None:
    """Once all of a log is checkpointed, the next commit begins it anew: the first salt is one more, the second another."""
    before = wal.decode_header(log_of(database)[: wal.HEADER_BYTES]).salts
    database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    database.execute("INSERT INTO t VALUES (1)")
    after = wal.decode_header(log_of(database)[: wal.HEADER_BYTES]).salts
    assert after[0] == (before[0] + 1) % 2**32
    assert after[1] != before[1]


def test_a_damaged_header_is_refused(database: apsw.Connection) -> None:
    """Whichever bit of it is another one, and wherever it is cut."""
    head = log_of(database)[: wal.HEADER_BYTES]
    for bit in range(8 * len(head)):
        damaged = bytearray(head)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupted):
            wal.decode_header(bytes(damaged))
    for length in range(len(head)):
        with pytest.raises(Corrupted):
            wal.decode_header(head[:length])


def test_half_a_frame_is_refused(database: apsw.Connection) -> None:
    """A run is whole frames."""
    with pytest.raises(Corrupted):
        list(wal.frames(log_of(database)[wal.HEADER_BYTES : -1], PAGE_BYTES))
