"""Appends what was committed to the log of the copy.

Law: a writer ships under the write lock, after its COMMIT and before anything is answered, and the
write-ahead log is checkpointed only after that, so that no frame is overwritten before the copy has
it. What was shipped last is told by the end of the copy's log itself: several processes append to
it in turns, and any of them may be killed at any moment.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from lightningstor_server.stores.errors import CopyRefused, Corrupted
from lightningstor_server.stores.metadata import wal
from lightningstor_server.stores.metadata.shipping.folder import CopyFolder, LogReader, Stamp
from lightningstor_server.stores.metadata.shipping.format import (
    LOG_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    CopyBehind,
    LogHeader,
    Manifest,
    Position,
    Record,
    first_to_ship,
)

RUN_BYTES: Final = 4 << 20
"""The most that one record holds; a longer commit is several records."""
CHECKPOINT_FRAMES: Final = 1000
"""SQLite's own measure (sqlite.org, PRAGMA wal_autocheckpoint)."""
HELD_LOG_BYTES: Final = 256 << 20
"""How long the write-ahead log grows while the copy fails; then it is let go, and the copy needs a new base."""
COMPLAIN_SECONDS: Final = 60.0
_LOST: Final = b"L"
"""The first byte of the lock file, where frames went that the copy lacks."""

_log = structlog.get_logger("lightningstor.metadata_copy")


class WalFile:
    """The write-ahead log of a database that stays open: SQLite replaces the file only when nobody has it open.

    No lock is ever taken on this file (they are all on the database and its index), so that closing it drops none.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._descriptor: int | None = None

    def header(self) -> wal.Header | None:
        """Its header; None where nothing was written into it.

        Raises:
            OSError: it cannot be read.
            Corrupted: it is none.
        """
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        head = os.pread(self._descriptor, wal.HEADER_BYTES, 0)
        return wal.decode_header(head) if head else None

    def run(self, first: int, last: int, header: wal.Header) -> bytes:
        """These frames, all of the header's round.

        Raises:
            Corrupted: they are not there.
        """
        descriptor = self._descriptor
        if descriptor is None:
            raise Corrupted("there is no write-ahead log")
        length = (last - first + 1) * wal.frame_bytes(header.page_bytes)
        run = os.pread(descriptor, length, wal.frame_offset(first, header.page_bytes))
        if len(run) != length or any(frame.salts != header.salts for frame in wal.frames(run, header.page_bytes)):
            raise Corrupted(f"the write-ahead log does not hold its frames {first} to {last}")
        return run

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class LogWriter:
    """The end of one log. For whoever holds the write lock, or alone knows of the log."""

    def __init__(self, folder: CopyFolder, manifest: Manifest) -> None:
        """Open the last log and read its header; `follow` finds its end.

        Raises:
            OSError: it cannot be opened.
            Corrupted: it is not whole, or not of this copy.
        """
        self.manifest = manifest
        self._descriptor = os.open(folder.log(manifest, manifest.logs[-1]), os.O_RDWR | os.O_CLOEXEC)
        try:
            self.header = LogHeader.decode(os.pread(self._descriptor, LOG_HEADER_BYTES, 0))
            if not self.header.belongs_to(manifest):
                raise Corrupted("a log of the copy is of another copy")
        except BaseException:
            os.close(self._descriptor)
            raise
        self._rewind()

    def _rewind(self) -> None:
        self.end = LOG_HEADER_BYTES
        self.position = self.header.position
        self.sequence = self.header.sequence

    def follow(self) -> None:
        """Find what others appended since, and cut off what one of them did not finish.

        Raises:
            Corrupted: there is something else than records.
            OSError: the log cannot be read or cut.
        """
        size = os.fstat(self._descriptor).st_size
        if size < self.end:
            self._rewind()
        while self.end < size:
            head = os.pread(self._descriptor, RECORD_HEADER_BYTES, self.end)
            record = Record.decode(head) if len(head) == RECORD_HEADER_BYTES else None
            if record is None or self._after(record) > size:
                os.ftruncate(self._descriptor, self.end)
                return
            self._advance(record)

    def verify(self) -> None:
        """Read all of it. What follows trusts what is there, since a kill leaves no half-written bytes but a crash may.

        Raises:
            Corrupted: there is something else than records, and the beginning of one at the end.
        """
        with open(self._descriptor, "rb", closefd=False) as file:
            reader = LogReader(file)
            for _ in reader:
                continue
        if reader.fault is not None and not reader.torn:
            raise Corrupted(f"the log of the copy is damaged: {reader.fault}")

    def append(self, source: WalFile, header: wal.Header, first: int, last: int) -> None:
        """Append these frames and make them durable.

        Raises:
            OSError: it could not be done; what was appended is cut off again.
            Corrupted: the frames are not there.
        """
        before = (self.end, self.position, self.sequence)
        frames_max = max(1, RUN_BYTES // wal.frame_bytes(header.page_bytes))
        try:
            for start in range(first, last + 1, frames_max):
                stop = min(last, start + frames_max - 1)
                run = source.run(start, stop, header)
                record = Record.of(run, Position(header.salts, stop), start, self.sequence + 1)
                _write_all(self._descriptor, record.encode() + run, self.end)
                self._advance(record)
            os.fdatasync(self._descriptor)
        except BaseException:
            # what the medium did not take must not look as if it was there: the next one writes these frames anew, from their source
            self.end, self.position, self.sequence = before
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.end)
            raise

    def _after(self, record: Record) -> int:
        return self.end + RECORD_HEADER_BYTES + record.run_bytes(self.header.page_bytes)

    def _advance(self, record: Record) -> None:
        self.end = self._after(record)
        self.position, self.sequence = record.position, record.sequence

    def close(self) -> None:
        """Close the log."""
        os.close(self._descriptor)


class Shipper:
    """Ships one process's commits. All calls are made under the write lock."""

    def __init__(self, database: Path, folder: CopyFolder) -> None:
        self.folder = folder
        self.wal = WalFile(database)
        self.log: LogWriter | None = None
        self._stamp: Stamp | None = None

    def ship(self, frames: int, *, reset_known: bool) -> None:
        """Bring the copy up to frame `frames` of the write-ahead log.

        Raises:
            CopyBehind, CopyRefused: frames are gone that it lacks.
            Corrupted: something is not what it should be.
            OSError: the copy could not be read or written.
        """
        log = self.follow()
        header = self.wal.header()
        if header is None or not frames:
            if log.position.frame and not reset_known:
                raise CopyBehind("the write-ahead log that the copy knows is gone")
            return
        first = first_to_ship(log.position, header.salts, frames, reset_known=reset_known)
        if first <= frames:
            log.append(self.wal, header, first, frames)

    def follow(self) -> LogWriter:
        """The log that is appended to, at its end.

        Raises:
            CopyBehind: there is no copy.
            Corrupted, OSError: it cannot be read.
        """
        stamp = self.folder.stamp()
        if self.log is None or stamp != self._stamp:
            self.close_log()
            manifest = self.folder.manifest()
            if manifest is None:
                raise CopyBehind(f"there is no copy in {self.folder.path}")
            self.log, self._stamp = LogWriter(self.folder, manifest), stamp
        self.log.follow()
        return self.log

    def close_log(self) -> None:
        """Let go of the log."""
        if self.log is not None:
            self.log.close()
            self.log = None

    def close(self) -> None:
        """Close everything."""
        self.close_log()
        self.wal.close()


