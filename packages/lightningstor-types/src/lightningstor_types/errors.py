"""Every failure a caller can be told of, each under its S3 code.

Law: the class name is the S3 code. Each class declares its HTTP status (S3's statuses do not
follow from families: 403, 409 and 412 are all failed preconditions) and its `Kind`, which alone
decides the gRPC status and whether a retry can help. Details travel as extra XML elements and in
the gRPC status. Source: AWS, "Error responses", list of error codes.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import cache
from typing import ClassVar, Final


class Kind(Enum):
    """The dozen families that a client can act on."""

    INVALID = auto()
    OUT_OF_RANGE = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    NOT_FOUND = auto()
    EXISTS = auto()
    PRECONDITION = auto()
    CONFLICT = auto()
    EXHAUSTED = auto()
    UNIMPLEMENTED = auto()
    UNAVAILABLE = auto()
    INTERNAL = auto()
    DATA_LOSS = auto()


RETRYABLE: Final = frozenset({Kind.CONFLICT, Kind.UNAVAILABLE, Kind.INTERNAL})


class StorError(Exception):
    """The root of the family. Subclasses are S3's codes; `details` are their extra XML elements.

    A subclass is declared with its `kind`, its HTTP `status` and the `text` it says when the
    place that raises it has nothing better to say.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL
    status: ClassVar[int] = 500
    text: ClassVar[str] = "We encountered an internal error. Please try again."

    def __init_subclass__(cls, *, kind: Kind, status: int, text: str) -> None:
        cls.kind, cls.status, cls.text = kind, status, text

    def __init__(self, message: str | None = None, **details: str) -> None:
        self.message = message or self.text
        self.details = details
        super().__init__(self.message)

    @property
    def code(self) -> str:
        """The S3 code, which is the name of the class."""
        return type(self).__name__

    @property
    def retryable(self) -> bool:
        """Whether the same request can succeed when it is sent again."""
        return self.kind in RETRYABLE


@cache
def codes() -> dict[str, type[StorError]]:
    """Every declared class, by its code."""
    return {cls.__name__: cls for cls in sorted(StorError.__subclasses__(), key=lambda cls: cls.__name__)}


def by_code(code: str) -> type[StorError]:
    """The class of an S3 code; `InternalError` for one that this version does not know."""
    return codes().get(code, InternalError)


# -- the request is malformed -----------------------------------------

class AuthorizationHeaderMalformed(
    StorError, kind=Kind.INVALID, status=400,
    text="The authorization header that you provided is not valid.",
): ...

class AuthorizationQueryParametersError(
    StorError, kind=Kind.INVALID, status=400,
    text="The query parameters of the presigned request are not valid.",
): ...

class BadDigest(
    StorError, kind=Kind.INVALID, status=400,
    text="The Content-MD5 or checksum value that you specified did not match what we received.",
): ...

class EntityTooLarge(StorError, kind=Kind.INVALID, status=400, text="Your proposed upload exceeds the maximum allowed size."): ...

class EntityTooSmall(StorError, kind=Kind.INVALID, status=400, text="Your proposed upload is smaller than the minimum allowed size."): ...

class IllegalLocationConstraintException(
    StorError, kind=Kind.INVALID, status=400,
    text="The specified location constraint is incompatible with the region this request was sent to.",
): ...

class IncompleteBody(
    StorError, kind=Kind.INVALID, status=400,
    text="You did not provide the number of bytes specified by the Content-Length HTTP header.",
): ...

class InvalidArgument(StorError, kind=Kind.INVALID, status=400, text="Invalid argument."): ...

class InvalidBucketName(StorError, kind=Kind.INVALID, status=400, text="The specified bucket is not valid."): ...

class InvalidChunkSizeError(StorError, kind=Kind.INVALID, status=403, text="Only the last chunk may be smaller than 8,192 bytes."): ...

class InvalidDigest(
    StorError, kind=Kind.INVALID, status=400,
    text="The Content-MD5 or checksum value that you specified is not valid.",
): ...

class InvalidLocationConstraint(StorError, kind=Kind.INVALID, status=400, text="The specified location constraint is not valid."): ...

class InvalidPart(
    StorError, kind=Kind.INVALID, status=400,
    text="One or more of the specified parts could not be found. The part might not have been uploaded, or "
    "the specified entity tag might not have matched the part's entity tag.",
): ...

