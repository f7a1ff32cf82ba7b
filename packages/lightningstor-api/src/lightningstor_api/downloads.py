"""Downloads of objects and ranges of them: into files, as bytes, as a stream.

Law: what is handed on is of one version of the object: a read that breaks goes on where it was, if the
entity tag is still the same. A file appears under its name when it is complete.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import IO, Final, cast

import attrs

from lightningstor_api.calls import Calls
from lightningstor_api.sources import Meter, Progress
from lightningstor_types.errors import BadDigest, IncompleteBody, StorError
from lightningstor_types.names import BucketName, ObjectKey, VersionId
from lightningstor_types.objects import ByteRange, Object
from lightningstor_types.operations.common import NO_READ_CONDITIONS, ReadConditions
from lightningstor_types.operations.objects import GetObject, GetObjectResult

DRAFT_NAME_MAX_CHARACTERS: Final = 32
"""Of the name that a draft begins with; in UTF-8 the whole still fits the 255 bytes of a file's name."""


def request_of(bucket: str, key: str, version_id: str | None, range_: ByteRange | None, conditions: ReadConditions | None) -> GetObject:
    """The read of an object by its names. Raises StorError where one is not valid."""
    return GetObject(
        bucket=BucketName.parse(bucket),
        key=ObjectKey.parse(key),
        version_id=None if version_id is None else VersionId.parse(version_id),
        range=range_,
        conditions=conditions or NO_READ_CONDITIONS,
    )


class _Reading:
    """A read that goes on after the stream broke."""

    def __init__(self, calls: Calls, request: GetObject, meter: Meter, deadline_seconds: float | None) -> None:
        self._calls = calls
        self._request = request
        self._meter = meter
        self._deadline_seconds = deadline_seconds

    async def begin(self) -> Object:
        """Ask for the object; the bytes come with `runs`."""
        self._found = await self._ask(self._request)
        self._meter.total = self._found.content_length
        return self._found.object

    async def runs(self) -> AsyncGenerator[bytes, None]:
        """The bytes; each run once, whatever breaks."""
        length, done, failures = self._found.content_length, 0, 0
        first = 0 if self._request.range is None else self._request.range.resolve(self._found.object.size)[0]
        body = cast("AsyncGenerator[bytes, None]", aiter(self._found.body))
        while True:
            try:
                async for run in body:
                    done += len(run)
                    failures = 0
                    self._meter.add(len(run))
                    yield run
            except StorError as error:
                failures += 1
                if done < length and (not _resumable(error) or failures >= self._calls.retries.attempts_max):
                    raise
            finally:
                await body.aclose()
            if done >= length:
                return
            await asyncio.sleep(self._calls.retries.pause(failures))
            body = cast("AsyncGenerator[bytes, None]", aiter((await self._ask(self._rest(first + done, length - done))).body))

    def _rest(self, offset: int, length: int) -> GetObject:
        same = ReadConditions(if_match=f'"{self._found.object.etag}"')
        return attrs.evolve(self._request, range=ByteRange(offset=offset, limit=length), conditions=same)

    async def _ask(self, request: GetObject) -> GetObjectResult:
        found: GetObjectResult = await self._calls.call(request, deadline_seconds=self._deadline_seconds)
        return found


def _resumable(error: StorError) -> bool:
    """Whether the way failed and not the object."""
    return error.retryable or isinstance(error, BadDigest | IncompleteBody)


async def stream(
    calls: Calls,
    /,
    bucket: str,
    key: str,
    *,
    version_id: str | None = None,
    byte_range: ByteRange | None = None,
    conditions: ReadConditions | None = None,
    progress: Progress | None = None,
    deadline_seconds: float | None = None,
) -> AsyncIterator[bytes]:
    """The bytes of an object, or of a range of it, run by run. The call is made with the first.

    A stream that breaks is taken up where it was, as often as the client repeats calls without a run
    between; `progress` is told of every run.

    Raises:
        StorError: what the server refused; PreconditionFailed where the object changed after a break.
    """
    reading = _Reading(calls, request_of(bucket, key, version_id, byte_range, conditions), Meter(progress), deadline_seconds)
    await reading.begin()
    async with aclosing(reading.runs()) as runs:
        async for run in runs:
            yield run


async def read(
    calls: Calls,
    /,
    bucket: str,
    key: str,
    *,
    version_id: str | None = None,
    byte_range: ByteRange | None = None,
    conditions: ReadConditions | None = None,
    deadline_seconds: float | None = None,
) -> bytes:
    """The bytes of an object, or of a range of it, as a whole. Raises as `stream`."""
    reading = _Reading(calls, request_of(bucket, key, version_id, byte_range, conditions), Meter(None), deadline_seconds)
    await reading.begin()
    return b"".join([run async for run in reading.runs()])


async def download(
    calls: Calls,
    /,
    bucket: str,
    key: str,
    target: str | os.PathLike[str] | IO[bytes],
    *,
    version_id: str | None = None,
    byte_range: ByteRange | None = None,
    conditions: ReadConditions | None = None,
    progress: Progress | None = None,
    deadline_seconds: float | None = None,
) -> Object:
    """Read an object, or a range of it, into a file; returns what is known of it.

    A path names the file when it is complete, and what was there before until then. A file object gets
    the bytes as they come, and keeps what it got when the read fails. Broken streams are taken up as
    `stream` does it.

    Raises:
        StorError: what the server refused; PreconditionFailed where the object changed after a break.
        OSError: the file cannot be written.
    """
    reading = _Reading(calls, request_of(bucket, key, version_id, byte_range, conditions), Meter(progress), deadline_seconds)
    found = await reading.begin()
    if not isinstance(target, str | os.PathLike):
        await _write(reading, target)
        return found
    path = Path(target)
    draft = path.with_name(f".{path.name[:DRAFT_NAME_MAX_CHARACTERS]}.{secrets.token_hex(8)}.part")
    try:
        with await asyncio.to_thread(open, draft, "xb", 0) as file:
            await _write(reading, file)
        await asyncio.to_thread(draft.replace, path)
    except BaseException:
        draft.unlink(missing_ok=True)  # not awaited: this may be the end of a task
        raise
    return found


async def _write(reading: _Reading, file: IO[bytes]) -> None:
    async for run in reading.runs():
        rest = memoryview(run)
        while rest:
            written = await asyncio.to_thread(file.write, rest)
            # a file without a buffer may take less; what only looks like a file may not say
            rest = rest[len(rest) if written is None else written :]
