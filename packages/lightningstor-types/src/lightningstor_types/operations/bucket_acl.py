"""Inputs and outputs of a bucket's access control list.

Law: as the package's. Source: AWS, Amazon S3 API Reference, pages of the same names.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.access import NO_ACL_HEADERS, AccessControlPolicy, AclHeaders, Grant, NamedOwner
from lightningstor_types.errors import MalformedACLError, StorError
from lightningstor_types.operations.common import OnBucket


@frozen(kw_only=True)
class PutBucketAcl(OnBucket):
    """Replace the list, given by its name, by headers or as a document: by exactly one of them."""

    document: ClassVar[str] = "AccessControlPolicy"
    malformed: ClassVar[type[StorError]] = MalformedACLError
    headers: Annotated[AclHeaders, wire.group()] = NO_ACL_HEADERS
    owner: Annotated[NamedOwner | None, wire.element("Owner")] = None
    grants: Annotated[tuple[Grant, ...] | None, wire.element("Grant", within="AccessControlList")] = None


@frozen(kw_only=True)
class GetBucketAcl(OnBucket):
    """Read the list."""


@frozen(kw_only=True)
class GetBucketAclResult:
    """The list. Of a bucket whose owner owns everything it is the owner's alone, whatever it was before."""

    document: ClassVar[str] = "AccessControlPolicy"
    policy: Annotated[AccessControlPolicy, wire.group()]
