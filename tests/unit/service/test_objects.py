"""PutObject, GetObject, HeadObject, the deletes and UpdateObject: what they answer, and what they leave."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Any, Final

import pytest

from lightningstor_server.service.settings import INLINE_MAX_BYTES
from lightningstor_server.stores.blobs.base import CHUNK_BYTES
from lightningstor_server.stores.errors import Broken, NoRoom, StoreError, Unavailable
from lightningstor_types import errors
from lightningstor_types.buckets import Usage
from lightningstor_types.digests import Checksums, ChecksumType, ETag
from lightningstor_types.names import KEY_MAX_BYTES, USER_METADATA_MAX_BYTES, ObjectKey
from lightningstor_types.objects import DEFAULT_CONTENT_TYPE, NO_METADATA, ByteRange, CopySource, ObjectMetadata, StorageClass
from lightningstor_types.operations.common import ReadConditions, WriteConditions
from lightningstor_types.operations.copying import MetadataDirective
from lightningstor_types.operations.objects import ChecksumMode, ObjectIdentifier, ResponseOverrides
from lightningstor_types.tenants import BucketNamespace
from unit.service.rig import BUCKET, Pieces, Rig, enter_caller, make_rig, project

SMALL: Final = b"hello"
LARGE: Final = bytes(range(256)) * 128
"""32 KiB: one chunk."""
ONLY_NEW: Final = WriteConditions(if_none_match="*")
RACERS: Final = 30
METADATA: Final = ObjectMetadata(content_type="text/plain", cache_control="no-store", user={"a": "b", "x-!~": "\u2603"})


def md5(content: bytes) -> str:
    """The entity tag of a body written as a whole."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


async def revision(rig: Rig, key: str) -> int:
    """The bucket's revision that made the object."""
    found: int = (await rig.call("HeadObject", key=key)).object.revision
    return found


# -- writing and reading


@pytest.mark.parametrize("content", [b"", SMALL, LARGE], ids=["empty", "inline", "chunk"])
async def test_an_object_is_read_as_it_was_written(rig: Rig, content: bytes) -> None:
    """Bytes, metadata, class, tag, date and checksum; head and get agree on all of it."""
    fields: dict[str, Any] = {"metadata": METADATA, "storage_class": StorageClass.STANDARD_IA}
    written = await rig.call("PutObject", key="k", body=Pieces(content), **fields)
    assert (written.etag, written.size, written.checksum_type) == (md5(content), len(content), ChecksumType.FULL_OBJECT)
    assert written.checksums.crc64nvme is not None
    head = await rig.call("HeadObject", key="k", checksum_mode=ChecksumMode.ENABLED)
    got = await rig.call("GetObject", key="k", checksum_mode=ChecksumMode.ENABLED)
    assert b"".join([run async for run in got.body]) == content
    assert got.object == head.object
    assert (head.content_length, head.content_range, head.accept_ranges) == (len(content), None, "bytes")
    item = head.object
    assert (item.key, item.size, item.etag, item.last_modified) == ("k", len(content), md5(content), rig.clock.now)
    assert (item.metadata, item.storage_class, item.checksums) == (METADATA, StorageClass.STANDARD_IA, written.checksums)
    plain = (await rig.call("HeadObject", key="k")).object
    assert (plain.checksums, plain.checksum_type) == (Checksums(), None)


@pytest.mark.parametrize("key", ["a", "a/b", "..", "a//../b", " ", "\x00", "\u2603\U0001f600", "x" * KEY_MAX_BYTES])
async def test_keys_are_taken_as_they_are(rig: Rig, key: str) -> None:
    """None of them is another's."""
    await rig.put(key, key.encode())
    await rig.put(key[:-1] + "~", b"other")
    assert await rig.get(key) == key.encode()


