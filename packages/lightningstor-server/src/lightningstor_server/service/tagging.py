"""The tags of objects and of buckets: what a set may hold, who may write one, and the operations on them.

Law: a set is checked as a whole before anything is stored, and kept in the order of its keys. Tags are
a version's own and are changed in place, as its list is; a new version has those that its writer
gives. No access control list ever allows anything with tags. Source: AWS, "Categorizing your objects
using tags" and "Using cost allocation S3 bucket tags".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_server.service.versions import next_revision, shown_id, wanted
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Version
from lightningstor_types import errors
from lightningstor_types.names import VersionId
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.tagging import (
    DeleteBucketTagging,
    DeleteObjectTagging,
    DeleteObjectTaggingResult,
    GetBucketTagging,
    GetBucketTaggingResult,
    GetObjectTagging,
    GetObjectTaggingResult,
    PutBucketTagging,
    PutObjectTagging,
    PutObjectTaggingResult,
)
from lightningstor_types.tags import Tag, TagSet

OBJECT_TAGS_MAX: Final = 10
BUCKET_TAGS_MAX: Final = 50
TAG_KEY_MAX_CHARACTERS: Final = 128
"""Of UTF-16, in which AWS counts: a character beyond U+FFFF takes two."""
TAG_VALUE_MAX_CHARACTERS: Final = 256
"""The same."""
_RESERVED: Final = "aws:"
_MARKS: Final = frozenset("+-=._:/@")
_KINDS: Final = frozenset("LNZ")
"""Unicode's letters, numbers and separators, by the first letter of their categories."""

PUT: Final = "s3:PutObjectTagging"


# -- what a set may hold


def checked_object_tags(tags: Iterable[Tag]) -> tuple[Tag, ...]:
    """The tags of an object as they are kept.

    Raises:
        InvalidTag: there are more than 10, one is not valid, or a key comes twice.
    """
    return _checked(tags, OBJECT_TAGS_MAX, f"Object tags cannot be greater than {OBJECT_TAGS_MAX}")


def checked_bucket_tags(tags: Iterable[Tag]) -> tuple[Tag, ...]:
    """The tags of a bucket as they are kept.

    Raises:
        InvalidTag: there are more than 50, one is not valid, or a key comes twice.
    """
    return _checked(tags, BUCKET_TAGS_MAX, f"Bucket tag count cannot be greater than {BUCKET_TAGS_MAX}")


def _checked(tags: Iterable[Tag], most: int, excess: str) -> tuple[Tag, ...]:
    found: dict[str, Tag] = {}
    for tag in tags:
        _check(tag)
        if tag.key in found:
            raise errors.InvalidTag("Cannot provide multiple Tags with the same key", TagKey=tag.key)
        found[tag.key] = tag
        if len(found) > most:
            raise errors.InvalidTag(excess)
    return tuple([found[key] for key in sorted(found)])


def _check(tag: Tag) -> None:
    if not tag.key or not _fits(tag.key, TAG_KEY_MAX_CHARACTERS):
        raise errors.InvalidTag("The TagKey you have provided is invalid", TagKey=tag.key[:TAG_KEY_MAX_CHARACTERS])
    if not _fits(tag.value, TAG_VALUE_MAX_CHARACTERS):
        raise errors.InvalidTag("The TagValue you have provided is invalid", TagKey=tag.key, TagValue=tag.value[:TAG_VALUE_MAX_CHARACTERS])
    if tag.key.casefold().startswith(_RESERVED):
        raise errors.InvalidTag("System tags cannot be added/updated by requester", TagKey=tag.key)


def _fits(text: str, most: int) -> bool:
    length = len(text) + sum(character > "\uffff" for character in text)
    return length <= most and all(character in _MARKS or unicodedata.category(character)[0] in _KINDS for character in text)


# -- the tags of what is written and read


def new_object_tags(given: TagSet | None) -> tuple[Tag, ...]:
    """The tags that the writer of an object gives.

    Raises:
        InvalidTag: as `checked_object_tags`.
    """
    return () if given is None else checked_object_tags(given.tags)


def tags_permissions(bucket: str, key: str, given: TagSet | None) -> Sequence[Permission]:
    """What the writer of an object needs beyond the write (AWS, PutObject, Permissions)."""
    return () if given is None else (Permission(action=PUT, bucket=bucket, key=key),)