class InvalidPartOrder(
    StorError, kind=Kind.INVALID, status=400,
    text="The list of parts was not in ascending order. The parts list must be specified in order by part "
    "number.",
): ...

class InvalidRequest(StorError, kind=Kind.INVALID, status=400, text="The request is not valid."): ...

class InvalidStorageClass(StorError, kind=Kind.INVALID, status=400, text="The storage class you specified is not valid."): ...

class InvalidURI(StorError, kind=Kind.INVALID, status=400, text="The specified URI could not be parsed."): ...

class KeyTooLongError(StorError, kind=Kind.INVALID, status=400, text="Your key is too long."): ...

class MalformedTrailerError(
    StorError, kind=Kind.INVALID, status=400,
    text="The request contained trailing data that was not well-formed or did not conform to our published "
    "schema.",
): ...

class MalformedXML(
    StorError, kind=Kind.INVALID, status=400,
    text="The XML that you provided was not well-formed or did not validate against our published schema.",
): ...

class MaxMessageLengthExceeded(StorError, kind=Kind.INVALID, status=400, text="Your request was too large."): ...

class MetadataTooLarge(
    StorError, kind=Kind.INVALID, status=400,
    text="Your metadata headers exceed the maximum allowed metadata size.",
): ...

class MissingContentLength(StorError, kind=Kind.INVALID, status=411, text="You must provide the Content-Length HTTP header."): ...

class MissingSecurityHeader(StorError, kind=Kind.INVALID, status=400, text="Your request is missing a required header."): ...

class RequestHeaderSectionTooLarge(
    StorError, kind=Kind.INVALID, status=400,
    text="Your request's header section exceeds the maximum allowed size.",
): ...

class RequestTimeout(
    StorError, kind=Kind.INVALID, status=400,
    text="Your socket connection to the server was not read from or written to within the timeout period.",
): ...

class UnexpectedContent(StorError, kind=Kind.INVALID, status=400, text="This request contains unsupported content."): ...

class XAmzContentSHA256Mismatch(
    StorError, kind=Kind.INVALID, status=400,
    text="The provided x-amz-content-sha256 header does not match what was computed.",
): ...

class InvalidRange(StorError, kind=Kind.OUT_OF_RANGE, status=416, text="The requested range is not satisfiable."): ...

class InvalidPartNumber(StorError, kind=Kind.OUT_OF_RANGE, status=416, text="The requested partnumber is not satisfiable."): ...


# -- who is asking, and may they -----------------------------------------

class ExpiredToken(StorError, kind=Kind.UNAUTHENTICATED, status=400, text="The provided token has expired."): ...

class InvalidAccessKeyId(
    StorError, kind=Kind.UNAUTHENTICATED, status=403,
    text="The access key ID you provided does not exist in our records.",
): ...

class InvalidSecurity(StorError, kind=Kind.UNAUTHENTICATED, status=403, text="The provided security credentials are not valid."): ...

class InvalidToken(StorError, kind=Kind.UNAUTHENTICATED, status=400, text="The provided token is malformed or otherwise not valid."): ...

class RequestTimeTooSkewed(
    StorError, kind=Kind.UNAUTHENTICATED, status=403,
    text="The difference between the request time and the server's time is too large.",
): ...

class SignatureDoesNotMatch(
    StorError, kind=Kind.UNAUTHENTICATED, status=403,
    text="The request signature we calculated does not match the signature you provided. Check your key and "
    "signing method.",
): ...

class AccessDenied(StorError, kind=Kind.FORBIDDEN, status=403, text="Access Denied"): ...

class AccountProblem(
    StorError, kind=Kind.FORBIDDEN, status=403,
    text="There is a problem with your account that prevents the operation from completing successfully.",
): ...

class AllAccessDisabled(StorError, kind=Kind.FORBIDDEN, status=403, text="All access to this resource has been disabled."): ...

class QuotaExceeded(
    StorError, kind=Kind.EXHAUSTED, status=403,
    text="The quota of this bucket, project or organisation would be exceeded.",
): ...


# -- what is named is not there, or is there already -----------------------------------------

class NoSuchBucket(StorError, kind=Kind.NOT_FOUND, status=404, text="The specified bucket does not exist."): ...

class NoSuchBucketPolicy(StorError, kind=Kind.NOT_FOUND, status=404, text="The bucket policy does not exist."): ...