RANGES: Final = [
    # a range, and the first and last byte of 5 and of 32,768 that it covers; None where it covers nothing
    (ByteRange(offset=0, limit=1), (0, 0), (0, 0)),
    (ByteRange(offset=1, limit=3), (1, 3), (1, 3)),
    (ByteRange(offset=2), (2, 4), (2, 32767)),
    (ByteRange(offset=4, limit=1 << 60), (4, 4), (4, 32767)),
    (ByteRange(offset=0), (0, 4), (0, 32767)),
    (ByteRange(offset=-2), (3, 4), (32766, 32767)),
    (ByteRange(offset=-(1 << 60)), (0, 4), (0, 32767)),
    (ByteRange(offset=5), None, (5, 32767)),
    (ByteRange(offset=32768, limit=1), None, None),
]


@pytest.mark.parametrize("large", [False, True], ids=["inline", "chunk"])
@pytest.mark.parametrize(("asked", "of_small", "of_large"), RANGES)
async def test_a_range_is_its_bytes(
    rig: Rig, asked: ByteRange, of_small: tuple[int, int] | None, of_large: tuple[int, int] | None, *, large: bool
) -> None:
    """RFC 9110 section 14: with the range that it is, and without a checksum of the whole; none without bytes."""
    content, span = (LARGE, of_large) if large else (SMALL, of_small)
    await rig.put("k", content)
    if span is None:
        for name in ("GetObject", "HeadObject"):
            with pytest.raises(errors.InvalidRange):
                await rig.call(name, key="k", range=asked)
        return
    first, last = span
    assert await rig.get("k", range=asked) == content[first : last + 1]
    result = await rig.call("HeadObject", key="k", range=asked, checksum_mode=ChecksumMode.ENABLED)
    assert result.content_range == f"bytes {first}-{last}/{len(content)}"
    assert (result.content_length, result.object.size) == (last + 1 - first, len(content))
    assert (result.object.checksums == Checksums()) == (last + 1 - first != len(content))


@pytest.mark.parametrize("asked", [ByteRange(offset=0), ByteRange(offset=-1), ByteRange(offset=0, limit=1)])
async def test_an_empty_object_has_no_range(rig: Rig, asked: ByteRange) -> None:
    """Section 14.1.2: none is satisfiable."""
    await rig.put("k")
    with pytest.raises(errors.InvalidRange):
        await rig.get("k", range=asked)


async def test_the_only_part_of_an_object_is_the_object(rig: Rig) -> None:
    """AWS, GetObject: part 1 is all of it, and there is no other."""
    await rig.put("k", SMALL)
    assert await rig.get("k", part_number=1) == SMALL
    assert (await rig.call("HeadObject", key="k", part_number=1)).content_range == "bytes 0-4/5"
    with pytest.raises(errors.InvalidPartNumber):
        await rig.get("k", part_number=2)
    with pytest.raises(errors.InvalidRequest):
        await rig.get("k", part_number=1, range=ByteRange(offset=0))


async def test_overrides_change_what_is_shown(rig: Rig) -> None:
    """For this read alone."""
    await rig.put("k", SMALL, metadata=METADATA)
    shown = (await rig.call("GetObject", key="k", overrides=ResponseOverrides(content_type="x/y", expires="0"))).object.metadata
    assert (shown.content_type, shown.expires, shown.cache_control, shown.user) == ("x/y", "0", "no-store", METADATA.user)
    assert (await rig.call("HeadObject", key="k")).object.metadata == METADATA


async def test_what_is_not_there_is_not_found(rig: Rig) -> None:
    """Neither key, nor version, nor bucket; the only version of an object is `null`."""
    await rig.put("k", SMALL)
    assert await rig.get("k", version_id="null") == SMALL
    for name in ("GetObject", "HeadObject"):
        with pytest.raises(errors.NoSuchKey):
            await rig.call(name, key="K")
        with pytest.raises(errors.NoSuchVersion):
            await rig.call(name, key="k", version_id="other")
        with pytest.raises(errors.NoSuchBucket):
            await rig.call(name, key="k", bucket="nowhere")
    with pytest.raises(errors.NoSuchBucket):
        await rig.put("k", SMALL, bucket="nowhere")


