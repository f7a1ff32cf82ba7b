"""Uploads and downloads, against a server that a test makes fail."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from lightningstor_api import downloads, uploads
from lightningstor_api.retries import Retries
from lightningstor_types import errors
from lightningstor_types.digests import NO_CHECKSUMS, ETag
from lightningstor_types.names import PART_MIN_BYTES
from lightningstor_types.objects import ByteRange, Object, ObjectMetadata
from lightningstor_types.operations.common import Empty, ReadConditions, WriteConditions
from lightningstor_types.operations.objects import GetObject, GetObjectResult, PutObject, PutObjectResult
from lightningstor_types.operations.uploads import (
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CompleteMultipartUploadResult,
    CreateMultipartUpload,
    CreateMultipartUploadResult,
    UploadPart,
    UploadPartResult,
)

NAMES = ("bucket", "k")
MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)
CONTENT = os.urandom(2 * PART_MIN_BYTES + 99)
STEP = 1 << 20


@define
class Store:
    """Stands for `Calls`: keeps one object, and raises what a test has put before a request."""

    content: bytes = b""
    etag: str = "e1"
    before: Callable[[Any], None] = lambda _: None
    breaks: list[tuple[int, errors.StorError]] = field(factory=list)
    """Each read in its turn breaks after so many bytes."""
    asked: list[Any] = field(factory=list)
    parts: dict[int, bytes] = field(factory=dict)
    retries: Retries = field(factory=lambda: Retries(backoff_seconds=0))

    async def call(self, request: Any, **_: Any) -> Any:
        """Answer a request."""
        self.asked.append(request)
        self.before(request)
        match request:
            case PutObject():
                self.content = b"".join([run async for run in request.body])
                return PutObjectResult(etag=ETag("whole"), size=len(self.content))
            case CreateMultipartUpload():
                return CreateMultipartUploadResult(bucket="bucket", key="k", upload_id="u")
            case UploadPart():
                data = self.parts[request.part_number] = b"".join([run async for run in request.body])
                return UploadPartResult(etag=ETag(f"part-{request.part_number}"), size=len(data))
            case CompleteMultipartUpload():
                self.content = b"".join(self.parts[part.number] for part in request.parts)
                return CompleteMultipartUploadResult(location="", bucket="bucket", key="k", etag=ETag("of parts"))
            case AbortMultipartUpload():
                return Empty()
            case GetObject():
                return self.read(request)
        raise AssertionError(request)

    def read(self, request: GetObject) -> GetObjectResult:
        """The answer to a read."""
        if request.conditions.if_match not in {None, f'"{self.etag}"'}:
            raise errors.PreconditionFailed
        first, length = (0, len(self.content)) if request.range is None else request.range.resolve(len(self.content))
        described = Object(key="k", size=len(self.content), etag=ETag(self.etag), last_modified=MODIFIED)
        end, error = self.breaks.pop(0) if self.breaks else (length, None)
        body = Breaking(self.content[first : first + length], end, error)
        return GetObjectResult(object=described, content_length=length, body=body)

    def kinds(self) -> list[str]:
        """The names of what was asked."""
        return [type(request).__name__ for request in self.asked]


class Breaking:
    """A body that gives some bytes and then an error."""

    trailer = NO_CHECKSUMS

    def __init__(self, content: bytes, end: int, error: errors.StorError | None) -> None:
        self.length = len(content)
        self._content, self._end, self._error = content, end, error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, min(self._end, len(self._content)), STEP):
            yield self._content[start : min(start + STEP, self._end)]
        if self._error is not None:
            raise self._error


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def store() -> Any:
    """A store; typed as what it stands for."""
    return Store()


async def test_a_small_source_is_one_write(store: Any) -> None:
    """With its metadata and conditions, whether its length is known or not; nothing is written in parts."""
    said, once = ObjectMetadata(user={"a": "b"}), WriteConditions(if_none_match="*")
    sources: tuple[Any, ...] = (b"small", [b"sma", b"ll"], iter([b"small"]))
    for source in sources:
        done = await uploads.upload(store, *NAMES, source, metadata=said, conditions=once)
        assert (done.etag, done.size, store.content) == ("whole", 5, b"small")
    assert store.kinds() == ["PutObject"] * 3
    assert {(request.metadata, request.conditions) == (said, once) for request in store.asked} == {True}


async def test_nothing_is_an_empty_object(store: Any) -> None:
    """An iterator without items too."""
    sources: tuple[Any, ...] = (b"", [], io.BytesIO())
    for source in sources:
        assert (await uploads.upload(store, *NAMES, source)).size == 0
    assert store.kinds() == ["PutObject"] * 3


async def test_a_long_iterator_goes_in_parts(store: Any) -> None:
    """The object is the source's bytes; its metadata go with the start, its conditions with the end, and progress adds up."""
    told: list[tuple[int, int | None]] = []
    said, once = ObjectMetadata(user={"a": "b"}), WriteConditions(if_none_match="*")
    done = await uploads.upload(
        store,
        *NAMES,
        (CONTENT[start : start + 700_001] for start in range(0, len(CONTENT), 700_001)),
        part_bytes=PART_MIN_BYTES,
        metadata=said,
        conditions=once,
        progress=lambda count, total: told.append((count, total)),
    )
    assert (done.etag, done.size, store.content == CONTENT) == ("of parts", len(CONTENT), True)
    assert store.kinds() == ["CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload"]
    assert (store.asked[0].metadata, store.asked[-1].conditions, store.asked[-1].object_size) == (said, once, len(CONTENT))
    assert told[-1] == (len(CONTENT), None)
    assert [count for count, _ in told] == sorted(count for count, _ in told)