def copied_tags(ctx: Context, request: CopyObject, tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """The source's tags for its copy (AWS, CopyObject, Permissions). What has none asks for no permission.

    Raises:
        AccessDenied: the caller may not read the source's, or may not give the copy any.
    """
    source = request.source
    read = Permission(
        action=_versioned("s3:GetObject{}Tagging", source.version_id), bucket=source.bucket, key=source.key, version=source.version_id
    )
    write = Permission(action=PUT, bucket=request.bucket, key=request.key)
    if tags and not (ctx.allows(read, tags) and ctx.allows(write, ())):
        raise errors.AccessDenied
    return tags


def shown_tag_count(ctx: Context, key: str, version_id: VersionId | None, tags: Sequence[Tag]) -> int | None:
    """How many tags a read tells of: only to who may read them, and none at all where there are none (AWS, GetObject)."""
    if not tags:
        return None
    action = _versioned("s3:GetObject{}Tagging", version_id)
    permission = Permission(action=action, bucket=ctx.bucket.name, key=key, version=version_id)
    return len(tags) if ctx.allows(permission, tags) else None


def _versioned(action: str, version_id: str | None) -> str:
    return action.format("" if version_id is None else "Version")


# -- of objects


def _permission(verb: str, request: PutObjectTagging | GetObjectTagging | DeleteObjectTagging) -> Iterable[Permission]:
    action = _versioned(f"s3:{verb}Object{{}}Tagging", request.version_id)
    return (Permission(action=action, bucket=request.bucket, key=request.key, version=request.version_id),)


async def _replace(ctx: Context, request: PutObjectTagging | DeleteObjectTagging, tags: tuple[Tag, ...]) -> str | None:
    """Give a version other tags; returns its id as it is shown."""

    async def work(tx: Transaction) -> str | None:
        _, bucket = await next_revision(tx, ctx.bucket)
        version = await wanted(tx, bucket, request.key, request.version_id)
        ctx.check_object(bucket, version)
        described = attrs.evolve(version.object, generation=version.object.generation + 1)
        await tx.versions.describe(bucket.id, attrs.evolve(version, object=described, tags=tags))
        return shown_id(bucket, version.object.version_id)

    return await ctx.metadata.commit(work)


@operation(
    PutObjectTagging,
    Route("PUT", Target.OBJECT, query=("tagging",)),
    rpc="ObjectService.SetObjectTags",
    action=lambda request: _permission("Put", request),
)
async def put_object_tagging(ctx: Context, request: PutObjectTagging) -> PutObjectTaggingResult:
    """Replace the tags. AWS, PutObjectTagging."""
    if request.tagging is None:
        raise errors.MalformedXML
    return PutObjectTaggingResult(version_id=await _replace(ctx, request, checked_object_tags(request.tagging.tags)))


@operation(
    GetObjectTagging,
    Route("GET", Target.OBJECT, query=("tagging",)),
    rpc="ObjectService.GetObjectTags",
    action=lambda request: _permission("Get", request),
)
async def get_object_tagging(ctx: Context, request: GetObjectTagging) -> GetObjectTaggingResult:
    """Read the tags. AWS, GetObjectTagging."""

    async def work(tx: Transaction) -> Version:
        version = await wanted(tx, ctx.bucket, request.key, request.version_id)
        ctx.check_object(ctx.bucket, version)
        return version

    version = await ctx.metadata.read(work)
    return GetObjectTaggingResult(version_id=shown_id(ctx.bucket, version.object.version_id), tags=version.tags)


@operation(
    DeleteObjectTagging,
    Route("DELETE", Target.OBJECT, query=("tagging",), status=204),
    rpc="ObjectService.DeleteObjectTags",
    action=lambda request: _permission("Delete", request),
)
async def delete_object_tagging(ctx: Context, request: DeleteObjectTagging) -> DeleteObjectTaggingResult:
    """Take all tags off; that there are none is no error. AWS, DeleteObjectTagging."""
    return DeleteObjectTaggingResult(version_id=await _replace(ctx, request, ()))


# -- of buckets


@operation(
    PutBucketTagging,
    Route("PUT", Target.BUCKET, query=("tagging",)),
    rpc="BucketService.SetBucketTags",
    action="s3:PutBucketTagging",
)
async def put_bucket_tagging(ctx: Context, request: PutBucketTagging) -> Empty:
    """Replace the tags; an empty set is none. AWS, PutBucketTagging."""
    if request.tagging is None:
        raise errors.MalformedXML
    tags = checked_bucket_tags(request.tagging.tags)
    await configure(ctx, "tagging", TagSet(tags=tags) if tags else None)
    return Empty()


@operation(
    GetBucketTagging,
    Route("GET", Target.BUCKET, query=("tagging",)),
    rpc="BucketService.GetBucketTags",
    action="s3:GetBucketTagging",
)
async def get_bucket_tagging(ctx: Context, _: GetBucketTagging) -> GetBucketTaggingResult:
    """Read the tags. AWS, GetBucketTagging."""
    tagging = ctx.bucket.settings.tagging
    if tagging is None:
        raise errors.NoSuchTagSet(BucketName=ctx.bucket.name)
    return GetBucketTaggingResult(tags=tagging.tags)


@operation(
    DeleteBucketTagging,
    Route("DELETE", Target.BUCKET, query=("tagging",), status=204),
    rpc="BucketService.DeleteBucketTags",
    action="s3:PutBucketTagging",
)
async def delete_bucket_tagging(ctx: Context, _: DeleteBucketTagging) -> Empty:
    """Take all tags off; that there are none is no error. AWS, DeleteBucketTagging."""
    await configure(ctx, "tagging", None)
    return Empty()
