"""The table of errors is total and agrees with AWS's."""

from __future__ import annotations

import pytest

from lightningstor_types.errors import Kind, StorError, by_code, codes

PUBLISHED = {
    # AWS, "Error responses": code and HTTP status, of those that this server raises
    "AccessDenied": 403,
    "BadDigest": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "KeyTooLongError": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "RequestTimeout": 400,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "XAmzContentSHA256Mismatch": 400,
}


@pytest.mark.parametrize("code", sorted(PUBLISHED))
def test_status_is_the_published_one(code: str) -> None:
    """A code's status is the one that AWS's error list gives."""
    assert codes()[code].status == PUBLISHED[code]


@pytest.mark.parametrize("error", codes().values(), ids=lambda error: error.__name__)
def test_every_code_can_be_raised_and_found_again(error: type[StorError]) -> None:
    """A class is found by its code, has a text, and carries its details."""
    raised = error(Detail="x")
    assert by_code(raised.code) is error
    assert raised.message
    assert raised.details == {"Detail": "x"}
    assert 300 <= error.status < 600


def test_every_kind_is_used() -> None:
    """No family is empty."""
    assert {error.kind for error in codes().values()} == set(Kind)
