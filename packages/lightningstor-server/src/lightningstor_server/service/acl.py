"""How a request gives an access control list.

Law: a list names only grantees that exist, under the names that they had when it was written. One
that its bucket does not regard, or blocks, is refused before anything is stored. Lists hold grants
to groups before grants to projects; their order means nothing (AWS, "Access control list (ACL)
overview").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from lightningstor_server.service.core import Context
from lightningstor_server.service.grants import is_public, lists_count, private
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types import errors
from lightningstor_types.access import (
    ALL_USERS,
    AUTHENTICATED_USERS,
    LOG_DELIVERY,
    NO_ACL_HEADERS,
    AccessControlPolicy,
    AclHeaders,
    AclPermission,
    CannedAcl,
    Grant,
    Grantee,
    NamedOwner,
)
from lightningstor_types.buckets import Bucket
from lightningstor_types.owners import Owner
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import Project

GRANTS_MAX: Final = 100
"""AWS, "Access control list (ACL) overview": an ACL can have up to 100 grants."""

_P = AclPermission
_GROUPS: Final = frozenset({ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY})
_CANNED_GROUPS: Final[dict[CannedAcl, tuple[tuple[str, AclPermission], ...]]] = {
    # what a canned list grants to groups beside the owner's FULL_CONTROL
    CannedAcl.PUBLIC_READ: ((ALL_USERS, _P.READ),),
    CannedAcl.PUBLIC_READ_WRITE: ((ALL_USERS, _P.READ), (ALL_USERS, _P.WRITE)),
    CannedAcl.AUTHENTICATED_READ: ((AUTHENTICATED_USERS, _P.READ),),
    CannedAcl.LOG_DELIVERY_WRITE: ((LOG_DELIVERY, _P.WRITE), (LOG_DELIVERY, _P.READ_ACP)),
}
_CANNED_BUCKET_OWNER: Final[dict[CannedAcl, AclPermission]] = {
    # what it grants to the bucket's owner, where that is not the object's
    CannedAcl.BUCKET_OWNER_READ: _P.READ,
    CannedAcl.BUCKET_OWNER_FULL_CONTROL: _P.FULL_CONTROL,
}
_HEADER_PERMISSIONS: Final = (
    ("grant_read", _P.READ),
    ("grant_write", _P.WRITE),
    ("grant_read_acp", _P.READ_ACP),
    ("grant_write_acp", _P.WRITE_ACP),
    ("grant_full_control", _P.FULL_CONTROL),
)
_HEADER_GRANTEE: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))\s*')
_FIELDS: Final = {"id": "id", "emailaddress": "email", "uri": "uri"}


def canned(name: CannedAcl, owner: Owner, bucket_owner: Owner) -> AccessControlPolicy:
    """The list of a name, of something that `owner` owns. Of a bucket both owners are the same."""
    groups = tuple(Grant(grantee=Grantee(uri=uri), permission=permission) for uri, permission in _CANNED_GROUPS.get(name, ()))
    own = private(owner)
    grants = groups + own.grants
    shared = _CANNED_BUCKET_OWNER.get(name)
    if shared is not None and bucket_owner.id != owner.id:
        grants += (Grant(grantee=Grantee(id=bucket_owner.id, display_name=bucket_owner.display_name), permission=shared),)
    return AccessControlPolicy(owner=owner, grants=grants)


def header_grants(headers: AclHeaders) -> tuple[Grant, ...]:
    """The grants of the grantee headers, as they are written.

    Raises:
        InvalidArgument: a header is no list of grantees.
        InvalidRequest: there is a canned list too.
    """
    found = tuple(
        Grant(grantee=grantee, permission=permission)
        for name, permission in _HEADER_PERMISSIONS
        if (text := getattr(headers, name)) is not None
        for grantee in _header_grantees(text)
    )
    if found and headers.acl is not None:
        raise errors.InvalidRequest("Specifying both Canned ACLs and Header Grants is not allowed")
    return found


def _header_grantees(text: str) -> Iterable[Grantee]:
    for part in text.split(","):
        match = _HEADER_GRANTEE.fullmatch(part)
        field = _FIELDS.get(match[1].lower()) if match else None
        if match is None or field is None:
            raise errors.InvalidArgument("Argument format not recognized", ArgumentName="x-amz-grant", ArgumentValue=text[:64])
        yield Grantee(**{field: match[2] if match[2] is not None else match[3]})


async def resolved(tx: Transaction, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """The same grants, to grantees as the store knows them; those to groups first, none twice.

    Raises:
        InvalidArgument: a canonical user or a group does not exist.
        UnresolvableGrantByEmailAddress, AmbiguousGrantByEmailAddress: not one project has the e-mail address.
        MalformedACLError: a grantee is nobody, or several.
        InvalidRequest: there are more than GRANTS_MAX.
    """
    if len(grants) > GRANTS_MAX:
        raise errors.InvalidRequest(f"An access control list has at most {GRANTS_MAX} grants.")
    found = [Grant(grantee=await _resolved(tx, grant.grantee), permission=grant.permission) for grant in grants]
    return tuple(sorted(dict.fromkeys(found), key=lambda grant: grant.grantee.uri is None))


async def _resolved(tx: Transaction, grantee: Grantee) -> Grantee:
    named = [name for name in ("id", "uri", "email") if getattr(grantee, name)]
    if named == ["uri"]:
        if grantee.uri not in _GROUPS:
            raise errors.InvalidArgument("Invalid group uri", ArgumentName="Group/URI", ArgumentValue=str(grantee.uri)[:128])
        return Grantee(uri=grantee.uri)
    if named == ["id"]:
        project = await tx.grantees.by_canonical_id(str(grantee.id))
        if project is None:
            raise errors.InvalidArgument("Invalid id", ArgumentName="CanonicalUser/ID", ArgumentValue=str(grantee.id)[:128])
        return _canonical(project)
    if named == ["email"]:
        projects = await tx.grantees.by_email(str(grantee.email))
        if not projects:
            raise errors.UnresolvableGrantByEmailAddress(EmailAddress=str(grantee.email)[:128])
        if len(projects) > 1:
            raise errors.AmbiguousGrantByEmailAddress(EmailAddress=str(grantee.email)[:128])
        return _canonical(projects[0])
    raise errors.MalformedACLError


def _canonical(project: Project) -> Grantee:
    return Grantee(id=project.canonical_id, display_name=project.display_name)


async def list_of(
    tx: Transaction, headers: AclHeaders, owner: Owner, bucket_owner: Owner, given: Sequence[Grant] | None = None
) -> AccessControlPolicy | None:
    """The list that headers, or the grants of a document, give to something of `owner`; None where there are none of them.

    Raises:
        InvalidArgument, InvalidRequest, MalformedACLError, UnresolvableGrantByEmailAddress,
        AmbiguousGrantByEmailAddress: as `header_grants` and `resolved`.
    """
    grants = header_grants(headers) if given is None else given
    if headers.acl is not None:
        return canned(headers.acl, owner, bucket_owner)
    if given is None and not grants:
        return None
    return AccessControlPolicy(owner=owner, grants=await resolved(tx, grants))


async def replacement(
    tx: Transaction, bucket: Bucket, headers: AclHeaders, document: tuple[NamedOwner | None, Sequence[Grant] | None], owner: Owner
) -> AccessControlPolicy | None:
    """The list that takes the place of another one of something of `owner`; None where it is the bucket's owner's alone.

    Raises:
        MissingSecurityHeader, UnexpectedContent: it is given in no way, or in two.
        AccessDenied: it names another owner, which a list cannot change; or it is public, and the bucket blocks such.
        AccessControlListNotSupported: the bucket regards no lists.
        InvalidArgument, InvalidRequest, MalformedACLError, UnresolvableGrantByEmailAddress,
        AmbiguousGrantByEmailAddress: as `list_of`.
    """
    named, grants = document
    in_headers, in_document = headers != NO_ACL_HEADERS, named is not None or grants is not None
    if in_headers and in_document:
        raise errors.UnexpectedContent("This request does not support content")
    if in_document and grants is None:
        raise errors.MalformedACLError
    if named is not None and named.id != owner.id:
        raise errors.AccessDenied
    policy = await list_of(tx, headers, owner, bucket.owner, grants)
    if policy is None:
        raise errors.MissingSecurityHeader("Your request was missing a required header: x-amz-acl", MissingHeaderName="x-amz-acl")
    check_enforced(bucket, headers, policy)
    check_public(bucket, policy)
    return None if policy == private(bucket.owner) else policy


def check_public(bucket: Bucket, policy: AccessControlPolicy | None) -> None:
    """Refuse a public list where the bucket blocks such.

    Raises:
        AccessDenied: as it says (AWS, "Blocking public access", BlockPublicAcls).
    """
    block = bucket.settings.public_access_block
    if block is not None and block.block_public_acls and is_public(policy):
        raise errors.AccessDenied("Public access is blocked: the bucket takes no public access control list.")


def check_enforced(bucket: Bucket, headers: AclHeaders, policy: AccessControlPolicy | None) -> None:
    """Refuse a list in a bucket whose owner owns everything, but for the one that says just that.

    Raises:
        AccessControlListNotSupported: as it says (AWS, "Controlling ownership of objects", BucketOwnerEnforced).
    """
    if lists_count(bucket) or policy is None or headers.acl is CannedAcl.BUCKET_OWNER_FULL_CONTROL:
        return
    if headers.acl is not None or policy.grants != private(bucket.owner).grants:
        raise errors.AccessControlListNotSupported


async def new_object_acl(ctx: Context, headers: AclHeaders, bucket: Bucket) -> AccessControlPolicy | None:
    """The list of an object that the caller writes into a bucket; None is the bucket's owner alone.

    An object belongs to the project that writes it, unless the bucket's ownership gives it to the
    bucket's owner. An anonymous writer owns nothing: what it writes is the bucket's owner's.

    Raises:
        AccessControlListNotSupported: the bucket regards no lists, and this one asks for more than that.
        AccessDenied: the list is public, and the bucket blocks such.
        InvalidArgument, InvalidRequest, MalformedACLError, UnresolvableGrantByEmailAddress,
        AmbiguousGrantByEmailAddress: the headers give no list.
    """
    writer = bucket.owner if ctx.anonymous else ctx.owner
    if headers is NO_ACL_HEADERS and (writer.id == bucket.owner.id or not lists_count(bucket)):
        return None
    given = await ctx.metadata.read(lambda tx: list_of(tx, headers, writer, bucket.owner))
    if not lists_count(bucket):
        check_enforced(bucket, headers, given)
        return None
    check_public(bucket, given)
    preferred = bucket.settings.ownership.rule is ObjectOwnership.BUCKET_OWNER_PREFERRED
    if preferred and headers.acl is CannedAcl.BUCKET_OWNER_FULL_CONTROL:
        return None
    policy = given or private(writer)
    return None if policy == private(bucket.owner) else policy
