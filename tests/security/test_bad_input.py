"""Bad input gets a typed error and changes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
import strategies
from asgi import Request, Response, exchange
from attrs import evolve
from faces import Rig
from hypothesis import HealthCheck, given, settings
from lightningstor_server.s3.xml import DOCUMENT_MAX_BYTES
from lightningstor_types.errors import codes
from lightningstor_types.names import PUT_MAX_BYTES
from samples import BODY, WITH_BODY, WITH_DOCUMENT, Furnished, sample
from signers import SIGNED, SIGNED_TRAILER, UNSIGNED, UNSIGNED_TRAILER, crc32, md5

MODES = (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)
BAD = "AAAA"
REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
"""The store is left as it was by every example, which the example itself shows."""


def code_of(response: Response) -> str:
    """The S3 code that the response tells, which must be one of ours with its status."""
    found = re.search(rb"<Code>(\w+)</Code>", response.body)
    assert found is not None, response
    code = found[1].decode()
    assert codes()[code].status == response.status
    return code


async def refused(rig: Rig, request: Request, *expected: str, signed: bool = False) -> Response:
    """Send a request; it must be refused with one of these codes, and change nothing."""
    before = rig.dump()
    response = await exchange(rig.app, request if signed else rig.alpha.owner.by_hand(request))
    assert code_of(response) in expected, response
    assert rig.dump() == before
    return response


# -- documents


def with_document(request: Request, document: bytes) -> Request:
    """The request with another document, and the digest that fits it."""
    changed = request.with_body(document)
    if changed.header("content-md5") is not None:
        changed = changed.without_headers("content-md5").with_headers(("content-md5", md5(document)))
    return changed


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "doctype": lambda good: b"<!DOCTYPE a>" + good,
    "doctype of a system": lambda good: b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">' + good,
    "doctype of a public": lambda good: b'<!DOCTYPE a PUBLIC "-//x" "x.dtd">' + good,
    "doctype, empty": lambda good: b"<!DOCTYPE a []>" + good,
    "entity": lambda good: b'<!DOCTYPE a [<!ENTITY b "c">]>' + good.replace(b"</", b"&b;</", 1),
    "entity of a file": lambda good: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + good.replace(b"</", b"&b;</", 1),
    "entities, a thousand laughs": lambda good: (
        b'<!DOCTYPE a [<!ENTITY l0 "ha">'
        + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
        + b"]>"
        + good.replace(b"</", b"&l9;</", 1)
    ),
    "parameter entity": lambda good: b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:1/x">%b;]>' + good,
    "doctype in UTF-16": lambda good: ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a>' + good.decode()).encode("utf-16"),
    "undeclared entity": lambda good: good.replace(b"</", b"&b;</", 1),
    "processing instruction": lambda good: b'<?xml-stylesheet href="x"?>' + good,
    "processing instruction within": lambda good: good.replace(b"</", b"<?php x ?></", 1),
    "unknown element": lambda good: good.replace(b"</", b"<Unknown/></", 1),
    "unknown element at the top": lambda good: re.sub(rb"^<(\w+)>", rb"<\1><Unknown>x</Unknown>", good),
    "another root": lambda good: b"<Root>" + good + b"</Root>",
    "root in lower case": lambda good: good.lower(),
    "two roots": lambda good: good + good,
    "cut off": lambda good: good[:-1],
    "text before": lambda good: b"x" + good,
    "not closed": lambda good: good.replace(b"</", b"<", 1),
    "no XML": lambda _: b"hello",
    "JSON": lambda _: b"{}",
    "a space": lambda _: b" ",
    "NUL": lambda good: good.replace(b"</", b"\0</", 1),
    "reference to NUL": lambda good: good.replace(b"</", b"&#0;</", 1),
    "reference to a surrogate": lambda good: good.replace(b"</", b"&#xD800;</", 1),
    "no UTF-8": lambda good: good.replace(b"</", b"\xff</", 1),
    "unknown encoding": lambda good: b'<?xml version="1.0" encoding="x-none"?>' + good,
    "depth": lambda good: re.sub(rb"^<(\w+)>", rb"<\1>" + b"<a>" * 100 + b"</a>" * 100, good),
    "great depth": lambda good: re.sub(rb"^<(\w+)>", rb"<\1>" + b"<a>" * 100_000 + b"</a>" * 100_000, good),
    "unbound prefix": lambda good: re.sub(rb"^<(\w+)>(.*)</\1>$", rb"<x:\1>\2</x:\1>", good),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_malformed_documents(rig: Rig, at: Furnished, name: str, damage: str) -> None:
    """Whatever is not the document that the operation takes is MalformedXML; nothing is fetched, nothing grows."""
    request = sample(name, at)
    await refused(rig, with_document(request, DAMAGE[damage](request.body)), "MalformedXML")


@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_doubled_elements(rig: Rig, at: Furnished, name: str) -> None:
    """An element that stands once stands once: no parser guesses which one is meant."""
    good = sample(name, at).body
    doubled = re.sub(rb"(<(LocationConstraint|Key|ETag)>[^<]*</\2>)", rb"\1\1", good, count=1)
    assert doubled != good
    await refused(rig, with_document(sample(name, at), doubled), "MalformedXML")


@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_documents_beyond_the_limit(rig: Rig, at: Furnished, name: str) -> None:
    """A document has at most 4 MiB; a longer one is not parsed."""
    request = sample(name, at)
    long = request.body + b" " * DOCUMENT_MAX_BYTES
    await refused(rig, with_document(request, long), "MaxMessageLengthExceeded")


@pytest.mark.parametrize("name", ["DeleteObjects", "CompleteMultipartUpload"])
async def test_documents_that_are_empty(rig: Rig, at: Furnished, name: str) -> None:
    """An empty document asks for nothing, which no client means."""
    request = sample(name, at)
    root = request.body.partition(b">")[0] + b"/>"
    for document in (b"", root, root.replace(b"/>", b"><Quiet>perhaps</Quiet></Delete>")):
        await refused(rig, with_document(request, document), "MalformedXML")


async def test_elements_without_their_own(rig: Rig, at: Furnished) -> None:
    """What an element needs within it has to be there, in its form."""
    delete, complete = sample("DeleteObjects", at), sample("CompleteMultipartUpload", at)
    for inner in (b"<Object/>", b"<Object><Size>1</Size></Object>", b"<Object><Key>a</Key><Size>x</Size></Object>",
                  b"<Object><Key><b/></Key></Object>", b"<Object><Key>a</Key><LastModifiedTime>never</LastModifiedTime></Object>"):  # fmt: skip
        await refused(rig, with_document(delete, b"<Delete>" + inner + b"</Delete>"), "MalformedXML")
    for inner in (b"<Part/>", b"<Part><PartNumber>1</PartNumber></Part>", b"<Part><ETag>a</ETag></Part>",
                  b"<Part><PartNumber>0</PartNumber><ETag>a</ETag></Part>", b"<Part><PartNumber>x</PartNumber><ETag>a</ETag></Part>"):  # fmt: skip
        document = b"<CompleteMultipartUpload>" + inner + b"</CompleteMultipartUpload>"
        await refused(rig, with_document(complete, document), "MalformedXML")


async def test_batches_beyond_the_limit(rig: Rig, at: Furnished) -> None:
    """A thousand keys go, and ten thousand parts; one more does not."""
    keys = b"".join(b"<Object><Key>%d</Key></Object>" % n for n in range(1001))
    await refused(rig, with_document(sample("DeleteObjects", at), b"<Delete>" + keys + b"</Delete>"), "MalformedXML")
    part = b"<Part><PartNumber>%d</PartNumber><ETag>a</ETag></Part>"
    parts = b"".join(part % n for n in range(1, 10_002))
    document = b"<CompleteMultipartUpload>" + parts + b"</CompleteMultipartUpload>"
    await refused(rig, with_document(sample("CompleteMultipartUpload", at), document), "MalformedXML")


@REUSED
@given(document=strategies.damaged_documents)
async def test_any_document(rig: Rig, at: Furnished, document: bytes) -> None:
    """Any bytes at all in the place of a document get an error that has a name."""
    for name in ("CreateBucket", "CompleteMultipartUpload"):
        request = with_document(sample(name, at), document)
        await refused(rig, request, "MalformedXML", "InvalidPart", "IllegalLocationConstraintException", "InvalidPartOrder")


# -- digests

SHA = hashlib.sha256(BODY).hexdigest()
DIGESTS: list[tuple[list[tuple[str, str]], str]] = [
    ([("content-md5", md5(b"another"))], "BadDigest"),
    ([("content-md5", BAD)], "InvalidDigest"),
    ([("content-md5", "no base64")], "InvalidDigest"),
    ([("content-md5", "")], "InvalidDigest"),
    ([("content-md5", "Ã¼")], "InvalidDigest"),
    *(
        ([(f"x-amz-checksum-{name}", wrong)], "BadDigest")
        for name, wrong in (
            ("crc32", "AAAAAA=="), ("crc32c", "AAAAAA=="), ("crc64nvme", "AAAAAAAAAAA="), ("sha1", "A" * 27 + "="), ("sha256", "A" * 43 + "=")
        )
    ),
    *(([(f"x-amz-checksum-{name}", BAD)], "InvalidRequest") for name in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")),
    *(([(f"x-amz-checksum-{name}", "")], "InvalidRequest") for name in ("crc32", "sha256")),
    ([("x-amz-checksum-crc32", crc32(BODY)), ("x-amz-checksum-sha256", "A" * 43 + "=")], "InvalidRequest"),
    ([("x-amz-checksum-crc32", crc32(BODY)), ("x-amz-sdk-checksum-algorithm", "SHA256")], "InvalidRequest"),
    ([("x-amz-sdk-checksum-algorithm", "CRC7")], "InvalidRequest"),
    # checksums that S3 has and this server has not: to store the body without having compared them would be to lie
    *(([(f"x-amz-checksum-{name}", BAD)], "NotImplemented") for name in ("md5", "sha512", "xxhash3", "xxhash64", "xxhash128", "crc7")),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "code"), DIGESTS, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("name", WITH_BODY)
async def test_wrong_digests_of_bodies(rig: Rig, at: Furnished, name: str, headers: list[tuple[str, str]], code: str) -> None:
    """A body that is not what a header says of it is not stored, nor one of which a header says nonsense."""
    await refused(rig, sample(name, at).with_headers(*headers), code)


@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_wrong_digests_of_documents(rig: Rig, at: Furnished, name: str) -> None:
    """A document is compared with its Content-MD5, and with its payload hash, before anything is done."""
    request = sample(name, at).without_headers("content-md5")
    await refused(rig, request.with_headers(("content-md5", md5(b"another"))), "BadDigest")
    await refused(rig, request.with_headers(("content-md5", BAD)), "InvalidDigest")
    hashed = rig.alpha.owner.header(sample(name, at), payload=hashlib.sha256(b"another").hexdigest())
    await refused(rig, hashed, "XAmzContentSHA256Mismatch", signed=True)


async def test_wrong_digests_of_deletes(rig: Rig, at: Furnished) -> None:
    """DeleteObjects compares each form of digest that it takes in the place of Content-MD5."""
    request = sample("DeleteObjects", at).without_headers("content-md5")
    await refused(rig, request, "MissingSecurityHeader")
    for headers, code in DIGESTS[5:-6]:
        if headers[0][0].startswith("x-amz-checksum"):
            await refused(rig, request.with_headers(*headers[:1]), code, "BadDigest")
    await refused(rig, request.with_headers(("x-amz-checksum-sha512", BAD)), "NotImplemented", "MissingSecurityHeader")
    trailing = rig.alpha.owner.chunked(request, UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", "AAAAAA=="))
    await refused(rig, trailing, "BadDigest", signed=True)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_wrong_payload_hash(rig: Rig, at: Furnished, name: str) -> None:
    """The hash that was signed is compared, and what is no payload value is refused."""
    owner, request = rig.alpha.owner, sample(name, at)
    await refused(rig, owner.header(request, payload="0" * 64), "XAmzContentSHA256Mismatch", signed=True)
    for payload in ("", SHA[:-1], SHA + "0", "g" * 64, "unsigned-payload", "STREAMING"):
        await refused(rig, owner.header(request, payload=payload or " "), "InvalidArgument", "SignatureDoesNotMatch", signed=True)
    unsaid = owner.header(request).without_headers("x-amz-content-sha256")
    await refused(rig, unsaid, "InvalidRequest", signed=True)


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("name", WITH_BODY)
async def test_wrong_trailers(rig: Rig, at: Furnished, name: str, mode: str) -> None:
    """A checksum behind the body counts as one before it."""
    for trailer, code in (
        (("x-amz-checksum-crc32", "AAAAAA=="), "BadDigest"),
        (("x-amz-checksum-sha256", "A" * 43 + "="), "BadDigest"),
        (("x-amz-checksum-crc32", BAD), "InvalidRequest"),
        (("x-amz-checksum-sha512", BAD), "InvalidRequest"),
    ):
        await refused(rig, rig.alpha.owner.chunked(sample(name, at), mode, trailer=trailer), code, signed=True)


# -- lengths


def unfinished(request: Request, keep: int) -> Request:
    """The request whose client goes away behind so many bytes."""
    return evolve(request, messages=(request.body[:keep],), vanishes=True)


@pytest.mark.parametrize("keep", [0, 1, len(BODY) // 2, len(BODY) - 1, len(BODY)])
@pytest.mark.parametrize("name", WITH_BODY)
async def test_clients_that_vanish(rig: Rig, at: Furnished, name: str, keep: int) -> None:
    """A client that goes away before the end of its body has written nothing, in every mode."""
    owner, request = rig.alpha.owner, sample(name, at)
    for signed in (owner.header(request), owner.header(request, payload=UNSIGNED), owner.presigned(request)):
        await refused(rig, unfinished(signed, keep), "IncompleteBody", signed=True)
    for mode in MODES:
        framed = owner.chunked(request, mode)
        await refused(rig, unfinished(framed, len(framed.body) * keep // len(BODY)), "IncompleteBody", signed=True)
        without_length = framed.without_headers("content-length").with_headers(("transfer-encoding", "chunked"))
        await refused(rig, unfinished(without_length, len(framed.body) * keep // len(BODY)), "IncompleteBody", signed=True)


@pytest.mark.parametrize("name", WITH_DOCUMENT)
async def test_clients_that_vanish_in_a_document(rig: Rig, at: Furnished, name: str) -> None:
    """The same for documents, of which a part might be one."""
    signed = rig.alpha.owner.header(sample(name, at))
    for keep in (0, 1, len(signed.body) - 1, len(signed.body)):
        await refused(rig, unfinished(signed, keep), "IncompleteBody", signed=True)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_bodies_of_another_length(rig: Rig, at: Furnished, name: str) -> None:
    """A body is as long as its header says, whatever the HTTP server lets through."""
    owner, request = rig.alpha.owner, sample(name, at)
    for length in (0, 1, len(BODY) - 1, len(BODY) + 1):
        signed = owner.header(request, payload=UNSIGNED).without_headers("content-length")
        wrong = signed.with_headers(("content-length", str(length)))
        if length:
            await refused(rig, wrong, "IncompleteBody", signed=True)
        for mode in MODES:
            framed = owner.chunked(request, mode)
            said = str(len(BODY))
            lied = owner.chunked(request.with_body(BODY[:length].ljust(length, b"x")), mode, framed=framed.body)
            assert lied.header("x-amz-decoded-content-length") != said
            await refused(rig, lied, "IncompleteBody", "SignatureDoesNotMatch", signed=True)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_lengths_that_are_none(rig: Rig, at: Furnished, name: str) -> None:
    """A length is a decimal number of bytes that one write may have."""
    owner, request = rig.alpha.owner, sample(name, at)
    bare = owner.header(request, payload=UNSIGNED).without_headers("content-length")
    await refused(rig, bare, "MissingContentLength", signed=True)
    for length in ("-1", "+1", "0x10", "1e3", "1 ", "", "ten", "1,1", "²", "9" * 40):
        await refused(rig, bare.with_headers(("content-length", length)), "InvalidArgument", signed=True)
    for length in (PUT_MAX_BYTES + 1, 10**18):
        await refused(rig, bare.with_headers(("content-length", str(length))), "EntityTooLarge", signed=True)
    for mode in MODES:
        head = request.without_headers("content-length").with_headers(("content-encoding", "aws-chunked"))
        await refused(rig, owner.header(head.with_body(b"x"), payload=mode), "MissingContentLength", signed=True)
        for length in ("-1", "ten", ""):
            lied = head.with_headers(("x-amz-decoded-content-length", length))
            await refused(rig, owner.header(lied, payload=mode), "InvalidArgument", signed=True)


@pytest.mark.parametrize("name", [*WITH_BODY, *WITH_DOCUMENT, "CopyObject", "GetObject", "DeleteObject"])
async def test_unknown_framings(rig: Rig, at: Furnished, name: str) -> None:
    """A payload value that begins with STREAMING and is not known is never taken for a plain body."""
    owner, request = rig.alpha.owner, sample(name, at)
    for payload in ("STREAMING-AWS4-HMAC-SHA512-PAYLOAD", "STREAMING-", "STREAMING-UNSIGNED-PAYLOAD", SIGNED.lower(), SIGNED + " X"):
        await refused(rig, owner.header(request, payload=payload), "InvalidArgument", signed=True)
    for payload in ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"):
        await refused(rig, owner.header(request, payload=payload), "NotImplemented", signed=True)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_framing_beside_a_hash(rig: Rig, at: Furnished, name: str) -> None:
    """Content-Encoding aws-chunked with the hash of a plain body contradict each other."""
    await refused(rig, sample(name, at).with_headers(("content-encoding", "aws-chunked")), "InvalidRequest")


FRAMES = [
    b"", b"0", b"0\r\n", b"x\r\n", b"-1\r\n", b"5\r\nhello", b"5\r\nhell\r\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"05\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhello\r\n0\r\n\r\nmore", b"f" * 200,
    b"ffffffffff\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"hello",
]  # fmt: skip


@pytest.mark.parametrize("framed", FRAMES, ids=repr)
@pytest.mark.parametrize("mode", MODES)
async def test_malformed_framing(rig: Rig, at: Furnished, mode: str, framed: bytes) -> None:
    """Framing that two parsers could read as two bodies is read as none."""
    request = rig.alpha.owner.chunked(sample("PutObject", at).with_body(b"hello"), mode, framed=framed)
    await refused(rig, request, "InvalidRequest", "IncompleteBody", "MalformedTrailerError", "SignatureDoesNotMatch", signed=True)


# -- names, limits and encodings


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"/bucket/" + b"x" * 1025, "KeyTooLongError"),
        (b"/bucket/" + b"%C3%BC" * 513, "KeyTooLongError"),
        (b"/bucket/%ff", "InvalidURI"),
        (b"/bucket/\xff", "InvalidURI"),
        (b"/bucket/%ed%a0%80", "InvalidURI"),
        (b"/bucket/%c0%ae", "InvalidURI"),
        (b"/bucket/%", "InvalidURI"),
        (b"/bucket/%2", "InvalidURI"),
        (b"/bucket/%zz", "InvalidURI"),
        (b"/bucket/%u0041", "InvalidURI"),
        (b"//key", "InvalidURI"),
        (b"bucket/key", "InvalidURI"),
        (b"*", "InvalidURI"),
        (b"/Bucket/key", "InvalidBucketName"),
        (b"/ab/key", "InvalidBucketName"),
        (b"/" + b"a" * 64 + b"/key", "InvalidBucketName"),
        (b"/a..b/key", "InvalidBucketName"),
        (b"/../key", "InvalidBucketName"),
        (b"/%2e%2e/key", "InvalidBucketName"),
        (b"/buck%2Fet/key", "InvalidBucketName"),
        (b"/bucket%00/key", "InvalidBucketName"),
        (b"/bucket%0a/key", "InvalidBucketName"),
        (b"/192.168.0.1/key", "InvalidBucketName"),
        (b"/%ff/key", "InvalidURI"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
async def test_bad_paths(rig: Rig, at: Furnished, method: str, path: bytes, code: str) -> None:
    """Bucket and key are names within their limits, decoded once from UTF-8, or the request is none."""
    assert at
    request = Request(method=method, path=path).with_body(b"x" if method == "PUT" else b"")
    await refused(rig, request, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (b"prefix=%ff", "InvalidURI"),
        (b"prefix=%zz", "InvalidURI"),
        (b"prefix=%", "InvalidURI"),
        (b"%ff=a", "InvalidURI"),
        (b"delimiter=%ed%a0%80", "InvalidURI"),
        (b"prefix=a&prefix=b", "InvalidArgument"),
        (b"prefix=a&pref%69x=a", "InvalidArgument"),
        (b"max-keys=-1", "InvalidArgument"),
        (b"max-keys=x", "InvalidArgument"),
        (b"max-keys=1.5", "InvalidArgument"),
        (b"max-keys=%D9%A3", "InvalidArgument"),
        (b"max-keys=" + b"9" * 5000, "InvalidArgument"),
        (b"encoding-type=base64", "InvalidArgument"),
        (b"list-type=2&continuation-token=%3F", "InvalidArgument"),
        (b"list-type=2&continuation-token=gA==", "InvalidArgument"),
        (b"list-type=2&fetch-owner=perhaps", "InvalidArgument"),
    ],
)
async def test_bad_queries(rig: Rig, at: Furnished, query: bytes, code: str) -> None:
    """A query's parameters come once, in UTF-8, in their forms."""
    assert at
    await refused(rig, Request(path=b"/bucket", query=query), code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (b"versionId=", "InvalidArgument"),
        (b"versionId=%2F", "InvalidArgument"),
        (b"partNumber=0", "InvalidArgument"),
        (b"partNumber=10001", "InvalidArgument"),
        (b"partNumber=x", "InvalidArgument"),
        (b"partNumber=", "InvalidArgument"),
        (b"partNumber=%D9%A3", "InvalidArgument"),
        (b"uploadId=", "NoSuchUpload"),
        (b"uploadId=%00", "NoSuchUpload"),
        (b"response-content-type=a%0d%0ab:%20c", "InvalidArgument"),
        (b"response-content-disposition=%00", "InvalidArgument"),
        (b"response-cache-control=a%0ab", "InvalidArgument"),
        (b"response-expires=%7f", "InvalidArgument"),
    ],
)
async def test_bad_queries_of_objects(rig: Rig, at: Furnished, query: bytes, code: str) -> None:
    """A version, a part and an upload have their forms, of which the empty text is none; no header is made of control characters."""
    assert at
    await refused(rig, Request(path=b"/bucket/key", query=query), code)


