"""Scenarios of listings of objects."""

from __future__ import annotations

from attrs import evolve

from lightningstor_types.digests import ChecksumAlgorithm
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import StorageClass
from lightningstor_types.operations.listing import EncodingType, ListObjectsV2
from lightningstor_types.operations.objects import PutObject
from scenarios.objects import BUCKET, ODD_KEYS
from scenarios.play import Play, body, scenario

KEYS = ["a", "a/", "a/b", "a/b/c", "a/ü", "a0", "b", "b//c", "b/c/d", "c", "d/e", "d/f", "ü", "ü/x", "😀"]


async def furnished(play: Play, keys: list[str]) -> None:
    """A bucket with those keys."""
    await play.bucket()
    for number, key in enumerate(keys):
        await play(PutObject(bucket=BUCKET, key=ObjectKey(key), body=body(b"x" * number)))


@scenario
async def listings(play: Play) -> None:
    """Prefixes and delimiters of one and of several characters, with a start and without."""
    await furnished(play, KEYS)
    for prefix in (None, "", "a", "a/", "b/", "ü", "z", "a/b/c"):
        for delimiter in (None, "", "/", "/c", "b", "ü"):
            for start in (None, "a/", "a/b/c", "d/e", "zzz"):
                await play(ListObjectsV2(bucket=BUCKET, prefix=prefix, delimiter=delimiter, start_after=start))


@scenario
async def pages(play: Play) -> None:
    """Pages of every size, by their tokens to the end."""
    await furnished(play, KEYS)
    for delimiter in (None, "/"):
        for size in (1, 2, 3, 7, 100):
            request = ListObjectsV2(bucket=BUCKET, delimiter=delimiter, max_keys=size, fetch_owner=True)
            while (page := await play(request)).truncated:
                request = evolve(request, continuation_token=page.next_continuation_token)
    for size in (0, 1000, 1001, -1):
        await play(ListObjectsV2(bucket=BUCKET, max_keys=size))
    for token in ("", "?", "no token", "gA=="):
        await play(ListObjectsV2(bucket=BUCKET, continuation_token=token))


@scenario
async def what_listings_tell(play: Play) -> None:
    """Size, tag, class, checksums, and the owner where he is asked for."""
    await play.bucket()
    for number, algorithm in enumerate(ChecksumAlgorithm):
        class_ = list(StorageClass)[number]
        await play(PutObject(bucket=BUCKET, key=ObjectKey(algorithm), body=body(), checksum_algorithm=algorithm, storage_class=class_))
    for owner in (None, True, False):
        await play(ListObjectsV2(bucket=BUCKET, fetch_owner=owner))
    await play(ListObjectsV2(bucket=BucketName("nowhere")))
    await play(ListObjectsV2(bucket=BUCKET, expected_bucket_owner="canonical-beta"))


@scenario
async def odd_keys_in_listings(play: Play) -> None:
    """Odd keys are listed as they are, in the order of their bytes, percent-encoded or not."""
    await furnished(play, ODD_KEYS)
    for encoding in (None, EncodingType.URL):
        await play(ListObjectsV2(bucket=BUCKET, encoding_type=encoding))
        await play(ListObjectsV2(bucket=BUCKET, encoding_type=encoding, delimiter=" ", prefix="a", start_after="a "))


@scenario
async def control_characters_in_listings(play: Play) -> None:
    """Keys that XML cannot hold are told where the names are percent-encoded."""
    await furnished(play, ["a\rb", "a\nb", "a\tb", "\x01", "\x7f", "\ufffe", "a\r\nb\x00"])
    await play(ListObjectsV2(bucket=BUCKET, encoding_type=EncodingType.URL))
