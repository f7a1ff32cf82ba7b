"""GetObjectAttributes and GetObjectTorrent: the exact bytes, pages of parts, and what is refused."""

from __future__ import annotations

import hashlib
import re

import pytest
from botocore.httpchecksum import _CHECKSUM_CLS

from asgi import Request
from faces import Ask, Rig
from lightningstor_types.names import PART_MIN_BYTES

ALL = ("x-amz-object-attributes", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize")
TEN = b"0123456789"
ETAG = "781e5e245d69b566979b86e28d23f2c7"
ROOT = '<?xml version="1.0" encoding="UTF-8"?>\n<GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
PARTS = (b"a" * PART_MIN_BYTES, b"b" * PART_MIN_BYTES, b"tail")


def document(*elements: str) -> bytes:
    """The answer of those elements."""
    return f"{ROOT}{''.join(elements)}</GetObjectAttributesResponse>".encode()


def checksum(name: str, content: bytes) -> str:
    """A checksum by botocore's own computation."""
    return str(_CHECKSUM_CLS[name]().handle(content))


async def completed(ask: Ask, key: str, *headers: tuple[str, str]) -> None:
    """An object of three parts, its upload begun with those headers."""
    begun = await ask("POST", f"/bucket/{key}?uploads", *headers)
    upload = re.search(rb"<UploadId>([\w-]+)</UploadId>", begun.body)[1].decode()
    named = ""
    for number, part in enumerate(PARTS, 1):
        told = (await ask("PUT", f"/bucket/{key}?uploadId={upload}&partNumber={number}", body=part)).headers["etag"]
        named += f"<Part><PartNumber>{number}</PartNumber><ETag>{told}</ETag></Part>"
    sent = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
    assert (await ask("POST", f"/bucket/{key}?uploadId={upload}", body=sent)).status == 200


async def test_attributes(ask: Ask) -> None:
    """Each attribute that is asked for, the tag without quotes; the time of the object is in the head."""
    assert (await ask("PUT", "/bucket/ten", body=TEN)).status == 200
    response = await ask("GET", "/bucket/ten?attributes", ALL)
    assert response.body == document(
        f"<ETag>{ETAG}</ETag><Checksum><ChecksumCRC64NVME>{checksum('crc64nvme', TEN)}</ChecksumCRC64NVME>",
        "<ChecksumType>FULL_OBJECT</ChecksumType></Checksum><StorageClass>STANDARD</StorageClass><ObjectSize>10</ObjectSize>",
    )
    assert response.headers["last-modified"] == "Fri, 02 Jan 2026 03:04:05 GMT"
    assert "x-amz-version-id" not in response.headers


@pytest.mark.parametrize(
    ("asked", "element"),
    [("ETag", f"<ETag>{ETAG}</ETag>"), ("StorageClass", "<StorageClass>STANDARD</StorageClass>"), ("ObjectParts", ""),
     ("ObjectSize", "<ObjectSize>10</ObjectSize>"), (" ObjectSize , , ObjectSize", "<ObjectSize>10</ObjectSize>")],
)  # fmt: skip
async def test_nothing_else_is_told(ask: Ask, asked: str, element: str) -> None:
    """What is not asked for is not there, nor parts of an object that has none."""
    assert (await ask("PUT", "/bucket/ten", body=TEN)).status == 200
    assert (await ask("GET", "/bucket/ten?attributes", ("x-amz-object-attributes", asked))).body == document(element)


async def test_the_list_may_be_spread(rig: Rig, ask: Ask) -> None:
    """Over several lines, as RFC 9110 section 5.3 lets a sender do with any list."""
    assert (await ask("PUT", "/bucket/ten", body=TEN)).status == 200
    request = Request(path=b"/bucket/ten", query=b"attributes").with_headers(("x-amz-object-attributes", "ETag,ObjectSize"))
    signed = rig.alpha.owner.header(request).without_headers("x-amz-object-attributes")
    spread = signed.with_headers(("x-amz-object-attributes", "ETag"), ("X-Amz-Object-Attributes", "ObjectSize"))
    assert (await rig.send(spread)).body == document(f"<ETag>{ETAG}</ETag><ObjectSize>10</ObjectSize>")


@pytest.mark.parametrize(
    ("name", "kind"), [("crc32", "COMPOSITE"), ("crc32c", "COMPOSITE"), ("crc64nvme", "FULL_OBJECT"), ("sha1", "COMPOSITE"),
                       ("sha256", "COMPOSITE"), ("crc32", "FULL_OBJECT")],
)  # fmt: skip
async def test_parts(ask: Ask, name: str, kind: str) -> None:
    """Of an upload that named an algorithm every part is told, with its size and its checksum."""
    await completed(ask, "big", ("x-amz-checksum-algorithm", name.upper()), ("x-amz-checksum-type", kind))
    response = await ask("GET", "/bucket/big?attributes", ("x-amz-object-attributes", "ObjectParts"))
    tag = f"Checksum{name.upper()}"
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{len(part)}</Size><{tag}>{checksum(name, part)}</{tag}></Part>"
        for number, part in enumerate(PARTS, 1)
    )
    assert response.body == document(
        "<ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>0</PartNumberMarker><MaxParts>1000</MaxParts>",
        f"<IsTruncated>false</IsTruncated>{parts}</ObjectParts>",
    )
    whole = (await ask("GET", "/bucket/big?attributes", ("x-amz-object-attributes", "Checksum"))).body
    assert f"<ChecksumType>{kind}</ChecksumType>".encode() in whole
    if kind == "FULL_OBJECT":
        assert f"<{tag}>{checksum(name, b''.join(PARTS))}</{tag}>".encode() in whole
    else:
        assert re.search(f"<{tag}>[^<]+-3</{tag}>".encode(), whole)


