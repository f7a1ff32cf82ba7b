"""Begins a generation of the copy from the living database, and folds logs into its base.

Law: a generation becomes the copy in one step, when its base and everything committed since are
durable; until then the one before is. A log is folded page by page into the base and removed only
after the base is durable: whatever a crash leaves in between, the log still has all that differs.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import apsw
import attrs
from awscrt.checksums import crc32c

from lightningstor_server.stores.errors import Corrupted
from lightningstor_server.stores.metadata import wal
from lightningstor_server.stores.metadata.shipping.folder import CopyFolder, LogReader, sync_folder
from lightningstor_server.stores.metadata.shipping.format import GENERATION_BYTES, SUM, CopyBehind, LogHeader, Manifest, Position
from lightningstor_server.stores.metadata.shipping.shipper import LogWriter, Shipper, WalFile, clear_lost
from lightningstor_server.stores.metadata.sqlite_errors import translated

CATCH_UP_FRAMES: Final = 256
"""So few frames are shipped while writers wait; more of them before."""
CATCH_UP_ROUNDS: Final = 16
SUMMED_PAGES: Final = 64
BACKUP_PAGES: Final = 1024


class Source:
    """A connection to the database that only reads, and leaves the write-ahead log as it is."""

    def __init__(self, database: Path) -> None:
        """Open it.

        Raises:
            Broken: it cannot be opened.
        """
        self.database = database
        with translated():
            self.driver = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
            self.driver.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self.driver.execute("PRAGMA query_only = ON")

    def frames(self) -> int:
        """How many frames of the write-ahead log are committed.

        Raises:
            StoreError: the database cannot be read.
        """
        with translated():
            self.driver.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # recovers the log, if need be
            frames, _ = self.driver.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        return max(0, frames)

    def setting(self, name: str) -> str | None:
        """A setting of the store itself; None where it is not set or the database is new."""
        with translated():
            if not self.driver.execute("SELECT 1 FROM sqlite_schema WHERE name = 'configuration'").fetchall():
                return None
            found = self.driver.execute("SELECT value FROM configuration WHERE name = ?", (name,)).fetchall()
        return str(found[0][0]) if found else None

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Hold the moment: what is committed from now on stays in the write-ahead log until this ends."""
        with translated():
            self.driver.execute("BEGIN")
            self.driver.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        try:
            yield
        finally:
            with translated():
                self.driver.execute("ROLLBACK")

    def backup(self, target: Path) -> None:
        """Copy the pinned moment into a new database file.

        Raises:
            StoreError: it could not be done.
        """
        with translated(), closing(apsw.Connection(str(target))) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # the file is synced once, as a whole
            with copy.backup("main", self.driver, "main") as backup:
                while not backup.done:
                    backup.step(BACKUP_PAGES)

    def close(self) -> None:
        """Close the connection."""
        with translated():
            self.driver.close()


@contextmanager
def write_lock(lock: int) -> Iterator[None]:
    """Keep writers out. Only ever for a moment."""
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def begin(folder: CopyFolder, database: Path, lock: int, store: str) -> Manifest:
    """Make a new generation while others write, and let it be the copy. For whoever holds the folder.

    Raises:
        CopyBehind: writers were faster.
        OSError, StoreError: it could not be done; the copy is what it was.
    """
    with closing(Source(database)) as source, closing(Source(database)) as counter, closing(WalFile(database)) as log, ExitStack() as pin:
        with write_lock(lock):
            frames, header = counter.frames(), log.header()
            if header is None or not frames:
                raise CopyBehind("the write-ahead log is empty: there is no moment to begin from")
            pin.enter_context(source.pinned())
        generation = secrets.token_hex(GENERATION_BYTES)
        manifest = Manifest(store=store, generation=generation, page_bytes=header.page_bytes, logs=(1,))
        source.backup(folder.base(manifest))
        _sum_base(folder, manifest)
        folder.create_log(manifest, _log_header(manifest, 1, Position(header.salts, frames), 0))
        with closing(LogWriter(folder, manifest)) as writer:
            for _ in range(CATCH_UP_ROUNDS):
                with write_lock(lock):
                    frames, header = counter.frames(), _present(log.header())
                # beside the writers: while the moment is pinned, nothing behind it is overwritten
                if _ship(writer, log, header, frames) <= CATCH_UP_FRAMES:
                    break
            with write_lock(lock):
                _ship(writer, log, _present(log.header()), counter.frames())
                folder.publish(manifest, keep=True)
                clear_lost(lock)
    folder.prune()
    return manifest


