"""Errors as gRPC speaks them, both ways.

Law: a client raises the class that the server raised, with its message and its details. The S3 code
is the reason of the status's ErrorInfo; the gRPC code follows from the error's kind and from nothing
else. A failure that bears no code of ours (a proxy's, the transport's) is told apart by its gRPC code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from lightningstor_types import errors
from lightningstor_types.errors import Kind, StorError

DOMAIN: Final = "lightningstor"
REQUEST_ID: Final = "x-request-id"
DETAILS_KEY: Final = "grpc-status-details-bin"
DETAIL_MAX_CHARACTERS: Final = 1024
"""All details of a call have to fit HTTP/2's header block, for which peers allow 8 KiB."""

STATUS_CODES: Final[Mapping[Kind, grpc.StatusCode]] = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.CONFLICT: grpc.StatusCode.ABORTED,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNIMPLEMENTED: grpc.StatusCode.UNIMPLEMENTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
    Kind.DATA_LOSS: grpc.StatusCode.DATA_LOSS,
}

FOREIGN: Final[Mapping[grpc.StatusCode, type[StorError]]] = {
    grpc.StatusCode.CANCELLED: errors.RequestTimeout,
    grpc.StatusCode.UNKNOWN: errors.InternalError,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.RequestTimeout,
    grpc.StatusCode.NOT_FOUND: errors.NotImplemented,  # of a proxy: it knows no such service
    grpc.StatusCode.ALREADY_EXISTS: errors.OperationAborted,
    grpc.StatusCode.PERMISSION_DENIED: errors.AccessDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.MaxMessageLengthExceeded,  # what gRPC itself means by it
    grpc.StatusCode.FAILED_PRECONDITION: errors.PreconditionFailed,
    grpc.StatusCode.ABORTED: errors.OperationAborted,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRange,
    grpc.StatusCode.UNIMPLEMENTED: errors.NotImplemented,
    grpc.StatusCode.INTERNAL: errors.InternalError,
    grpc.StatusCode.UNAVAILABLE: errors.ServiceUnavailable,
    grpc.StatusCode.DATA_LOSS: errors.CorruptedData,
    grpc.StatusCode.UNAUTHENTICATED: errors.InvalidSecurity,
}
"""What is raised for a status that does not name one of our codes."""


def to_status(error: StorError, request_id: str) -> grpc.Status:
    """The status that tells a client of `error`, with the code, its details and the request id."""
    details = {name: value[:DETAIL_MAX_CHARACTERS] for name, value in error.details.items()}
    info = error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN, metadata=details)
    packed = [any_pb2.Any(), any_pb2.Any()]
    packed[0].Pack(info)
    packed[1].Pack(error_details_pb2.RequestInfo(request_id=request_id))
    code: int = STATUS_CODES[error.kind].value[0]
    message = status_pb2.Status(code=code, message=error.message[:DETAIL_MAX_CHARACTERS], details=packed)
    status: grpc.Status = rpc_status.to_status(message)
    return status


def from_rpc_error(error: grpc.RpcError) -> StorError:
    """The error that a failed call tells of; the request id, where it has one, is its note."""
    call: Any = error  # every error that a call raises is a call too, but the class does not say so
    status = _status(call.trailing_metadata() or ())
    info = _detail(status, error_details_pb2.ErrorInfo())
    declared = errors.codes().get(info.reason) if info.domain == DOMAIN else None
    if declared is None:
        declared = FOREIGN.get(call.code(), errors.InternalError)
    found = declared(status.message or call.details() or None)
    found.details = dict(info.metadata)
    request_id = _detail(status, error_details_pb2.RequestInfo()).request_id
    if request_id:
        found.add_note(f"request id: {request_id}")
    return found


def _status(metadata: Iterable[tuple[str, str | bytes]]) -> status_pb2.Status:
    """The rich status in a call's trailing metadata; an empty one where there is none that can be read."""
    for key, value in metadata:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()


def _detail(status: status_pb2.Status, detail: Any) -> Any:
    """The first detail of the type of `detail`, which is filled and handed back."""
    for packed in status.details:
        if packed.Is(detail.DESCRIPTOR):
            packed.Unpack(detail)
            break
    return detail
