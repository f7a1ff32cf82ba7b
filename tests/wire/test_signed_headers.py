"""The bug class of 2026: an `x-amz-*` header that the signature does not cover is refused, whatever it is."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import botocore.session
import pytest
from attrs import evolve

from asgi import Request
from faces import Rig
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import PutObject
from lightningstor_types.streams import BytesStream
from signers import UNSIGNED


def headers_of_s3() -> list[str]:
    """Every `x-amz-*` header that S3's model lets a request have, and some that only a store's inside would."""
    model = botocore.session.get_session().get_service_model("s3")
    found = set()
    for name in model.operation_names:
        shape: Any = model.operation_model(name).input_shape
        members = shape.members.values() if shape is not None else ()
        found |= {member.serialization["name"].lower() for member in members if member.serialization.get("location") == "header"}
    internal = {"x-amz-meta-a", "x-amz-security-token", "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-unheard-of", "x-amz-"}
    return sorted({name for name in found if name.startswith("x-amz-")} | internal)


HEADERS = headers_of_s3()
SECRET = b"what the signer alone may read"


@pytest.fixture(autouse=True)
async def _secret(rig: Rig) -> None:
    """An object that a copy could read in the signer's name."""
    await rig(PutObject(bucket=BucketName("bucket"), key=ObjectKey("secret"), body=BytesStream(SECRET)))


def test_there_are_many() -> None:
    """The model still tells them."""
    assert len(HEADERS) > 100
    assert {"x-amz-copy-source", "x-amz-acl", "x-amz-tagging", "x-amz-server-side-encryption", "x-amz-object-lock-mode"} <= set(HEADERS)


@pytest.mark.parametrize("name", HEADERS)
async def test_unsigned_headers(rig: Rig, name: str) -> None:
    """On another's presigned request, and on a header-signed one, any such header is AccessDenied and has no effect."""
    before = rig.dump()
    value = "/bucket/secret" if "source" in name else "x"
    for method in ("PUT", "GET", "DELETE", "POST"):
        request = Request(method=method, path=b"/bucket/key").with_body(b"body")
        for signed in (
            rig.alpha.owner.presigned(request),
            rig.alpha.owner.header(request),
            rig.alpha.owner.header(request, payload=UNSIGNED),
        ):
            response = await rig.send(signed.with_headers((name, value)))
            code = (400, b"<Code>InvalidToken</Code>") if name == "x-amz-security-token" else (403, b"<Code>AccessDenied</Code>")
            assert (response.status, code[1] in response.body) == (code[0], True), (method, response)
            assert SECRET not in response.body
            assert rig.dump() == before


@pytest.mark.parametrize("spelling", ["X-Amz-Copy-Source", "x-AMZ-copy-SOURCE"])
async def test_any_spelling(rig: Rig, spelling: str) -> None:
    """Header names have no case."""
    before = rig.dump()
    presigned = rig.alpha.owner.presigned(Request(method="PUT", path=b"/bucket/key").with_body(b""))
    assert (await rig.send(presigned.with_headers((spelling, "/bucket/secret")))).status == 403
    assert rig.dump() == before


async def test_signed_headers_that_changed(rig: Rig) -> None:
    """A header that was signed and has another value, or is gone, breaks the signature."""
    before = rig.dump()
    request = Request(method="PUT", path=b"/bucket/copy").with_headers(("x-amz-copy-source", "/bucket/key")).with_body(b"")
    signed = rig.alpha.owner.header(request)
    for other in (
        signed.without_headers("x-amz-copy-source").with_headers(("x-amz-copy-source", "/bucket/secret")),
        signed.without_headers("x-amz-copy-source"),
        signed.without_headers("x-amz-date"),
    ):
        assert (await rig.send(other)).status == 403
    assert rig.dump() == before


async def test_a_copy_that_was_signed(rig: Rig) -> None:
    """The same header, signed, is what it says: the refusals above are not of the copy."""
    request = Request(method="PUT", path=b"/bucket/copy").with_headers(("x-amz-copy-source", "/bucket/secret")).with_body(b"")
    for signed in (rig.alpha.owner.header(request), rig.alpha.owner.presigned(request)):
        assert (await rig.send(signed)).status == 200


HOISTED = {"x-amz-meta-a": "one two", "X-Amz-Meta-B": "1", "x-amz-storage-class": "STANDARD_IA"}


async def test_hoisted_headers(rig: Rig) -> None:
    """Presigners put `x-amz-*` headers into the query, which is signed: they count as the headers that they are."""
    query = urlencode(HOISTED, quote_via=quote).encode()
    request = Request(method="PUT", path=b"/bucket/hoisted", query=query).with_body(b"body")
    assert (await rig.send(rig.alpha.owner.presigned(request))).status == 200
    told = (await rig.ask("HEAD", "/bucket/hoisted")).headers
    assert (told["x-amz-meta-a"], told["x-amz-meta-b"], told["x-amz-storage-class"]) == ("one two", "1", "STANDARD_IA")
    copy = Request(method="PUT", path=b"/bucket/copy", query=b"x-amz-copy-source=%2Fbucket%2Fhoisted")
    assert b"<CopyObjectResult" in (await rig.send(rig.alpha.owner.presigned(copy))).body
    assert (await rig.ask("GET", "/bucket/copy")).body == b"body"


