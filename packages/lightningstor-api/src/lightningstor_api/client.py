"""The asynchronous client: a typed method for every rpc.

Law: the client raises the classes that the server raised. It repeats only what has no side effects;
whether a write whose answer was lost has happened, its caller decides (a precondition makes that
safe). Every wait has a deadline: a call without a body has one as a whole, a body one for each step.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar, cast

import grpc
from grpc import aio

from lightningstor_api.bodies import IncomingBody, ServersStatus, answer_within, outgoing
from lightningstor_api.chunks import MESSAGE_MAX_BYTES
from lightningstor_api.codec import decoder, encoder
from lightningstor_api.methods import METHODS, Method
from lightningstor_api.signing import Signer, utc_now
from lightningstor_types.errors import InternalError, StorError
from lightningstor_types.operations import buckets, common, copying, listing, objects, upload_listing, uploads

I = TypeVar("I")  # noqa: E741 - an input
O = TypeVar("O")  # noqa: E741 - an output
I_contra = TypeVar("I_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)

DEADLINE_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 60.0
KEEPALIVE_SECONDS: Final = 60.0
ATTEMPTS_MAX: Final = 4
BACKOFF_SECONDS: Final = 0.1
BACKOFF_MAX_SECONDS: Final = 2.0

OPTIONS: Final = (
    ("grpc.enable_retries", 0),  # repeating is this module's
    ("grpc.keepalive_time_ms", int(KEEPALIVE_SECONDS * 1000)),
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
)
_BY_INPUT: Final = {method.input: method for method in METHODS.values()}


class Typed(Protocol[I_contra, O_co]):
    """A method of the client: an operation's input in, its output out."""

    def __call__(self, request: I_contra, /, *, request_id: str | None = None) -> Awaitable[O_co]:
        """Make the call. Raises StorError."""


class _Rpc(Generic[I, O]):
    """A typed method; on a client, `Client.call` for one class of input."""

    def __init__(self, input_: type[I], output: type[O]) -> None:
        if _BY_INPUT[input_].output is not output:
            raise TypeError(f"{input_.__name__} is answered with {_BY_INPUT[input_].output.__name__}")

    def __get__(self, client: Client, owner: type[Client]) -> Typed[I, O]:
        return cast("Typed[I, O]", client.call)