async def test_a_long_file_goes_in_parts(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read where they are, in order; the total is known from the first run on."""
    monkeypatch.setattr(uploads, "WHOLE_MAX_BYTES", PART_MIN_BYTES)
    path = tmp_path / "long"
    path.write_bytes(CONTENT)
    totals: set[int | None] = set()
    await uploads.upload(store, *NAMES, path, part_bytes=PART_MIN_BYTES, progress=lambda _, total: totals.add(total))
    assert store.content == CONTENT
    assert store.kinds().count("UploadPart") == 3
    assert totals == {len(CONTENT)}


async def test_parts_grow_with_a_file_that_needs_too_many(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of known length never runs out of part numbers; an iterator does, and is told what helps."""
    monkeypatch.setattr(uploads, "WHOLE_MAX_BYTES", PART_MIN_BYTES)
    monkeypatch.setattr(uploads, "PART_NUMBER_MAX", 2)
    path = tmp_path / "long"
    path.write_bytes(CONTENT)
    await uploads.upload(store, *NAMES, path, part_bytes=PART_MIN_BYTES)
    assert (store.kinds().count("UploadPart"), store.content == CONTENT) == (2, True)
    with pytest.raises(errors.EntityTooLarge, match="part_bytes"):
        await uploads.upload(store, *NAMES, [CONTENT], part_bytes=PART_MIN_BYTES)
    assert store.kinds()[-1] == "AbortMultipartUpload"


@pytest.mark.parametrize("kind", [CreateMultipartUpload, UploadPart, CompleteMultipartUpload])
async def test_an_upload_that_fails_is_given_up(store: Any, kind: type) -> None:
    """The very error is raised, not a group of it, and what was begun is aborted, even if that fails too."""

    def fail(request: Any) -> None:
        if isinstance(request, kind):
            raise errors.QuotaExceeded("No more.")
        if isinstance(request, AbortMultipartUpload):
            raise errors.ServiceUnavailable

    store.before = fail
    with pytest.raises(errors.QuotaExceeded, match="No more"):
        await uploads.upload(store, *NAMES, [CONTENT], part_bytes=PART_MIN_BYTES)
    assert store.kinds()[-1] == ("CreateMultipartUpload" if kind is CreateMultipartUpload else "AbortMultipartUpload")


async def test_a_source_that_fails_gives_the_upload_up(store: Any) -> None:
    """Its own exception is raised, and nothing is completed."""

    def failing() -> Any:
        yield CONTENT
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        await uploads.upload(store, *NAMES, failing(), part_bytes=PART_MIN_BYTES)
    assert store.kinds()[-1] == "AbortMultipartUpload"
    assert store.content == b""


async def test_wrong_sizes_and_names_are_refused_before_a_call(store: Any) -> None:
    """With the class that the server would raise."""
    with pytest.raises(ValueError, match="a part has"):
        await uploads.upload(store, *NAMES, b"", part_bytes=PART_MIN_BYTES - 1)
    with pytest.raises(errors.InvalidBucketName):
        await uploads.upload(store, "No", "k", b"")
    with pytest.raises(errors.KeyTooLongError):
        await downloads.read(store, "bucket", "k" * 1025)
    assert store.asked == []


@pytest.mark.parametrize(
    "byte_range",
    [None, ByteRange(offset=5), ByteRange(offset=5, limit=3 * STEP), ByteRange(offset=-3 * STEP), ByteRange(offset=0, limit=1)],
)
async def test_a_broken_read_goes_on_where_it_was(store: Any, byte_range: ByteRange | None) -> None:
    """Each byte comes once, also of a range, of the same object, however often the stream breaks on its way."""
    store.content = CONTENT
    first, length = (byte_range or ByteRange()).resolve(len(CONTENT))
    store.breaks = [
        (7, errors.ServiceUnavailable()),
        (0, errors.InternalError()),
        (STEP + 1, errors.IncompleteBody()),
        (1, errors.BadDigest()),
    ]
    told: list[tuple[int, int | None]] = []
    runs = downloads.stream(store, *NAMES, byte_range=byte_range, progress=lambda *counts: told.append(counts))
    assert b"".join([run async for run in runs]) == CONTENT[first : first + length]
    assert told[-1] == (length, length)
    assert {request.conditions.if_match for request in store.asked[1:]} <= {'"e1"'}


async def test_an_object_that_changed_is_not_mixed(store: Any) -> None:
    """What is read after a break is of the same entity tag, or the read fails."""
    store.content = CONTENT
    store.breaks = [(STEP, errors.ServiceUnavailable())]

    def replace(request: Any) -> None:
        if request.range is not None:
            store.etag = "e2"

    store.before = replace
    with pytest.raises(errors.PreconditionFailed):
        await downloads.read(store, *NAMES)


async def test_a_read_does_not_try_for_ever(store: Any) -> None:
    """As often as calls are repeated without a byte between; what is wrong with the object itself is raised at once."""
    store.content = CONTENT
    store.breaks = [(0, errors.ServiceUnavailable())] * 9
    with pytest.raises(errors.ServiceUnavailable):
        await downloads.read(store, *NAMES)
    assert len(store.asked) == store.retries.attempts_max
    store.breaks = [(STEP, errors.CorruptedData())]
    with pytest.raises(errors.CorruptedData):
        await downloads.read(store, *NAMES)
    assert len(store.asked) == store.retries.attempts_max + 1


async def test_a_download_is_there_when_it_is_complete(store: Any, tmp_path: Path) -> None:
    """Before, and after one that failed, the file is what it was; no draft stays."""
    store.content = CONTENT
    target = tmp_path / "ü.bin"
    target.write_bytes(b"old")
    store.breaks = [(STEP, errors.CorruptedData())]
    with pytest.raises(errors.CorruptedData):
        await downloads.download(store, *NAMES, target)
    assert (target.read_bytes(), names(tmp_path)) == (b"old", ["ü.bin"])
    seen: set[bytes] = set()
    found = await downloads.download(store, *NAMES, str(target), progress=lambda *_: seen.add(target.read_bytes()))
    assert (found.etag, target.read_bytes() == CONTENT, names(tmp_path)) == ("e1", True, ["ü.bin"])
    assert seen == {b"old"}


async def test_a_download_goes_into_a_file_object(store: Any) -> None:
    """From where it stands, also where each write takes but a part."""

    class Slow(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:100_000]))

    store.content = CONTENT
    target = Slow()
    await downloads.download(store, *NAMES, target, byte_range=ByteRange(offset=1))
    assert target.getvalue() == CONTENT[1:]


async def test_a_condition_of_the_read_is_asked(store: Any) -> None:
    """What the caller wants of the object goes with the first request."""
    with pytest.raises(errors.PreconditionFailed):
        await downloads.read(store, *NAMES, conditions=ReadConditions(if_match='"other"'))
