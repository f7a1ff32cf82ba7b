"""Inputs and outputs of the access control list of an object, or of a version of it.

Law: as the package's. Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.access import NO_ACL_HEADERS, AccessControlPolicy, AclHeaders, Grant, NamedOwner
from lightningstor_types.errors import MalformedACLError, StorError
from lightningstor_types.names import VersionId
from lightningstor_types.operations.common import OnObject


@frozen(kw_only=True)
class PutObjectAcl(OnObject):
    """Replace the list, given by its name, by headers or as a document: by exactly one of them."""

    document: ClassVar[str] = "AccessControlPolicy"
    malformed: ClassVar[type[StorError]] = MalformedACLError
    version_id: Annotated[VersionId | None, wire.query("versionId")] = None
    headers: Annotated[AclHeaders, wire.group()] = NO_ACL_HEADERS
    owner: Annotated[NamedOwner | None, wire.element("Owner")] = None
    grants: Annotated[tuple[Grant, ...] | None, wire.element("Grant", within="AccessControlList")] = None


@frozen(kw_only=True)
class PutObjectAclResult:
    """The version whose list it is."""

    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None


@frozen(kw_only=True)
class GetObjectAcl(OnObject):
    """Read the list."""

    version_id: Annotated[VersionId | None, wire.query("versionId")] = None


@frozen(kw_only=True)
class GetObjectAclResult:
    """The list, and the version whose it is."""

    document: ClassVar[str] = "AccessControlPolicy"
    version_id: Annotated[str | None, wire.header("x-amz-version-id")] = None
    policy: Annotated[AccessControlPolicy, wire.group()]
