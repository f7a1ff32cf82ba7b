"""What writes are answered with, and what is never taken for a write."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from attrs import evolve

from asgi import Request
from faces import Ask, Rig
from lightningstor_server.s3.router import SUB_RESOURCES
from lightningstor_server.s3.xml import NAMESPACE
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import GetObject
from signers import SIGNED, SIGNED_TRAILER, UNSIGNED, UNSIGNED_TRAILER, md5

BODY = b"hello"
REGION = "<LocationConstraint>us-east-1</LocationConstraint>"
MODES = (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)


async def stored(rig: Rig, key: str = "key") -> Any:
    """What a read gives."""
    return await rig(GetObject(bucket=BucketName("bucket"), key=ObjectKey(key)))


async def test_put(ask: Ask) -> None:
    """200 without a body, with the tag in quotes and the checksum that was computed."""
    response = await ask("PUT", "/bucket/key", body=BODY)
    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "0")
    assert response.headers["etag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert response.headers["x-amz-checksum-crc64nvme"] == "M3eFcAZSQlc="
    assert "x-amz-version-id" not in response.headers


async def test_create_bucket(ask: Ask) -> None:
    """200 with a Location; with the region's own constraint, with an empty one, with none, and with a namespace."""
    for number, body in enumerate(
        (
            b"",
            b"<CreateBucketConfiguration/>",
            b"<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>",
            f'<?xml version="1.0"?>\n<CreateBucketConfiguration xmlns="{NAMESPACE}">{REGION}</CreateBucketConfiguration>'.encode(),
        )
    ):
        response = await ask("PUT", f"/bucket-{number}", body=body)
        assert (response.status, response.headers["location"]) == (200, f"/bucket-{number}")
    assert (await ask("PUT", "/bucket-0/")).status == 200
    assert (await ask("DELETE", "/bucket-0")).status == 204


@pytest.mark.parametrize("mode", [*MODES, UNSIGNED, "hash", "presigned"])
@pytest.mark.parametrize("pieces", [1, 3, 1000])
async def test_every_way_of_sending(rig: Rig, mode: str, pieces: int) -> None:
    """One body is the same object however it is signed and however it arrives; no framing is stored."""
    owner, content = rig.alpha.owner, bytes(range(256)) * 300
    request = Request(method="PUT", path=b"/bucket/key").with_body(content)
    signed = {
        "hash": lambda: owner.header(request),
        UNSIGNED: lambda: owner.header(request, payload=UNSIGNED),
        "presigned": lambda: owner.presigned(request),
    }.get(mode, lambda: owner.chunked(request, mode, chunk=20_000))()
    sent = signed.with_body(signed.body, pieces=pieces)
    by_transfer = sent.without_headers("content-length").with_headers(("transfer-encoding", "chunked"))
    for way in (sent, by_transfer):
        assert (await rig.send(way)).status == 200
        found = await stored(rig)
        assert found.body.content == content
        assert found.object.metadata.content_encoding is None


@pytest.mark.parametrize(
    ("encoding", "kept"),
    [("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip, aws-chunked", "gzip"), ("gzip,AWS-Chunked , br", "gzip,br"),
     ("aws-chunked,", None), ("gzip,br", "gzip,br"), ("x-aws-chunked", "x-aws-chunked")],
)  # fmt: skip
async def test_content_encoding(rig: Rig, encoding: str, kept: str | None) -> None:
    """aws-chunked is the transfer's coding and is not kept; the object's own codings are."""
    owner = rig.alpha.owner
    request = Request(method="PUT", path=b"/bucket/key").with_body(BODY)
    if "aws-chunked" in {part.strip() for part in encoding.lower().split(",")}:
        head = request.without_headers("content-length").with_headers(
            ("content-encoding", encoding), ("x-amz-decoded-content-length", str(len(BODY)))
        )
        request = head.with_body(b"5\r\nhello\r\n0\r\n\r\n")
    else:
        request = request.with_headers(("content-encoding", encoding))
    assert (await rig.send(owner.header(request, payload=UNSIGNED))).status == 200
    found = await stored(rig)
    assert (found.body.content, found.object.metadata.content_encoding) == (BODY, kept)


