"""All families of operations: importing this module fills the table.

Law: a family that is not named here does not exist.
"""

from __future__ import annotations

from lightningstor_server.service import (
    attributes,
    bucket_acl,
    bucket_settings,
    buckets,
    completing,
    copying,
    cors,
    lifecycle,
    listing,
    object_acl,
    object_lock,
    objects,
    ownership,
    policies,
    principals,
    public_access,
    quotas,
    reading,
    tagging,
    tenants,
    tokens,
    upload_listing,
    uploads,
    version_listing,
    versioning,
)

FAMILIES = (
    objects,
    reading,
    attributes,
    copying,
    uploads,
    completing,
    upload_listing,
    listing,
    version_listing,
    versioning,
    buckets,
    bucket_settings,
    bucket_acl,
    object_acl,
    object_lock,
    ownership,
    public_access,
    policies,
    cors,
    lifecycle,
    tagging,
    tenants,
    principals,
    quotas,
    tokens,
)
