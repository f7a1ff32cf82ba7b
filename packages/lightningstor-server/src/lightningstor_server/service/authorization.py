"""May this caller do that?

Law: pure. Everything is denied that is not allowed; an anonymous caller is allowed nothing here.
Roles are managed policies, given as the actions they allow (AWS's names, `*` as in IAM).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from lightningstor_server.service.operation import Permission
from lightningstor_server.service.operators import authorize_tenancy
from lightningstor_types.buckets import Bucket
from lightningstor_types.errors import AccessDenied, NoSuchBucket
from lightningstor_types.tenants import BucketNamespace, Caller, Role

_READ: Final = ("s3:Get*", "s3:List*", "lightningstor:Get*", "lightningstor:IssueToken")
_WRITE: Final = ("s3:PutObject*", "s3:DeleteObject*", "s3:AbortMultipartUpload")
ROLE_ACTIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.OWNER: ("s3:*", "lightningstor:*"),
    Role.EDITOR: (*_READ, *_WRITE),
    Role.VIEWER: _READ,
}
_DECISIONS_MAX: Final = 4096


@lru_cache(_DECISIONS_MAX)
def role_allows(role: Role, action: str) -> bool:
    """Whether a role's managed policy allows an action."""
    return any(fnmatchcase(action, pattern) for pattern in ROLE_ACTIONS[role])


def authorize(caller: Caller | None, permission: Permission, bucket: Bucket | None, namespace: BucketNamespace) -> None:
    """Let the caller pass, or raise.

    `bucket` is the resource's bucket, None where the caller's own project is acted on.

    Raises:
        AccessDenied: the caller may not.
        NoSuchBucket: the bucket is another project's and names are not global: it answers as a missing one.
    """
    if caller is None:
        raise AccessDenied
    if permission.tenants is not None:
        authorize_tenancy(caller, permission.tenants)
        return
    if bucket is not None and bucket.project_id != caller.project.id:
        if namespace is BucketNamespace.GLOBAL:
            raise AccessDenied
        raise NoSuchBucket(BucketName=bucket.name)
    if not role_allows(caller.role, permission.action):
        raise AccessDenied
