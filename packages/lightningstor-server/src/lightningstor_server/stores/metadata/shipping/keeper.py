"""Keeps the copy in shape while the server runs.

Law: it runs in one process of all, in a thread of its own, and keeps writers waiting only for what
is small. What it cannot do now it tries again a little later.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

from lightningstor_server.stores.errors import Broken, CopyRefused, Corrupted, StoreError
from lightningstor_server.stores.metadata.shipping.folder import CopyFolder
from lightningstor_server.stores.metadata.shipping.format import CopyBehind, Manifest
from lightningstor_server.stores.metadata.shipping.generations import Source, begin, fold, seal, write_lock
from lightningstor_server.stores.metadata.shipping.shipper import Shipper, is_lost
from lightningstor_server.stores.metadata.shipping.starting import STORE_SETTING

LOG_MAX_BYTES: Final = 256 << 20
"""A log that is longer is folded into the base; a restore reads so much beside it."""
KEEP_INTERVAL_SECONDS: Final = 5.0

_log = structlog.get_logger("lightningstor.metadata_copy")


class Keeper:
    """Folds what grew long, and begins anew what cannot be continued."""

    def __init__(self, database: Path, copy: Path, *, log_max_bytes: int = LOG_MAX_BYTES) -> None:
        self._database = database
        self._folder = CopyFolder(copy)
        self._log_max_bytes = log_max_bytes
        self._working = threading.Lock()
        self.behind = False
        """Whether the copy lacked commits at the last look."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look after the copy every KEEP_INTERVAL_SECONDS until told to stop."""
        while not stop.is_set():
            await asyncio.to_thread(self._try)
            try:
                await asyncio.wait_for(stop.wait(), KEEP_INTERVAL_SECONDS)
            except TimeoutError:
                continue

    def _try(self) -> None:
        try:
            self.keep()
        except Broken:
            raise
        except (OSError, StoreError) as error:
            self._tell(behind=True, reason=str(error))

    def keep(self) -> None:
        """Ship what is missing, fold what is long, begin anew what cannot be continued.

        Raises:
            OSError, StoreError: it could not be done now.
        """
        lock = os.open(self._database.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with self._working, self._folder.locked():
                try:
                    self._continue(lock)
                except (Corrupted, CopyBehind, CopyRefused) as error:
                    self._tell(behind=True, reason=str(error))
                    self._begin(lock)
        finally:
            os.close(lock)
        self._tell(behind=False)

    def _continue(self, lock: int) -> None:
        """Bring the copy up to the store, and fold it where a log is too long."""
        with closing(Source(self._database)) as source, closing(Shipper(self._database, self._folder)) as shipper:
            with write_lock(lock):
                shipper.ship(source.frames(), reset_known=not is_lost(lock))
                if shipper.log is not None and shipper.log.end > self._log_max_bytes:
                    seal(self._folder, shipper)
            manifest = self._folder.manifest()
        if manifest is not None and len(manifest.logs) > 1:
            fold(self._folder, manifest)
            _log.info("metadata copy folded", generation=manifest.generation)
        self._folder.prune()  # of what an earlier one was cut off from removing

    def _begin(self, lock: int) -> Manifest:
        with closing(Source(self._database)) as source:
            store = source.setting(STORE_SETTING)
        if store is None:
            raise CopyBehind("the store has no id")
        present = self._folder.manifest()
        if present is not None and present.store != store:
            raise CopyRefused(f"{self._folder.path} has the copy of another store now")
        self._folder.create()
        manifest = begin(self._folder, self._database, lock, store)
        _log.info("metadata copy has a new base", generation=manifest.generation)
        return manifest

    def _tell(self, *, behind: bool, reason: str = "") -> None:
        if behind and not self.behind:
            _log.error("metadata copy is behind", reason=reason)
        self.behind = behind
