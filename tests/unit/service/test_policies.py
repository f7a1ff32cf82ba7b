"""Bucket policies in the one door: in what order they are asked, by which names and keys, and who has them in hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import attrs
import pytest

from lightningstor_server.auth.principals import account_id
from lightningstor_types import errors
from lightningstor_types.access import AclHeaders, CannedAcl
from lightningstor_types.names import ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.settings import BucketPolicy, PublicAccessBlock
from lightningstor_types.streams import BytesStream
from lightningstor_types.tags import Tag, TagSet
from lightningstor_types.tenants import BucketNamespace, Caller, Role
from unit.service.policed import make_open_rig, may, policy, put, statement
from unit.service.rig import BUCKET, Rig, enter_caller, make_rig, project

UNREADABLE: Final = '{"Version": "2099-01-01"}'


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names; its bucket has the object `k` and blocks nothing."""
    made = await make_open_rig()
    yield made
    await made.close()


async def everybody(rig: Rig) -> dict[str, Caller | None]:
    """One of each: of the bucket's project by the roles, of another one, and an anonymous one."""
    viewer = await enter_caller(rig.metadata, project(), Role.VIEWER)
    foreign = await enter_caller(rig.metadata, project("q", "x"))
    return {"owner": rig.caller, "viewer": viewer, "foreign": foreign, "nobody": None}


async def test_who_may_read_and_write_by_what(rig: Rig) -> None:
    """Denial comes first; a policy allows within the project without a role, and beyond it together with the caller's own."""
    who = await everybody(rig)
    who["foreign viewer"] = await enter_caller(rig.metadata, project("q", "x"), Role.VIEWER)
    of_own = {"AWS": f"arn:aws:iam::{account_id(rig.caller.project.id)}:user/viewer"}
    of_project = {"AWS": account_id(rig.caller.project.id)}
    writes = "s3:PutObject"
    cases = [
        # the statements, who may read and who may write
        ([statement(action="s3:ListBucket")], {"owner", "viewer"}, {"owner"}),
        ([statement()], {*who}, {"owner"}),
        ([statement(action=writes)], {"owner", "viewer"}, {"owner", "viewer", "foreign", "nobody"}),
        ([statement(action=writes, Principal=of_own)], {"owner", "viewer"}, {"owner", "viewer"}),
        ([statement(action=writes, Principal=of_project)], {"owner", "viewer"}, {"owner"}),
        ([statement(action="s3:*"), statement("Deny")], set(), {"owner", "viewer", "foreign", "nobody"}),
        ([statement("Deny", Principal=of_own)], {"owner"}, {"owner"}),
        ([statement("Deny", action="*")], set(), set()),
    ]
    for statements, readers, writers in cases:
        await put(rig, *statements)
        assert {name for name, caller in who.items() if await may(rig, caller)} == readers, statements
        written = {name for name, caller in who.items() if await may(rig, caller, "PutObject", key=ObjectKey(f"of {name}"))}
        assert written == writers, statements


async def test_what_another_project_is_called(rig: Rig) -> None:
    """By its number, its canonical id and `organisation/project`; by its own name alone it is not, nor is another one by any of these."""
    who = await everybody(rig)
    foreign = who["foreign"]
    assert foreign is not None
    other = await enter_caller(rig.metadata, project("q", "y"))
    number = account_id(foreign.project.id)
    for named in (
        {"AWS": number},
        {"AWS": f"arn:aws:iam::{number}:root"},
        {"AWS": f"arn:aws:iam::{number}:user/owner"},
        {"AWS": "arn:aws:iam::x/q:root"},
        {"CanonicalUser": foreign.project.canonical_id},
    ):
        await put(rig, statement(Principal=named))
        assert await may(rig, foreign), named
        assert not await may(rig, other), named
        assert not await may(rig, None), named
    for name in ("q", "x", f"arn:aws:iam::{number}:user/viewer", f"arn:aws:iam::{number}:role/owner"):
        await put(rig, statement(Principal={"AWS": name}))
        assert not await may(rig, foreign), name


async def test_an_id_of_digits_names_no_account(rig: Rig) -> None:
    """A project whose canonical id is the number of another one is not taken for that."""
    number = account_id(rig.caller.project.id + 1)
    await enter_caller(rig.metadata, project("victim"))
    sly = await enter_caller(rig.metadata, attrs.evolve(project("sly"), canonical_id=number))
    assert account_id(sly.project.id) != number
    await put(rig, statement(Principal={"AWS": number}))
    assert not await may(rig, sly)


async def test_an_owner_is_never_locked_out(rig: Rig) -> None:
    """Of what is denied to everybody an owner of the project has the policy in hand, and nobody else has."""
    who = await everybody(rig)
    await put(rig, statement("Deny", action="*"))
    for name in ("HeadBucket", "DeleteBucket", "PutBucketAcl", "GetBucketPolicyStatus"):
        assert not await may(rig, rig.caller, name), name
    for caller in (who["viewer"], who["foreign"], None):
        for name, fields in (("GetBucketPolicy", {}), ("PutBucketPolicy", {"policy": policy(statement())}), ("DeleteBucketPolicy", {})):
            assert not await may(rig, caller, name, **fields)
    assert (await rig.call("GetBucketPolicy")).policy == policy(statement("Deny", action="*"))
    await put(rig, statement("Deny", action="s3:*"))
    await rig.call("DeleteBucketPolicy")
    await rig.call("HeadBucket")


