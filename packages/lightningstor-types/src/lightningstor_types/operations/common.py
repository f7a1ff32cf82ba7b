"""What the inputs of several families share.

Law: an input that names a bucket is an `OnBucket`; the door reads the bucket, and the owner that
the caller expects, from there and from nowhere else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.names import BucketName, ObjectKey


@frozen(kw_only=True)
class OnBucket:
    """An input that names a bucket."""

    bucket: Annotated[BucketName, wire.BUCKET]
    expected_bucket_owner: Annotated[str | None, wire.header("x-amz-expected-bucket-owner")] = None


@frozen(kw_only=True)
class OnObject(OnBucket):
    """An input that names an object."""

    key: Annotated[ObjectKey, wire.KEY]


@frozen(kw_only=True)
class ReadConditions:
    """RFC 9110 section 13.1: when a read, or a copy's source, is wanted."""

    if_match: Annotated[str | None, wire.header("if-match")] = None
    if_none_match: Annotated[str | None, wire.header("if-none-match")] = None
    if_modified_since: Annotated[datetime | None, wire.header("if-modified-since")] = None
    if_unmodified_since: Annotated[datetime | None, wire.header("if-unmodified-since")] = None


@frozen(kw_only=True)
class WriteConditions:
    """When a write may happen: `if_none_match` is `*`, `if_match` an entity tag (AWS, "Conditional writes")."""

    if_match: Annotated[str | None, wire.header("if-match")] = None
    if_none_match: Annotated[str | None, wire.header("if-none-match")] = None


@frozen(kw_only=True)
class Empty:
    """Nothing to say but that it was done."""


NO_READ_CONDITIONS = ReadConditions()
NO_WRITE_CONDITIONS = WriteConditions()
