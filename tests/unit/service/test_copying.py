"""CopyObject and UploadPartCopy: bytes are shared, never moved; source and destination are judged apart."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import pytest

from lightningstor_server.service import completing
from lightningstor_server.service.integrity import Digester
from lightningstor_types import errors
from lightningstor_types.buckets import Usage
from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ChecksumType
from lightningstor_types.names import BucketName, ObjectKey, VersionId
from lightningstor_types.objects import ByteRange, CopySource, ObjectMetadata, StorageClass
from lightningstor_types.operations.common import ReadConditions, WriteConditions
from lightningstor_types.operations.copying import MetadataDirective
from lightningstor_types.operations.objects import ChecksumMode
from lightningstor_types.tenants import BucketNamespace, Role
from lightningstor_types.uploads import CompletedPart
from unit.service.rig import BUCKET, Rig, enter_caller, make_rig, project

SMALL: Final = b"hello"
LARGE: Final = bytes(range(251)) * 200
CONTENTS: Final = pytest.mark.parametrize("content", [b"", SMALL, LARGE], ids=["empty", "inline", "chunk"])
METADATA: Final = ObjectMetadata(content_type="text/plain", user={"a": "b"})
REPLACE: Final = MetadataDirective.REPLACE


def source(key: str = "k", bucket: str = BUCKET, version_id: str | None = None) -> CopySource:
    """What is copied."""
    return CopySource(bucket=BucketName(bucket), key=ObjectKey(key), version_id=None if version_id is None else VersionId(version_id))


def md5(content: bytes) -> str:
    """The entity tag of those bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def checksum(algorithm: ChecksumAlgorithm, content: bytes) -> Checksums:
    """The checksum of those bytes."""
    digester = Digester((algorithm,))
    digester.update(content)
    return digester.checksums()


async def copied(rig: Rig, key: str, of: CopySource | None = None, **fields: Any) -> Any:
    """A copy."""
    return await rig.call("CopyObject", key=key, source=of or source(), **fields)


async def part_of(rig: Rig, upload: str, number: int, of: CopySource | None = None, **fields: Any) -> CompletedPart:
    """A part that is a copy."""
    result = await rig.call("UploadPartCopy", key="d", upload_id=upload, part_number=number, source=of or source(), **fields)
    return CompletedPart(number=number, etag=result.etag)  # type: ignore[arg-type]


@attrs.define
class Racing:
    """Metadata with another process: something happens just before one of the looks."""

    real: Any
    race: Callable[[], Awaitable[object]]
    before: int
    """Which read, look or commit it comes before, counted from 0."""
    calls: int = 0

    async def _turn(self) -> None:
        self.calls += 1
        if self.calls - 1 == self.before:
            await self.race()

    async def read(self, work: Any) -> Any:
        """See `Metadata.read`."""
        await self._turn()
        return await self.real.read(work)

    async def look(self, work: Any) -> Any:
        """See `Metadata.look`."""
        await self._turn()
        return await self.real.look(work)

    async def commit(self, work: Any) -> Any:
        """See `Metadata.commit`."""
        await self._turn()
        return await self.real.commit(work)


# -- CopyObject


@CONTENTS
async def test_a_copy_is_the_source_under_another_name(rig: Rig, content: bytes) -> None:
    """Bytes, tag, metadata and checksum; with a date of its own and the class that was asked for."""
    await rig.put("k", content, metadata=METADATA, storage_class=StorageClass.ONEZONE_IA)
    first = (await rig.call("HeadObject", key="k", checksum_mode=ChecksumMode.ENABLED)).object
    rig.clock.now = rig.clock.now.replace(year=2027)
    result = await copied(rig, "d")
    item = (await rig.call("HeadObject", key="d", checksum_mode=ChecksumMode.ENABLED)).object
    assert await rig.get("d") == content
    assert (item.etag, item.metadata, item.checksums, item.size) == (first.etag, METADATA, first.checksums, len(content))
    assert (item.last_modified, item.storage_class, item.generation) == (rig.clock.now, StorageClass.STANDARD, 1)
    assert (result.etag, result.last_modified, result.checksums) == (item.etag, rig.clock.now, item.checksums)
    assert await rig.get("k") == content


