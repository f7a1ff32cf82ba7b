"""Scenarios of versions."""

from __future__ import annotations

from attrs import evolve

from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.listing import ListObjectsV2, ListObjectVersions
from lightningstor_types.operations.objects import DeleteObject, DeleteObjects, GetObject, HeadObject, ObjectIdentifier, PutObject
from lightningstor_types.operations.versioning import GetBucketVersioning, MfaDelete, PutBucketVersioning
from lightningstor_types.settings import VersioningStatus
from scenarios.objects import BUCKET, KEY
from scenarios.play import Play, body, scenario

NOWHERE = BucketName("nowhere")
ON = PutBucketVersioning(bucket=BUCKET, status=VersioningStatus.ENABLED)


@scenario
async def versioning_of_a_bucket(play: Play) -> None:
    """It is off, then on, then suspended; what is not offered or not said is refused."""
    await play(GetBucketVersioning(bucket=NOWHERE))
    await play(evolve(ON, bucket=NOWHERE))
    await play.bucket()
    await play(GetBucketVersioning(bucket=BUCKET))
    for status in (None, *VersioningStatus):
        for mfa in (None, *MfaDelete):
            await play(PutBucketVersioning(bucket=BUCKET, status=status, mfa_delete=mfa))
            await play(GetBucketVersioning(bucket=BUCKET))


@scenario
async def versions_of_a_key(play: Play) -> None:
    """Written, deleted, read and copied by their ids; the null version beside them."""
    at = {"bucket": BUCKET, "key": KEY}
    await play.bucket()
    await play(PutObject(**at, body=body(b"null")))
    await play(ON)
    first = await play(PutObject(**at, body=body(b"first")))
    marker = await play(DeleteObject(**at))
    for name in (None, "null", first.version_id, marker.version_id, "nonsense", "0" * 32):
        await play(HeadObject(**at, version_id=name))
        await play(GetObject(**at, version_id=name))
        await play(CopyObject(bucket=BUCKET, key=ObjectKey("copy"), source=CopySource(bucket=BUCKET, key=KEY, version_id=name)))
    await play(DeleteObjects(bucket=BUCKET, objects=(ObjectIdentifier(key=KEY), ObjectIdentifier(key=KEY, version_id=marker.version_id))))
    for name in (marker.version_id, first.version_id, "null"):
        await play(DeleteObject(**at, version_id=name))
        await play(ListObjectsV2(bucket=BUCKET))


@scenario
async def listings_of_versions(play: Play) -> None:
    """Prefixes, delimiters and pages of every size, by their markers to the end."""
    await play(ListObjectVersions(bucket=NOWHERE))
    await play.bucket()
    await play(ON)
    for round_ in range(3):
        for key in ("a", "a/b", "a/c", "b/d"):
            at = {"bucket": BUCKET, "key": ObjectKey(key)}
            await play(DeleteObject(**at) if round_ == 1 and key != "a" else PutObject(**at, body=body(b"x" * round_)))
    for prefix in (None, "a", "a/"):
        for delimiter in (None, "/"):
            for size in (0, 1, 2, 5, 1000):
                request = ListObjectVersions(bucket=BUCKET, prefix=prefix, delimiter=delimiter, max_keys=size)
                while (page := await play(request)).truncated:
                    request = evolve(request, key_marker=page.next_key_marker, version_id_marker=page.next_version_id_marker)
    await play(ListObjectVersions(bucket=BUCKET, version_id_marker="null"))
    await play(ListObjectVersions(bucket=BUCKET, key_marker="a", version_id_marker="nonsense"))