@pytest.mark.parametrize("value", ["ä", "\u2603"], ids=ascii)
async def test_hoisted_headers_are_utf_8(rig: Rig, value: str) -> None:
    """As those that come as headers, and told in the same way; the two together agree."""
    header = ("x-amz-meta-a", value.encode().decode("latin-1"))
    plain = Request(method="PUT", path=b"/bucket/header").with_headers(header).with_body(b"body")
    assert (await rig.send(rig.alpha.owner.header(plain))).status == 200
    told = (await rig.ask("HEAD", "/bucket/header")).headers["x-amz-meta-a"]
    query = f"x-amz-meta-a={quote(value)}".encode()
    hoisted = Request(method="PUT", path=b"/bucket/hoisted", query=query).with_body(b"body")
    for request in (hoisted, hoisted.with_headers(header)):
        assert (await rig.send(rig.alpha.owner.presigned(request))).status == 200
        assert (await rig.ask("HEAD", "/bucket/hoisted")).headers["x-amz-meta-a"] == told


async def test_hoisted_headers_that_changed(rig: Rig) -> None:
    """They are covered by the signature as any parameter is; added to a signed query they break it."""
    before = rig.dump()
    signed = rig.alpha.owner.presigned(Request(method="PUT", path=b"/bucket/key", query=b"x-amz-meta-a=one").with_body(b"body"))
    for query in (
        signed.query.replace(b"x-amz-meta-a=one", b"x-amz-meta-a=two"),
        signed.query.replace(b"x-amz-meta-a=one&", b""),
        signed.query + b"&x-amz-copy-source=%2Fbucket%2Fsecret",
    ):
        assert query != signed.query
        assert (await rig.send(evolve(signed, query=query))).status == 403
    assert rig.dump() == before


async def test_hoisted_headers_that_contradict(rig: Rig) -> None:
    """A header of that name that says otherwise is InvalidArgument, signed or not; one that says the same is none the worse."""
    before = rig.dump()
    plain = Request(method="PUT", path=b"/bucket/key", query=b"x-amz-meta-a=one").with_body(b"body")
    for request in (
        plain.with_headers(("x-amz-meta-a", "two")),
        evolve(plain, query=b"x-amz-meta-a=one&X-Amz-Meta-A=two"),
    ):
        response = await rig.send(rig.alpha.owner.presigned(request))
        assert (response.status, b"<Code>InvalidArgument</Code>" in response.body) == (400, True)
    unsigned = rig.alpha.owner.presigned(plain).with_headers(("x-amz-meta-a", "one"))
    assert (await rig.send(unsigned)).status == 403
    assert rig.dump() == before
    assert (await rig.send(rig.alpha.owner.presigned(plain.with_headers(("x-amz-meta-a", "one"))))).status == 200


async def test_a_query_that_signs_nothing_hoists_nothing(rig: Rig) -> None:
    """Of a request that is signed in its header the query is the query."""
    request = Request(method="PUT", path=b"/bucket/plain", query=b"x-amz-meta-a=one").with_body(b"body")
    assert (await rig.send(rig.alpha.owner.header(request))).status == 200
    assert "x-amz-meta-a" not in (await rig.ask("HEAD", "/bucket/plain")).headers


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "HEAD"])
async def test_signature_version_2(rig: Rig, method: str) -> None:
    """Version 2 is refused, in its header and in its query, and so is version 4A."""
    before = rig.dump()
    access_key = rig.alpha.owner.access_key
    request = Request(method=method, path=b"/bucket/secret")
    date = ("date", "Fri, 02 Jan 2026 03:04:05 GMT")
    for old in (
        request.with_headers(("authorization", f"AWS {access_key}:AAAAAAAAAAAAAAAAAAAAAAAAAAA="), date),
        request.with_headers(("authorization", f"AWS4-ECDSA-P256-SHA256 Credential={access_key}/20260102/s3/aws4_request"), date),
        Request(method=method, path=b"/bucket/secret", query=f"AWSAccessKeyId={access_key}&Expires=1799999999&Signature=A%3D".encode()),
        Request(method=method, path=b"/bucket/secret", query=b"Signature=A%3D&Expires=1799999999"),
    ):
        response = await rig.send(old)
        assert response.status == 400
        assert method == "HEAD" or b"<Code>InvalidRequest</Code>" in response.body
    for foreign in ("Bearer abc", "Basic YTpi", "", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 x"):
        assert (await rig.send(request.with_headers(("authorization", foreign), date))).status == 400
    assert rig.dump() == before
