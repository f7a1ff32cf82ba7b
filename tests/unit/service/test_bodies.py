"""Bodies on their way in and out: every size at which something changes, and every way to fail."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor_server.service import bodies
from lightningstor_server.service.bodies import Ingested, ingest, locate
from lightningstor_server.service.integrity import Claims
from lightningstor_server.service.settings import INLINE_MAX_BYTES, SEGMENT_BYTES
from lightningstor_server.stores.blobs.base import BLOCK_BYTES, CHUNK_BYTES
from lightningstor_server.stores.errors import Corrupted, Missing, NoRoom, ReadOnly
from lightningstor_server.stores.memory import MemoryBlobs, MemoryWriter
from lightningstor_server.stores.metadata.base import Metadata
from lightningstor_server.stores.metadata.sqlite import open_memory
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums
from lightningstor_types.errors import BadDigest, EntityTooLarge, IncompleteBody, InternalError
from lightningstor_types.streams import BytesStream
from unit.service.rig import Pieces, Rig, cut

SIZES: Final = (
    0,
    1,
    INLINE_MAX_BYTES - 1,
    INLINE_MAX_BYTES,
    INLINE_MAX_BYTES + 1,
    BLOCK_BYTES,
    BLOCK_BYTES + 1,
    SEGMENT_BYTES - 1,
    SEGMENT_BYTES,
    SEGMENT_BYTES + 1,
    CHUNK_BYTES - 1,
    CHUNK_BYTES,
    CHUNK_BYTES + 1,
    3 * CHUNK_BYTES + 5,
)
PATTERN: Final = bytes(range(251)) * (SIZES[-1] // 251 + 1)
"""251 is prime: no two blocks or chunks are alike."""
NO_CLAIMS: Final = Claims.of(None, NO_CHECKSUMS, None)
SMALL_CHUNK, SMALL_SEGMENT, SMALL_INLINE = 100, 40, 10


def md5(content: bytes) -> str:
    """The entity tag of a body written as a whole."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


async def read(metadata: Metadata, blobs: Any, ingested: Ingested, offset: int, length: int) -> bytes:
    """Enter a body and read a range of it."""
    body = await metadata.commit(ingested.enter)
    located = await metadata.read(lambda tx: locate(tx, body, offset, length))
    stream = await located.open(blobs, lambda _: InternalError())
    assert stream.length == length
    return b"".join([run async for run in stream])


@pytest.fixture
def blobs() -> MemoryBlobs:
    """An empty blob store."""
    return MemoryBlobs()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks and segments of a few bytes."""
    monkeypatch.setattr(bodies, "CHUNK_BYTES", SMALL_CHUNK)
    monkeypatch.setattr(bodies, "SEGMENT_BYTES", SMALL_SEGMENT)


@pytest.mark.parametrize("size", SIZES)
async def test_a_body_of_any_size_comes_back(rig: Rig, size: int) -> None:
    """In one piece and in many; inline up to INLINE_MAX_BYTES, else in as few chunks as hold it."""
    content = PATTERN[:size]
    for body in (BytesStream(content), cut(content, 65_000), cut(content, max(1, size // 3))):
        assert await rig.put("k", body) == md5(content)
        assert await rig.get("k") == content
        held = len(await rig.chunks()) - len(await rig.garbage())
        assert held == (0 if size <= INLINE_MAX_BYTES else -(-size // CHUNK_BYTES))
    assert (await rig.usage()).bytes == size


@pytest.mark.usefixtures("small")
@settings(deadline=None)
@given(data=st.data(), pieces=st.lists(st.binary(max_size=150), max_size=12))
async def test_any_cut_of_any_body_comes_back(data: st.DataObject, pieces: list[bytes]) -> None:
    """However the pieces fall on segments and chunks, empty ones among them; whole, and by ranges."""
    content, blobs, metadata = b"".join(pieces), MemoryBlobs(), await open_memory()
    ingested = await ingest(blobs, Pieces(*pieces), NO_CLAIMS, inline_max=SMALL_INLINE)
    assert (ingested.size, ingested.etag) == (len(content), md5(content))
    lengths = [chunk.length for chunk in ingested.chunks]
    assert all(length == SMALL_CHUNK for length in lengths[:-1])
    assert sum(lengths) == (0 if len(content) <= SMALL_INLINE else len(content))
    assert len(blobs.contents) == len(lengths)
    offset = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, len(content) - offset))
    assert await read(metadata, blobs, ingested, offset, length) == content[offset : offset + length]
    await metadata.close()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", [0, 5, SMALL_INLINE + 1, SMALL_SEGMENT, SMALL_CHUNK, SMALL_CHUNK + 1, 4 * SMALL_CHUNK, 777])
@pytest.mark.parametrize("step", [1, 7, SMALL_SEGMENT, 1000])
async def test_a_body_that_breaks_leaves_nothing(blobs: MemoryBlobs, place: int, step: int) -> None:
    """Wherever it breaks, the sender's error is what is raised, and no chunk stays."""

    class GoneError(Exception):
        """What a front raises when its client has left."""

    content = PATTERN[:place]
    pieces = [content[start : start + step] for start in range(0, place, step)]
    with pytest.raises(GoneError):
        await ingest(blobs, Pieces(*pieces, GoneError()), NO_CLAIMS, inline_max=SMALL_INLINE)
    assert blobs.contents == {}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("announced", [0, 5, SMALL_INLINE, 299, 301, 1000])
