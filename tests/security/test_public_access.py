"""Nothing is public unless somebody said so twice, and what is denied leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from asgi import Request
from faces import Rig
from faces import rig as open_rig
from lightningstor_server.service.identity import ROOT_PROJECT_SETTING
from lightningstor_server.service.settings import Settings
from lightningstor_types.access import ALL_USERS, AUTHENTICATED_USERS
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import BucketNamespace, Role
from samples import BUCKET, KEY, NOT_SET, ROUTED, Furnished, furnish, sample

OPEN = {"new_bucket_ownership": ObjectOwnership.OBJECT_WRITER, "new_bucket_blocked": False}
PUBLIC = ("x-amz-acl", "public-read-write")
BY_LIST = {
    # what everybody may do with a bucket, and the objects in it, that are public-read-write
    "HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads", "ListParts", "PutObject", "GetObject",
    "HeadObject", "GetObjectAttributes", "GetObjectTorrent", "DeleteObject", "DeleteObjects", "CopyObject", "UploadPartCopy",
    "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload",
}  # fmt: skip


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[tuple[Rig, Furnished]]:
    """A furnished store whose root project is alpha."""
    async with open_rig(settings=Settings(**settings)) as rig:

        async def root(tx: Any) -> None:
            await tx.configuration.set(ROOT_PROJECT_SETTING, str(rig.alpha.project.id))
            await tx.configuration.bump()

        await rig.metadata.commit(root)
        yield rig, await furnish(rig)


async def publish(rig: Rig) -> None:
    """Give everybody all that a canned list can give."""
    for target in (f"/{BUCKET}?acl", f"/{BUCKET}/{KEY}?acl"):
        assert (await rig.ask("PUT", target, PUBLIC)).status == 200


@pytest.mark.parametrize("name", ROUTED)
async def test_nothing_is_public_by_default(name: str) -> None:
    """A credential is needed for every operation on what was made as it is made, in the anonymous project too."""
    async with opened() as (rig, at):
        before = rig.dump()
        response = await rig.send(sample(name, at))
        assert b"<Deleted>" not in response.body
        if name != "DeleteObjects":  # each object of which is denied alone
            assert response.status == 403
        if not name.startswith("Head"):
            assert b"<Code>AccessDenied</Code>" in response.body
        assert rig.dump() == before


@pytest.mark.parametrize("namespace", BucketNamespace)
@pytest.mark.parametrize("name", ROUTED)
async def test_what_a_public_list_gives(name: str, namespace: BucketNamespace) -> None:
    """Everybody may what the lists of bucket and object say, and nothing else; what is denied leaves no trace."""
    async with opened(bucket_namespace=namespace, **OPEN) as (rig, at):
        await publish(rig)
        before = rig.dump()
        response = await rig.send(sample(name, at))
        if name in BY_LIST:
            assert response.status < 300 or name in NOT_SET or name == "GetObjectTorrent", response
            assert response.status != 403
            assert b"AccessDenied" not in response.body
        else:
            assert response.status == 403
            assert rig.dump() == before


@pytest.mark.parametrize("name", sorted(set(ROUTED) - {"CreateBucket", "ListBuckets"}))
async def test_a_block_ends_it(name: str) -> None:
    """Where public lists are ignored everything is denied again, signed by another project or not at all."""
    async with opened(bucket_namespace=BucketNamespace.GLOBAL, **OPEN) as (rig, at):
        await publish(rig)
        block = b"<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls></PublicAccessBlockConfiguration>"
        assert (await rig.ask("PUT", f"/{BUCKET}?publicAccessBlock", body=block)).status == 200
        before = rig.dump()
        for signer in (None, rig.beta.owner):
            response = await rig.send(sample(name, at), signer)
            assert (response.status == 403) == (name != "DeleteObjects")
            assert b"<Deleted>" not in response.body
        assert rig.dump() == before


@pytest.mark.parametrize(("group", "anonymous", "signed"), [(ALL_USERS, 200, 200), (AUTHENTICATED_USERS, 403, 200)])
async def test_groups(group: str, anonymous: int, signed: int) -> None:
    """Everybody is everybody; the authenticated are whoever signs, of whatever project."""
    async with opened(bucket_namespace=BucketNamespace.GLOBAL, **OPEN) as (rig, at):
        assert at
        for target in (f"/{BUCKET}?acl", f"/{BUCKET}/{KEY}?acl"):
            assert (await rig.ask("PUT", target, ("x-amz-grant-read", f'uri="{group}"'))).status == 200
        for path in (f"/{BUCKET}", f"/{BUCKET}/{KEY}"):
            request = Request(method="GET", path=path.encode())
            assert (await rig.send(request)).status == anonymous
            assert (await rig.send(request, rig.beta.owner)).status == signed


async def test_a_grant_to_a_project_is_within_its_roles() -> None:
    """Across projects a list and a role have to allow: a viewer of the grantee does not write, an editor does."""
    async with opened(bucket_namespace=BucketNamespace.GLOBAL, **OPEN) as (rig, at):
        assert at
        beta = f'id="{rig.beta.project.canonical_id}"'
        assert (await rig.ask("PUT", f"/{BUCKET}?acl", ("x-amz-grant-full-control", beta))).status == 200
        write = Request(method="PUT", path=f"/{BUCKET}/new".encode()).with_body(b"x")
        assert [(await rig.send(write, rig.beta.signers[role])).status for role in (Role.VIEWER, Role.EDITOR)] == [403, 200]
        assert (await rig.send(write)).status == 403
        # what beta wrote is beta's: alpha may delete it and nothing else
        for method, status in (("GET", 403), ("HEAD", 403), ("DELETE", 204)):
            assert (await rig.ask(method, f"/{BUCKET}/new")).status == status


async def test_a_list_gives_the_own_viewers_no_more_than_everybody() -> None:
    """A project's own FULL_CONTROL in its list is not its viewers' to use; what everybody may, they may too."""
    async with opened(**OPEN) as (rig, at):
        assert at
        viewer = rig.alpha.signers[Role.VIEWER]
        write = Request(method="PUT", path=f"/{BUCKET}/new".encode()).with_body(b"x")
        assert (await rig.send(write, viewer)).status == 403
        await publish(rig)
        assert (await rig.send(write, viewer)).status == 200


@pytest.mark.parametrize("namespace", [BucketNamespace.PROJECT, BucketNamespace.ORGANISATION])
async def test_where_anonymous_requests_look(namespace: BucketNamespace) -> None:
    """In the namespace of the configured project: what is public in another one is not found there."""
    for project, found in (("org/alpha", 200), ("org/beta", 200 if namespace is BucketNamespace.ORGANISATION else 404), ("org/none", 403)):
        async with opened(bucket_namespace=namespace, anonymous_project=project, **OPEN) as (rig, at):
            assert at
            await publish(rig)
            request = Request(method="GET", path=f"/{BUCKET}/{KEY}".encode())
            assert (await rig.send(request)).status == found


async def test_a_foreign_bucket_shows_what_is_granted_alone() -> None:
    """Within an organisation's names a granted object is read, and the rest of the bucket answers as a missing one."""
    async with opened(bucket_namespace=BucketNamespace.ORGANISATION, **OPEN) as (rig, at):
        assert at
        assert (await rig.ask("PUT", f"/{BUCKET}/{KEY}?acl", ("x-amz-acl", "authenticated-read"))).status == 200
        answers = {
            path: (await rig.send(Request(method="GET", path=f"/{BUCKET}{path}".encode()), rig.beta.owner)).status
            for path in (f"/{KEY}", "/large", "/missing", "")
        }
        assert answers == {f"/{KEY}": 200, "/large": 404, "/missing": 404, "": 404}