async def test_parts_of_no_algorithm(ask: Ask) -> None:
    """Of an upload that named no algorithm the parts are told with the one that everything is kept under, CRC64NVME."""
    await completed(ask, "big")
    response = await ask("GET", "/bucket/big?attributes", ("x-amz-object-attributes", "ObjectParts,ETag"))
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{len(part)}</Size>"
        f"<ChecksumCRC64NVME>{checksum('crc64nvme', part)}</ChecksumCRC64NVME></Part>"
        for number, part in enumerate(PARTS, 1)
    )
    tags = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in PARTS)
    etag = hashlib.md5(tags, usedforsecurity=False).hexdigest()
    assert response.body == document(
        f"<ETag>{etag}-3</ETag><ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>0</PartNumberMarker><MaxParts>1000</MaxParts>",
        f"<IsTruncated>false</IsTruncated>{parts}</ObjectParts>",
    )


@pytest.mark.parametrize(
    ("limit", "marker", "numbers", "truncated"),
    [("1", "0", [1], True), ("2", "1", [2, 3], False), ("2", "0", [1, 2], True), ("9999", "2", [3], False), ("1", "3", [], False),
     ("0", "0", [], False), ("5", "10000", [], False)],
)  # fmt: skip
async def test_pages_of_parts(ask: Ask, limit: str, marker: str, numbers: list[int], truncated: bool) -> None:  # noqa: FBT001
    """A page begins behind its marker and tells where the next begins; more than 1,000 is 1,000."""
    await completed(ask, "big", ("x-amz-checksum-algorithm", "CRC32"))
    asked = (("x-amz-object-attributes", "ObjectParts"), ("x-amz-max-parts", limit), ("x-amz-part-number-marker", marker))
    body = (await ask("GET", "/bucket/big?attributes", *asked)).body.decode()
    assert [int(number) for number in re.findall("<PartNumber>([0-9]+)<", body)] == numbers
    assert f"<PartNumberMarker>{marker}</PartNumberMarker>" in body
    assert f"<MaxParts>{min(int(limit), 1000)}</MaxParts>" in body
    assert f"<IsTruncated>{'true' if truncated else 'false'}</IsTruncated>" in body
    assert re.findall("<NextPartNumberMarker>([0-9]+)<", body) == ([str(numbers[-1])] if truncated else [])


