"""Listings, against a model that sorts everything it has and knows no index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor_server.service.listing import FIRST_LOOK_ROWS, Position, after, next_start, past, walk
from lightningstor_server.service.uploads import UPLOAD_ID_RANDOM_BYTES, ordinal_of
from lightningstor_types import errors
from lightningstor_types.names import LIST_MAX_KEYS
from lightningstor_types.objects import StorageClass
from unit.service.rig import Rig, make_rig

KEYS = st.lists(st.text(st.sampled_from("ab/-\x00\U0001f600"), min_size=1, max_size=7), unique=True, max_size=40)
"""Few characters, so that prefixes and delimiters meet."""
REPEATED = st.lists(st.text(st.sampled_from("ab/"), min_size=1, max_size=3), max_size=40)
"""Keys that are there several times, as those of uploads may be."""
PREFIXES = st.text(st.sampled_from("ab/"), max_size=3)
DELIMITERS = st.sampled_from(["", "/", "//", "a/", "-", "b", "\x00", "\U0001f600", "ab/"])
LIMITS = st.integers(1, 9)
MARKERS = st.text(st.sampled_from("ab/-"), max_size=5)
PAGES_MAX: Final = 200


@attrs.frozen
class Keyed:
    """What a walk needs of an entry."""

    key: str
    ordinal: int = 0


def behind(entry: Keyed) -> Position:
    """Where a walk goes on behind an entry."""
    return entry.key.encode(), entry.ordinal


@attrs.define
class Table:
    """An index that counts what is fetched from it."""

    entries: list[Position]
    rows: int = 0
    looks: int = 0
    fetched: set[bytes] = attrs.field(factory=set)

    @classmethod
    def of(cls, keys: Sequence[str]) -> Table:
        """In the order of the bytes; a key that is there several times has several entries, at every other ordinal."""
        counts: Counter[bytes] = Counter()
        entries = []
        for key in sorted(key.encode() for key in keys):
            entries.append((key, 2 * counts[key]))
            counts[key] += 1
        return cls(entries)

    async def fetch(self, first: Position, before: bytes | None, limit: int) -> Sequence[Keyed]:
        """See `listing.Fetch`."""
        found = [entry for entry in self.entries if entry > first and (before is None or entry[0] < before)][:limit]
        self.rows += len(found)
        self.looks += 1
        self.fetched.update(key for key, _ in found)
        return [Keyed(key.decode(), ordinal) for key, ordinal in found]


def model(keys: Sequence[str], prefix: str, delimiter: str, start: bytes = b"") -> list[tuple[str, str]]:
    """Everything that a listing shows from `start` on, in order: keys and rolled-up prefixes, as (kind, name)."""
    shown = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix) or key.encode() < start:
            continue
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        shown.append(("prefix", prefix + head + delimiter) if found else ("key", key))
    return list(dict.fromkeys(shown))


def shown(result: Any) -> list[tuple[str, str]]:
    """The same of an answer. S3 gives the two apart; their common order is that of the bytes."""
    both = [("key", item.key) for item in result.objects] + [("prefix", item.prefix) for item in result.common_prefixes]
    return sorted(both, key=lambda entry: entry[1].encode())


def joined(results: Sequence[Any]) -> list[tuple[str, str]]:
    """All pages, one behind the other."""
    return [entry for result in results for entry in shown(result)]


# -- the walk


@settings(max_examples=300, deadline=None)
@given(keys=KEYS, prefix=PREFIXES, delimiter=DELIMITERS, limit=LIMITS, marker=MARKERS)
async def test_a_walk_is_the_beginning_of_the_whole(keys: list[str], prefix: str, delimiter: str, limit: int, marker: str) -> None:
    """From any start: as many entries as were asked for, and whether more follow."""
    start, table = marker.encode(), Table.of(keys)
    entries, page = await walk(table.fetch, behind, prefix=prefix, delimiter=delimiter, start=(start, -1), limit=limit)
    whole = model(keys, prefix, delimiter, start)
    found = [("key", item.key) for item in entries] + [("prefix", rolled) for rolled in page.prefixes]
    assert sorted(found, key=lambda entry: entry[1].encode()) == whole[:limit]
    assert page.truncated == (len(whole) > limit)
    assert len(page) == len(whole[:limit])
    assert page.last == (whole[:limit][-1][1] if whole else "")
    assert [item.key.encode() for item in entries] == sorted(item.key.encode() for item in entries)


@settings(max_examples=200, deadline=None)
@given(keys=KEYS, prefix=PREFIXES, delimiter=DELIMITERS, limit=LIMITS)
async def test_pages_of_a_walk_make_up_the_whole(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    """Each goes on where the last one ended; nothing is shown twice, nothing is left out."""
    gathered: list[tuple[str, str]] = []
    start, table = b"", Table.of(keys)
    for _ in range(PAGES_MAX):
        entries, page = await walk(table.fetch, behind, prefix=prefix, delimiter=delimiter, start=(start, -1), limit=limit)
        found = [("key", item.key) for item in entries] + [("prefix", rolled) for rolled in page.prefixes]
        gathered += sorted(found, key=lambda entry: entry[1].encode())
        if not page.truncated:
            break
        start = next_start(page.last, prefix, delimiter)
    assert gathered == model(keys, prefix, delimiter)


@settings(max_examples=200, deadline=None)
@given(keys=REPEATED, prefix=PREFIXES, delimiter=DELIMITERS, limit=LIMITS)
async def test_entries_of_one_key_are_walked_one_by_one(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    """A page may end between two of them, and the next goes on behind the last one: none is shown twice, none is left out."""
    gathered: list[Position] = []
    prefixes: list[str] = []
    start, table = (b"", -1), Table.of(keys)
    for _ in range(PAGES_MAX):
        entries, page = await walk(table.fetch, behind, prefix=prefix, delimiter=delimiter, start=start, limit=limit)
        gathered += map(behind, entries)
        prefixes += page.prefixes
        if not page.truncated:
            break
        assert len(page) == limit
        ends_in_entry = bool(entries) and entries[-1].key == page.last
        start = behind(entries[-1]) if ends_in_entry else (next_start(page.last, prefix, delimiter), -1)
    whole = model(keys, prefix, delimiter)
    assert gathered == [entry for entry in table.entries if ("key", entry[0].decode()) in whole]
    assert [("prefix", rolled) for rolled in prefixes] == [entry for entry in whole if entry[0] == "prefix"]


async def test_a_walk_of_nothing_asks_for_nothing() -> None:
    """A page of no entries is empty and not truncated (AWS, max-keys=0)."""
    table = Table.of(["a", "b"])
    entries, page = await walk(table.fetch, behind, prefix="", delimiter="", start=(b"", -1), limit=0)
    assert (entries, len(page), page.truncated, table.looks) == ([], 0, False, 0)


@pytest.mark.parametrize("below", [10, 10_000])
async def test_keys_below_a_prefix_are_skipped(below: int) -> None:
    """However many there are: one look at each prefix, of FIRST_LOOK_ROWS rows, and none at what lies behind those."""
    keys = [f"{folder}/{number:05}" for folder in "abcdefgh" for number in range(below)] + ["z"]
    table = Table.of(keys)
    _, page = await walk(table.fetch, behind, prefix="", delimiter="/", start=(b"", -1), limit=LIST_MAX_KEYS)
    assert page.prefixes == [f"{folder}/" for folder in "abcdefgh"]
    assert table.looks <= len(page) + 1
    assert table.rows <= (len(page) + 1) * FIRST_LOOK_ROWS
    assert all(f"{folder}/{number:05}".encode() not in table.fetched for folder in "abcdefgh" for number in range(FIRST_LOOK_ROWS, below))


async def test_a_page_costs_what_it_shows() -> None:
    """Without a delimiter one look of one row more than is shown; with one, and no prefix, not twice what is shown."""
    keys = [f"{number:05}" for number in range(20_000)]
    for delimiter, factor in (("", 1), ("/", 2)):
        for limit in (1, 10, LIST_MAX_KEYS):
            table = Table.of(keys)
            entries, page = await walk(table.fetch, behind, prefix="", delimiter=delimiter, start=(b"", -1), limit=limit)
            assert (len(entries), page.truncated) == (limit, True)
            assert table.rows <= factor * limit + FIRST_LOOK_ROWS
            assert table.looks == 1 or delimiter


async def test_keys_and_prefixes_by_turns() -> None:
    """A bucket of folders with a file between each two costs a look for each folder, not for each key of it."""
    keys = [f"{number:03}{kind}" for number in range(50) for kind in ("", *(f"/{below:02}" for below in range(80)))]
    table = Table.of(keys)
    entries, page = await walk(table.fetch, behind, prefix="", delimiter="/", start=(b"", -1), limit=LIST_MAX_KEYS)
    assert (len(entries), len(page.prefixes), page.truncated) == (50, 50, False)
    assert table.looks <= 51


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_the_bounds_are_tight(key: bytes, other: bytes) -> None:
    """Nothing lies between a key and what follows it; what is past a prefix is the first without it."""
    assert key < after(key)
    assert not key < other < after(key)
    bound = past(key)
    if other.startswith(key):
        assert bound is None or other < bound
    elif bound is not None and other > key:
        assert other >= bound


# -- the operations


async def filled(keys: Sequence[str]) -> Rig:
    """A bucket of empty objects under those keys."""
    rig = await make_rig()
    await rig.call("CreateBucket")
    for key in keys:
        await rig.put(key)
    return rig


async def pages(ask: Callable[[Any], Any], follow: Callable[[Any], Any]) -> list[Any]:
    """Answers until one is the last; `follow` gives what the next one is asked with."""
    results = [await ask(None)]
    while results[-1].truncated:
        assert len(results) < PAGES_MAX, "the pages do not end"
        results.append(await ask(follow(results[-1])))
    return results


@settings(max_examples=60, deadline=None)
@given(keys=KEYS, prefix=PREFIXES, delimiter=DELIMITERS, limit=LIMITS, start=MARKERS)
async def test_pages_by_token_make_up_the_whole(keys: list[str], prefix: str, delimiter: str, limit: int, start: str) -> None:
    """ListObjectsV2, from `start-after` on."""
    rig = await filled(keys)

    async def ask(token: str | None) -> Any:
        return await rig.call(
            "ListObjectsV2", prefix=prefix, delimiter=delimiter, start_after=start, max_keys=limit, continuation_token=token
        )

    results = await pages(ask, lambda result: result.next_continuation_token)
    assert joined(results) == model(keys, prefix, delimiter, next_start(start, prefix, delimiter))
    assert all(result.key_count == len(shown(result)) == limit for result in results[:-1])
    assert results[-1].next_continuation_token is None
    await rig.close()


@settings(max_examples=60, deadline=None)
@given(keys=KEYS, prefix=PREFIXES, delimiter=DELIMITERS, limit=LIMITS)
async def test_pages_by_marker_make_up_the_whole(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    """ListObjects: by NextMarker with a delimiter, else by the last key (AWS, ListObjects)."""
    rig = await filled(keys)

    async def ask(marker: str | None) -> Any:
        return await rig.call("ListObjects", prefix=prefix, delimiter=delimiter, max_keys=limit, marker=marker)

    def follow(result: Any) -> str:
        assert (result.next_marker is not None) == bool(delimiter)
        return result.next_marker or str(result.objects[-1].key)

    results = await pages(ask, follow)
    assert joined(results) == model(keys, prefix, delimiter)
    await rig.close()


async def test_a_listing_shows_what_was_written(rig: Rig) -> None:
    """Key, date, tag, size, class and algorithm; the owner where it was asked for."""
    etag = await rig.put("k", b"hello", storage_class=StorageClass.ONEZONE_IA)
    (plain,) = (await rig.call("ListObjectsV2")).objects
    assert (plain.key, plain.etag, plain.size, plain.owner) == ("k", etag, 5, None)
    assert (plain.last_modified, plain.storage_class) == (rig.clock.now, StorageClass.ONEZONE_IA)
    assert plain.checksum_algorithms == ("CRC64NVME",)
    (owned,) = (await rig.call("ListObjectsV2", fetch_owner=True)).objects
    (old,) = (await rig.call("ListObjects")).objects
    assert owned == old
    assert owned.owner is not None
    assert owned.owner.id == rig.caller.project.canonical_id


async def test_page_sizes_have_bounds(rig: Rig) -> None:
    """None negative; none above 1,000, whatever is asked for; none at all is an empty page."""
    await rig.put("k")
    for name in ("ListObjects", "ListObjectsV2"):
        with pytest.raises(errors.InvalidArgument):
            await rig.call(name, max_keys=-1)
        assert (await rig.call(name, max_keys=1 << 31)).max_keys == LIST_MAX_KEYS
        result = await rig.call(name, max_keys=0)
        assert (result.objects, result.truncated) == ((), False)


@pytest.mark.parametrize("token", ["", "x", "\u2603", "////", "_w=="])
async def test_a_token_that_is_none_is_refused(rig: Rig, token: str) -> None:
    """With InvalidArgument, whatever it holds; the empty one is the beginning or refused."""
    await rig.put("k")
    try:
        result = await rig.call("ListObjectsV2", continuation_token=token)
    except errors.InvalidArgument:
        return
    assert [item.key for item in result.objects] == ["k"]
    assert token == ""


# -- uploads


UPLOADS = st.lists(st.text(st.sampled_from("ab/"), min_size=1, max_size=3), max_size=14)


@settings(max_examples=60, deadline=None)
@given(keys=UPLOADS, prefix=PREFIXES, delimiter=DELIMITERS, limit=LIMITS)
async def test_pages_of_uploads_make_up_the_whole(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    """By key and then by age, several of one key among them; prefixes are rolled up as in other listings."""
    rig = await filled([])
    begun = [(key, await rig.start(key)) for key in keys]

    async def ask(markers: tuple[str, str | None] | None) -> Any:
        key, upload = markers or (None, None)
        return await rig.call(
            "ListMultipartUploads", prefix=prefix, delimiter=delimiter, max_uploads=limit, key_marker=key, upload_id_marker=upload
        )

    results = await pages(ask, lambda result: (result.next_key_marker, result.next_upload_id_marker))
    uploads = [(item.key, item.upload_id) for result in results for item in result.uploads]
    whole = model(keys, prefix, delimiter)
    assert uploads == sorted(
        ((key, upload) for key, upload in begun if ("key", key) in whole), key=lambda entry: (entry[0].encode(), begun.index(entry))
    )
    assert [("prefix", item.prefix) for result in results for item in result.common_prefixes] == [e for e in whole if e[0] == "prefix"]
    await rig.close()


@pytest.mark.parametrize("delimiter", ["", "/"])
async def test_many_uploads_of_one_key_are_all_listed(rig: Rig, delimiter: str) -> None:
    """More than one look takes; in one page and in several."""
    begun = [await rig.start("k") for _ in range(2 * FIRST_LOOK_ROWS + 3)]
    last = await rig.start("l")
    whole = await rig.call("ListMultipartUploads", delimiter=delimiter)
    assert [item.upload_id for item in whole.uploads] == [*begun, last]

    async def ask(markers: tuple[str, str | None] | None) -> Any:
        key, upload = markers or (None, None)
        return await rig.call("ListMultipartUploads", delimiter=delimiter, max_uploads=70, key_marker=key, upload_id_marker=upload)

    results = await pages(ask, lambda result: (result.next_key_marker, result.next_upload_id_marker))
    assert [item.upload_id for result in results for item in result.uploads] == [*begun, last]


async def test_a_marker_that_was_aborted_shows_nothing_twice(rig: Rig) -> None:
    """The next page goes on behind it, though it is gone."""
    begun = [await rig.start("k") for _ in range(4)]
    first = await rig.call("ListMultipartUploads", max_uploads=2)
    await rig.call("AbortMultipartUpload", key="k", upload_id=begun[1])
    second = await rig.call("ListMultipartUploads", key_marker=first.next_key_marker, upload_id_marker=first.next_upload_id_marker)
    assert [item.upload_id for item in second.uploads] == begun[2:]


@pytest.mark.parametrize("marker", ["x", "-", "zz-1", "\u2603", "fffffffffffffffffff-a", "-1-a"])
async def test_an_upload_marker_of_another_form_comes_before_all(rig: Rig, marker: str) -> None:
    """It is none of the key's uploads, so all of them are still to come; it breaks nothing."""
    begun = [await rig.start("k") for _ in range(2)]
    assert ordinal_of(marker) == -1
    found = await rig.call("ListMultipartUploads", key_marker="k", upload_id_marker=marker)
    assert [item.upload_id for item in found.uploads] == begun


