"""Scenarios of objects: writes, reads, deletes, with all that a client can ask and get wrong."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

from faces import soon
from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ETag
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, VersionId
from lightningstor_types.objects import ByteRange, ObjectMetadata, StorageClass
from lightningstor_types.operations.common import ReadConditions, WriteConditions
from lightningstor_types.operations.objects import (
    ChecksumMode,
    DeleteObject,
    DeleteObjects,
    GetObject,
    HeadObject,
    ObjectIdentifier,
    PutObject,
    ResponseOverrides,
)
from scenarios.play import Play, body, scenario
from signers import crc32, md5

CONTENT = b"content"
ETAG = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
BUCKET, KEY = BucketName("bucket"), ObjectKey("key")
ODD_KEYS = ["a//b", "/a", "a/", ".", "..", "a/../b", "%2F", "+", "a b", " ", "ü", "u\u0308", "😀", "?x=1", "#", "&<>\"'", "\\", "x" * 1024]
SHA256 = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
SHA1 = base64.b64encode(hashlib.sha1(CONTENT, usedforsecurity=False).digest()).decode()
EVERYTHING = ObjectMetadata(
    content_type="text/plain; charset=utf-8",
    cache_control="no-cache",
    content_disposition='attachment; filename="a b.txt"',
    content_encoding="gzip",
    content_language="en, de",
    expires="Thu, 01 Dec 2033 16:00:00 GMT",
    website_redirect="/another",
    user={"colour": "blue", "name": "Zoë", "empty": ""},
)
CHECKED = ChecksumMode.ENABLED


async def look(play: Play, key: str = KEY) -> None:
    """What both reads tell of an object."""
    await play(HeadObject(bucket=BUCKET, key=ObjectKey(key), checksum_mode=CHECKED))
    await play(GetObject(bucket=BUCKET, key=ObjectKey(key), checksum_mode=CHECKED))


@scenario
async def write_and_read(play: Play) -> None:
    """An object with everything that a writer can say, one with nothing, an empty one, and an overwrite."""
    await play.bucket()
    await play(PutObject(bucket=BUCKET, key=KEY, body=body(CONTENT), metadata=EVERYTHING))
    await look(play)
    await play(GetObject(bucket=BUCKET, key=KEY))
    await play(PutObject(bucket=BUCKET, key=KEY, body=body(b"another")))
    await look(play)
    await play(PutObject(bucket=BUCKET, key=KEY, body=body(b"")))
    await look(play)


@scenario
async def large_body(play: Play) -> None:
    """A body of several chunks, and ranges across their borders."""
    await play.bucket()
    content = b"".join(number.to_bytes(4, "big") for number in range(600_000))
    await play(PutObject(bucket=BUCKET, key=KEY, body=body(content)))
    await look(play)
    for offset, limit in ((0, 1), (65_535, 2), (1_048_570, 12), (2_399_999, None), (-5, None), (1_000_000, 1_000_000)):
        await play(GetObject(bucket=BUCKET, key=KEY, range=ByteRange(offset=offset, limit=limit)))


@scenario
async def nothing_there(play: Play) -> None:
    """A missing bucket and a missing key."""
    for name in (GetObject, HeadObject, DeleteObject):
        await play(name(bucket=BUCKET, key=KEY))
    await play(PutObject(bucket=BUCKET, key=KEY, body=body()))
    await play(DeleteObjects(bucket=BUCKET, objects=(ObjectIdentifier(key=KEY),)))
    await play.bucket()
    for name in (GetObject, HeadObject, DeleteObject):
        await play(name(bucket=BUCKET, key=KEY))


@scenario
async def ranges(play: Play) -> None:
    """Every form of a range, of an object and of an empty one."""
    await play.bucket()
    await play(PutObject(bucket=BUCKET, key=KEY, body=body(b"0123456789")))
    await play(PutObject(bucket=BUCKET, key=ObjectKey("empty"), body=body(b"")))
    for key in (KEY, ObjectKey("empty")):
        for offset, limit in ((0, None), (0, 1), (3, 4), (9, 1), (9, 100), (10, 1), (99, None), (-1, None), (-10, None), (-99, None)):
            for read in (GetObject, HeadObject):
                await play(read(bucket=BUCKET, key=key, range=ByteRange(offset=offset, limit=limit), checksum_mode=CHECKED))
        await play(GetObject(bucket=BUCKET, key=key, part_number=PartNumber(1)))
        await play(GetObject(bucket=BUCKET, key=key, part_number=PartNumber(2)))
        await play(GetObject(bucket=BUCKET, key=key, part_number=PartNumber(1), range=ByteRange(offset=0, limit=1)))


CONDITIONS = [
    ReadConditions(if_match=ETAG),
    ReadConditions(if_match=f'"{ETAG}"'),
    ReadConditions(if_match=f'"x", "{ETAG}"'),
    ReadConditions(if_match="*"),
    ReadConditions(if_match='"x"'),
    ReadConditions(if_none_match=f'"{ETAG}"'),
    ReadConditions(if_none_match="*"),
    ReadConditions(if_none_match='"x"'),
    ReadConditions(if_modified_since=soon(-1)),
    ReadConditions(if_modified_since=soon(0)),
    ReadConditions(if_modified_since=soon(1)),
    ReadConditions(if_unmodified_since=soon(-1)),
    ReadConditions(if_unmodified_since=soon(0)),
    ReadConditions(if_match=f'"{ETAG}"', if_unmodified_since=soon(-1)),
    ReadConditions(if_none_match='"x"', if_modified_since=soon(1)),
    ReadConditions(if_match='"x"', if_none_match=f'"{ETAG}"'),
    ReadConditions(if_modified_since=datetime(1970, 1, 1, tzinfo=UTC)),
]


@scenario
async def conditional_reads(play: Play) -> None:
    """RFC 9110's conditions, alone and together, on both reads, also where nothing is."""
    await play.bucket()
    await play(PutObject(bucket=BUCKET, key=KEY, body=body(CONTENT)))
    for conditions in CONDITIONS:
        for read in (GetObject, HeadObject):
            await play(read(bucket=BUCKET, key=KEY, conditions=conditions))
            await play(read(bucket=BUCKET, key=ObjectKey("missing"), conditions=conditions))


