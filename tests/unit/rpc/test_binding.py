"""The binding of rpcs to operations, and what a call of each shape does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lightningstor_api.client import Client
from lightningstor_api.errors import from_rpc_error
from lightningstor_api.methods import METHODS
from lightningstor_api.v1 import object_service_pb2
from lightningstor_server.rpc.binding import bind
from lightningstor_types import errors
from lightningstor_types.digests import ETag
from lightningstor_types.operations.objects import DeleteObject, HeadObject, PutObject, PutObjectResult

HEAD = "/lightningstor.v1.ObjectService/HeadObject"
WRITE = "/lightningstor.v1.ObjectService/WriteObject"
Request = object_service_pb2.WriteObjectRequest


def test_every_rpc_is_bound(table: Any) -> None:
    """With an operation for each rpc, and operations without an rpc beside them, all is bound."""
    assert {bound.method.rpc for bound in bind(table)} == METHODS.keys()


def test_operations_without_rpc_are_passed_over(table: Any, operation: Callable[..., Any]) -> None:
    """An operation that has only an HTTP shape is none of this front's business."""
    assert len(bind([*table, operation("ObjectService.HeadObject", name="OverHttp", rpc=None)])) == len(METHODS)


def test_an_rpc_without_operation_stops_the_start(table: Any) -> None:
    """Nobody may find out by a call that an rpc has no rule."""
    with pytest.raises(ValueError, match=table[0].rpc):
        bind(table[1:])


def test_an_operation_without_rpc_in_the_descriptors_stops_the_start(table: Any, operation: Callable[..., Any]) -> None:
    """A mistyped rpc is found at the start."""
    with pytest.raises(ValueError, match="Missing"):
        bind([*table, operation("ObjectService.HeadObject", rpc="ObjectService.Missing")])


def test_two_operations_of_one_rpc_stop_the_start(table: Any, operation: Callable[..., Any]) -> None:
    """An rpc has one rule."""
    with pytest.raises(ValueError, match="is the rpc of"):
        bind([*table, operation("ObjectService.HeadObject", name="Other")])


def test_an_operation_of_other_classes_stops_the_start(table: Any, operation: Callable[..., Any]) -> None:
    """The messages of an rpc carry the operation's own input and output."""
    rest = [entry for entry in table if entry.rpc != "ObjectService.HeadObject"]
    with pytest.raises(ValueError, match="carries"):
        bind([*rest, operation("ObjectService.HeadObject", output=PutObjectResult)])


async def call_raw(target: str, path: str, *messages: bytes, metadata: Any = ()) -> errors.StorError | bytes:
    """What a client that speaks without ours gets."""
    async with aio.insecure_channel(target) as channel:
        try:
            if path == WRITE:
                answer: bytes = await channel.stream_unary(path, None, None)(iter(messages), metadata=metadata)
            else:
                answer = await channel.unary_unary(path, None, None)(messages[0], metadata=metadata)
        except grpc.RpcError as error:
            return from_rpc_error(error)
        return answer


async def test_a_malformed_message_is_the_clients_error(target: str, service: Any) -> None:
    """Bytes that are no message answer InvalidArgument and never reach the service."""
    answer = await call_raw(target, HEAD, b"\xff\xff")
    assert isinstance(answer, errors.InvalidArgument)
    assert service.calls == []


async def test_a_call_without_credential_has_no_caller(target: str, service: Any) -> None:
    """The door is told of an anonymous call by a caller of None, under an id of the server's."""

    async def deny(_request: Any) -> Any:
        raise errors.AccessDenied

    service.answers[HeadObject] = deny
    raw = object_service_pb2.HeadObjectRequest(bucket="bucket", key="k").SerializeToString()
    assert isinstance(await call_raw(target, HEAD, raw), errors.AccessDenied)
    ((_, _, caller, request_id),) = service.calls
    assert caller is None
    assert len(request_id) == 32


@pytest.mark.parametrize(
    "metadata",
    [
        (("x-request-id", "has space"),),
        (("x-request-id", "x" * 65),),
        (("x-request-id", "a"), ("x-request-id", "b")),
        (("authorization", "AWS4-HMAC-SHA256 a"), ("authorization", "AWS4-HMAC-SHA256 b")),
    ],
)
async def test_metadata_that_mean_nothing_are_refused(target: str, service: Any, metadata: Any) -> None:
    """A request id that is none, or one of two values, is an InvalidArgument."""
    raw = object_service_pb2.HeadObjectRequest(bucket="bucket", key="k").SerializeToString()
    assert isinstance(await call_raw(target, HEAD, raw, metadata=metadata), errors.InvalidArgument)
    assert service.calls == []


async def test_an_unexpected_exception_tells_nothing(client: Client, service: Any) -> None:
    """What is no StorError is answered InternalError, with nothing of its text."""

    async def fail(_request: Any) -> Any:
        raise RuntimeError("the password is 1234")

    service.answers[DeleteObject] = fail
    with pytest.raises(errors.InternalError) as caught:
        await client.delete_object(DeleteObject(bucket="bucket", key="k"))  # type: ignore[arg-type]
    assert "1234" not in caught.value.message
    assert [type(error) for error in service.unexpected] == [RuntimeError]


async def store(bodies: list[bytes], request: PutObject) -> PutObjectResult:
    """Keep a body that came to its end."""
    content = b"".join([data async for data in request.body])
    bodies.append(content)
    return PutObjectResult(etag=ETag("e"), size=len(content))


