"""Multipart uploads: what may be completed, what is left of them, and who wins."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import pytest

from lightningstor_server.service import completing
from lightningstor_server.service.integrity import Digester, composite_etag
from lightningstor_server.service.sweeper import COMPLETED_UPLOADS_KEPT
from lightningstor_types import errors
from lightningstor_types.buckets import Usage
from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.names import LIST_MAX_KEYS, PART_MIN_BYTES
from lightningstor_types.objects import ObjectMetadata, StorageClass
from lightningstor_types.operations.common import WriteConditions
from lightningstor_types.operations.objects import ChecksumMode
from lightningstor_types.uploads import CompletedPart
from unit.service.rig import Pieces, Rig

LEAST: Final = 100
"""The least size of a part but the last in these tests, in place of 5 MiB."""
PARTS: Final = (b"a" * LEAST, b"b" * (LEAST + 7), b"c")
WHOLE: Final = b"".join(PARTS)


@pytest.fixture(autouse=True)
def _small_parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_sizes" not in request.fixturenames:
        monkeypatch.setattr(completing, "PART_MIN_BYTES", LEAST)


@pytest.fixture
def real_sizes() -> None:
    """Asks for S3's own limits."""


def etag(content: bytes) -> ETag:
    """The entity tag of a part."""
    return ETag(hashlib.md5(content, usedforsecurity=False).hexdigest())


def checksum(algorithm: ChecksumAlgorithm, content: bytes) -> Checksums:
    """The checksum of those bytes."""
    digester = Digester((algorithm,))
    digester.update(content)
    return digester.checksums()


async def written(rig: Rig, *contents: bytes, key: str = "k", **fields: Any) -> tuple[str, list[CompletedPart]]:
    """An upload with those parts, from number 1 on."""
    upload = await rig.start(key, **fields)
    return upload, [await rig.part(key, upload, number, content) for number, content in enumerate(contents, 1)]


async def there(rig: Rig, key: str = "k") -> bool:
    """Whether the object is there."""
    try:
        await rig.call("HeadObject", key=key)
    except errors.NoSuchKey:
        return False
    return True


# -- completing


async def test_an_upload_becomes_its_parts_in_order(rig: Rig) -> None:
    """Bytes, metadata and class; the tag of the parts' tags; read whole, by range and by part."""
    metadata = ObjectMetadata(content_type="x/y", user={"a": "b"})
    upload, parts = await written(rig, *PARTS, metadata=metadata, storage_class=StorageClass.STANDARD_IA)
    assert not await there(rig)
    result = await rig.complete("k", upload, *parts)
    assert result.etag == composite_etag([etag(part) for part in PARTS])
    assert await rig.get("k") == WHOLE
    head = await rig.call("HeadObject", key="k", part_number=2, checksum_mode=ChecksumMode.ENABLED)
    assert (head.object.etag, head.object.parts_count, head.object.metadata) == (result.etag, 3, metadata)
    assert (head.object.storage_class, head.content_length) == (StorageClass.STANDARD_IA, len(PARTS[1]))
    assert head.content_range == f"bytes {LEAST}-{2 * LEAST + 6}/{len(WHOLE)}"
    assert [await rig.get("k", part_number=number) for number in (1, 2, 3)] == list(PARTS)
    with pytest.raises(errors.InvalidPartNumber):
        await rig.get("k", part_number=4)


async def test_completing_moves_no_bytes(rig: Rig) -> None:
    """The object is made of the very chunks that the parts were."""
    upload, parts = await written(rig, *PARTS)
    before = await rig.chunks()
    await rig.complete("k", upload, *parts)
    assert await rig.chunks() == before
    assert await rig.garbage() == set()


async def test_numbers_may_have_gaps(rig: Rig) -> None:
    """Any ascending numbers from 1 to 10,000; they were written in any order."""
    upload = await rig.start("k")
    last = await rig.part("k", upload, 10_000, b"z")
    first = await rig.part("k", upload, 7, PARTS[0])
    await rig.complete("k", upload, first, last)
    assert await rig.get("k") == PARTS[0] + b"z"


