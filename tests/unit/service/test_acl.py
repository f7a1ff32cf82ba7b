"""Access control lists: what a request gives, and who may do what by them.

The decisions are held against a reference that is written from AWS's tables and shares no code with
the server.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.service.acl import GRANTS_MAX, canned, header_grants
from lightningstor_server.service.authorization import Verdict, decide, object_allows, refusal
from lightningstor_server.service.grants import BUCKET_GRANTS, OBJECT_GRANTS, private
from lightningstor_server.service.operation import Permission
from lightningstor_types import errors
from lightningstor_types.access import (
    ALL_USERS,
    AUTHENTICATED_USERS,
    LOG_DELIVERY,
    AccessControlPolicy,
    AclHeaders,
    AclPermission,
    CannedAcl,
    Grant,
    Grantee,
    NamedOwner,
)
from lightningstor_types.buckets import Bucket
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.attributes import ObjectAttribute
from lightningstor_types.operations.ownership import OwnershipRule
from lightningstor_types.owners import Owner
from lightningstor_types.settings import ALL_BLOCKED, BucketSettings, ObjectOwnership, Ownership, PublicAccessBlock
from lightningstor_types.tenants import BucketNamespace, Caller, Project, Role
from unit.service.rig import BUCKET, Pieces, Rig, enter_caller, make_rig, project

OWNERS: Final = {name: Owner(id=name, display_name=name.title()) for name in ("main", "alt", "third")}
IDS: Final = {"main": 1, "alt": 2, "third": 3}


def caller(name: str, role: Role) -> Caller:
    """A principal of one of the three projects."""
    of = Project(id=IDS[name], organisation_id=1, organisation="o", name=name, display_name=name, email="", canonical_id=name)
    return Caller(project=of, principal=role.value, role=role, access_key=f"{name}-{role}")


def bucket(*, acl: AccessControlPolicy | None, rule: ObjectOwnership, block: PublicAccessBlock | None) -> Bucket:
    """Main's bucket."""
    settings = BucketSettings(acl=acl, ownership=Ownership(rule=rule), public_access_block=block)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Bucket(
        id=1,
        name=BUCKET,
        organisation_id=1,
        project_id=1,
        region="r",
        created=moment,
        generation=1,
        owner=OWNERS["main"],
        settings=settings,
    )


grantees = st.sampled_from(
    [*(Grantee(id=name) for name in OWNERS), *(Grantee(uri=uri) for uri in (ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY))]
)
grants = st.lists(st.builds(Grant, grantee=grantees, permission=st.sampled_from(AclPermission)), max_size=4).map(tuple)
callers = st.none() | st.builds(caller, st.sampled_from(sorted(OWNERS)), st.sampled_from(Role))
blocks = st.none() | st.builds(
    PublicAccessBlock, block_public_acls=st.booleans(), ignore_public_acls=st.booleans(), restrict_public_buckets=st.booleans()
)


def lists(*owners: str) -> st.SearchStrategy[AccessControlPolicy | None]:
    """Lists of something that one of these owns."""
    return st.none() | st.builds(AccessControlPolicy, owner=st.sampled_from([OWNERS[name] for name in owners]), grants=grants)


# -- the reference: from AWS's pages, slow and without the server's code