async def test_a_policy_that_cannot_be_read_denies(rig: Rig) -> None:
    """Everything to everybody, but to an owner the policy itself."""

    async def damage(tx: Any) -> None:
        bucket = await tx.buckets.find(rig.service.namespace(rig.caller.project), BUCKET)
        await tx.buckets.configure(bucket.id, "policy", BucketPolicy(text=UNREADABLE))
        await tx.configuration.bump()

    await rig.metadata.commit(damage)
    for caller in (await everybody(rig)).values():
        assert not await may(rig, caller)
        assert not await may(rig, caller, "PutObject")
        assert not await may(rig, caller, "ListObjectsV2")
    assert (await rig.call("GetBucketPolicy")).policy == UNREADABLE
    await rig.call("DeleteBucketPolicy")
    assert await may(rig, rig.caller)


async def test_only_the_project_has_it_in_hand(rig: Rig) -> None:
    """Whom the policy itself lets in from elsewhere is told that the method is not for it (AWS, PutBucketPolicy)."""
    who = await everybody(rig)
    await put(rig, statement(action="s3:*"))
    for caller in (who["foreign"], None):
        for name, fields in (("GetBucketPolicy", {}), ("PutBucketPolicy", {"policy": policy(statement())}), ("DeleteBucketPolicy", {})):
            with pytest.raises(errors.MethodNotAllowed):
                await rig.call_as(caller, name, **fields)
    assert (await rig.call_as(who["viewer"], "GetBucketPolicy")).policy == policy(statement(action="s3:*"))


async def test_a_policy_against_its_own_caller_is_confirmed(rig: Rig) -> None:
    """Who is no owner is asked before it denies itself to change the policy again; an owner cannot."""
    viewer = (await everybody(rig))["viewer"]
    await put(rig, statement(action="s3:PutBucketPolicy"))
    denying = policy(statement("Deny", action="s3:PutBucketPolicy"))
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(viewer, "PutBucketPolicy", policy=denying)
    await rig.call_as(viewer, "PutBucketPolicy", policy=denying, confirm_remove_self=True)
    assert not await may(rig, viewer, "PutBucketPolicy", policy=policy(statement()))
    await rig.call("PutBucketPolicy", policy=denying)


async def test_the_public_access_block(rig: Rig) -> None:
    """BlockPublicPolicy refuses a public policy when it is set; RestrictPublicBuckets leaves one to the project alone."""
    who = await everybody(rig)
    named = statement(action="s3:ListBucket", Principal={"CanonicalUser": "x/q"})
    await put(rig, statement(), named)
    assert await may(rig, who["foreign"], "ListObjectsV2")
    await rig.call("PutPublicAccessBlock", block=PublicAccessBlock(restrict_public_buckets=True))
    assert {name for name, caller in who.items() if await may(rig, caller)} == {"owner", "viewer"}
    assert not await may(rig, who["foreign"], "ListObjectsV2")
    await put(rig, named)
    assert await may(rig, who["foreign"], "ListObjectsV2")
    await rig.call("PutPublicAccessBlock", block=PublicAccessBlock(block_public_policy=True))
    with pytest.raises(errors.AccessDenied):
        await put(rig, statement())
    assert (await rig.call("GetBucketPolicy")).policy == policy(named)


async def test_the_status(rig: Rig) -> None:
    """Public is what the policy or the list makes public."""
    assert not (await rig.call("GetBucketPolicyStatus")).is_public
    await put(rig, statement(Principal={"AWS": "x/q"}))
    assert not (await rig.call("GetBucketPolicyStatus")).is_public
    await put(rig, statement())
    assert (await rig.call("GetBucketPolicyStatus")).is_public
    await rig.call("DeleteBucketPolicy")
    await rig.call("PutBucketAcl", headers=AclHeaders(acl=CannedAcl.PUBLIC_READ))
    assert (await rig.call("GetBucketPolicyStatus")).is_public


async def test_the_tags_that_an_object_has(rig: Rig) -> None:
    """They are asked where the policy asks for them, of the version that is read; a version without the tag is not allowed by it."""
    who = await everybody(rig)
    tagged = TagSet(tags=(Tag(key="class", value="open"),))
    await rig.put("tagged", b"x", tagging=tagged)
    await put(rig, statement(Condition={"StringEquals": {"s3:ExistingObjectTag/class": "open"}}))
    assert await may(rig, None, key=ObjectKey("tagged"))
    assert not await may(rig, None)
    assert await may(rig, rig.caller)
    assert await may(rig, who["viewer"])
    await put(rig, statement("Deny", Condition={"StringEquals": {"s3:ExistingObjectTag/class": "open"}}))
    assert not await may(rig, rig.caller, key=ObjectKey("tagged"))
    assert await may(rig, rig.caller)


