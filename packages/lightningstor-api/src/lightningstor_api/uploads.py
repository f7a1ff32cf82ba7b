"""Uploads of anything: as one write, or in parts that go side by side.

Law: what is there under the key is all of the source or what was there before. A source that fails, a
part that cannot be written, a caller that gives up: the upload is given up with its parts, and the
error is the one that stopped it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Final

from attrs import field, frozen

from lightningstor_api.calls import Calls
from lightningstor_api.sources import Meter, Progress, Source, opened
from lightningstor_types.digests import ETag
from lightningstor_types.errors import EntityTooLarge, StorError
from lightningstor_types.names import PART_MAX_BYTES, PART_MIN_BYTES, PART_NUMBER_MAX, BucketName, ObjectKey, PartNumber, UploadId
from lightningstor_types.objects import NO_METADATA, ObjectMetadata, StorageClass
from lightningstor_types.operations.common import NO_WRITE_CONDITIONS, WriteConditions
from lightningstor_types.operations.objects import PutObject
from lightningstor_types.operations.uploads import (
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    UploadPart,
)
from lightningstor_types.streams import BytesStream, ByteStream
from lightningstor_types.uploads import CompletedPart

PART_BYTES: Final = 16 << 20
WHOLE_MAX_BYTES: Final = 64 << 20
"""A source that is known to be longer goes in parts."""
PARTS_IN_FLIGHT: Final = 4
ABORT_SECONDS: Final = 5.0
_MIB: Final = 1 << 20


@frozen(kw_only=True)
class Uploaded:
    """What an upload made."""

    etag: ETag
    size: int
    version_id: str | None = None


@frozen(kw_only=True)
class _Job:
    """An upload: where to, and how."""

    calls: Calls = field(repr=False)
    bucket: BucketName
    key: ObjectKey
    metadata: ObjectMetadata
    conditions: WriteConditions
    storage_class: StorageClass
    meter: Meter
    deadline_seconds: float | None


async def upload(
    calls: Calls,
    /,
    bucket: str,
    key: str,
    source: Source | ByteStream,
    *,
    metadata: ObjectMetadata = NO_METADATA,
    conditions: WriteConditions = NO_WRITE_CONDITIONS,
    storage_class: StorageClass = StorageClass.STANDARD,
    progress: Progress | None = None,
    part_bytes: int = PART_BYTES,
    deadline_seconds: float | None = None,
) -> Uploaded:
    """Write an object of a file (a path, or a file object), of bytes, or of an iterator of bytes.

    A source that is longer than WHOLE_MAX_BYTES, or of unknown length and longer than `part_bytes`,
    goes in parts, PARTS_IN_FLIGHT at a time; parts of a file are read where they are, others gathered in
    memory. Parts that fail are repeated. A whole is repeated only under `conditions`, and only if the
    source can begin again. `progress` is told of every run that went; its count goes back where one is
    repeated. `deadline_seconds` is that of each call.

    Raises:
        StorError: what the server refused; EntityTooLarge where the source needs more parts than there are.
        OSError: the file cannot be read. Whatever else the source raises is raised as it is.
        ValueError: `part_bytes` is not the size of a part.
    """
    if not PART_MIN_BYTES <= part_bytes <= PART_MAX_BYTES:
        raise ValueError(f"a part has {PART_MIN_BYTES} to {PART_MAX_BYTES} bytes")
    async with opened(source) as content:
        length = content.length
        job = _Job(
            calls=calls,
            bucket=BucketName.parse(bucket),
            key=ObjectKey.parse(key),
            metadata=metadata,
            conditions=conditions,
            storage_class=storage_class,
            meter=Meter(progress, length),
            deadline_seconds=deadline_seconds,
        )
        if length is not None and length <= max(WHOLE_MAX_BYTES, part_bytes):
            return await _whole(job, content.whole())
        if length is not None:
            part_bytes = max(part_bytes, -(-length // PART_NUMBER_MAX // _MIB) * _MIB)
        async with aclosing(content.parts(part_bytes)) as parts:
            first = await anext(parts, BytesStream(b""))
            second = await anext(parts, None)
            if second is None:
                return await _whole(job, first)
            return await _in_parts(job, _behind(first, second, parts))


async def _behind(first: ByteStream, second: ByteStream, others: AsyncIterator[ByteStream]) -> AsyncIterator[ByteStream]:
    yield first
    yield second
    async for other in others:
        yield other


async def _whole(job: _Job, body: ByteStream) -> Uploaded:
    request = PutObject(
        bucket=job.bucket,
        key=job.key,
        metadata=job.metadata,
        conditions=job.conditions,
        storage_class=job.storage_class,
        body=job.meter.watch(body),
    )
    written = await job.calls.call(request, deadline_seconds=job.deadline_seconds)
    return Uploaded(etag=written.etag, size=written.size, version_id=written.version_id)


async def _in_parts(job: _Job, parts: AsyncIterator[ByteStream]) -> Uploaded:
    start = CreateMultipartUpload(bucket=job.bucket, key=job.key, metadata=job.metadata, storage_class=job.storage_class)
    begun = await job.calls.call(start, deadline_seconds=job.deadline_seconds)
    upload_id = UploadId.parse(begun.upload_id)
    try:
        written, size = await _send(job, upload_id, parts)
        complete = CompleteMultipartUpload(
            bucket=job.bucket, key=job.key, upload_id=upload_id, parts=written, conditions=job.conditions, object_size=size
        )
        done = await job.calls.call(complete, deadline_seconds=job.deadline_seconds)
    except BaseException:
        with suppress(StorError):  # the server's sweeper sees to what is left; the first error says more
            abort = AbortMultipartUpload(bucket=job.bucket, key=job.key, upload_id=upload_id)
            await job.calls.call(abort, deadline_seconds=ABORT_SECONDS)
        raise
    return Uploaded(etag=done.etag, size=size, version_id=done.version_id)


async def _send(job: _Job, upload_id: UploadId, parts: AsyncIterator[ByteStream]) -> tuple[tuple[CompletedPart, ...], int]:
    """Write the parts, a few at a time; returns them in their order, and the bytes of all."""
    slots = asyncio.Semaphore(PARTS_IN_FLIGHT)
    sending: list[asyncio.Task[tuple[CompletedPart, int]]] = []

    async def send(number: int, body: ByteStream) -> tuple[CompletedPart, int]:
        try:
            request = UploadPart(
                bucket=job.bucket, key=job.key, upload_id=upload_id, part_number=PartNumber(number), body=job.meter.watch(body)
            )
            written = await job.calls.call(request, deadline_seconds=job.deadline_seconds)
        finally:
            slots.release()
        return CompletedPart(number=PartNumber(number), etag=written.etag), written.size

    try:
        async with asyncio.TaskGroup() as group:
            await slots.acquire()  # before a part is gathered, so that memory holds no more than are sent
            async for body in parts:
                number = len(sending) + 1
                if number > PART_NUMBER_MAX:
                    raise EntityTooLarge(f"This needs more than {PART_NUMBER_MAX} parts: choose a larger part_bytes.")
                sending.append(group.create_task(send(number, body)))
                await slots.acquire()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    done = [task.result() for task in sending]
    return tuple(part for part, _ in done), sum(size for _, size in done)