ROLE_HAS: Final = {
    Role.OWNER: {"read", "write", "rule"},
    Role.EDITOR: {"read", "write"},
    Role.VIEWER: {"read"},
}
ACTIONS: Final = {
    # action: (what a role needs for it, on whose list it stands, the permission there)
    "s3:ListBucket": ("read", "bucket", "READ"),
    "s3:ListBucketVersions": ("read", "bucket", "READ"),
    "s3:ListBucketMultipartUploads": ("read", "bucket", "READ"),
    "s3:ListMultipartUploadParts": ("read", "bucket", "WRITE"),
    "s3:PutObject": ("write", "bucket", "WRITE"),
    "s3:DeleteObject": ("write", "bucket", "WRITE"),
    "s3:DeleteObjectVersion": ("write", None, None),
    "s3:AbortMultipartUpload": ("write", "bucket", "WRITE"),
    "s3:GetBucketAcl": ("read", "bucket", "READ_ACP"),
    "s3:PutBucketAcl": ("rule", "bucket", "WRITE_ACP"),
    "s3:GetObject": ("read", "object", "READ"),
    "s3:GetObjectVersion": ("read", "object", "READ"),
    "s3:GetObjectAttributes": ("read", "object", "READ"),
    "s3:GetObjectVersionAttributes": ("read", "object", "READ"),
    "s3:GetObjectTorrent": ("read", "object", "READ"),
    "s3:GetObjectAcl": ("read", "object", "READ_ACP"),
    "s3:GetObjectVersionAcl": ("read", "object", "READ_ACP"),
    "s3:PutObjectAcl": ("write", "object", "WRITE_ACP"),
    "s3:PutObjectVersionAcl": ("write", "object", "WRITE_ACP"),
    "s3:GetBucketLocation": ("read", None, None),
    "s3:DeleteBucket": ("rule", None, None),
    "s3:PutBucketOwnershipControls": ("rule", None, None),
    "s3:PutBucketPublicAccessBlock": ("rule", None, None),
}


def expand(acl: AccessControlPolicy | None) -> set[tuple[str, str]]:
    """All (grantee, permission) of a list, FULL_CONTROL as the five that it is, an owner's own right to its list among them."""
    found = {("main", "FULL_CONTROL")} if acl is None else {(g.grantee.uri or str(g.grantee.id), g.permission.value) for g in acl.grants}
    whole = {(who, each) for who, what in found for each in (AclPermission if what == "FULL_CONTROL" else [what])}
    owner = "main" if acl is None else acl.owner.id
    return {(who, str(what)) for who, what in whole} | {(owner, "READ_ACP"), (owner, "WRITE_ACP")}


def reference(who: Caller | None, action: str, of: Bucket, acl: AccessControlPolicy | None) -> bool:
    """Whether the caller may, with an object of that list there."""
    need, where, permission = ACTIONS[action]
    mine = who is not None and who.project.canonical_id == "main"
    role = who is not None and need in ROLE_HAS[who.role]
    enforced = of.settings.ownership.rule == "BucketOwnerEnforced"
    if enforced or where is None:
        return mine and role
    if mine and role and where == "bucket":
        return True
    pairs = expand(of.settings.acl if where == "bucket" else acl)
    block = of.settings.public_access_block
    groups = set()
    if not (block and block.ignore_public_acls):
        groups = {ALL_USERS} if who is None else {ALL_USERS, AUTHENTICATED_USERS}
    public = any((group, permission) in pairs for group in groups)
    named = who is not None and (who.project.canonical_id, permission) in pairs
    if who is None:
        return public
    if role:
        return public or named
    return mine and public


@given(
    who=callers,
    action=st.sampled_from(sorted(ACTIONS)),
    of=st.builds(bucket, acl=lists("main"), rule=st.sampled_from(ObjectOwnership), block=blocks),
    acl=lists("main", "alt"),
)
def test_decisions_are_the_reference_s(who: Caller | None, action: str, of: Bucket, acl: AccessControlPolicy | None) -> None:
    """Whoever asks for whatever, under any lists, ownership and block: what is decided is what AWS's tables say."""
    permission = Permission(action=action, bucket=BUCKET, key="k")
    verdict = decide(who, permission, of)
    allowed = object_allows(who, permission, of, acl) if verdict is Verdict.OBJECT else verdict is Verdict.ALLOWED
    assert allowed == reference(who, action, of, acl)


def test_the_reference_knows_every_action_of_a_list() -> None:
    """No action that a list can allow is left out above."""
    on = {name: where for name, (_, where, _) in ACTIONS.items() if where is not None}
    assert on == dict.fromkeys(BUCKET_GRANTS, "bucket") | dict.fromkeys(OBJECT_GRANTS, "object")