@scenario
async def overrides(play: Play) -> None:
    """A reader sees the headers that it asks for in place of the stored ones."""
    await play.bucket()
    await play(PutObject(bucket=BUCKET, key=KEY, body=body(), metadata=EVERYTHING))
    asked = ResponseOverrides(
        content_type="text/html", cache_control="max-age=1", content_disposition="inline; filename=ä",
        content_encoding="identity", content_language="fr", expires="never",
    )  # fmt: skip
    for read in (GetObject, HeadObject):
        await play(read(bucket=BUCKET, key=KEY, overrides=asked))
        await play(read(bucket=BUCKET, key=KEY, overrides=ResponseOverrides(content_type="x/y")))


CLAIMS = [
    {"content_md5": md5(CONTENT)},
    {"content_md5": md5(b"wrong")},
    {"content_md5": "no base64"},
    {"content_md5": "AAAA"},
    {"content_md5": ""},
    {"checksums": Checksums(crc32=crc32(CONTENT))},
    {"checksums": Checksums(sha1=SHA1)},
    {"checksums": Checksums(sha256=SHA256)},
    {"checksums": Checksums(sha256=SHA1)},
    {"checksums": Checksums(crc32="AAAAAA==")},
    {"checksums": Checksums(crc32c="AAAAAA==")},
    {"checksums": Checksums(crc64nvme="AAAAAAAAAAA=")},
    {"checksums": Checksums(crc32="?")},
    {"checksums": Checksums(crc32=crc32(CONTENT), sha1=SHA1)},
    {"checksums": Checksums(crc32=crc32(CONTENT)), "checksum_algorithm": ChecksumAlgorithm.CRC32},
    {"checksums": Checksums(crc32=crc32(CONTENT)), "checksum_algorithm": ChecksumAlgorithm.SHA1},
    *({"checksum_algorithm": algorithm} for algorithm in ChecksumAlgorithm),
]


@scenario
async def digests(play: Play) -> None:
    """Every digest that a writer can claim, right, wrong and malformed; what is kept is told by reads."""
    await play.bucket()
    for number, claims in enumerate(CLAIMS):
        key = ObjectKey(f"{number:02}")
        await play(PutObject(bucket=BUCKET, key=key, body=body(CONTENT), **claims))
        await look(play, key)


WRITES = [
    WriteConditions(if_none_match="*"),
    WriteConditions(if_match=f'"{ETAG}"'),
    WriteConditions(if_match=ETAG),
    WriteConditions(if_match="*"),
    WriteConditions(if_match='"x"'),
    WriteConditions(if_none_match=f'"{ETAG}"'),
    WriteConditions(if_match="*", if_none_match="*"),
    WriteConditions(if_none_match=""),
]


@scenario
async def conditional_writes(play: Play) -> None:
    """Conditions of a write, where nothing is, where another thing is and where the wanted thing is."""
    await play.bucket()
    for number, conditions in enumerate(WRITES):
        key = ObjectKey(f"{number:02}")
        await play(PutObject(bucket=BUCKET, key=key, body=body(b"first"), conditions=conditions))
        await play(PutObject(bucket=BUCKET, key=key, body=body(CONTENT)))
        await play(PutObject(bucket=BUCKET, key=key, body=body(b"third"), conditions=conditions))
        await look(play, key)