async def test_parts_that_were_not_named_are_dropped(rig: Rig) -> None:
    """Their chunks are garbage, and only theirs."""
    upload, parts = await written(rig, *PARTS)
    await rig.complete("k", upload, parts[0], parts[2])
    assert await rig.get("k") == PARTS[0] + PARTS[2]
    assert len(await rig.garbage()) == 1
    assert await rig.is_tidy()
    assert await rig.get("k") == PARTS[0] + PARTS[2]


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ([], errors.MalformedXML),
        ([1, 0], errors.InvalidPartOrder),
        ([0, 0], errors.InvalidPartOrder),
        ([0, 2, 1], errors.InvalidPartOrder),
        ([2], None),
        ([0, 1, 2], None),
    ],
)
async def test_parts_are_named_in_ascending_order(rig: Rig, order: list[int], error: type[errors.StorError] | None) -> None:
    """Each once; a refusal leaves the upload as it is."""
    upload, parts = await written(rig, *PARTS)
    if error is None:
        await rig.complete("k", upload, *(parts[place] for place in order))
        return
    with pytest.raises(error):
        await rig.complete("k", upload, *(parts[place] for place in order))
    assert not await there(rig)
    await rig.complete("k", upload, *parts)
    assert await rig.get("k") == WHOLE


async def test_a_part_that_is_not_the_one_named_is_refused(rig: Rig) -> None:
    """Another tag, another checksum, or a number that was never written."""
    upload, parts = await written(rig, *PARTS, checksum_algorithm=ChecksumAlgorithm.SHA256)
    sums = [checksum(ChecksumAlgorithm.SHA256, part) for part in PARTS]
    wrong = [
        attrs.evolve(parts[1], etag=etag(b"other")),
        attrs.evolve(parts[1], number=4),
        attrs.evolve(parts[1], checksums=sums[0]),
    ]
    for part in wrong:
        with pytest.raises(errors.InvalidPart):
            await rig.complete("k", upload, parts[0], part)
    await rig.complete("k", upload, *(attrs.evolve(part, checksums=value) for part, value in zip(parts, sums, strict=True)))


async def test_a_part_but_the_last_has_a_least_size(rig: Rig) -> None:
    """Only among those that are named, and only when completing."""
    upload, parts = await written(rig, b"x" * LEAST, b"y" * (LEAST - 1), b"", b"z")
    with pytest.raises(errors.EntityTooSmall) as raised:
        await rig.complete("k", upload, parts[0], parts[1], parts[3])
    assert raised.value.details["PartNumber"] == "2"
    await rig.complete("k", upload, parts[0], parts[1])
    assert await rig.get("k") == b"x" * LEAST + b"y" * (LEAST - 1)


@pytest.mark.usefixtures("real_sizes")
async def test_the_least_size_is_five_mebibytes(rig: Rig) -> None:
    """AWS, "Multipart upload limits"."""
    for size, taken in ((PART_MIN_BYTES, True), (PART_MIN_BYTES - 1, False)):
        upload, parts = await written(rig, bytes(size), b"z")
        if taken:
            await rig.complete("k", upload, *parts)
        else:
            with pytest.raises(errors.EntityTooSmall):
                await rig.complete("k", upload, *parts)


@pytest.mark.parametrize("contents", [(b"",), (PARTS[0], b"")], ids=["alone", "last"])
async def test_the_last_part_may_be_empty(rig: Rig, contents: tuple[bytes, ...]) -> None:
    """Also the only one; reading that part has no range, since it has no byte (RFC 9110 section 14.4)."""
    upload, parts = await written(rig, *contents)
    await rig.complete("k", upload, *parts)
    assert await rig.get("k") == b"".join(contents)
    assert await rig.get("k", part_number=len(contents)) == b""
    assert (await rig.call("HeadObject", key="k", part_number=len(contents))).content_range is None
    await rig.call("DeleteObject", key="k")
    assert await rig.is_tidy()


