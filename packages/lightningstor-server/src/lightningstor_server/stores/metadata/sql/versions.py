"""Versions of objects in SQL.

Law: as the package's. Reads and listings go through the index of current versions.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor_server.stores.metadata.database import Connection
from lightningstor_server.stores.metadata.records import (
    acl_text,
    checksums_text,
    listed_of,
    lock_text,
    metadata_text,
    tags_text,
    to_micros,
    version_of,
)
from lightningstor_server.stores.metadata.sql.bodies import body_of
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import Body, Version
from lightningstor_types.objects import ListedObject

_OBJECTS = statements("objects")


class SqlVersions:
    """`Versions` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def current(self, bucket: int, key: str) -> Version | None:
        """See `Versions.current`."""
        row = await self._connection.row(_OBJECTS["current"], (bucket, key.encode()))
        return version_of(row) if row else None

    async def current_with_body(self, bucket: int, key: str) -> tuple[Version, Body] | None:
        """See `Versions.current_with_body`."""
        row = await self._connection.row(_OBJECTS["current_with_body"], (bucket, key.encode()))
        if row is None:
            return None
        return version_of(row[:-3]), body_of(row[-3:])

    async def insert(self, bucket: int, version: Version) -> None:
        """See `Versions.insert`."""
        item = version.object
        await self._connection.run(
            _OBJECTS["insert"],
            (
                bucket,
                item.key.encode(),
                item.revision,
                item.version_id,
                item.revision if version.delete_marker else None,
                item.generation,
                item.size,
                item.etag,
                to_micros(item.last_modified),
                item.storage_class,
                checksums_text(item.checksums),
                item.checksum_type,
                item.parts_count,
                metadata_text(item.metadata),
                acl_text(version.acl),
                tags_text(version.tags),
                lock_text(version.lock),
                version.body,
            ),
        )

    async def remove(self, bucket: int, version: Version) -> None:
        """See `Versions.remove`."""
        await self._connection.run(_OBJECTS["remove"], (bucket, version.object.key.encode(), version.object.revision))

    async def describe(self, bucket: int, version: Version) -> None:
        """See `Versions.describe`."""
        item = version.object
        values = (
            metadata_text(item.metadata),
            acl_text(version.acl),
            tags_text(version.tags),
            lock_text(version.lock),
            item.storage_class.value,
            item.generation,
            bucket,
            item.key.encode(),
            item.revision,
        )
        await self._connection.run(_OBJECTS["describe"], values)

    async def page(self, bucket: int, *, first: bytes, before: bytes | None, limit: int) -> Sequence[ListedObject]:
        """See `Versions.page`."""
        if before is None:
            rows = await self._connection.rows(_OBJECTS["page"], (bucket, first, limit))
        else:
            rows = await self._connection.rows(_OBJECTS["page_before"], (bucket, first, before, limit))
        return [listed_of(row) for row in rows]
