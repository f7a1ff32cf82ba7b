"""Which bucket and key a request is about: path style, virtual-hosted style, and what stands twice."""

from __future__ import annotations

import pytest
from attrs import evolve

from asgi import Request
from faces import Ask, Rig


@pytest.fixture(autouse=True)
async def _object(ask: Ask) -> None:
    """An object whose key begins with a slash, one whose key ends with one, and a plain one."""
    for key, body in (("key", b"plain"), ("/key", b"leading"), ("key/", b"trailing"), ("a//b", b"double"), ("..", b"dots")):
        assert (await ask("PUT", f"/bucket/{key}", body=body)).status == 200


@pytest.mark.parametrize(
    ("host", "target", "content"),
    [
        ("s3.test", "/bucket/key", b"plain"),
        ("s3.test:9001", "/bucket/key", b"plain"),
        ("127.0.0.1:9001", "/bucket/key", b"plain"),
        ("[::1]:9001", "/bucket/key", b"plain"),
        ("elsewhere.test", "/bucket/key", b"plain"),
        ("bucket.elsewhere.test", "/bucket/key", b"plain"),
        ("bucket.s3.test", "/key", b"plain"),
        ("bucket.s3.test:9001", "/key", b"plain"),
        ("BUCKET.S3.TEST", "/key", b"plain"),
        ("bucket.s3.test", "//key", b"leading"),
        ("s3.test", "/bucket//key", b"leading"),
        ("bucket.s3.test", "/key/", b"trailing"),
        ("bucket.s3.test", "/a//b", b"double"),
        ("bucket.s3.test", "/..", b"dots"),
        ("s3.test", "/bucket/..", b"dots"),
        ("s3.test", "/bucket/%2e%2e", b"dots"),
        ("s3.test", "/bucket/%6Bey", b"plain"),
        ("s3.test", "/%62ucket/key", b"plain"),
        ("s3.test", "/bucket/%2Fkey", b"leading"),
    ],
)
async def test_the_object_of_an_address(ask: Ask, host: str, target: str, content: bytes) -> None:
    """A host below the server's domain names the bucket, any other leaves it to the path; nothing is normalised."""
    response = await ask("GET", target, ("host", host))
    assert (response.status, response.body) == (200, content)


async def test_the_bucket_of_a_host(ask: Ask) -> None:
    """The root of a bucket's host is the bucket; that of the domain is the service."""
    assert b"<Name>bucket</Name><Prefix>" in (await ask("GET", "/", ("host", "bucket.s3.test"))).body
    assert b"<ListAllMyBucketsResult" in (await ask("GET", "/", ("host", "s3.test"))).body
    assert (await ask("GET", "/", ("host", "missing.s3.test"))).status == 404
    assert (await ask("GET", "/", ("host", "a.b.s3.test"))).status == 404
    assert (await ask("GET", "/bucket/", ("host", "s3.test"))).status == 200


async def test_the_host_is_signed(rig: Rig) -> None:
    """A signature for one bucket's host is none for another's."""
    signed = rig.alpha.owner.header(Request(path=b"/key").with_headers(("host", "bucket.s3.test")))
    assert (await rig.send(signed)).status == 200
    moved = signed.without_headers("host").with_headers(("host", "another.s3.test"))
    assert (await rig.send(moved)).status == 403


async def test_the_dots_of_a_path_are_a_key(ask: Ask) -> None:
    """`..` climbs nowhere: it is a key, and a bucket never has that name (CVE-2026-54917 of another store)."""
    for target in ("/bucket/../bucket/key", "/bucket/a/../key", "/bucket/./key", "/bucket/%2e%2e/bucket/key", "/bucket/..%2fkey"):
        assert (await ask("GET", target)).status == 404
    assert (await ask("GET", "/../bucket/key")).status == 400


TWICE = [
    "versionId=null&versionId=null", "versionId=null&version%49d=null", "partNumber=1&partNumber=2",
    "response-expires=0&response-expires=1", "acl&acl", "x=1&x=2",
]  # fmt: skip


@pytest.mark.parametrize("query", TWICE)
async def test_parameters_that_come_twice(ask: Ask, query: str) -> None:
    """A parameter that comes twice, in any writing, is refused: nobody guesses which one is meant."""
    response = await ask("GET", f"/bucket/key?{query}")
    assert (response.status, b"<Code>InvalidArgument</Code>" in response.body) == (400, True)


SINGLE = [
    "x-amz-date", "x-amz-content-sha256", "authorization", "host", "content-length", "content-md5", "x-amz-acl", "x-amz-copy-source",
    "x-amz-storage-class", "x-amz-decoded-content-length",
]  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
async def test_headers_that_come_twice(rig: Rig, name: str) -> None:
    """A header that has one value is refused where it comes twice, equal values included."""
    before = rig.dump()
    signed = rig.alpha.owner.header(Request(method="PUT", path=b"/bucket/new").with_headers(("host", "s3.test")).with_body(b"x"))
    value = signed.header(name) or "x"
    once = signed if signed.header(name) else signed.with_headers((name, value))
    response = await rig.send(once.with_headers((name.upper(), value)))
    assert (response.status, b"<Code>InvalidArgument</Code>" in response.body) == (400, True)
    assert rig.dump() == before


async def test_user_metadata_that_come_twice(rig: Rig, ask: Ask) -> None:
    """User metadata may be spread over several lines, which are one list (RFC 9110 section 5.3)."""
    request = Request(method="PUT", path=b"/bucket/new").with_body(b"x").with_headers(("x-amz-meta-a", "one,two"))
    signed = rig.alpha.owner.header(request).without_headers("x-amz-meta-a")
    assert (await rig.send(signed.with_headers(("x-amz-meta-a", "one"), ("X-Amz-Meta-A", "two")))).status == 200
    assert (await ask("HEAD", "/bucket/new")).headers["x-amz-meta-a"] == "one,two"


QUERIES = {
    b"prefix=a+b": "a b",
    b"prefix=a%20b": "a b",
    b"prefix=a%2Bb": "a+b",
    b"prefix=%C3%BC": "ü",
    b"prefix=\xc3\xbc": "ü",
    b"prefix=a=b": "a=b",
    b"pre%66ix=a": "a",
    b"prefix=&&": "",
}


@pytest.mark.parametrize(("query", "prefix"), QUERIES.items())
async def test_what_is_signed_is_what_is_meant(rig: Rig, query: bytes, prefix: str) -> None:
    """A parameter is read as the signature reads it: plus is a space, escapes are bytes, and bytes are UTF-8."""
    response = await rig.send(rig.alpha.owner.by_hand(Request(path=b"/bucket", query=query)))
    assert (response.status, f"<Prefix>{prefix}</Prefix>".encode() in response.body) == (200, True)


async def test_requests_without_a_host(rig: Rig) -> None:
    """A request without Host names its bucket by its path, and cannot be signed."""
    bare = evolve(Request(path=b"/bucket/key").with_headers(("host", "")))
    assert (await rig.send(bare)).status == 403
