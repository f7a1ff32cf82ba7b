"""Noncurrent versions and the settings of buckets, in every metadata store; and how old stores come to have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from lightningstor_server.stores.metadata import sqlite
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.sqlite import SqliteWriter, open_memory, open_sqlite, prepare_sqlite
from lightningstor_server.stores.metadata.statements import migrations
from lightningstor_server.stores.metadata.values import NO_BODY, Version
from lightningstor_types.access import AccessControlPolicy, AclPermission, Grant, Grantee
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.digests import ETag
from lightningstor_types.names import BucketName
from lightningstor_types.objects import Object
from lightningstor_types.owners import Owner
from lightningstor_types.retention import ObjectLock, RetentionMode
from lightningstor_types.settings import BucketSettings, ObjectOwnership, Ownership, PublicAccessBlock, Versioning, VersioningStatus
from lightningstor_types.tags import Tag
from lightningstor_types.tenants import Project

NOW = datetime(2026, 3, 4, tzinfo=UTC)
OWNER = Owner(id="o/p", display_name="P")
LIST = AccessControlPolicy(
    owner=OWNER,
    grants=(
        Grant(grantee=Grantee(id="o/p", display_name="P"), permission=AclPermission.FULL_CONTROL),
        Grant(grantee=Grantee(uri="http://acs.amazonaws.com/groups/global/AllUsers"), permission=AclPermission.READ),
    ),
)
SETTINGS = BucketSettings(
    versioning=Versioning(status=VersioningStatus.SUSPENDED),
    ownership=Ownership(rule=ObjectOwnership.OBJECT_WRITER),
    acl=LIST,
    public_access_block=PublicAccessBlock(block_public_acls=True),
)


@pytest.fixture(params=["memory", "sqlite"])
async def metadata(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Metadata]:
    if request.param == "memory":
        store = await open_memory()
    else:
        prepare_sqlite(tmp_path / "meta.db")
        store = await open_sqlite(tmp_path / "meta.db")
    yield store
    await store.close()


@pytest.fixture
async def bucket(metadata: Metadata) -> Bucket:
    project = Project(id=0, organisation_id=0, organisation="o", name="p", display_name="P", email="", canonical_id="o/p")

    async def work(tx: Transaction) -> Bucket:
        owner = await tx.tenants.put_project(project)
        wanted = Bucket(
            id=0,
            name=BucketName("bucket"),
            organisation_id=owner.organisation_id,
            project_id=owner.id,
            region="r",
            created=NOW,
            generation=1,
            owner=OWNER,
        )
        made = await tx.buckets.create(wanted, "g")
        assert made is not None
        return made

    return await metadata.commit(work)


def version(revision: int, *, key: str = "k", version_id: str | None = None, body: int = 7) -> Version:
    """A version; its body is not looked at here."""
    item = Object(key=key, size=3, etag=ETag("0" * 32), last_modified=NOW, revision=revision, version_id=version_id)
    return Version(object=item, body=body)


async def enter(tx: Transaction, bucket: Bucket, *versions: Version) -> None:
    """Each supersedes the one before it."""
    for item in versions:
        await tx.history.supersede(bucket.id, item.key, item.object.revision)
        await tx.versions.insert(bucket.id, item)


FIRST, SECOND, MARKER = version(1), version(2, version_id="two"), version(3, version_id="three", body=NO_BODY)


async def test_versions_are_found_by_their_revision(metadata: Metadata, bucket: Bucket) -> None:
    """Current or not, marker or not; and the null version where it is not current."""
    await metadata.commit(lambda tx: enter(tx, bucket, FIRST, SECOND, MARKER))
    for item in (FIRST, SECOND, MARKER):
        assert await metadata.read(lambda tx, item=item: tx.history.of_revision(bucket.id, "k", item.object.revision)) == item  # type: ignore[misc]
    assert await metadata.read(lambda tx: tx.history.of_revision(bucket.id, "k", 4)) is None
    assert await metadata.read(lambda tx: tx.history.of_revision(bucket.id, "l", 1)) is None
    assert await metadata.read(lambda tx: tx.history.noncurrent_null(bucket.id, "k")) == FIRST
    assert await metadata.read(lambda tx: tx.history.latest(bucket.id, "k")) == MARKER


async def test_a_delete_marker_is_never_current(metadata: Metadata, bucket: Bucket) -> None:
    """Reads and listings of objects do not see the key; it comes back with the marker's removal."""
    await metadata.commit(lambda tx: enter(tx, bucket, FIRST, SECOND, MARKER))
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) is None
    assert await metadata.read(lambda tx: tx.versions.page(bucket.id, first=b"", before=None, limit=9)) == []

    async def undo(tx: Transaction) -> None:
        await tx.versions.remove(bucket.id, MARKER)
        await tx.history.reinstate(bucket.id, "k")

    await metadata.commit(undo)
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) == SECOND
    assert await metadata.read(lambda tx: tx.history.noncurrent_null(bucket.id, "k")) == FIRST


async def test_reinstating_changes_nothing_where_a_marker_is_the_latest(metadata: Metadata, bucket: Bucket) -> None:
    """Nor where the latest is current already."""
    other = version(4, key="l")
    await metadata.commit(lambda tx: enter(tx, bucket, FIRST, MARKER, other))

    async def again(tx: Transaction) -> None:
        await tx.history.reinstate(bucket.id, "k")
        await tx.history.reinstate(bucket.id, "l")

    await metadata.commit(again)
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) is None
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "l")) == other