@pytest.mark.parametrize("size", [0, SMALL_INLINE, 300])
async def test_a_body_of_another_length_than_announced_is_refused(blobs: MemoryBlobs, announced: int, size: int) -> None:
    """Shorter or longer; and nothing of it stays."""
    body = Pieces(PATTERN[:size], length=announced)
    if announced == size:
        assert (await ingest(blobs, body, NO_CLAIMS, inline_max=SMALL_INLINE)).size == size
        return
    with pytest.raises(IncompleteBody):
        await ingest(blobs, body, NO_CLAIMS, inline_max=SMALL_INLINE)
    assert blobs.contents == {}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [0, SMALL_INLINE, SMALL_CHUNK, 555])
async def test_a_body_of_another_digest_than_claimed_is_refused(blobs: MemoryBlobs, size: int) -> None:
    """By header, by trailer and by Content-MD5; and nothing of it stays."""
    wrong = base64.b64encode(b"\xaa" * 4).decode()
    in_header = Claims.of(None, Checksums(crc32=wrong), None)
    in_trailer = Claims.of(None, NO_CHECKSUMS, ChecksumAlgorithm.CRC32)
    by_md5 = Claims.of(base64.b64encode(b"\xaa" * 16).decode(), NO_CHECKSUMS, None)
    for claims, trailer in ((in_header, NO_CHECKSUMS), (in_trailer, Checksums(crc32=wrong)), (by_md5, NO_CHECKSUMS)):
        with pytest.raises(BadDigest):
            await ingest(blobs, Pieces(PATTERN[:size], trailer=trailer), claims, inline_max=SMALL_INLINE)
        assert blobs.contents == {}


