"""Reads chunk files as they lie there, each byte verified.

Law: it only reads. What a file says of itself (header, footer, name) and what the metadata say of
it are compared; nothing is believed because one of them says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from attrs import frozen
from awscrt.checksums import crc32c

from lightningstor_server.stores.blobs.base import BLOCK_BYTES, BLOCK_SUM_BYTES, CHUNK_ID_BYTES, Chunk
from lightningstor_server.stores.blobs.directories import is_folder_name, path_of
from lightningstor_server.stores.blobs.format import (
    FOOTER_MAX_BYTES,
    HEADER_BYTES,
    Footer,
    blocks_of,
    decode_footer,
    decode_header,
    encode_footer,
)
from lightningstor_server.stores.errors import Corrupted, Missing

_HEX_DIGITS: Final = frozenset("0123456789abcdef")


@frozen
class ChunkFile:
    """A file at the place of a chunk."""

    id: bytes
    directory: str
    path: Path


def chunk_files(root: Path) -> Iterator[ChunkFile | Path]:
    """Every file below the root: as a chunk's where its place is one, else as its path.

    Raises:
        OSError: a folder cannot be read.
    """
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if not folder.is_dir() or not is_folder_name(folder.name):
            yield folder
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(entry.name) == 2 * CHUNK_ID_BYTES and _HEX_DIGITS.issuperset(entry.name):
                    yield ChunkFile(bytes.fromhex(entry.name), folder.name, Path(entry.path))
                else:
                    yield Path(entry.path)


def fault_of(root: Path, chunk: Chunk, *, quick: bool) -> str | None:
    """What is wrong with the file of a chunk; None where nothing is. `quick` looks at its length and no further."""
    try:
        with (root / path_of(chunk.id, chunk.directory)).open("rb") as file:
            return _fault(file, chunk, quick=quick)
    except (Missing, FileNotFoundError):
        return "is not there"
    except Corrupted as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _fault(file: BinaryIO, chunk: Chunk, *, quick: bool) -> str | None:
    expected = HEADER_BYTES + chunk.length + len(encode_footer(chunk.length, chunk.block_sums))
    if (size := os.fstat(file.fileno()).st_size) != expected:
        return f"has {size} bytes, and must have {expected}"
    if len(chunk.block_sums) != blocks_of(chunk.length) * BLOCK_SUM_BYTES:
        return "has a row with too few or too many checksums"
    if quick:
        return None
    if decode_header(file.read(HEADER_BYTES)) != chunk.id:
        return "is the file of another chunk"
    if read_footer(file) != Footer(chunk.length, chunk.block_sums):
        return "has a footer that says something else than its row"
    for number, (_, good) in enumerate(blocks(file, chunk.length, chunk.block_sums)):
        if not good:
            return f"has a block {number} that does not match its checksum"
    return None


def read_footer(file: BinaryIO) -> Footer:
    """The footer of a chunk file.

    Raises:
        Corrupted: it does not end in one, or not where its length says.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - FOOTER_MAX_BYTES))
    footer = decode_footer(file.read(FOOTER_MAX_BYTES))
    if size != HEADER_BYTES + footer.length + len(encode_footer(*footer)):
        raise Corrupted("the file is longer or shorter than its footer says")
    return footer


def blocks(file: BinaryIO, length: int, block_sums: bytes) -> Iterator[tuple[bytes, bool]]:
    """The blocks of the content, and whether each matches its checksum. Holds one at a time."""
    file.seek(HEADER_BYTES)
    for number in range(blocks_of(length)):
        block = file.read(min(BLOCK_BYTES, length - number * BLOCK_BYTES))
        expected = block_sums[number * BLOCK_SUM_BYTES : (number + 1) * BLOCK_SUM_BYTES]
        yield block, crc32c(block).to_bytes(BLOCK_SUM_BYTES, "big") == expected
