"""May this caller do that?

Law: pure. Everything is denied that is not allowed, and what the bucket's policy denies is denied
whatever else allows it. Within a project a role, the policy or a list allows; across projects a role
and, with it, the policy or a list; an anonymous caller is allowed what the policy or a list gives to
everybody, and nothing else. Roles are managed policies, given as the actions they allow (AWS's names,
`*` as in IAM). Source: AWS, "Policy evaluation logic" and "Cross-account policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from lightningstor_server.auth.policy import NEUTRAL, Decision
from lightningstor_server.auth.policy import Verdict as Said
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
from lightningstor_types.access import NO_ACL_HEADERS, AccessControlPolicy, AclHeaders, AclPermission
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
_OWNERS_ALWAYS: Final = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})
"""What no policy denies to the account's root (AWS, PutBucketPolicy); here that is an owner of the project."""


class Verdict(Enum):
    """What is known of a permission before the object is looked at."""

    ALLOWED = auto()
    DENIED = auto()
    OBJECT = auto()
    """The object decides: its own list, or its tags by a policy."""


@lru_cache(_DECISIONS_MAX)
def role_allows(role: Role, action: str) -> bool:
    """Whether a role's managed policy allows an action."""
    return any(fnmatchcase(action, pattern) for pattern in ROLE_ACTIONS[role])


def is_master(caller: Caller | None, bucket: Bucket | None) -> bool:
    """Whether the caller is an owner of the bucket's project."""
    return caller is not None and bucket is not None and caller.role is Role.OWNER and caller.project.id == bucket.project_id


def decide(caller: Caller | None, permission: Permission, bucket: Bucket | None, said: Decision | None = NEUTRAL) -> Verdict:
    """Whether a caller may, None being an anonymous one, as far as the bucket tells.

    `bucket` is the resource's bucket, None where the caller's own project is acted on. `said` is what
    the bucket's policy says, None where that depends on the object.

    Raises:
        AccessDenied: the caller may not administer these tenants.
    """
    action = permission.action
    if caller is not None and permission.tenants is not None:
        authorize_tenancy(caller, permission)
        return Verdict.ALLOWED
    if said is not NEUTRAL:
        if action in _OWNERS_ALWAYS and is_master(caller, bucket):
            return Verdict.ALLOWED
        if said is None:
            return Verdict.OBJECT
        if said.verdict is Said.DENY:
            return Verdict.DENIED
    by_object = bucket is not None and action in OBJECT_GRANTS and not permission.fresh and lists_count(bucket)
    if _role_suffices(caller, permission, bucket) or _policy_allows(caller, action, bucket, said):
        # what another project owns in one's own bucket, its own list decides (AWS, "Controlling ownership of objects")
        return Verdict.OBJECT if by_object else Verdict.ALLOWED
    if bucket is None or not lists_count(bucket):
        return Verdict.DENIED
    if by_object:
        return Verdict.OBJECT
    needed = AclPermission.WRITE if permission.fresh else BUCKET_GRANTS.get(action)
    allowed = needed is not None and _list_allows(caller, action, needed, bucket, bucket.settings.acl)
    return Verdict.ALLOWED if allowed else Verdict.DENIED


def _role_suffices(caller: Caller | None, permission: Permission, bucket: Bucket | None) -> bool:
    """Whether the caller's role decides. What a caller makes in another project's bucket is its own, and so is the list of that."""
    if caller is None or not role_allows(caller.role, permission.action):
        return False
    return permission.fresh or bucket is None or bucket.project_id == caller.project.id


def _policy_allows(caller: Caller | None, action: str, bucket: Bucket | None, said: Decision) -> bool:
    """Whether the bucket's policy decides: of another project's callers together with their role, and of S3's actions alone."""
    if bucket is None or said.verdict is not Said.ALLOW or not action.startswith("s3:"):
        return False
    if caller is None:
        return True
    # to allow the account is to leave it to the roles whom of its people that means (AWS, "AWS account principals")
    return not said.delegated if caller.project.id == bucket.project_id else role_allows(caller.role, action)


def object_allows(
    caller: Caller | None, permission: Permission, bucket: Bucket, acl: AccessControlPolicy | None, said: Decision | None = NEUTRAL
) -> bool:
    """Whether an object lets the caller do what `decide` left to it: `said` now regards the object.

    A bucket's policy allows nothing with what another project owns in the bucket (AWS, "Bucket policies for Amazon S3").
    """
    verdict = decide(caller, permission, bucket, said)
    if verdict is not Verdict.OBJECT or said is None:
        return verdict is Verdict.ALLOWED
    action = permission.action
    if (acl is None or acl.owner.id == bucket.owner.id) and _policy_allows(caller, action, bucket, said):
        return True
    return _list_allows(caller, action, OBJECT_GRANTS[action], bucket, acl)


def _list_allows(caller: Caller | None, action: str, needed: AclPermission, bucket: Bucket, acl: AccessControlPolicy | None) -> bool:
    policy, ignore_public = acl or private(bucket.owner), ignores_public(bucket)
    if caller is None or role_allows(caller.role, action):
        return granted(policy, caller, needed, ignore_public=ignore_public)
    # a grant to a project is its principals' as far as their roles go; a public one is everybody's of the bucket's own project
    return caller.project.id == bucket.project_id and not ignore_public and granted_to_groups(policy, needed)


def refusal(caller: Caller | None, bucket: Bucket | None, namespace: BucketNamespace, *, named: bool = False) -> StorError:
    """What a caller is told whom something was denied.

    A foreign bucket of which the caller may do nothing answers as a missing one where names are not global;
    `named` is whether the bucket's policy allows it anything.
    """
    hidden = (
        caller is not None
        and bucket is not None
        and bucket.project_id != caller.project.id
        and namespace is not BucketNamespace.GLOBAL
        and not named
        and not (lists_count(bucket) and grants_anything(bucket.settings.acl, caller, ignore_public=ignores_public(bucket)))
    )
    return NoSuchBucket(BucketName=bucket.name) if hidden and bucket is not None else AccessDenied()


def listing_permission(permission: Permission) -> Permission:
    """What a caller must be allowed to be told that an object is not there (AWS, GetObject, Permissions)."""
    action = "s3:ListBucket" if permission.version is None else "s3:ListBucketVersions"
    return Permission(action=action, bucket=permission.bucket, listed=permission.key)


def acl_permissions(bucket: str, key: str, headers: AclHeaders) -> Sequence[Permission]:
    """What a caller needs to give what it writes a list (AWS, PutObject, Permissions)."""
    return () if headers == NO_ACL_HEADERS else (Permission(action="s3:PutObjectAcl", bucket=bucket, key=key, fresh=True),)