def message(**content: Any) -> bytes:
    """A message of WriteObject's stream."""
    return Request(**content).SerializeToString()


PUT = {"bucket": "bucket", "key": "k"}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], errors.IncompleteBody),
        ([message(chunk={"data": b"x"}, finish=True)], errors.InvalidArgument),
        ([message(finish=True)], errors.InvalidArgument),
        ([message(head=PUT)], errors.IncompleteBody),
        ([message(head=PUT), message(chunk={"data": b"x"})], errors.IncompleteBody),
        ([message(head=PUT), message(chunk={"data": b"x", "crc32c": 1}), message(finish=True)], errors.BadDigest),
        ([message(head=PUT), message(chunk={"data": bytes((2 << 20) + 1)}, finish=True)], errors.InvalidArgument),
        ([message(head=PUT), message(head=PUT, finish=True)], errors.InvalidArgument),
        ([message(head=PUT), message()], errors.InvalidArgument),
        ([message(head=PUT), b"\xff"], errors.InvalidArgument),
        ([message(head=PUT, length=2), message(chunk={"data": b"x"}, finish=True)], errors.IncompleteBody),
        ([message(head=PUT, length=2), message(chunk={"data": b"xxx"}), message(finish=True)], errors.IncompleteBody),
        ([message(head=PUT, length=2, finish=True)], errors.IncompleteBody),
    ],
)
async def test_a_body_that_is_not_whole_is_not_kept(
    target: str, service: Any, messages: list[bytes], expected: type[errors.StorError]
) -> None:
    """A stream that is out of order, damaged or cut short raises before its end."""
    bodies: list[bytes] = []
    service.answers[PutObject] = lambda request: store(bodies, request)
    assert isinstance(await call_raw(target, WRITE, *messages), expected)
    assert bodies == []


@pytest.mark.parametrize(
    ("messages", "content"),
    [
        ([message(head=PUT, finish=True)], b""),
        ([message(head=PUT, length=0), message(finish=True)], b""),
        ([message(head=PUT), message(chunk={"data": b"x"}), message(chunk={"data": b"y"}, finish=True)], b"xy"),
        ([message(head=PUT, length=2), message(chunk={"data": b"xy"}), message(finish=True)], b"xy"),
        ([message(head=PUT), message(chunk={"data": bytes(2 << 20)}), message(finish=True)], bytes(2 << 20)),
    ],
)
async def test_a_whole_body_is_kept(target: str, service: Any, messages: list[bytes], content: bytes) -> None:
    """`finish` may come with the head, with the last chunk or behind it; a checksum per chunk is not demanded."""
    bodies: list[bytes] = []
    service.answers[PutObject] = lambda request: store(bodies, request)
    assert isinstance(await call_raw(target, WRITE, *messages), bytes)
    assert bodies == [content]


async def test_a_client_that_vanishes_stores_nothing(target: str, service: Any) -> None:
    """A write whose client goes away half-way ends in an exception within the rule."""
    begun, ended = asyncio.Event(), asyncio.Event()
    outcome: list[BaseException | bytes] = []

    async def watch(request: PutObject) -> PutObjectResult:
        try:
            async for data in request.body:
                outcome.append(data)
                begun.set()
        except BaseException as error:
            outcome.append(error)
            raise
        finally:
            ended.set()
        return PutObjectResult(etag=ETag("e"))

    service.answers[PutObject] = watch
    async with aio.insecure_channel(target) as channel:
        call = channel.stream_unary(WRITE, None, None)(None)
        await call.write(message(head=PUT))
        await call.write(message(chunk={"data": b"x"}))
        async with asyncio.timeout(10):
            await begun.wait()
        call.cancel()
    async with asyncio.timeout(10):
        await ended.wait()
    assert outcome[0] == b"x"
    assert isinstance(outcome[1], asyncio.CancelledError | errors.IncompleteBody)
    assert len(outcome) == 2


async def test_a_call_without_deadline_gets_the_servers(hasty: str, service: Any) -> None:
    """A rule that does not end is cancelled where the client has set no deadline; the door says what that is."""
    cancelled = asyncio.Event()

    async def wait(_request: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    service.answers[HeadObject] = wait
    raw = object_service_pb2.HeadObjectRequest(bucket="bucket", key="k").SerializeToString()
    assert isinstance(await call_raw(hasty, HEAD, raw), errors.InternalError)
    assert [type(error) for error in service.unexpected] == [TimeoutError]
    assert cancelled.is_set()


async def test_a_client_that_falls_silent_is_not_waited_for(hasty: str, service: Any) -> None:
    """A body that stops coming ends in RequestTimeout, and nothing of it is kept."""
    bodies: list[bytes] = []
    service.answers[PutObject] = lambda request: store(bodies, request)
    async with aio.insecure_channel(hasty) as channel:
        call = channel.stream_unary(WRITE, None, None)(None)
        await call.write(message(head=PUT))
        with pytest.raises(grpc.RpcError) as caught:
            await call
    assert isinstance(from_rpc_error(caught.value), errors.RequestTimeout)
    assert bodies == []


async def test_health_and_reflection_answer(target: str) -> None:
    """A load balancer finds the server serving, and a tool finds its services."""
    async with aio.insecure_channel(target) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        listed = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        names = {service.name async for page in listed for service in page.list_services_response.service}
    assert names >= {"lightningstor.v1.BucketService", "lightningstor.v1.ObjectService"}