async def test_the_tags_of_what_is_not_there(rig: Rig) -> None:
    """A policy that asks for tags hides no count from an owner, refuses it no copy, and lets nobody tag a new object who may list."""
    viewer = (await everybody(rig))["viewer"]
    tagged = TagSet(tags=(Tag(key="class", value="open"),))
    await rig.put("tagged", b"x", tagging=tagged)
    by_tag = statement(action=["s3:*Tagging", "s3:PutObjectAcl"], Condition={"StringEquals": {"s3:ExistingObjectTag/class": "open"}})
    await put(rig, by_tag, statement(action="s3:PutObject"))
    assert (await rig.call("HeadObject", key="tagged")).tag_count == 1
    await rig.call("CopyObject", key=ObjectKey("copy"), source=CopySource(bucket=BUCKET, key=ObjectKey("tagged")))
    assert (await rig.call("GetObjectTagging", key="copy")).tags == tagged.tags
    assert await may(rig, viewer, "PutObject", key=ObjectKey("new"))
    assert not await may(rig, viewer, "PutObject", key=ObjectKey("newer"), tagging=tagged)
    public = AclHeaders(acl=CannedAcl.PUBLIC_READ)
    await put(rig, by_tag, statement(action=["s3:PutObject", "s3:ListBucket"]))
    assert not await may(rig, None, "PutObject", key=ObjectKey("newer"), acl=public)
    assert await may(rig, None, "PutObject", key=ObjectKey("newer"))


async def test_a_missing_object_is_told_to_whom_its_prefix_may_be_listed(rig: Rig) -> None:
    """Of a policy that lets one prefix be listed, only what is under that is known to be missing."""
    await put(rig, statement(action="s3:ListBucket", Condition={"StringLike": {"s3:prefix": "open/*"}}))
    with pytest.raises(errors.NoSuchKey):
        await rig.call_as(None, "GetObject", key=ObjectKey("open/missing"))
    assert not await may(rig, None, key=ObjectKey("closed/missing"))


async def test_a_list_that_is_given_with_a_write(rig: Rig) -> None:
    """Is a permission of its own, which a policy can deny; an anonymous writer needs it to be allowed."""
    who = await everybody(rig)
    public = {"key": ObjectKey("n"), "acl": AclHeaders(acl=CannedAcl.PUBLIC_READ)}
    await put(rig, statement(action="s3:PutObject"))
    assert await may(rig, rig.caller, "PutObject", **public)
    assert await may(rig, who["foreign"], "PutObject", **public | {"key": ObjectKey("of foreign")})
    assert not await may(rig, None, "PutObject", **public)
    assert await may(rig, None, "PutObject", key=ObjectKey("n"))
    await put(rig, statement(action=["s3:PutObject", "s3:PutObjectAcl"]))
    assert await may(rig, None, "PutObject", **public)
    await put(rig, statement(action="s3:PutObject"), statement("Deny", action="s3:PutObjectAcl"))
    for name in ("PutObject", "CreateMultipartUpload"):
        fields = public | ({"body": BytesStream(b"")} if name == "PutObject" else {})
        for caller in (rig.caller, who["foreign"]):
            with pytest.raises(errors.AccessDenied):
                await rig.call_as(caller, name, **fields)


async def test_what_another_project_owns(rig: Rig) -> None:
    """A policy allows nothing with what another project owns in the bucket, and denies it all the same."""
    who = await everybody(rig)
    foreign = who["foreign"]
    await put(rig, statement(action=["s3:PutObject", "s3:GetObject"]))
    await rig.call_as(foreign, "PutObject", key=ObjectKey("theirs"), body=BytesStream(b"x"))
    assert await may(rig, foreign, key=ObjectKey("theirs"))
    assert not await may(rig, None, key=ObjectKey("theirs"))
    assert not await may(rig, rig.caller, key=ObjectKey("theirs"))
    await put(rig, statement("Deny"))
    assert not await may(rig, foreign, key=ObjectKey("theirs"))


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", policy(statement(Resource="arn:aws:s3:::other/*")), " " * (20 << 10) + "{}"])
async def test_what_is_no_policy_is_not_kept(rig: Rig, text: str) -> None:
    """The one that is there stays."""
    await put(rig, statement())
    with pytest.raises(errors.MalformedPolicy):
        await rig.call("PutBucketPolicy", policy=text)
    assert (await rig.call("GetBucketPolicy")).policy == policy(statement())


async def test_a_named_project_is_told_of_the_bucket() -> None:
    """Where names are an organisation's, a bucket is a missing one to whom its policy does not name."""
    rig = await make_rig(bucket_namespace=BucketNamespace.ORGANISATION)
    await rig.call("CreateBucket")
    foreign = await enter_caller(rig.metadata, project("q"))
    with pytest.raises(errors.NoSuchBucket):
        await rig.call_as(foreign, "HeadBucket")
    await put(rig, statement(Principal={"CanonicalUser": "o/q"}))
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(foreign, "HeadBucket")
    await rig.close()