@given(who=callers, acl=lists("main"), namespace=st.sampled_from(BucketNamespace), rule=st.sampled_from(ObjectOwnership))
def test_a_refusal_tells_of_no_bucket(
    who: Caller | None, acl: AccessControlPolicy | None, namespace: BucketNamespace, rule: ObjectOwnership
) -> None:
    """A foreign bucket answers as a missing one, but where names are global or its list names the caller."""
    refused = refusal(who, bucket(acl=acl, rule=rule, block=None), namespace)
    hidden = isinstance(refused, errors.NoSuchBucket)
    if who is None or who.project.id == 1 or namespace is BucketNamespace.GLOBAL:
        assert not hidden
    elif acl is None or rule is ObjectOwnership.BUCKET_OWNER_ENFORCED:
        assert hidden
    else:
        named = {ALL_USERS, AUTHENTICATED_USERS, who.project.canonical_id}
        assert hidden == (not any((grant.grantee.uri or grant.grantee.id) in named for grant in acl.grants))


# -- lists by their names and by headers

_FULL = AclPermission.FULL_CONTROL


@pytest.mark.parametrize(
    ("name", "groups", "shared"),
    [
        (CannedAcl.PRIVATE, (), None),
        (CannedAcl.PUBLIC_READ, ((ALL_USERS, "READ"),), None),
        (CannedAcl.PUBLIC_READ_WRITE, ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")), None),
        (CannedAcl.AUTHENTICATED_READ, ((AUTHENTICATED_USERS, "READ"),), None),
        (CannedAcl.AWS_EXEC_READ, (), None),
        (CannedAcl.BUCKET_OWNER_READ, (), "READ"),
        (CannedAcl.BUCKET_OWNER_FULL_CONTROL, (), "FULL_CONTROL"),
        (CannedAcl.LOG_DELIVERY_WRITE, ((LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")), None),
    ],
)
def test_canned_lists(name: CannedAcl, groups: tuple[tuple[str, str], ...], shared: str | None) -> None:
    """Each grants its owner everything, and others what AWS's table says; where the owners are one there is one grant."""
    main, alt = OWNERS["main"], OWNERS["alt"]
    expected = [*groups, ("alt", "FULL_CONTROL"), *([("main", shared)] if shared else [])]
    made = canned(name, alt, main)
    assert [(grant.grantee.uri or grant.grantee.id, grant.permission.value) for grant in made.grants] == expected
    assert made.owner == alt
    own = canned(name, main, main)
    assert [grant.grantee.id for grant in own.grants if grant.grantee.uri is None] == ["main"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('id="main"', [Grantee(id="main")]),
        ("id=main", [Grantee(id="main")]),
        (' ID = "main" , emailAddress="a@b"', [Grantee(id="main"), Grantee(email="a@b")]),
        (f'uri="{ALL_USERS}",uri={AUTHENTICATED_USERS}', [Grantee(uri=ALL_USERS), Grantee(uri=AUTHENTICATED_USERS)]),
    ],
)
def test_grantees_of_a_header(text: str, expected: list[Grantee]) -> None:
    """With and without quotes and spaces, one or several."""
    found = header_grants(AclHeaders(grant_read=text, grant_full_control=text))
    permissions = [AclPermission.READ] * len(expected) + [_FULL] * len(expected)
    assert found == tuple(Grant(grantee=who, permission=what) for who, what in zip(expected * 2, permissions, strict=True))


@pytest.mark.parametrize("text", ["", "main", 'id="a', "name=a", "id=a b", "id=a,", 'id="a"b', "=a"])
def test_headers_that_are_no_list(text: str) -> None:
    """They are refused, never passed over."""
    with pytest.raises(errors.InvalidArgument):
        header_grants(AclHeaders(grant_read=text))


@given(st.text(max_size=40))
def test_any_header_is_a_list_or_refused(text: str) -> None:
    """Whatever comes, it is either grantees or InvalidArgument."""
    try:
        found = header_grants(AclHeaders(grant_write=text))
    except errors.InvalidArgument:
        return
    assert len(found) == text.count(",") + 1


# -- what is stored


async def open_bucket(*, block: bool = False, ownership: ObjectOwnership = ObjectOwnership.OBJECT_WRITER) -> tuple[Rig, Caller]:
    """A rig of global names with a bucket that regards lists, and the owner of another project."""
    rig = await make_rig(bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ownership, new_bucket_blocked=block)
    await rig.call("CreateBucket")
    return rig, await enter_caller(rig.metadata, project("q"))


def pairs(policy: AccessControlPolicy) -> list[tuple[str | None, str]]:
    """A list's grants, short."""
    return [(grant.grantee.uri or grant.grantee.id, grant.permission.value) for grant in policy.grants]


async def policy_of(rig: Rig, key: str | None = None) -> AccessControlPolicy:
    """The list as its owner reads it."""
    result = await (rig.call("GetBucketAcl") if key is None else rig.call("GetObjectAcl", key=key))
    policy: AccessControlPolicy = result.policy
    return policy


async def test_a_list_of_its_own_owner_is_none() -> None:
    """What is the bucket's owner's alone is not stored, however it is said."""
    rig, _ = await open_bucket()
    owner = rig.caller.project.canonical_id
    for headers in (AclHeaders(acl=CannedAcl.PRIVATE), AclHeaders(grant_full_control=f'id="{owner}"')):
        await rig.put("k", b"x", acl=headers)
        version = await rig.metadata.read(lambda tx: tx.versions.current(1, "k"))
        assert version is not None
        assert version.acl is None
        await rig.call("PutObjectAcl", key="k", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ))
        await rig.call("PutObjectAcl", key="k", headers=headers)
        assert await policy_of(rig, "k") == private(version_owner(rig))
    await rig.close()


def version_owner(rig: Rig) -> Owner:
    """The rig's project as an owner."""
    return Owner(id=rig.caller.project.canonical_id, display_name=rig.caller.project.display_name)


@pytest.mark.parametrize(
    ("grant", "error"),
    [
        (Grantee(id="nobody"), errors.InvalidArgument),
        (Grantee(uri="http://acs.amazonaws.com/groups/global/Everybody"), errors.InvalidArgument),
        (Grantee(email="nobody@nowhere"), errors.UnresolvableGrantByEmailAddress),
        (Grantee(email="shared@o"), errors.AmbiguousGrantByEmailAddress),
        (Grantee(), errors.MalformedACLError),
        (Grantee(id="o/q", uri=ALL_USERS), errors.MalformedACLError),
        (Grantee(email=""), errors.MalformedACLError),
    ],
)
async def test_grantees_that_are_nobody(grant: Grantee, error: type[errors.StorError]) -> None:
    """A list that names somebody who does not exist is refused as a whole, and the old one stays."""
    rig, _ = await open_bucket()
    for name in ("twin", "other"):
        await enter_caller(rig.metadata, attrs.evolve(project(name), email="shared@o"))
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    before = await policy_of(rig)
    with pytest.raises(error):
        await rig.call("PutBucketAcl", grants=(Grant(grantee=grant, permission=AclPermission.READ),))
    assert await policy_of(rig) == before
    await rig.close()


async def test_grantees_by_id_and_by_address() -> None:
    """Both become the project's id with its name; groups come first, and none comes twice."""
    rig, other = await open_bucket()
    read = AclPermission.READ
    given_ = (
        Grant(grantee=Grantee(id=other.project.canonical_id, display_name="forged"), permission=read),
        Grant(grantee=Grantee(email=other.project.email), permission=read),
        Grant(grantee=Grantee(uri=ALL_USERS), permission=read),
    )
    await rig.call("PutBucketAcl", grants=given_, owner=NamedOwner(id=rig.caller.project.canonical_id))
    policy = await policy_of(rig)
    assert pairs(policy) == [(ALL_USERS, "READ"), (other.project.canonical_id, "READ")]
    assert policy.grants[1].grantee.display_name == other.project.display_name
    await rig.close()


async def test_one_way_to_give_a_list() -> None:
    """None, two, an owner alone, another owner, too many grants: all are refused."""
    rig, other = await open_bucket()
    grant = Grant(grantee=Grantee(uri=ALL_USERS), permission=AclPermission.READ)
    public = AclHeaders(acl=CannedAcl.PUBLIC_READ)
    cases: list[tuple[dict[str, Any], type[errors.StorError]]] = [
        ({}, errors.MissingSecurityHeader),
        ({"headers": public, "grants": (grant,)}, errors.UnexpectedContent),
        ({"owner": NamedOwner(id=rig.caller.project.canonical_id)}, errors.MalformedACLError),
        ({"owner": NamedOwner(id=other.project.canonical_id), "grants": (grant,)}, errors.AccessDenied),
        ({"headers": AclHeaders(acl=CannedAcl.PRIVATE, grant_read="id=a")}, errors.InvalidRequest),
        ({"grants": (grant,) * (GRANTS_MAX + 1)}, errors.InvalidRequest),
    ]
    await rig.put("k", b"x")
    for fields, error in cases:
        with pytest.raises(error):
            await rig.call("PutBucketAcl", **fields)
        with pytest.raises(error):
            await rig.call("PutObjectAcl", key="k", **fields)
    assert await policy_of(rig) == await policy_of(rig, "k") == private(version_owner(rig))
    await rig.close()


async def test_nobody_locks_itself_out() -> None:
    """An owner who took every grant away still reads and replaces the list, of a bucket and of an object in another's."""
    rig, other = await open_bucket()
    await rig.call("PutBucketAcl", grants=())
    assert (await policy_of(rig)).grants == ()
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ_WRITE))
    await rig.call_as(other, "PutObject", key="k", body=Pieces(b"x"))
    await rig.call_as(other, "PutObjectAcl", key="k", grants=())
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(other, "GetObject", key="k")
    assert (await rig.call_as(other, "GetObjectAcl", key="k")).policy.grants == ()
    await rig.call_as(other, "PutObjectAcl", key="k", headers=AclHeaders(acl=CannedAcl.PRIVATE))
    await rig.call_as(other, "GetObject", key="k")
    await rig.close()