async def test_a_copy_moves_no_bytes(rig: Rig) -> None:
    """Both name the same chunk; it is garbage when the second of them is gone, in either order."""
    await rig.put("k", LARGE)
    before = await rig.chunks()
    for first, second in (("k", "d"), ("d", "k")):
        await copied(rig, "d", source("k"))
        assert await rig.chunks() == before
        assert await rig.usage() == Usage(objects=2, bytes=2 * len(LARGE))
        await rig.call("DeleteObject", key=first)
        await rig.sweep()
        assert await rig.get(second) == LARGE
        await copied(rig, "k", source(second), metadata_directive=REPLACE)
        await rig.call("DeleteObject", key="d")
    await rig.call("DeleteObject", key="k")
    assert await rig.garbage() == before
    assert await rig.is_tidy()
    assert await rig.usage() == Usage()


async def test_metadata_are_the_sources_or_the_requests(rig: Rig) -> None:
    """As the directive says; never mixed, but for the redirect."""
    await rig.put("k", SMALL, metadata=METADATA)
    asked = ObjectMetadata(content_type="x/y", website_redirect="/there")
    await copied(rig, "d", metadata=asked)
    assert (await rig.call("HeadObject", key="d")).object.metadata == attrs.evolve(METADATA, website_redirect="/there")
    await copied(rig, "d", metadata=asked, metadata_directive=REPLACE, storage_class=StorageClass.STANDARD_IA)
    item = (await rig.call("HeadObject", key="d")).object
    assert (item.metadata, item.storage_class) == (asked, StorageClass.STANDARD_IA)


@CONTENTS
async def test_a_copy_onto_itself_must_change_something(rig: Rig, content: bytes) -> None:
    """Then it does, and loses nothing of the bytes."""
    await rig.put("k", content)
    with pytest.raises(errors.InvalidRequest):
        await copied(rig, "k")
    for fields in (
        {"metadata_directive": REPLACE, "metadata": METADATA},
        {"storage_class": StorageClass.STANDARD_IA},
        {"metadata": ObjectMetadata(website_redirect="/")},
    ):
        await copied(rig, "k", **fields)
        assert await rig.get("k") == content
    assert await rig.usage() == Usage(objects=1, bytes=len(content))
    assert await rig.is_tidy()
    assert await rig.get("k") == content


async def test_a_copy_replaces_what_is_there(rig: Rig) -> None:
    """In the same transaction; other objects' chunks become garbage, the source's do not."""
    await rig.put("k", LARGE)
    (kept,) = await rig.chunks()
    await rig.put("d", LARGE[::-1])
    (dropped,) = await rig.chunks() - {kept}
    await copied(rig, "d")
    assert await rig.garbage() == {dropped}
    assert await rig.usage() == Usage(objects=2, bytes=2 * len(LARGE))


async def test_a_source_that_is_not_there_is_not_found(rig: Rig) -> None:
    """Key, version, bucket; nothing is made."""
    await rig.put("k", SMALL)
    for of, error in (
        (source("x"), errors.NoSuchKey),
        (source("k", version_id="other"), errors.NoSuchVersion),
        (source("k", "nowhere"), errors.NoSuchBucket),
    ):
        with pytest.raises(error):
            await copied(rig, "d", of)
    await copied(rig, "d", source("k", version_id="null"))
    assert await rig.get("d") == SMALL