async def test_framing_that_was_hashed(rig: Rig) -> None:
    """Under the hash of the body as sent, the body is what was sent, whatever its Content-Encoding says of it."""
    framed = b"5\r\nhello\r\n0\r\n\r\n"
    request = Request(method="PUT", path=b"/bucket/key").with_headers(("content-encoding", "aws-chunked")).with_body(framed)
    assert (await rig.send(rig.alpha.owner.header(request))).status == 200
    found = await stored(rig)
    assert (found.body.content, found.object.metadata.content_encoding) == (framed, None)


async def test_delete_objects_needs_a_digest(ask: Ask) -> None:
    """Content-MD5 or any x-amz-checksum, in a header or behind the body; without one nothing goes."""
    document = b"<Delete><Object><Key>key</Key></Object></Delete>"
    await ask("PUT", "/bucket/key", body=BODY)
    response = await ask("POST", "/bucket?delete", body=document)
    assert (response.status, b"<Code>MissingSecurityHeader</Code>" in response.body) == (400, True)
    assert (await ask("HEAD", "/bucket/key")).status == 200
    digests = [("content-md5", md5(document)), ("x-amz-checksum-crc32", "5J7Huw=="), ("x-amz-checksum-crc32", None)]
    for name, value in digests[:1]:
        assert (await ask("POST", "/bucket?delete", (name, value), body=document)).status == 200
    assert (await ask("HEAD", "/bucket/key")).status == 404


async def test_delete_objects_with_each_checksum(rig: Rig, ask: Ask) -> None:
    """Each of the five checksums does in the place of Content-MD5, as a header as botocore sends it, and as a trailer."""
    from botocore.httpchecksum import _CHECKSUM_CLS  # noqa: PLC0415 - botocore's own computations, to compare with

    document = b"<Delete><Object><Key>key</Key></Object></Delete>"
    for name in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256"):
        value = _CHECKSUM_CLS[name]().handle(document)
        await ask("PUT", "/bucket/key", body=BODY)
        assert (await ask("POST", "/bucket?delete", (f"x-amz-checksum-{name}", value), body=document)).status == 200
        assert (await ask("HEAD", "/bucket/key")).status == 404
        await ask("PUT", "/bucket/key", body=BODY)
        request = Request(method="POST", path=b"/bucket", query=b"delete").with_body(document)
        for mode in (SIGNED_TRAILER, UNSIGNED_TRAILER):
            trailed = rig.alpha.owner.chunked(request, mode, trailer=(f"x-amz-checksum-{name}", value))
            assert (await rig.send(trailed)).status == 200
        assert (await ask("HEAD", "/bucket/key")).status == 404


SERVED = {
    # what a sub-resource is served by, for a plain object
    ("GET", "partNumber"), ("HEAD", "partNumber"), ("POST", "uploads"), ("GET", "acl"), ("GET", "tagging"), ("DELETE", "tagging"),
}  # fmt: skip


@pytest.mark.parametrize("resource", sorted(SUB_RESOURCES))
async def test_sub_resources_of_objects(rig: Rig, ask: Ask, resource: str) -> None:
    """A sub-resource that is not served is not the object: PUT ?acl overwrites nothing and DELETE ?retention deletes nothing."""
    await ask("PUT", "/bucket/key", body=BODY)
    for method in ("PUT", "POST", "DELETE", "GET", "HEAD"):
        for suffix in ("", "=", "=x", "&versionId=null"):
            if (method, resource) in SERVED:
                continue
            before = rig.dump()
            response = await ask(method, f"/bucket/key?{resource}{suffix}", body=b"<X/>" if method in {"PUT", "POST"} else b"")
            assert response.status in {400, 404, 405, 501}, (method, suffix, response)
            assert rig.dump() == before


