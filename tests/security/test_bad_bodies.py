"""Bodies that are not what was said of them, in digest, length or framing: refused, and nothing of them kept."""

from __future__ import annotations

import hashlib

import pytest
from attrs import evolve

from asgi import Request
from faces import Rig
from lightningstor_types.names import PUT_MAX_BYTES
from refusals import refused
from samples import BODY, WITH_BODY, WITH_DOCUMENT, Furnished, sample
from signers import SIGNED, SIGNED_TRAILER, UNSIGNED, UNSIGNED_TRAILER, crc32, md5

MODES = (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)
BAD = "AAAA"

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
            ("crc32", "AAAAAA=="),
            ("crc32c", "AAAAAA=="),
            ("crc64nvme", "AAAAAAAAAAA="),
            ("sha1", "A" * 27 + "="),
            ("sha256", "A" * 43 + "="),
        )
    ),
    *(([(f"x-amz-checksum-{name}", BAD)], "InvalidRequest") for name in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")),
    *(([(f"x-amz-checksum-{name}", "")], "InvalidRequest") for name in ("crc32", "sha256")),
    ([("x-amz-checksum-crc32", crc32(BODY)), ("x-amz-checksum-sha256", "A" * 43 + "=")], "InvalidRequest"),
    ([("x-amz-checksum-crc32", crc32(BODY)), ("x-amz-sdk-checksum-algorithm", "SHA256")], "InvalidRequest"),
    ([("x-amz-sdk-checksum-algorithm", "CRC7")], "InvalidRequest"),
    # checksums that S3 has and this server has not: to store the body without having compared them would be to lie
    *(([(f"x-amz-checksum-{name}", BAD)], "NotImplemented") for name in ("md5", "sha512", "xxhash3", "xxhash64", "xxhash128", "crc7")),
]


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


FRAMES = [
    b"", b"0", b"0\r\n", b"x\r\n", b"-1\r\n", b"5\r\nhello", b"5\r\nhell\r\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n",
    b"05\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhello\r\n0\r\n\r\nmore", b"f" * 200,
    b"ffffffffff\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"hello",
]  # fmt: skip


@pytest.mark.parametrize("framed", FRAMES, ids=repr)
@pytest.mark.parametrize("mode", MODES)
async def test_malformed_framing(rig: Rig, at: Furnished, mode: str, framed: bytes) -> None:
    """Framing that two parsers could read as two bodies is read as none."""
    request = rig.alpha.owner.chunked(sample("PutObject", at).with_body(b"hello"), mode, framed=framed)
    await refused(rig, request, "InvalidRequest", "IncompleteBody", "MalformedTrailerError", "SignatureDoesNotMatch", signed=True)
