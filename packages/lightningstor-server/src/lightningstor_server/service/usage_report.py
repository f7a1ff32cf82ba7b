"""What tenants hold, looked at now and then for whoever watches the server.

Law: it reads the counts that writes keep, and counts nothing itself. What it cannot read it does not
tell, and once it ends nothing that it told is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from lightningstor_server.stores.errors import Broken, StoreError
from lightningstor_server.stores.metadata.base import Metadata
from lightningstor_types.buckets import Usage

_log = structlog.get_logger("lightningstor.usage_report")

Tell = Callable[[Mapping[tuple[str, str | None], Usage] | None], None]
"""Hears what projects hold, by organisation and name, and organisations, by name and None; None where that is not known."""


class UsageReport:
    """Tells what the largest projects and organisations hold."""

    def __init__(self, metadata: Metadata, tell: Tell, *, interval_seconds: float, tenants_max: int) -> None:
        """`tenants_max` is for the projects and for the organisations, each."""
        self._metadata = metadata
        self._tell = tell
        self._interval_seconds = interval_seconds
        self._tenants_max = tenants_max

    async def run(self, stop: asyncio.Event) -> None:
        """Look at once, and every interval until told to stop.

        Raises:
            Broken: the process must end.
        """
        try:
            while not stop.is_set():
                await self._look()
                try:
                    await asyncio.wait_for(stop.wait(), self._interval_seconds)
                except TimeoutError:
                    continue
        finally:
            self._tell(None)

    async def _look(self) -> None:
        try:
            self._tell(await self._metadata.look(lambda tx: tx.usage.largest(self._tenants_max)))
        except Broken:
            raise
        except StoreError as error:
            self._tell(None)
            _log.error("usage not read", reason=str(error))