class Client:
    """A connection to a server in the name of one access key. Made by `connect`, closed by `close`."""

    create_bucket = _Rpc(buckets.CreateBucket, buckets.CreateBucketResult)
    get_bucket = _Rpc(buckets.GetBucket, buckets.BucketDescription)
    list_buckets = _Rpc(buckets.ListBuckets, buckets.ListBucketsResult)
    update_bucket = _Rpc(buckets.UpdateBucket, buckets.BucketDescription)
    delete_bucket = _Rpc(buckets.DeleteBucket, common.Empty)
    get_usage = _Rpc(buckets.GetUsage, buckets.GetUsageResult)
    write_object = _Rpc(objects.PutObject, objects.PutObjectResult)
    read_object = _Rpc(objects.GetObject, objects.GetObjectResult)
    head_object = _Rpc(objects.HeadObject, objects.HeadObjectResult)
    list_objects = _Rpc(listing.ListObjectsV2, listing.ListObjectsV2Result)
    update_object = _Rpc(objects.UpdateObject, objects.UpdateObjectResult)
    delete_object = _Rpc(objects.DeleteObject, objects.DeleteObjectResult)
    delete_objects = _Rpc(objects.DeleteObjects, objects.DeleteObjectsResult)
    copy_object = _Rpc(copying.CopyObject, copying.CopyObjectResult)
    start_upload = _Rpc(uploads.CreateMultipartUpload, uploads.CreateMultipartUploadResult)
    write_part = _Rpc(uploads.UploadPart, uploads.UploadPartResult)
    copy_part = _Rpc(copying.UploadPartCopy, copying.UploadPartCopyResult)
    list_parts = _Rpc(upload_listing.ListParts, upload_listing.ListPartsResult)
    list_uploads = _Rpc(upload_listing.ListMultipartUploads, upload_listing.ListMultipartUploadsResult)
    query_upload = _Rpc(uploads.QueryUpload, uploads.QueryUploadResult)
    complete_upload = _Rpc(uploads.CompleteMultipartUpload, uploads.CompleteMultipartUploadResult)
    cancel_upload = _Rpc(uploads.AbortMultipartUpload, common.Empty)

    def __init__(self, channel: aio.Channel, signer: Signer, *, deadline_seconds: float, idle_seconds: float) -> None:
        self._channel = channel
        self._signer = signer
        self._deadline_seconds = deadline_seconds
        self._idle_seconds = idle_seconds
        self._stubs = {method.rpc: _stub(channel, method) for method in METHODS.values()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop the connection; calls that run are cancelled."""
        await self._channel.close(None)

    async def call(self, request: Any, /, *, request_id: str | None = None) -> Any:
        """Make the call whose input `request` is; `request_id` names it to the server.

        Raises:
            StorError: what the server answered, or how it could not be reached.
            ValueError: a value of the request that protobuf cannot hold.
        """
        method = _BY_INPUT[type(request)]
        request_id = request_id or uuid.uuid4().hex
        shape = _SHAPES[method.streams_in, method.streams_out]
        if not method.repeatable:
            return await shape(self, method, request, request_id, self._deadline_seconds)
        return await self._repeated(shape, method, request, request_id)

    async def _repeated(self, shape: _Shape, method: Method, request: Any, request_id: str) -> Any:
        """Up to ATTEMPTS_MAX attempts within one deadline, with full jitter between them."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._deadline_seconds
        for attempt in range(ATTEMPTS_MAX):
            pause = random.uniform(0, min(BACKOFF_MAX_SECONDS, BACKOFF_SECONDS * 2**attempt))  # noqa: S311 - jitter is no secret
            try:
                return await shape(self, method, request, request_id, end - clock())
            except StorError as error:
                if not error.retryable or attempt + 1 == ATTEMPTS_MAX or clock() + pause >= end:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError  # the last attempt returns or raises

    async def _unary(self, method: Method, request: Any, request_id: str, seconds: float) -> Any:
        payload = encoder(method.head, method.input)(request).SerializeToString()
        async with answer_within(seconds):
            raw = await self._stubs[method.rpc](payload, timeout=seconds, metadata=self._signer.metadata(method.path, request_id))
        return decoder(method.answer, method.output)(method.response.FromString(raw))

    async def _write(self, method: Method, request: Any, request_id: str, seconds: float) -> Any:
        head = encoder(method.head, method.input)(request)
        call = self._stubs[method.rpc](metadata=self._signer.metadata(method.path, request_id))
        status = ServersStatus(call)
        try:
            async with aclosing(outgoing(method.request, head, request.body)) as messages:
                async for message in messages:
                    if not await self._sent(call, message):
                        break
            async with answer_within(seconds):
                raw = await _answer(call, status)
        finally:
            call.cancel()
        return decoder(method.answer, method.output)(method.response.FromString(raw))

    async def _sent(self, call: aio.StreamUnaryCall[bytes, bytes], message: bytes) -> bool:
        """Whether the message went. It does not where the call is over; its status says why."""
        async with answer_within(self._idle_seconds):
            try:
                await call.write(message)
            except (asyncio.InvalidStateError, grpc.RpcError):
                return False
        return True

    async def _read(self, method: Method, request: Any, request_id: str, seconds: float) -> Any:
        payload = encoder(method.head, method.input)(request).SerializeToString()
        make: Any = method.response
        call = self._stubs[method.rpc](payload, metadata=self._signer.metadata(method.path, request_id))
        try:
            messages = aiter(call)
            async with answer_within(seconds):
                first = make.FromString(await anext(messages, b""))
            if first.WhichOneof("content") != "head":
                raise InternalError("The server sent a body without a head.")
            body = IncomingBody(call, messages, make, first.head.content_length, self._idle_seconds)
            return decoder(method.answer, method.output)(first.head, body=body)
        except BaseException:
            call.cancel()
            raise


_Shape = Callable[[Client, Method, Any, str, float], Awaitable[Any]]
_SHAPES: Final[dict[tuple[bool, bool], _Shape]] = {
    (False, False): Client._unary,
    (True, False): Client._write,
    (False, True): Client._read,
}


async def _answer(call: aio.StreamUnaryCall[bytes, bytes], status: ServersStatus) -> bytes:
    """The server's answer to a body that was sent, or that it did not want to the end."""
    try:
        await call.done_writing()
        return await call
    except grpc.RpcError:
        if status.error is not None:
            raise status.error from None
        raise


def _stub(channel: aio.Channel, method: Method) -> Any:
    """What starts a call; messages pass through it as bytes."""
    open_ = {
        (False, False): channel.unary_unary,
        (True, False): channel.stream_unary,
        (False, True): channel.unary_stream,
    }[method.streams_in, method.streams_out]
    return open_(method.path, None, None)


def connect(
    target: str,
    *,
    access_key: str,
    secret_key: str,
    region: str = "us-east-1",
    tls: grpc.ChannelCredentials | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
    clock: Callable[[], datetime] = utc_now,
) -> Client:
    """A client of the server at `target`; the connection is made with the first call. Needs a running loop.

    `deadline_seconds` is how long a call without a body may take, the first answer to a read and the
    answer to a whole body; `idle_seconds` how long one step of a body may. Without `tls` the channel
    is in the clear, which is for the loopback and trusted networks.
    """
    channel = aio.insecure_channel(target, OPTIONS) if tls is None else aio.secure_channel(target, tls, OPTIONS)
    signer = Signer(access_key=access_key, secret_key=secret_key, region=region, clock=clock)
    return Client(channel, signer, deadline_seconds=deadline_seconds, idle_seconds=idle_seconds)
