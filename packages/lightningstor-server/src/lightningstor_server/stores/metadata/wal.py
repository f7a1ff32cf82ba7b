"""SQLite's write-ahead log: where its frames stand and what their heads say.

Law: nothing here does input or output. How many frames are whole and committed is SQLite's to say,
which verified them; a frame is taken only under the salts of the log's header, since behind the
last frame there are bytes of earlier rounds. Source: sqlite.org, "Database File Format", section 4,
"The Write-Ahead Log", and "WAL-mode File Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error
from typing import Final, NamedTuple

from lightningstor_server.stores.errors import Corrupted

Salts = tuple[int, int]
"""The first is one more for each time that the log begins anew, the second is random then."""

HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
PAGE_MIN_BYTES: Final = 512
PAGE_MAX_BYTES: Final = 64 << 10

_MAGICS: Final = {0x377F0682: "<", 0x377F0683: ">"}
"""The magic's last bit tells the byte order of the checksums."""
_VERSION: Final = 3_007_000
_HEADER: Final = Struct(">IIIIIIII")
_FRAME: Final = Struct(">IIIIII")
_WORD_MASK: Final = 0xFFFF_FFFF
_SUMMED_BYTES: Final = 24
"""Of the header, what is before its checksum."""


class Header(NamedTuple):
    """The head of a log."""

    page_bytes: int
    salts: Salts


class Frame(NamedTuple):
    """The head of a frame; the page follows it."""

    page: int
    """The page's number, from 1."""
    database_pages: int
    """Pages of the database after the transaction whose last frame this is; 0 of every other frame."""
    salts: Salts


def decode_header(data: bytes) -> Header:
    """The header, from the first HEADER_BYTES of a log.

    Raises:
        Corrupted: these are not the first bytes of a log that this version of the format describes.
    """
    try:
        magic, version, page_bytes, _, salt1, salt2, *expected = _HEADER.unpack(data)
    except error:
        raise Corrupted("the write-ahead log has no whole header") from None
    if magic not in _MAGICS or version != _VERSION:
        raise Corrupted("the write-ahead log does not begin as one")
    if checksum(data[:_SUMMED_BYTES], _MAGICS[magic]) != tuple(expected):
        raise Corrupted("the header of the write-ahead log does not match its checksum")
    if not PAGE_MIN_BYTES <= page_bytes <= PAGE_MAX_BYTES or page_bytes & (page_bytes - 1):
        raise Corrupted(f"the write-ahead log is of pages of {page_bytes} bytes")
    return Header(page_bytes, (salt1, salt2))


def checksum(data: bytes, byte_order: str) -> tuple[int, int]:
    """The checksum of section 4.2, of whole pairs of 32-bit words; `byte_order` as `struct` has it. Slow: for headers."""
    first = second = 0
    for one, other in Struct(f"{byte_order}II").iter_unpack(data):
        first = (first + one + second) & _WORD_MASK
        second = (second + other + first) & _WORD_MASK
    return first, second


def frame_bytes(page_bytes: int) -> int:
    """The length of a frame."""
    return FRAME_HEADER_BYTES + page_bytes


def frame_offset(number: int, page_bytes: int) -> int:
    """Where a frame begins in the log; they count from 1."""
    return HEADER_BYTES + (number - 1) * frame_bytes(page_bytes)


def frames(run: bytes, page_bytes: int) -> Iterator[Frame]:
    """The heads of the frames of a run of whole frames.

    Raises:
        Corrupted: the run does not end with a frame.
    """
    step = frame_bytes(page_bytes)
    if len(run) % step:
        raise Corrupted("a frame of the write-ahead log is cut short")
    for at in range(0, len(run), step):
        page, database_pages, salt1, salt2, _, _ = _FRAME.unpack_from(run, at)
        yield Frame(page, database_pages, (salt1, salt2))
