"""Buckets and the store's configuration in SQL.

Law: as the package's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

from lightningstor_server.stores.metadata.database import Connection, Row
from lightningstor_server.stores.metadata.records import bucket_of, document_text, to_micros
from lightningstor_server.stores.metadata.sql.usage import scope_of, scopes
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import Level
from lightningstor_types.buckets import Bucket
from lightningstor_types.settings import BucketSettings

_BUCKETS = statements("buckets")
_CONFIGURATION = statements("configuration")
_USAGE = statements("usage")


class SqlBuckets:
    """`Buckets` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, bucket: Bucket, namespace: str) -> Bucket | None:
        """See `Buckets.create`."""
        values = (namespace, bucket.name, bucket.organisation_id, bucket.project_id, bucket.region, to_micros(bucket.created))
        row = await self._connection.row(_BUCKETS["create"], values)
        if row is None:
            return None
        created = attrs.evolve(bucket, id=row[0], generation=1)
        for field in attrs.fields(BucketSettings):
            value = getattr(bucket.settings, field.name)
            if value is not None and value != field.default:
                await self._connection.run(_BUCKETS["put_setting"], (created.id, field.name, document_text(value)))
        for scope in scopes(created):
            await self._connection.run(_USAGE["open"], (scope,))
        return created

    async def find(self, namespace: str, name: str) -> Bucket | None:
        """See `Buckets.find`."""
        row = await self._connection.row(_BUCKETS["find"], (namespace, name))
        return await _with_settings(self._connection, row) if row else None

    async def page(self, project: int, prefix: str, after: str, limit: int) -> Sequence[Bucket]:
        """See `Buckets.page`."""
        return [bucket_of(row) for row in await self._connection.rows(_BUCKETS["page"], (project, after, prefix, limit))]

    async def holds_versions(self, bucket: int) -> bool:
        """See `Buckets.holds_versions`."""
        row = await self._connection.row(_BUCKETS["holds_versions"], (bucket,))
        return row is not None and bool(row[0])

    async def delete(self, bucket: int) -> bool:
        """See `Buckets.delete`."""
        await self._connection.run(_BUCKETS["delete_completed_uploads"], (bucket,))
        await self._connection.run(_BUCKETS["remove_settings"], (bucket,))
        await self._connection.run(_USAGE["close"], (scope_of(Level.BUCKET, bucket),))
        return await self._connection.row(_BUCKETS["delete"], (bucket,)) is not None

    async def advance(self, bucket: Bucket) -> tuple[int, Bucket] | None:
        """See `Buckets.advance`."""
        row = await self._connection.row(_BUCKETS["advance"], (bucket.id,))
        if row is None:
            return None
        revision, generation = row
        if generation == bucket.generation:
            return revision, bucket
        row = await self._connection.row(_BUCKETS["of_id"], (bucket.id,))
        return (revision, await _with_settings(self._connection, row)) if row else None

    async def update(self, bucket: Bucket) -> bool:
        """See `Buckets.update`."""
        return await self._connection.row(_BUCKETS["update"], (json.dumps(dict(bucket.labels)), bucket.id)) is not None

    async def configure(self, bucket: int, name: str, value: object | None) -> None:
        """See `Buckets.configure`."""
        await self._connection.run(_BUCKETS["changed"], (bucket,))
        if value is None:
            await self._connection.run(_BUCKETS["remove_setting"], (bucket, name))
        else:
            await self._connection.run(_BUCKETS["put_setting"], (bucket, name, document_text(value)))


async def _with_settings(connection: Connection, row: Row) -> Bucket:
    bucket = bucket_of(row, await connection.rows(_BUCKETS["settings"], (row[0],)))
    limits = await connection.row(_USAGE["limits"], scopes(bucket))
    return bucket if limits is None else attrs.evolve(bucket, limited=True)


class SqlConfiguration:
    """`Configuration` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def generation(self) -> int:
        """See `Configuration.generation`."""
        row = await self._connection.row(_CONFIGURATION["generation"])
        return int(row[0]) if row else 0

    async def bump(self) -> None:
        """See `Configuration.bump`."""
        await self._connection.run(_CONFIGURATION["bump"])

    async def get(self, name: str) -> str | None:
        """See `Configuration.get`."""
        row = await self._connection.row(_CONFIGURATION["get"], (name,))
        return row[0] if row else None

    async def set(self, name: str, value: str) -> None:
        """See `Configuration.set`."""
        await self._connection.run(_CONFIGURATION["set"], (name, value))

    async def buckets_with(self, setting: str, after: int, limit: int) -> Sequence[Bucket]:
        """See `Configuration.buckets_with`."""
        rows = await self._connection.rows(_BUCKETS["with_setting"], (setting, after, limit))
        return [await _with_settings(self._connection, row) for row in rows]
