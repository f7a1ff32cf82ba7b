"""Scenarios of copies."""

from __future__ import annotations

from lightningstor_types.digests import ChecksumAlgorithm
from lightningstor_types.names import BucketName, ObjectKey, VersionId
from lightningstor_types.objects import CopySource, ObjectMetadata, StorageClass
from lightningstor_types.operations.copying import CopyObject, MetadataDirective
from lightningstor_types.operations.objects import DeleteObject, PutObject
from scenarios.objects import BUCKET, CONDITIONS, CONTENT, EVERYTHING, KEY, WRITES, look
from scenarios.play import Play, body, scenario

SOURCE = CopySource(bucket=BUCKET, key=ObjectKey("a b/ü?&+%2F"))
REPLACE = MetadataDirective.REPLACE


async def furnished(play: Play) -> None:
    """Two buckets and a source."""
    await play.bucket()
    await play.bucket("another")
    await play(PutObject(bucket=BUCKET, key=SOURCE.key, body=body(CONTENT), metadata=EVERYTHING, storage_class=StorageClass.STANDARD_IA))


@scenario
async def copies(play: Play) -> None:
    """A copy with its source's metadata, with its own, with a class; the source's end does not touch it."""
    await furnished(play)
    mine = ObjectMetadata(content_type="x/y", user={"mine": "1"})
    ways = [
        {}, {"metadata": mine}, {"metadata": mine, "metadata_directive": REPLACE}, {"metadata_directive": REPLACE},
        {"storage_class": StorageClass.ONEZONE_IA}, {"metadata": ObjectMetadata(website_redirect="/elsewhere")},
        *({"checksum_algorithm": algorithm} for algorithm in ChecksumAlgorithm),
    ]  # fmt: skip
    for number, way in enumerate(ways):
        await play(CopyObject(bucket=BUCKET, key=ObjectKey(f"{number:02}"), source=SOURCE, **way))
        await look(play, f"{number:02}")
    await play(CopyObject(bucket=BucketName("another"), key=KEY, source=SOURCE))
    await play(DeleteObject(bucket=BUCKET, key=SOURCE.key))
    await look(play, "00")


@scenario
async def copies_onto_itself(play: Play) -> None:
    """A copy onto itself changes something or is refused."""
    await furnished(play)
    await play(CopyObject(bucket=BUCKET, key=SOURCE.key, source=SOURCE))
    await play(CopyObject(bucket=BUCKET, key=SOURCE.key, source=SOURCE, metadata_directive=REPLACE))
    await look(play, SOURCE.key)
    await play(CopyObject(bucket=BUCKET, key=SOURCE.key, source=SOURCE, storage_class=StorageClass.STANDARD))
    await play(CopyObject(bucket=BUCKET, key=SOURCE.key, source=SOURCE, metadata=ObjectMetadata(website_redirect="/x")))
    await look(play, SOURCE.key)


@scenario
async def copies_of_nothing(play: Play) -> None:
    """Sources and destinations that are not there, and versions."""
    await furnished(play)
    nowhere = BucketName("nowhere")
    for source in (
        CopySource(bucket=nowhere, key=KEY),
        CopySource(bucket=BUCKET, key=ObjectKey("missing")),
        CopySource(bucket=BUCKET, key=SOURCE.key, version_id=VersionId("other")),
        CopySource(bucket=BUCKET, key=SOURCE.key, version_id=VersionId("null")),
        CopySource(bucket=BucketName("Not_A_Bucket"), key=KEY),
        CopySource(bucket=BUCKET, key=ObjectKey("x" * 1025)),
    ):
        await play(CopyObject(bucket=BUCKET, key=KEY, source=source))
        await play(DeleteObject(bucket=BUCKET, key=KEY))
    await play(CopyObject(bucket=nowhere, key=KEY, source=SOURCE))
    await play(CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, expected_source_owner="canonical-alpha"))
    await play(CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, expected_source_owner="canonical-beta"))
    await play(CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, expected_bucket_owner="canonical-beta"))
    await play(
        CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, metadata_directive=REPLACE, metadata=ObjectMetadata(user={"a": "x" * 3000}))
    )


@scenario
async def conditional_copies(play: Play) -> None:
    """Conditions on the source fail with 412, also those that a read answers with 304; those on the destination as a write's."""
    await furnished(play)
    for conditions in CONDITIONS:
        await play(CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, source_conditions=conditions))
    for conditions in WRITES:
        await play(DeleteObject(bucket=BUCKET, key=KEY))
        await play(CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, conditions=conditions))
        await play(CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, conditions=conditions))
