"""Makes a database of a copy.

Law: what comes out is the store as it was after some commit, to the byte; where that is not the
last one that the copy had, it is refused unless asked for. Every page is verified on its way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from attrs import frozen
from awscrt.checksums import crc32c

from lightningstor_server.stores.errors import CopyRefused, Corrupted
from lightningstor_server.stores.metadata import wal
from lightningstor_server.stores.metadata.shipping.folder import FILE_MODE, MANIFEST_FILE, PREVIOUS_FILE, CopyFolder, LogReader
from lightningstor_server.stores.metadata.shipping.format import SUM, Manifest
from lightningstor_server.stores.metadata.shipping.generations import page_at

PROGRESS_PAGES: Final = 64

Progress = Callable[[int, int], None]
"""Told how many of how many pages are written."""


@frozen(kw_only=True)
class RestoredCopy:
    """What was made of a copy."""

    store: str
    generation: str
    records: int
    """Records that were replayed onto the base."""
    last_micros: int | None
    """When the last of them was written, in microseconds since 1970-01-01 UTC; None where there was none."""
    database_bytes: int
    dropped_bytes: int
    """Bytes at the end of the copy that are no whole commit."""


@frozen
class _Replay:
    """What the logs say: where the newest image of each page is, and how many pages there are."""

    pages: dict[int, tuple[BinaryIO, int]]
    database_pages: int | None
    records: int
    last_micros: int | None
    dropped_bytes: int


def restore_copy(
    folder: CopyFolder, target: Path, *, previous: bool = False, accept_damage: bool = False, progress: Progress = lambda _done, _all: None
) -> RestoredCopy:
    """Write the database as of the last commit of the copy into a new file, durably. For whoever holds the folder.

    `previous` takes the generation before the present one. `accept_damage` takes the last commit
    before a damaged record.

    Raises:
        CopyRefused: there is no copy.
        Corrupted: it is damaged.
        OSError: it could not be read, or the file not be written.
    """
    manifest = folder.manifest(PREVIOUS_FILE if previous else MANIFEST_FILE)
    if manifest is None:
        raise CopyRefused(f"there is no {'previous ' if previous else ''}copy of a store in {folder.path}")
    with ExitStack() as files:
        replay = _replay(folder, manifest, files, accept_damage=accept_damage)
        base, sums = [files.enter_context(path.open("rb")) for path in (folder.base(manifest), folder.sums(manifest))]
        base_pages = os.fstat(base.fileno()).st_size // manifest.page_bytes
        database_pages = base_pages if replay.database_pages is None else replay.database_pages
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as out:
            for page in range(1, database_pages + 1):
                if (place := replay.pages.get(page)) is not None:
                    out.write(page_at(*place, manifest.page_bytes))
                elif page <= base_pages:
                    out.write(_base_page(base, sums, page, manifest.page_bytes))
                else:
                    out.write(bytes(manifest.page_bytes))
                if page % PROGRESS_PAGES == 0 or page == database_pages:
                    progress(page, database_pages)
            out.flush()
            os.fsync(out.fileno())
    return RestoredCopy(
        store=manifest.store,
        generation=manifest.generation,
        records=replay.records,
        last_micros=replay.last_micros,
        database_bytes=database_pages * manifest.page_bytes,
        dropped_bytes=replay.dropped_bytes,
    )


def _base_page(base: BinaryIO, sums: BinaryIO, page: int, page_bytes: int) -> bytes:
    content = os.pread(base.fileno(), page_bytes, (page - 1) * page_bytes)
    expected = os.pread(sums.fileno(), SUM.size, (page - 1) * SUM.size)
    if len(content) != page_bytes or expected != SUM.pack(crc32c(content)):
        raise Corrupted(f"page {page} of the copy's base does not match its checksum")
    return content


def _replay(folder: CopyFolder, manifest: Manifest, files: ExitStack, *, accept_damage: bool) -> _Replay:
    """Read all logs, each record verified."""
    pages, pending = dict[int, tuple[BinaryIO, int]](), dict[int, tuple[BinaryIO, int]]()
    database_pages, last_micros, dropped = None, None, 0
    records = replayed = 0
    sequence: int | None = None
    for number in manifest.logs:
        log = files.enter_context(folder.log(manifest, number).open("rb"))
        reader = LogReader(log)
        _check(reader, manifest, number, sequence)
        for at, record, run in reader:
            records += 1
            for index, frame in enumerate(wal.frames(run, manifest.page_bytes)):
                pending[frame.page] = (log, at + index * wal.frame_bytes(manifest.page_bytes) + wal.FRAME_HEADER_BYTES)
                if frame.database_pages:
                    pages.update(pending)
                    pending.clear()
                    database_pages, last_micros, replayed = frame.database_pages, record.micros, records
        sequence = reader.sequence
        dropped = os.fstat(log.fileno()).st_size - reader.end
        if reader.fault is not None and not _is_end(reader, last=number == manifest.logs[-1]):
            if not accept_damage or number != manifest.logs[-1]:  # pages of the logs before may be in the base by now
                raise Corrupted(f"log {number} of the copy is damaged at byte {reader.end}: {reader.fault}; commits behind it are lost")
            break
    return _Replay(pages, database_pages, replayed, last_micros, dropped)


def _check(reader: LogReader, manifest: Manifest, number: int, sequence: int | None) -> None:
    header = reader.header
    if not header.belongs_to(manifest) or header.number != number or (sequence is not None and header.sequence != sequence):
        raise Corrupted(f"log {number} of the copy does not follow the one before")


def _is_end(reader: LogReader, *, last: bool) -> bool:
    """Whether a fault is what a crash leaves of an append that nobody was answered for."""
    return last and reader.torn and not reader.later()