@pytest.mark.usefixtures("small")
async def test_a_body_beyond_the_limit_is_refused(blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its announcement, or where it passes the limit; up to it, it is taken."""
    monkeypatch.setattr(bodies, "PUT_MAX_BYTES", 250)
    for body in (Pieces(RuntimeError("asked for"), length=251), cut(PATTERN[:251], 30), Pieces(PATTERN[:251])):
        with pytest.raises(EntityTooLarge):
            await ingest(blobs, body, NO_CLAIMS, inline_max=SMALL_INLINE)
        assert blobs.contents == {}
    assert (await ingest(blobs, cut(PATTERN[:250], 30), NO_CLAIMS, inline_max=SMALL_INLINE)).size == 250


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("room", [0, 50, 100, 250])
async def test_a_store_that_fills_up_keeps_nothing_of_the_body(blobs: MemoryBlobs, room: int) -> None:
    """NoRoom, whichever chunk it was; the room is free again."""
    blobs.room_bytes = room
    for body in (cut(PATTERN[:900], 33), Pieces(PATTERN[:900])):
        with pytest.raises(NoRoom):
            await ingest(blobs, body, NO_CLAIMS, inline_max=SMALL_INLINE)
        assert blobs.contents == {}


async def test_a_body_that_cannot_fit_is_refused_before_its_first_byte(blobs: MemoryBlobs) -> None:
    """By its announced length; a store that takes no writes refuses everything."""
    blobs.room_bytes = 1000
    with pytest.raises(NoRoom):
        await ingest(blobs, Pieces(RuntimeError("asked for"), length=1001), NO_CLAIMS)
    blobs.read_only = True
    with pytest.raises(ReadOnly):
        await ingest(blobs, Pieces(RuntimeError("asked for"), length=1), NO_CLAIMS)


@pytest.mark.usefixtures("small")
async def test_a_medium_that_fails_at_a_chunks_end_keeps_nothing_of_the_body(blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its other chunks, durable or on their way, are removed."""
    commit, calls = MemoryWriter.commit, []

    async def failing(writer: MemoryWriter) -> Any:
        calls.append(writer)
        await asyncio.sleep(0)
        if len(calls) == 3:
            raise ReadOnly("the sync failed")
        return await commit(writer)

    monkeypatch.setattr(MemoryWriter, "commit", failing)
    with pytest.raises(ReadOnly):
        await ingest(blobs, cut(PATTERN[:900], 33), NO_CLAIMS, inline_max=SMALL_INLINE)
    assert blobs.contents == {}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", [0, 5, 45, 150, 450])
async def test_a_body_that_is_given_up_leaves_nothing(blobs: MemoryBlobs, place: int) -> None:
    """Cancelled wherever it stands, also while chunks are being made durable."""
    waiting = asyncio.Event()

    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    pieces = [PATTERN[start : start + 9] for start in range(0, place, 9)]
    task = asyncio.create_task(ingest(blobs, Pieces(*pieces, wait), NO_CLAIMS, inline_max=SMALL_INLINE))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert blobs.contents == {}


@pytest.mark.usefixtures("small")
async def test_chunks_in_flight_are_bounded(blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast sender waits for a slow medium: no more chunks at once than CHUNKS_IN_FLIGHT and the one that fills."""
    commit, running, most = MemoryWriter.commit, set(), 0

    async def slow(writer: MemoryWriter) -> Any:
        nonlocal most
        running.add(writer)
        most = max(most, len(running))
        for _ in range(50):
            await asyncio.sleep(0)
        running.discard(writer)
        return await commit(writer)

    monkeypatch.setattr(MemoryWriter, "commit", slow)
    ingested = await ingest(blobs, cut(PATTERN[: 20 * SMALL_CHUNK], 50), NO_CLAIMS, inline_max=SMALL_INLINE)
    assert len(ingested.chunks) == 20
    assert 1 < most <= bodies.CHUNKS_IN_FLIGHT + 1


# -- on their way out


async def test_damage_is_told_before_the_first_byte(rig: Rig) -> None:
    """Where it lies in the first run: the answer can still be an error."""
    await rig.put("k", PATTERN[: 3 * BLOCK_BYTES])
    (content,) = rig.blobs.contents.values()
    content[0] ^= 1
    with pytest.raises(Exception, match="checksum") as raised:
        await rig.call("GetObject", key="k")
    assert type(raised.value).__name__ == "CorruptedData"


async def test_damage_in_the_middle_breaks_the_body(rig: Rig) -> None:
    """What came before it is right, what is wrong never comes, and the error is one of the service's."""
    content = PATTERN[: 40 * BLOCK_BYTES]
    await rig.put("k", content)
    (stored,) = rig.blobs.contents.values()
    stored[-1] ^= 1
    result, received = await rig.call("GetObject", key="k"), b""

    async def receive() -> None:
        nonlocal received
        async for run in result.body:
            received += run

    with pytest.raises(Exception, match="checksum") as raised:
        await receive()
    assert type(raised.value).__name__ == "CorruptedData"
    assert content.startswith(received)
    assert BLOCK_BYTES <= len(received) < len(content)


async def test_a_located_body_whose_chunk_is_gone_is_missing(blobs: MemoryBlobs) -> None:
    """So that the reader can look again."""
    metadata = await open_memory()
    ingested = await ingest(blobs, BytesStream(b"x" * 100), NO_CLAIMS, inline_max=SMALL_INLINE)
    blobs.contents.clear()
    with pytest.raises(Missing):
        await read(metadata, blobs, ingested, 0, 100)
    wrong = attrs.evolve(ingested, inline=b"abc", chunks=())
    body = await metadata.commit(wrong.enter)
    await metadata._database.commit(  # type: ignore[attr-defined]
        lambda connection: connection.run("UPDATE bodies SET inline = $1 WHERE id = $2", (b"abd", body))
    )
    with pytest.raises(Corrupted):
        await metadata.read(lambda tx: locate(tx, body, 0, 3))
    await metadata.close()