class NoSuchConfiguration(StorError, kind=Kind.NOT_FOUND, status=404, text="The specified configuration does not exist."): ...

class NoSuchCORSConfiguration(StorError, kind=Kind.NOT_FOUND, status=404, text="The CORS configuration does not exist."): ...

class NoSuchKey(StorError, kind=Kind.NOT_FOUND, status=404, text="The specified key does not exist."): ...

class NoSuchLifecycleConfiguration(StorError, kind=Kind.NOT_FOUND, status=404, text="The lifecycle configuration does not exist."): ...

class NoSuchPublicAccessBlockConfiguration(
    StorError, kind=Kind.NOT_FOUND, status=404,
    text="The public access block configuration was not found.",
): ...

class NoSuchTagSet(StorError, kind=Kind.NOT_FOUND, status=404, text="The TagSet does not exist."): ...

class NoSuchUpload(
    StorError, kind=Kind.NOT_FOUND, status=404,
    text="The specified multipart upload does not exist. The upload ID might not be valid, or the multipart "
    "upload might have been aborted or completed.",
): ...

class NoSuchVersion(
    StorError, kind=Kind.NOT_FOUND, status=404,
    text="The version ID specified in the request does not match an existing version.",
): ...

class NoSuchWebsiteConfiguration(
    StorError, kind=Kind.NOT_FOUND, status=404,
    text="The specified bucket does not have a website configuration.",
): ...

class ObjectLockConfigurationNotFoundError(
    StorError, kind=Kind.NOT_FOUND, status=404,
    text="Object Lock configuration does not exist for this bucket.",
): ...

class ReplicationConfigurationNotFoundError(
    StorError, kind=Kind.NOT_FOUND, status=404,
    text="The replication configuration was not found.",
): ...

class BucketAlreadyExists(
    StorError, kind=Kind.EXISTS, status=409,
    text="The requested bucket name is not available. The bucket namespace is shared by all users of the "
    "system. Select a different name and try again.",
): ...

class BucketAlreadyOwnedByYou(
    StorError, kind=Kind.EXISTS, status=409,
    text="The bucket that you tried to create already exists, and you own it.",
): ...


# -- the state forbids it -----------------------------------------

class BucketNotEmpty(StorError, kind=Kind.PRECONDITION, status=409, text="The bucket that you tried to delete is not empty."): ...

class InvalidBucketState(
    StorError, kind=Kind.PRECONDITION, status=409,
    text="The request is not valid for the current state of the bucket.",
): ...

class InvalidObjectState(
    StorError, kind=Kind.PRECONDITION, status=403,
    text="The operation is not valid for the current state of the object.",
): ...

class MethodNotAllowed(
    StorError, kind=Kind.PRECONDITION, status=405,
    text="The specified method is not allowed against this resource.",
): ...

class NotModified(StorError, kind=Kind.PRECONDITION, status=304, text="Not Modified"): ...

class PreconditionFailed(
    StorError, kind=Kind.PRECONDITION, status=412,
    text="At least one of the preconditions that you specified did not hold.",
): ...

class ConditionalRequestConflict(
    StorError, kind=Kind.CONFLICT, status=409,
    text="A conflicting operation occurred during the request. Try again.",
): ...

class OperationAborted(
    StorError, kind=Kind.CONFLICT, status=409,
    text="A conflicting conditional operation is currently in progress against this resource. Try again.",
): ...

class TooManyBuckets(StorError, kind=Kind.EXHAUSTED, status=400, text="You have attempted to create more buckets than are allowed."): ...


# -- the server -----------------------------------------

class NotImplemented(
    StorError, kind=Kind.UNIMPLEMENTED, status=501,
    text="A header or parameter that you provided implies functionality that is not implemented.",
): ...

class InsufficientStorage(StorError, kind=Kind.EXHAUSTED, status=507, text="The store has no room left for this request."): ...

class ServiceUnavailable(StorError, kind=Kind.UNAVAILABLE, status=503, text="Service is unable to handle the request."): ...

class SlowDown(StorError, kind=Kind.UNAVAILABLE, status=503, text="Please reduce your request rate."): ...

class InternalError(StorError, kind=Kind.INTERNAL, status=500, text="We encountered an internal error. Please try again."): ...

class CorruptedData(
    StorError, kind=Kind.DATA_LOSS, status=500,
    text="The stored bytes do not match their checksum. They have not been sent.",
): ...
