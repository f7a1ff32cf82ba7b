"""The client against a server on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lightningstor_api.chunks import CHUNK_BYTES, pieces
from lightningstor_api.client import Client, connect
from lightningstor_api.faces import Rpc
from lightningstor_api.methods import METHODS
from lightningstor_api.retries import ATTEMPTS_MAX
from lightningstor_api.surface import Surface
from lightningstor_types import errors
from lightningstor_types.digests import NO_CHECKSUMS, Checksums, ETag
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import Object
from lightningstor_types.operations.buckets import DeleteBucket, ListBuckets
from lightningstor_types.operations.common import Empty, WriteConditions
from lightningstor_types.operations.objects import (
    DeleteObject,
    DeleteObjectResult,
    GetObject,
    GetObjectResult,
    HeadObject,
    HeadObjectResult,
    PutObject,
    PutObjectResult,
)
from lightningstor_types.streams import BytesStream

BUCKET, KEY = BucketName("bucket"), ObjectKey("a/key")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)  # the server's clock
MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)


def described(size: int) -> Object:
    """An object of some size."""
    return Object(key=KEY, size=size, etag=ETag("e"), last_modified=MODIFIED)


class Pieces:
    """A body of given pieces; an exception among them is raised in its place.

    It notes that its iterator was closed, or came to its end.
    """

    trailer: Checksums = NO_CHECKSUMS

    def __init__(self, *parts: bytes | Exception, length: int | None = None) -> None:
        self.parts = parts
        self.length = length
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each piece."""
        try:
            for part in self.parts:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.closed = True


def test_every_rpc_has_a_typed_method() -> None:
    """The client's methods are the rpcs, in Python's spelling; the one that is but a verb has its object too."""
    names = {"".join(f"_{c.lower()}" if c.isupper() else c for c in rpc.split(".")[1]).lstrip("_") for rpc in METHODS}
    methods = {name: value.input for name, value in vars(Surface).items() if isinstance(value, Rpc)}
    assert methods.keys() == names - {"issue"} | {"issue_token"}
    assert len(set(methods.values())) == len(methods)


async def test_a_call_carries_caller_and_request_id(client: Client, service: Any) -> None:
    """The service is told who calls, under the id that the client gave the call."""

    async def answer(_request: Any) -> HeadObjectResult:
        return HeadObjectResult(object=described(5), content_length=5)

    service.answers[HeadObject] = answer
    result = await client.head_object(HeadObject(bucket=BUCKET, key=KEY), request_id="my-id")
    assert result == HeadObjectResult(object=described(5), content_length=5)
    ((name, request, caller, request_id),) = service.calls
    assert (name, request, caller.principal, request_id) == ("HeadObject", HeadObject(bucket=BUCKET, key=KEY), "alice", "my-id")


async def test_an_empty_answer_is_a_value(client: Client, service: Any) -> None:
    """What has nothing to say answers `Empty`."""

    async def answer(_request: Any) -> Empty:
        return Empty()

    service.answers[DeleteBucket] = answer
    assert await client.delete_bucket(DeleteBucket(bucket=BUCKET)) == Empty()


async def test_the_servers_error_is_raised(client: Client, service: Any) -> None:
    """The class, the message and the details of the server's error are the client's."""

    async def answer(_request: Any) -> Any:
        raise errors.NoSuchKey("No such thing.", Key=KEY)

    service.answers[HeadObject] = answer
    with pytest.raises(errors.NoSuchKey, match="No such thing") as caught:
        await client.head_object(HeadObject(bucket=BUCKET, key=KEY), request_id="my-id")
    assert caught.value.details == {"Key": KEY}
    assert caught.value.__notes__ == ["request id: my-id"]


@pytest.mark.parametrize("parts", [(), (b"",), (b"x",), (b"x" * CHUNK_BYTES,), (b"ab", b"c" * (3 * CHUNK_BYTES), b"", b"d")])
async def test_a_body_goes_out_whole(client: Client, service: Any, parts: tuple[bytes, ...]) -> None:
    """Whatever its pieces, the bytes, the length and the checksums behind them arrive as they were."""
    body = Pieces(*parts, length=sum(map(len, parts)))
    body.trailer = Checksums(crc32c="AAAAAA==")
    seen: list[Any] = []

    async def answer(request: PutObject) -> PutObjectResult:
        content = b"".join([data async for data in request.body])
        seen.append((content, request.body.length, request.body.trailer))
        return PutObjectResult(etag=ETag("e"), size=len(content))

    service.answers[PutObject] = answer
    result = await client.write_object(PutObject(bucket=BUCKET, key=KEY, body=body))
    assert result.size == body.length
    assert seen == [(b"".join(parts), body.length, body.trailer)]
    assert body.closed


