"""The service against a dict: whatever is asked in whatever order, both say the same.

Law: the model knows buckets, keys, bytes and parts, and nothing of chunks, revisions or rows. A
rule that expects an error says which; any other is a failure.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Any, Final, TypeVar
from unittest import mock

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lightningstor_server.service import bodies, uploads
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
STEPS: Final = 30
CHUNK_BYTES, SEGMENT_BYTES, PART_MIN_BYTES = 25_000, 10_000, 100
"""Small enough that a body of a few pages has several of each."""
BUCKETS: Final = st.sampled_from([BucketName("one"), BucketName("two"), BucketName("three")])
KEYS: Final = st.sampled_from([ObjectKey(key) for key in ("a", "a/b", "a/c", "a/c/d", "b", "a\x00", "\u2603/x")])
CONTENTS: Final = st.builds(
    _content,
    st.integers(0, 3),
    st.sampled_from([0, 1, 5, INLINE_MAX_BYTES, INLINE_MAX_BYTES + 1, CHUNK_BYTES, CHUNK_BYTES + 1, 60_000]),
)
PARTS: Final = st.builds(_content, st.integers(0, 3), st.sampled_from([0, 99, 100, 101, 30_000]))
NUMBERS: Final = st.integers(1, 4)


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
            (uploads, "PART_MIN_BYTES", PART_MIN_BYTES),
        ):
            self._stack.enter_context(mock.patch.object(module, name, value))
        self._runner = self._stack.enter_context(asyncio.Runner())
        self.rig: Rig = self.run(self.open())
        self.model: dict[str, dict[str, Item]] = {}
        self.begun: dict[str, Begun] = {}

    async def open(self) -> Rig:
        """A service on new stores."""
        return await make_rig()

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
        return sorted(upload for upload, begun in self.begun.items() if begun.answer is None)

    def missing(self, bucket: str, key: str | None = None) -> type[errors.StorError] | None:
        """The error for a bucket or a key that is not there."""
        if bucket not in self.model:
            return errors.NoSuchBucket
        return errors.NoSuchKey if key is not None and key not in self.model[bucket] else None

    # -- buckets

    @rule(bucket=BUCKETS)
    def create_bucket(self, bucket: BucketName) -> None:
        """In us-east-1 one's own may be made again."""
        self.call("CreateBucket", bucket=bucket)
        self.model.setdefault(bucket, {})

    @rule(bucket=BUCKETS)
    def delete_bucket(self, bucket: BucketName) -> None:
        """If it holds no object; its uploads go with it."""
        fails = self.missing(bucket)
        if fails is None and self.model[bucket]:
            fails = errors.BucketNotEmpty
        self.call("DeleteBucket", bucket=bucket, fails=fails)
        if fails is None:
            del self.model[bucket]
            self.begun = {upload: begun for upload, begun in self.begun.items() if begun.bucket != bucket}

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

    @rule(bucket=BUCKETS, key=KEYS, content=CONTENTS)
    def put_that_breaks(self, bucket: BucketName, key: ObjectKey, content: bytes) -> None:
        """Nothing of it is there."""
        fails = self.missing(bucket) or errors.IncompleteBody
        self.call("PutObject", bucket=bucket, key=key, body=Pieces(content, errors.IncompleteBody()), fails=fails)

    @rule(bucket=BUCKETS, key=KEYS)
    def get(self, bucket: BucketName, key: ObjectKey) -> None:
        """The bytes that were written last, with what was said of them."""
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

    @rule(bucket=BUCKETS, key=KEYS, offset=st.integers(-70_000, 70_000), limit=st.none() | st.integers(1, 70_000))
    def get_range(self, bucket: BucketName, key: ObjectKey, offset: int, limit: int | None) -> None:
        """A run of them; a suffix has no limit."""
        asked = ByteRange(offset=offset, limit=None if offset < 0 else limit)
        fails = self.missing(bucket, key)
        content = b"" if fails else self.model[bucket][key].content
        first = max(0, len(content) + offset) if offset < 0 else offset
        expected = content[first:] if asked.limit is None else content[first : first + asked.limit]
        if fails is None and expected:
            assert self.run(self.rig.get(key, bucket=bucket, range=asked)) == expected
        else:
            self.call("GetObject", bucket=bucket, key=key, range=asked, fails=fails or errors.InvalidRange)

    @rule(bucket=BUCKETS, key=KEYS)
    def delete(self, bucket: BucketName, key: ObjectKey) -> None:
        """That it is not there is no error."""
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

    @rule(bucket=BUCKETS, key=KEYS, of_bucket=BUCKETS, of=KEYS, note=st.none() | st.sampled_from("xyz"))
    def copy(self, bucket: BucketName, key: ObjectKey, of_bucket: BucketName, of: ObjectKey, note: str | None) -> None:
        """With the source's metadata or with others."""
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

    @precondition(lambda self: self.begun)
    @rule(data=st.data(), number=NUMBERS, content=PARTS)
    def part(self, data: st.DataObject, number: int, content: bytes) -> None:
        """Write a part, once more perhaps; one that comes too late is refused."""
        upload = data.draw(st.sampled_from(sorted(self.begun)))
        begun = self.begun[upload]
        fails = None if begun.answer is None else errors.NoSuchUpload
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "part_number": number}
        result = self.call("UploadPart", body=cut(content, 7_777), fails=fails, **fields)
        if fails is None:
            begun.parts[number] = (content, result.etag)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), number=NUMBERS, bucket=BUCKETS, key=KEYS)
    def part_that_is_a_copy(self, data: st.DataObject, number: int, bucket: BucketName, key: ObjectKey) -> None:
        """Of an object, or of a range of it."""
        upload = data.draw(st.sampled_from(self.running()))
        begun, fails = self.begun[upload], self.missing(bucket, key)
        content, asked = b"" if fails else self.model[bucket][key].content, None
        if content:
            first = data.draw(st.integers(0, len(content) - 1))
            length = data.draw(st.integers(1, len(content) - first))
            asked, content = ByteRange(offset=first, limit=length), content[first : first + length]
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "part_number": number, "source_range": asked}
        result = self.call("UploadPartCopy", source=CopySource(bucket=bucket, key=key), fails=fails, **fields)
        if fails is None:
            begun.parts[number] = (content, result.etag)

    @precondition(lambda self: any(self.begun[upload].parts for upload in self.running()))
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        """Of some of its parts, if all but the last are large enough."""
        upload = data.draw(st.sampled_from([upload for upload in self.running() if self.begun[upload].parts]))
        begun = self.begun[upload]
        numbers = sorted(data.draw(st.sets(st.sampled_from(sorted(begun.parts)), min_size=1)))
        contents = [begun.parts[number][0] for number in numbers]
        named = tuple(CompletedPart(number=number, etag=begun.parts[number][1]) for number in numbers)  # type: ignore[arg-type]
        fails = errors.EntityTooSmall if any(len(content) < PART_MIN_BYTES for content in contents[:-1]) else None
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "parts": named}
        answer = self.call("CompleteMultipartUpload", fails=fails, **fields)
        if fails is None:
            begun.answer, begun.named = answer, named
            sizes = tuple(map(len, contents))
            self.model[begun.bucket][begun.key] = Item(b"".join(contents), begun.note, answer.etag, sizes)

    @precondition(lambda self: len(self.running()) < len(self.begun))
    @rule(data=st.data())
    def complete_again(self, data: st.DataObject) -> None:
        """A retry gets the same answer and changes nothing."""
        upload = data.draw(st.sampled_from(sorted(set(self.begun) - set(self.running()))))
        begun = self.begun[upload]
        fields = {"bucket": begun.bucket, "key": begun.key, "upload_id": upload, "parts": begun.named}
        assert self.call("CompleteMultipartUpload", **fields) == begun.answer

    @precondition(lambda self: self.begun)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """If it is not complete."""
        upload = data.draw(st.sampled_from(sorted(self.begun)))
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
            )
        if self.model:
            assert found.project == found.organisation == total

    def teardown(self) -> None:
        """At the end everything is read once more, after a sweep."""
        try:
            self.sweep()
            for bucket, items in self.model.items():
                for key, item in items.items():
                    assert self.run(self.rig.get(key, bucket=bucket)) == item.content
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