async def test_read_conditions_are_checked(rig: Rig) -> None:
    """Before anything of the object is told."""
    etag = await rig.put("k", SMALL)
    for name in ("GetObject", "HeadObject"):
        with pytest.raises(errors.NotModified):
            await rig.call(name, key="k", conditions=ReadConditions(if_none_match=etag))
        with pytest.raises(errors.PreconditionFailed):
            await rig.call(name, key="k", conditions=ReadConditions(if_match="x"), range=ByteRange(offset=99))


async def test_metadata_have_a_limit(rig: Rig) -> None:
    """2 KB of names and values in UTF-8; refused before the body comes."""
    await rig.put("k", metadata=ObjectMetadata(user={"a": "x" * (USER_METADATA_MAX_BYTES - 1)}))
    for value in ("x" * USER_METADATA_MAX_BYTES, "\u2603" * 700):
        with pytest.raises(errors.MetadataTooLarge):
            await rig.put("k", Pieces(RuntimeError("asked for")), metadata=ObjectMetadata(user={"a": value}))


REFUSED_METADATA: Final = [
    *({"user": {name: "v"}} for name in ("", "A", "a b", "a:b", "ä", "\u2603", "a\n", "a\x00", "a,b", 'a"')),
    *({"user": {"a": value}} for value in ("\x00", "a\r\nset-cookie: b", "\n", "\x1f", "\x7f")),
    *({name: "a\r\nb: c"} for name in ("content_type", "cache_control", "content_disposition", "content_encoding", "content_language")),
    *({name: "\x00"} for name in ("content_type", "expires", "website_redirect")),
]
"""What no header could hand back: names that are no lower-case tokens, values with control characters."""


@pytest.mark.parametrize("fields", REFUSED_METADATA)
async def test_metadata_that_no_header_can_hold_are_refused(rig: Rig, fields: dict[str, Any]) -> None:
    """By every operation that takes some, before a body comes, and nothing is made or changed (RFC 9110 sections 5.5, 5.6.2)."""
    await rig.put("k", SMALL, metadata=METADATA)
    metadata = ObjectMetadata(**fields)
    for name, others in (
        ("PutObject", {"body": Pieces(RuntimeError("asked for"))}),
        ("CreateMultipartUpload", {}),
        ("CopyObject", {"source": CopySource(bucket=BUCKET, key=ObjectKey("k")), "metadata_directive": MetadataDirective.REPLACE}),
    ):
        with pytest.raises(errors.InvalidArgument):
            await rig.call(name, key="new", metadata=metadata, **others)
    with pytest.raises(errors.InvalidArgument):
        await rig.call("UpdateObject", key="k", metadata=metadata)
    assert (await rig.call("HeadObject", key="k")).object.metadata == METADATA
    assert [item.key for item in (await rig.call("ListObjectsV2")).objects] == ["k"]
    assert (await rig.call("ListMultipartUploads")).uploads == ()


async def test_an_object_of_unknown_type_is_bytes(rig: Rig) -> None:
    """AWS: binary/octet-stream is told where the writer said nothing."""
    await rig.put("k", SMALL)
    assert (await rig.call("HeadObject", key="k")).object.metadata == NO_METADATA
    assert NO_METADATA.content_type == DEFAULT_CONTENT_TYPE == "binary/octet-stream"


# -- what is left


async def test_usage_is_exact(rig: Rig) -> None:
    """Through writing, overwriting, deleting and failing; of nothing nothing is left."""
    await rig.put("a", SMALL)
    await rig.put("b", LARGE)
    assert await rig.usage() == Usage(objects=2, bytes=len(SMALL) + len(LARGE))
    await rig.put("a", LARGE)
    await rig.put("b", b"")
    assert await rig.usage() == Usage(objects=2, bytes=len(LARGE))
    with pytest.raises(errors.PreconditionFailed):
        await rig.put("a", SMALL, conditions=ONLY_NEW)
    await rig.call("DeleteObject", key="a")
    await rig.call("DeleteObject", key="a")
    assert await rig.usage() == Usage(objects=1, bytes=0)
    await rig.call("DeleteObjects", objects=(ObjectIdentifier(key="b"), ObjectIdentifier(key="c")))
    assert await rig.usage() == Usage()
    assert await rig.is_tidy()
    assert await rig.chunks() == set()


