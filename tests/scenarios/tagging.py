"""Scenarios of tags."""

from __future__ import annotations

from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.objects import DeleteObject, GetObject, HeadObject, PutObject
from lightningstor_types.operations.tagging import (
    DeleteBucketTagging,
    DeleteObjectTagging,
    GetBucketTagging,
    GetObjectTagging,
    PutBucketTagging,
    PutObjectTagging,
    TaggingDirective,
)
from lightningstor_types.operations.uploads import CompleteMultipartUpload, CreateMultipartUpload, UploadPart
from lightningstor_types.operations.versioning import PutBucketVersioning
from lightningstor_types.settings import VersioningStatus
from lightningstor_types.tags import Tag, TagSet
from lightningstor_types.uploads import CompletedPart
from scenarios.objects import BUCKET, KEY
from scenarios.play import Play, body, scenario

NOWHERE = BucketName("nowhere")
AT = {"bucket": BUCKET, "key": KEY}
TAGS = (Tag(key="z", value=""), Tag(key="a b", value="c/d = é"))
TAGGING = TagSet(tags=TAGS)


def many(count: int) -> tuple[Tag, ...]:
    """So many tags."""
    return tuple(Tag(key=f"{number}", value="x") for number in range(count))


@scenario
async def tags_of_objects(play: Play) -> None:
    """Written with the object and after it, read, counted and taken off; sets that are none are refused and change nothing."""
    await play(PutObjectTagging(**AT, tagging=TAGGING))
    await play.bucket()
    for request in (PutObjectTagging(**AT, tagging=TAGGING), GetObjectTagging(**AT), DeleteObjectTagging(**AT)):
        await play(request)
    await play(PutObject(**AT, body=body(), tagging=TAGGING))
    wrong = (Tag(key="", value=""), Tag(key="aws:x", value=""), Tag(key="x", value="<"), Tag(key="x" * 129, value=""))
    for tags in ((), TAGS, many(10), many(11), (*TAGS, *TAGS), *((tag,) for tag in wrong)):
        await play(PutObjectTagging(**AT, tagging=TagSet(tags=tags)))
        await play(GetObjectTagging(**AT))
        await play(HeadObject(**AT))
    for tag in wrong:
        await play(PutObject(**AT, body=body(), tagging=TagSet(tags=(tag,))))
    await play(PutObjectTagging(**AT))
    await play(GetObject(**AT))
    await play(DeleteObjectTagging(**AT))
    await play(GetObjectTagging(**AT))
    await play(HeadObject(**AT))


@scenario
async def tags_that_are_copied_and_completed(play: Play) -> None:
    """A copy has its source's tags or its own; an object has those that its upload began with."""
    await play.bucket()
    await play(PutObject(**AT, body=body(), tagging=TAGGING))
    source, copy = CopySource(bucket=BUCKET, key=KEY), ObjectKey("copy")
    for directive in TaggingDirective:
        for tagging in (None, TagSet(tags=many(2)), TagSet(tags=many(11))):
            await play(CopyObject(bucket=BUCKET, key=copy, source=source, tagging_directive=directive, tagging=tagging))
            await play(GetObjectTagging(bucket=BUCKET, key=copy))
    await play(CreateMultipartUpload(**AT, tagging=TagSet(tags=many(11))))
    upload = await play(CreateMultipartUpload(**AT, tagging=TagSet(tags=many(3))))
    part = await play(UploadPart(**AT, upload_id=upload.upload_id, part_number=1, body=body()))
    await play(CompleteMultipartUpload(**AT, upload_id=upload.upload_id, parts=(CompletedPart(number=1, etag=part.etag),)))
    await play(GetObjectTagging(**AT))


@scenario
async def tags_of_versions(play: Play) -> None:
    """Each version has its own; a delete marker has none, and no tags can be put on it."""
    await play.bucket()
    await play(PutBucketVersioning(bucket=BUCKET, status=VersioningStatus.ENABLED))
    first = await play(PutObject(**AT, body=body(b"1"), tagging=TagSet(tags=many(1))))
    await play(PutObject(**AT, body=body(b"2")))
    await play(GetObjectTagging(**AT))
    for version_id in (first.version_id, "0" * 32):
        for request in (
            GetObjectTagging(**AT, version_id=version_id),
            HeadObject(**AT, version_id=version_id),
            PutObjectTagging(**AT, version_id=version_id, tagging=TAGGING),
            GetObjectTagging(**AT, version_id=version_id),
            DeleteObjectTagging(**AT, version_id=version_id),
            GetObjectTagging(**AT, version_id=version_id),
        ):
            await play(request)
    marker = await play(DeleteObject(**AT))
    for version_id in (None, marker.version_id):
        for request in (
            GetObjectTagging(**AT, version_id=version_id),
            PutObjectTagging(**AT, version_id=version_id, tagging=TAGGING),
            DeleteObjectTagging(**AT, version_id=version_id),
        ):
            await play(request)


@scenario
async def tags_of_buckets(play: Play) -> None:
    """Fifty at most; without any there is an error that says so."""
    for bucket in (NOWHERE, BUCKET):
        for request in (
            GetBucketTagging(bucket=bucket),
            PutBucketTagging(bucket=bucket, tagging=TAGGING),
            DeleteBucketTagging(bucket=bucket),
        ):
            await play(request)
        await play.bucket()
    for tags in ((), TAGS, many(50), many(51), (*TAGS, *TAGS), (Tag(key="AWS:x", value=""),)):
        await play(PutBucketTagging(bucket=BUCKET, tagging=TagSet(tags=tags)))
        await play(GetBucketTagging(bucket=BUCKET))
    await play(PutBucketTagging(bucket=BUCKET))
    await play(DeleteBucketTagging(bucket=BUCKET))
    await play(GetBucketTagging(bucket=BUCKET))
