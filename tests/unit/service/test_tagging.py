"""Tags: what a set may hold, who may do what with one, and where they go."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.service.tagging import (
    BUCKET_TAGS_MAX,
    OBJECT_TAGS_MAX,
    TAG_KEY_MAX_CHARACTERS,
    TAG_VALUE_MAX_CHARACTERS,
    checked_bucket_tags,
    checked_object_tags,
)
from lightningstor_types import errors
from lightningstor_types.access import AclHeaders, CannedAcl
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.tagging import TaggingDirective
from lightningstor_types.settings import ObjectOwnership, VersioningStatus
from lightningstor_types.streams import BytesStream
from lightningstor_types.tags import Tag, TagSet
from lightningstor_types.tenants import BucketNamespace, Caller, Role
from unit.service.rig import BUCKET, Rig, enter_caller, make_rig, project

KEY: Final = ObjectKey("key")
OTHER: Final = BucketName("other")
TAGS: Final = (Tag(key="a", value="1"), Tag(key="b", value=""))
TAGGING: Final = TagSet(tags=TAGS)


def tag(key: str = "k", value: str = "v") -> Tag:
    """A tag."""
    return Tag(key=key, value=value)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names, whose new buckets regard lists; one bucket."""
    made = await make_rig(
        bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ObjectOwnership.OBJECT_WRITER, new_bucket_blocked=False
    )
    await made.call("CreateBucket")
    yield made
    await made.close()


async def tags_of(rig: Rig, key: str = KEY, **fields: Any) -> tuple[Tag, ...]:
    """The tags of an object."""
    found: tuple[Tag, ...] = (await rig.call("GetObjectTagging", key=key, **fields)).tags
    return found


async def stranger(rig: Rig) -> Caller:
    """The owner of another project."""
    return await enter_caller(rig.metadata, project("q"))


# -- what a set may hold

# AWS: letters, numbers and spaces of any language, and + - = . _ : / @
_ALLOWED: Final = {"L", "N", "Z"}
_STEP: Final = 11
"""Every so many of Unicode's code points: surrogates, and every plane, are among them."""


def accepted(one: Tag) -> bool:
    """Whether a set of that tag alone may be kept."""
    try:
        return checked_object_tags([one]) == (one,)
    except errors.InvalidTag:
        return False


def test_characters_are_allowed_by_their_kind() -> None:
    """In keys and in values alike: all of ASCII's, and a part of all the others."""
    for point in (*range(128), *range(128, sys.maxunicode + 1, _STEP)):
        character = chr(point)
        allowed = unicodedata.category(character)[0] in _ALLOWED or character in "+-=._:/@"
        assert accepted(tag(key=f"k{character}")) == accepted(tag(value=character)) == allowed, hex(point)


@given(st.text(st.sampled_from("aé \u4e2d\U00020000"), max_size=300), st.text(st.sampled_from("aé \u4e2d\U00020000"), max_size=300))
def test_lengths_are_counted_in_utf_16(key: str, value: str) -> None:
    """1 to 128 characters of a key and 0 to 256 of a value, of which those beyond U+FFFF count twice."""
    units = len(key.encode("utf-16-le")) // 2, len(value.encode("utf-16-le")) // 2
    fits = 1 <= units[0] <= TAG_KEY_MAX_CHARACTERS == 128 and units[1] <= TAG_VALUE_MAX_CHARACTERS == 256
    if fits:
        assert checked_object_tags([tag(key, value)]) == (tag(key, value),)
    else:
        with pytest.raises(errors.InvalidTag, match="TagValue" if 1 <= units[0] <= 128 else "TagKey"):
            checked_object_tags([tag(key, value)])


@pytest.mark.parametrize(("key_size", "value_size"), [(128, 256), (1, 0), (128, 0)])
def test_the_greatest_and_the_least(key_size: int, value_size: int) -> None:
    """Both are tags, and one more of either is none."""
    assert checked_object_tags([tag("k" * key_size, "v" * value_size)])
    with pytest.raises(errors.InvalidTag, match="TagKey"):
        checked_object_tags([tag("k" * 129, "v" * value_size)])
    with pytest.raises(errors.InvalidTag, match="TagValue"):
        checked_object_tags([tag("k" * key_size, "v" * 257)])