@pytest.mark.parametrize("way", ["overwrite", "delete", "batch"])
async def test_what_is_replaced_becomes_garbage_in_the_same_transaction(rig: Rig, way: str) -> None:
    """There is no moment at which a chunk belongs to nobody and is not garbage, or is garbage and still read."""
    await rig.put("k", LARGE)
    (chunk,) = await rig.chunks()
    commits = 0
    commit = rig.metadata.commit

    async def counting(work: Any) -> Any:
        nonlocal commits
        commits += 1
        return await commit(work)

    rig.metadata.commit = counting  # type: ignore[method-assign]
    if way == "overwrite":
        await rig.put("k", SMALL)
    elif way == "delete":
        await rig.call("DeleteObject", key="k")
    else:
        await rig.call("DeleteObjects", objects=(ObjectIdentifier(key="k"),))
    assert commits == 1
    assert await rig.garbage() == {chunk}
    assert await rig.chunks() == {chunk}, "the file goes only after the commit, with the sweeper"


async def test_a_body_that_fails_leaves_nothing(rig: Rig) -> None:
    """Neither object, nor usage, nor chunk; and what was there stays."""
    await rig.put("old", SMALL)
    for key in ("new", "old"):
        with pytest.raises(errors.IncompleteBody):
            await rig.put(key, Pieces(LARGE * 300, errors.IncompleteBody()))
        with pytest.raises(errors.BadDigest):
            await rig.put(key, LARGE, checksums=Checksums(crc32="AAAAAA=="))
    with pytest.raises(errors.NoSuchKey):
        await rig.get("new")
    assert await rig.get("old") == SMALL
    assert await rig.usage() == Usage(objects=1, bytes=len(SMALL))
    assert await rig.chunks() == set()


async def test_an_unexpected_failure_of_a_body_tells_nothing_of_itself(rig: Rig) -> None:
    """It leaves as InternalError, with nothing of its text and no chunk."""
    with pytest.raises(errors.InternalError) as raised:
        await rig.put("k", Pieces(b"x" * 2 * CHUNK_BYTES, RuntimeError("secret")))
    assert "secret" not in raised.value.message
    assert await rig.chunks() == set()


@pytest.mark.parametrize("error", [NoRoom("full"), Unavailable("late"), Broken("io")])
async def test_a_transaction_that_fails_removes_no_chunk_that_it_may_have_named(rig: Rig, error: StoreError) -> None:
    """After `Unavailable` it may still come about, so its chunks are the sweeper's to remove; nothing else is left."""
    commit = rig.metadata.commit

    async def failing(work: Any) -> Any:
        if isinstance(error, Unavailable):
            await commit(work)
        raise error

    rig.metadata.commit = failing  # type: ignore[method-assign]
    expected = errors.InsufficientStorage if isinstance(error, NoRoom) else errors.ServiceUnavailable
    with pytest.raises(expected):
        await rig.put("k", LARGE)
    rig.metadata.commit = commit  # type: ignore[method-assign]
    assert rig.service.broken.is_set() == isinstance(error, Broken)
    if isinstance(error, Unavailable):
        assert await rig.get("k") == LARGE
    else:
        with pytest.raises(errors.NoSuchKey):
            await rig.get("k")
    assert await rig.is_tidy()


