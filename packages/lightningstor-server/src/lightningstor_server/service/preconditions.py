"""When a request is wanted: RFC 9110 section 13 and S3's conditional writes.

Law: pure. A write's conditions are checked early, to spare the client its body, and again inside
the transaction, which is what counts.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from lightningstor_types.digests import ETag
from lightningstor_types.errors import NoSuchKey, NotModified, PreconditionFailed
from lightningstor_types.objects import Object
from lightningstor_types.operations.common import ReadConditions, WriteConditions

_TAG: Final = re.compile(r'[ \t]*(W/)?(?:"([^"]*)"|([^\s",]+))[ \t]*(?:,|$)')
_SECOND: Final = timedelta(seconds=1)


def _matches(condition: str, etag: ETag, *, weak: bool = False) -> bool:
    """Whether a list of entity tags, or `*`, names this one; S3 takes them without quotes too.

    A weak tag counts only in a weak comparison (RFC 9110 section 8.8.3.2). Reading stops at the
    first thing that is no tag, so that a long header costs no more than its length.
    """
    if condition.strip() == "*":
        return True
    found = _TAG.match(condition)
    while found is not None:
        if (found[2] or found[3]) == etag and (weak or found[1] is None):
            return True
        found = _TAG.match(condition, found.end()) if found.end() < len(condition) else None
    return False


def _whole_seconds(moment: datetime) -> datetime:
    """HTTP dates have no fractions (RFC 9110 section 5.6.7)."""
    return moment.replace(microsecond=0)


def check_read(conditions: ReadConditions, item: Object) -> None:
    """Check in the order of RFC 9110 section 13.2.2.

    Raises:
        PreconditionFailed: If-Match or If-Unmodified-Since does not hold.
        NotModified: If-None-Match or If-Modified-Since does not hold.
    """
    modified = _whole_seconds(item.last_modified)
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, item.etag):
            raise PreconditionFailed(Condition="If-Match")
    elif conditions.if_unmodified_since is not None and modified > conditions.if_unmodified_since:
        raise PreconditionFailed(Condition="If-Unmodified-Since")
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, item.etag, weak=True):
            raise NotModified(ETag=item.etag)
    elif conditions.if_modified_since is not None and modified <= conditions.if_modified_since:
        raise NotModified(ETag=item.etag)


def check_source(conditions: ReadConditions, source: Object) -> None:
    """A copy's source conditions: as a read's, and every failure is 412 (AWS, CopyObject).

    Raises:
        PreconditionFailed: one does not hold.
    """
    try:
        check_read(conditions, source)
    except NotModified:
        raise PreconditionFailed(Condition="x-amz-copy-source-If-None-Match or -If-Modified-Since") from None


def check_write(conditions: WriteConditions, current: Object | None) -> None:
    """Check a conditional write against what is there now.

    AWS takes `*` alone for If-None-Match; an entity tag means what RFC 9110 section 13.1.2 says.

    Raises:
        PreconditionFailed: there is an object that was not to be there, or not the one expected.
        NoSuchKey: If-Match and there is no object.
    """
    if conditions.if_none_match is not None and current is not None and _matches(conditions.if_none_match, current.etag, weak=True):
        raise PreconditionFailed(Condition="If-None-Match")
    if conditions.if_match is not None:
        if current is None:
            raise NoSuchKey
        if not _matches(conditions.if_match, current.etag):
            raise PreconditionFailed(Condition="If-Match")


def check_delete(current: Object | None, *, etag: str | None, modified: datetime | None, size: int | None) -> None:
    """Check a conditional delete (AWS, "Conditional deletes"). Where nothing is there, nothing is to be done.

    Raises:
        PreconditionFailed: what is there is another object.
    """
    if current is None:
        return
    if etag is not None and not _matches(etag, current.etag):
        raise PreconditionFailed(Condition="If-Match")
    if modified is not None and abs(current.last_modified - modified) >= _SECOND:
        raise PreconditionFailed(Condition="x-amz-if-match-last-modified-time")
    if size is not None and size != current.size:
        raise PreconditionFailed(Condition="x-amz-if-match-size")