@scenario
async def deletes(play: Play) -> None:
    """A delete with every condition, where the object is and where it is not, and of versions."""
    await play.bucket()
    expectations = [
        {"if_match": f'"{ETAG}"'}, {"if_match": "*"}, {"if_match": '"x"'}, {"if_match_size": 7}, {"if_match_size": 8},
        {"if_match_last_modified": soon(0)}, {"if_match_last_modified": soon(5)}, {"if_match": ETAG, "if_match_size": 7},
        {"version_id": VersionId("null")}, {"version_id": VersionId("no-such-version")}, {},
    ]  # fmt: skip
    for expected in expectations:
        await play(PutObject(bucket=BUCKET, key=KEY, body=body(CONTENT)))
        await play(DeleteObject(bucket=BUCKET, key=KEY, **expected))
        await play(HeadObject(bucket=BUCKET, key=KEY))
        await play(DeleteObject(bucket=BUCKET, key=ObjectKey("missing"), **expected))


@scenario
async def batch_deletes(play: Play) -> None:
    """A batch: what is there, what is not, what is expected wrongly, names beyond the limit, quiet, none and too many."""
    await play.bucket()
    batch = (
        ObjectIdentifier(key="a"),
        ObjectIdentifier(key="missing"),
        ObjectIdentifier(key="b", etag=ETag(ETAG)),
        ObjectIdentifier(key="c", etag=ETag("x")),
        ObjectIdentifier(key="d", size=7),
        ObjectIdentifier(key="e", size=8),
        ObjectIdentifier(key="f", last_modified=soon(0)),
        ObjectIdentifier(key="g", last_modified=soon(100)),
        ObjectIdentifier(key="h", version_id="null"),
        ObjectIdentifier(key="i", version_id="other"),
        ObjectIdentifier(key="x" * 1025),
        ObjectIdentifier(key=""),
        ObjectIdentifier(key="../j"),
        ObjectIdentifier(key="a"),
        ObjectIdentifier(key="nothing expected wrongly", etag=ETag("x")),
    )
    for quiet in (None, True, False):
        for key in (*"abcdefghi", "../j"):
            await play(PutObject(bucket=BUCKET, key=ObjectKey(key), body=body(CONTENT)))
        await play(DeleteObjects(bucket=BUCKET, objects=batch, quiet=quiet))
        for key in (*"abcdefghi", "../j"):
            await play(HeadObject(bucket=BUCKET, key=ObjectKey(key)))
    await play(DeleteObjects(bucket=BUCKET, objects=tuple(ObjectIdentifier(key=str(n)) for n in range(1001))))
    await play(DeleteObjects(bucket=BUCKET, objects=tuple(ObjectIdentifier(key=str(n)) for n in range(1000)), quiet=True))


@scenario
async def odd_keys(play: Play) -> None:
    """Keys are bytes: each of these is its own object."""
    await play.bucket()
    for key in ODD_KEYS:
        await play(PutObject(bucket=BUCKET, key=ObjectKey(key), body=body(key.encode())))
    for key in ODD_KEYS:
        await look(play, key)
        await play(DeleteObject(bucket=BUCKET, key=ObjectKey(key)))


@scenario
async def names_and_limits(play: Play) -> None:
    """Names and metadata beyond their limits are refused alike."""
    await play.bucket()
    await play(PutObject(bucket=BUCKET, key=ObjectKey("x" * 1025), body=body()))
    await play(PutObject(bucket=BUCKET, key=ObjectKey("ü" * 513), body=body()))
    for name in ("Upper", "ab", "x" * 64, "a..b", "192.168.0.1", "xn--a", "a_b", "-ab"):
        await play(PutObject(bucket=BucketName(name), key=KEY, body=body()))
        await play.bucket(name)
    for user in ({"a": "x" * 2047}, {"a": "x" * 2048}, {"a": "ü" * 1024}, {f"n{number}": "x" * 100 for number in range(30)}):
        await play(PutObject(bucket=BUCKET, key=KEY, body=body(), metadata=ObjectMetadata(user=user)))
    await look(play)


@scenario
async def expected_owner(play: Play) -> None:
    """Whoever expects another owner is denied."""
    await play.bucket()
    for owner in ("canonical-alpha", "canonical-beta", ""):
        await play(PutObject(bucket=BUCKET, key=KEY, body=body(), expected_bucket_owner=owner))
        await play(GetObject(bucket=BUCKET, key=KEY, expected_bucket_owner=owner))
        await play(DeleteObjects(bucket=BUCKET, objects=(ObjectIdentifier(key="k"),), expected_bucket_owner=owner))


@scenario
async def versions_and_classes(play: Play) -> None:
    """The null version is the object; another is not there. A storage class is kept."""
    await play.bucket()
    for class_ in StorageClass:
        await play(PutObject(bucket=BUCKET, key=KEY, body=body(), storage_class=class_))
        await look(play)
    for read in (GetObject, HeadObject):
        await play(read(bucket=BUCKET, key=KEY, version_id=VersionId("null")))
        await play(read(bucket=BUCKET, key=KEY, version_id=VersionId("other")))
        await play(read(bucket=BUCKET, key=ObjectKey("missing"), version_id=VersionId("null")))