async def test_a_source_that_fails_stores_nothing(client: Client, service: Any) -> None:
    """The source's own exception is raised, and the server does not see an end of the body."""
    ends: list[bool] = []
    begun, ended = asyncio.Event(), asyncio.Event()

    class Failing(Pieces):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                yield b"x" * CHUNK_BYTES
                yield b"y" * CHUNK_BYTES
                await begun.wait()
                raise OSError("disk")
            finally:
                self.closed = True

    async def answer(request: PutObject) -> PutObjectResult:
        try:
            async for _ in request.body:
                begun.set()
            ends.append(True)
        finally:
            ended.set()
        return PutObjectResult(etag=ETag("e"))

    service.answers[PutObject] = answer
    body = Failing()
    with pytest.raises(OSError, match="disk"):
        await client.write_object(PutObject(bucket=BUCKET, key=KEY, body=body))
    async with asyncio.timeout(10):
        await ended.wait()
    assert ends == []
    assert body.closed


async def test_a_refused_write_raises_before_the_body_is_sent(client: Client, service: Any) -> None:
    """A server that answers early is heard, however much was still to come."""

    async def answer(_request: Any) -> Any:
        raise errors.QuotaExceeded

    service.answers[PutObject] = answer
    body = Pieces(*[b"x" * CHUNK_BYTES] * 64)
    with pytest.raises(errors.QuotaExceeded):
        await client.write_object(PutObject(bucket=BUCKET, key=KEY, body=body))
    assert body.closed


@pytest.mark.parametrize("parts", [(), (b"x",), (b"x" * CHUNK_BYTES,), (b"ab", b"c" * (3 * CHUNK_BYTES), b"", b"d")])
async def test_a_body_comes_in_whole(client: Client, service: Any, parts: tuple[bytes, ...]) -> None:
    """What is read is what the server's body had, and its length is known before."""
    content = b"".join(parts)
    body = Pieces(*parts)

    async def answer(_request: Any) -> GetObjectResult:
        return GetObjectResult(object=described(len(content)), content_length=len(content), body=body)

    service.answers[GetObject] = answer
    result = await client.read_object(GetObject(bucket=BUCKET, key=KEY))
    assert result.object == described(len(content))
    assert result.body.length == len(content)
    assert b"".join([data async for data in result.body]) == content
    assert body.closed


async def test_a_body_that_fails_on_the_way_raises(client: Client, service: Any) -> None:
    """An error behind the head ends the iteration with the server's class; no byte counts as the whole."""
    body = Pieces(b"x" * CHUNK_BYTES, errors.CorruptedData())

    async def answer(_request: Any) -> GetObjectResult:
        return GetObjectResult(object=described(2 * CHUNK_BYTES), content_length=2 * CHUNK_BYTES, body=body)

    service.answers[GetObject] = answer
    result = await client.read_object(GetObject(bucket=BUCKET, key=KEY))
    with pytest.raises(errors.CorruptedData):
        [data async for data in result.body]


async def test_a_body_that_is_too_short_raises(client: Client, service: Any) -> None:
    """An end before the announced length is no end."""

    async def answer(_request: Any) -> GetObjectResult:
        return GetObjectResult(object=described(9), content_length=9, body=BytesStream(b"12345678"))

    service.answers[GetObject] = answer
    result = await client.read_object(GetObject(bucket=BUCKET, key=KEY))
    with pytest.raises(errors.IncompleteBody):
        [data async for data in result.body]


async def test_a_reader_that_leaves_closes_the_servers_body(client: Client, service: Any) -> None:
    """A client that stops reading lets the server's body go, and nothing counts as unexpected."""
    closed = asyncio.Event()

    class Endless(Pieces):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * CHUNK_BYTES
            finally:
                closed.set()

    async def answer(_request: Any) -> GetObjectResult:
        return GetObjectResult(object=described(1 << 40), content_length=1 << 40, body=Endless())

    service.answers[GetObject] = answer
    result = await client.read_object(GetObject(bucket=BUCKET, key=KEY))
    async for data in result.body:
        assert len(data) == CHUNK_BYTES
        break
    result.body.cancel()  # type: ignore[attr-defined]
    async with asyncio.timeout(10):
        await closed.wait()
    assert service.unexpected == []


