"""S3's access control lists: who may do what with a bucket or an object.

Law: a list names its owner and its grants and decides nothing; what a grant allows stands in the
server. Source: AWS, "Access control list (ACL) overview".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

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


@frozen(kw_only=True)
class Grantee:
    """A canonical user (a project) by its id or its e-mail address, or a group by its URI."""

    id: Annotated[str | None, wire.element("ID")] = None
    display_name: Annotated[str | None, wire.element("DisplayName")] = None
    uri: Annotated[str | None, wire.element("URI")] = None
    email: Annotated[str | None, wire.element("EmailAddress")] = None


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
