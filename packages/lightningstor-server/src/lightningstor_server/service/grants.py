"""What an access control list grants to a caller.

Law: pure. A list that is not there is the owner's alone. Public grants count for nothing where the
bucket ignores them, and no list counts where the bucket's owner owns everything in it. Source: AWS,
"Access control list (ACL) overview" and "Blocking public access to your Amazon S3 storage".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lightningstor_types.access import ALL_USERS, AUTHENTICATED_USERS, AccessControlPolicy, AclPermission, Grant, Grantee
from lightningstor_types.buckets import Bucket
from lightningstor_types.owners import Owner
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import Caller

_P = AclPermission
PUBLIC_GROUPS: Final = frozenset({ALL_USERS, AUTHENTICATED_USERS})
"""AWS, "The meaning of public": everybody, and everybody with a credential of whomever."""

BUCKET_GRANTS: Final = {
    # action: the permission of the bucket's list that allows it (AWS, "Mapping of ACL permissions and access policy permissions")
    "s3:ListBucket": _P.READ,
    "s3:ListBucketVersions": _P.READ,
    "s3:ListBucketMultipartUploads": _P.READ,
    "s3:PutObject": _P.WRITE,
    "s3:DeleteObject": _P.WRITE,
    "s3:AbortMultipartUpload": _P.WRITE,
    "s3:ListMultipartUploadParts": _P.WRITE,
    "s3:GetBucketAcl": _P.READ_ACP,
    "s3:PutBucketAcl": _P.WRITE_ACP,
}
OBJECT_GRANTS: Final = {
    # action: the permission of the object's list that allows it
    "s3:GetObject": _P.READ,
    "s3:GetObjectVersion": _P.READ,
    "s3:GetObjectAttributes": _P.READ,
    "s3:GetObjectVersionAttributes": _P.READ,
    "s3:GetObjectTorrent": _P.READ,
    "s3:GetObjectAcl": _P.READ_ACP,
    "s3:GetObjectVersionAcl": _P.READ_ACP,
    "s3:PutObjectAcl": _P.WRITE_ACP,
    "s3:PutObjectVersionAcl": _P.WRITE_ACP,
}
_OWNERS_OWN: Final = frozenset({_P.READ_ACP, _P.WRITE_ACP})
"""What an owner may whatever its list says, so that nobody locks itself out."""


def private(owner: Owner) -> AccessControlPolicy:
    """The list of what is the owner's alone."""
    grantee = Grantee(id=owner.id, display_name=owner.display_name)
    return AccessControlPolicy(owner=owner, grants=(Grant(grantee=grantee, permission=_P.FULL_CONTROL),))


def regarded(bucket: Bucket, policy: AccessControlPolicy | None) -> AccessControlPolicy:
    """The list as it counts, of a bucket or of something in it."""
    return policy if policy is not None and lists_count(bucket) else private(bucket.owner)


def is_public_group(grantee: Grantee) -> bool:
    """Whether a grant to it is one to everybody."""
    return grantee.uri in PUBLIC_GROUPS


def is_public(policy: AccessControlPolicy | None) -> bool:
    """Whether a list grants anything to everybody."""
    return policy is not None and any(is_public_group(grant.grantee) for grant in policy.grants)


def lists_count(bucket: Bucket) -> bool:
    """Whether the lists of a bucket and its objects are regarded at all."""
    return bucket.settings.ownership.rule is not ObjectOwnership.BUCKET_OWNER_ENFORCED


def ignores_public(bucket: Bucket) -> bool:
    """Whether grants to everybody are passed over."""
    block = bucket.settings.public_access_block
    return block is not None and block.ignore_public_acls


def granted(policy: AccessControlPolicy, caller: Caller | None, permission: AclPermission, *, ignore_public: bool) -> bool:
    """Whether a list allows something to a caller, None being an anonymous one."""
    if caller is not None and caller.project.canonical_id == policy.owner.id and permission in _OWNERS_OWN:
        return True
    return any(_allows(grant, permission) for grant in _of(policy, caller, ignore_public=ignore_public))


def granted_to_groups(policy: AccessControlPolicy, permission: AclPermission) -> bool:
    """Whether a list allows something to every signed caller."""
    return any(is_public_group(grant.grantee) and _allows(grant, permission) for grant in policy.grants)


def grants_anything(policy: AccessControlPolicy | None, caller: Caller | None, *, ignore_public: bool) -> bool:
    """Whether a caller finds anything for itself in a list."""
    return policy is not None and any(True for _ in _of(policy, caller, ignore_public=ignore_public))


def _of(policy: AccessControlPolicy, caller: Caller | None, *, ignore_public: bool) -> Iterable[Grant]:
    """The grants that are a caller's."""
    for grant in policy.grants:
        grantee = grant.grantee
        if is_public_group(grantee):
            if not ignore_public and (caller is not None or grantee.uri == ALL_USERS):
                yield grant
        elif caller is not None and grantee.id is not None and grantee.id == caller.project.canonical_id:
            yield grant


def _allows(grant: Grant, permission: AclPermission) -> bool:
    return grant.permission in {permission, _P.FULL_CONTROL}
