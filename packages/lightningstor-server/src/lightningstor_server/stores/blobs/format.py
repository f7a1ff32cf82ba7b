"""The chunk file: a header that says whose bytes these are, the bytes, a footer with their checksums.

Law: nothing here does input or output, and nothing here touches single bytes. The layout, all
integers big-endian:

    header  8 magic, 2 format, 2 zero, 16 id, 4 CRC32C of the 28 bytes before
    content 1 to CHUNK_BYTES bytes
    footer  4 x blocks CRC32C of each block, 8 length of the content, 4 block size, 8 magic,
            4 CRC32C of the footer up to here

The header is written first, when the length is not yet known; so the length stands in the footer,
whose end is the file's end. Reads need neither: the metadata hold length and sums, and the header
is looked at to catch a misdirected write. The footer is for `salvage` and scrubs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct, pack
from typing import Final, NamedTuple

from awscrt.checksums import crc32c

from lightningstor_server.stores.blobs.base import BLOCK_BYTES, BLOCK_SUM_BYTES, CHUNK_BYTES, CHUNK_FORMAT, CHUNK_ID_BYTES
from lightningstor_server.stores.errors import Corrupted

READ_BYTES: Final = 256 << 10
"""The most that is read, verified and handed out at once; whole blocks."""

_HEADER_MAGIC: Final = b"LSTRCHNK"
_FOOTER_MAGIC: Final = b"LSTRDONE"
_HEADER: Final = Struct(f">8sHH{CHUNK_ID_BYTES}s")
_TAIL: Final = Struct(">QI8s")
_SUM: Final = Struct(">I")

HEADER_BYTES: Final = _HEADER.size + _SUM.size
"""Where the content begins."""
FOOTER_MAX_BYTES: Final = CHUNK_BYTES // BLOCK_BYTES * BLOCK_SUM_BYTES + _TAIL.size + _SUM.size
"""The longest footer: whoever reads this much from a file's end has all of it."""


class Footer(NamedTuple):
    """What a chunk file says of its content."""

    length: int
    """Bytes of content."""
    block_sums: bytes
    """As in `Chunk.block_sums`."""


class Run(NamedTuple):
    """One read: whole blocks around the bytes that are wanted."""

    start: int
    """Where the blocks begin in the content; a block border."""
    length: int
    """Bytes of the blocks; the chunk's last block may be short."""
    skip: int
    """Bytes at the front that nobody asked for."""
    take: int
    """Bytes that are wanted."""


def blocks_of(length: int) -> int:
    """The number of blocks, the short one included, of `length` bytes."""
    return -(-length // BLOCK_BYTES)


def encode_header(chunk_id: bytes) -> bytes:
    """The first HEADER_BYTES of the chunk's file."""
    fields = _HEADER.pack(_HEADER_MAGIC, CHUNK_FORMAT, 0, chunk_id)
    return fields + _SUM.pack(crc32c(fields))


def decode_header(header: bytes) -> bytes:
    """The id of the chunk.

    Raises:
        Corrupted: these are not the first HEADER_BYTES of a chunk, or of a format that is not known.
    """
    if len(header) != HEADER_BYTES:
        raise Corrupted("the header is cut short")
    if _SUM.unpack_from(header, _HEADER.size)[0] != crc32c(header[: _HEADER.size]):
        raise Corrupted("the header does not match its checksum")
    magic, format_number, zero, chunk_id = _HEADER.unpack_from(header)
    if (magic, format_number, zero) != (_HEADER_MAGIC, CHUNK_FORMAT, 0):
        raise Corrupted(f"the header is none of format {CHUNK_FORMAT}")
    return bytes(chunk_id)


def encode_footer(length: int, block_sums: bytes) -> bytes:
    """What follows the content."""
    fields = block_sums + _TAIL.pack(length, BLOCK_BYTES, _FOOTER_MAGIC)
    return fields + _SUM.pack(crc32c(fields))


def decode_footer(ending: bytes) -> Footer:
    """The footer, from the last FOOTER_MAX_BYTES of a file, or all of a file that is shorter.

    Raises:
        Corrupted: the file does not end in a footer that is whole.
    """
    at = len(ending) - _SUM.size - _TAIL.size
    if at < 0:
        raise Corrupted("the footer is cut short")
    length, block_bytes, magic = _TAIL.unpack_from(ending, at)
    if (magic, block_bytes) != (_FOOTER_MAGIC, BLOCK_BYTES) or not 0 < length <= CHUNK_BYTES:
        raise Corrupted("the file does not end in a footer")
    first = at - blocks_of(length) * BLOCK_SUM_BYTES
    if first < 0:
        raise Corrupted("the footer is cut short")
    if _SUM.unpack_from(ending, at + _TAIL.size)[0] != crc32c(ending[first : at + _TAIL.size]):
        raise Corrupted("the footer does not match its checksum")
    return Footer(length, ending[first:at])


class BlockSummer:
    """Takes the content in runs of any length and keeps the checksum of each block."""

    __slots__ = ("_filled", "_running", "_sums", "length")

    def __init__(self) -> None:
        self.length = 0
        """Bytes taken so far."""
        self._sums = bytearray()
        self._running = 0
        self._filled = 0

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes. They are not copied."""
        view, end, at = memoryview(data), len(data), 0
        self.length += end
        while at < end:
            stop = min(end, at + BLOCK_BYTES - self._filled)
            self._running = crc32c(view[at:stop], self._running)
            self._filled += stop - at
            at = stop
            if self._filled == BLOCK_BYTES:
                self._sums += _SUM.pack(self._running)
                self._running = self._filled = 0

    def block_sums(self) -> bytes:
        """The sums so far, with that of the block that is not yet full."""
        return bytes(self._sums) + (_SUM.pack(self._running) if self._filled else b"")


def runs(offset: int, length: int, chunk_length: int) -> Iterator[Run]:
    """The reads that give `length` bytes from `offset` on: widened to block borders, READ_BYTES at most."""
    end = offset + length
    while offset < end:
        start = offset - offset % BLOCK_BYTES
        stop = min(start + READ_BYTES, -(-end // BLOCK_BYTES) * BLOCK_BYTES, chunk_length)
        wanted = min(stop, end)
        yield Run(start, stop - start, offset - start, wanted - offset)
        offset = wanted


def verified(blocks: bytes, run: Run, block_sums: bytes) -> bytes:
    """The wanted bytes of a run, once each of its blocks matched its checksum.

    Raises:
        Corrupted: a block does not match, or bytes are missing; names the first such block.
    """
    first = run.start // BLOCK_BYTES
    if len(blocks) != run.length:
        raise Corrupted(f"block {first + len(blocks) // BLOCK_BYTES} is cut short")
    view = memoryview(blocks)
    sums = [crc32c(view[at : at + BLOCK_BYTES]) for at in range(0, run.length, BLOCK_BYTES)]
    expected = block_sums[first * BLOCK_SUM_BYTES : (first + len(sums)) * BLOCK_SUM_BYTES]
    if pack(f">{len(sums)}I", *sums) != expected:
        raise Corrupted(f"block {first + _differing(sums, expected)} does not match its checksum")
    if run.take == run.length:
        return blocks
    return bytes(view[run.skip : run.skip + run.take])


def _differing(sums: Sequence[int], expected: bytes) -> int:
    """The first block whose sum is not the expected one, or is not expected at all."""
    for number, value in enumerate(sums):
        if _SUM.pack(value) != expected[number * BLOCK_SUM_BYTES : (number + 1) * BLOCK_SUM_BYTES]:
            return number
    return len(sums)
