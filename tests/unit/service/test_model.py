"""The service against a dict: whatever is asked in whatever order, both say the same.

Law: the model knows buckets, keys, bytes and parts, and nothing of chunks, revisions or rows. A
rule that expects an error says which; any other is a failure.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from unittest import mock

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from lightningstor_server.service import bodies, completing
from lightningstor_server.service.settings import INLINE_MAX_BYTES
from lightningstor_types import errors
from lightningstor_types.buckets import Usage
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import ByteRange, CopySource, ObjectMetadata
from lightningstor_types.operations.common import WriteConditions
from lightningstor_types.operations.copying import MetadataDirective
from lightningstor_types.operations.objects import ObjectIdentifier
from lightningstor_types.uploads import CompletedPart
from unit.service.rig import Pieces, Rig, cut, make_rig

T = TypeVar("T")


@functools.cache
def _content(seed: int, size: int) -> bytes:
    """Bytes in which no run is like another."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - a pattern, no secret


EXAMPLES: Final = 200
STEPS: Final = 40
CHUNK_BYTES, SEGMENT_BYTES, PART_MIN_BYTES = 25_000, 10_000, 100
"""Small enough that a body of a few pages has several of each."""
BUCKETS: Final = st.sampled_from([BucketName("one"), BucketName("two")])
KEYS: Final = st.sampled_from([ObjectKey(key) for key in ("a", "a/b", "a/c", "a/c/d", "b", "a\x00", "\u2603/x")])
CONTENTS: Final = st.builds(
    _content,
    st.integers(0, 3),
    st.sampled_from([0, 1, 5, INLINE_MAX_BYTES, INLINE_MAX_BYTES + 1, CHUNK_BYTES, CHUNK_BYTES + 1, 60_000]),
)
PARTS: Final = st.builds(_content, st.integers(0, 3), st.sampled_from([0, 99, 100, 101, 30_000]))
NUMBERS: Final = st.integers(1, 3)


@attrs.define
class Item:
    """An object as the model has it."""

    content: bytes
    note: str
    etag: str
    part_sizes: tuple[int, ...] = ()


@attrs.define
class Begun:
    """An upload as the model has it; once it is complete it keeps its answer."""

    bucket: str
    key: str
    note: str
    parts: dict[int, tuple[bytes, str]] = attrs.field(factory=dict)
    answer: Any = None
    named: tuple[CompletedPart, ...] = ()


