"""Inputs and outputs of the administration of quotas and of what is used of them (gRPC).

Law: as the package's. An organisation alone, a project of it, or a bucket of that is what is meant;
where neither organisation nor project is named, the caller's own project, or a bucket of it.
"""

from __future__ import annotations

from attrs import frozen

from lightningstor_types.buckets import Usage
from lightningstor_types.names import BucketName, TenantName
from lightningstor_types.tenants import NO_QUOTA, Quota


@frozen(kw_only=True)
class SetQuota:
    """Set all of a quota; what is left out of it has no limit. What is held already stays."""

    organisation: TenantName | None = None
    project: TenantName | None = None
    bucket: BucketName | None = None
    quota: Quota = NO_QUOTA


@frozen(kw_only=True)
class GetTenantUsage:
    """What an organisation, a project or a bucket holds, and may hold."""

    organisation: TenantName | None = None
    project: TenantName | None = None
    bucket: BucketName | None = None


@frozen(kw_only=True)
class TenantUsage:
    """The counts, exact as of one transaction, and their limits."""

    usage: Usage
    quota: Quota
