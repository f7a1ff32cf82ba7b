"""What a bucket's rules say of the life of its objects.

Law: a configuration is kept and told as it was given, but for ids that the server gave; what a rule
means for a version is decided in the server. Source: AWS, "Lifecycle configuration elements".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.objects import StorageClass
from lightningstor_types.tags import Tag

LIFECYCLE_RULES_MAX: Final = 1000


class LifecycleStatus(StrEnum):
    """Whether a rule is carried out."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class TransitionMinimumSize(StrEnum):
    """Which objects are too small for a transition, where a rule's filter says nothing of sizes."""

    ALL_128K = "all_storage_classes_128K"
    VARIES = "varies_by_storage_class"
    """Archives take any size; this server has none, so it says the same."""


@frozen(kw_only=True)
class LifecycleConditions:
    """Several conditions, all of which must hold. Sizes are in bytes, and excluded themselves."""

    prefix: Annotated[str | None, wire.element("Prefix")] = None
    tags: Annotated[tuple[Tag, ...], wire.element("Tag")] = ()
    size_above: Annotated[int | None, wire.element("ObjectSizeGreaterThan")] = None
    size_below: Annotated[int | None, wire.element("ObjectSizeLessThan")] = None


@frozen(kw_only=True)
class LifecycleFilter:
    """Which objects a rule is about; without a condition all of the bucket."""

    prefix: Annotated[str | None, wire.element("Prefix")] = None
    tag: Annotated[Tag | None, wire.element("Tag")] = None
    size_above: Annotated[int | None, wire.element("ObjectSizeGreaterThan")] = None
    size_below: Annotated[int | None, wire.element("ObjectSizeLessThan")] = None
    all_of: Annotated[LifecycleConditions | None, wire.element("And")] = None


@frozen(kw_only=True)
class Expiration:
    """When a current version expires, or that a delete marker goes which stands alone. `date` is ISO 8601."""

    days: Annotated[int | None, wire.element("Days")] = None
    date: Annotated[str | None, wire.element("Date")] = None
    lone_markers: Annotated[bool | None, wire.element("ExpiredObjectDeleteMarker")] = None


@frozen(kw_only=True)
class NoncurrentExpiration:
    """When a noncurrent version goes: so long after it became one, and behind so many newer ones."""

    days: Annotated[int | None, wire.element("NoncurrentDays")] = None
    newer: Annotated[int | None, wire.element("NewerNoncurrentVersions")] = None


@frozen(kw_only=True)
class Transition:
    """When a current version gets another storage class. `date` is ISO 8601."""

    days: Annotated[int | None, wire.element("Days")] = None
    date: Annotated[str | None, wire.element("Date")] = None
    storage_class: Annotated[StorageClass, wire.element("StorageClass")]


@frozen(kw_only=True)
class NoncurrentTransition:
    """When a noncurrent version gets another storage class."""

    days: Annotated[int | None, wire.element("NoncurrentDays")] = None
    newer: Annotated[int | None, wire.element("NewerNoncurrentVersions")] = None
    storage_class: Annotated[StorageClass, wire.element("StorageClass")]


@frozen(kw_only=True)
class AbortUploads:
    """When an upload is given up that was not completed."""

    days: Annotated[int | None, wire.element("DaysAfterInitiation")] = None


@frozen(kw_only=True)
class LifecycleRule:
    """What becomes of the objects that a filter, or of old a prefix, selects."""

    id: Annotated[str | None, wire.element("ID")] = None
    prefix: Annotated[str | None, wire.element("Prefix")] = None
    filter: Annotated[LifecycleFilter | None, wire.element("Filter")] = None
    status: Annotated[LifecycleStatus, wire.element("Status")]
    expiration: Annotated[Expiration | None, wire.element("Expiration")] = None
    noncurrent_expiration: Annotated[NoncurrentExpiration | None, wire.element("NoncurrentVersionExpiration")] = None
    transitions: Annotated[tuple[Transition, ...], wire.element("Transition")] = ()
    noncurrent_transitions: Annotated[tuple[NoncurrentTransition, ...], wire.element("NoncurrentVersionTransition")] = ()
    abort_uploads: Annotated[AbortUploads | None, wire.element("AbortIncompleteMultipartUpload")] = None


@frozen(kw_only=True)
class LifecycleConfiguration:
    """The rules, all of which count."""

    document: ClassVar[str] = "LifecycleConfiguration"
    minimum_size: Annotated[TransitionMinimumSize, wire.header("x-amz-transition-default-minimum-object-size")] = (
        TransitionMinimumSize.ALL_128K
    )
    rules: Annotated[tuple[LifecycleRule, ...], wire.element("Rule")] = ()
