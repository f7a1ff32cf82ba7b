"""Versions of a key, against a model that keeps every one of them in a list."""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor_server.service.versions import new_version_id, revision_of
from lightningstor_types import errors
from lightningstor_types.buckets import Usage
from lightningstor_types.names import NULL_VERSION
from lightningstor_types.objects import ByteRange, CopySource
from lightningstor_types.operations.objects import ObjectIdentifier
from lightningstor_types.operations.versioning import MfaDelete
from lightningstor_types.settings import VersioningStatus
from lightningstor_types.streams import BytesStream
from unit.service.rig import BUCKET, Pieces, Rig, make_rig

ON, SUSPENDED = VersioningStatus.ENABLED, VersioningStatus.SUSPENDED
KEYS: Final = ("a", "b/1", "b/2")
STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(KEYS), st.binary(max_size=3)),
    st.tuples(st.just("delete"), st.sampled_from(KEYS), st.none()),
    st.tuples(st.just("delete version"), st.sampled_from(KEYS), st.integers(0, 5)),
    st.tuples(st.just("set"), st.none(), st.sampled_from((ON, SUSPENDED))),
)


async def versioned(status: VersioningStatus | None = ON) -> Rig:
    """A service with a bucket of that versioning."""
    rig = await make_rig()
    await rig.call("CreateBucket")
    if status is not None:
        await rig.call("PutBucketVersioning", status=status)
    return rig


@attrs.define
class Entry:
    """A version as the model has it; of a delete marker without content."""

    id: str
    content: bytes | None


@attrs.define
class Model:
    """Every key with its versions, the newest first."""

    status: VersioningStatus | None = None
    keys: dict[str, list[Entry]] = attrs.field(factory=dict)

    def add(self, key: str, id_: str, content: bytes | None) -> None:
        """Enter the newest version; a null one replaces the one before it."""
        entries = self.keys.setdefault(key, [])
        if id_ == NULL_VERSION:
            entries[:] = [entry for entry in entries if entry.id != NULL_VERSION]
        entries.insert(0, Entry(id_, content))

    def listed(self) -> list[tuple[str, str, bool, int | None]]:
        """As (key, id, whether it is the latest, size), in the listing's order."""
        return [
            (key, entry.id, place == 0, None if entry.content is None else len(entry.content))
            for key in sorted(self.keys)
            for place, entry in enumerate(self.keys[key])
        ]

    def current(self) -> dict[str, bytes]:
        """What a listing of objects shows."""
        return {key: entries[0].content for key, entries in self.keys.items() if entries and entries[0].content is not None}


async def step(rig: Rig, model: Model, name: str, key: Any, value: Any) -> None:
    """Do it to both."""
    if name == "set":
        model.status = value
        await rig.call("PutBucketVersioning", status=value)
    elif name == "put":
        shown = (await rig.call("PutObject", key=key, body=BytesStream(value))).version_id
        assert (shown is None) == (model.status is not ON), "a write tells an id of its own alone"
        model.add(key, shown or NULL_VERSION, value)
    elif name == "delete":
        result = await rig.call("DeleteObject", key=key)
        assert result.delete_marker is (None if model.status is None else True)
        assert (result.version_id is None, result.version_id == NULL_VERSION) == (model.status is None, model.status is SUSPENDED)
        if model.status is None:
            model.keys.pop(key, None)
        else:
            model.add(key, result.version_id, None)
    else:
        entries = model.keys.get(key, [])
        known = value < len(entries)
        entry = entries.pop(value) if known else Entry(new_version_id(1 << 40), b"")
        result = await rig.call("DeleteObject", key=key, version_id=entry.id)
        assert (result.version_id, result.delete_marker) == (entry.id, True if entry.content is None else None)


async def pages(rig: Rig, limit: int) -> list[tuple[str, str, bool, int | None]]:
    """All versions, page by page, as `Model.listed`."""
    found: list[tuple[str, str, bool, int | None]] = []
    marker: dict[str, str | None] = {}
    while True:
        page = await rig.call("ListObjectVersions", max_keys=limit, **marker)
        entries = [(v.key, v.version_id, v.latest, v.size) for v in page.versions]
        entries += [(m.key, m.version_id, m.latest, None) for m in page.delete_markers]
        assert len(entries) <= limit
        found += entries
        if not page.truncated:
            return found
        marker = {"key_marker": page.next_key_marker, "version_id_marker": page.next_version_id_marker}


