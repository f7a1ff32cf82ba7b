"""Bodies, pieces and chunks in SQL.

Law: as the package's. A chunk is owned by rows, never by a counter: it is garbage when no piece
names it, decided in the transaction that removed the last one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from awscrt.checksums import crc32c

from lightningstor_server.stores.blobs.base import Chunk, Piece
from lightningstor_server.stores.errors import Corrupted, Missing, Unavailable
from lightningstor_server.stores.metadata.database import Connection, Row
from lightningstor_server.stores.metadata.records import parts_of, parts_text, to_micros
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import Body, PartChecksums

_BODIES = statements("bodies")
_UPLOADS = statements("uploads")


def body_of(row: Row) -> Body:
    """A body of the columns inline, inline_sum and part_sizes.

    Raises:
        Corrupted: it is inline and does not match its checksum.
    """
    inline, inline_sum, part_sizes = row
    if inline is not None and crc32c(inline) != inline_sum:
        raise Corrupted("an inline body does not match its checksum")
    sizes, checksums = parts_of(part_sizes)
    return Body(inline=inline, part_sizes=sizes, part_checksums=checksums)


class SqlBodies:
    """`Bodies` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add_inline(self, content: bytes) -> int:
        """See `Bodies.add_inline`."""
        return await self._inserted(_BODIES["add_inline"], (content, crc32c(content)))

    async def add_chunks(self, chunks: Iterable[Chunk]) -> int:
        """See `Bodies.add_chunks`."""
        entered = list(chunks)
        for chunk in entered:
            values = (chunk.id, chunk.directory, chunk.length, chunk.block_sums, chunk.format)
            if await self._connection.row(_BODIES["condemned"], (chunk.id,)):
                raise Unavailable("a body took so long that its first chunks were taken for orphans")
            await self._connection.run(_BODIES["add_chunk"], values)
        return await self.add_pieces(Piece(chunk=chunk, offset=0, length=chunk.length) for chunk in entered)

    async def add_pieces(self, pieces: Iterable[Piece], part_sizes: Sequence[int] = (), part_checksums: PartChecksums | None = None) -> int:
        """See `Bodies.add_pieces`."""
        body = await self._inserted(_BODIES["add"], (parts_text(part_sizes, part_checksums),))
        start = 0
        for piece in pieces:
            await self._connection.run(_BODIES["add_piece"], (body, start, piece.chunk.id, piece.offset, piece.length))
            start += piece.length
        return body

    async def get(self, body: int) -> Body:
        """See `Bodies.get`."""
        row = await self._connection.row(_BODIES["get"], (body,))
        if row is None:
            raise Corrupted(f"body {body} is named by a row and is not there")
        return body_of(row)

    async def pieces(self, body: int, offset: int, length: int) -> Sequence[Piece]:
        """See `Bodies.pieces`."""
        end = offset + length
        found = []
        for start, chunk_offset, size, *chunk in await self._connection.rows(_BODIES["pieces"], (body, end, offset)):
            skipped = max(0, offset - start)
            id_, directory, chunk_length, block_sums, format_ = chunk
            found.append(
                Piece(
                    chunk=Chunk(id=id_, directory=directory, length=chunk_length, block_sums=block_sums, format=format_),
                    offset=chunk_offset + skipped,
                    length=min(size, end - start) - skipped,
                )
            )
        if not found:
            raise Missing(f"body {body} is gone, or has no bytes at {offset}+{length}")
        if sum(piece.length for piece in found) != length:
            raise Corrupted(f"the pieces of body {body} do not make up the range {offset}+{length}")
        return found

    async def release(self, body: int) -> None:
        """See `Bodies.release`."""
        if await self._connection.row(_BODIES["remove_inline"], (body,)):
            return
        chunks = await self._connection.rows(_BODIES["chunks"], (body,))
        await self._connection.run(_BODIES["remove_pieces"], (body,))
        await self._connection.run(_BODIES["remove"], (body,))
        now = time.time_ns() // 1000
        for chunk, directory in chunks:
            if await self._connection.row(_BODIES["drop_unreferenced"], (chunk,)):
                await self._connection.run(_BODIES["add_garbage"], (chunk, directory, now))

    async def _inserted(self, statement: str, values: Sequence[str | bytes | int | None]) -> int:
        row = await self._connection.row(statement, values)
        if row is None:
            raise Corrupted("an insert returned no id")
        return int(row[0])


class SqlChunks:
    """`Chunks` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def garbage(self, before: datetime, limit: int) -> Sequence[tuple[bytes, str]]:
        """See `Chunks.garbage`."""
        return [(chunk, directory) for chunk, directory in await self._connection.rows(_BODIES["garbage"], (to_micros(before), limit))]

    async def forget(self, chunks: Sequence[bytes]) -> None:
        """See `Chunks.forget`."""
        for chunk in chunks:
            await self._connection.run(_BODIES["forget_garbage"], (chunk,))

    async def condemn(self, chunks: Sequence[tuple[bytes, str]], moment: datetime) -> int:
        """See `Chunks.condemn`."""
        condemned = 0
        for chunk, directory in chunks:
            row = await self._connection.row(_BODIES["known"], (chunk,))
            if row is None or not row[0]:
                await self._connection.run(_BODIES["condemn"], (chunk,))
                await self._connection.run(_BODIES["add_garbage"], (chunk, directory, to_micros(moment)))
                condemned += 1
        return condemned

    async def forget_completed(self, before: datetime) -> None:
        """See `Chunks.forget_completed`."""
        await self._connection.run(_UPLOADS["forget_completed"], (to_micros(before),))
