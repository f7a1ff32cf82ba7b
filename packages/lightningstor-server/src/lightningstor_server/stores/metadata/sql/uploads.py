"""Multipart uploads in SQL.

Law: as the package's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightningstor_server.stores.metadata.database import Connection, Row
from lightningstor_server.stores.metadata.records import (
    acl_of,
    acl_text,
    checksums_of,
    checksums_text,
    document_text,
    from_micros,
    lock_of,
    lock_text,
    metadata_of,
    metadata_text,
    owner_of,
    tags_of,
    tags_text,
    to_micros,
)
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import StoredPart, Upload
from lightningstor_types.digests import ChecksumAlgorithm, ChecksumType, ETag
from lightningstor_types.names import PART_NUMBER_MAX
from lightningstor_types.objects import StorageClass

_UPLOADS = statements("uploads")


def _upload_of(row: Row) -> Upload:
    id_, bucket, key, ordinal, initiated, storage_class, algorithm, type_, meta, acl, tags, lock, initiator, completed = row
    return Upload(
        id=id_,
        bucket=bucket,
        key=key.decode(),
        ordinal=ordinal,
        initiated=from_micros(initiated),
        metadata=metadata_of(meta),
        storage_class=StorageClass(storage_class),
        checksum_algorithm=ChecksumAlgorithm(algorithm) if algorithm else None,
        checksum_type=ChecksumType(type_) if type_ else None,
        acl=acl_of(acl),
        tags=tags_of(tags),
        lock=lock_of(lock),
        initiator=owner_of(initiator),
        completed=completed,
    )


def _part_of(row: Row) -> StoredPart:
    number, size, etag, sums, modified, body = row
    return StoredPart(number=number, size=size, etag=ETag(etag), checksums=checksums_of(sums), modified=from_micros(modified), body=body)


class SqlUploads:
    """`Uploads` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, upload: Upload) -> None:
        """See `Uploads.create`."""
        await self._connection.run(
            _UPLOADS["create"],
            (
                upload.id,
                upload.bucket,
                upload.key.encode(),
                upload.ordinal,
                to_micros(upload.initiated),
                upload.storage_class,
                upload.checksum_algorithm,
                upload.checksum_type,
                metadata_text(upload.metadata),
                acl_text(upload.acl),
                tags_text(upload.tags),
                lock_text(upload.lock),
                None if upload.initiator is None else document_text(upload.initiator),
            ),
        )

    async def get(self, bucket: int, key: str, upload: str) -> Upload | None:
        """See `Uploads.get`."""
        row = await self._connection.row(_UPLOADS["get"], (upload, bucket, key.encode()))
        return _upload_of(row) if row else None

    async def complete(self, upload: str, answer: str, moment: datetime) -> None:
        """See `Uploads.complete`."""
        await self._connection.run(_UPLOADS["remove_parts"], (upload,))
        await self._connection.run(_UPLOADS["complete"], (answer, to_micros(moment), upload))

    async def delete(self, upload: str) -> None:
        """See `Uploads.delete`."""
        await self._connection.run(_UPLOADS["remove_parts"], (upload,))
        await self._connection.run(_UPLOADS["delete"], (upload,))

    async def put_part(self, upload: str, part: StoredPart) -> StoredPart | None:
        """See `Uploads.put_part`."""
        row = await self._connection.row(_UPLOADS["part"], (upload, part.number))
        values = (upload, part.number, part.size, part.etag, checksums_text(part.checksums), to_micros(part.modified), part.body)
        await self._connection.run(_UPLOADS["put_part"], values)
        return _part_of(row) if row else None

    async def parts(self, upload: str, after: int = 0, limit: int = PART_NUMBER_MAX) -> Sequence[StoredPart]:
        """See `Uploads.parts`."""
        return [_part_of(row) for row in await self._connection.rows(_UPLOADS["parts"], (upload, after, limit))]

    async def page(self, bucket: int, *, first: bytes, after: int, before: bytes | None, limit: int) -> Sequence[Upload]:
        """See `Uploads.page`."""
        if before is None:
            rows = await self._connection.rows(_UPLOADS["page"], (bucket, first, after, limit))
        else:
            rows = await self._connection.rows(_UPLOADS["page_before"], (bucket, first, after, before, limit))
        return [_upload_of(row) for row in rows]