@settings(max_examples=150)
@given(steps=st.lists(STEPS, max_size=25), limit=st.integers(1, 4))
async def test_every_version_is_as_the_model_has_it(steps: list[tuple[str, Any, Any]], limit: int) -> None:
    """Whatever is written, deleted and set in whatever order: listings, reads and counts agree with the model."""
    rig, model = await versioned(None), Model()
    for name, key, value in steps:
        await step(rig, model, name, key, value)
    whole = model.listed()
    assert sorted(await pages(rig, limit)) == sorted(whole)
    listed = await rig.call("ListObjectVersions")
    assert [(v.key, v.version_id) for v in listed.versions] == [(key, id_) for key, id_, _, size in whole if size is not None]
    assert [(m.key, m.version_id) for m in listed.delete_markers] == [(key, id_) for key, id_, _, size in whole if size is None]
    assert {item.key for item in (await rig.call("ListObjectsV2")).objects} == model.current().keys()
    for key, content in model.current().items():
        assert await rig.get(key) == content
    for key, entries in model.keys.items():
        for entry in entries:
            if entry.content is not None:
                assert await rig.get(key, version_id=entry.id) == entry.content
    contents = [entry.content for entries in model.keys.values() for entry in entries if entry.content is not None]
    assert await rig.usage() == Usage(objects=len(contents), bytes=sum(map(len, contents)))
    assert await rig.is_tidy()
    await rig.close()


async def test_an_id_leads_to_its_revision() -> None:
    """And an id of another form leads to none."""
    assert revision_of(new_version_id(77)) == 77
    assert revision_of("null") is None
    assert revision_of("0" * 31 + "g") is None


async def test_an_id_with_another_tail_is_no_version() -> None:
    """The revision alone, which can be guessed, opens nothing."""
    rig = await versioned()
    await rig.put("k", b"1")
    revision = revision_of((await rig.call("HeadObject", key="k")).object.version_id)
    assert revision is not None
    with pytest.raises(errors.NoSuchVersion):
        await rig.get("k", version_id=new_version_id(revision))


async def test_a_deleted_key_says_so() -> None:
    """404 with the marker; the marker's own version is 405 and can only be deleted. AWS, "Working with delete markers"."""
    rig = await versioned()
    await rig.put("k", b"1")
    marker = (await rig.call("DeleteObject", key="k")).version_id
    for name in ("GetObject", "HeadObject"):
        with pytest.raises(errors.NoSuchKey) as absent:
            await rig.call(name, key="k")
        assert dict(absent.value.details)["x-amz-delete-marker"] == "true"
        assert dict(absent.value.details)["x-amz-version-id"] == marker
        with pytest.raises(errors.MethodNotAllowed) as refused:
            await rig.call(name, key="k", version_id=marker)
        assert dict(refused.value.details)["Allow"] == "DELETE"
    gone = await rig.call("DeleteObject", key="k", version_id=marker)
    assert (gone.version_id, gone.delete_marker) == (marker, True)
    assert await rig.get("k") == b"1"


async def test_a_key_that_never_was_has_no_marker() -> None:
    """Its absence says nothing of versions."""
    rig = await versioned()
    with pytest.raises(errors.NoSuchKey) as absent:
        await rig.get("never")
    assert "x-amz-delete-marker" not in dict(absent.value.details)


async def test_a_copy_of_a_version_brings_it_back() -> None:
    """The source is named by its id; the copy is a version of its own."""
    rig = await versioned()
    first = (await rig.call("PutObject", key="k", body=BytesStream(b"one"))).version_id
    await rig.put("k", b"two")
    result = await rig.call("CopyObject", key="k", source=CopySource(bucket=BUCKET, key="k", version_id=first))
    assert result.source_version_id == first
    assert result.version_id not in {None, first}
    assert await rig.get("k") == b"one"


async def test_a_delete_marker_is_no_source() -> None:
    """Named by its id it is a bad request; as the latest it is an absent key. AWS, CopyObject."""
    rig = await versioned()
    await rig.put("k", b"one")
    marker = (await rig.call("DeleteObject", key="k")).version_id
    with pytest.raises(errors.InvalidRequest):
        await rig.call("CopyObject", key="c", source=CopySource(bucket=BUCKET, key="k", version_id=marker))
    with pytest.raises(errors.NoSuchKey):
        await rig.call("CopyObject", key="c", source=CopySource(bucket=BUCKET, key="k"))