def _present(header: wal.Header | None) -> wal.Header:
    if header is None:
        raise CopyBehind("the write-ahead log is gone")
    return header


def _ship(writer: LogWriter, source: WalFile, header: wal.Header, frames: int) -> int:
    """Append up to this frame; how many that were. The log began anew once at most since the moment was pinned."""
    salts, frame = writer.position
    first = frame + 1 if salts == header.salts else 1
    if first <= frames:
        writer.append(source, header, first, frames)
    return max(0, frames - first + 1)


def _log_header(manifest: Manifest, number: int, position: Position, sequence: int) -> LogHeader:
    return LogHeader(
        store=manifest.store,
        generation=manifest.generation,
        page_bytes=manifest.page_bytes,
        number=number,
        position=position,
        sequence=sequence,
    )


def _sum_base(folder: CopyFolder, manifest: Manifest) -> None:
    """Make the base and the checksums of its pages durable."""
    step = manifest.page_bytes
    with folder.base(manifest).open("rb") as base, folder.sums(manifest).open("wb") as sums:
        while run := base.read(SUMMED_PAGES * step):
            sums.write(b"".join([SUM.pack(crc32c(run[at : at + step])) for at in range(0, len(run), step)]))
        sums.flush()
        os.fsync(base.fileno())
        os.fsync(sums.fileno())
    sync_folder(folder.path)


def seal(folder: CopyFolder, shipper: Shipper) -> None:
    """Let commits go to a new log from now on. Under the write lock, with everything shipped.

    Raises:
        OSError: it could not be done; commits go on where they went.
    """
    log = shipper.follow()
    manifest = log.manifest
    number = manifest.logs[-1] + 1
    folder.create_log(manifest, _log_header(manifest, number, log.position, log.sequence))
    folder.publish(attrs.evolve(manifest, logs=(*manifest.logs, number)))


def fold(folder: CopyFolder, manifest: Manifest) -> Manifest:
    """Move the logs but the last into the base. For whoever holds the folder; writers go on meanwhile.

    Raises:
        Corrupted: a log or the base is damaged; the base may have some of its pages, which the log has, too.
        OSError: it could not be done.
    """
    for number in manifest.logs[:-1]:
        with ExitStack() as files:
            log = files.enter_context(folder.log(manifest, number).open("rb"))
            base, sums = [files.enter_context(path.open("r+b")) for path in (folder.base(manifest), folder.sums(manifest))]
            _fold_log(log, base, sums, manifest.page_bytes)
    folded = attrs.evolve(manifest, logs=manifest.logs[-1:])
    folder.publish(folded)
    folder.forget_previous()
    folder.prune()
    return folded


def _fold_log(log: BinaryIO, base: BinaryIO, sums: BinaryIO, page_bytes: int) -> None:
    reader = LogReader(log)
    pages, database_pages = newest_pages(reader)
    if reader.fault is not None:
        raise Corrupted(f"a log of the copy is damaged: {reader.fault}")
    before = os.fstat(base.fileno()).st_size // page_bytes
    for page in range(before + 1, database_pages + 1):
        pages.setdefault(page, 0)  # a page that was never written, since nothing is in it
    for page in sorted(page for page in pages if page <= database_pages):
        content = page_at(log, pages[page], page_bytes)
        os.pwrite(base.fileno(), content, (page - 1) * page_bytes)
        os.pwrite(sums.fileno(), SUM.pack(crc32c(content)), (page - 1) * SUM.size)
    if database_pages:
        os.ftruncate(base.fileno(), database_pages * page_bytes)
        os.ftruncate(sums.fileno(), database_pages * SUM.size)
    os.fsync(base.fileno())
    os.fsync(sums.fileno())


def newest_pages(reader: LogReader) -> tuple[dict[int, int], int]:
    """Where the newest committed image of each page is in a log, and how many pages the database has after it (0: no commit)."""
    pages, database_pages = dict[int, int](), 0
    pending = dict[int, int]()
    page_bytes = reader.header.page_bytes
    for at, _, run in reader:
        for number, frame in enumerate(wal.frames(run, page_bytes)):
            pending[frame.page] = at + number * wal.frame_bytes(page_bytes) + wal.FRAME_HEADER_BYTES
            if frame.database_pages:
                pages.update(pending)
                pending.clear()
                database_pages = frame.database_pages
    return pages, database_pages


def page_at(log: BinaryIO, offset: int, page_bytes: int) -> bytes:
    """The page there; offset 0 is an empty one."""
    return os.pread(log.fileno(), page_bytes, offset) if offset else bytes(page_bytes)