async def test_conditions_hold_for_source_and_destination(rig: Rig) -> None:
    """The source's are a read's, with 412 for all; the destination's a write's."""
    etag = await rig.put("k", SMALL)
    await rig.put("d", b"old")
    for fields in (
        {"source_conditions": ReadConditions(if_match="x")},
        {"source_conditions": ReadConditions(if_none_match=etag)},
        {"source_conditions": ReadConditions(if_modified_since=rig.clock.now)},
        {"conditions": WriteConditions(if_none_match="*")},
        {"conditions": WriteConditions(if_match=etag)},
    ):
        with pytest.raises(errors.PreconditionFailed):
            await copied(rig, "d", **fields)
        assert await rig.get("d") == b"old"
    await copied(rig, "d", source_conditions=ReadConditions(if_match=etag), conditions=WriteConditions(if_match=md5(b"old")))
    assert await rig.get("d") == SMALL


@CONTENTS
@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
async def test_a_checksum_that_the_source_lacks_is_computed(rig: Rig, content: bytes, algorithm: ChecksumAlgorithm) -> None:
    """The bytes are read for it, and are not written again."""
    await rig.put("k", content)
    before = await rig.chunks()
    result = await copied(rig, "d", checksum_algorithm=algorithm)
    assert (result.checksums, result.checksum_type) == (checksum(algorithm, content), ChecksumType.FULL_OBJECT)
    assert await rig.chunks() == before
    assert await rig.get("d") == content


async def test_a_copy_of_a_completed_upload_is_one_object(rig: Rig) -> None:
    """All parts' bytes, in one part."""
    upload = await rig.start("k")
    part = await rig.part("k", upload, 1, LARGE)
    await rig.complete("k", upload, part)
    await copied(rig, "d")
    head = await rig.call("HeadObject", key="d", part_number=1)
    assert (head.object.parts_count, head.content_length) == (None, len(LARGE))
    assert await rig.get("d") == LARGE


async def test_copies_between_buckets(rig: Rig) -> None:
    """Each counts in its own; the source's may be deleted."""
    await rig.put("k", LARGE)
    await rig.call("CreateBucket", bucket="other")
    await rig.call("CopyObject", bucket="other", key="d", source=source())
    assert (await rig.usage("other")).bytes == (await rig.usage()).bytes == len(LARGE)
    await rig.call("DeleteObject", key="k")
    await rig.call("DeleteBucket")
    await rig.sweep()
    assert await rig.get("d", bucket="other") == LARGE


async def test_a_source_is_authorised_by_itself() -> None:
    """Another tenant's bucket does not resolve, or is denied where names are global; and an expected owner is compared."""
    for namespace, error in ((BucketNamespace.PROJECT, errors.NoSuchBucket), (BucketNamespace.GLOBAL, errors.AccessDenied)):
        rig = await make_rig(bucket_namespace=namespace)
        stranger = await enter_caller(rig.metadata, project("q", "x"))
        await rig.call("CreateBucket")
        await rig.put("k", SMALL)
        await rig.call_as(stranger, "CreateBucket", bucket="strangers")
        with pytest.raises(error):
            await rig.call_as(stranger, "CopyObject", bucket="strangers", key="d", source=source())
        upload = (await rig.call_as(stranger, "CreateMultipartUpload", bucket="strangers", key="d")).upload_id
        with pytest.raises(error):
            await rig.call_as(stranger, "UploadPartCopy", bucket="strangers", key="d", upload_id=upload, part_number=1, source=source())
        with pytest.raises(errors.AccessDenied):
            await copied(rig, "d", expected_source_owner="somebody else")
        await copied(rig, "d", expected_source_owner=rig.caller.project.canonical_id)
        viewer = await enter_caller(rig.metadata, project(), Role.VIEWER)
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(viewer, "CopyObject", key="d", source=source())
        await rig.close()


# -- UploadPartCopy