async def test_pages_are_by_key_and_newest_first(metadata: Metadata, bucket: Bucket) -> None:
    """From any place on, before any key, at most so many."""
    other, last = version(4, key="k\x00"), version(5, key="l")
    await metadata.commit(lambda tx: enter(tx, bucket, FIRST, SECOND, MARKER, other, last))
    whole = [MARKER, SECOND, FIRST, other, last]

    async def page(first: bytes, older_than: int, before: bytes | None, limit: int) -> list[Version]:
        return list(
            await metadata.read(lambda tx: tx.history.page(bucket.id, first=first, older_than=older_than, before=before, limit=limit))
        )

    assert await page(b"", 1 << 62, None, 9) == whole
    assert await page(b"k", 3, None, 9) == whole[1:]
    assert await page(b"k", 2, b"l", 9) == whole[2:4]
    assert await page(b"k", 1, None, 1) == [other]
    assert await page(b"k\x00", 1 << 62, None, 9) == whole[3:]


async def test_a_list_is_kept_with_its_version(metadata: Metadata, bucket: Bucket) -> None:
    """So are its tags and its lock, and all may be replaced; the listing tells its owner."""
    lock = ObjectLock(mode=RetentionMode.GOVERNANCE, until=NOW, legal_hold=True)
    listed = attrs.evolve(FIRST, acl=LIST, tags=(Tag(key="b", value=""), Tag(key="a", value="1")), lock=lock)
    await metadata.commit(lambda tx: enter(tx, bucket, listed))
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) == listed
    (shown,) = await metadata.read(lambda tx: tx.versions.page(bucket.id, first=b"", before=None, limit=9))
    assert shown.owner == OWNER
    await metadata.commit(lambda tx: tx.versions.describe(bucket.id, FIRST))
    assert await metadata.read(lambda tx: tx.versions.current(bucket.id, "k")) == FIRST


async def test_settings_are_kept_and_removed(metadata: Metadata, bucket: Bucket) -> None:
    """Each by its name; every change counts the bucket's generation on."""

    async def put(tx: Transaction) -> None:
        for field in attrs.fields(BucketSettings):
            await tx.buckets.configure(bucket.id, field.name, getattr(SETTINGS, field.name))

    await metadata.commit(put)
    found = await metadata.read(lambda tx: tx.buckets.find("g", "bucket"))
    assert found is not None
    assert found.settings == SETTINGS
    assert found.generation == bucket.generation + len(attrs.fields(BucketSettings))
    await metadata.commit(lambda tx: tx.buckets.configure(bucket.id, "acl", None))
    found = await metadata.read(lambda tx: tx.buckets.find("g", "bucket"))
    assert found is not None
    assert found.settings == attrs.evolve(SETTINGS, acl=None)


async def test_settings_go_with_their_bucket(metadata: Metadata, bucket: Bucket) -> None:
    """The next bucket of the name has none."""

    async def work(tx: Transaction) -> Bucket | None:
        await tx.buckets.configure(bucket.id, "acl", LIST)
        assert await tx.buckets.delete(bucket.id)
        return await tx.buckets.create(bucket, "g")

    assert (await metadata.commit(work)) is not None
    found = await metadata.read(lambda tx: tx.buckets.find("g", "bucket"))
    assert found is not None
    assert found.settings == BucketSettings()


async def test_a_revision_comes_with_the_bucket_as_it_is(metadata: Metadata, bucket: Bucket) -> None:
    """Who holds an older state of it is given the newer one; who does not is given his own."""
    found = await metadata.commit(lambda tx: tx.buckets.advance(bucket))
    assert found == (1, bucket)
    await metadata.commit(lambda tx: tx.buckets.configure(bucket.id, "versioning", SETTINGS.versioning))
    found = await metadata.commit(lambda tx: tx.buckets.advance(bucket))
    assert found is not None
    assert (found[0], found[1].settings.versioning) == (2, SETTINGS.versioning)


async def test_a_store_of_the_first_format_keeps_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its objects are current null versions, its buckets are counted."""
    path = tmp_path / "meta.db"
    with monkeypatch.context() as old:
        old.setattr(sqlite, "migrations", lambda: migrations()[:1])
        prepare_sqlite(path)
    writer = SqliteWriter(path)
    writer.script("""
        INSERT INTO organisations (name) VALUES ('o');
        INSERT INTO projects (organisation, name, display_name, email, canonical_id) VALUES (1, 'p', 'P', '', 'o/p');
        INSERT INTO usage (scope, objects, bytes) VALUES ('b1', 1, 3), ('p1', 1, 3), ('o1', 1, 3);
        INSERT INTO buckets (namespace, name, organisation, project, region, created, generation, revision, labels)
            VALUES ('g', 'bucket', 1, 1, 'r', 0, 1, 5, '{}');
        INSERT INTO bodies (inline, inline_sum) VALUES (x'616263', 910901175);
        INSERT INTO versions (bucket, key, revision, delete_marker, generation, size, etag, modified, storage_class, sums, meta, body)
            VALUES (1, x'6b', 5, 0, 1, 3, 'e', 0, 'STANDARD', '', '', 1);
    """)
    writer.close()
    prepare_sqlite(path)
    store = await open_sqlite(path)
    bucket = await store.read(lambda tx: tx.buckets.find("g", "bucket"))
    assert bucket is not None
    assert (bucket.owner, bucket.settings) == (OWNER, BucketSettings())
    found = await store.read(lambda tx: tx.versions.current_with_body(bucket.id, "k"))
    assert found is not None
    assert (found[0].object.revision, found[0].object.version_id, found[1].inline) == (5, None, b"abc")
    assert [usage.objects for usage in await store.read(lambda tx: tx.usage.of(bucket))] == [1, 1, 1]
    assert (await store.read(lambda tx: tx.usage.of(bucket)))[0] == Usage(objects=1, bytes=3)
    await store.close()
