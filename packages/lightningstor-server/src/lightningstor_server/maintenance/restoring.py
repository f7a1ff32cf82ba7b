"""`restore`: a store's metadata from their copy.

Law: nothing is overwritten; what is in the way is moved aside. The database appears under its name
once it is whole, durable and checked. An older write-ahead log beside it would be replayed into it,
so that is moved in any case.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from attrs import frozen

from lightningstor_server.failures import StartError
from lightningstor_server.options import Options
from lightningstor_server.stores.errors import Broken, CopyRefused, Corrupted
from lightningstor_server.stores.metadata.shipping.folder import CopyFolder, sync_folder
from lightningstor_server.stores.metadata.shipping.restoring import Progress, restore_copy
from lightningstor_server.stores.metadata.sql.auditing import Audit
from lightningstor_server.stores.metadata.sqlite import SqliteConnection

SIDE_FILES: Final = ("-wal", "-shm")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@frozen(kw_only=True)
class RestoreReport:
    """What was restored."""

    store: str
    last_commit: datetime | None
    """When the newest commit in it was shipped; None where there was none since the base was made."""
    records: int
    """Commits, or batches of them, that were replayed onto the base."""
    dropped_bytes: int
    """At the end of the copy, of a commit that was cut off and answered to nobody."""
    counts: dict[str, int]
    """How much there is now."""
    moved: tuple[Path, ...]
    """Where the files are that were in the way."""


def restore(
    copy: Path, options: Options, *, force: bool, previous: bool, accept_damage: bool, progress: Progress = lambda _done, _all: None
) -> RestoreReport:
    """Make the metadata of a store anew. For whoever holds the data folder.

    Raises:
        StartError: there are metadata already, or the copy cannot be read.
        CopyRefused: there is no copy.
        Corrupted: the copy is damaged.
        Broken: what came out is no sound database.
    """
    target = options.metadata_path
    if target.exists() and not force:
        raise StartError(f"there is {target} already: --force moves it aside")
    draft = target.with_name(f"{target.name}.restored")
    for left in (draft, *_beside(draft)):
        left.unlink(missing_ok=True)
    folder = CopyFolder(copy)
    if not copy.is_dir():
        raise CopyRefused(f"there is no folder {copy}")
    try:
        with folder.locked():
            made = restore_copy(folder, draft, previous=previous, accept_damage=accept_damage, progress=progress)
        counts = _checked(draft)
        moved = _move_aside(target)
        draft.rename(target)
        sync_folder(target.parent)
    except Corrupted as error:
        draft.unlink(missing_ok=True)
        raise StartError(f"the copy in {copy} is damaged: {error}") from error
    except OSError as error:
        raise StartError(f"cannot restore from {copy}: {error}") from error
    return RestoreReport(
        store=made.store,
        last_commit=None if made.last_micros is None else _EPOCH + timedelta(microseconds=made.last_micros),
        records=made.records,
        dropped_bytes=made.dropped_bytes,
        counts=counts,
        moved=moved,
    )


def _checked(draft: Path) -> dict[str, int]:
    with closing(SqliteConnection(draft)) as connection:
        faults = [text for (text,) in connection.all("PRAGMA integrity_check") if text != "ok"]
        if faults:
            raise Broken(f"the restored database is not sound: {faults[0]}")
        counts = Audit(connection).counts()
    for left in _beside(draft):
        left.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return counts


def _beside(database: Path) -> list[Path]:
    return [database.with_name(database.name + suffix) for suffix in SIDE_FILES]


def _move_aside(target: Path) -> tuple[Path, ...]:
    stamp = time.time_ns()
    there = [path for path in (target, *_beside(target)) if path.exists()]
    return tuple([path.rename(path.with_name(f"{path.name}.replaced-{stamp}")) for path in there])
