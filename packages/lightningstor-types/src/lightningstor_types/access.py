"""S3's access control lists: who may do what with a bucket or an object.

Law: a list names its owner and its grants and decides nothing; what a grant allows stands in the
server. Source: AWS, "Access control list (ACL) overview".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.owners import Owner


class AclPermission(StrEnum):
    """What a grant allows."""

    FULL_CONTROL = "FULL_CONTROL"
    READ = "READ"
    WRITE = "WRITE"
    READ_ACP = "READ_ACP"
    WRITE_ACP = "WRITE_ACP"


class CannedAcl(StrEnum):
    """The lists that have a name (AWS, "Access control list (ACL) overview", canned ACL)."""

    PRIVATE = "private"
    PUBLIC_READ = "public-read"
    PUBLIC_READ_WRITE = "public-read-write"
    AUTHENTICATED_READ = "authenticated-read"
    AWS_EXEC_READ = "aws-exec-read"
    BUCKET_OWNER_READ = "bucket-owner-read"
    BUCKET_OWNER_FULL_CONTROL = "bucket-owner-full-control"
    LOG_DELIVERY_WRITE = "log-delivery-write"


ALL_USERS: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
"""The group of everybody, anonymous callers too."""
AUTHENTICATED_USERS: Final = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
"""The group of everybody with a credential, of whatever project."""
LOG_DELIVERY: Final = "http://acs.amazonaws.com/groups/s3/LogDelivery"
"""The group that writes access logs."""


@frozen(kw_only=True)
class Grantee:
    """A canonical user (a project) by its id or its e-mail address, or a group by its URI."""

    id: Annotated[str | None, wire.element("ID")] = None
    display_name: Annotated[str | None, wire.element("DisplayName")] = None
    uri: Annotated[str | None, wire.element("URI")] = None
    email: Annotated[str | None, wire.element("EmailAddress")] = None

    @property
    def xsi_type(self) -> str:
        """Its kind, which XML tells in an attribute."""
        if self.uri is not None:
            return "Group"
        return "CanonicalUser" if self.email is None else "AmazonCustomerByEmail"


@frozen(kw_only=True)
class NamedOwner:
    """An owner as a client names it; the id alone counts."""

    id: Annotated[str | None, wire.element("ID")] = None
    display_name: Annotated[str | None, wire.element("DisplayName")] = None


@frozen(kw_only=True)
class Grant:
    """A permission for a grantee."""

    grantee: Annotated[Grantee, wire.element("Grantee")]
    permission: Annotated[AclPermission, wire.element("Permission")]


@frozen(kw_only=True)
class AccessControlPolicy:
    """An access control list with its owner."""

    owner: Annotated[Owner, wire.element("Owner")]
    grants: Annotated[tuple[Grant, ...], wire.element("Grant", within="AccessControlList")] = ()


@frozen(kw_only=True)
class AclHeaders:
    """A list as a request's headers give it: by its name, or by the grantees of each permission.

    A header of grantees is a list of `id="..."`, `emailAddress="..."` and `uri="..."` with commas between them.
    """

    acl: Annotated[CannedAcl | None, wire.header("x-amz-acl")] = None
    grant_full_control: Annotated[str | None, wire.header("x-amz-grant-full-control")] = None
    grant_read: Annotated[str | None, wire.header("x-amz-grant-read")] = None
    grant_read_acp: Annotated[str | None, wire.header("x-amz-grant-read-acp")] = None
    grant_write: Annotated[str | None, wire.header("x-amz-grant-write")] = None
    grant_write_acp: Annotated[str | None, wire.header("x-amz-grant-write-acp")] = None


NO_ACL_HEADERS = AclHeaders()