async def test_revisions_have_no_gap(rig: Rig) -> None:
    """Every change of the bucket's objects is one, and nothing else is."""
    await rig.put("a", SMALL)
    with pytest.raises(errors.PreconditionFailed):
        await rig.put("a", SMALL, conditions=ONLY_NEW)
    await rig.call("DeleteObject", key="nothing")
    await rig.put("b", LARGE)
    assert (await revision(rig, "a"), await revision(rig, "b")) == (1, 2)
    await rig.call("DeleteObject", key="a")
    await rig.put("a", b"")
    assert await revision(rig, "a") == 4


async def test_order_is_the_revision_and_never_the_clock(rig: Rig) -> None:
    """A clock that goes back changes no outcome: the last writer wins."""
    await rig.put("k", b"first")
    rig.clock.now -= timedelta(days=365)
    await rig.put("k", b"second")
    assert await rig.get("k") == b"second"


# -- conditional writes, and races


async def test_conditions_are_checked_before_the_body_comes(rig: Rig) -> None:
    """To spare the client its bytes."""
    await rig.put("k", SMALL)
    body = Pieces(RuntimeError("asked for"))
    with pytest.raises(errors.PreconditionFailed):
        await rig.put("k", body, conditions=ONLY_NEW)
    with pytest.raises(errors.PreconditionFailed):
        await rig.put("k", body, conditions=WriteConditions(if_match="x"))
    with pytest.raises(errors.NoSuchKey):
        await rig.put("nothing", body, conditions=WriteConditions(if_match="x"))


async def test_a_write_may_be_meant_for_anything_but_one_object(rig: Rig) -> None:
    """If-None-Match with an entity tag (RFC 9110 section 13.1.2), compared weakly; If-Match compares strongly."""
    etag = await rig.put("k", SMALL)
    for tag in (f'"{etag}"', f'W/"{etag}"', f'"x", "{etag}"'):
        with pytest.raises(errors.PreconditionFailed):
            await rig.put("k", b"new", conditions=WriteConditions(if_none_match=tag))
    with pytest.raises(errors.PreconditionFailed):
        await rig.put("k", b"new", conditions=WriteConditions(if_match=f'W/"{etag}"'))
    assert await rig.get("k") == SMALL
    for key in ("k", "other"):
        await rig.put(key, b"new", conditions=WriteConditions(if_none_match='"x"'))
        assert await rig.get(key) == b"new"


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["inline", "chunk"])
async def test_conditions_are_checked_again_at_the_commit(rig: Rig, content: bytes) -> None:
    """What came while the body was on its way counts; nothing of the loser stays."""

    async def overtake() -> None:
        await rig.put("k", b"winner")

    with pytest.raises(errors.PreconditionFailed):
        await rig.put("k", Pieces(content, overtake, content), conditions=ONLY_NEW)
    assert await rig.get("k") == b"winner"
    assert await rig.usage() == Usage(objects=1, bytes=6)
    assert await rig.chunks() == set()


@pytest.mark.parametrize("size", [5, INLINE_MAX_BYTES + 1], ids=["inline", "chunk"])
async def test_one_of_many_creators_wins(rig: Rig, size: int) -> None:
    """If-None-Match: * raced: exactly one is acknowledged, and its bytes are what is there."""
    ready = asyncio.Event()

    async def create(number: int) -> ETag:
        content = bytes([number]) * size
        return await rig.put("k", Pieces(content[:3], ready.wait, content[3:]), conditions=ONLY_NEW)

    tasks = [asyncio.create_task(create(number)) for number in range(RACERS)]
    await asyncio.sleep(0)
    ready.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    winners = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, str)]
    assert len(winners) == 1
    assert all(isinstance(outcome, errors.PreconditionFailed) for number, outcome in enumerate(outcomes) if number not in winners)
    assert await rig.get("k") == bytes(winners) * size
    assert await rig.usage() == Usage(objects=1, bytes=size)
    assert len(await rig.chunks()) == (size > INLINE_MAX_BYTES)


