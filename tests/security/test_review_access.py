"""What a review of the way in has found: denials that were passed by, and what was told to whom it is not for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from asgi import Request
from faces import rig as open_rig
from lightningstor_server.service.settings import Settings
from lightningstor_types import errors
from lightningstor_types.access import AclHeaders, CannedAcl
from lightningstor_types.cors import CorsRule
from lightningstor_types.names import ObjectKey
from lightningstor_types.objects import CopySource, ObjectMetadata
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.cors import PutBucketCors
from lightningstor_types.operations.tagging import TaggingDirective
from lightningstor_types.settings import PublicAccessBlock
from lightningstor_types.streams import BytesStream
from lightningstor_types.tags import Tag, TagSet
from lightningstor_types.tenants import BucketNamespace, Caller, Role
from unit.service.policed import make_open_rig, policy, put, statement
from unit.service.rig import BUCKET, Pieces, Rig, enter_caller, project

BY_TAG: Final = statement(Condition={"StringEquals": {"s3:ExistingObjectTag/open": "yes"}})
"""A statement that makes the tags of objects matter; it is about nobody's writes."""
OPEN: Final = TagSet(tags=(Tag(key="open", value="yes"),))
NEW: Final = ObjectKey("new")
PUBLIC: Final = AclHeaders(acl=CannedAcl.PUBLIC_READ)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names; its bucket has the object `k` and blocks nothing."""
    made = await make_open_rig()
    yield made
    await made.close()


async def editor(rig: Rig) -> Caller:
    """Somebody of the bucket's project who writes."""
    return await enter_caller(rig.metadata, project(), Role.EDITOR)


# -- denials of what a header implies


@pytest.mark.parametrize(
    ("denied", "given"), [("s3:PutObjectTagging", {"tagging": OPEN}), ("s3:PutObjectAcl", {"acl": PUBLIC})], ids=("tags", "list")
)
@pytest.mark.parametrize("name", ["PutObject", "CopyObject", "CreateMultipartUpload"])
async def test_what_a_new_object_is_given_is_denied_also_where_tags_matter(rig: Rig, name: str, denied: str, given: dict[str, Any]) -> None:
    """A denial of tags or lists holds for who makes an object, though another statement asks for the tags of objects."""
    fields: dict[str, Any] = {"key": NEW} | given
    if name == "PutObject":
        fields["body"] = BytesStream(b"x")
    if name == "CopyObject":
        fields |= {"source": CopySource(bucket=BUCKET, key=ObjectKey("k"))}
        fields |= {"tagging_directive": TaggingDirective.REPLACE} if "tagging" in given else {}
    for caller in (await editor(rig), rig.caller):
        for others in ((), (BY_TAG,)):
            await put(rig, statement("Deny", denied), *others)
            with pytest.raises(errors.AccessDenied):
                await rig.call_as(caller, name, **fields)


async def test_tags_of_a_new_object_need_their_permission_also_where_tags_matter(rig: Rig) -> None:
    """Another project that may write and list, and may not tag, does not tag what it makes: not so as to be let in by the tags."""
    foreign = await enter_caller(rig.metadata, project("q", "x"))
    writes = statement(action=["s3:PutObject", "s3:ListBucket"])
    for others in ((), (BY_TAG,)):
        await put(rig, writes, *others)
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(foreign, "PutObject", key=NEW, body=BytesStream(b"x"), tagging=OPEN)


# -- what the door saw and the rule finds


@pytest.mark.parametrize(
    ("name", "fields"), [("GetObjectTagging", {}), ("PutObjectTagging", {"tagging": OPEN}), ("DeleteObjectTagging", {})]
)
@pytest.mark.parametrize("before", [True, False], ids=("other", "none"))
async def test_the_tags_that_decide_are_those_of_the_version_that_is_acted_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str, fields: dict[str, Any], *, before: bool
) -> None:
    """An object that is replaced after the door has looked at it, or comes only then, is not acted on by the look."""
    anybody = statement(action=["s3:GetObjectTagging", "s3:PutObjectTagging", "s3:DeleteObjectTagging"], Condition=BY_TAG["Condition"])
    await put(rig, anybody, statement(action="s3:ListBucket"))
    if before:
        await rig.put("t", b"x", tagging=OPEN)
    secret = TagSet(tags=(Tag(key="secret", value="1"),))
    ask = rig.service._ask_object

    async def overtaken(*given: Any) -> Any:
        verdict = await ask(*given)
        monkeypatch.setattr(rig.service, "_ask_object", ask)
        await rig.put("t", b"y", tagging=secret)
        return verdict

    monkeypatch.setattr(rig.service, "_ask_object", overtaken)
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(None, name, key=ObjectKey("t"), **fields)
    assert (await rig.call("GetObjectTagging", key="t")).tags == secret.tags


