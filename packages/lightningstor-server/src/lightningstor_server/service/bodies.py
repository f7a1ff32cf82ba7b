"""How a body becomes durable, and how it comes back.

Law: a small body goes into the metadata; a longer one into chunks that are durable before the
transaction that names them. Whatever fails on the way leaves nothing that anybody can see.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from attrs import field, frozen

from lightningstor_server.service.integrity import Claims, Digester, etag_of
from lightningstor_server.service.settings import CHUNKS_IN_FLIGHT, INLINE_MAX_BYTES, SEGMENT_BYTES
from lightningstor_server.stores.blobs.base import CHUNK_BYTES, BlobStore, Chunk, ChunkWriter, Piece
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types.digests import NO_CHECKSUMS, Checksums, ETag
from lightningstor_types.errors import EntityTooLarge, IncompleteBody, StorError
from lightningstor_types.names import PUT_MAX_BYTES
from lightningstor_types.streams import BytesStream, ByteStream


@frozen(kw_only=True)
class Ingested:
    """A body that was received, verified and, but for an inline one, made durable."""

    size: int
    etag: ETag
    checksums: Checksums
    inline: bytes | None
    chunks: tuple[Chunk, ...] = ()

    async def enter(self, tx: Transaction) -> int:
        """Name the body in the metadata; returns its id."""
        if self.inline is not None:
            return await tx.bodies.add_inline(self.inline)
        return await tx.bodies.add_chunks(self.chunks)

    async def abandon(self, blobs: BlobStore) -> None:
        """Remove the chunks again, where the transaction surely did not come about."""
        if self.chunks:
            await blobs.delete([(chunk.id, chunk.directory) for chunk in self.chunks])


async def ingest(blobs: BlobStore, body: ByteStream, claims: Claims, *, inline_max: int = INLINE_MAX_BYTES) -> Ingested:
    """Receive a body to its end and verify every claim about it.

    Raises:
        EntityTooLarge: it is longer than one write may be.
        IncompleteBody: it ended before its announced length, or went past it.
        BadDigest: a digest does not match.
        NoRoom: the store is full.
    """
    if body.length is not None and body.length > PUT_MAX_BYTES:
        raise EntityTooLarge(ProposedSize=str(body.length), MaxSizeAllowed=str(PUT_MAX_BYTES))
    await blobs.check_room(body.length or 0)
    digester = Digester(claims.algorithms)
    pieces = aiter(body)
    head = await _up_to(pieces, inline_max)
    if len(head) <= inline_max:
        digester.update(head)
        chunks: tuple[Chunk, ...] = ()
    else:
        chunks = await _write_chunks(blobs, head, pieces, digester)
    ingested = None
    try:
        if body.length is not None and digester.size != body.length:
            raise IncompleteBody
        checksums = claims.verify(digester, body.trailer)
        inline = head if not chunks else None
        ingested = Ingested(size=digester.size, etag=etag_of(digester.md5), checksums=checksums, inline=inline, chunks=chunks)
    finally:
        if ingested is None and chunks:
            await blobs.delete([(chunk.id, chunk.directory) for chunk in chunks])
    return ingested


async def _up_to(pieces: AsyncIterator[bytes], limit: int) -> bytes:
    """The body, or its beginning: more than `limit` bytes if there is more."""
    gathered: list[bytes] = []
    size = 0
    async for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size > limit:
            break
    return gathered[0] if len(gathered) == 1 else b"".join(gathered)


async def _write_chunks(blobs: BlobStore, head: bytes, pieces: AsyncIterator[bytes], digester: Digester) -> tuple[Chunk, ...]:
    """Cut a body into chunks; the next one fills while the last ones are made durable."""
    writers = _Writers(blobs, digester)
    try:
        waiting, size = [head], len(head)
        async for piece in pieces:
            waiting.append(piece)
            size += len(piece)
            if size >= SEGMENT_BYTES:
                await writers.append(b"".join(waiting))
                waiting, size = [], 0
        if size:
            await writers.append(b"".join(waiting))
        return await writers.finish()
    except BaseException:
        await asyncio.shield(writers.discard())
        raise


class _Writers:
    """The chunks of one body that is being written."""

    def __init__(self, blobs: BlobStore, digester: Digester) -> None:
        self._blobs = blobs
        self._digester = digester
        self._current: ChunkWriter | None = None
        self._filled = 0
        self._commits: list[asyncio.Task[Chunk]] = []

    async def append(self, segment: bytes) -> None:
        """Hash and write a segment, the two at once."""
        if self._digester.size + len(segment) > PUT_MAX_BYTES:
            raise EntityTooLarge(MaxSizeAllowed=str(PUT_MAX_BYTES))
        hashing = asyncio.get_running_loop().run_in_executor(None, self._digester.update, segment)
        try:
            await self._write(segment)
        finally:
            await hashing

    async def _write(self, segment: bytes) -> None:
        start = 0
        while start < len(segment):
            if self._current is None:
                self._current, self._filled = self._blobs.create(), 0
            run = segment[start : start + CHUNK_BYTES - self._filled]
            await self._current.append(run)
            start += len(run)
            self._filled += len(run)
            if self._filled == CHUNK_BYTES:
                await self._commit_current()

    async def _commit_current(self) -> None:
        """Begin to make the full chunk durable; wait where too many already are."""
        if self._current is None:
            return
        self._commits.append(asyncio.create_task(self._current.commit()))
        self._current = None
        if len(self._commits) > CHUNKS_IN_FLIGHT:
            await self._commits[-1 - CHUNKS_IN_FLIGHT]

    async def finish(self) -> tuple[Chunk, ...]:
        """All chunks, durable."""
        await self._commit_current()
        return tuple([await commit for commit in self._commits])

    async def discard(self) -> None:
        """Leave nothing."""
        if self._current is not None:
            await self._current.discard()
        for outcome in await asyncio.gather(*self._commits, return_exceptions=True):
            if isinstance(outcome, Chunk):
                await self._blobs.delete([(outcome.id, outcome.directory)])


@frozen(kw_only=True)
class StoredBody:
    """Bytes on their way out: verified as they are read."""

    length: int
    runs: AsyncIterator[bytes]
    fault: Callable[[Exception], StorError]
    trailer: Checksums = field(default=NO_CHECKSUMS)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The runs. A store's failure on the way is one of the service's errors to whoever sends them."""
        try:
            async for run in self.runs:
                yield run
        except StorError:
            raise
        except Exception as error:
            raise self.fault(error) from error
        finally:
            close = getattr(self.runs, "aclose", None)
            if close is not None:
                await close()


