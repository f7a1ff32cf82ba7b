"""What an upload can be made of, as bodies: files, file objects, bytes, iterators of both kinds.

Law: files are read in threads, a run at a time, and never as a whole. A body that can begin again says
`rewindable`; one that cannot is sent once. Bytes are counted where they leave, and a body that begins
again takes back what it had counted.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import IO, Final, Protocol, cast

from lightningstor_api.chunks import CHUNK_BYTES, closing, pieces
from lightningstor_api.retries import rewindable
from lightningstor_types.digests import NO_CHECKSUMS, Checksums
from lightningstor_types.streams import BytesStream, ByteStream

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes] | Iterable[bytes] | AsyncIterable[bytes]
"""A text is a path. A file object is read from where it stands; `ByteStream` is an AsyncIterable."""
Progress = Callable[[int, int | None], object]
"""Told the bytes that went so far, and how many there will be, None where nobody knows."""

RUN_BYTES: Final = CHUNK_BYTES
"""What is read from a file at once: a message's worth, which then needs no copy."""


class Meter:
    """Counts the bytes of one transfer, whose parts may go side by side."""

    def __init__(self, progress: Progress | None, total: int | None = None) -> None:
        self.total = total
        self._progress = progress
        self._count = 0

    def add(self, count: int) -> None:
        """So many went; a negative count takes them back."""
        self._count += count
        if self._progress is not None and count:
            self._progress(self._count, self.total)

    def watch(self, body: ByteStream) -> ByteStream:
        """The body, counted. Itself where nobody wants to know."""
        return body if self._progress is None else _Watched(body, self)


class _Watched:
    """A body whose bytes are counted when the next is asked for: the one before has left."""

    def __init__(self, body: ByteStream, meter: Meter) -> None:
        self.length = body.length
        self.rewindable = rewindable(body)
        self._body = body
        self._meter = meter
        self._count = 0

    @property
    def trailer(self) -> Checksums:
        """The body's."""
        return self._body.trailer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._meter.add(-self._count)
        self._count = 0
        async with closing(self._body) as items:
            async for item in items:
                yield item
                self._count += len(item)
                self._meter.add(len(item))


class FileRange:
    """Bytes of an open file, by their place: several can be read side by side, each any number of times."""

    trailer = NO_CHECKSUMS
    rewindable = True

    def __init__(self, descriptor: int, offset: int, length: int) -> None:
        self.length = length
        self._descriptor = descriptor
        self._offset = offset

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The runs. A file that has become shorter ends early, and the server refuses what is too short."""
        done = 0
        while done < self.length:
            run = await asyncio.to_thread(os.pread, self._descriptor, min(RUN_BYTES, self.length - done), self._offset + done)
            if not run:
                return
            done += len(run)
            yield run


class FileObject:
    """What a file object has from where it stands. One that can seek can begin again."""

    trailer = NO_CHECKSUMS

    def __init__(self, file: IO[bytes]) -> None:
        self.length: int | None = None
        self.rewindable = file.seekable()
        self._file = file
        self._start = 0
        if self.rewindable:
            self._start = file.tell()
            self.length = max(0, file.seek(0, io.SEEK_END) - self._start)
            file.seek(self._start)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The runs.

        Raises:
            TypeError: it is a text file.
        """
        if self.rewindable:
            await asyncio.to_thread(self._file.seek, self._start)
        while run := await asyncio.to_thread(self._file.read, RUN_BYTES):
            yield _checked(run)


class Flow:
    """Bytes that an iterator brings, once. One that is no asynchronous one is driven in threads."""

    trailer = NO_CHECKSUMS
    rewindable = False
    length = None

    def __init__(self, items: Iterable[bytes] | AsyncIterable[bytes]) -> None:
        self._items = items

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each item.

        Raises:
            TypeError: one is not bytes.
        """
        if isinstance(self._items, AsyncIterable):
            async with closing(self._items) as items:
                async for item in items:
                    yield _checked(item)
            return
        iterator = iter(self._items)

        def advance() -> bytes | None:
            return next(iterator, None)

        while (following := await asyncio.to_thread(advance)) is not None:
            yield _checked(following)


def _checked(item: bytes) -> bytes:
    if not isinstance(item, bytes | bytearray | memoryview):
        raise TypeError(f"a source gives bytes and not {type(item).__name__}")
    return bytes(item)


class Opened(Protocol):
    """A source that can be sent as one body, or as parts. One of the two, once."""

    length: int | None

    def whole(self) -> ByteStream:
        """All of it."""

    def parts(self, part_bytes: int) -> AsyncGenerator[ByteStream, None]:
        """Bodies of `part_bytes`, the last excepted; each can be sent again."""


class _File:
    def __init__(self, descriptor: int) -> None:
        self.length: int | None = os.fstat(descriptor).st_size
        self._descriptor = descriptor

    def whole(self) -> ByteStream:
        """See `Opened`."""
        return FileRange(self._descriptor, 0, self.length or 0)

    async def parts(self, part_bytes: int) -> AsyncGenerator[ByteStream, None]:
        """See `Opened`."""
        length = self.length or 0
        for start in range(0, length, part_bytes):
            yield FileRange(self._descriptor, start, min(part_bytes, length - start))


class _Stream:
    def __init__(self, body: ByteStream) -> None:
        self.length = body.length
        self._body = body

    def whole(self) -> ByteStream:
        """See `Opened`."""
        return self._body

    async def parts(self, part_bytes: int) -> AsyncGenerator[ByteStream, None]:
        """See `Opened`. Each is gathered in memory."""
        async with closing(pieces(self._body, part_bytes)) as items:
            async for item in items:
                yield BytesStream(item)


@asynccontextmanager
async def opened(source: Source | ByteStream) -> AsyncIterator[Opened]:
    """Open a source; what was opened here is closed at the end.

    Raises:
        OSError: the file cannot be opened.
        TypeError: it is no source.
    """
    if isinstance(source, str | os.PathLike):
        with await asyncio.to_thread(open, source, "rb", 0) as file:
            yield _File(file.fileno()) if _is_plain(file.fileno()) else _Stream(FileObject(file))
        return
    yield _Stream(body_of(source))


def _is_plain(descriptor: int) -> bool:
    """Whether it has a size and places; a pipe has neither."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def body_of(source: Source | ByteStream) -> ByteStream:
    """A source, other than a path, as the body of a request.

    Raises:
        TypeError: it is no source.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesStream(bytes(source))
    if isinstance(source, AsyncIterable):
        return cast("ByteStream", source) if hasattr(source, "trailer") and hasattr(source, "length") else Flow(source)
    if hasattr(source, "read") and hasattr(source, "seekable"):
        return FileObject(cast("IO[bytes]", source))
    if isinstance(source, Iterable) and not isinstance(source, str):
        return Flow(source)
    raise TypeError(f"{type(source).__name__} is no source of bytes")
