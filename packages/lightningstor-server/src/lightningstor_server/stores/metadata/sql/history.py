"""Versions that are not current, in SQL.

Law: as the package's. A version id begins with the revision that made it, which is the key of its row.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor_server.stores.metadata.database import Connection, Parameters
from lightningstor_server.stores.metadata.records import version_of
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import Version

_HISTORY = statements("history")


class SqlHistory:
    """`History` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_revision(self, bucket: int, key: str, revision: int) -> Version | None:
        """See `History.of_revision`."""
        return await self._one(_HISTORY["of_revision"], (bucket, key.encode(), revision))

    async def noncurrent_null(self, bucket: int, key: str) -> Version | None:
        """See `History.noncurrent_null`."""
        return await self._one(_HISTORY["noncurrent_null"], (bucket, key.encode()))

    async def latest(self, bucket: int, key: str) -> Version | None:
        """See `History.latest`."""
        return await self._one(_HISTORY["latest"], (bucket, key.encode()))

    async def supersede(self, bucket: int, key: str, revision: int) -> None:
        """See `History.supersede`."""
        await self._connection.run(_HISTORY["supersede"], (revision, bucket, key.encode()))

    async def reinstate(self, bucket: int, key: str) -> None:
        """See `History.reinstate`."""
        await self._connection.run(_HISTORY["reinstate"], (bucket, key.encode()))

    async def page(self, bucket: int, *, first: bytes, older_than: int, before: bytes | None, limit: int) -> Sequence[Version]:
        """See `History.page`."""
        if before is None:
            rows = await self._connection.rows(_HISTORY["page"], (bucket, first, older_than, limit))
        else:
            rows = await self._connection.rows(_HISTORY["page_before"], (bucket, first, older_than, before, limit))
        return [version_of(row) for row in rows]

    async def _one(self, statement: str, parameters: Parameters) -> Version | None:
        row = await self._connection.row(statement, parameters)
        return version_of(row) if row else None