@frozen(kw_only=True)
class Located:
    """Where the bytes of a range are, as one snapshot of the metadata has it."""

    inline: bytes | None
    pieces: Sequence[Piece]
    length: int

    async def open(self, blobs: BlobStore, fault: Callable[[Exception], StorError]) -> ByteStream:
        """Begin to read them.

        Raises:
            Missing: a chunk is gone: what was located has been deleted or replaced meanwhile.
            Corrupted: the first run does not match its checksums.
        """
        if self.inline is not None:
            return BytesStream(self.inline)
        if not self.length:
            return BytesStream(b"")
        return StoredBody(length=self.length, runs=await blobs.read(self.pieces), fault=fault)


async def locate(tx: Transaction, body: int, offset: int, length: int) -> Located:
    """Find a range of a body.

    Raises:
        Corrupted: an inline body does not match its checksum.
    """
    found = await tx.bodies.get(body)
    if found.inline is not None:
        return Located(inline=found.inline[offset : offset + length], pieces=(), length=length)
    return await locate_pieces(tx, body, offset, length)


async def locate_pieces(tx: Transaction, body: int, offset: int, length: int) -> Located:
    """Find a range of a body that is not inline, by a single statement.

    Raises:
        Missing: the body is gone.
    """
    return Located(inline=None, pieces=await tx.bodies.pieces(body, offset, length) if length else (), length=length)
