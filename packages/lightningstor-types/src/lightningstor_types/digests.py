"""Digest values: ETags and checksums as they are spoken, and what they apply to.

Law: values only. Computing a digest is the server's and the client's work, not this package's.
Source: AWS, "Checking object integrity for data uploads in Amazon S3".
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from attrs import frozen

from lightningstor_types import wire


class ETag(str):
    """An entity tag without its quotes: the MD5 in hex, `-N` behind it for N parts.

    RFC 9110 section 8.8.3; the quotes are put on and taken off where it meets the wire.
    """

    __slots__ = ()


class ChecksumAlgorithm(StrEnum):
    """The checksums that S3's clients offer, under S3's names."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"

    @property
    def field(self) -> str:
        """The name of this algorithm's field in `Checksums`."""
        return self.value.lower()


class ChecksumType(StrEnum):
    """What a multipart object's checksum covers: its bytes, or the checksums of its parts."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


_FIELDS = tuple((algorithm, algorithm.field) for algorithm in ChecksumAlgorithm)


@frozen(kw_only=True)
class Checksums:
    """The checksums of one body, each in base64 as S3 writes it (composite ones end in `-N`)."""

    crc32: Annotated[str | None, wire.header("x-amz-checksum-crc32"), wire.element("ChecksumCRC32")] = None
    crc32c: Annotated[str | None, wire.header("x-amz-checksum-crc32c"), wire.element("ChecksumCRC32C")] = None
    crc64nvme: Annotated[str | None, wire.header("x-amz-checksum-crc64nvme"), wire.element("ChecksumCRC64NVME")] = None
    sha1: Annotated[str | None, wire.header("x-amz-checksum-sha1"), wire.element("ChecksumSHA1")] = None
    sha256: Annotated[str | None, wire.header("x-amz-checksum-sha256"), wire.element("ChecksumSHA256")] = None

    def items(self) -> Iterator[tuple[ChecksumAlgorithm, str]]:
        """The checksums that are there, with their algorithms."""
        for algorithm, field in _FIELDS:
            value: str | None = getattr(self, field)
            if value is not None:
                yield algorithm, value

    @classmethod
    def of(cls, algorithm: ChecksumAlgorithm, value: str) -> Checksums:
        """A set of one."""
        return cls(**{algorithm.field: value})


NO_CHECKSUMS = Checksums()