@pytest.mark.parametrize(
    ("rule", "acl", "owner"),
    [
        (ObjectOwnership.OBJECT_WRITER, None, "writer"),
        (ObjectOwnership.OBJECT_WRITER, CannedAcl.BUCKET_OWNER_FULL_CONTROL, "writer"),
        (ObjectOwnership.BUCKET_OWNER_PREFERRED, None, "writer"),
        (ObjectOwnership.BUCKET_OWNER_PREFERRED, CannedAcl.PRIVATE, "writer"),
        (ObjectOwnership.BUCKET_OWNER_PREFERRED, CannedAcl.BUCKET_OWNER_FULL_CONTROL, "bucket"),
    ],
)
async def test_who_owns_what_is_written(rule: ObjectOwnership, acl: CannedAcl | None, owner: str) -> None:
    """The writer, unless the bucket prefers its owner and the writer agrees; what it owns, the bucket's owner may only delete."""
    rig, other = await open_bucket()
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ_WRITE))
    await rig.call("PutBucketOwnershipControls", rules=(OwnershipRule(object_ownership=rule),))
    headers = AclHeaders() if acl is None else AclHeaders(acl=acl)
    await rig.call_as(other, "PutObject", key="k", body=Pieces(b"x"), acl=headers)
    version = await rig.metadata.read(lambda tx: tx.versions.current(1, "k"))
    assert version is not None
    if owner == "bucket":
        assert version.acl is None
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(other, "GetObject", key="k")
    else:
        assert version.acl is not None
        assert version.acl.owner.id == other.project.canonical_id
        await rig.call_as(other, "GetObject", key="k")
        if acl is not CannedAcl.BUCKET_OWNER_FULL_CONTROL:
            for name in ("GetObject", "GetObjectAcl"):
                with pytest.raises(errors.AccessDenied):
                    await rig.call(name, key="k")
    await rig.call("DeleteObject", key="k")
    assert await rig.metadata.read(lambda tx: tx.versions.current(1, "k")) is None
    await rig.close()