# -- what is told


async def test_who_may_only_write_is_not_told_the_metadata(rig: Rig) -> None:
    """UpdateObject tells what an object is like only to who may read it; that holds of other projects' objects too."""
    await rig.put("k", b"x", metadata=ObjectMetadata(user={"secret": "told"}))
    foreign = await enter_caller(rig.metadata, project("q", "x"))
    await put(rig, statement(action="s3:PutObject"))
    for caller in (foreign, None):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(caller, "HeadObject", key=ObjectKey("k"))
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(caller, "UpdateObject", key=ObjectKey("k"), update_mask=("content_language",))


async def test_a_denied_reader_is_not_told_the_metadata(rig: Rig) -> None:
    """What a policy denies to be read is not read by an update that changes nothing."""
    await rig.put("k", b"x", metadata=ObjectMetadata(user={"secret": "told"}))
    await put(rig, statement("Deny", "s3:GetObject"))
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(await editor(rig), "UpdateObject", key=ObjectKey("k"), update_mask=("content_language",))


async def test_everybody_is_not_told_what_an_organisation_holds(rig: Rig) -> None:
    """A policy that allows everything in a bucket tells nobody of another project what the bucket's project and organisation hold."""
    await put(rig, statement(action="*"))
    foreign = await enter_caller(rig.metadata, project("q", "x"))
    for caller in (foreign, None):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(caller, "GetUsage")


async def test_an_anonymous_reader_chooses_no_headers() -> None:
    """What an answer's headers say is chosen by signed requests alone: else any page could be made of an object (AWS, GetObject)."""
    async with open_rig(settings=Settings(bucket_namespace=BucketNamespace.GLOBAL, new_bucket_blocked=False)) as made:
        await made(CreateBucket(bucket=BUCKET))
        at = f"/{BUCKET}/k"
        assert (await made.ask("PUT", at, body=b"<script>")).status == 200
        text = policy(statement())
        assert (await made.ask("PUT", f"/{BUCKET}?policy", body=text.encode())).status == 204
        plain = Request(path=at.encode())
        assert (await made.send(plain)).status == 200
        response = await made.send(Request(path=at.encode(), query=b"response-content-type=text/html"))
        assert response.status == 400
        assert b"<Code>InvalidRequest</Code>" in response.body


async def test_cors_tells_nobody_of_a_hidden_bucket() -> None:
    """A foreign bucket is a missing one by the headers for pages too."""
    rule = CorsRule(allowed_methods=("GET",), allowed_origins=("https://page.test",))
    async with open_rig(settings=Settings(bucket_namespace=BucketNamespace.ORGANISATION)) as made:
        await made(CreateBucket(bucket=BUCKET))
        await made(PutBucketCors(bucket=BUCKET, rules=(rule,)))
        for origin in ("https://page.test", "https://other.test"):
            foreign, missing = [
                await made.send(Request(path=path).with_headers(("origin", origin)), made.beta.owner)
                for path in (b"/bucket/k", b"/bocket/k")
            ]
            assert (foreign.status, missing.status) == (404, 404)
            assert set(foreign.headers) == set(missing.headers)


# -- settings that change while a request is under way


async def test_a_list_that_is_blocked_meanwhile_is_not_stored(rig: Rig) -> None:
    """A block that was set while a body came is heeded by its object: what is done goes by what holds when it commits."""

    async def block() -> None:
        await rig.call("PutPublicAccessBlock", block=PublicAccessBlock(block_public_acls=True))

    with pytest.raises(errors.AccessDenied):
        await rig.put("late", Pieces(b"x", block, b"y"), acl=PUBLIC)


async def test_a_policy_that_is_blocked_meanwhile_is_not_stored(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a block and a public policy that come at once, whichever commits last finds the other."""
    commit = rig.metadata.commit

    async def overtaken(work: Any) -> Any:
        monkeypatch.setattr(rig.metadata, "commit", commit)
        await rig.call("PutPublicAccessBlock", block=PublicAccessBlock(block_public_policy=True))
        return await commit(work)

    monkeypatch.setattr(rig.metadata, "commit", overtaken)
    with pytest.raises(errors.AccessDenied):
        await put(rig, statement())


async def test_labels_are_told_to_whom_tags_may_be_told(rig: Rig) -> None:
    """Who may list a bucket is not told its labels, which are set by who may set its tags."""
    await rig.call("UpdateBucket", labels={"owner": "secret"}, update_mask=("labels",))
    await put(rig, statement(action="s3:ListBucket"))
    with pytest.raises(errors.AccessDenied):
        await rig.call_as(None, "GetBucketTagging")
    assert (await rig.call_as(None, "GetBucket")).labels == {}