class Delivery:
    """What a writer does between COMMIT and its answers."""

    def __init__(self, database: Path, folder: CopyFolder, lock: int) -> None:
        self._shipper = Shipper(database, folder)
        self._lock = lock
        self._complained_at = float("-inf")
        self.failing = False
        """Whether the last commit did not reach the copy."""

    def committed(self, frames: int) -> bool:
        """Ship up to frame `frames`; returns whether the write-ahead log may be checkpointed.

        What is committed is committed: a copy that fails is told in the log, tried again with each
        commit, and never the caller's error.
        """
        try:
            self._shipper.ship(frames, reset_known=not is_lost(self._lock))
        except (OSError, Corrupted, CopyBehind, CopyRefused) as error:
            self._shipper.close_log()
            self._complain(error)
            return self._let_go(frames)
        if self.failing:
            self.failing = False
            self._complained_at = float("-inf")
            _log.info("metadata copy has caught up")
        return frames >= CHECKPOINT_FRAMES

    def _complain(self, error: Exception) -> None:
        self.failing = True
        if time.monotonic() - self._complained_at >= COMPLAIN_SECONDS:
            self._complained_at = time.monotonic()
            _log.error("metadata copy failed: commits are missing from it", reason=str(error))

    def _let_go(self, frames: int) -> bool:
        header = self._shipper.wal.header()
        if header is None or frames * wal.frame_bytes(header.page_bytes) < HELD_LOG_BYTES:
            return is_lost(self._lock) and frames >= CHECKPOINT_FRAMES
        mark_lost(self._lock)
        return True

    def close(self) -> None:
        """Close everything but the lock."""
        self._shipper.close()


def is_lost(lock: int) -> bool:
    """Whether frames went that the copy lacks. The mark is shared by all writers and outlives each of them."""
    return os.pread(lock, len(_LOST), 0) == _LOST


def mark_lost(lock: int) -> None:
    """Note that they did. A start needs no mark: it goes on only where nothing began anew."""
    os.pwrite(lock, _LOST, 0)


def clear_lost(lock: int) -> None:
    """Note that the copy has all again, from a new base."""
    os.ftruncate(lock, 0)


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
