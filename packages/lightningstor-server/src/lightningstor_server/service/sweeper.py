"""The sweeper: removes what nothing refers to.

Law: a chunk's file goes only after the transaction that dropped its last reference is durable and
a grace has passed; its garbage row goes after the file, so that a crash between the two repeats the
removal and forgets nothing. A file that no row knows is an orphan of a crash, or of a write that
is still on its way. It is condemned in a transaction, and a condemned chunk can never be entered:
so a write that outlasts every patience fails, and never names a file that is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from attrs import frozen

from lightningstor_server.service.core import utc_now
from lightningstor_server.stores.blobs.base import BlobStore, StoredChunk
from lightningstor_server.stores.errors import Broken, StoreError
from lightningstor_server.stores.metadata.base import Metadata

BATCH_CHUNKS: Final = 500
ORPHAN_PATIENCE: Final = 24
"""An orphan is condemned when it is so many times the grace old: a day by default, for one body."""
COMPLETED_UPLOADS_KEPT: Final = timedelta(days=2)
"""How long a retry of a completion is told what the upload became."""
_log = structlog.get_logger("lightningstor.sweeper")


@frozen(kw_only=True)
class SweepReport:
    """What one sweep did."""

    removed: int
    """Chunks whose files are gone now."""
    orphans: int
    """Chunks condemned because no row ever named them; they are removed once the grace is over."""


class Sweeper:
    """Removes garbage and orphans older than a grace."""

    def __init__(
        self,
        metadata: Metadata,
        blobs: BlobStore,
        *,
        grace_seconds: float,
        interval_seconds: float,
        clock: Callable[[], datetime] = utc_now,
        progress: Callable[[int], None] = lambda _files: None,
    ) -> None:
        """`progress` is told of files that were looked at."""
        self._metadata = metadata
        self._blobs = blobs
        self._grace_seconds = grace_seconds
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._progress = progress

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep every interval until told to stop."""
        while not stop.is_set():
            try:
                report = await self.sweep()
                if report.removed or report.orphans:
                    _log.info("swept", removed=report.removed, orphans=report.orphans)
            except Broken:
                raise
            except StoreError as error:
                _log.error("sweep failed", reason=str(error))
            try:
                await asyncio.wait_for(stop.wait(), self._interval_seconds)
            except TimeoutError:
                continue

    async def sweep(self) -> SweepReport:
        """One pass over all files and over the garbage."""
        orphans = await self._condemn_orphans()
        removed = await self._sweep_garbage()
        before = self._clock() - COMPLETED_UPLOADS_KEPT
        await self._metadata.commit(lambda tx: tx.chunks.forget_completed(before))
        return SweepReport(removed=removed, orphans=orphans)

    async def _sweep_garbage(self) -> int:
        before = self._clock() - timedelta(seconds=self._grace_seconds)
        removed = 0
        while True:
            found = await self._metadata.read(lambda tx: tx.chunks.garbage(before, BATCH_CHUNKS))
            if not found:
                return removed
            await self._blobs.delete(found)
            await self._forget([chunk for chunk, _ in found])
            removed += len(found)

    async def _forget(self, chunks: list[bytes]) -> None:
        await self._metadata.commit(lambda tx: tx.chunks.forget(chunks))

    async def _condemn_orphans(self) -> int:
        condemned = 0
        batch: list[StoredChunk] = []
        async for stored in self._blobs.stored():
            self._progress(1)
            if stored.age_seconds >= ORPHAN_PATIENCE * self._grace_seconds:
                batch.append(stored)
            if len(batch) == BATCH_CHUNKS:
                condemned += await self._condemn(batch)
                batch = []
        return condemned + await self._condemn(batch)

    async def _condemn(self, batch: list[StoredChunk]) -> int:
        """Condemn those that no row knows."""
        if not batch:
            return 0
        chunks = [(stored.id, stored.directory) for stored in batch]
        return await self._metadata.commit(lambda tx: tx.chunks.condemn(chunks, self._clock()))