async def test_the_announced_size_must_be_right(rig: Rig) -> None:
    """x-amz-mp-object-size."""
    upload, parts = await written(rig, *PARTS)
    with pytest.raises(errors.InvalidRequest):
        await rig.complete("k", upload, *parts, object_size=len(WHOLE) + 1)
    await rig.complete("k", upload, *parts, object_size=len(WHOLE))


async def test_a_completion_may_have_conditions(rig: Rig) -> None:
    """A refusal leaves the upload; it can be completed otherwise."""
    await rig.put("k", b"old")
    upload, parts = await written(rig, *PARTS)
    with pytest.raises(errors.PreconditionFailed):
        await rig.complete("k", upload, *parts, conditions=WriteConditions(if_none_match="*"))
    assert await rig.get("k") == b"old"
    await rig.complete("k", upload, *parts, conditions=WriteConditions(if_match=etag(b"old")))
    assert await rig.get("k") == WHOLE


# -- checksums


@pytest.mark.parametrize(
    ("algorithm", "asked", "type_"),
    [
        (None, None, ChecksumType.FULL_OBJECT),
        (ChecksumAlgorithm.CRC32, None, ChecksumType.COMPOSITE),
        (ChecksumAlgorithm.CRC32, ChecksumType.FULL_OBJECT, ChecksumType.FULL_OBJECT),
        (ChecksumAlgorithm.CRC32C, ChecksumType.COMPOSITE, ChecksumType.COMPOSITE),
        (ChecksumAlgorithm.CRC64NVME, None, ChecksumType.FULL_OBJECT),
        (ChecksumAlgorithm.SHA1, None, ChecksumType.COMPOSITE),
        (ChecksumAlgorithm.SHA256, ChecksumType.COMPOSITE, ChecksumType.COMPOSITE),
    ],
)
async def test_the_whole_has_a_checksum(
    rig: Rig, algorithm: ChecksumAlgorithm | None, asked: ChecksumType | None, type_: ChecksumType
) -> None:
    """Of its bytes, or of the parts' checksums; told at the completion, in its retry and by reads."""
    upload, parts = await written(rig, *PARTS, checksum_algorithm=algorithm, checksum_type=asked)
    result = await rig.complete("k", upload, *parts)
    used = algorithm or ChecksumAlgorithm.CRC64NVME
    if type_ is ChecksumType.FULL_OBJECT:
        expected = checksum(used, WHOLE)
    else:
        inner = b"".join(base64.b64decode(getattr(checksum(used, part), used.field)) for part in PARTS)
        expected = Checksums.of(used, f"{getattr(checksum(used, inner), used.field)}-3")
    assert (result.checksums, result.checksum_type) == (expected, type_)
    assert await rig.complete("k", upload, *parts) == result
    item = (await rig.call("HeadObject", key="k", checksum_mode=ChecksumMode.ENABLED)).object
    assert (item.checksums, item.checksum_type) == (expected, type_)


async def test_a_claimed_checksum_of_the_whole_must_be_right(rig: Rig) -> None:
    """And of the upload's type; a refusal leaves the upload."""
    full = {"checksum_algorithm": ChecksumAlgorithm.CRC32, "checksum_type": ChecksumType.FULL_OBJECT}
    upload, parts = await written(rig, *PARTS, **full)
    right, wrong = (checksum(ChecksumAlgorithm.CRC32, content) for content in (WHOLE, b"other"))
    with pytest.raises(errors.BadDigest):
        await rig.complete("k", upload, *parts, full_checksums=wrong)
    with pytest.raises(errors.InvalidRequest):
        await rig.complete("k", upload, *parts, checksum_type=ChecksumType.COMPOSITE)
    for algorithm in (ChecksumAlgorithm.SHA256, ChecksumAlgorithm.CRC64NVME):
        with pytest.raises(errors.InvalidRequest):
            await rig.complete("k", upload, *parts, full_checksums=checksum(algorithm, WHOLE))
    assert not await there(rig)
    await rig.complete("k", upload, *parts, full_checksums=right, checksum_type=ChecksumType.FULL_OBJECT)