async def test_no_update_under_if_match_is_lost(rig: Rig) -> None:
    """Read, add one, write if it is still that: every success counts."""
    await rig.put("k", b"0")

    async def add() -> int:
        refused = 0
        while True:
            result = await rig.call("GetObject", key="k")
            value = int(b"".join([run async for run in result.body]))
            await asyncio.sleep(0)
            try:
                await rig.put("k", b"%d" % (value + 1), conditions=WriteConditions(if_match=result.object.etag))
            except errors.PreconditionFailed:
                refused += 1
            else:
                return refused

    refused = await asyncio.gather(*(add() for _ in range(10)))
    assert sum(refused) > 0, "nothing was raced"
    assert await rig.get("k") == b"10"


async def test_a_write_to_a_bucket_that_is_deleted_meanwhile_fails(rig: Rig) -> None:
    """It lands nowhere, not even in a new bucket of the same name."""

    async def renew() -> None:
        await rig.call("DeleteBucket")
        await rig.call("CreateBucket")

    with pytest.raises(errors.NoSuchBucket):
        await rig.put("k", Pieces(LARGE, renew))
    with pytest.raises(errors.NoSuchKey):
        await rig.get("k")
    assert await rig.chunks() == set()


async def test_a_slow_write_never_lands_in_another_tenants_bucket() -> None:
    """Whatever is made in the place of the bucket that it was authorised for."""
    rig = await make_rig(bucket_namespace=BucketNamespace.PROJECT)
    stranger = await enter_caller(rig.metadata, project("q", "x"))
    await rig.call("CreateBucket")

    async def replace() -> None:
        await rig.call("DeleteBucket")
        await rig.call_as(stranger, "CreateBucket", bucket="strangers")

    with pytest.raises(errors.NoSuchBucket):
        await rig.put("k", Pieces(SMALL, replace))
    listed = await rig.call_as(stranger, "ListObjectsV2", bucket="strangers")
    assert listed.objects == ()
    await rig.close()


async def test_a_read_goes_on_while_its_object_is_replaced(rig: Rig) -> None:
    """It ends with the bytes with which it began."""
    content = bytes(range(256)) * 8192
    await rig.put("k", content)
    result = await rig.call("GetObject", key="k")
    received = b""
    async for run in result.body:
        received += run
        await rig.put("k", SMALL)
    assert received == content


async def test_a_chunk_that_vanished_is_damage(rig: Rig) -> None:
    """Looking again does not find it; the read is refused, and does not hang."""
    await rig.put("k", LARGE)
    rig.blobs.contents.clear()
    with pytest.raises(errors.CorruptedData):
        await rig.get("k")


# -- deleting


@pytest.mark.parametrize(
    ("expected", "outcome"),
    [
        ({"if_match": md5(SMALL)}, None),
        ({"if_match": "x"}, errors.PreconditionFailed),
        ({"if_match_size": 5}, None),
        ({"if_match_size": 4}, errors.PreconditionFailed),
    ],
)
async def test_a_delete_may_have_conditions(rig: Rig, expected: dict[str, Any], outcome: type[errors.StorError] | None) -> None:
    """What does not meet them stays."""
    await rig.put("k", SMALL)
    if outcome is None:
        await rig.call("DeleteObject", key="k", **expected)
        with pytest.raises(errors.NoSuchKey):
            await rig.get("k")
    else:
        with pytest.raises(outcome):
            await rig.call("DeleteObject", key="k", **expected)
        assert await rig.get("k") == SMALL


@pytest.mark.parametrize("expected", [{"if_match": md5(SMALL)}, {"if_match": "*"}, {"if_match_size": 5}])
async def test_a_conditional_delete_of_nothing_is_no_error(rig: Rig, expected: dict[str, Any]) -> None:
    """What it is to bring about is there already, in a batch too."""
    await rig.call("DeleteObject", key="nothing", **expected)
    result = await rig.call("DeleteObjects", objects=(ObjectIdentifier(key="nothing", etag=ETag("x"), size=9),))
    assert ([item.key for item in result.deleted], result.errors) == (["nothing"], ())