def test_how_many_there_may_be() -> None:
    """Ten of an object and fifty of a bucket, as AWS has it; a set of none is a set."""
    assert (OBJECT_TAGS_MAX, BUCKET_TAGS_MAX) == (10, 50)
    for check, most in ((checked_object_tags, 10), (checked_bucket_tags, 50)):
        assert check([]) == ()
        assert len(check([tag(str(number)) for number in range(most)])) == most
        with pytest.raises(errors.InvalidTag, match=f"cannot be greater than {most}"):
            check([tag(str(number)) for number in range(most + 1)])


def test_a_set_is_in_the_order_of_its_keys_and_has_each_once() -> None:
    """Case counts; a key that comes twice is refused even with the same value."""
    assert checked_object_tags([tag("b"), tag("a"), tag("B")]) == (tag("B"), tag("a"), tag("b"))
    with pytest.raises(errors.InvalidTag, match="multiple Tags with the same key"):
        checked_object_tags([tag("a"), tag("a")])


@pytest.mark.parametrize("key", ["aws:", "aws:x", "AWS:x", "aWs:createdBy"])
def test_the_systems_own_keys_are_nobodys(key: str) -> None:
    """The prefix is reserved in any case; it is one only with its colon."""
    for check in (checked_object_tags, checked_bucket_tags):
        with pytest.raises(errors.InvalidTag, match="System tags"):
            check([tag(key)])
        assert check([tag(key.replace(":", ".")), tag(f"x{key}")])


# -- where tags go


async def test_tags_are_a_versions_own(rig: Rig) -> None:
    """A new version has those that its writer gives; a change touches one version, and neither its place nor its moment."""
    await rig.put(KEY, b"null", tagging=TAGGING)
    await rig.call("PutBucketVersioning", status=VersioningStatus.ENABLED)
    await rig.put(KEY, b"bare")
    assert await tags_of(rig) == ()
    assert await tags_of(rig, version_id="null") == TAGS
    before = await rig.call("HeadObject", key=KEY)
    result = await rig.call("PutObjectTagging", key=KEY, tagging=TagSet(tags=(tag("x"),)))
    assert result.version_id == before.object.version_id
    after = await rig.call("HeadObject", key=KEY)
    assert (after.tag_count, before.tag_count) == (1, None)
    assert after.object.generation == before.object.generation + 1
    assert (after.object.last_modified, after.object.revision) == (before.object.last_modified, before.object.revision)
    assert (await rig.call("DeleteObjectTagging", key=KEY, version_id="null")).version_id == "null"
    assert await tags_of(rig, version_id="null") == ()
    assert await tags_of(rig) == (tag("x"),)
    await rig.call("DeleteObject", key=KEY)
    with pytest.raises(errors.NoSuchKey):
        await tags_of(rig)
    with pytest.raises(errors.NoSuchKey):
        await rig.call("PutObjectTagging", key=KEY, tagging=TAGGING)


async def test_an_overwrite_takes_nothing_over(rig: Rig) -> None:
    """Without versions too: the tags of what is replaced are gone with it."""
    await rig.put(KEY, b"1", tagging=TAGGING)
    await rig.put(KEY, b"2")
    assert await tags_of(rig) == ()


