"""What policies may ask of a request: the keys that its input, its connection and its caller fill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import attrs
import pytest

from lightningstor_server.auth.patterns import context_key
from lightningstor_server.auth.principals import account_id
from lightningstor_server.service.core import utc_now
from lightningstor_server.service.operation import Permission, operations
from lightningstor_server.service.policy_decision import Inquiry, RequestFacts
from lightningstor_server.service.policy_keys import given_keys
from lightningstor_types import errors
from lightningstor_types.access import AclHeaders, CannedAcl
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import CopySource, StorageClass
from lightningstor_types.operations.common import WriteConditions
from lightningstor_types.operations.copying import CopyObject, MetadataDirective
from lightningstor_types.operations.listing import ListObjectsV2
from lightningstor_types.operations.objects import GetObject, PutObject
from lightningstor_types.operations.retention import PutObjectRetention
from lightningstor_types.operations.tagging import TaggingDirective
from lightningstor_types.retention import LegalHoldStatus, LockHeaders, RetentionMode
from lightningstor_types.streams import BytesStream
from lightningstor_types.tags import Tag, TagSet
from unit.service.policed import make_open_rig, may, put, statement
from unit.service.rig import BUCKET, REQUEST_ID, Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names; its bucket has the object `k` and blocks nothing."""
    made = await make_open_rig()
    yield made
    await made.close()


def keys(request: Any, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> dict[str, str | tuple[str, ...]]:
    """What a request gives: single values bare."""
    found = given_keys(request, headers or {}, query or {}, utc_now())
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def test_the_keys_of_inputs() -> None:
    """Each under its name, whichever front it came by; what is a default only where the front heard it."""
    at: dict[str, Any] = {"bucket": BUCKET, "key": ObjectKey("k")}
    tags = TagSet(tags=(Tag(key="A", value="1"), Tag(key="b", value="2")))
    until = utc_now() + timedelta(days=2, hours=1)
    stamp = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = BytesStream(b"")
    lock = LockHeaders(mode=RetentionMode.GOVERNANCE, until=until, legal_hold=LegalHoldStatus.ON)
    written = PutObject(
        **at, body=body, tagging=tags, lock=lock, conditions=WriteConditions(if_none_match="*"),
        acl=AclHeaders(acl=CannedAcl.PUBLIC_READ, grant_read="id=x"),
    )  # fmt: skip
    assert keys(written) == {
        "s3:x-amz-acl": "public-read", "s3:x-amz-grant-read": "id=x", "s3:if-none-match": "*",
        "s3:object-lock-mode": "GOVERNANCE", "s3:object-lock-retain-until-date": stamp, "s3:object-lock-legal-hold": "ON",
        "s3:object-lock-remaining-retention-days": "3",
        context_key("s3:RequestObjectTag/A"): "1", context_key("s3:RequestObjectTag/b"): "2",
        context_key("s3:RequestObjectTagKeys"): ("A", "b"),
    }  # fmt: skip
    plain = PutObject(**at, body=body)
    assert keys(plain) == {}
    assert keys(plain, {"x-amz-storage-class": "STANDARD"}) == {"s3:x-amz-storage-class": StorageClass.STANDARD}
    assert keys(GetObject(**at), {"x-amz-acl": "public-read", "x-amz-storage-class": "STANDARD"}, {"prefix": "p"}) == {}
    assert keys(plain, {"x-amz-server-side-encryption": "AES256"}) == {"s3:x-amz-server-side-encryption": "AES256"}
    retained = PutObjectRetention(**at, mode=RetentionMode.COMPLIANCE, until=until)
    assert keys(retained)["s3:object-lock-remaining-retention-days"] == "3"
    assert keys(ListObjectsV2(bucket=BUCKET, prefix="p", delimiter="/")) == {"s3:prefix": "p", "s3:delimiter": "/"}
    assert keys(ListObjectsV2(bucket=BUCKET), query={"prefix": "", "max-keys": "1000"}) == {"s3:prefix": "", "s3:max-keys": "1000"}


def test_the_keys_of_copies() -> None:
    """The source as bucket and key; tags that the copy does not heed are none."""
    source = CopySource(bucket=BucketName("source"), key=ObjectKey("a b"))
    tags = TagSet(tags=(Tag(key="a", value="1"),))
    copy = CopyObject(bucket=BUCKET, key=ObjectKey("k"), source=source, tagging=tags, metadata_directive=MetadataDirective.REPLACE)
    assert keys(copy) == {"s3:x-amz-copy-source": "source/a b", "s3:x-amz-metadata-directive": "REPLACE"}
    replacing = attrs.evolve(copy, tagging_directive=TaggingDirective.REPLACE)
    assert keys(replacing)[context_key("s3:RequestObjectTag/a")] == "1"


async def test_the_keys_of_a_connection(rig: Rig) -> None:
    """The address, TLS and the browser's words, as a front tells them; without a front none of them is there."""
    facts = RequestFacts(source_ip="192.0.2.7", secure=True, auth_type="REST-HEADER", headers={"user-agent": "agent", "referer": "page"})
    name = operations()["GetObject"]
    request = GetObject(bucket=BUCKET, key=ObjectKey("k"))
    for operator, key, value in (
        ("IpAddress", "aws:SourceIp", "192.0.2.0/24"),
        ("Bool", "aws:SecureTransport", "true"),
        ("StringEquals", "aws:UserAgent", "agent"),
        ("StringEquals", "aws:Referer", "page"),
        ("StringEquals", "s3:authType", "REST-HEADER"),
        ("StringEquals", "s3:signatureversion", "AWS4-HMAC-SHA256"),
    ):
        await put(rig, statement("Deny", Condition={operator: {key: value}}))
        await rig.service.call(name, request, caller=rig.caller, request_id=REQUEST_ID)
        with pytest.raises(errors.AccessDenied):
            await rig.service.call(name, request, caller=rig.caller, request_id=REQUEST_ID, facts=facts)


async def test_the_keys_of_callers_and_times(rig: Rig) -> None:
    """Who asks, whose the bucket is, and when."""
    number = account_id(rig.caller.project.id)
    for operator, key, value in (
        ("StringEquals", "aws:PrincipalAccount", number),
        ("ArnEquals", "aws:PrincipalArn", f"arn:aws:iam::{number}:user/owner"),
        ("StringEquals", "aws:PrincipalType", "User"),
        ("StringEquals", "aws:username", "owner"),
        ("StringEquals", "aws:ResourceAccount", number),
        ("StringEquals", "s3:ResourceAccount", number),
        ("DateEquals", "aws:CurrentTime", rig.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("NumericEquals", "aws:EpochTime", str(int(rig.clock.now.timestamp()))),
    ):
        await put(rig, statement("Deny", Condition={operator: {key: value}}))
        assert not await may(rig, rig.caller), key


async def test_a_bucket_without_a_policy_costs_nothing(rig: Rig) -> None:
    """No principal and no key is made up for it."""
    inquiry = Inquiry(caller=rig.caller, request=None, facts=RequestFacts(), clock=_never)
    bucket = await rig.metadata.read(lambda tx: tx.buckets.find(rig.service.namespace(rig.caller.project), BUCKET))
    said = inquiry.said(Permission(action="s3:GetObject", bucket=BUCKET, key="k"), bucket)
    assert said is not None
    assert said.policy is None


def _never() -> Any:
    raise AssertionError("the clock was asked")
