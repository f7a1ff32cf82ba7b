"""What a blob store promises.

Law: a chunk that `commit` returned survives a power cut; bytes that `read` hands out match the
checksums that were taken when they came in. Nothing here knows of objects, keys or tenants.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from attrs import frozen

CHUNK_BYTES: Final = 8 << 20
"""The most that one chunk holds."""
BLOCK_BYTES: Final = 64 << 10
"""The unit of checksums: every full block of a chunk has one, the last block may be short."""
BLOCK_SUM_BYTES: Final = 4
"""CRC32C (RFC 3720 appendix B.4), big-endian."""
CHUNK_ID_BYTES: Final = 16
CHUNK_FORMAT: Final = 1


@frozen(kw_only=True)
class Chunk:
    """A chunk that is durable. The metadata keep all of this; the store needs it to find and verify."""

    id: bytes
    """16 random bytes."""
    directory: str
    """The folder of the chunk below the store's root; empty where the store has none."""
    length: int
    """Bytes of content, 1 to CHUNK_BYTES."""
    block_sums: bytes
    """The CRC32C of every 64 KiB block, one behind the other."""
    format: int = CHUNK_FORMAT


@frozen(kw_only=True)
class Piece:
    """A run of bytes of a chunk."""

    chunk: Chunk
    offset: int
    length: int


@frozen(kw_only=True)
class StoredChunk:
    """A chunk as it is found on the medium, which says nothing of whether anybody refers to it."""

    id: bytes
    directory: str
    age_seconds: float


class ChunkWriter(Protocol):
    """A chunk that is being written. Exactly one of `commit` and `discard` ends it."""

    async def append(self, data: bytes) -> None:
        """Add bytes; at most CHUNK_BYTES in all.

        Raises:
            NoRoom: the medium is full.
            ReadOnly: the store takes no writes.
        """

    async def commit(self) -> Chunk:
        """Make the chunk durable: its bytes, its checksums and its name. Then it is readable.

        Raises:
            NoRoom: the medium is full.
            ReadOnly: the medium failed to make it durable; the store takes no more writes.
        """

    async def discard(self) -> None:
        """Give the chunk up; nothing of it remains. May be called again, and after a failure."""


class BlobStore(Protocol):
    """A place for chunks."""

    def create(self) -> ChunkWriter:
        """Begin a chunk. Costs nothing until bytes are appended."""

    async def read(self, pieces: Sequence[Piece]) -> AsyncIterator[bytes]:
        """The bytes of the pieces, in order, in runs of at most a few hundred KiB.

        The first run is read and verified before this returns, so that what is wrong from the
        start is known before an answer begins. A piece stays readable until the iterator is
        closed where the store can hold it, at the least for the sweeper's grace.

        Raises:
            Corrupted: a block does not match its checksum; later runs raise it from the iterator.
            Missing: a chunk is not there.
        """

    async def delete(self, chunks: Sequence[tuple[bytes, str]]) -> None:
        """Remove chunks, given as (id, directory). One that is not there is no error."""

    def stored(self) -> AsyncIterator[StoredChunk]:
        """Every chunk on the medium, in no order."""

    async def check_room(self, size: int) -> None:
        """Whether `size` more bytes are likely to fit, above the reserve that is kept for deletes.

        Raises:
            NoRoom: they are not.
            ReadOnly: the store takes no writes.
        """

    async def close(self) -> None:
        """Release everything; writers that are open are discarded."""
