"""Chunks in files: what is there after a call that failed, was cancelled or was overtaken by `close`.

Law: a test here makes the operating system's calls wait or fail at the point in question; none of
them waits for time to pass.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chunk_files import WAIT_SECONDS, files, get, opened, pieces, put, refuse
from lightningstor_server.stores.blobs import filesystem, writing
from lightningstor_server.stores.blobs.base import BLOCK_BYTES, CHUNK_BYTES
from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.blobs.medium import Threads
from lightningstor_server.stores.errors import Broken, NoRoom, ReadOnly, Unavailable


class Recorder:
    """Notes the calls that make a chunk durable, in their order, with what they were made on."""

    def __init__(self, patches: pytest.MonkeyPatch, then: Callable[[str], None] = lambda _: None) -> None:
        self.calls: list[tuple[str, str]] = []
        self._then = then
        for name in ("fdatasync", "fsync"):
            patches.setattr(os, name, self._recording(name, getattr(os, name)))
        link = os.link

        def recorded(source: str, name: str, **places: Any) -> None:
            link(source, name, **places)
            self._note("link", name)

        patches.setattr(os, "link", recorded)

    def count(self, call: str) -> int:
        """How often it was called."""
        return [name for name, _ in self.calls].count(call)

    def _note(self, call: str, on: str) -> None:
        self.calls.append((call, on))
        self._then(call)

    def _recording(self, name: str, call: Callable[[int], None]) -> Callable[[int], None]:
        def recorded(descriptor: int) -> None:
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
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
    """One more fsync makes every name durable that was linked while one ran, and none is answered by the one that ran."""
    await put(store)
    writers = [store.create() for _ in range(20)]
    for writer in writers:
        await writer.append(b"abc")
    loop, linked, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold_until_all_are_linked(call: str) -> None:
        if call == "fsync":
            assert go_on.wait(WAIT_SECONDS)
        if recorder.count("link") == len(writers):
            loop.call_soon_threadsafe(linked.set)

    recorder = Recorder(monkeypatch, hold_until_all_are_linked)
    answered: dict[str, int] = {}

    async def commit(writer: writing.FileWriter) -> None:
        chunk = await writer.commit()
        answered[chunk.id.hex()] = len(recorder.calls)

    commits = asyncio.gather(*(commit(writer) for writer in writers))
    await asyncio.wait_for(linked.wait(), WAIT_SECONDS)
    assert answered == {}
    go_on.set()
    await commits
    assert recorder.count("fsync") == 2
    for name, until in answered.items():
        since = recorder.calls[recorder.calls.index(("link", name)) : until]
        begun = [call for call, _ in since].index("fsync")
        assert "fsync done" in [call for call, _ in since[begun:]]


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


async def test_a_folder_that_cannot_be_made_durable_is_not_used(
    root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new folder whose fsync fails takes no chunk."""
    refuse(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(ReadOnly):
        await put(store)
    assert files(root) == []


@pytest.mark.parametrize("call", ["open", "mkdir", "writev", "link"])
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoRoom),
        (errno.EDQUOT, NoRoom),
        (errno.EMFILE, Unavailable),
        (errno.EIO, ReadOnly),
        (errno.EROFS, ReadOnly),
    ],
)
async def test_what_an_error_means(
    root: Path,
    store: FilesystemBlobs,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    kind: type[Exception],
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
    if kind is ReadOnly:
        with pytest.raises(ReadOnly):
            store.create()
    else:
        assert await get(store, [await put(store)]) == b"abc"


async def test_an_error_of_a_segment_comes_at_the_latest_with_the_commit(
    root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment is written while the next one gathers; its error is not lost, and the file is closed."""
    writer = store.create()
    calls = refuse(monkeypatch, "writev", errno.ENOSPC)
    with pytest.raises(NoRoom):  # noqa: PT012 - which of them raises is not promised
        for _ in range(CHUNK_BYTES // BLOCK_BYTES):
            await writer.append(bytes(BLOCK_BYTES))
    assert opened(root, files_only=True) == []
    with pytest.raises(NoRoom):
        await writer.commit()
    assert len(calls) == 1
    await writer.discard()
    assert opened(root, files_only=True) == []


async def test_a_name_that_is_taken_is_an_alarm(store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunk that has the name stays as it is, and the process must not go on."""
    monkeypatch.setattr(writing, "token_bytes", bytes)
    first = await put(store, b"first")
    with pytest.raises(Broken):
        await put(store, b"second")
    assert await get(store, [first]) == b"first"


async def settled(threads: Threads, count: int) -> None:
    """Wait until the threads have nothing left to do: each takes one turn at a barrier."""
    barrier = threading.Barrier(count)
    await asyncio.gather(*(threads.run(barrier.wait, WAIT_SECONDS) for _ in range(count)))


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


@pytest.mark.parametrize("caller", ["discards", "is gone"])
async def test_a_commit_that_is_cancelled_leaves_nothing(
    root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch, caller: str
) -> None:
    """Nothing remains of a chunk whose caller was cancelled in the middle of the commit, whether it discards or is gone."""
    gate, writer = Gate(monkeypatch), store.create()
    await writer.append(b"abc")
    commit = await gate.hold(writer.commit())
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    gate.open()
    if caller == "discards":
        await writer.discard()
    else:
        await settled(store._writes, filesystem.WRITE_THREADS)
    assert files(root) == []
    assert opened(root, files_only=True) == []


async def test_a_store_that_closes_acknowledges_nothing_it_took_away(
    root: Path, store: FilesystemBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
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