async def test_an_upload_takes_the_algorithms_that_there_are(rig: Rig) -> None:
    """A type without an algorithm, a pair that AWS does not have, and a part of another algorithm are refused."""
    for fields in (
        {"checksum_type": ChecksumType.FULL_OBJECT},
        {"checksum_algorithm": ChecksumAlgorithm.SHA256, "checksum_type": ChecksumType.FULL_OBJECT},
        {"checksum_algorithm": ChecksumAlgorithm.CRC64NVME, "checksum_type": ChecksumType.COMPOSITE},
    ):
        with pytest.raises(errors.InvalidRequest):
            await rig.start("k", **fields)
    upload = await rig.start("k", checksum_algorithm=ChecksumAlgorithm.CRC32)
    with pytest.raises(errors.InvalidRequest):
        await rig.part("k", upload, 1, b"x", checksums=checksum(ChecksumAlgorithm.SHA1, b"x"))
    with pytest.raises(errors.BadDigest):
        await rig.part("k", upload, 1, b"x", checksums=checksum(ChecksumAlgorithm.CRC32, b"y"))
    assert await rig.chunks() == set()
    await rig.part("k", upload, 1, b"x", checksums=checksum(ChecksumAlgorithm.CRC32, b"x"))


# -- what is left


async def test_usage_follows_an_upload(rig: Rig) -> None:
    """Parts count apart; a completion turns those it takes into an object, and lets the others go."""
    await rig.put("k", b"old")
    upload, parts = await written(rig, *PARTS)
    assert await rig.usage() == Usage(objects=1, bytes=3, uploads_bytes=len(WHOLE))
    parts[1] = await rig.part("k", upload, 2, b"d" * LEAST)
    assert await rig.usage() == Usage(objects=1, bytes=3, uploads_bytes=len(WHOLE) - 7)
    await rig.complete("k", upload, *parts[:2])
    assert await rig.usage() == Usage(objects=1, bytes=2 * LEAST)
    upload, _ = await written(rig, *PARTS)
    await rig.call("AbortMultipartUpload", key="k", upload_id=upload)
    assert await rig.usage() == Usage(objects=1, bytes=2 * LEAST)
    await rig.call("DeleteObject", key="k")
    assert await rig.usage() == Usage()
    assert await rig.is_tidy()
    assert await rig.chunks() == set()


async def test_a_part_that_is_written_again_replaces_the_first(rig: Rig) -> None:
    """The old tag is refused; the old chunk is garbage at once."""
    upload, (first,) = await written(rig, b"first")
    second = await rig.part("k", upload, 1, b"second")
    assert len(await rig.garbage()) == 1
    with pytest.raises(errors.InvalidPart):
        await rig.complete("k", upload, first)
    await rig.complete("k", upload, second)
    assert await rig.get("k") == b"second"
    assert await rig.is_tidy()
    assert await rig.get("k") == b"second"


async def test_an_aborted_upload_leaves_nothing(rig: Rig) -> None:
    """Its chunks are garbage; nothing can be done with it any more."""
    upload, parts = await written(rig, *PARTS)
    await rig.call("AbortMultipartUpload", key="k", upload_id=upload)
    assert len(await rig.garbage()) == 3
    await rig.sweep()
    assert await rig.chunks() == set()
    for call in (
        rig.part("k", upload, 1, b"x"),
        rig.complete("k", upload, *parts),
        rig.call("AbortMultipartUpload", key="k", upload_id=upload),
        rig.call("ListParts", key="k", upload_id=upload),
        rig.call("QueryUpload", key="k", upload_id=upload),
    ):
        with pytest.raises(errors.NoSuchUpload):
            await call
    assert await rig.chunks() == set()


