"""What buckets, projects and organisations hold and may hold, in SQL.

Law: as the package's. A write counts for its bucket, project and organisation in one statement, which
tells what they hold then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lightningstor_server.stores.metadata.database import Connection, Row
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.tenancy import Names
from lightningstor_server.stores.metadata.values import Holding, Level
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.tenants import NO_QUOTA, Quota

_USAGE = statements("usage")
_MARKS: Final = {Level.BUCKET: "b", Level.PROJECT: "p", Level.ORGANISATION: "o"}
_LEVELS: Final = {mark: level for level, mark in _MARKS.items()}


def scope_of(level: Level, id_: int) -> str:
    """The name of a row of `usage`."""
    return f"{_MARKS[level]}{id_}"


def scopes(bucket: Bucket) -> tuple[str, str, str]:
    """The rows that what a bucket holds is counted in."""
    return f"b{bucket.id}", f"p{bucket.project_id}", f"o{bucket.organisation_id}"


def _holding_of(row: Row) -> Holding:
    scope, objects, bytes_, uploads_bytes, buckets, objects_max, bytes_max, buckets_max = row
    return Holding(
        level=_LEVELS[scope[0]],
        usage=Usage(objects=objects, bytes=bytes_, uploads_bytes=uploads_bytes, buckets=buckets),
        quota=Quota(objects=objects_max, bytes=bytes_max, buckets=buckets_max),
    )


class SqlUsageCounts:
    """`UsageCounts` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, bucket: Bucket, delta: Usage) -> Sequence[Holding]:
        """See `UsageCounts.add`."""
        of_bucket, of_project, of_organisation = scopes(bucket)
        values = (delta.objects, delta.bytes, delta.uploads_bytes, of_bucket, delta.buckets, of_project, of_organisation)
        rows = await self._connection.rows(_USAGE["add"], values)
        return [_holding_of(row) for row in rows if row[5:] != (None, None, None)]

    async def of(self, bucket: Bucket) -> tuple[Usage, Usage, Usage]:
        """See `UsageCounts.of`."""
        of_bucket, of_project, of_organisation = [await self._scope(scope) for scope in scopes(bucket)]
        return of_bucket.usage, of_project.usage, of_organisation.usage

    async def held(self, level: Level, id_: int) -> Holding:
        """See `UsageCounts.held`."""
        return await self._scope(scope_of(level, id_))

    async def limit(self, level: Level, id_: int, quota: Quota) -> None:
        """See `UsageCounts.limit`."""
        await self._connection.run(_USAGE["limit"], (scope_of(level, id_), quota.objects, quota.bytes, quota.buckets))

    async def largest(self, limit: int) -> Mapping[Names, Usage]:
        """See `UsageCounts.largest`."""
        rows = await self._connection.rows(_USAGE["largest"], (limit,))
        return {
            (organisation, project): Usage(objects=objects, bytes=bytes_, uploads_bytes=uploads_bytes, buckets=buckets)
            for organisation, project, objects, bytes_, uploads_bytes, buckets in rows
        }

    async def _scope(self, scope: str) -> Holding:
        row = await self._connection.row(_USAGE["get"], (scope,))
        return _holding_of(row) if row else Holding(level=_LEVELS[scope[0]], usage=Usage(), quota=NO_QUOTA)