@CONTENTS
async def test_a_part_may_be_a_copy(rig: Rig, content: bytes) -> None:
    """Its tag is the MD5 of its bytes; completed, it is those bytes."""
    await rig.put("k", content)
    upload = await rig.start("d")
    part = await part_of(rig, upload, 1)
    assert part.etag == md5(content)
    await rig.complete("d", upload, part)
    assert await rig.get("d") == content
    await rig.call("DeleteObject", key="k")
    assert await rig.is_tidy()
    assert await rig.get("d") == content


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["inline", "chunk"])
async def test_a_part_may_be_a_range(rig: Rig, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the bytes first to last; copies and written parts stand in one object."""
    monkeypatch.setattr(completing, "PART_MIN_BYTES", 1)
    await rig.put("k", content)
    upload = await rig.start("d", checksum_algorithm=ChecksumAlgorithm.CRC32, checksum_type=ChecksumType.FULL_OBJECT)
    parts = [
        await part_of(rig, upload, 1, source_range=ByteRange(offset=1, limit=3)),
        await rig.part("d", upload, 2, b"between"),
        await part_of(rig, upload, 3, source_range=ByteRange(offset=len(content) - 1, limit=1)),
    ]
    expected = content[1:4] + b"between" + content[-1:]
    assert await rig.usage() == Usage(objects=1, bytes=len(content), uploads_bytes=len(expected))
    result = await rig.complete("d", upload, *parts)
    assert result.checksums == checksum(ChecksumAlgorithm.CRC32, expected)
    assert await rig.get("d") == expected
    assert await rig.is_tidy()
    assert await rig.get("d") == expected


async def test_a_range_must_lie_within_the_source(rig: Rig) -> None:
    """All of it, unlike a read's; a suffix or an open end is no such range (AWS, UploadPartCopy)."""
    await rig.put("k", SMALL)
    upload = await rig.start("d")
    for asked, error in (
        (ByteRange(offset=4, limit=2), errors.InvalidRange),
        (ByteRange(offset=5, limit=1), errors.InvalidRange),
        (ByteRange(offset=-2), errors.InvalidArgument),
        (ByteRange(offset=1), errors.InvalidArgument),
    ):
        with pytest.raises(error):
            await part_of(rig, upload, 1, source_range=asked)
    assert (await rig.call("QueryUpload", key="d", upload_id=upload)).parts_count == 0
    assert await rig.chunks() == set()


async def test_a_part_copy_of_nothing_leaves_nothing(rig: Rig) -> None:
    """No source, no upload, a condition that fails."""
    await rig.put("k", SMALL)
    upload = await rig.start("d")
    with pytest.raises(errors.NoSuchKey):
        await part_of(rig, upload, 1, source("x"))
    with pytest.raises(errors.NoSuchUpload):
        await part_of(rig, "other", 1)
    with pytest.raises(errors.PreconditionFailed):
        await part_of(rig, upload, 1, source_conditions=ReadConditions(if_match="x"))
    assert await rig.chunks() == set()
    assert await rig.usage() == Usage(objects=1, bytes=5)


# -- races


@pytest.mark.parametrize("before", range(8))
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["inline", "chunk"])
@pytest.mark.parametrize("race", ["overwrite", "delete"])
@pytest.mark.parametrize("operation", ["copy", "part"])
async def test_a_source_that_changes_meanwhile_is_copied_whole_or_not_at_all(
    rig: Rig, operation: str, race: str, content: bytes, before: int
) -> None:
    """At whatever moment: the copy is the old or the new, or it is refused as conflict or absence; never as damage."""
    await rig.put("k", content)
    upload = await rig.start("d")
    real = rig.service.metadata
    newer = content[::-1]

    async def change() -> None:
        rig.service.metadata = real
        await (rig.put("k", newer) if race == "overwrite" else rig.call("DeleteObject", key="k"))

    racing = Racing(real, change, before)
    rig.service.metadata = racing  # type: ignore[assignment]
    try:
        if operation == "copy":
            await copied(rig, "d", checksum_algorithm=ChecksumAlgorithm.SHA256)
        else:
            await rig.complete("d", upload, await part_of(rig, upload, 1))
    except (errors.ConditionalRequestConflict, errors.NoSuchKey):
        with pytest.raises(errors.NoSuchKey):
            await rig.get("d")
    else:
        assert await rig.get("d") in {content, newer}
    finally:
        rig.service.metadata = real
    assert await rig.is_tidy()
