"""May this caller do that?

Law: pure. Everything is denied that is not allowed. Within a project a role or a list allows; across
projects a role and a list; an anonymous caller is allowed what a list gives to everybody, and
nothing else. Roles are managed policies, given as the actions they allow (AWS's names, `*` as in IAM).
"""

from __future__ import annotations

from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from lightningstor_server.service.grants import (
    BUCKET_GRANTS,
    OBJECT_GRANTS,
    granted,
    granted_to_groups,
    grants_anything,
    ignores_public,
    lists_count,
    private,
)
from lightningstor_server.service.operation import Permission
from lightningstor_server.service.operators import authorize_tenancy
from lightningstor_types.access import AccessControlPolicy, AclPermission
from lightningstor_types.buckets import Bucket
from lightningstor_types.errors import AccessDenied, NoSuchBucket, StorError
from lightningstor_types.tenants import BucketNamespace, Caller, Role

_READ: Final = ("s3:Get*", "s3:List*", "lightningstor:Get*", "lightningstor:IssueToken")
_WRITE: Final = ("s3:PutObject*", "s3:DeleteObject*", "s3:AbortMultipartUpload")
ROLE_ACTIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.OWNER: ("s3:*", "lightningstor:*"),
    Role.EDITOR: (*_READ, *_WRITE),
    Role.VIEWER: _READ,
}
_DECISIONS_MAX: Final = 4096


class Verdict(Enum):
    """What is known of a permission before the object is looked at."""

    ALLOWED = auto()
    DENIED = auto()
    OBJECT = auto()
    """The object's own list decides."""


@lru_cache(_DECISIONS_MAX)
def role_allows(role: Role, action: str) -> bool:
    """Whether a role's managed policy allows an action."""
    return any(fnmatchcase(action, pattern) for pattern in ROLE_ACTIONS[role])


def decide(caller: Caller | None, permission: Permission, bucket: Bucket | None) -> Verdict:
    """Whether a caller may, None being an anonymous one, as far as the bucket tells.

    `bucket` is the resource's bucket, None where the caller's own project is acted on.

    Raises:
        AccessDenied: the caller may not administer these tenants.
    """
    action = permission.action
    if caller is not None:
        if permission.tenants is not None:
            authorize_tenancy(caller, permission)
            return Verdict.ALLOWED
        if role_allows(caller.role, action) and (bucket is None or bucket.project_id == caller.project.id):
            # what another project owns in one's own bucket, its own list decides (AWS, "Controlling ownership of objects")
            return Verdict.OBJECT if bucket is not None and action in OBJECT_GRANTS and lists_count(bucket) else Verdict.ALLOWED
    if bucket is None or not lists_count(bucket):
        return Verdict.DENIED
    if action in OBJECT_GRANTS:
        return Verdict.OBJECT
    needed = BUCKET_GRANTS.get(action)
    allowed = needed is not None and _list_allows(caller, action, needed, bucket, bucket.settings.acl)
    return Verdict.ALLOWED if allowed else Verdict.DENIED


def object_allows(caller: Caller | None, action: str, bucket: Bucket, acl: AccessControlPolicy | None) -> bool:
    """Whether an object's own list lets the caller do what `decide` left to it."""
    return _list_allows(caller, action, OBJECT_GRANTS[action], bucket, acl)


def _list_allows(caller: Caller | None, action: str, needed: AclPermission, bucket: Bucket, acl: AccessControlPolicy | None) -> bool:
    policy, ignore_public = acl or private(bucket.owner), ignores_public(bucket)
    if caller is None or role_allows(caller.role, action):
        return granted(policy, caller, needed, ignore_public=ignore_public)
    # a grant to a project is its principals' as far as their roles go; a public one is everybody's of the bucket's own project
    return caller.project.id == bucket.project_id and not ignore_public and granted_to_groups(policy, needed)


def refusal(caller: Caller | None, bucket: Bucket | None, namespace: BucketNamespace) -> StorError:
    """What a caller is told whom something was denied.

    A foreign bucket of which the caller may do nothing answers as a missing one where names are not global.
    """
    hidden = (
        caller is not None
        and bucket is not None
        and bucket.project_id != caller.project.id
        and namespace is not BucketNamespace.GLOBAL
        and not (lists_count(bucket) and grants_anything(bucket.settings.acl, caller, ignore_public=ignores_public(bucket)))
    )
    return NoSuchBucket(BucketName=bucket.name) if hidden and bucket is not None else AccessDenied()


def listing_permission(permission: Permission) -> Permission:
    """What a caller must be allowed to be told that an object is not there (AWS, GetObject, Permissions)."""
    action = "s3:ListBucket" if permission.version is None else "s3:ListBucketVersions"
    return Permission(action=action, bucket=permission.bucket)
