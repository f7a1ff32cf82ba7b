"""Bodies in pieces that fit a message, each under its own checksum.

Law: who sends a chunk seals it, who receives one opens it; bytes of a chunk that was not opened are
not used. A message is far below gRPC's default limit of 4 MiB, so clients need no options.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import google_crc32c

from lightningstor_api.v1.types_pb2 import DataChunk
from lightningstor_types.errors import BadDigest, InvalidArgument

CHUNK_BYTES: Final = 1 << 20
"""The size of every chunk that is sent but the last."""
CHUNK_MAX_BYTES: Final = 2 << 20
"""The size of the largest chunk that is taken."""
MESSAGE_MAX_BYTES: Final = 4 << 20
"""The size of the largest message: a page of 1,000 long keys, a batch of deletes."""


def seal(chunk: DataChunk, data: bytes) -> None:
    """Put `data` and its checksum into a chunk; into the one of its message, since that spares a copy."""
    chunk.data = data
    chunk.crc32c = google_crc32c.value(data)


def opened(chunk: DataChunk) -> bytes:
    """The bytes of a chunk.

    Raises:
        BadDigest: they do not have the chunk's checksum.
        InvalidArgument: they are more than CHUNK_MAX_BYTES.
    """
    data = chunk.data
    if len(data) > CHUNK_MAX_BYTES:
        raise InvalidArgument(f"A chunk has at most {CHUNK_MAX_BYTES} bytes.", ArgumentName="chunk")
    if chunk.HasField("crc32c") and chunk.crc32c != google_crc32c.value(data):
        raise BadDigest("A chunk does not have the CRC32C that came with it.")
    return data


async def pieces(source: AsyncIterable[bytes], size: int = CHUNK_BYTES) -> AsyncIterator[bytes]:
    """The bytes of `source` in pieces of `size`, of which only the last is shorter; none is empty."""
    held: list[bytes] = []
    count = 0
    async with closing(source) as items:
        async for item in items:
            if not held and len(item) == size:
                yield item
                continue
            held.append(item)
            count += len(item)
            if count >= size:
                whole = memoryview(b"".join(held))
                rest = count % size
                for first in range(0, count - rest, size):
                    yield bytes(whole[first : first + size])
                held, count = ([bytes(whole[count - rest :])] if rest else []), rest
    if count:
        yield b"".join(held)


@asynccontextmanager
async def closing(source: AsyncIterable[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Iterate a source that must not be left half-way: its iterator is closed, where it can be, at once."""
    iterator = aiter(source)
    try:
        yield iterator
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
