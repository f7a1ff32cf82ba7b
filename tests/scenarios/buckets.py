"""Scenarios of buckets."""

from __future__ import annotations

from attrs import evolve

from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.buckets import CreateBucket, DeleteBucket, ListBuckets
from lightningstor_types.operations.objects import DeleteObject, PutObject
from lightningstor_types.operations.uploads import AbortMultipartUpload, CreateMultipartUpload
from scenarios.objects import BUCKET, KEY
from scenarios.play import Play, body, scenario


@scenario
async def lives_of_buckets(play: Play) -> None:
    """A bucket is made, made again, holds something, and goes only when it holds nothing."""
    at = {"bucket": BUCKET, "key": KEY}
    await play(DeleteBucket(bucket=BUCKET))
    await play(CreateBucket(bucket=BUCKET))
    await play(CreateBucket(bucket=BUCKET))
    await play(PutObject(**at, body=body()))
    await play(DeleteBucket(bucket=BUCKET))
    await play(DeleteObject(**at))
    started = await play(CreateMultipartUpload(**at))
    await play(DeleteBucket(bucket=BUCKET))
    await play(AbortMultipartUpload(**at, upload_id=started.upload_id))
    await play(DeleteBucket(bucket=BUCKET, expected_bucket_owner="canonical-beta"))
    await play(DeleteBucket(bucket=BUCKET))
    await play(DeleteBucket(bucket=BUCKET))
    await play(PutObject(**at, body=body()))


@scenario
async def places_of_buckets(play: Play) -> None:
    """A bucket is made where the server is, or not at all."""
    for number, location in enumerate((None, "us-east-1", "eu-west-1", "<&>")):
        await play(CreateBucket(bucket=BucketName(f"bucket-{number}"), location=location))
    await play(ListBuckets())


@scenario
async def pages_of_buckets(play: Play) -> None:
    """The project's buckets by name, by prefix and by pages to the end."""
    await play(ListBuckets())
    for name in ("beta", "alpha", "alpha.2", "gamma-1", "gamma-2"):
        await play(CreateBucket(bucket=BucketName(name)))
    for prefix in (None, "", "alpha", "gamma-", "z"):
        await play(ListBuckets(prefix=prefix))
        for size in (1, 2, 5):
            request = ListBuckets(prefix=prefix, max_buckets=size)
            while (page := await play(request)).continuation_token is not None:
                request = evolve(request, continuation_token=page.continuation_token)
    for region in ("us-east-1", "eu-west-1"):
        await play(ListBuckets(region=region))
    for size in (0, -1, 10_000, 10_001):
        await play(ListBuckets(max_buckets=size))
    await play(ListBuckets(continuation_token="?"))
    await play(CreateBucket(bucket=BucketName(ObjectKey("No_Name"))))
