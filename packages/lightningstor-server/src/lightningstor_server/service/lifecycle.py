"""The lifecycle configuration of a bucket.

Law: a configuration is checked as a whole when it is set, so that whoever carries it out meets none
that cannot be. Every rule has an id, the server's where its writer gave none. Source: AWS,
PutBucketLifecycleConfiguration, and "Lifecycle configuration elements".
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.lifecycle_rules import conditions, dated, of_versions, sized, tagged
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.service.tagging import checked_object_tags
from lightningstor_types import errors
from lightningstor_types.lifecycle import (
    LIFECYCLE_RULES_MAX,
    LifecycleConfiguration,
    LifecycleRule,
    NoncurrentExpiration,
    NoncurrentTransition,
)
from lightningstor_types.names import KEY_MAX_BYTES
from lightningstor_types.objects import StorageClass
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.lifecycle import (
    DeleteBucketLifecycle,
    GetBucketLifecycleConfiguration,
    PutBucketLifecycleConfiguration,
    PutBucketLifecycleConfigurationResult,
)

RULE_ID_MAX_CHARACTERS: Final = 255
DAYS_MAX: Final = 2**31 - 1
NEWER_VERSIONS_MAX: Final = 100
SIZE_MAX_BYTES: Final = 2**63 - 1
LIFECYCLE_MAX_CHARACTERS: Final = 512 << 10
"""Of all texts of a configuration. Every worker keeps it in memory."""
_RULE_ID_RANDOM_BYTES: Final = 24
_NOT_BELOW: Final = frozenset({StorageClass.STANDARD, StorageClass.REDUCED_REDUNDANCY})
"""Classes to which nothing is moved (AWS, Transition, StorageClass)."""


@operation(
    PutBucketLifecycleConfiguration,
    Route("PUT", Target.BUCKET, query=("lifecycle",)),
    action="s3:PutLifecycleConfiguration",
)
async def put_bucket_lifecycle_configuration(
    ctx: Context, request: PutBucketLifecycleConfiguration
) -> PutBucketLifecycleConfigurationResult:
    """Replace the rules. AWS, PutBucketLifecycleConfiguration; also PutBucketLifecycle, whose rules have a prefix and no filter."""
    rules = checked(request.rules)
    await configure(ctx, "lifecycle", LifecycleConfiguration(rules=rules, minimum_size=request.minimum_size))
    return PutBucketLifecycleConfigurationResult(minimum_size=request.minimum_size)


@operation(
    DeleteBucketLifecycle,
    Route("DELETE", Target.BUCKET, query=("lifecycle",), status=204),
    action="s3:PutLifecycleConfiguration",
)
async def delete_bucket_lifecycle(ctx: Context, _: DeleteBucketLifecycle) -> Empty:
    """Take the rules away; that there are none is no error. AWS, DeleteBucketLifecycle, which asks for the permission to put them."""
    await configure(ctx, "lifecycle", None)
    return Empty()


@operation(
    GetBucketLifecycleConfiguration,
    Route("GET", Target.BUCKET, query=("lifecycle",)),
    action="s3:GetLifecycleConfiguration",
)
async def get_bucket_lifecycle_configuration(ctx: Context, _: GetBucketLifecycleConfiguration) -> LifecycleConfiguration:
    """Read the rules. AWS, GetBucketLifecycleConfiguration."""
    configuration = ctx.bucket.settings.lifecycle
    if configuration is None:
        raise errors.NoSuchLifecycleConfiguration(BucketName=ctx.bucket.name)
    return configuration


# -- what a configuration may say


def checked(rules: Sequence[LifecycleRule]) -> tuple[LifecycleRule, ...]:
    """The rules as they are kept: each with an id.

    Raises:
        MalformedXML: there is no rule, or an element of one lacks what it needs or has what excludes each other.
        InvalidArgument, InvalidRequest, InvalidStorageClass, InvalidTag: a value is not one that S3 takes.
    """
    if not rules:
        raise errors.MalformedXML
    if len(rules) > LIFECYCLE_RULES_MAX:
        raise errors.InvalidRequest(f"A lifecycle configuration has at most {LIFECYCLE_RULES_MAX} rules.")
    if sum(_characters(rule) for rule in rules) > LIFECYCLE_MAX_CHARACTERS:
        raise errors.InvalidRequest(f"The lifecycle configuration has more than {LIFECYCLE_MAX_CHARACTERS} characters.")
    given = [rule.id for rule in rules if rule.id]
    if any(len(name) > RULE_ID_MAX_CHARACTERS for name in given):
        raise errors.InvalidArgument(f"The ID of a rule has at most {RULE_ID_MAX_CHARACTERS} characters.", ArgumentName="ID")
    if len(set(given)) < len(given):
        raise errors.InvalidArgument("Two rules have the same ID.", ArgumentName="ID")
    for rule in rules:
        _check(rule)
    return tuple([rule if rule.id else attrs.evolve(rule, id=secrets.token_urlsafe(_RULE_ID_RANDOM_BYTES)) for rule in rules])


def _characters(rule: LifecycleRule) -> int:
    texts = [text for one in conditions(rule) for text in (one.prefix or "", *(part for tag in one.tags for part in (tag.key, tag.value)))]
    return sum(map(len, texts)) + len(rule.id or "")


def _check(rule: LifecycleRule) -> None:
    if (rule.prefix is None) == (rule.filter is None):
        # the one is of rules as they were, the other of rules as they are (AWS, LifecycleRule)
        raise errors.MalformedXML
    _check_conditions(rule)
    if not (of_versions(rule) or rule.abort_uploads):
        raise errors.InvalidRequest("A rule needs at least one action.", Rule=rule.id or "")
    _check_expiration(rule)
    _check_noncurrent(rule)
    _check_transitions(rule)
    if rule.abort_uploads is not None:
        _days(rule.abort_uploads.days, "DaysAfterInitiation")
        if tagged(rule) or sized(rule):
            raise errors.InvalidRequest("AbortIncompleteMultipartUpload cannot be given with tags or sizes.", Rule=rule.id or "")


def _check_conditions(rule: LifecycleRule) -> None:
    for one in conditions(rule):
        checked_object_tags(one.tags)
        if one.prefix is not None and len(one.prefix.encode()) > KEY_MAX_BYTES:
            raise errors.InvalidRequest(f"A prefix has at most {KEY_MAX_BYTES} bytes.")
        for name, size in (("ObjectSizeGreaterThan", one.size_above), ("ObjectSizeLessThan", one.size_below)):
            if size is not None and not 0 <= size <= SIZE_MAX_BYTES:
                raise errors.InvalidRequest(f"{name} is a number of bytes from 0 to {SIZE_MAX_BYTES}.")
    above = max((one.size_above for one in conditions(rule) if one.size_above is not None), default=-1)
    below = min((one.size_below for one in conditions(rule) if one.size_below is not None), default=SIZE_MAX_BYTES)
    if above >= below:
        raise errors.InvalidRequest("ObjectSizeLessThan has to be more than ObjectSizeGreaterThan.")


def _days(days: int | None, name: str, least: int = 1) -> None:
    """Refuse what is no number of days.

    Raises:
        MalformedXML: there is none.
        InvalidArgument: it is out of range.
    """
    if days is None:
        raise errors.MalformedXML
    if not least <= days <= DAYS_MAX:
        raise errors.InvalidArgument(f"{name} is a number of days from {least} to {DAYS_MAX}.", ArgumentName=name, ArgumentValue=str(days))


def _check_date(date: str) -> None:
    try:
        moment = dated(date)
    except (ValueError, OverflowError):
        raise errors.MalformedXML from None
    if (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        raise errors.InvalidArgument("Date has to be at midnight GMT.", ArgumentName="Date", ArgumentValue=date[:64])


def _check_expiration(rule: LifecycleRule) -> None:
    ends = rule.expiration
    if ends is None:
        return
    said = [ends.days is not None, ends.date is not None, bool(ends.lone_markers)]
    if sum(said) > 1 or (sum(said) == 0 and ends.lone_markers is None):
        raise errors.MalformedXML
    if ends.days is not None:
        _days(ends.days, "Days")
    if ends.date is not None:
        _check_date(ends.date)
    if ends.lone_markers and (tagged(rule) or sized(rule)):
        raise errors.InvalidRequest("ExpiredObjectDeleteMarker cannot be given with tags or sizes.", Rule=rule.id or "")


def _check_noncurrent(rule: LifecycleRule) -> None:
    acts: list[NoncurrentExpiration | NoncurrentTransition] = [*rule.noncurrent_transitions]
    if rule.noncurrent_expiration is not None:
        _days(rule.noncurrent_expiration.days, "NoncurrentDays")
        acts.append(rule.noncurrent_expiration)
    for act in acts:
        if act.newer is not None and not 1 <= act.newer <= NEWER_VERSIONS_MAX:
            raise errors.InvalidArgument(
                f"NewerNoncurrentVersions is a number from 1 to {NEWER_VERSIONS_MAX}.",
                ArgumentName="NewerNoncurrentVersions",
                ArgumentValue=str(act.newer),
            )


def _check_transitions(rule: LifecycleRule) -> None:
    for step in rule.transitions:
        if (step.days is None) == (step.date is None):
            raise errors.MalformedXML
        if step.days is not None:
            _days(step.days, "Days", 0)
        if step.date is not None:
            _check_date(step.date)
    for later in rule.noncurrent_transitions:
        _days(later.days, "NoncurrentDays", 0)
    for steps in (rule.transitions, rule.noncurrent_transitions):
        _check_classes([step.storage_class for step in steps], rule)
    ends = rule.expiration
    spoken = [(one.days is not None) for one in (*rule.transitions, *((ends,) if ends and not ends.lone_markers else ()))]
    if len(set(spoken)) > 1:
        raise errors.InvalidRequest("A rule has either days or dates for current versions, not both.", Rule=rule.id or "")
    _check_order([step.days for step in rule.transitions], ends.days if ends else None)
    noncurrent = rule.noncurrent_expiration
    _check_order([later.days for later in rule.noncurrent_transitions], noncurrent.days if noncurrent else None)


def _check_classes(classes: Sequence[StorageClass], rule: LifecycleRule) -> None:
    wrong = next((item for item in classes if item in _NOT_BELOW), None)
    if wrong is not None:
        raise errors.InvalidStorageClass(StorageClassRequested=wrong.value)
    if len(set(classes)) < len(classes):
        raise errors.InvalidRequest("A rule names a storage class once.", Rule=rule.id or "")


def _check_order(steps: Iterable[int | None], end: int | None) -> None:
    if end is not None and any(days is not None and days >= end for days in steps):
        raise errors.InvalidArgument("A version expires later than it changes its storage class.", ArgumentName="Days")