async def test_a_read_is_repeated_and_a_write_is_not(client: Client, service: Any) -> None:
    """Only a call without side effects is made again, under the same id, and not for ever."""
    attempts: list[type[Any]] = []

    async def answer(request: Any) -> Any:
        attempts.append(type(request))
        if len(attempts) == 2 and isinstance(request, HeadObject):
            return HeadObjectResult(object=described(0), content_length=0)
        raise errors.ServiceUnavailable

    service.answers = {HeadObject: answer, DeleteObject: answer, ListBuckets: answer}
    await client.head_object(HeadObject(bucket=BUCKET, key=KEY))
    assert attempts == [HeadObject] * 2
    assert len({request_id for *_, request_id in service.calls}) == 1
    attempts.clear()
    with pytest.raises(errors.ServiceUnavailable):
        await client.delete_object(DeleteObject(bucket=BUCKET, key=KEY))
    assert attempts == [DeleteObject]
    attempts.clear()
    with pytest.raises(errors.ServiceUnavailable):
        await client.list_buckets(ListBuckets())
    assert attempts == [ListBuckets] * ATTEMPTS_MAX


class Once(Pieces):
    """A body that cannot begin again."""

    rewindable = False


async def test_a_write_with_a_precondition_is_repeated(client: Client, service: Any) -> None:
    """Under one request id and with its whole body; where its body cannot begin again, it is not."""
    got: list[bytes] = []

    async def answer(request: PutObject) -> PutObjectResult:
        got.append(b"".join([data async for data in request.body]))
        if len(got) < 3:
            raise errors.ServiceUnavailable
        return PutObjectResult(etag=ETag("e"))

    service.answers[PutObject] = answer
    once = WriteConditions(if_none_match="*")
    request = PutObject(bucket=BUCKET, key=KEY, conditions=once, body=BytesStream(b"x" * (CHUNK_BYTES + 1)))
    await client.write_object(request, request_id="my-id")
    assert got == [b"x" * (CHUNK_BYTES + 1)] * 3
    assert [request_id for *_, request_id in service.calls] == ["my-id"] * 3
    got.clear()
    with pytest.raises(errors.ServiceUnavailable):
        await client.write_object(PutObject(bucket=BUCKET, key=KEY, conditions=once, body=Once(b"x")))
    assert len(got) == 1


async def test_a_lost_answer_is_told_with_the_precondition_that_failed(client: Client, service: Any) -> None:
    """A write that was repeated and then found itself held back may be the one that is there."""
    failures: list[Exception] = [errors.ServiceUnavailable(), errors.PreconditionFailed(), errors.PreconditionFailed()]

    async def answer(_request: Any) -> Any:
        raise failures.pop(0)

    service.answers[DeleteObject] = answer
    notes = []
    for _ in range(2):
        with pytest.raises(errors.PreconditionFailed) as caught:
            await client.delete_object(DeleteObject(bucket=BUCKET, key=KEY, if_match="e"), request_id="my-id")
        notes.append(len(caught.value.__notes__))
    assert notes == [2, 1]  # each has its request id; only the repeated one has more to say


async def test_a_call_has_a_deadline_of_its_own(client: Client, service: Any) -> None:
    """Shorter than the client's, with all of its attempts."""

    async def answer(_request: Any) -> Any:
        await asyncio.Event().wait()

    service.answers = {HeadObject: answer, PutObject: answer}
    with pytest.raises(errors.RequestTimeout):
        await client.head_object(HeadObject(bucket=BUCKET, key=KEY), deadline_seconds=0.1)
    with pytest.raises(errors.RequestTimeout):
        await client.upload(BUCKET, KEY, b"x", deadline_seconds=0.1)


async def test_a_server_that_does_not_answer_is_left(target: str, service: Any) -> None:
    """The deadline reaches the server, whose rule is cancelled, and the client raises RequestTimeout."""
    cancelled = asyncio.Event()

    async def answer(_request: Any) -> DeleteObjectResult:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return DeleteObjectResult()

    service.answers[DeleteObject] = answer
    options: dict[str, Any] = {"deadline_seconds": 0.2, "bearer": False, "clock": lambda: NOW}
    async with connect(target, access_key="ALICE", secret_key="secret/of+alice", **options) as hasty:
        with pytest.raises(errors.RequestTimeout):
            await hasty.delete_object(DeleteObject(bucket=BUCKET, key=KEY))
    async with asyncio.timeout(10):
        await cancelled.wait()


async def test_pieces_have_the_size_asked_for() -> None:
    """Any pieces become pieces of one size, the last excepted, with the same bytes."""
    for parts in ((), (b"",), (b"abcdefg",), (b"a", b"bcd", b"efgh", b"ij"), (b"abc", b"def"), (b"abcd" * 3,)):
        got = [data async for data in pieces(Pieces(*parts), 3)]
        assert b"".join(got) == b"".join(parts)
        assert all(len(data) == 3 for data in got[:-1])
        assert all(got)
