"""No way round a bucket policy: what it denies is denied by every entry, and what it allows is no more than it says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

import forms
from asgi import Request
from faces import Rig, grpc_face
from faces import rig as open_rig
from lightningstor_server.service.settings import Settings
from lightningstor_types.errors import AccessDenied
from lightningstor_types.names import BucketName, ObjectKey, PartNumber
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.copying import CopyObject, UploadPartCopy
from lightningstor_types.operations.objects import DeleteObjects, GetObject, ObjectIdentifier, PutObject
from lightningstor_types.operations.policies import DeleteBucketPolicy, PutBucketPolicy
from lightningstor_types.operations.uploads import CreateMultipartUpload
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.streams import BytesStream
from lightningstor_types.tenants import BucketNamespace

BUCKET, KEY, KEPT = BucketName("bucket"), ObjectKey("k"), ObjectKey("kept")
CONTENT = b"content"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names; alpha's bucket has two objects and blocks nothing."""
    settings = Settings(
        bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ObjectOwnership.OBJECT_WRITER, new_bucket_blocked=False
    )
    async with open_rig(settings=settings) as made:
        await made(CreateBucket(bucket=BUCKET))
        for key in (KEY, KEPT):
            await made(PutObject(bucket=BUCKET, key=key, body=BytesStream(CONTENT)))
        yield made


async def put(rig: Rig, effect: str, action: Any, resource: str = "bucket/*", **more: Any) -> None:
    """Set a policy of one statement."""
    statement = {"Effect": effect, "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{resource}"} | more
    await rig(PutBucketPolicy(bucket=BUCKET, policy=json.dumps({"Version": "2012-10-17", "Statement": statement})))


async def test_a_form_is_a_write(rig: Rig) -> None:
    """What PutObject is denied, a form is: by who asks, by its address, and by the list that it gives in a field."""
    request = forms.post(forms.signed(rig.alpha.owner, {"key": "new", "acl": "public-read"}))
    for condition in (
        {},
        {"StringEquals": {"s3:authType": "POST"}},
        {"StringEquals": {"s3:x-amz-acl": "public-read"}},
        {"Bool": {"aws:SecureTransport": "false"}},
    ):
        before = rig.dump()
        await put(rig, "Deny", "s3:PutObject", Condition=condition)
        after = rig.dump()
        response = await rig.send(request)
        assert (response.status, b"<Code>AccessDenied</Code>" in response.body) == (403, True), condition
        assert rig.dump() == after != before
    await put(rig, "Deny", "s3:PutObjectAcl")
    assert (await rig.send(request)).status == 403


async def test_a_form_s_headers_are_not_its_fields(rig: Rig) -> None:
    """A header that a form does not heed meets no condition."""
    await put(rig, "Allow", "s3:PutObject", Condition={"StringEquals": {"s3:if-none-match": "*"}})
    request = forms.post({"key": "new"})
    for sent in (request, request.with_headers(("if-none-match", "*"))):
        assert (await rig.send(sent)).status == 403


async def test_a_header_that_is_not_heeded_meets_no_condition(rig: Rig) -> None:
    """A read that says how an object should be written is not allowed as if it wrote so."""
    await put(rig, "Allow", "s3:GetObject", Condition={"StringEquals": {"s3:x-amz-storage-class": "STANDARD"}})
    request = Request(path=b"/bucket/k").with_headers(("x-amz-storage-class", "STANDARD"))
    assert (await rig.send(request)).status == 403
    assert (await rig.send(request, rig.beta.owner)).status == 403


async def test_grpc_is_no_way_round(rig: Rig) -> None:
    """The same policy decides over gRPC, by the address of the connection too."""
    async with grpc_face(rig) as face:
        request = GetObject(bucket=BUCKET, key=KEY)
        assert (await face(request)).content_length == len(CONTENT)
        for condition in (
            {},
            {"IpAddress": {"aws:SourceIp": ["127.0.0.1", "::1"]}},
            {"Bool": {"aws:SecureTransport": "false"}},
            {"StringEquals": {"s3:authType": "REST-HEADER"}},
            {"StringLike": {"aws:UserAgent": "*grpc*"}},
        ):
            await put(rig, "Deny", "s3:GetObject", Condition=condition)
            with pytest.raises(AccessDenied):
                await face(request)
        await rig(DeleteBucketPolicy(bucket=BUCKET))
        assert (await face(request)).content_length == len(CONTENT)


async def test_a_batch_is_denied_one_by_one(rig: Rig) -> None:
    """What the policy keeps of a batch stays, and the rest goes."""
    await put(rig, "Deny", "s3:DeleteObject", "bucket/kept")
    answer = await rig(DeleteObjects(bucket=BUCKET, objects=(ObjectIdentifier(key=KEPT), ObjectIdentifier(key=KEY))))
    assert [(error.key, error.code) for error in answer.errors] == [(KEPT, "AccessDenied")]
    assert [deleted.key for deleted in answer.deleted] == [KEY]


async def test_a_copy_reads(rig: Rig) -> None:
    """What may not be read is not copied, as a whole or as a part."""
    await rig(CreateBucket(bucket=BucketName("other")))
    await put(rig, "Deny", "s3:GetObject")
    at: Any = {"bucket": BucketName("other"), "key": KEY}
    source = CopySource(bucket=BUCKET, key=KEY)
    upload = (await rig(CreateMultipartUpload(**at))).upload_id
    for request in (CopyObject(**at, source=source), UploadPartCopy(**at, upload_id=upload, part_number=PartNumber(1), source=source)):
        with pytest.raises(AccessDenied):
            await rig(request)


async def test_another_project_needs_its_own_role_too(rig: Rig) -> None:
    """A policy for everybody makes no owner of another project's viewer."""
    await put(rig, "Allow", "s3:*")
    for role, signer in rig.beta.signers.items():
        request = Request(method="PUT", path=b"/bucket/new").with_body(b"x")
        assert (await rig.send(request, signer)).status == (403 if role == "viewer" else 200), role
        assert (await rig.send(Request(path=b"/bucket/k"), signer)).status == 200


async def test_a_policy_s_change_is_the_next_request_s(rig: Rig) -> None:
    """Nothing is kept of one that was replaced."""
    request = Request(path=b"/bucket/k")
    for effect, status in (("Allow", 200), ("Deny", 403), ("Allow", 200)):
        await put(rig, effect, "s3:GetObject")
        assert (await rig.send(request)).status == status
    await rig(DeleteBucketPolicy(bucket=BUCKET))
    assert (await rig.send(request)).status == 403
