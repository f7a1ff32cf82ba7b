"""`salvage`: the bytes of the chunks, where the metadata are lost.

Law: it promises bytes and not names: which object a chunk was part of, the metadata alone knew.
Nothing is written out as good that does not match its checksum, and nothing in the store is changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from attrs import asdict, frozen

from lightningstor_server.failures import StartError
from lightningstor_server.stores.blobs.base import BLOCK_BYTES
from lightningstor_server.stores.blobs.examining import ChunkFile, blocks, chunk_files, read_footer
from lightningstor_server.stores.blobs.format import HEADER_BYTES, Footer, decode_header
from lightningstor_server.stores.errors import Corrupted

MANIFEST_FILE: Final = "manifest.jsonl"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600

WHOLE: Final = "whole"
PARTIAL: Final = "partial"
"""Some blocks do not match: they are zeros in what is written, and `bad_blocks` names them."""
MISPLACED: Final = "misplaced"
"""The bytes match, and the header says that they are another chunk's, or nothing."""
LOST: Final = "lost"
"""Nothing can be verified: nothing is written."""

Progress = Callable[[int], None]
"""Told of the bytes of each file that is done."""


@frozen(kw_only=True)
class Salvaged:
    """A line of the manifest."""

    id: str
    directory: str
    state: str
    length: int = 0
    sha256: str = ""
    """Of the file that was written."""
    modified: float = 0.0
    """When the chunk was written, in seconds since 1970-01-01 UTC."""
    bad_blocks: tuple[int, ...] = ()
    """The numbers of the blocks of 64 KiB that do not match their checksum."""
    reason: str = ""


def volume(root: Path) -> int:
    """The bytes of all chunk files below a root."""
    total = 0
    for found in chunk_files(root):
        if isinstance(found, ChunkFile):
            total += _size(found.path)
    return total


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def salvage(root: Path, out: Path, progress: Progress = lambda _bytes: None) -> Iterator[Salvaged]:
    """Write what can be verified of every chunk below `root` to `out`, under its id; yields each, as the manifest has it.

    Raises:
        StartError: there are no chunks, or `out` cannot be used or holds something.
        OSError: it could not be written.
    """
    if not root.is_dir():
        raise StartError(f"there is no folder of chunks: {root}")
    if out.resolve().is_relative_to(root.parent.resolve()):
        raise StartError(f"{out} lies in the data folder")
    try:
        out.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise StartError(f"{out} is not empty")
        manifest = os.open(out / MANIFEST_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise StartError(f"cannot write to {out}: {error.strerror}") from error
    with os.fdopen(manifest, "w") as lines:
        for found in chunk_files(root):
            if isinstance(found, ChunkFile):
                salvaged = _salvage(found, out)
                lines.write(json.dumps(asdict(salvaged)) + "\n")
                progress(_size(found.path))
                yield salvaged
        lines.flush()
        os.fsync(lines.fileno())


def _salvage(found: ChunkFile, out: Path) -> Salvaged:
    name = found.id.hex()
    try:
        with found.path.open("rb") as file:
            modified = os.fstat(file.fileno()).st_mtime
            identity = _identity(file)
            footer = read_footer(file)
            target = out / name
            if target.exists():  # two folders have the same name: both may be good
                target = out / f"{name}.{found.directory}"
            digest, bad = _write(file, footer, target)
    except Corrupted as error:
        return Salvaged(id=name, directory=found.directory, state=LOST, reason=str(error))
    except OSError as error:
        return Salvaged(id=name, directory=found.directory, state=LOST, reason=f"{error.strerror}")
    state = PARTIAL if bad else WHOLE if identity == found.id else MISPLACED
    reason = "" if identity == found.id else f"the header says {'nothing' if identity is None else identity.hex()}"
    return Salvaged(
        id=name,
        directory=found.directory,
        state=state,
        length=footer.length,
        sha256=digest,
        modified=modified,
        bad_blocks=bad,
        reason=reason,
    )


def _identity(file: BinaryIO) -> bytes | None:
    with suppress(Corrupted):
        return decode_header(file.read(HEADER_BYTES))
    return None


def _write(file: BinaryIO, footer: Footer, target: Path) -> tuple[str, tuple[int, ...]]:
    """Write the blocks that match, and zeros for those that do not; the SHA-256 of it, and the numbers of the latter."""
    digest, bad = hashlib.sha256(), []
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as out:
        for number, (block, good) in enumerate(blocks(file, *footer)):
            if not good:
                bad.append(number)
            content = block if good else bytes(min(BLOCK_BYTES, footer.length - number * BLOCK_BYTES))
            digest.update(content)
            out.write(content)
    return digest.hexdigest(), tuple(bad)
