"""Chunks in files: the order of the calls, what a failing one does, descriptors, folders.

Law: a test here makes the operating system's calls wait or fail at the point in question; none of
them waits for time to pass.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from lightningstor_server.stores.blobs import directories, filesystem, reading, writing
from lightningstor_server.stores.blobs.base import BLOCK_BYTES, CHUNK_BYTES, Chunk, Piece
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.blobs.format import HEADER_BYTES, decode_footer, decode_header
from lightningstor_server.stores.blobs.medium import Threads
from lightningstor_server.stores.errors import Broken, Corrupted, Missing, NoRoom, ReadOnly, Unavailable

WAIT_SECONDS = 30.0
"""The deadline of what must come; nothing waits this long unless it is broken."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store of a test is, two levels that are not there yet."""
    return tmp_path / "data" / "chunks"


@pytest.fixture
async def store(root: Path, tmp_path: Path) -> AsyncIterator[FilesystemBlobs]:
    """A store, and at the end no descriptor of it that is still open."""
    it = FilesystemBlobs(root, worker="w", reserve_bytes=0)
    yield it
    await it.close()
    assert opened(tmp_path) == []


def opened(folder: Path, *, files_only: bool = False) -> list[str]:
    """The files and folders below it that this process has open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if path.startswith(str(folder)) and not (files_only and stat.S_ISDIR(os.stat(f"/proc/self/fd/{descriptor}").st_mode)):
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


class Recorder:
    """Notes the calls that make a chunk durable, in their order, with what they were made on."""

    def __init__(self, patches: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        self._turn = threading.Lock()
        for name in ("fdatasync", "fsync"):
            patches.setattr(os, name, self._on_descriptor(name, getattr(os, name)))
        link = os.link

        def recorded(source: str, name: str, **places: Any) -> None:
            link(source, name, **places)
            self._note("link", name)

        patches.setattr(os, "link", recorded)

    def _note(self, call: str, on: str) -> None:
        with self._turn:
            self.calls.append((call, on))

    def _on_descriptor(self, name: str, call: Callable[[int], None]) -> Callable[[int], None]:
        def recorded(descriptor: int) -> None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            self._note(name, path)
            call(descriptor)
            self._note(f"{name} done", path)

        return recorded


async def test_each_step_is_durable_before_the_next(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder and its name, then the bytes, then the chunk's name: in this order, and all before `commit` returns."""
    recorder = Recorder(monkeypatch)
    chunk = await put(store)
    folder = str(root / chunk.directory)
    nameless = recorder.calls[4][1]
    assert recorder.calls == [
        ("fsync", folder),
        ("fsync done", folder),
        ("fsync", str(root)),
        ("fsync done", str(root)),
        ("fdatasync", nameless),
        ("fdatasync done", nameless),
        ("link", chunk.id.hex()),
        ("fsync", folder),
        ("fsync done", folder),
    ]
    assert "(deleted)" in nameless
    assert nameless.startswith(folder)


