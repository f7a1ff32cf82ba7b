"""A service on stores of a test's choice, and one caller of it.

Law: everything goes through `Service.call`, as both fronts do it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from lightningstor_server.auth.vault import MASTER_KEY_BYTES, Vault
from lightningstor_server.service.core import Service
from lightningstor_server.service.operation import operations
from lightningstor_server.service.settings import Settings
from lightningstor_server.service.sweeper import Sweeper, SweepReport
from lightningstor_server.stores.memory import MemoryBlobs
from lightningstor_server.stores.metadata.base import Metadata
from lightningstor_server.stores.metadata.sqlite import open_memory
from lightningstor_types.buckets import Usage
from lightningstor_types.digests import NO_CHECKSUMS, Checksums, ETag
from lightningstor_types.names import BucketName
from lightningstor_types.streams import BytesStream
from lightningstor_types.tenants import Caller, Project, Role
from lightningstor_types.uploads import CompletedPart

BUCKET: Final = BucketName("bucket")
FAR_FUTURE: Final = datetime(2999, 1, 1, tzinfo=UTC)
REQUEST_ID: Final = "rig"


class Pieces:
    """A body that comes in pieces. A callable among them is awaited in its turn, an exception raised."""

    def __init__(
        self,
        *pieces: bytes | Callable[[], Awaitable[object]] | BaseException,
        length: int | None = None,
        trailer: Checksums = NO_CHECKSUMS,
    ) -> None:
        self._pieces = pieces
        self.length = length
        self.trailer = trailer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, once."""
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            else:
                await piece()


def cut(content: bytes, size: int) -> Pieces:
    """A body of pieces of that size."""
    return Pieces(*(content[start : start + size] for start in range(0, len(content), size)), length=len(content))


def project(name: str = "p", organisation: str = "o") -> Project:
    """A project that is not entered yet."""
    return Project(
        id=0,
        organisation_id=0,
        organisation=organisation,
        name=name,
        display_name=name.upper(),
        email=f"{name}@{organisation}",
        canonical_id=f"{organisation}/{name}",
    )


@attrs.define
class Clock:
    """What stamps objects; it stands still until a test moves it."""

    now: datetime = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)


@attrs.define
class Rig:
    """A service and its owner."""

    service: Service
    metadata: Metadata
    blobs: Any
    caller: Caller
    clock: Clock

    async def call(self, name: str, **fields: Any) -> Any:
        """Carry out an operation; without a bucket's name it is about `BUCKET`."""
        return await self.call_as(self.caller, name, **fields)

    async def call_as(self, caller: Caller | None, name: str, **fields: Any) -> Any:
        """Carry out an operation for somebody else."""
        operation = operations()[name]
        if "bucket" in {field.name for field in attrs.fields(operation.input)}:
            fields = {"bucket": BUCKET, **fields}
        return await self.service.call(operation, operation.input(**fields), caller=caller, request_id=REQUEST_ID)

    async def put(self, key: str, content: bytes | Any = b"", **fields: Any) -> ETag:
        """Write an object of bytes, or of a stream."""
        body = BytesStream(content) if isinstance(content, bytes) else content
        etag: ETag = (await self.call("PutObject", key=key, body=body, **fields)).etag
        return etag

    async def get(self, key: str, **fields: Any) -> bytes:
        """Read an object to its end."""
        result = await self.call("GetObject", key=key, **fields)
        content = b"".join([run async for run in result.body])
        assert len(content) == result.content_length == result.body.length
        return content

    async def start(self, key: str, **fields: Any) -> str:
        """Begin an upload; returns its id."""
        upload: str = (await self.call("CreateMultipartUpload", key=key, **fields)).upload_id
        return upload

    async def part(self, key: str, upload: str, number: int, content: bytes | Any, **fields: Any) -> CompletedPart:
        """Write a part; returns it as a completion names it."""
        body = BytesStream(content) if isinstance(content, bytes) else content
        result = await self.call("UploadPart", key=key, upload_id=upload, part_number=number, body=body, **fields)
        return CompletedPart(number=number, etag=result.etag)  # type: ignore[arg-type]

    async def complete(self, key: str, upload: str, *parts: CompletedPart, **fields: Any) -> Any:
        """Complete an upload of those parts."""
        return await self.call("CompleteMultipartUpload", key=key, upload_id=upload, parts=parts, **fields)

    async def usage(self, bucket: str = BUCKET) -> Usage:
        """What the bucket holds; the project and the organisation hold at least that."""
        found = await self.call("GetUsage", bucket=bucket)
        assert found.organisation.bytes >= found.project.bytes >= found.bucket.bytes
        counted: Usage = found.bucket
        return counted

    async def garbage(self) -> set[bytes]:
        """The chunks that lost their last owner."""
        return {chunk for chunk, _ in await self.metadata.read(lambda tx: tx.chunks.garbage(FAR_FUTURE, 100_000))}

    async def chunks(self) -> set[bytes]:
        """The chunks that the blob store holds."""
        return {stored.id async for stored in self.blobs.stored()}

    async def sweep(self, grace_seconds: float = 0.0, *, later: timedelta = timedelta(seconds=1)) -> SweepReport:
        """Sweep as it will be `later` for the garbage rows; files are told by the blob store's own clock."""
        sweeper = Sweeper(
            self.metadata,
            self.blobs,
            grace_seconds=grace_seconds,
            interval_seconds=60.0,
            clock=lambda: datetime.now(UTC) + later,
        )
        return await sweeper.sweep()

    async def is_tidy(self) -> bool:
        """Whether, after a sweep, exactly the chunks are stored that the metadata know."""
        await self.sweep()
        stored = [(chunk.id, chunk.directory) async for chunk in self.blobs.stored()]
        unknown = await self.metadata.commit(lambda tx: tx.chunks.condemn(stored, FAR_FUTURE))
        return not unknown and not await self.garbage()

    async def close(self) -> None:
        """Close both stores."""
        await self.metadata.close()
        await self.blobs.close()


async def enter_caller(metadata: Metadata, of: Project, role: Role = Role.OWNER) -> Caller:
    """Somebody of a project."""
    entered = await metadata.commit(lambda tx: tx.tenants.put_project(of))
    return Caller(project=entered, principal=role.value, role=role, access_key=f"{of.name}-{role.value}")


async def make_rig(metadata: Metadata | None = None, blobs: Any = None, **settings: Any) -> Rig:
    """A service on those stores, in memory where none are given; no bucket yet."""
    metadata = metadata or await open_memory()
    blobs = blobs or MemoryBlobs()
    caller = await enter_caller(metadata, project())
    clock = Clock()
    service = Service(
        metadata=metadata, blobs=blobs, settings=Settings(**settings), clock=lambda: clock.now, sealer=Vault(bytes(MASTER_KEY_BYTES))
    )
    return Rig(service, metadata, blobs, caller, clock)