async def test_an_upload_is_its_keys_and_its_buckets(rig: Rig) -> None:
    """Under other names there is none."""
    await rig.call("CreateBucket", bucket="other")
    upload, parts = await written(rig, *PARTS)
    for names in ({"key": "K"}, {"key": "k", "bucket": "other"}):
        with pytest.raises(errors.NoSuchUpload):
            await rig.call("CompleteMultipartUpload", **names, upload_id=upload, parts=parts)
        with pytest.raises(errors.NoSuchUpload):
            await rig.call("UploadPart", **names, upload_id=upload, part_number=1, body=Pieces(b"x"))
        with pytest.raises(errors.NoSuchUpload):
            await rig.call("AbortMultipartUpload", **names, upload_id=upload)
    await rig.complete("k", upload, *parts)


async def test_uploads_go_with_their_bucket(rig: Rig) -> None:
    """Running and complete ones; not where an object holds the bucket. Their chunks are garbage, and their usage is given back."""
    upload, _ = await written(rig, b"x")
    done, parts = await written(rig, b"y", key="done")
    await rig.complete("done", done, *parts)
    with pytest.raises(errors.BucketNotEmpty):
        await rig.call("DeleteBucket")
    assert (await rig.call("QueryUpload", key="k", upload_id=upload)).parts_count == 1
    await rig.call("DeleteObject", key="done")
    await rig.call("DeleteBucket")
    await rig.call("CreateBucket", bucket="other")
    found = await rig.call("GetUsage", bucket="other")
    assert found.project == found.organisation == Usage(buckets=1)
    assert await rig.is_tidy()
    assert await rig.chunks() == set()


async def test_running_uploads_alone_do_not_hold_a_bucket(rig: Rig) -> None:
    """However many: more than a page of them, with parts and without, of several keys."""
    for number in range(LIST_MAX_KEYS + 3):
        await rig.start(f"k{number % 7}")
    for number in range(3):
        await written(rig, *PARTS, key=f"p{number}")
    await rig.call("DeleteBucket")
    await rig.call("CreateBucket")
    assert (await rig.call("ListMultipartUploads")).uploads == ()
    assert await rig.usage() == Usage()
    assert len(await rig.garbage()) == 3 * len(PARTS)
    assert await rig.is_tidy()
    assert await rig.chunks() == set()


async def test_parts_are_listed(rig: Rig) -> None:
    """By number and by page, with checksums where the upload has an algorithm; a query tells the sum."""
    upload, _ = await written(rig, *PARTS, checksum_algorithm=ChecksumAlgorithm.SHA1)
    first = await rig.call("ListParts", key="k", upload_id=upload, max_parts=2)
    assert ([part.number for part in first.parts], first.truncated, first.next_part_number_marker) == ([1, 2], True, 2)
    rest = await rig.call("ListParts", key="k", upload_id=upload, part_number_marker=2)
    assert [(part.number, part.size, part.etag) for part in rest.parts] == [(3, 1, etag(b"c"))]
    assert rest.parts[0].checksums == checksum(ChecksumAlgorithm.SHA1, b"c")
    query = await rig.call("QueryUpload", key="k", upload_id=upload)
    assert (query.upload_id, query.parts_count, query.size, query.initiated) == (upload, 3, len(WHOLE), rig.clock.now)


# -- races and retries


async def test_a_retry_is_told_what_the_upload_became(rig: Rig) -> None:
    """The same answer, though the object was replaced or deleted meanwhile; nothing is made again."""
    upload, parts = await written(rig, *PARTS)
    result = await rig.complete("k", upload, *parts)
    assert await rig.complete("k", upload, *parts) == result
    await rig.put("k", b"newer")
    assert await rig.complete("k", upload, *parts, conditions=WriteConditions(if_none_match="*")) == result
    assert await rig.get("k") == b"newer"
    await rig.call("DeleteObject", key="k")
    assert await rig.complete("k", upload, *parts) == result
    assert not await there(rig)
    assert await rig.usage() == Usage()
    with pytest.raises(errors.NoSuchUpload):
        await rig.call("AbortMultipartUpload", key="k", upload_id=upload)


