"""What an upload can be made of."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightningstor_api.retries import rewindable
from lightningstor_api.sources import RUN_BYTES, Meter, body_of, opened
from lightningstor_types.streams import BytesStream, ByteStream

CONTENT = os.urandom(2 * RUN_BYTES + 17)
RUNS = (CONTENT[:5], b"", CONTENT[5 : RUN_BYTES + 1], CONTENT[RUN_BYTES + 1 :])


async def _asynchronous() -> AsyncIterator[bytes]:
    for run in RUNS:
        yield run


def _generator() -> Iterator[bytes]:
    yield from RUNS


class Unseekable(io.BytesIO):
    """A file object like a pipe's."""

    def seekable(self) -> bool:
        """It is not."""
        return False


def _placed() -> io.BytesIO:
    file = io.BytesIO(b"before" + CONTENT)
    file.seek(6)
    return file


def _path(folder: Path) -> Path:
    path = folder / "content"
    path.write_bytes(CONTENT)
    return path


SOURCES: dict[str, tuple[Callable[[Path], Any], int | None, bool]] = {
    # name: how it is made, the length that is known before, whether it can begin again
    "path": (_path, len(CONTENT), True),
    "text": (lambda folder: str(_path(folder)), len(CONTENT), True),
    "bytes": (lambda _: CONTENT, len(CONTENT), True),
    "bytearray": (lambda _: bytearray(CONTENT), len(CONTENT), True),
    "memoryview": (lambda _: memoryview(CONTENT), len(CONTENT), True),
    "file object": (lambda _: _placed(), len(CONTENT), True),
    "pipe": (lambda _: Unseekable(CONTENT), None, False),
    "generator": (lambda _: _generator(), None, False),
    "list": (lambda _: list(RUNS), None, False),
    "asynchronous generator": (lambda _: _asynchronous(), None, False),
    "body": (lambda _: BytesStream(CONTENT), len(CONTENT), True),
}


async def gathered(body: ByteStream) -> bytes:
    """All of a body."""
    return b"".join([run async for run in body])


@pytest.mark.parametrize("name", SOURCES)
async def test_every_source_is_sent_whole(tmp_path: Path, name: str) -> None:
    """All of its bytes and no others, under the length that is known; those that say so a second time."""
    make, length, again = SOURCES[name]
    async with opened(make(tmp_path)) as content:
        body = content.whole()
        assert (content.length, body.length, rewindable(body)) == (length, length, again)
        assert await gathered(body) == CONTENT
        if again:
            assert await gathered(body) == CONTENT


@pytest.mark.parametrize("name", SOURCES)
async def test_every_source_is_sent_in_parts(tmp_path: Path, name: str) -> None:
    """Parts have the size asked for, the last excepted; each can be sent again, and is the source's bytes in their order."""
    size = RUN_BYTES - 3
    async with opened(SOURCES[name][0](tmp_path)) as content:
        parts = [part async for part in content.parts(size)]
        lengths = [part.length for part in parts]
        assert lengths == [size, size, len(CONTENT) - 2 * size]
        assert all(rewindable(part) for part in parts)
        for _ in range(2):
            assert b"".join([await gathered(part) for part in parts]) == CONTENT


async def test_an_empty_file_is_an_empty_body(tmp_path: Path) -> None:
    """It has no part and no run."""
    path = tmp_path / "empty"
    path.touch()
    async with opened(path) as content:
        assert (content.length, await gathered(content.whole())) == (0, b"")
        assert [part async for part in content.parts(5)] == []


async def test_a_pipe_of_the_file_system_is_a_stream() -> None:
    """What has a name but no size is read once."""
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"through the pipe")
        os.close(write_end)
        async with opened(f"/proc/self/fd/{read_end}") as content:
            assert content.length is None
            assert await gathered(content.whole()) == b"through the pipe"
    finally:
        os.close(read_end)


async def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    """Numbers, text files, iterators of other things; a path that is not there is the system's error."""
    for nothing in (3, None, 1.5):
        with pytest.raises(TypeError):
            body_of(nothing)  # type: ignore[arg-type]
    for wrong in (["text"], [3], io.StringIO("text")):
        with pytest.raises(TypeError):
            await gathered(body_of(wrong))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        async with opened(tmp_path / "none"):
            pass


async def test_progress_counts_what_went() -> None:
    """Monotonic up to the total over all parts; a part that is sent again takes back what it had counted."""
    told: list[tuple[int, int | None]] = []
    meter = Meter(lambda count, total: told.append((count, total)), 30)
    one, two = meter.watch(BytesStream(b"x" * 10)), meter.watch(BytesStream(b"y" * 20))
    assert (one.length, rewindable(one)) == (10, True)
    await gathered(one)
    await gathered(two)
    assert told == [(10, 30), (30, 30)]
    await gathered(one)
    assert told[2:] == [(20, 30), (30, 30)]


async def test_a_run_counts_when_the_next_is_asked_for() -> None:
    """A run that was not taken has not gone."""
    told: list[int] = []
    body = Meter(lambda count, _: told.append(count)).watch(body_of([b"ab", b"cd"]))
    runs = aiter(body)
    assert (await anext(runs), told) == (b"ab", [])
    assert (await anext(runs), told) == (b"cd", [2])
    assert [run async for run in runs] == []
    assert told == [2, 4]


def test_nobody_who_asks_is_not_told() -> None:
    """Without a callback a body is itself."""
    body = BytesStream(b"x")
    assert Meter(None).watch(body) is body
