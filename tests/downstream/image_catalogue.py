"""A downstream program: a catalogue of machine images that names buckets, keys and errors, and has no client.

Law: it imports lightningstor_types and the standard library alone. `nox -s wheels` runs it in an
environment that holds the wheel and attrs, and has mypy look at it strictly.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

from attrs import frozen

from lightningstor_types.digests import NO_CHECKSUMS, Checksums, ETag
from lightningstor_types.errors import InvalidBucketName, Kind, NoSuchKey, StorError
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import Object, ObjectMetadata
from lightningstor_types.operations.objects import GetObject, PutObject
from lightningstor_types.streams import BytesStream, ByteStream


@frozen(kw_only=True)
class Image:
    """An image and where it lies."""

    bucket: BucketName
    key: ObjectKey
    etag: ETag
    built: datetime


class Zeros:
    """A body of its own making: what the types package asks of one is a Protocol."""

    trailer: Checksums = NO_CHECKSUMS

    def __init__(self, length: int) -> None:
        """Of so many bytes."""
        self.length: int | None = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """All at once."""
        yield bytes(self.length or 0)


class Catalogue:
    """The images that are known."""

    def __init__(self, bucket: str) -> None:
        """Raises InvalidBucketName."""
        self._bucket = BucketName.parse(bucket)
        self._images: dict[ObjectKey, Image] = {}

    def enter(self, found: Iterable[Object]) -> None:
        """Take over what a listing told."""
        for item in found:
            key = ObjectKey.parse(item.key)
            self._images[key] = Image(bucket=self._bucket, key=key, etag=item.etag, built=item.last_modified)

    def upload(self, name: str, body: ByteStream) -> PutObject:
        """The request that uploads an image."""
        return PutObject(bucket=self._bucket, key=ObjectKey.parse(name), metadata=ObjectMetadata(user={"kind": "image"}), body=body)

    def download(self, name: str) -> GetObject:
        """The request that reads an image. Raises NoSuchKey."""
        key = ObjectKey.parse(name)
        if key not in self._images:
            raise NoSuchKey(Key=name)
        return GetObject(bucket=self._bucket, key=key)


def again(error: StorError) -> bool:
    """Whether the same request is to be sent again: not where the store is damaged, whatever the kind says of it."""
    return error.retryable and error.kind is not Kind.DATA_LOSS


def main() -> int:
    """Use all of it once."""
    catalogue = Catalogue("images")
    catalogue.enter([Object(key="debian/13", size=3, etag=ETag("0" * 32), last_modified=datetime.now(UTC))])
    assert catalogue.download("debian/13").key == "debian/13"
    assert catalogue.upload("empty", Zeros(3)).metadata.user == {"kind": "image"}
    assert catalogue.upload("bytes", BytesStream(b"abc")).body.length == 3
    refused: list[StorError] = []
    try:
        catalogue.download("debian/12")
    except NoSuchKey as error:
        refused.append(error)
    try:
        Catalogue("Not A Bucket")
    except InvalidBucketName as error:
        refused.append(error)
    assert [(error.code, error.status, again(error)) for error in refused] == [("NoSuchKey", 404, False), ("InvalidBucketName", 400, False)]
    return 0


if __name__ == "__main__":
    sys.exit(main())
