"""Chunks in files: what a file says of itself, descriptors, folders, free space and the start.

Law: what every store promises is tested in `test_blobs`; here is what only files can get wrong.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from chunk_files import WAIT_SECONDS, files, get, opened, pieces, put, refuse
from lightningstor_server.stores.blobs import directories, filesystem, reading
from lightningstor_server.stores.blobs.base import BLOCK_BYTES, Piece
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.blobs.format import HEADER_BYTES, decode_footer, decode_header
from lightningstor_server.stores.blobs.medium import Threads
from lightningstor_server.stores.errors import Broken, Corrupted, Missing, NoRoom, ReadOnly, Unavailable


async def test_short_writes(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes that take less than was given, across the borders of what was given, lose nothing."""
    writev = os.writev
    monkeypatch.setattr(os, "writev", lambda descriptor, parts: writev(descriptor, [b"".join(parts)[:70_001]]))
    content = os.urandom(1_000_000)
    assert await get(store, [await put(store, content)]) == content


async def test_short_reads(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads that give less than was asked for are gone on with."""
    pread = os.pread
    content = os.urandom(1_000_000)
    chunk = await put(store, content)
    monkeypatch.setattr(os, "pread", lambda descriptor, length, offset: pread(descriptor, min(length, 70_001), offset))
    assert await get(store, [chunk]) == content


async def test_the_file_describes_itself(root: Path, store: FilesystemBlobs) -> None:
    """Header and footer on the medium say what the metadata say, and the file is its owner's only."""
    content = os.urandom(BLOCK_BYTES + 5)
    chunk = await put(store, content)
    path = root / chunk.directory / chunk.id.hex()
    stored = path.read_bytes()
    assert decode_header(stored[:HEADER_BYTES]) == chunk.id
    assert stored[HEADER_BYTES:].startswith(content)
    assert decode_footer(stored) == (chunk.length, chunk.block_sums)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_misdirected_file_is_damage(root: Path, store: FilesystemBlobs) -> None:
    """A file under another chunk's name is not read, even where its bytes are the same."""
    first, second = await put(store), await put(store)
    (root / first.directory / first.id.hex()).replace(root / second.directory / second.id.hex())
    with pytest.raises(Corrupted, match="header"):
        await get(store, [second])


async def test_a_medium_that_cannot_read(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO is damage; no descriptor is left of it."""
    chunk = await put(store)
    refuse(monkeypatch, "pread", errno.EIO)
    with pytest.raises(Corrupted):
        await get(store, [chunk])


async def test_files_are_opened_ahead_and_not_all(root: Path, store: FilesystemBlobs) -> None:
    """The first OPEN_AHEAD chunks outlive their deletion; no more than that are open; one that went before its turn is missing."""
    chunks = [await put(store, bytes([number])) for number in range(reading.OPEN_AHEAD + 4)]
    stream = await store.read(pieces(chunks))
    assert len(opened(root, files_only=True)) == reading.OPEN_AHEAD - 1
    await store.delete([(chunk.id, chunk.directory) for chunk in chunks])
    got = b""
    with pytest.raises(Missing):  # noqa: PT012 - what came before counts
        async for run in stream:
            got += run
    assert got == bytes(range(len(got)))
    assert len(got) > 0
    assert opened(root, files_only=True) == []


async def test_every_chunk_of_a_long_read_comes(root: Path, store: FilesystemBlobs) -> None:
    """Chunks beyond those that were opened at first come too, in order, and the last one closes everything."""
    chunks = [await put(store, bytes([number])) for number in range(3 * reading.OPEN_AHEAD)]
    assert await get(store, chunks) == bytes(range(len(chunks)))
    assert opened(root, files_only=True) == []


async def test_opening_ahead_needs_no_descriptor(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process short of descriptors reads on with one; without any the caller may try again."""
    chunks = [await put(store, bytes([number])) for number in range(5)]
    open_file = os.open

    def scarce(path: str, flags: int, **place: Any) -> int:
        if opened(root, files_only=True):
            raise OSError(errno.EMFILE, "Too many open files")
        return open_file(path, flags, **place)

    monkeypatch.setattr(os, "open", scarce)
    assert await get(store, chunks) == bytes(range(5))
    refuse(monkeypatch, "open", errno.EMFILE)
    with pytest.raises(Unavailable):
        await store.read(pieces(chunks))


async def settled(threads: Threads, count: int) -> None:
    """Wait until the threads have nothing left to do: each takes one turn at a barrier."""
    barrier = threading.Barrier(count)
    await asyncio.gather(*(threads.run(barrier.wait, WAIT_SECONDS) for _ in range(count)))


@pytest.mark.parametrize("end", ["close", "forget"])
async def test_a_stream_that_is_left_holds_nothing(root: Path, store: FilesystemBlobs, end: str) -> None:
    """Closing a stream, twice, or losing it lets go of every file."""
    chunks = [await put(store, os.urandom(1_000_000)) for _ in range(3)]
    stream = await store.read(pieces(chunks))
    assert len(await anext(stream)) > 0
    if end == "close":
        await stream.aclose()
        await stream.aclose()
        assert [run async for run in stream] == []
    else:
        await settled(store._reads, filesystem.READ_THREADS)
        del stream
        gc.collect()
    assert opened(root, files_only=True) == []


async def test_a_small_range_is_one_call(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening, reading, verifying and closing for a range of up to 128 KiB is one call to a thread."""
    chunk = await put(store, os.urandom(1_000_000))
    calls: list[object] = []
    start = Threads.start

    def counted(self: Threads, call: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        calls.append(call)
        return start(self, call, *arguments)

    monkeypatch.setattr(Threads, "start", counted)
    stream = await store.read([Piece(chunk=chunk, offset=77, length=128 << 10)])
    assert [len(run) async for run in stream] == [128 << 10]
    await stream.aclose()
    assert len(calls) == 1


async def test_a_folder_is_left_when_it_has_its_share(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders fill one after the other; an empty one goes once it was left, and the current one stays."""
    monkeypatch.setattr(directories, "DIRECTORY_MAX_FILES", 3)
    chunks = [await put(store, bytes([number])) for number in range(7)]
    folders = [chunk.directory for chunk in chunks]
    assert folders == [folders[0]] * 3 + [folders[3]] * 3 + [folders[6]]
    assert len(set(folders)) == 3
    other = FilesystemBlobs(root, worker="other")
    await other.delete([(chunk.id, chunk.directory) for chunk in chunks[1:]])
    assert set(os.listdir(root)) == {folders[0], folders[6]}  # noqa: PTH208 - ASYNC240 has it the other way round
    assert (await put(store)).directory == folders[6]
    assert await get(store, chunks[:1]) == bytes([0])
    await other.close()


async def test_two_workers_write_apart(root: Path, store: FilesystemBlobs) -> None:
    """Each worker has its own folder, and reads what the other wrote."""
    other = FilesystemBlobs(root, worker="other")
    first, second = await put(store, b"first"), await put(other, b"second")
    assert first.directory != second.directory
    assert await get(store, [first, second]) == await get(other, [first, second]) == b"firstsecond"
    assert {found.id async for found in other.stored()} == {first.id, second.id}
    await other.close()


async def test_what_is_no_chunk_is_passed_over(root: Path, store: FilesystemBlobs) -> None:
    """Files of others, and names that are none of ours, are not listed."""
    chunk = await put(store)
    (root / "lost+found").mkdir()
    (root / "README").touch()
    (root / chunk.directory / "notes.txt").touch()
    assert [found.id async for found in store.stored()] == [chunk.id]
    with pytest.raises(Missing):
        await get(store, [evolve(chunk, directory="../chunks/" + chunk.directory)])


async def test_room(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes and inodes are kept above the reserve, and asked for once in ROOM_SECONDS."""
    asked, now = [], 0.0
    figures = SimpleNamespace(f_bavail=100, f_frsize=4096, f_files=10**6, f_favail=10**6, f_flag=0)

    def answer(descriptor: int) -> SimpleNamespace:
        asked.append(descriptor)
        return figures

    monkeypatch.setattr(os, "fstatvfs", answer)
    store._reserve_bytes, store._clock = 4096, lambda: now
    await store.check_room(99 * 4096)
    with pytest.raises(NoRoom):
        await store.check_room(99 * 4096 + 1)
    assert len(asked) == 1
    for change, kind in (({"f_favail": 5}, NoRoom), ({"f_flag": os.ST_RDONLY}, ReadOnly)):
        now += filesystem.ROOM_SECONDS
        figures = SimpleNamespace(**{**vars(figures), **change})
        with pytest.raises(kind):
            await store.check_room(1)


async def test_a_medium_that_is_read_only_from_the_start(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be read, and says that it takes no writes."""
    chunk = await put(store)
    open_file = os.open

    def opened_for_reading(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_WRONLY:
            raise OSError(errno.EROFS, "Read-only file system")
        return open_file(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened_for_reading)
    other = FilesystemBlobs(root, worker="other")
    assert await get(other, [chunk]) == b"abc"
    with pytest.raises(ReadOnly):
        other.create()
    await other.close()


@pytest.mark.parametrize(("number", "kind"), [(errno.EOPNOTSUPP, Broken), (errno.ENOENT, Broken), (errno.EACCES, PermissionError)])
def test_a_medium_that_will_not_do(root: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]) -> None:
    """A file system without nameless files, or a system without /proc, is told at the start."""
    refuse(monkeypatch, "link", number)
    with pytest.raises(kind):
        FilesystemBlobs(root, worker="w")
    assert opened(root) == []
    assert files(root) == []


def test_a_full_medium_can_be_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full medium does not keep the store from starting: deletes are what it needs."""
    refuse(monkeypatch, "link", errno.ENOSPC)
    store = FilesystemBlobs(root, worker="w")
    asyncio.run(store.delete([(bytes(16), "w-1")]))
    asyncio.run(store.close())


@pytest.mark.parametrize("worker", ["", "a/b", "..", "-", "x" * 33])
def test_a_worker_can_name_a_folder(root: Path, worker: str) -> None:
    """A worker's name that cannot be part of a folder's is refused."""
    with pytest.raises(ValueError, match="folder's name"):
        FilesystemBlobs(root, worker=worker)