async def test_an_upload_id_tells_its_place(rig: Rig) -> None:
    """It begins with the revision of the bucket that began it; the rest cannot be guessed."""
    begun = [await rig.start("k") for _ in range(20)]
    assert [ordinal_of(upload) for upload in begun] == list(range(1, 21))
    assert len({upload.partition("-")[2] for upload in begun}) == 20
    assert all(len(upload.partition("-")[2]) * 3 // 4 >= UPLOAD_ID_RANDOM_BYTES for upload in begun)


async def test_a_key_marker_alone_leaves_its_key_out(rig: Rig) -> None:
    """AWS, ListMultipartUploads: and an upload marker without a key marker is ignored."""
    uploads = {key: await rig.start(key) for key in ("a", "b", "c")}
    result = await rig.call("ListMultipartUploads", key_marker="b")
    assert [item.upload_id for item in result.uploads] == [uploads["c"]]
    result = await rig.call("ListMultipartUploads", upload_id_marker=uploads["b"])
    assert [item.upload_id for item in result.uploads] == list(uploads.values())


# -- buckets


@settings(max_examples=25, deadline=None)
@given(names=st.lists(st.text(st.sampled_from("ab1"), min_size=3, max_size=6), unique=True, max_size=12), prefix=st.text("ab", max_size=2))
async def test_pages_of_buckets_make_up_the_whole(names: list[str], prefix: str) -> None:
    """By name, those with the prefix."""
    rig = await make_rig()
    for name in names:
        await rig.call("CreateBucket", bucket=name)
    gathered, token = [], None
    while True:
        result = await rig.call("ListBuckets", prefix=prefix, max_buckets=2, continuation_token=token)
        gathered += [item.name for item in result.buckets]
        token = result.continuation_token
        if token is None:
            break
    assert gathered == sorted(name for name in names if name.startswith(prefix))
    assert all(one < other for one, other in pairwise(gathered))
    await rig.close()
