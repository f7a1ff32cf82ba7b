"""Which calls are made again."""

from __future__ import annotations

from typing import Any

import pytest

from lightningstor_api.calls import BY_INPUT
from lightningstor_api.retries import Retries, note, repeatable
from lightningstor_api.sources import FileRange, Flow
from lightningstor_types import errors
from lightningstor_types.digests import ETag
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, UploadId
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.buckets import CreateBucket, ListBuckets, UpdateBucket
from lightningstor_types.operations.common import ReadConditions, WriteConditions
from lightningstor_types.operations.copying import CopyObject
from lightningstor_types.operations.objects import DeleteObject, GetObject, PutObject, UpdateObject
from lightningstor_types.operations.tokens import IssueToken
from lightningstor_types.operations.uploads import AbortMultipartUpload, CompleteMultipartUpload, UploadPart
from lightningstor_types.streams import BytesStream

BUCKET: dict[str, Any] = {"bucket": BucketName("bucket")}
NAMED: dict[str, Any] = {**BUCKET, "key": ObjectKey("k")}
UPLOAD: dict[str, Any] = {**NAMED, "upload_id": UploadId("u")}
ONCE = WriteConditions(if_none_match="*")
BYTES = BytesStream(b"x")
SOURCE = CopySource(bucket=BucketName("bucket"), key=ObjectKey("s"))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ListBuckets(), True),
        (GetObject(**NAMED), True),
        (IssueToken(), True),
        (PutObject(**NAMED, body=BYTES), False),
        (PutObject(**NAMED, body=BYTES, conditions=ONCE), True),
        (PutObject(**NAMED, body=FileRange(0, 0, 1), conditions=ONCE), True),
        (PutObject(**NAMED, body=Flow([b"x"]), conditions=ONCE), False),
        (UploadPart(**UPLOAD, part_number=PartNumber(1), body=BYTES), True),
        (UploadPart(**UPLOAD, part_number=PartNumber(1), body=Flow([b"x"])), False),
        (CompleteMultipartUpload(**UPLOAD), True),
        (AbortMultipartUpload(**UPLOAD), False),
        (DeleteObject(**NAMED), False),
        (DeleteObject(**NAMED, if_match=ETag("e")), True),
        (UpdateObject(**NAMED), False),
        (UpdateObject(**NAMED, if_generation=1), True),
        (UpdateBucket(**BUCKET, if_generation=0), True),
        (CreateBucket(**BUCKET), False),
        (CopyObject(**NAMED, source=SOURCE), False),
        (CopyObject(**NAMED, source=SOURCE, source_conditions=ReadConditions(if_match="e")), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_changes_nothing_twice_is_repeated(request_: Any, *, expected: bool) -> None:
    """No side effects, the same effect again, or a precondition; and a body that can begin again."""
    assert repeatable(BY_INPUT[type(request_)], request_) is expected


def test_pauses_grow_and_are_bounded() -> None:
    """The longest pause doubles up to its bound, and the shortest is none."""
    retries = Retries(backoff_seconds=0.1, backoff_max_seconds=0.3)
    for failures, longest in ((1, 0.1), (2, 0.2), (3, 0.3), (9, 0.3)):
        pauses = [retries.pause(failures) for _ in range(200)]
        assert 0 <= min(pauses) < max(pauses) <= longest


def test_a_precondition_that_failed_behind_a_lost_answer_says_so() -> None:
    """Whose write it was that made it fail, the caller can then find out."""
    request = PutObject(**NAMED, body=BYTES, conditions=ONCE)
    for error, of, failures, notes in (
        (errors.PreconditionFailed(), request, 1, 1),
        (errors.PreconditionFailed(), request, 0, 0),
        (errors.PreconditionFailed(), GetObject(**NAMED, conditions=ReadConditions(if_match="e")), 1, 0),
        (errors.ServiceUnavailable(), request, 1, 0),
    ):
        note(error, of, failures)
        assert len(getattr(error, "__notes__", ())) == notes