async def test_where_the_bucket_s_owner_owns_everything() -> None:
    """Lists are refused and not regarded: what was public before is private, what another wrote is the bucket's owner's."""
    rig, other = await open_bucket()
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ_WRITE))
    await rig.call_as(other, "PutObject", key="theirs", body=Pieces(b"x"), acl=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    rules = (OwnershipRule(object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED),)
    with pytest.raises(errors.InvalidBucketAclWithObjectOwnership):
        await rig.call("PutBucketOwnershipControls", rules=rules)
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PRIVATE))
    await rig.call("PutBucketOwnershipControls", rules=rules)
    assert await rig.get("theirs") == b"x"
    assert await policy_of(rig, "theirs") == private(version_owner(rig))
    for who in (other, None):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(who, "GetObject", key="theirs")
    for headers in (AclHeaders(acl=CannedAcl.PRIVATE), AclHeaders(grant_read=f'uri="{ALL_USERS}"')):
        for name, fields in (("PutObject", {"key": "k", "body": Pieces(RuntimeError("asked for")), "acl": headers}),
                             ("CreateMultipartUpload", {"key": "k", "acl": headers}),
                             ("PutObjectAcl", {"key": "theirs", "headers": headers}), ("PutBucketAcl", {"headers": headers})):  # fmt: skip
            with pytest.raises(errors.AccessControlListNotSupported):
                await rig.call(name, **fields)
    await rig.put("k", b"x", acl=AclHeaders(acl=CannedAcl.BUCKET_OWNER_FULL_CONTROL))
    await rig.call("DeleteBucketOwnershipControls")
    assert pairs(await policy_of(rig))[0][1] == "FULL_CONTROL"
    with pytest.raises(errors.AccessDenied):
        await rig.call("GetObjectAcl", key="theirs")
    await rig.close()


