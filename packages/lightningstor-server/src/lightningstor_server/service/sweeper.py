"""The sweeper: removes what nothing refers to.

Law: a chunk's file goes only after the transaction that dropped its last reference is durable and
a grace has passed; its garbage row goes after the file, so that a crash between the two repeats the
removal and forgets nothing. A file that no row knows is an orphan of a crash, or of a write that
is still on its way: the grace tells them apart.
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
from lightningstor_server.stores.errors import StoreError
from lightningstor_server.stores.metadata.base import Metadata

BATCH_CHUNKS: Final = 500
COMPLETED_UPLOADS_KEPT: Final = timedelta(days=2)
"""How long a retry of a completion is told what the upload became."""
_log = structlog.get_logger("lightningstor.sweeper")


@frozen(kw_only=True)
class SweepReport:
    """What one sweep did."""

    garbage: int
    """Chunks removed that had lost their last reference."""
    orphans: int
    """Chunks removed that no row ever named."""


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
    ) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._grace_seconds = grace_seconds
        self._interval_seconds = interval_seconds
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep every interval until told to stop."""
        while not stop.is_set():
            try:
                report = await self.sweep()
                if report.garbage or report.orphans:
                    _log.info("swept", garbage=report.garbage, orphans=report.orphans)
            except StoreError as error:
                _log.error("sweep failed", reason=str(error))
            try:
                await asyncio.wait_for(stop.wait(), self._interval_seconds)
            except TimeoutError:
                continue

    async def sweep(self) -> SweepReport:
        """One pass over the garbage and over all files."""
        garbage = await self._sweep_garbage()
        orphans = await self._sweep_orphans()
        before = self._clock() - COMPLETED_UPLOADS_KEPT
        await self._metadata.commit(lambda tx: tx.chunks.forget_completed(before))
        return SweepReport(garbage=garbage, orphans=orphans)

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

    async def _sweep_orphans(self) -> int:
        removed = 0
        batch: list[StoredChunk] = []
        async for stored in self._blobs.stored():
            if stored.age_seconds >= self._grace_seconds:
                batch.append(stored)
            if len(batch) == BATCH_CHUNKS:
                removed += await self._drop_unknown(batch)
                batch = []
        return removed + await self._drop_unknown(batch)

    async def _drop_unknown(self, batch: list[StoredChunk]) -> int:
        """Remove those that neither a chunk's row nor a garbage row knows."""
        if not batch:
            return 0
        unknown = await self._metadata.read(lambda tx: tx.chunks.unknown([stored.id for stored in batch]))
        await self._blobs.delete([(stored.id, stored.directory) for stored in batch if stored.id in unknown])
        return len(unknown)