async def test_an_empty_version_is_no_delete(rig: Rig, at: Furnished) -> None:
    """DELETE ?versionId= names no version: the object stays."""
    assert at
    await refused(rig, Request(method="DELETE", path=b"/bucket/key", query=b"versionId="), "InvalidArgument")


@pytest.mark.parametrize("size", ["9999999999999999999", "-1", "1e9", "9" * 4400])
async def test_numbers_beyond_the_engine(rig: Rig, at: Furnished, size: str) -> None:
    """A number that no engine can hold is told as too large, or is larger than anything there is; it is no fault of ours."""
    upload = sample("ListParts", at)
    for request in (
        evolve(upload, query=upload.query + b"&part-number-marker=" + size.encode()),
        evolve(upload, query=upload.query + b"&max-parts=" + size.encode()),
        Request(path=b"/bucket", query=b"uploads&max-uploads=" + size.encode()),
        Request(path=b"/", query=b"max-buckets=" + size.encode()),
        Request(path=b"/bucket/key").with_headers(("range", f"bytes=0-{size}")),
        Request(path=b"/bucket/key").with_headers(("range", f"bytes=-{size}")),
        sample("UploadPartCopy", at).with_headers(("x-amz-copy-source-range", f"bytes=0-{size}")),
        sample("CompleteMultipartUpload", at).with_headers(("x-amz-mp-object-size", size)),
        Request(method="DELETE", path=b"/bucket/key").with_headers(("x-amz-if-match-size", size)),
    ):
        response = await rig.send(request, rig.alpha.owner)
        assert response.status in {200, 206, 400, 412, 416}, (request, response)