async def test_each_of_a_batch_succeeds_or_fails_by_itself(rig: Rig) -> None:
    """In the order in which they were named; a key that is not there is deleted; quiet tells the failures alone."""
    for key in ("a", "b", "c"):
        await rig.put(key, SMALL)
    named = (
        ObjectIdentifier(key="a"),
        ObjectIdentifier(key="b", etag=ETag("x")),
        ObjectIdentifier(key="nothing"),
        ObjectIdentifier(key="x" * (KEY_MAX_BYTES + 1)),
        ObjectIdentifier(key=""),
        ObjectIdentifier(key="a"),
    )
    result = await rig.call("DeleteObjects", objects=named)
    assert [item.key for item in result.deleted] == ["a", "nothing", "a"]
    assert [item.code for item in result.errors] == ["PreconditionFailed", "KeyTooLongError", "InvalidArgument"]
    quiet = await rig.call("DeleteObjects", objects=(*named[:2], ObjectIdentifier(key="c")), quiet=True)
    assert (quiet.deleted, [item.key for item in quiet.errors]) == ((), ["b"])
    assert [item.key for item in (await rig.call("ListObjectsV2")).objects] == ["b"]


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_a_size(rig: Rig, count: int) -> None:
    """1 to 1,000 (AWS, DeleteObjects)."""
    with pytest.raises(errors.MalformedXML):
        await rig.call("DeleteObjects", objects=(ObjectIdentifier(key="k"),) * count)


async def test_a_bucket_that_holds_objects_is_not_deleted(rig: Rig) -> None:
    """Once it is empty it is, and then it is gone for everything."""
    await rig.put("k", SMALL)
    with pytest.raises(errors.BucketNotEmpty):
        await rig.call("DeleteBucket")
    await rig.call("DeleteObject", key="k")
    await rig.call("DeleteBucket")
    for name, fields in (("HeadBucket", {}), ("DeleteBucket", {}), ("DeleteObject", {"key": "k"}), ("ListObjectsV2", {})):
        with pytest.raises(errors.NoSuchBucket):
            await rig.call(name, **fields)


# -- updating in place


async def test_metadata_are_updated_in_place(rig: Rig) -> None:
    """What the mask names; bytes, tag, date and place in the order stay, and the generation counts on."""
    await rig.put("k", LARGE, metadata=METADATA)
    before = (await rig.call("HeadObject", key="k")).object
    change = ObjectMetadata(content_type="x/y", user={"n": "1"})
    after = (await rig.call("UpdateObject", key="k", metadata=change, update_mask=("content_type",), if_generation=1)).object
    assert after == (await rig.call("HeadObject", key="k", checksum_mode=ChecksumMode.ENABLED)).object
    assert (after.metadata.content_type, after.metadata.user, after.generation) == ("x/y", METADATA.user, 2)
    assert (after.etag, after.last_modified, after.revision) == (before.etag, before.last_modified, before.revision)
    after = (await rig.call("UpdateObject", key="k", metadata=change)).object
    assert (after.metadata, after.generation) == (change, 3)
    assert await rig.get("k") == LARGE
    assert await rig.garbage() == set()


async def test_an_update_is_refused_where_it_is_not_meant(rig: Rig) -> None:
    """Another generation, a field that is none, no object, too many metadata."""
    await rig.put("k", SMALL)
    for fields, error in (
        ({"if_generation": 2}, errors.PreconditionFailed),
        ({"update_mask": ("etag",)}, errors.InvalidArgument),
        ({"key": "nothing"}, errors.NoSuchKey),
        ({"metadata": ObjectMetadata(user={"a": "x" * USER_METADATA_MAX_BYTES})}, errors.MetadataTooLarge),
    ):
        with pytest.raises(error):
            await rig.call("UpdateObject", **{"key": "k", **fields})
    assert (await rig.call("HeadObject", key="k")).object.generation == 1