async def test_a_copy_has_no_parts(ask: Ask) -> None:
    """CopyObject makes an object of one piece of it."""
    await completed(ask, "big", ("x-amz-checksum-algorithm", "CRC32"))
    assert (await ask("PUT", "/bucket/copy", ("x-amz-copy-source", "/bucket/big"))).status == 200
    assert b"ObjectParts" not in (await ask("GET", "/bucket/copy?attributes", ALL)).body


@pytest.mark.parametrize(
    ("target", "headers", "status", "code"),
    [
        ("/bucket/ten", [], 400, "InvalidRequest"),
        ("/bucket/ten", [("x-amz-object-attributes", "")], 400, "InvalidArgument"),
        ("/bucket/ten", [("x-amz-object-attributes", "ETag,Colour")], 400, "InvalidArgument"),
        ("/bucket/ten", [("x-amz-object-attributes", "etag")], 400, "InvalidArgument"),
        ("/bucket/ten", [ALL, ("x-amz-max-parts", "-1")], 400, "InvalidArgument"),
        ("/bucket/ten", [ALL, ("x-amz-max-parts", "many")], 400, "InvalidArgument"),
        ("/bucket/ten", [ALL, ("x-amz-part-number-marker", "-1")], 400, "InvalidArgument"),
        ("/bucket/ten", [ALL, ("if-match", '"x"')], 412, "PreconditionFailed"),
        ("/bucket/ten", [ALL, ("x-amz-expected-bucket-owner", "somebody")], 403, "AccessDenied"),
        ("/bucket/missing", [ALL], 404, "NoSuchKey"),
        ("/nowhere/ten", [ALL], 404, "NoSuchBucket"),
    ],
)
async def test_refusals(ask: Ask, target: str, headers: list[tuple[str, str]], status: int, code: str) -> None:
    """What is not there, not wanted, or not an attribute."""
    assert (await ask("PUT", "/bucket/ten", body=TEN)).status == 200
    response = await ask("GET", f"{target}?attributes", *headers)
    assert (response.status, f"<Code>{code}</Code>".encode() in response.body) == (status, True), response.body


async def test_not_modified(ask: Ask) -> None:
    """The conditions of a read hold here too."""
    assert (await ask("PUT", "/bucket/ten", body=TEN)).status == 200
    response = await ask("GET", "/bucket/ten?attributes", ALL, ("if-none-match", f'"{ETAG}"'))
    assert (response.status, response.headers["etag"]) == (304, f'"{ETAG}"')


async def test_no_object_has_a_torrent(ask: Ask) -> None:
    """It is a thing that is not there, and no function that is missing; the object is not sent in its place."""
    assert (await ask("PUT", "/bucket/ten", body=TEN)).status == 200
    response = await ask("GET", "/bucket/ten?torrent")
    assert (response.status, b"<Code>NoSuchKey</Code>" in response.body) == (404, True)


@pytest.mark.parametrize("asked", [("x-amz-checksum-algorithm", "SHA256"), None])
async def test_the_checksum_of_a_part(ask: Ask, asked: tuple[str, str] | None) -> None:
    """A read of one part tells that part's checksum, which its reader can compare, and what kind the whole's is."""
    await completed(ask, "big", *([asked] if asked else []))
    name, kind = ("sha256", "COMPOSITE") if asked else ("crc64nvme", "FULL_OBJECT")
    for number, part in enumerate(PARTS, 1):
        for method in ("GET", "HEAD"):
            told = (await ask(method, f"/bucket/big?partNumber={number}", ("x-amz-checksum-mode", "ENABLED"))).headers
            assert told[f"x-amz-checksum-{name}"] == checksum(name, part)
            assert told["x-amz-checksum-type"] == kind
            assert "x-amz-checksum-sha256" not in (await ask(method, f"/bucket/big?partNumber={number}")).headers
