"""Organisations, projects, principals, keys and usage, as every metadata store keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from lightningstor_server.stores.errors import StoreError
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.sqlite import open_memory, open_sqlite, prepare_sqlite
from lightningstor_server.stores.metadata.values import AccessKey, Holding, Level
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.names import BucketName
from lightningstor_types.tenants import NO_QUOTA, Organisation, Principal, Project, Quota, Role

THEN = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture(params=["memory", "file"])
async def metadata(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Metadata]:
    """A store of each kind."""
    if request.param == "file":
        prepare_sqlite(tmp_path / "metadata.db")
    store = await (open_sqlite(tmp_path / "metadata.db") if request.param == "file" else open_memory())
    yield store
    await store.close()


def of(name: str, organisation: str = "acme") -> Project:
    """A project that is not entered yet."""
    return Project(
        id=0,
        organisation_id=0,
        organisation=organisation,
        name=name,
        display_name=name,
        email="",
        canonical_id=f"{organisation}/{name}",
        created=THEN,
    )


@pytest.fixture
async def project(metadata: Metadata) -> Project:
    """A project."""
    return await metadata.commit(lambda tx: tx.tenants.put_project(of("images")))


def key(project: Project, id_: str, principal: str = "alice", **changes: Any) -> AccessKey:
    """An access key."""
    plain = AccessKey(id=id_, secret=b"sealed", project=project, principal=principal, role=Role.OWNER, active=True, created=THEN)
    return attrs.evolve(plain, **changes)


async def bucket_of(metadata: Metadata, project: Project, name: str) -> Bucket:
    """A bucket that was made."""
    wanted = Bucket(
        id=0,
        name=BucketName(name),
        organisation_id=project.organisation_id,
        project_id=project.id,
        region="r",
        created=THEN,
        generation=1,
    )
    made = await metadata.commit(lambda tx: tx.buckets.create(wanted, f"p{project.id}"))
    assert made is not None
    return made


# -- organisations and projects


async def test_an_organisation_is_made_once(metadata: Metadata) -> None:
    """A name that is taken is told, and changes nothing."""
    made = await metadata.commit(lambda tx: tx.tenants.create_organisation("acme", THEN))
    assert made is not None
    assert made == Organisation(id=made.id, name="acme", created=THEN)
    assert await metadata.commit(lambda tx: tx.tenants.create_organisation("acme", THEN)) is None
    assert await metadata.read(lambda tx: tx.tenants.organisation("acme")) == made
    assert await metadata.read(lambda tx: tx.tenants.organisation("other")) is None


async def test_tenants_come_in_pages(metadata: Metadata, project: Project) -> None:
    """By name, behind a name; the projects are those of one organisation."""
    for name in ("beta", "Zeta"):
        await metadata.commit(lambda tx, name=name: tx.tenants.create_organisation(name, THEN))
    await metadata.commit(lambda tx: tx.tenants.put_project(of("backups")))
    await metadata.commit(lambda tx: tx.tenants.put_project(of("other", "beta")))

    async def names(after: str, limit: int) -> list[str]:
        return [found.name for found in await metadata.read(lambda tx: tx.tenants.organisations(after, limit))]

    assert await names("", 10) == ["Zeta", "acme", "beta"]
    assert await names("Zeta", 1) == ["acme"]
    found = await metadata.read(lambda tx: tx.tenants.projects(project.organisation_id, "", 10))
    assert [each.name for each in found] == ["backups", "images"]
    assert found[1] == project
    assert await metadata.read(lambda tx: tx.tenants.projects(project.organisation_id, "backups", 10)) == [project]


async def test_a_project_goes_with_its_people(metadata: Metadata, project: Project) -> None:
    """Its principals, keys and usage too; an id is never given again."""
    await metadata.commit(lambda tx: tx.keys.put(key(project, "KEY")))
    await metadata.commit(lambda tx: tx.tenants.remove(project))
    assert await metadata.read(lambda tx: tx.keys.get("KEY")) is None
    assert await metadata.read(lambda tx: tx.tenants.project("acme", "images")) is None
    again = await metadata.commit(lambda tx: tx.tenants.put_project(of("images")))
    assert again.id != project.id
    assert await metadata.read(lambda tx: tx.principals.page(again.id, "", 10)) == []


async def test_what_holds_something_is_not_removed(metadata: Metadata, project: Project) -> None:
    """A project with a bucket, an organisation with a project: the store refuses, whatever the rules above it say."""
    await bucket_of(metadata, project, "bucket")
    with pytest.raises(StoreError):
        await metadata.commit(lambda tx: tx.tenants.remove(project))
    organisation = Organisation(id=project.organisation_id, name="acme")
    with pytest.raises(StoreError):
        await metadata.commit(lambda tx: tx.tenants.remove(organisation))
    assert await metadata.read(lambda tx: tx.tenants.project("acme", "images")) == project


# -- principals and keys


async def test_principals(metadata: Metadata, project: Project) -> None:
    """They come by name; a new role keeps the rest, and is that of their keys."""
    sibling = await metadata.commit(lambda tx: tx.tenants.put_project(of("backups")))
    for name in ("bob", "alice"):
        await metadata.commit(lambda tx, name=name: tx.principals.put(project.id, Principal(name=name, role=Role.VIEWER, created=THEN)))
    await metadata.commit(lambda tx: tx.principals.put(sibling.id, Principal(name="carol", role=Role.OWNER)))
    await metadata.commit(lambda tx: tx.keys.put(key(project, "KEY", role=Role.VIEWER)))
    await metadata.commit(lambda tx: tx.principals.put(project.id, Principal(name="alice", role=Role.EDITOR)))
    alice = Principal(name="alice", role=Role.EDITOR, created=THEN)
    assert await metadata.read(lambda tx: tx.principals.get(project.id, "alice")) == alice
    assert await metadata.read(lambda tx: tx.principals.page(project.id, "", 10)) == [
        alice,
        Principal(name="bob", role=Role.VIEWER, created=THEN),
    ]
    assert [each.name for each in await metadata.read(lambda tx: tx.principals.page(project.id, "alice", 10))] == ["bob"]
    assert await metadata.read(lambda tx: tx.keys.get("KEY")) == key(project, "KEY", role=Role.EDITOR)
    assert await metadata.read(lambda tx: tx.principals.get(sibling.id, "alice")) is None


async def test_keys_come_by_id(metadata: Metadata, project: Project) -> None:
    """Of a project or of one principal, behind an id, as many as are wanted."""
    for id_, name in (("C", "alice"), ("A", "bob"), ("B", "alice")):
        await metadata.commit(lambda tx, id_=id_, name=name: tx.keys.put(key(project, id_, name)))

    async def ids(*arguments: Any, **named: Any) -> str:
        return "".join(found.id for found in await metadata.read(lambda tx: tx.keys.page(project.id, *arguments, **named)))

    assert await ids() == "ABC"
    assert await ids("A", 1) == "B"
    assert await ids(principal="alice") == "BC"
    assert await ids(principal="nobody") == ""
    await metadata.commit(lambda tx: tx.keys.delete("B"))
    assert await ids() == "AC"
    await metadata.commit(lambda tx: tx.principals.delete(project.id, "alice"))
    assert await ids() == "A"


async def test_whether_there_is_an_active_key(metadata: Metadata, project: Project) -> None:
    """Of the project, of one principal, of those with a role; a revoked one is none."""

    async def active(**named: Any) -> bool:
        return await metadata.read(lambda tx: tx.keys.any_active(project.id, **named))

    assert not await active()
    await metadata.commit(lambda tx: tx.keys.put(key(project, "A", "alice", role=Role.OWNER)))
    await metadata.commit(lambda tx: tx.keys.put(key(project, "B", "bob", role=Role.VIEWER, active=False)))
    assert await active()
    assert await active(role=Role.OWNER)
    assert await active(principal="alice", role=Role.OWNER)
    assert not await active(principal="bob")
    assert not await active(role=Role.VIEWER)
    await metadata.commit(lambda tx: tx.keys.put(key(project, "A", "alice", role=Role.OWNER, active=False)))
    assert not await active()


# -- usage


async def test_only_what_has_a_quota_is_told(metadata: Metadata, project: Project) -> None:
    """Of the three that a write counts for, with what they hold then; no other row is touched."""
    bucket, other = await bucket_of(metadata, project, "bucket"), await bucket_of(metadata, project, "other")
    assert await metadata.commit(lambda tx: tx.usage.add(other, Usage(objects=1, bytes=10))) == []
    await metadata.commit(lambda tx: tx.usage.limit(Level.PROJECT, project.id, Quota(objects=5)))
    await metadata.commit(lambda tx: tx.usage.limit(Level.BUCKET, bucket.id, Quota(bytes=7)))
    found = await metadata.commit(lambda tx: tx.usage.add(bucket, Usage(objects=2, bytes=3, uploads_bytes=4)))
    assert {holding.level: holding for holding in found} == {
        Level.BUCKET: Holding(level=Level.BUCKET, usage=Usage(objects=2, bytes=3, uploads_bytes=4), quota=Quota(bytes=7)),
        Level.PROJECT: Holding(level=Level.PROJECT, usage=Usage(objects=3, bytes=13, uploads_bytes=4), quota=Quota(objects=5)),
    }
    assert (await metadata.read(lambda tx: tx.usage.held(Level.BUCKET, other.id))).usage == Usage(objects=1, bytes=10)
    await metadata.commit(lambda tx: tx.usage.limit(Level.PROJECT, project.id, NO_QUOTA))
    assert (await metadata.read(lambda tx: tx.usage.held(Level.PROJECT, project.id))).quota == NO_QUOTA


async def test_buckets_are_counted_above_them(metadata: Metadata, project: Project) -> None:
    """A bucket does not count itself; what is nowhere holds nothing."""
    bucket = await bucket_of(metadata, project, "bucket")
    await metadata.commit(lambda tx: tx.usage.add(bucket, Usage(buckets=1)))
    assert await metadata.read(lambda tx: tx.usage.of(bucket)) == (Usage(), Usage(buckets=1), Usage(buckets=1))
    nowhere = await metadata.read(lambda tx: tx.usage.held(Level.BUCKET, 999))
    assert (nowhere.usage, nowhere.quota) == (Usage(), NO_QUOTA)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("quota", [Quota(objects=0), Quota(bytes=1), Quota(buckets=2)])
async def test_a_bucket_knows_whether_it_is_limited(metadata: Metadata, project: Project, level: Level, quota: Quota) -> None:
    """By its own quota, its project's or its organisation's, and not by another's."""
    sibling = await metadata.commit(lambda tx: tx.tenants.put_project(of("x", "other")))
    bucket, other = await bucket_of(metadata, project, "bucket"), await bucket_of(metadata, sibling, "bucket")
    place = {Level.BUCKET: bucket.id, Level.PROJECT: project.id, Level.ORGANISATION: project.organisation_id}[level]

    async def limited(tx: Transaction) -> list[bool]:
        found = [await tx.buckets.find(f"p{each.project_id}", "bucket") for each in (bucket, other)]
        return [each.limited for each in found if each is not None]

    assert await metadata.read(limited) == [False, False]
    await metadata.commit(lambda tx: tx.usage.limit(level, place, quota))
    assert await metadata.read(limited) == [True, False]