async def test_a_retry_is_answered_for_some_time(rig: Rig) -> None:
    """COMPLETED_UPLOADS_KEPT, and then no more."""
    rig.clock.now = datetime.now(UTC)
    upload, parts = await written(rig, *PARTS)
    result = await rig.complete("k", upload, *parts)
    await rig.sweep(later=COMPLETED_UPLOADS_KEPT * 0.9)
    assert await rig.complete("k", upload, *parts) == result
    await rig.sweep(later=COMPLETED_UPLOADS_KEPT * 1.1)
    with pytest.raises(errors.NoSuchUpload):
        await rig.complete("k", upload, *parts)
    assert await rig.get("k") == WHOLE


async def test_many_completions_at_once_make_one_object(rig: Rig) -> None:
    """All of them are told the same."""
    upload, parts = await written(rig, *PARTS)
    await rig.put("before", b"")
    before = (await rig.call("HeadObject", key="before")).object.revision
    results = await asyncio.gather(*(rig.complete("k", upload, *parts) for _ in range(20)))
    assert all(result == results[0] for result in results)
    assert (await rig.call("HeadObject", key="k")).object.revision == before + 1
    assert await rig.usage() == Usage(objects=2, bytes=len(WHOLE))


async def test_completing_and_aborting_at_once_has_one_winner(rig: Rig) -> None:
    """Either there is an object and no abort, or an abort and no object."""
    for _ in range(10):
        upload, parts = await written(rig, *PARTS)
        calls = [rig.complete("k", upload, *parts), rig.call("AbortMultipartUpload", key="k", upload_id=upload)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [isinstance(outcome, errors.NoSuchUpload) for outcome in outcomes]
        assert sorted(refused) == [False, True]
        assert await there(rig) == refused[1]
        await rig.call("DeleteObject", key="k")
    assert await rig.usage() == Usage()
    assert await rig.is_tidy()


@pytest.mark.parametrize("end", ["complete", "abort"])
async def test_a_part_that_comes_too_late_is_refused(rig: Rig, end: str) -> None:
    """It was on its way when the upload ended: nothing of it is kept, and the object has nothing of it."""
    upload, parts = await written(rig, *PARTS)
    before = await rig.chunks()

    async def finish() -> None:
        if end == "complete":
            await rig.complete("k", upload, *parts)
        else:
            await rig.call("AbortMultipartUpload", key="k", upload_id=upload)

    with pytest.raises(errors.NoSuchUpload):
        await rig.part("k", upload, 1, Pieces(b"x", finish, b"y"))
    assert await rig.chunks() == before
    if end == "complete":
        assert await rig.get("k") == WHOLE
    assert await rig.usage() == (Usage(objects=1, bytes=len(WHOLE)) if end == "complete" else Usage())
    assert await rig.is_tidy()


async def test_writers_of_one_part_leave_one(rig: Rig) -> None:
    """The last to commit; the others' chunks are garbage."""
    upload = await rig.start("k")
    written_parts = await asyncio.gather(*(rig.part("k", upload, 1, bytes([number]) * 9) for number in range(20)))
    (stored,) = (await rig.call("ListParts", key="k", upload_id=upload)).parts
    (winner,) = [part for part in written_parts if part.etag == stored.etag]
    await rig.complete("k", upload, winner)
    assert await rig.is_tidy()
    assert len(await rig.chunks()) == 1
    assert etag(await rig.get("k")) == winner.etag


async def test_a_part_that_breaks_leaves_nothing(rig: Rig) -> None:
    """And what was there under its number stays."""
    upload, parts = await written(rig, *PARTS)
    before = await rig.chunks()
    with pytest.raises(errors.IncompleteBody):
        await rig.part("k", upload, 2, Pieces(b"x" * 1_000_000, errors.IncompleteBody()))
    assert await rig.chunks() == before
    await rig.complete("k", upload, *parts)
    assert await rig.get("k") == WHOLE