def test_the_root_is_durable_from_the_start(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root and every folder above it are fsynced before anything is written, also where they were there before."""
    for _ in range(2):
        recorder = Recorder(monkeypatch)
        store = FilesystemBlobs(root, worker="w")
        synced = {path for call, path in recorder.calls if call == "fsync"}
        assert {str(path) for path in (root, root.parent, root.parent.parent)} <= synced
        asyncio.run(store.close())
        monkeypatch.undo()


async def test_commits_share_the_folders_fsync(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names are linked while an fsync runs, one more makes all of them durable; none is answered by the one that ran."""
    await put(store)
    writers = [store.create() for _ in range(20)]
    for writer in writers:
        await writer.append(b"abc")
    recorder = Recorder(monkeypatch)
    loop, linked, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    fsync, link = os.fsync, os.link

    def held(descriptor: int) -> None:
        assert go_on.wait(WAIT_SECONDS)
        fsync(descriptor)

    def counted(source: str, name: str, **places: Any) -> None:
        link(source, name, **places)
        if sum(call == "link" for call, _ in recorder.calls) == len(writers):
            loop.call_soon_threadsafe(linked.set)

    monkeypatch.setattr(os, "fsync", held)
    monkeypatch.setattr(os, "link", counted)
    answered: dict[str, int] = {}

    async def commit(writer: writing.FileWriter) -> None:
        chunk = await writer.commit()
        answered[chunk.id.hex()] = len(recorder.calls)

    commits = asyncio.gather(*(commit(writer) for writer in writers))
    await asyncio.wait_for(linked.wait(), WAIT_SECONDS)
    assert answered == {}
    go_on.set()
    await commits
    assert sum(call == "fsync" for call, _ in recorder.calls) <= 2
    for name, until in answered.items():
        after = recorder.calls[recorder.calls.index(("link", name)) : until]
        assert [call for call, _ in after if call.startswith("fsync")][-2:] == ["fsync", "fsync done"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
async def test_a_failed_fdatasync_is_never_tried_again(
    root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whatever its error, it is called once, nothing gets a name, and the store takes no more writes."""
    writer = store.create()
    await writer.append(b"abc")
    calls = refuse(monkeypatch, "fdatasync", number)
    for _ in range(2):
        with pytest.raises(ReadOnly):
            await writer.commit()
    assert len(calls) == 1
    await writer.discard()
    assert files(root) == []
    assert opened(root, files_only=True) == []
    monkeypatch.undo()
    with pytest.raises(ReadOnly):
        store.create()


async def test_a_failed_fsync_of_the_folder_fails_everybody(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit that waited for it fails, and its name goes again."""
    kept = await put(store)
    refuse(monkeypatch, "fsync", errno.EIO)
    results = await asyncio.gather(*(put(store) for _ in range(8)), return_exceptions=True)
    assert [type(result) for result in results] == [ReadOnly] * 8
    assert [path.name for path in files(root)] == [kept.id.hex()]
    assert await get(store, [kept]) == b"abc"


async def test_a_folder_that_cannot_be_made_durable_is_not_used(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new folder whose fsync fails takes no chunk."""
    refuse(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(ReadOnly):
        await put(store)
    assert files(root) == []


@pytest.mark.parametrize("call", ["open", "mkdir", "writev", "link"])
@pytest.mark.parametrize(
    ("number", "kind", "goes_on"),
    [
        (errno.ENOSPC, NoRoom, True),
        (errno.EDQUOT, NoRoom, True),
        (errno.EMFILE, Unavailable, True),
        (errno.EIO, ReadOnly, False),
        (errno.EROFS, ReadOnly, False),
    ],
)
async def test_what_an_error_means(  # noqa: PLR0913
    root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch, call: str, number: int, kind: type[Exception], goes_on: bool
) -> None:
    """A full medium is that; one that broke takes no more writes; either way the file goes at once."""
    refuse(monkeypatch, call, number)
    writer = store.create()
    await writer.append(b"abc")
    with pytest.raises(kind):
        await writer.commit()
    monkeypatch.undo()
    assert files(root) == []
    assert opened(root, files_only=True) == []
    if goes_on:
        assert await get(store, [await put(store)]) == b"abc"
    else:
        with pytest.raises(ReadOnly):
            store.create()


async def test_an_error_of_a_segment_comes_at_the_latest_with_the_commit(
    root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment is written while the next one gathers; its error is not lost, and the file is closed."""
    writer = store.create()
    calls = refuse(monkeypatch, "writev", errno.ENOSPC)
    with pytest.raises(NoRoom):
        for _ in range(CHUNK_BYTES // BLOCK_BYTES):
            await writer.append(bytes(BLOCK_BYTES))
    with pytest.raises(NoRoom):
        await writer.commit()
    assert len(calls) == 1
    await writer.discard()
    assert opened(root, files_only=True) == []


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


async def test_a_name_that_is_taken_is_an_alarm(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunk that has the name stays as it is, and the process must not go on."""
    monkeypatch.setattr(writing, "token_bytes", bytes)
    first = await put(store, b"first")
    with pytest.raises(Broken):
        await put(store, b"second")
    assert await get(store, [first]) == b"first"


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
    os.replace(root / first.directory / first.id.hex(), root / second.directory / second.id.hex())
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
    got = []
    with pytest.raises(Missing):
        async for run in stream:
            got.append(run)
    assert b"".join(got) == bytes(range(len(got)))
    assert opened(root, files_only=True) == []


async def test_every_chunk_of_a_long_read_comes(root: Path, store: FilesystemBlobs) -> None:
    """Chunks beyond those that were opened at first come too, in order, and the last one closes everything."""
    chunks = [await put(store, bytes([number])) for number in range(3 * reading.OPEN_AHEAD)]
    assert await get(store, chunks) == bytes(range(len(chunks)))
    assert opened(root, files_only=True) == []


async def test_opening_ahead_needs_no_descriptor(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process short of descriptors reads on with one; without any the caller may try again."""
    chunks = [await put(store, bytes([number])) for number in range(5)]
    open_file, root = os.open, store._root

    def scarce(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd == root and opened(Path("/"), files_only=True) and any(chunk.id.hex() in name for name in opened(Path("/")) for chunk in chunks):
            raise OSError(errno.EMFILE, "Too many open files")
        return open_file(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", scarce)
    assert await get(store, chunks) == bytes(range(5))
    refuse(monkeypatch, "open", errno.EMFILE)
    with pytest.raises(Unavailable):
        await store.read(pieces(chunks))


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
        await settled(store)
        del stream
        gc.collect()
    assert opened(root, files_only=True) == []


async def settled(store: FilesystemBlobs) -> None:
    """Wait until the threads that read have nothing left to do: each of them takes one turn at a barrier."""
    barrier = threading.Barrier(filesystem.READ_THREADS)
    turns = [store._reads.run(barrier.wait, WAIT_SECONDS) for _ in range(filesystem.READ_THREADS)]
    await asyncio.gather(*turns)


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
    assert {path.name for path in root.iterdir()} == {folders[0], folders[6]}
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


class Gate:
    """Holds an fdatasync until the test lets it go on."""

    def __init__(self, patches: pytest.MonkeyPatch) -> None:
        self.reached = asyncio.Event()
        self._go_on = threading.Event()
        loop, fdatasync = asyncio.get_running_loop(), os.fdatasync

        def held(descriptor: int) -> None:
            loop.call_soon_threadsafe(self.reached.set)
            assert self._go_on.wait(WAIT_SECONDS)
            fdatasync(descriptor)

        patches.setattr(os, "fdatasync", held)

    async def hold(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        """Begin something and wait until it is held."""
        begun = asyncio.ensure_future(work)
        await asyncio.wait_for(self.reached.wait(), WAIT_SECONDS)
        return begun

    def open(self) -> None:
        """Let it go on."""
        self._go_on.set()


async def test_a_commit_that_is_cancelled_leaves_nothing(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that is cancelled in the middle of a commit finds nothing of the chunk after `discard`."""
    gate, writer = Gate(monkeypatch), store.create()
    await writer.append(b"abc")
    commit = await gate.hold(writer.commit())
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    gate.open()
    await writer.discard()
    assert files(root) == []
    assert opened(root, files_only=True) == []


async def test_a_store_that_closes_acknowledges_nothing_it_took_away(root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that runs while the store closes either stays or fails, and never returns a chunk that went."""
    gate, writer = Gate(monkeypatch), store.create()
    await writer.append(b"abc")
    commit = await gate.hold(writer.commit())
    closing = asyncio.ensure_future(store.close())
    gate.open()
    await closing
    with pytest.raises(Unavailable):
        await commit
    assert files(root) == []


async def test_a_store_that_closes_ends_what_is_open(root: Path, store: FilesystemBlobs) -> None:
    """Writers leave nothing, streams fail instead of ending early, and later calls are refused."""
    chunk = await put(store, os.urandom(CHUNK_BYTES))
    writer, stream = store.create(), await store.read(pieces([chunk]))
    await writer.append(os.urandom(CHUNK_BYTES))
    await store.close()
    with pytest.raises(Unavailable):
        async for _ in stream:
            pass
    await stream.aclose()
    with pytest.raises(Unavailable):
        await writer.append(b"x")
    with pytest.raises(Unavailable):
        await store.read(pieces([chunk]))
    with pytest.raises(Unavailable):
        await put(store)
    assert [path.name for path in files(root)] == [chunk.id.hex()]
