"""A furnished store, and a request that succeeds there for every operation that has a route.

Walks over all routes (signatures, anonymous callers, tenants, roles) take their requests from here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import attrs
from attrs import frozen

import http_calls
from asgi import Request
from faces import NOW, Rig
from lightningstor_server.service.operation import operations
from lightningstor_types.access import AclPermission, Grant, Grantee
from lightningstor_types.cors import CorsRule
from lightningstor_types.digests import ETag
from lightningstor_types.lifecycle import Expiration, LifecycleRule, LifecycleStatus
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, TenantName, UploadId
from lightningstor_types.objects import CopySource, ObjectMetadata
from lightningstor_types.operations import (
    attributes,
    bucket_acl,
    bucket_settings,
    buckets,
    copying,
    cors,
    lifecycle,
    object_acl,
    objects,
    ownership,
    policies,
    public_access,
    quotas,
    retention,
    tagging,
    tenants,
    tokens,
    upload_listing,
    uploads,
    versioning,
)
from lightningstor_types.operations import principals as people
from lightningstor_types.retention import DefaultRetention, LegalHoldStatus, LockHeaders, RetentionMode
from lightningstor_types.settings import ALL_BLOCKED, ObjectOwnership, VersioningStatus
from lightningstor_types.streams import BytesStream
from lightningstor_types.tags import Tag, TagSet
from lightningstor_types.tenants import AccessKeyId, Principal, Quota, Role
from lightningstor_types.uploads import CompletedPart
from signers import Signer

BUCKET: Final = BucketName("bucket")
EMPTY: Final = BucketName("empty")
KEY: Final = ObjectKey("key")
LARGE: Final = ObjectKey("large")
LOCKING: Final = BucketName("locking")
"""With object lock; its object is held."""
_TAGGING: Final = TagSet(tags=(Tag(key="a", value="b"),))
UPLOADED: Final = ObjectKey("upload-key")
IDLE: Final = TenantName("idle")
CONTENT: Final = b"content"
RETAINED_UNTIL: Final = NOW + timedelta(days=1)
BODY: Final = bytes(range(256)) * 400
"""Longer than what the metadata hold, so that a write makes a chunk."""


@frozen(kw_only=True)
class Furnished:
    """What is in the store, as far as requests need it."""

    upload_id: UploadId
    part: CompletedPart


async def furnish(rig: Rig, signer: Signer | None = None) -> Furnished:
    """Fill the store: a bucket with two objects and an upload of one part, an empty bucket, a principal without a key."""
    idle = Principal(name=IDLE, role=Role.VIEWER)
    await rig.metadata.commit(lambda tx: tx.principals.put(rig.alpha.project.id, idle))
    for name in (BUCKET, EMPTY):
        await rig(buckets.CreateBucket(bucket=name), signer)
    await rig(buckets.CreateBucket(bucket=LOCKING, object_lock=True), signer)
    held = LockHeaders(mode=RetentionMode.GOVERNANCE, until=RETAINED_UNTIL, legal_hold=LegalHoldStatus.ON)
    await rig(objects.PutObject(bucket=LOCKING, key=KEY, lock=held, body=BytesStream(CONTENT)), signer)
    for key, content in ((KEY, CONTENT), (LARGE, BODY)):
        await rig(objects.PutObject(bucket=BUCKET, key=key, body=BytesStream(content)), signer)
    await rig(tagging.PutBucketTagging(bucket=BUCKET, tagging=_TAGGING), signer)
    await rig(cors.PutBucketCors(bucket=BUCKET, rules=(_GETTING,)), signer)
    await rig(lifecycle.PutBucketLifecycleConfiguration(bucket=BUCKET, rules=(_EXPIRING,)), signer)
    await rig(policies.PutBucketPolicy(bucket=BUCKET, policy=_POLICY), signer)
    at = {"bucket": BUCKET, "key": UPLOADED}
    upload_id = UploadId((await rig(uploads.CreateMultipartUpload(**at), signer)).upload_id)
    written = await rig(uploads.UploadPart(**at, upload_id=upload_id, part_number=PartNumber(1), body=BytesStream(BODY)), signer)
    return Furnished(upload_id=upload_id, part=CompletedPart(number=PartNumber(1), etag=ETag(written.etag)))


_SOURCE: Final = CopySource(bucket=BUCKET, key=KEY)
_LOCKED: Final[dict[str, Any]] = {"bucket": LOCKING, "key": KEY}
_DEFAULT: Final = retention.ObjectLockRule(default_retention=DefaultRetention(mode=RetentionMode.GOVERNANCE, days=1))
_OBJECT: Final[dict[str, Any]] = {"bucket": BUCKET, "key": KEY}
_UPLOAD: Final[dict[str, Any]] = {"bucket": BUCKET, "key": UPLOADED}
_TWO: Final = PartNumber(2)
_ORGANISATION, _NEW = TenantName("org"), TenantName("new")
_PROJECT: Final[dict[str, Any]] = {"organisation": _ORGANISATION, "project": TenantName("alpha")}
_OWNERS: Final = {"grants": (Grant(grantee=Grantee(id="canonical-alpha"), permission=AclPermission.FULL_CONTROL),)}
_PREFERRED: Final = ownership.OwnershipRule(object_ownership=ObjectOwnership.BUCKET_OWNER_PREFERRED)
_GETTING: Final = CorsRule(allowed_methods=("GET",), allowed_origins=("https://page.test",), max_age_seconds=5)
_POLICY: Final = (
    '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "alpha"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}}'
)
_EXPIRING: Final = LifecycleRule(id="all", prefix="", status=LifecycleStatus.ENABLED, expiration=Expiration(days=1))
_BATCH: Final = (objects.ObjectIdentifier(key=KEY), objects.ObjectIdentifier(key="other"))

_INPUTS: Final[dict[type[Any], Callable[[Furnished], Any]]] = {
    buckets.ListBuckets: lambda _: buckets.ListBuckets(),
    buckets.CreateBucket: lambda _: buckets.CreateBucket(bucket=BucketName("fresh"), location="us-east-1"),
    buckets.DeleteBucket: lambda _: buckets.DeleteBucket(bucket=EMPTY),
    objects.PutObject: lambda _: objects.PutObject(**_OBJECT, body=BytesStream(BODY)),
    objects.GetObject: lambda _: objects.GetObject(**_OBJECT),
    objects.HeadObject: lambda _: objects.HeadObject(**_OBJECT),
    attributes.GetObjectAttributes: lambda _: attributes.GetObjectAttributes(**_OBJECT, attributes=tuple(attributes.ObjectAttribute)),
    attributes.GetObjectTorrent: lambda _: attributes.GetObjectTorrent(**_OBJECT),
    objects.DeleteObject: lambda _: objects.DeleteObject(**_OBJECT),
    objects.DeleteObjects: lambda _: objects.DeleteObjects(bucket=BUCKET, objects=_BATCH),
    copying.CopyObject: lambda _: copying.CopyObject(bucket=BUCKET, key=ObjectKey("copy"), source=_SOURCE),
    copying.UploadPartCopy: lambda at: copying.UploadPartCopy(**_UPLOAD, upload_id=at.upload_id, part_number=_TWO, source=_SOURCE),
    uploads.CreateMultipartUpload: lambda _: uploads.CreateMultipartUpload(**_OBJECT),
    uploads.UploadPart: lambda at: uploads.UploadPart(**_UPLOAD, upload_id=at.upload_id, part_number=_TWO, body=BytesStream(BODY)),
    uploads.CompleteMultipartUpload: lambda at: uploads.CompleteMultipartUpload(**_UPLOAD, upload_id=at.upload_id, parts=(at.part,)),
    uploads.AbortMultipartUpload: lambda at: uploads.AbortMultipartUpload(**_UPLOAD, upload_id=at.upload_id),
    versioning.PutBucketVersioning: lambda _: versioning.PutBucketVersioning(bucket=BUCKET, status=VersioningStatus.ENABLED),
    bucket_acl.PutBucketAcl: lambda _: bucket_acl.PutBucketAcl(bucket=BUCKET, **_OWNERS),
    object_acl.PutObjectAcl: lambda _: object_acl.PutObjectAcl(**_OBJECT, **_OWNERS),
    object_acl.GetObjectAcl: lambda _: object_acl.GetObjectAcl(**_OBJECT),
    ownership.PutBucketOwnershipControls: lambda _: ownership.PutBucketOwnershipControls(bucket=BUCKET, rules=(_PREFERRED,)),
    ownership.DeleteBucketOwnershipControls: lambda _: ownership.DeleteBucketOwnershipControls(bucket=BUCKET),
    cors.PutBucketCors: lambda _: cors.PutBucketCors(bucket=BUCKET, rules=(_GETTING,)),
    cors.DeleteBucketCors: lambda _: cors.DeleteBucketCors(bucket=BUCKET),
    lifecycle.PutBucketLifecycleConfiguration: lambda _: lifecycle.PutBucketLifecycleConfiguration(bucket=BUCKET, rules=(_EXPIRING,)),
    lifecycle.DeleteBucketLifecycle: lambda _: lifecycle.DeleteBucketLifecycle(bucket=BUCKET),
    public_access.PutPublicAccessBlock: lambda _: public_access.PutPublicAccessBlock(bucket=BUCKET, block=ALL_BLOCKED),
    public_access.DeletePublicAccessBlock: lambda _: public_access.DeletePublicAccessBlock(bucket=BUCKET),
    policies.PutBucketPolicy: lambda _: policies.PutBucketPolicy(bucket=BUCKET, policy=_POLICY),
    policies.DeleteBucketPolicy: lambda _: policies.DeleteBucketPolicy(bucket=BUCKET),
    tagging.PutObjectTagging: lambda _: tagging.PutObjectTagging(**_OBJECT, tagging=_TAGGING),
    tagging.GetObjectTagging: lambda _: tagging.GetObjectTagging(**_OBJECT),
    tagging.DeleteObjectTagging: lambda _: tagging.DeleteObjectTagging(**_OBJECT),
    tagging.PutBucketTagging: lambda _: tagging.PutBucketTagging(bucket=BUCKET, tagging=_TAGGING),
    tagging.DeleteBucketTagging: lambda _: tagging.DeleteBucketTagging(bucket=BUCKET),
    retention.PutObjectLockConfiguration: lambda _: retention.PutObjectLockConfiguration(
        bucket=LOCKING, enabled=retention.ObjectLockEnabled.ENABLED, rule=_DEFAULT
    ),
    retention.GetObjectLockConfiguration: lambda _: retention.GetObjectLockConfiguration(bucket=LOCKING),
    retention.PutObjectRetention: lambda _: retention.PutObjectRetention(
        **_LOCKED, mode=RetentionMode.GOVERNANCE, until=RETAINED_UNTIL + timedelta(days=1)
    ),
    retention.GetObjectRetention: lambda _: retention.GetObjectRetention(**_LOCKED),
    retention.PutObjectLegalHold: lambda _: retention.PutObjectLegalHold(**_LOCKED, status=LegalHoldStatus.OFF),
    retention.GetObjectLegalHold: lambda _: retention.GetObjectLegalHold(**_LOCKED),
    upload_listing.ListParts: lambda at: upload_listing.ListParts(**_UPLOAD, upload_id=at.upload_id),
}
_RPC_ONLY: Final[dict[type[Any], Callable[[Furnished], Any]]] = {
    buckets.GetBucket: lambda _: buckets.GetBucket(bucket=BUCKET),
    buckets.UpdateBucket: lambda _: buckets.UpdateBucket(bucket=BUCKET, labels={"a": "b"}, update_mask=("labels",)),
    buckets.GetUsage: lambda _: buckets.GetUsage(bucket=BUCKET),
    objects.UpdateObject: lambda _: objects.UpdateObject(**_OBJECT, metadata=ObjectMetadata(user={"a": "b"})),
    uploads.QueryUpload: lambda at: uploads.QueryUpload(**_UPLOAD, upload_id=at.upload_id),
    tokens.IssueToken: lambda _: tokens.IssueToken(),
    tenants.CreateOrganisation: lambda _: tenants.CreateOrganisation(organisation=_NEW),
    tenants.ListOrganisations: lambda _: tenants.ListOrganisations(),
    tenants.DeleteOrganisation: lambda _: tenants.DeleteOrganisation(organisation=_ORGANISATION),
    tenants.CreateProject: lambda _: tenants.CreateProject(organisation=_ORGANISATION, project=_NEW),
    tenants.ListProjects: lambda _: tenants.ListProjects(organisation=_ORGANISATION),
    tenants.UpdateProject: lambda _: tenants.UpdateProject(**_PROJECT),
    tenants.DeleteProject: lambda _: tenants.DeleteProject(**_PROJECT),
    people.CreatePrincipal: lambda _: people.CreatePrincipal(principal=_NEW, role=Role.VIEWER),
    people.SetRole: lambda _: people.SetRole(**_PROJECT, principal=IDLE, role=Role.EDITOR),
    people.ListPrincipals: lambda _: people.ListPrincipals(**_PROJECT),
    people.DeletePrincipal: lambda _: people.DeletePrincipal(principal=IDLE),
    people.CreateAccessKey: lambda _: people.CreateAccessKey(principal=IDLE),
    people.ListAccessKeys: lambda _: people.ListAccessKeys(),
    people.RevokeAccessKey: lambda _: people.RevokeAccessKey(access_key=AccessKeyId("alpha-editor")),
    people.DeleteAccessKey: lambda _: people.DeleteAccessKey(access_key=AccessKeyId("alpha-viewer")),
    quotas.SetQuota: lambda _: quotas.SetQuota(quota=Quota(objects=1)),
    quotas.GetTenantUsage: lambda _: quotas.GetTenantUsage(**_PROJECT),
}
ROUTED: Final = sorted(name for name, operation in operations().items() if operation.route)
NOT_SET: Final = frozenset(name for name in ROUTED if operations()[name].output is bucket_settings.Unset)
"""Their success is the error that says so."""
WITH_RPC: Final = sorted(name for name, operation in operations().items() if operation.rpc)
WRITES: Final = frozenset(name for name in ROUTED if operations()[name].route.method not in {"GET", "HEAD"})  # type: ignore[union-attr]
WITH_DOCUMENT: Final = sorted(name for name in ROUTED if hasattr(operations()[name].input, "document"))
WITH_BODY: Final = sorted(name for name in ROUTED if "body" in operations()[name].input.__annotations__)


def sample_input(name: str, at: Furnished) -> Any:
    """An input of the operation that the furnished store answers well."""
    shape = operations()[name].input
    if shape in _RPC_ONLY:
        return _RPC_ONLY[shape](at)
    return _INPUTS[shape](at) if shape in _INPUTS else shape(bucket=BUCKET)


def sample(name: str, at: Furnished) -> Request:
    """The same as an unsigned HTTP request."""
    return http_calls.to_request(sample_input(name, at))


def covered(name: str) -> bool:
    """Whether the operation has a sample: its own, or the bucket's name where a read needs nothing else."""
    operation = operations()[name]
    reads = operation.route is not None and operation.route.method in {"GET", "HEAD"}
    needs = [field.name for field in attrs.fields(operation.input) if field.default is attrs.NOTHING]
    return operation.input in _INPUTS or operation.input in _RPC_ONLY or (reads and needs == ["bucket"])
