"""What a start does about the copy, before anybody writes.

Law: a folder that has the copy of another store, or of one that is gone, is never written into; it
may be the only thing that is left of it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import structlog

from lightningstor_server.stores.errors import CopyRefused, Corrupted, Unavailable
from lightningstor_server.stores.metadata.shipping.folder import CopyFolder
from lightningstor_server.stores.metadata.shipping.format import STORE_ID_BYTES, CopyBehind, Manifest
from lightningstor_server.stores.metadata.shipping.generations import Source, begin
from lightningstor_server.stores.metadata.shipping.shipper import Shipper, clear_lost

STORE_SETTING: Final = "store_id"
STARTED_SETTING: Final = "metadata_copy_started"
"""Changed by each start that ships, so that the write-ahead log begins with a frame that the copy has."""

_log = structlog.get_logger("lightningstor.metadata_copy")


def enter_start(run: Callable[[str, tuple[str, ...]], list[tuple[Any, ...]]]) -> str:
    """Within a transaction of a store that is migrated: give it an id if it has none, and write something. Returns the id."""
    keep = "INSERT INTO configuration (name, value) VALUES ($1, $2) ON CONFLICT (name) DO"
    run(f"{keep} NOTHING", (STORE_SETTING, secrets.token_hex(STORE_ID_BYTES)))
    run(f"{keep} UPDATE SET value = excluded.value", (STARTED_SETTING, str(time.time_ns())))
    return str(run("SELECT value FROM configuration WHERE name = $1", (STORE_SETTING,))[0][0])


def admitted(database: Path, copy: Path) -> CopyFolder:
    """The folder, made if it is not there.

    Raises:
        CopyRefused: it lies in the data folder, cannot be used, or has the copy of a store that is gone.
    """
    data = database.parent.resolve()
    if copy.resolve().is_relative_to(data):
        raise CopyRefused(f"the metadata copy {copy} lies in the data folder: it would be lost with it")
    folder = CopyFolder(copy)
    try:
        folder.create()
        manifest = folder.manifest()
        if copy.stat().st_dev == data.stat().st_dev:
            _log.warning("metadata copy lies on the file system of the data", folder=str(copy))
    except (OSError, Corrupted) as error:
        raise CopyRefused(f"the metadata copy {copy} cannot be used: {error}") from error
    if manifest is not None and not database.exists():
        raise CopyRefused(f"{copy} has the copy of a store, and there is none in {data}: restore it, or name another folder")
    return folder


def resume(folder: CopyFolder, database: Path, lock: int) -> bool:
    """Ship what a server that was killed committed and did not ship; False where the copy needs a new base.

    Raises:
        CopyRefused: the copy is of another store, is ahead of this one, or cannot be used.
    """
    with closing(Source(database)) as source, closing(Shipper(database, folder)) as shipper:
        manifest = _manifest(folder)
        if manifest is None:
            return False
        if manifest.store != source.setting(STORE_SETTING):
            raise CopyRefused(f"{folder.path} has the copy of another store: name another folder")
        try:
            shipper.follow().verify()
            shipper.ship(source.frames(), reset_known=False)
        except (OSError, Corrupted, CopyBehind) as error:
            _log.warning("metadata copy begins anew", reason=str(error))
            return False
    clear_lost(lock)
    return True


def begin_first(folder: CopyFolder, database: Path, lock: int, store: str) -> None:
    """Make a generation for the server that starts.

    Raises:
        CopyRefused: it could not be written.
        StoreError: the database cannot be read.
    """
    try:
        with folder.locked():
            manifest = begin(folder, database, lock, store)
    except (OSError, CopyBehind, Unavailable) as error:
        raise CopyRefused(f"the metadata copy {folder.path} cannot be written: {error}") from error
    _log.info("metadata copy has a new base", generation=manifest.generation)


def _manifest(folder: CopyFolder) -> Manifest | None:
    try:
        return folder.manifest()
    except (OSError, Corrupted) as error:
        raise CopyRefused(f"the metadata copy {folder.path} cannot be used: {error}") from error