async def test_public_lists_are_blocked() -> None:
    """A public list is refused where the bucket blocks such, for the bucket, for objects, copies and uploads; nothing comes of it."""
    rig, _ = await open_bucket()
    await rig.put("k", b"x")
    await rig.call("PutPublicAccessBlock", block=PublicAccessBlock(block_public_acls=True))
    for headers in (
        *(AclHeaders(acl=acl) for acl in (CannedAcl.PUBLIC_READ, CannedAcl.PUBLIC_READ_WRITE, CannedAcl.AUTHENTICATED_READ)),
        AclHeaders(grant_read_acp=f'uri="{AUTHENTICATED_USERS}"'),
    ):
        for name, fields in (("PutBucketAcl", {"headers": headers}), ("PutObjectAcl", {"key": "k", "headers": headers}),
                             ("PutObject", {"key": "n", "acl": headers, "body": Pieces(RuntimeError("asked for"))}),
                             ("CreateMultipartUpload", {"key": "n", "acl": headers})):  # fmt: skip
            with pytest.raises(errors.AccessDenied):
                await rig.call(name, **fields)
    assert await policy_of(rig) == await policy_of(rig, "k") == private(version_owner(rig))
    with pytest.raises(errors.NoSuchKey):
        await rig.get("n")
    await rig.call("DeletePublicAccessBlock")
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    await rig.close()


BEHIND_THE_DOOR: Final[dict[str, dict[str, Any]]] = {
    # every operation that an object's list can allow, and what else it takes
    "GetObject": {},
    "HeadObject": {},
    "GetObjectAttributes": {"attributes": tuple(ObjectAttribute)},
    "GetObjectAcl": {},
    "PutObjectAcl": {"headers": AclHeaders(acl=CannedAcl.PUBLIC_READ)},
    "CopyObject": {"bucket": BucketName("mine"), "source": CopySource(bucket=BUCKET, key=ObjectKey("k"))},
}


@pytest.mark.parametrize("name", BEHIND_THE_DOOR)
async def test_an_object_that_is_replaced_between_the_door_and_the_rule(name: str) -> None:
    """What the door let pass by a list is not read of the private object that took its place meanwhile, nor changed."""
    rig, other = await open_bucket()
    await rig.call_as(other, "CreateBucket", bucket="mine")
    await rig.put("k", b"shared", acl=AclHeaders(grant_full_control=f'id="{other.project.canonical_id}"'))
    await rig.call_as(other, name, key="k", **BEHIND_THE_DOOR[name])
    door = rig.service._ask_object

    async def slow(asking: Caller | None, permission: Permission, of: Bucket) -> Verdict:
        verdict = await door(asking, permission, of)
        if name in {permission.action.removeprefix("s3:"), "HeadObject", "CopyObject"}:  # after the last look
            await rig.put("k", b"private")
        return verdict

    await rig.put("k", b"shared", acl=AclHeaders(grant_full_control=f'id="{other.project.canonical_id}"'))
    rig.service._ask_object = slow  # type: ignore[method-assign]
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(other, name, key="k", **BEHIND_THE_DOOR[name])
    rig.service._ask_object = door  # type: ignore[method-assign]
    assert await policy_of(rig, "k") == private(version_owner(rig))
    await rig.close()