async def test_metadata_beyond_the_limit(rig: Rig, at: Furnished) -> None:
    """User metadata have 2 KB in all, names counted, in bytes."""
    for name in ("PutObject", "CreateMultipartUpload"):
        for headers in ([("x-amz-meta-a", "x" * 2048)], [("x-amz-meta-a", "Ã¼" * 1024)], [(f"x-amz-meta-{n}", "x" * 99) for n in range(21)]):
            await refused(rig, sample(name, at).with_headers(*headers), "MetadataTooLarge")
    replaced = sample("CopyObject", at).with_headers(("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-a", "x" * 2048))
    await refused(rig, replaced, "MetadataTooLarge")


@pytest.mark.parametrize(
    "header",
    ["x-amz-meta-a", "content-type", "cache-control", "content-disposition", "content-language", "expires", "x-amz-website-redirect-location"],
)
async def test_headers_that_are_no_utf8(rig: Rig, at: Furnished, header: str) -> None:
    """What is kept of an object is text, since the other front has to tell it too."""
    for name in ("PutObject", "CreateMultipartUpload"):
        await refused(rig, sample(name, at).with_headers((header, "a\xff")), "InvalidArgument")


@pytest.mark.parametrize(
    ("name", "header", "value", "codes_"),
    [
        ("PutObject", "x-amz-storage-class", "GLACIER9", ("InvalidStorageClass",)),
        ("PutObject", "x-amz-storage-class", "", ("InvalidStorageClass",)),
        ("PutObject", "if-none-match", '"x"', ("NotImplemented",)),
        ("PutObject", "x-amz-meta-", "a", ("InvalidArgument",)),
        ("CreateMultipartUpload", "x-amz-checksum-algorithm", "CRC7", ("InvalidRequest",)),
        ("CreateMultipartUpload", "x-amz-checksum-type", "HALF", ("InvalidRequest",)),
        ("CompleteMultipartUpload", "x-amz-mp-object-size", "x", ("InvalidArgument",)),
        ("CompleteMultipartUpload", "x-amz-checksum-crc64nvme", "AAAAAAAAAAA=", ("BadDigest",)),
        ("CompleteMultipartUpload", "x-amz-checksum-crc64nvme", BAD, ("InvalidRequest",)),
        ("CompleteMultipartUpload", "x-amz-checksum-sha256", "A" * 43 + "=", ("BadDigest", "InvalidRequest")),
        ("CopyObject", "x-amz-metadata-directive", "MOVE", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=0-", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=-1", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "0-1", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=0-1,2-3", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=0-99", ("InvalidRange",)),
        ("DeleteObject", "x-amz-if-match-size", "x", ("InvalidArgument",)),
        ("DeleteObject", "x-amz-if-match-last-modified-time", "x", ("InvalidArgument",)),
        ("CreateBucket", "x-amz-acl", "public-read", ("NotImplemented",)),
        ("CreateBucket", "x-amz-bucket-object-lock-enabled", "true", ("NotImplemented",)),
        ("CreateBucket", "x-amz-object-ownership", "ObjectWriter", ("NotImplemented",)),
        *(
            ("PutObject", header, "x", ("NotImplemented",))
            for header in (
                "x-amz-acl", "x-amz-grant-read", "x-amz-grant-full-control", "x-amz-tagging", "x-amz-server-side-encryption",
                "x-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-object-lock-mode",
                "x-amz-object-lock-legal-hold", "x-amz-object-lock-retain-until-date", "x-amz-write-offset-bytes",
            )
        ),
    ],
)  # fmt: skip
async def test_bad_headers(rig: Rig, at: Furnished, name: str, header: str, value: str, codes_: tuple[str, ...]) -> None:
    """A header that has no meaning, or a meaning that is not built, is refused and never passed over."""
    await refused(rig, sample(name, at).with_headers((header, value)), *codes_)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "InvalidArgument"), ("bucket", "InvalidArgument"), ("/bucket", "InvalidArgument"), ("bucket/", "InvalidArgument"),
        ("//key", "InvalidArgument"), ("Bucket/key", "InvalidBucketName"), ("../bucket/key", "InvalidBucketName"),
        ("bucket/%ff", "InvalidURI"), ("bucket/\xff", "InvalidURI"), ("bucket/" + "x" * 1025, "KeyTooLongError"),
        ("bucket/key?versionId=%2F", "InvalidArgument"), ("bucket/key?versionId=other", "NoSuchVersion"), ("bucket/%zz", "InvalidURI"),
        ("http://s3.test/bucket/key", "InvalidBucketName"), ("arn:aws:s3:::bucket/key", "InvalidBucketName"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["CopyObject", "UploadPartCopy"])
async def test_bad_copy_sources(rig: Rig, at: Furnished, name: str, source: str, code: str) -> None:
    """A copy's source is a bucket and a key, in their limits, and nothing else that looks like them."""
    request = sample(name, at).without_headers("x-amz-copy-source").with_headers(("x-amz-copy-source", source))
    await refused(rig, request, code)


@REUSED
@given(request=strategies.requests)
async def test_any_request(rig: Rig, at: Furnished, request: Request) -> None:
    """Any method, path, query and headers get an answer with a name, and never a fault of the server."""
    assert at
    before = rig.dump()
    response = await rig.send(request)
    assert response.status in {400, 403, 404, 405, 411, 501}
    assert rig.dump() == before


@REUSED
@given(request=strategies.requests)
async def test_any_signed_request(rig: Rig, at: Furnished, request: Request) -> None:
    """The same when the sender has a key."""
    assert at
    response = await rig.send(rig.alpha.owner.by_hand(request))
    assert response.status not in {500, 503}, (request, response)
