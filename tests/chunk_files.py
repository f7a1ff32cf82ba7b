"""Looking at a store of chunk files from outside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from lightningstor_server.stores.blobs.base import Chunk, Piece
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs

WAIT_SECONDS = 30.0
"""The deadline of what must come; nothing waits this long unless it is broken."""


def opened(folder: Path, *, files_only: bool = False) -> list[str]:
    """The files and folders below it that this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            path = str(descriptor.readlink())
            if path.startswith(str(folder)) and not (files_only and descriptor.is_dir()):
                found.append(path)
        except FileNotFoundError:  # the one that listed them
            continue
    return found


def files(root: Path) -> list[Path]:
    """Every file below the root."""
    return [path for path in root.rglob("*") if path.is_file()]


async def put(store: FilesystemBlobs, content: bytes = b"abc") -> Chunk:
    """A committed chunk, or nothing of it."""
    writer = store.create()
    try:
        await writer.append(content)
        return await writer.commit()
    finally:
        await writer.discard()


async def get(store: FilesystemBlobs, chunks: Sequence[Chunk]) -> bytes:
    """The bytes of whole chunks."""
    return b"".join([run async for run in await store.read(pieces(chunks))])


def pieces(chunks: Sequence[Chunk]) -> list[Piece]:
    """Whole chunks as pieces."""
    return [Piece(chunk=chunk, offset=0, length=chunk.length) for chunk in chunks]


def refuse(patches: pytest.MonkeyPatch, call: str, number: int) -> list[tuple[object, ...]]:
    """Let a call of the operating system fail; gives the arguments of those that did."""
    calls: list[tuple[object, ...]] = []

    def refused(*arguments: object, **_: object) -> None:
        calls.append(arguments)
        raise OSError(number, os.strerror(number))

    patches.setattr(os, call, refused)
    return calls