async def test_a_completed_upload_is_a_version() -> None:
    """Its answer, and a retry's, tell the id."""
    rig = await versioned()
    await rig.put("k", b"before")
    upload = await rig.start("k")
    part = await rig.part("k", upload, 1, b"after")
    done = await rig.complete("k", upload, part)
    again = await rig.complete("k", upload, part)
    assert done.version_id == again.version_id == (await rig.call("HeadObject", key="k")).object.version_id
    assert len((await rig.call("ListObjectVersions")).versions) == 2


async def test_a_batch_says_which_markers_came() -> None:
    """Each entry has its marker's id; deleting that version has both names of it. AWS, DeleteObjects."""
    rig = await versioned()
    await rig.put("k", b"1")
    (made,) = (await rig.call("DeleteObjects", objects=(ObjectIdentifier(key="k"),))).deleted
    assert made.delete_marker
    assert made.version_id is None
    marker = made.delete_marker_version_id
    (gone,) = (await rig.call("DeleteObjects", objects=(ObjectIdentifier(key="k", version_id=marker),))).deleted
    assert (gone.version_id, gone.delete_marker, gone.delete_marker_version_id) == (marker, True, marker)


async def test_a_condition_is_about_the_latest_version() -> None:
    """Where that is a delete marker, no entity tag and no other size is its; `*` is."""
    rig = await versioned()
    await rig.put("k", b"1")
    await rig.call("DeleteObject", key="k")
    for wrong in ({"if_match": "0" * 32}, {"if_match_size": 1}):
        with pytest.raises(errors.PreconditionFailed):
            await rig.call("DeleteObject", key="k", **wrong)
    assert (await rig.call("DeleteObject", key="k", if_match="*", if_match_size=0)).delete_marker
    await rig.call("DeleteObject", key="never", if_match="0" * 32)
    assert "never" not in {marker.key for marker in (await rig.call("ListObjectVersions")).delete_markers}


async def test_a_bucket_with_old_versions_is_not_empty() -> None:
    """A delete marker alone holds it, too."""
    rig = await versioned()
    await rig.call("DeleteObject", key="k")
    with pytest.raises(errors.BucketNotEmpty):
        await rig.call("DeleteBucket")


async def test_what_commits_goes_by_the_versioning_of_that_moment() -> None:
    """A write that was let in before versioning was turned on does not destroy the version that it replaces."""
    rig = await versioned(None)
    await rig.put("k", b"old")

    async def turn_on() -> None:
        await rig.call("PutBucketVersioning", status=ON)

    await rig.put("k", Pieces(b"n", turn_on, b"ew"))
    listed = await rig.call("ListObjectVersions")
    assert [version.size for version in listed.versions] == [3, 3]
    assert await rig.get("k", version_id=NULL_VERSION) == b"old"


async def test_listing_goes_on_behind_a_version_that_is_gone() -> None:
    """A client that deletes what it lists finds every other version."""
    rig = await versioned()
    ids = [(await rig.call("PutObject", key="k", body=BytesStream(b"%d" % n))).version_id for n in range(4)][::-1]
    page = await rig.call("ListObjectVersions", max_keys=2)
    for version in page.versions:
        await rig.call("DeleteObject", key="k", version_id=version.version_id)
    rest = await rig.call("ListObjectVersions", key_marker=page.next_key_marker, version_id_marker=page.next_version_id_marker)
    assert [version.version_id for version in rest.versions] == ids[2:]


async def test_a_version_marker_needs_its_key_and_a_form() -> None:
    """Both are InvalidArgument. AWS, ListObjectVersions."""
    rig = await versioned()
    for marker in ({"version_id_marker": "null"}, {"key_marker": "k", "version_id_marker": "nonsense"}):
        with pytest.raises(errors.InvalidArgument):
            await rig.call("ListObjectVersions", **marker)


async def test_a_range_of_an_old_version_is_read() -> None:
    """Old versions are read as current ones."""
    rig = await versioned()
    first = (await rig.call("PutObject", key="k", body=BytesStream(b"0123456789"))).version_id
    await rig.put("k", b"new")
    assert await rig.get("k", version_id=first, range=ByteRange(offset=2, limit=3)) == b"234"


async def test_versioning_takes_a_status_and_no_second_factor() -> None:
    """An empty document is malformed; what is not offered is refused and changes nothing."""
    rig = await versioned(None)
    with pytest.raises(errors.MalformedXML):
        await rig.call("PutBucketVersioning")
    with pytest.raises(errors.NotImplemented):
        await rig.call("PutBucketVersioning", status=ON, mfa_delete=MfaDelete.ENABLED)
    assert (await rig.call("GetBucketVersioning")).status is None
