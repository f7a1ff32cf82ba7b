"""Inputs and outputs of the administration of principals and access keys (gRPC).

Law: as the package's. A secret travels where its key is made, and never again.
"""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from lightningstor_types.names import TenantName
from lightningstor_types.operations.tenants import OnTenant, Paged
from lightningstor_types.tenants import AccessKeyId, Role, SecretKey


@frozen(kw_only=True)
class CreatePrincipal(OnTenant):
    """Make a principal of a project."""

    principal: TenantName
    role: Role


@frozen(kw_only=True)
class PrincipalDescription:
    """A principal, and the role that all of its keys have."""

    principal: str
    role: Role
    created: datetime | None = None


@frozen(kw_only=True)
class SetRole(OnTenant):
    """Give a principal another role, as of its next request."""

    principal: TenantName
    role: Role


@frozen(kw_only=True)
class ListPrincipals(Paged):
    """The principals of a project, by name."""

    organisation: TenantName | None = None
    project: TenantName | None = None


@frozen(kw_only=True)
class ListPrincipalsResult:
    """A page of principals."""

    principals: tuple[PrincipalDescription, ...] = ()
    continuation_token: str | None = None


@frozen(kw_only=True)
class DeletePrincipal(OnTenant):
    """Delete a principal all of whose keys are revoked, and those with it."""

    principal: TenantName


@frozen(kw_only=True)
class CreateAccessKey(OnTenant):
    """Make an access key of a principal: that which is given, or a random one."""

    principal: TenantName
    access_key: AccessKeyId | None = None
    secret_key: SecretKey | None = field(default=None, repr=False)


@frozen(kw_only=True)
class CreateAccessKeyResult:
    """The key, with its secret: this is the only time that it is told."""

    access_key: str
    secret_key: str = field(repr=False)
    principal: str
    created: datetime


@frozen(kw_only=True)
class ListAccessKeys(Paged):
    """The keys of a project or of one principal, by id, revoked ones among them."""

    organisation: TenantName | None = None
    project: TenantName | None = None
    principal: TenantName | None = None


@frozen(kw_only=True)
class AccessKeyDescription:
    """What is known of a key."""

    access_key: str
    principal: str
    role: Role
    active: bool
    """False where it is revoked."""
    created: datetime | None = None


@frozen(kw_only=True)
class ListAccessKeysResult:
    """A page of keys."""

    access_keys: tuple[AccessKeyDescription, ...] = ()
    continuation_token: str | None = None


@frozen(kw_only=True)
class RevokeAccessKey(OnTenant):
    """End a key, as of its next request. It stays in lists, and is never taken again.

    An operator that names no project ends a key of any.
    """

    access_key: AccessKeyId


@frozen(kw_only=True)
class DeleteAccessKey(OnTenant):
    """Remove a key without a trace, revoked or not. An operator that names no project removes a key of any."""

    access_key: AccessKeyId