async def test_that_there_is_no_object_is_told_to_whom_may_list() -> None:
    """A missing key is 404 to whoever may list the bucket, and denied to everybody else, as a private one is."""
    rig, other = await open_bucket()
    await rig.put("private", b"x")
    for who in (other, None):
        for key in ("private", "missing"):
            with pytest.raises(errors.AccessDenied):
                await rig.call_as(who, "GetObject", key=key)
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    for who in (other, None):
        with pytest.raises(errors.NoSuchKey):
            await rig.call_as(who, "GetObject", key="missing")
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(who, "GetObject", key="private")
    await rig.close()


async def test_what_a_bucket_is_made_with() -> None:
    """The operator's ownership and block, the request's before them; a list that they contradict makes no bucket."""
    rig = await make_rig()
    public = AclHeaders(acl=CannedAcl.PUBLIC_READ)
    with pytest.raises(errors.InvalidBucketAclWithObjectOwnership):
        await rig.call("CreateBucket", acl=public)
    with pytest.raises(errors.InvalidBucketAclWithBlockPublicAccessError):
        await rig.call("CreateBucket", acl=public, object_ownership=ObjectOwnership.OBJECT_WRITER)
    assert (await rig.call("ListBuckets")).buckets == ()
    await rig.call("CreateBucket")
    assert (await rig.call("GetBucketOwnershipControls")).rules[0].object_ownership is ObjectOwnership.BUCKET_OWNER_ENFORCED
    assert (await rig.call("GetPublicAccessBlock")).block == ALL_BLOCKED
    await rig.call("CreateBucket")
    await rig.close()
    rig, _ = await open_bucket()
    with pytest.raises(errors.OwnershipControlsNotFoundError):
        await rig.call("GetBucketOwnershipControls")
    with pytest.raises(errors.NoSuchPublicAccessBlockConfiguration):
        await rig.call("GetPublicAccessBlock")
    await rig.call("CreateBucket", bucket="open", acl=public, object_ownership=ObjectOwnership.BUCKET_OWNER_PREFERRED)
    assert pairs((await rig.call("GetBucketAcl", bucket="open")).policy)[0] == (ALL_USERS, "READ")
    with pytest.raises(errors.BucketAlreadyExists):
        await rig.call("CreateBucket", bucket="open")
    await rig.call("CreateBucket", bucket="open", acl=public)
    await rig.close()


async def test_policy_status() -> None:
    """A bucket is public if its list is, as far as the list counts."""
    rig, _ = await open_bucket()
    status = [(await rig.call("GetBucketPolicyStatus")).is_public]
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.AUTHENTICATED_READ))
    status.append((await rig.call("GetBucketPolicyStatus")).is_public)
    await rig.call("PutPublicAccessBlock", block=PublicAccessBlock(ignore_public_acls=True))
    status.append((await rig.call("GetBucketPolicyStatus")).is_public)
    assert status == [False, True, False]
    await rig.close()


async def test_settings_are_seen_by_every_process() -> None:
    """A list, an ownership or a block counts on the next request of another process that knew the bucket."""
    rig, other = await open_bucket()
    await rig.put("k", b"x")
    service = type(rig.service)(metadata=rig.metadata, blobs=rig.blobs, settings=rig.service.settings)
    elsewhere = Rig(service, rig.metadata, rig.blobs, other, rig.clock)
    with pytest.raises(errors.AccessDenied):
        await elsewhere.call("ListObjects")
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    assert len((await elsewhere.call("ListObjects")).objects) == 1
    await rig.call("PutPublicAccessBlock", block=ALL_BLOCKED)
    with pytest.raises(errors.AccessDenied):
        await elsewhere.call("ListObjects")
    await rig.close()