async def test_metadata_and_lists_leave_tags_alone(rig: Rig) -> None:
    """What changes another side of an object keeps them."""
    await rig.put(KEY, b"1", tagging=TAGGING)
    await rig.call("UpdateObject", key=KEY)
    await rig.call("PutObjectAcl", key=KEY, headers=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    assert await tags_of(rig) == TAGS


async def test_a_completed_object_has_its_uploads_tags(rig: Rig) -> None:
    """Those that the upload began with; a set that is none begins no upload."""
    upload = await rig.start(KEY, tagging=TAGGING)
    await rig.complete(KEY, upload, await rig.part(KEY, upload, 1, b"x"))
    assert await tags_of(rig) == TAGS
    with pytest.raises(errors.InvalidTag):
        await rig.start(KEY, tagging=TagSet(tags=(tag("aws:x"),)))
    assert not (await rig.call("ListMultipartUploads")).uploads


@pytest.mark.parametrize("given_tags", [None, TagSet(), TagSet(tags=(tag("new"),))])
async def test_a_copy_has_what_the_directive_says(rig: Rig, given_tags: TagSet | None) -> None:
    """The source's own without one; those of the request, which may be none, with REPLACE."""
    await rig.put(KEY, b"1", tagging=TAGGING)
    source = CopySource(bucket=BUCKET, key=KEY)
    for directive in TaggingDirective:
        await rig.call("CopyObject", key="copy", source=source, tagging_directive=directive, tagging=given_tags)
        expected = TAGS if directive is TaggingDirective.COPY else given_tags.tags if given_tags else ()
        assert await tags_of(rig, "copy") == expected


async def test_a_set_that_is_none_writes_nothing(rig: Rig) -> None:
    """Neither an object nor a chunk."""
    with pytest.raises(errors.InvalidTag):
        await rig.put(KEY, b"x" * 100_000, tagging=TagSet(tags=(tag("<"),)))
    assert not await rig.chunks()
    with pytest.raises(errors.NoSuchKey):
        await rig.get(KEY)


async def test_bucket_tags_are_replaced_as_a_whole(rig: Rig) -> None:
    """An empty set is none; there are none in a bucket of the same name that is made again."""
    for _ in range(2):
        with pytest.raises(errors.NoSuchTagSet):
            await rig.call("GetBucketTagging")
        for tags in (TAGS, (tag("z"), tag("y"))):
            await rig.call("PutBucketTagging", tagging=TagSet(tags=tags))
        assert (await rig.call("GetBucketTagging")).tags == (tag("y"), tag("z"))
        await rig.call("PutBucketTagging", tagging=TagSet())
        with pytest.raises(errors.NoSuchTagSet):
            await rig.call("GetBucketTagging")
        await rig.call("PutBucketTagging", tagging=TAGGING)
        await rig.call("DeleteBucket")
        await rig.call("CreateBucket")


# -- who may


async def test_lists_never_allow_anything_with_tags(rig: Rig) -> None:
    """FULL_CONTROL of an object and of its bucket is not enough, for tags alone or with a write; the bare write is."""
    everything = AclHeaders(grant_full_control='uri="http://acs.amazonaws.com/groups/global/AllUsers"')
    await rig.call("PutBucketAcl", headers=everything)
    await rig.put(KEY, b"1", tagging=TAGGING, acl=everything)
    for caller in (await stranger(rig), None):
        for name, fields in (
            ("GetObjectTagging", {}),
            ("PutObjectTagging", {"tagging": TAGGING}),
            ("DeleteObjectTagging", {}),
            ("PutObject", {"body": BytesStream(b"2"), "tagging": TAGGING}),
            ("CreateMultipartUpload", {"tagging": TAGGING}),
        ):
            with pytest.raises(errors.AccessDenied):
                await rig.call_as(caller, name, key=KEY, **fields)
        for name in ("GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"):
            with pytest.raises(errors.AccessDenied):
                await rig.call_as(caller, name)
        await rig.call_as(caller, "PutObject", key="bare", body=BytesStream(b"2"))
    assert await tags_of(rig) == TAGS


async def test_how_many_tags_there_are_is_told_to_who_may_read_them(rig: Rig) -> None:
    """To the bucket's own roles, and to nobody who only may read the object."""
    await rig.put(KEY, b"1", tagging=TAGGING, acl=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    viewer = await enter_caller(rig.metadata, project(), Role.VIEWER)
    for caller, told in ((rig.caller, 2), (viewer, 2), (await stranger(rig), None), (None, None)):
        for name in ("HeadObject", "GetObject"):
            for version_id in (None, "null"):
                assert (await rig.call_as(caller, name, key=KEY, version_id=version_id)).tag_count == told
    await rig.call("DeleteObjectTagging", key=KEY)
    assert (await rig.call("HeadObject", key=KEY)).tag_count is None


@pytest.mark.parametrize(
    ("role", "objects", "buckets"), [(Role.OWNER, True, True), (Role.EDITOR, True, False), (Role.VIEWER, False, False)]
)
async def test_what_roles_may(rig: Rig, role: Role, objects: bool, buckets: bool) -> None:  # noqa: FBT001 - of a table
    """All read; editors tag objects; owners tag buckets."""
    await rig.put(KEY, b"1", tagging=TAGGING)
    await rig.call("PutBucketTagging", tagging=TAGGING)
    caller = await enter_caller(rig.metadata, project(), role)
    assert (await rig.call_as(caller, "GetObjectTagging", key=KEY)).tags == TAGS
    assert (await rig.call_as(caller, "GetBucketTagging")).tags == TAGS
    for name, allowed, fields in (
        ("PutObjectTagging", objects, {"key": KEY, "tagging": TAGGING}),
        ("DeleteObjectTagging", objects, {"key": KEY}),
        ("PutBucketTagging", buckets, {"tagging": TAGGING}),
        ("DeleteBucketTagging", buckets, {}),
    ):
        if allowed:
            await rig.call_as(caller, name, **fields)
        else:
            with pytest.raises(errors.AccessDenied):
                await rig.call_as(caller, name, **fields)


async def test_a_copy_of_tags_needs_to_read_and_to_write_them(rig: Rig) -> None:
    """Who may read the source but not its tags copies it without them, or as far as it has none, and in no other way."""
    visitor = await stranger(rig)
    await rig.call_as(visitor, "CreateBucket", bucket=OTHER)
    public = AclHeaders(acl=CannedAcl.PUBLIC_READ)
    await rig.put("tagged", b"1", tagging=TAGGING, acl=public)
    await rig.put("bare", b"1", acl=public)
    copy: dict[str, Any] = {"bucket": OTHER, "key": "copy"}
    tagged, bare = CopySource(bucket=BUCKET, key=ObjectKey("tagged")), CopySource(bucket=BUCKET, key=ObjectKey("bare"))
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(visitor, "CopyObject", **copy, source=tagged)
    with pytest.raises(errors.NoSuchKey):
        await rig.call_as(visitor, "HeadObject", **copy)
    await rig.call_as(visitor, "CopyObject", **copy, source=bare)
    await rig.call_as(
        visitor, "CopyObject", **copy, source=tagged, tagging_directive=TaggingDirective.REPLACE, tagging=TagSet(tags=(tag(),))
    )
    assert (await rig.call_as(visitor, "GetObjectTagging", **copy)).tags == (tag(),)


async def test_a_copy_into_a_foreign_bucket_bears_no_tags(rig: Rig) -> None:
    """Who may write by a list alone writes no tags: neither those of the source nor its own."""
    visitor = await stranger(rig)
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ_WRITE))
    await rig.call_as(visitor, "CreateBucket", bucket=OTHER)
    source = CopySource(bucket=OTHER, key=KEY)
    await rig.call_as(visitor, "PutObject", bucket=OTHER, key=KEY, body=BytesStream(b"1"), tagging=TAGGING)
    replace = TaggingDirective.REPLACE
    for fields in ({}, {"tagging_directive": replace, "tagging": TAGGING}):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(visitor, "CopyObject", key="copy", source=source, **fields)
    await rig.call_as(visitor, "CopyObject", key="copy", source=source, tagging_directive=replace)
    assert re.fullmatch(r"[0-9a-f]{32}", (await rig.call("ListObjectsV2")).objects[0].etag)
    assert await tags_of(rig, "copy") == ()
