"""Bucket policies: the document as it travels, byte for byte, and what of a request they are told."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from asgi import Request
from faces import Ask, Rig
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import PutObject
from lightningstor_types.streams import BytesStream

_STATEMENT: Final = '{"Effect":"Allow","Principal":{"AWS":"canonical-beta"},"Action":"s3:*","Resource":"arn:aws:s3:::bucket"}'
OWN: Final = f' {{"Statement" :\n[{_STATEMENT}] }}\n'


def denying(**condition: Any) -> bytes:
    """A policy that denies everybody to read objects on a condition."""
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": statement}).encode()


async def test_the_document(ask: Ask) -> None:
    """Told as it was put, with its spaces and as JSON; deleted, also twice, it is told that there is none."""
    missing = await ask("GET", "/bucket?policy")
    assert (missing.status, b"<Code>NoSuchBucketPolicy</Code>" in missing.body) == (404, True)
    put = await ask("PUT", "/bucket?policy", ("content-type", "text/plain"), body=OWN.encode())
    assert (put.status, put.body) == (204, b"")
    told = await ask("GET", "/bucket?policy")
    assert (told.status, told.headers["content-type"], told.body) == (200, "application/json", OWN.encode())
    for _ in range(2):
        assert (await ask("DELETE", "/bucket?policy")).status == 204
    assert (await ask("GET", "/bucket?policy")).status == 404


async def test_the_status(ask: Ask) -> None:
    """AWS, GetBucketPolicyStatus."""
    for body, public in ((b"", b"false"), (OWN.encode(), b"false"), (OWN.replace('{"AWS":"canonical-beta"}', '"*"').encode(), b"true")):
        await ask("DELETE", "/bucket?publicAccessBlock")
        if body:
            assert (await ask("PUT", "/bucket?policy", body=body)).status == 204
        assert b"<IsPublic>" + public + b"</IsPublic>" in (await ask("GET", "/bucket?policyStatus")).body


@pytest.mark.parametrize("body", [b"", b"\xff", b"\xef\xbb\xbf{}", b"<Policy/>", b'{"Statement": []}', OWN.encode() * 200])
async def test_what_is_no_policy(ask: Ask, rig: Rig, body: bytes) -> None:
    """Is refused as a malformed one, and nothing is changed."""
    before = rig.dump()
    response = await ask("PUT", "/bucket?policy", body=body)
    assert (response.status, b"<Code>MalformedPolicy</Code>" in response.body) == (400, True), response
    assert rig.dump() == before


async def test_what_a_request_tells_of_itself(rig: Rig, ask: Ask) -> None:
    """The browser's words, how it was signed, that it did not come by TLS; headers of proxies are not believed."""
    await rig(PutObject(bucket=BucketName("bucket"), key=ObjectKey("k"), body=BytesStream(b"x")))
    for condition, denied in (
        ({"StringLike": {"aws:Referer": "https://*.test/*"}}, True),
        ({"StringEquals": {"aws:UserAgent": "agent"}}, True),
        ({"StringEquals": {"s3:authType": "REST-HEADER"}}, True),
        ({"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}, True),
        ({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.7"}}, False),
        ({"StringEquals": {"s3:VersionId": "null"}}, False),
    ):
        assert (await ask("PUT", "/bucket?policy", body=denying(**condition))).status == 204
        headers = (("referer", "https://a.test/page"), ("user-agent", "agent"), ("x-forwarded-for", "192.0.2.7"))
        assert (await ask("GET", "/bucket/k", *headers)).status == (403 if denied else 200), condition


async def test_a_presigned_read(rig: Rig, ask: Ask) -> None:
    """Can be denied as such, and by its signed parameters."""
    await rig(PutObject(bucket=BucketName("bucket"), key=ObjectKey("k"), body=BytesStream(b"x")))
    presigned = rig.alpha.owner.presigned(Request(path=b"/bucket/k"))
    assert (await rig.send(presigned)).status == 200
    await ask("PUT", "/bucket?policy", body=denying(StringEquals={"s3:authType": "REST-QUERY-STRING"}))
    assert (await rig.send(presigned)).status == 403
    assert (await ask("GET", "/bucket/k")).status == 200


async def test_the_parameters_of_a_listing(ask: Ask) -> None:
    """The prefix, the delimiter and the most keys, also where they are what is the default."""
    for query, condition in (
        ("prefix=a%2F", {"StringEquals": {"s3:prefix": "a/"}}),
        ("prefix=", {"StringEquals": {"s3:prefix": ""}}),
        ("delimiter=%2F", {"StringEquals": {"s3:delimiter": "/"}}),
        ("max-keys=1000", {"NumericGreaterThan": {"s3:max-keys": "10"}}),
    ):
        body = denying(**condition).replace(b"s3:GetObject", b"s3:ListBucket").replace(b"bucket/*", b"bucket")
        assert (await ask("PUT", "/bucket?policy", body=body)).status == 204
        assert (await ask("GET", f"/bucket?list-type=2&{query}")).status == 403, query
        assert (await ask("GET", "/bucket?list-type=2&prefix=b&max-keys=5")).status == 200
