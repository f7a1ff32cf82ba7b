"""Scenarios of GetObjectAttributes."""

from __future__ import annotations

from typing import Any

from lightningstor_types.digests import ChecksumAlgorithm, ChecksumType
from lightningstor_types.names import VersionId
from lightningstor_types.objects import StorageClass
from lightningstor_types.operations.attributes import GetObjectAttributes, ObjectAttribute
from lightningstor_types.operations.common import ReadConditions
from lightningstor_types.operations.objects import PutObject
from scenarios.play import Play, body, scenario
from scenarios.uploads import AT, FIRST, begun, complete, part

ALL = tuple(ObjectAttribute)
TAG = '"9a0364b9e99bb480dd25e1f0284c8555"'
"""Of the bytes `content`."""


async def told(play: Play, **how: Any) -> None:
    """Every attribute."""
    await play(GetObjectAttributes(**AT, **{"attributes": ALL, **how}))


@scenario
async def attributes_of_an_object(play: Play) -> None:
    """Each attribute by itself and all of them; conditions, versions, and what is not there."""
    await play.bucket()
    await told(play)
    await play(PutObject(**AT, body=body(), storage_class=StorageClass.ONEZONE_IA))
    await told(play)
    for attribute in ObjectAttribute:
        await told(play, attributes=(attribute, attribute))
    for version in ("null", "0123abcd"):
        await told(play, version_id=VersionId(version))
    for conditions in (ReadConditions(if_match=TAG), ReadConditions(if_match='"x"'), ReadConditions(if_none_match=TAG)):
        await told(play, conditions=conditions)
    await told(play, expected_bucket_owner="canonical-beta")
    for wrong in ({"max_parts": -1}, {"part_number_marker": -1}):
        await told(play, **wrong)


@scenario
async def attributes_of_parts(play: Play) -> None:
    """Parts with their checksums page by page."""
    await play.bucket()
    for how in ({}, {"checksum_algorithm": ChecksumAlgorithm.SHA256},
                {"checksum_algorithm": ChecksumAlgorithm.CRC32C, "checksum_type": ChecksumType.FULL_OBJECT}):  # fmt: skip
        upload = await begun(play, **how)
        await play(complete(upload, await part(play, upload, 1, FIRST), await part(play, upload, 2)))
        for page in ({}, {"max_parts": 1}, {"max_parts": 1, "part_number_marker": 1}, {"part_number_marker": 2}, {"max_parts": 0}):
            await told(play, **page)