SERVED_OF_BUCKETS = {
    ("DELETE", "cors"),
    ("DELETE", "lifecycle"),
    ("DELETE", "ownershipControls"),
    ("DELETE", "policy"),
    ("DELETE", "publicAccessBlock"),
    ("DELETE", "tagging"),
} | {
    ("GET", name)
    for name in (
        *("accelerate", "acl", "location", "logging", "notification", "ownershipControls", "policyStatus", "publicAccessBlock"),
        *("requestPayment", "uploads", "versioning", "versions"),
    )
}


@pytest.mark.parametrize("resource", sorted(SUB_RESOURCES))
async def test_sub_resources_of_buckets(rig: Rig, ask: Ask, resource: str) -> None:
    """The same for buckets: PUT ?policy makes no bucket and DELETE ?cors deletes none."""
    assert (await ask("PUT", "/vacant")).status == 200
    for bucket in ("vacant", "missing"):
        for method in ("PUT", "POST", "DELETE", "GET", "HEAD"):
            if (method, resource) in SERVED_OF_BUCKETS and bucket == "vacant":
                continue
            before = rig.dump()
            response = await ask(method, f"/{bucket}?{resource}", body=b"<X/>" if method in {"PUT", "POST"} else b"")
            assert response.status in {400, 404, 405, 501}, (method, response)
            assert rig.dump() == before


def test_every_sub_resource_of_s3_is_known() -> None:
    """Each query parameter that S3's model puts into a request's address is known to the router as a sub-resource."""
    model = botocore.session.get_session().get_service_model("s3")
    found = set()
    for name in model.operation_names:
        uri = model.operation_model(name).http["requestUri"]
        found |= {part.partition("=")[0] for part in uri.partition("?")[2].split("&") if part}
    assert found - {"x-id", "list-type", "select-type"} <= SUB_RESOURCES


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "CONNECT", "get", "PROPFIND", "X"])
@pytest.mark.parametrize("target", ["/", "/bucket", "/bucket/key"])
async def test_unknown_methods(rig: Rig, ask: Ask, method: str, target: str) -> None:
    """A method that S3 does not have is told so, and does nothing."""
    before = rig.dump()
    response = await ask(method, target)
    assert response.status in {405, 501}
    assert b"<Code>NotImplemented</Code>" in response.body or b"<Code>MethodNotAllowed</Code>" in response.body
    assert rig.dump() == before


@pytest.mark.parametrize(("method", "target"), [("PUT", "/"), ("DELETE", "/"), ("HEAD", "/"), ("POST", "/bucket"), ("POST", "/bucket/key")])
async def test_methods_that_a_resource_has_not(rig: Rig, ask: Ask, method: str, target: str) -> None:
    """405 where S3 has the method and the resource has not."""
    before = rig.dump()
    assert (await ask(method, target)).status in {405, 501}
    assert rig.dump() == before


async def test_a_body_that_a_read_has(rig: Rig) -> None:
    """A GET may bring a body: it is read, compared with its signature, and of no effect."""
    request = Request(path=b"/bucket").with_body(b"x" * 1000)
    assert (await rig.send(rig.alpha.owner.header(request))).status == 200
    response = await rig.send(evolve(rig.alpha.owner.header(request), messages=(b"y" * 1000,)))
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in response.body


async def test_a_refused_body_is_read_or_the_connection_closes(rig: Rig, ask: Ask) -> None:
    """Behind a refusal the rest of a small body is taken off the connection; with a large one it closes (RFC 9112 section 9.3)."""
    small = await ask("PUT", "/nowhere/key", body=b"x" * 1000)
    assert (small.status, small.headers.get("connection")) == (404, None)
    request = Request(method="PUT", path=b"/nowhere/key").with_body(b"x" * (1 << 20), pieces=8)
    large = await rig.send(rig.alpha.owner.header(request))
    assert (large.status, large.headers["connection"]) == (404, "close")