class Machine(RuleBasedStateMachine):
    """Rules for a service on stores in memory; a subclass may open others."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        for module, name, value in (
            (bodies, "CHUNK_BYTES", CHUNK_BYTES),
            (bodies, "SEGMENT_BYTES", SEGMENT_BYTES),
            (completing, "PART_MIN_BYTES", PART_MIN_BYTES),
        ):
            self._stack.enter_context(mock.patch.object(module, name, value))
        self._runner = self._stack.enter_context(asyncio.Runner())
        self.rig: Rig = self.run(self.started())
        self.model: dict[str, dict[str, Item]] = {}
        self.begun: dict[str, Begun] = {}

    async def open(self) -> Rig:
        """A service on new stores."""
        return await make_rig()

    async def started(self) -> Rig:
        """The same with the clock of the sweeper, which forgets completed uploads by it."""
        rig = await self.open()
        rig.clock.now = datetime.now(UTC)
        return rig

    def run(self, work: Awaitable[T]) -> T:
        """Run something to its end."""

        async def main() -> T:
            return await work

        return self._runner.run(main())

    def call(self, name: str, *, fails: type[errors.StorError] | None = None, **fields: Any) -> Any:
        """Carry out an operation that succeeds, or fails in just this way."""
        if fails is None:
            return self.run(self.rig.call(name, **fields))
        with pytest.raises(fails):
            self.run(self.rig.call(name, **fields))
        return None

    def running(self) -> list[str]:
        """The uploads that take parts."""
        return [upload for upload, begun in self.begun.items() if begun.answer is None]

    def pick(self, data: st.DataObject, uploads: Sequence[str]) -> str:
        """One of them, by its place: their ids are another's in every run."""
        return uploads[data.draw(st.integers(0, len(uploads) - 1))]

    def some(self, data: st.DataObject) -> tuple[BucketName, ObjectKey]:
        """An object's name; mostly of one that is there."""
        there = [(BucketName(bucket), ObjectKey(key)) for bucket, items in self.model.items() for key in items]
        if there and data.draw(st.sampled_from([True, True, True, False])):
            return data.draw(st.sampled_from(there))
        return data.draw(BUCKETS), data.draw(KEYS)

    def an_upload(self, data: st.DataObject) -> str:
        """One that takes parts; a new one where there is none."""
        if not self.running():
            self.start(BucketName("one") if "one" in self.model else self._any_bucket(), data.draw(KEYS), "x")
        return self.pick(data, self.running())

    def _any_bucket(self) -> BucketName:
        """One that is there."""
        if not self.model:
            self.create_bucket(BucketName("two"))
        return BucketName(min(self.model))

    def with_parts(self) -> list[str]:
        """The uploads that can be completed."""
        return [upload for upload in self.running() if self.begun[upload].parts]

    def missing(self, bucket: str, key: str | None = None) -> type[errors.StorError] | None:
        """The error for a bucket or a key that is not there."""
        if bucket not in self.model:
            return errors.NoSuchBucket
        return errors.NoSuchKey if key is not None and key not in self.model[bucket] else None

    # -- buckets

    @initialize(keys=st.sets(KEYS), contents=st.tuples(CONTENTS, CONTENTS))
    def begin(self, keys: set[ObjectKey], contents: tuple[bytes, bytes]) -> None:
        """Most histories are of buckets that hold something."""
        for bucket in (BucketName("one"), BucketName("two")):
            self.create_bucket(bucket)
        for number, key in enumerate(sorted(keys)):
            self.put(BucketName("one"), key, contents[number % 2], "x", 30_000, only_new=False)

    @rule(bucket=BUCKETS)
    def create_bucket(self, bucket: BucketName) -> None:
        """In us-east-1 one's own may be made again."""
        self.call("CreateBucket", bucket=bucket)
        self.model.setdefault(bucket, {})

    @rule(bucket=BUCKETS, again=st.sampled_from([True, True, False]))
    def delete_bucket(self, bucket: BucketName, *, again: bool) -> None:
        """If it holds no object; its uploads go with it. Mostly there is a new one at once."""
        fails = self.missing(bucket)
        if fails is None and self.model[bucket]:
            fails = errors.BucketNotEmpty
        self.call("DeleteBucket", bucket=bucket, fails=fails)
        if fails is None:
            del self.model[bucket]
            self.begun = {upload: begun for upload, begun in self.begun.items() if begun.bucket != bucket}
            if again:
                self.create_bucket(bucket)

    # -- objects

    @rule(
        bucket=BUCKETS, key=KEYS, content=CONTENTS, note=st.sampled_from("xyz"), only_new=st.booleans(), step=st.sampled_from([777, 30_000])
    )
    def put(self, bucket: BucketName, key: ObjectKey, content: bytes, note: str, step: int, *, only_new: bool) -> None:
        """Whole, or only where there is nothing."""
        fails = self.missing(bucket)
        conditions = WriteConditions(if_none_match="*" if only_new else None)
        if fails is None and only_new and key in self.model[bucket]:
            fails = errors.PreconditionFailed
        fields = {"metadata": ObjectMetadata(user={"note": note}), "conditions": conditions, "body": cut(content, step)}
        result = self.call("PutObject", bucket=bucket, key=key, fails=fails, **fields)
        if fails is None:
            self.model[bucket][key] = Item(content, note, result.etag)

    @rule(bucket=BUCKETS, keys=st.sets(KEYS))
    def put_many(self, bucket: BucketName, keys: set[ObjectKey]) -> None:
        """Something to list."""
        for key in sorted(keys):
            self.put(bucket, key, _content(0, 5), "x", 777, only_new=False)

    @rule(bucket=BUCKETS, key=KEYS, content=CONTENTS)
    def put_that_breaks(self, bucket: BucketName, key: ObjectKey, content: bytes) -> None:
        """Nothing of it is there."""
        fails = self.missing(bucket) or errors.IncompleteBody
        self.call("PutObject", bucket=bucket, key=key, body=Pieces(content, errors.IncompleteBody()), fails=fails)

    @rule(data=st.data())
    def get(self, data: st.DataObject) -> None:
        """The bytes that were written last, with what was said of them."""
        bucket, key = self.some(data)
        fails = self.missing(bucket, key)
        if fails is not None:
            self.call("GetObject", bucket=bucket, key=key, fails=fails)
            return
        item = self.model[bucket][key]
        assert self.run(self.rig.get(key, bucket=bucket)) == item.content
        head = self.call("HeadObject", bucket=bucket, key=key, part_number=1)
        assert (head.object.size, head.object.etag, head.object.metadata.user) == (len(item.content), item.etag, {"note": item.note})
        sizes = item.part_sizes or (len(item.content),)
        assert (head.content_length, head.object.parts_count) == (sizes[0], len(item.part_sizes) or None)

    @rule(data=st.data())
    def get_range(self, data: st.DataObject) -> None:
        """A run of them; a suffix has no limit."""
        bucket, key = self.some(data)
        fails = self.missing(bucket, key)
        content = b"" if fails else self.model[bucket][key].content
        offset = data.draw(st.integers(-len(content) - 1, len(content) + 1))
        asked = ByteRange(offset=offset, limit=None if offset < 0 else data.draw(st.none() | st.integers(1, len(content) + 1)))
        first = max(0, len(content) + offset) if offset < 0 else offset
        expected = content[first:] if asked.limit is None else content[first : first + asked.limit]
        if fails is None and expected:
            assert self.run(self.rig.get(key, bucket=bucket, range=asked)) == expected
        else:
            self.call("GetObject", bucket=bucket, key=key, range=asked, fails=fails or errors.InvalidRange)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """That it is not there is no error."""
        bucket, key = self.some(data)
        fails = self.missing(bucket)
        self.call("DeleteObject", bucket=bucket, key=key, fails=fails)
        if fails is None:
            self.model[bucket].pop(key, None)

    @rule(bucket=BUCKETS, keys=st.lists(KEYS, min_size=1, max_size=4))
    def delete_batch(self, bucket: BucketName, keys: list[ObjectKey]) -> None:
        """Several at once."""
        fails = self.missing(bucket)
        self.call("DeleteObjects", bucket=bucket, objects=tuple(ObjectIdentifier(key=key) for key in keys), fails=fails)
        for key in keys if fails is None else ():
            self.model[bucket].pop(key, None)

    @rule(bucket=BUCKETS, key=KEYS, data=st.data(), note=st.none() | st.sampled_from("xyz"))
    def copy(self, bucket: BucketName, key: ObjectKey, data: st.DataObject, note: str | None) -> None:
        """With the source's metadata or with others."""
        of_bucket, of = self.some(data)
        fails = self.missing(bucket) or self.missing(of_bucket, of)
        if (bucket, key) == (of_bucket, of) and note is None and fails is not errors.NoSuchBucket:
            fails = errors.InvalidRequest
        fields: dict[str, Any] = {"source": CopySource(bucket=of_bucket, key=of)}
        if note is not None:
            fields |= {"metadata": ObjectMetadata(user={"note": note}), "metadata_directive": MetadataDirective.REPLACE}
        self.call("CopyObject", bucket=bucket, key=key, fails=fails, **fields)
        if fails is None:
            source = self.model[of_bucket][of]
            self.model[bucket][key] = Item(source.content, note or source.note, source.etag)

    # -- uploads

    @rule(bucket=BUCKETS, key=KEYS, note=st.sampled_from("xyz"))
    def start(self, bucket: BucketName, key: ObjectKey, note: str) -> None:
        """Begin one."""
        fails = self.missing(bucket)
        result = self.call("CreateMultipartUpload", bucket=bucket, key=key, metadata=ObjectMetadata(user={"note": note}), fails=fails)
        if fails is None:
            self.begun[result.upload_id] = Begun(bucket, key, note)

    @rule(data=st.data(), contents=st.lists(PARTS, min_size=1, max_size=3), step=st.sampled_from([7_777, 30_000]))
    def parts(self, data: st.DataObject, contents: list[bytes], step: int) -> None:
        """Write some, some of them once more perhaps."""
        upload = self.an_upload(data)
        begun = self.begun[upload]
        for content in contents:
            number = data.draw(NUMBERS)
            fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "part_number": number}
            begun.parts[number] = (content, self.call("UploadPart", body=cut(content, step), **fields).etag)

    @precondition(lambda self: len(self.running()) < len(self.begun))
    @rule(data=st.data(), number=NUMBERS, content=PARTS)
    def part_that_comes_too_late(self, data: st.DataObject, number: int, content: bytes) -> None:
        """It is refused."""
        upload = self.pick(data, [upload for upload in self.begun if upload not in self.running()])
        begun = self.begun[upload]
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "part_number": number}
        self.call("UploadPart", body=cut(content, 7_777), fails=errors.NoSuchUpload, **fields)

    @precondition(lambda self: any(self.model.values()))
    @rule(data=st.data(), number=NUMBERS)
    def part_that_is_a_copy(self, data: st.DataObject, number: int) -> None:
        """Of an object, or of a range of it."""
        upload = self.an_upload(data)
        begun = self.begun[upload]
        bucket, key, item = data.draw(st.sampled_from([(b, k, i) for b, items in self.model.items() for k, i in items.items()]))
        content, asked = item.content, None
        if content and data.draw(st.booleans()):
            first = data.draw(st.integers(0, len(content) - 1))
            length = data.draw(st.integers(1, len(content) - first))
            asked, content = ByteRange(offset=first, limit=length), content[first : first + length]
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "part_number": number, "source_range": asked}
        result = self.call("UploadPartCopy", source=CopySource(bucket=bucket, key=key), **fields)
        begun.parts[number] = (content, result.etag)

    @precondition(lambda self: self.with_parts())
    @rule(data=st.data())
    def complete_some(self, data: st.DataObject) -> None:
        """Of some of its parts."""
        upload = self.pick(data, self.with_parts())
        self.complete(upload, sorted(data.draw(st.sets(st.sampled_from(sorted(self.begun[upload].parts)), min_size=1))))

    @precondition(lambda self: self.with_parts())
    @rule(data=st.data())
    def complete_all(self, data: st.DataObject) -> None:
        """Of all that it has."""
        upload = self.pick(data, self.with_parts())
        self.complete(upload, sorted(self.begun[upload].parts))

    def complete(self, upload: str, numbers: list[int]) -> None:
        """If all parts but the last are large enough."""
        begun = self.begun[upload]
        contents = [begun.parts[number][0] for number in numbers]
        named = tuple(CompletedPart(number=number, etag=begun.parts[number][1]) for number in numbers)  # type: ignore[arg-type]
        fails = errors.EntityTooSmall if any(len(content) < PART_MIN_BYTES for content in contents[:-1]) else None
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "parts": named}
        answer = self.call("CompleteMultipartUpload", fails=fails, **fields)
        if fails is None:
            begun.answer, begun.named = answer, named
            sizes = tuple(map(len, contents))
            self.model[begun.bucket][begun.key] = Item(b"".join(contents), begun.note, answer.etag, sizes)
            assert self.run(self.rig.get(begun.key, bucket=begun.bucket)) == b"".join(contents)

    @precondition(lambda self: len(self.running()) < len(self.begun))
    @rule(data=st.data())
    def complete_again(self, data: st.DataObject) -> None:
        """A retry gets the same answer and changes nothing."""
        upload = self.pick(data, [upload for upload in self.begun if upload not in self.running()])
        begun = self.begun[upload]
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "parts": begun.named}
        assert self.call("CompleteMultipartUpload", **fields) == begun.answer

    @precondition(lambda self: self.begun)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """If it is not complete."""
        upload = self.pick(data, list(self.begun))
        begun = self.begun[upload]
        fails = None if begun.answer is None else errors.NoSuchUpload
        self.call("AbortMultipartUpload", bucket=begun.bucket, key=begun.key, upload_id=upload, fails=fails)
        if fails is None:
            del self.begun[upload]

    # -- listing, sweeping

    @rule(
        bucket=BUCKETS,
        prefix=st.sampled_from(["", "a", "a/", "b", "\u2603"]),
        delimiter=st.sampled_from(["", "/", "c"]),
        limit=st.integers(1, 5),
    )
    def list_all(self, bucket: BucketName, prefix: str, delimiter: str, limit: int) -> None:
        """Page by page, everything is shown once and in order."""
        fails, token = self.missing(bucket), None
        if fails is not None:
            self.call("ListObjectsV2", bucket=bucket, fails=fails)
            return
        keys: list[tuple[str, int]] = []
        prefixes: list[str] = []
        while True:
            fields = {"prefix": prefix, "delimiter": delimiter, "max_keys": limit, "continuation_token": token}
            page = self.call("ListObjectsV2", bucket=bucket, **fields)
            keys += [(item.key, item.size) for item in page.objects]
            prefixes += [item.prefix for item in page.common_prefixes]
            token = page.next_continuation_token
            if token is None:
                break
        expected: list[tuple[str, int]] = []
        rolled: dict[str, None] = {}
        for key, item in sorted(self.model[bucket].items(), key=lambda entry: entry[0].encode()):
            if key.startswith(prefix):
                head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
                if found:
                    rolled[prefix + head + delimiter] = None
                else:
                    expected.append((key, len(item.content)))
        assert (keys, prefixes) == (expected, list(rolled))

    @rule(bucket=BUCKETS)
    def list_uploads(self, bucket: BucketName) -> None:
        """Those that run, and their parts."""
        fails = self.missing(bucket)
        page = self.call("ListMultipartUploads", bucket=bucket, fails=fails)
        if fails is None:
            running = {upload: self.begun[upload].key for upload in self.running() if self.begun[upload].bucket == bucket}
            assert {item.upload_id: item.key for item in page.uploads} == running
            for upload, key in running.items():
                parts = self.call("ListParts", bucket=bucket, key=key, upload_id=upload).parts
                assert {part.number: part.etag for part in parts} == {n: etag for n, (_, etag) in self.begun[upload].parts.items()}

    @rule()
    def sweep(self) -> None:
        """What nothing refers to goes, and nothing else."""
        assert self.run(self.rig.is_tidy())

    @invariant()
    def usage_is_exact(self) -> None:
        """Of every bucket, and of the project that has them all."""
        total = Usage()
        for bucket, items in self.model.items():
            waiting = [begun for begun in self.begun.values() if begun.bucket == bucket and begun.answer is None]
            expected = Usage(
                objects=len(items),
                bytes=sum(len(item.content) for item in items.values()),
                uploads_bytes=sum(len(content) for begun in waiting for content, _ in begun.parts.values()),
            )
            found = self.call("GetUsage", bucket=bucket)
            assert found.bucket == expected
            total = Usage(
                objects=total.objects + expected.objects,
                bytes=total.bytes + expected.bytes,
                uploads_bytes=total.uploads_bytes + expected.uploads_bytes,
                buckets=total.buckets + 1,
            )
        if self.model:
            assert found.project == found.organisation == total

    def teardown(self) -> None:
        """At the end everything is read once more, after a sweep; and once all is deleted, no chunk is left."""
        try:
            self.sweep()
            for bucket, items in self.model.items():
                for key, item in items.items():
                    assert self.run(self.rig.get(key, bucket=bucket)) == item.content
                    self.call("DeleteObject", bucket=bucket, key=key)
                self.call("DeleteBucket", bucket=bucket)
            self.sweep()
            assert self.run(self.rig.chunks()) == set()
        finally:
            self.run(self.rig.close())
            self._stack.close()


def test_the_service_is_the_model() -> None:
    """On stores in memory, for many histories of a few dozen steps."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
