"""The folder of a metadata copy.

Law: the manifest names the files that count and is replaced by renaming, after the files it names
are durable; a file that no manifest names is removed. Whoever changes bases or removes files, and
whoever restores, holds the folder's lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EROFS
from pathlib import Path
from typing import BinaryIO, Final

from awscrt.checksums import crc32c

from lightningstor_server.stores.errors import Corrupted, Unavailable
from lightningstor_server.stores.metadata.shipping.format import (
    LOG_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    RECORD_MAGIC_BYTES,
    LogHeader,
    Manifest,
    Record,
)

MANIFEST_FILE: Final = "manifest.json"
PREVIOUS_FILE: Final = "previous.json"
"""The manifest of the generation before, kept until the present one has been folded once."""
LOCK_FILE: Final = "LOCK"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
MANIFEST_MAX_BYTES: Final = 64 << 10
SEARCH_BYTES: Final = 1 << 20

Stamp = tuple[int, int]
"""The manifest's inode and time: another one is another manifest."""


Entry = tuple[int, Record, bytes]
"""Where the frames of a record begin in the log, the record, and its frames."""


class CopyFolder:
    """The files of a copy."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the folder, durably.

        Raises:
            OSError: it cannot be made.
        """
        self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        sync_folder(self.path)
        sync_folder(self.path.absolute().parent)

    def stamp(self) -> Stamp | None:
        """Tells one manifest from the next; None where there is none."""
        try:
            found = self._named(MANIFEST_FILE).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def manifest(self, name: str = MANIFEST_FILE) -> Manifest | None:
        """The manifest; None where there is none.

        Raises:
            Corrupted: it is not whole.
            OSError: it cannot be read.
        """
        try:
            with self._named(name).open("rb") as file:
                return Manifest.from_json(file.read(MANIFEST_MAX_BYTES))
        except FileNotFoundError:
            return None

    def publish(self, manifest: Manifest, *, keep: bool = False) -> None:
        """Let these files be the copy. `keep` keeps what was the copy so far as the previous one.

        Raises:
            OSError: it could not be made durable; either is the copy.
        """
        if keep:
            with suppress(FileNotFoundError):
                self._named(MANIFEST_FILE).replace(self._named(PREVIOUS_FILE))
        draft = self._named(f"{MANIFEST_FILE}.new")
        write_durably(draft, manifest.to_json())
        draft.replace(self._named(MANIFEST_FILE))
        sync_folder(self.path)

    def base(self, manifest: Manifest) -> Path:
        """The database file."""
        return self._named(f"base-{manifest.generation}.db")

    def sums(self, manifest: Manifest) -> Path:
        """The checksums of the base's pages."""
        return self._named(f"base-{manifest.generation}.sums")

    def log(self, manifest: Manifest, number: int) -> Path:
        """A log."""
        return self._named(f"log-{manifest.generation}-{number}")

    def create_log(self, manifest: Manifest, header: LogHeader) -> None:
        """Make an empty log, durably.

        Raises:
            OSError: it could not be made.
        """
        write_durably(self.log(manifest, header.number), header.encode())
        sync_folder(self.path)

    def prune(self) -> None:
        """Remove the files of generations and logs that no manifest names."""
        kept = set[Path]()
        for name in (MANIFEST_FILE, PREVIOUS_FILE):
            if (manifest := self.manifest(name)) is not None:
                kept |= {self.base(manifest), self.sums(manifest), *(self.log(manifest, number) for number in manifest.logs)}
        for pattern in ("base-*", "log-*"):
            for path in self.path.glob(pattern):
                if path not in kept:
                    path.unlink(missing_ok=True)

    def forget_previous(self) -> None:
        """Give up the generation before."""
        self._named(PREVIOUS_FILE).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder.

        Raises:
            Unavailable: another process restores from it or folds it.
            OSError: it cannot be locked.
        """
        try:
            descriptor = os.open(self._named(LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            if error.errno != EROFS:
                raise
            yield  # nobody writes there, and a copy on such a medium can still be restored
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Unavailable(f"another process works on {self.path}") from None
        finally:
            os.close(descriptor)

    def _named(self, name: str) -> Path:
        return self.path / name


class LogReader:
    """Reads the records of a log, each verified, up to the first that is not whole."""

    def __init__(self, file: BinaryIO, header: LogHeader | None = None, start: int = LOG_HEADER_BYTES) -> None:
        self._file = file
        file.seek(0)
        self.header = header or LogHeader.decode(file.read(LOG_HEADER_BYTES))
        self.end = start
        """Where the last record that was read ends."""
        self.sequence = self.header.sequence
        """Of that record."""
        self.fault: str | None = None
        """What is wrong with what follows; None where nothing follows."""
        self.torn = False
        """Whether what follows can be the beginning of a record: an append that a crash cut off."""

    def __iter__(self) -> Iterator[Entry]:
        """Every whole record."""
        while (entry := self._next()) is not None:
            yield entry

    def _next(self) -> Entry | None:
        self._file.seek(self.end)
        head = self._file.read(RECORD_HEADER_BYTES)
        if len(head) < RECORD_HEADER_BYTES:
            return self._stop("a record is cut short", torn=True) if head else None
        try:
            record = Record.decode(head)
        except Corrupted as error:
            return self._stop(str(error))
        if record.sequence != self.sequence + 1:
            return self._stop("records are missing before this one")
        at, length = self.end + RECORD_HEADER_BYTES, record.run_bytes(self.header.page_bytes)
        if os.fstat(self._file.fileno()).st_size < at + length:
            return self._stop("a record is cut short", torn=True)
        run = self._file.read(length)
        if crc32c(run) != record.frames_sum:
            return self._stop("the frames of a record do not match their checksum")
        self.end, self.sequence = at + length, record.sequence
        return at, record, run

    def _stop(self, fault: str, *, torn: bool = False) -> Entry | None:
        self.fault, self.torn = fault, torn
        return None

    def later(self) -> bool:
        """Whether a record with a later sequence number begins somewhere behind the fault."""
        at, overlap = self.end + 1, RECORD_HEADER_BYTES - 1
        while True:
            self._file.seek(at)
            window = self._file.read(SEARCH_BYTES + overlap)
            if len(window) < RECORD_HEADER_BYTES:
                return False
            place = window.find(RECORD_MAGIC_BYTES)
            while 0 <= place <= len(window) - RECORD_HEADER_BYTES:
                with suppress(Corrupted):
                    if Record.decode(window[place : place + RECORD_HEADER_BYTES]).sequence > self.sequence:
                        return True
                place = window.find(RECORD_MAGIC_BYTES, place + 1)
            at += SEARCH_BYTES


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and sync it; its name becomes durable with the folder.

    Raises:
        OSError: it could not be done.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: it could not be done.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
