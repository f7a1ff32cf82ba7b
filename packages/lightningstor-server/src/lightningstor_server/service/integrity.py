"""Digests of a body: what is computed, what the sender claimed, and how parts compose.

Law: a body whose claimed digests do not all match is refused as a whole. Source: AWS, "Checking
object integrity"; composite checksums are the digest of the parts' binary digests, with `-N`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from attrs import frozen
from awscrt import checksums as crt

from lightningstor_types.digests import ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.errors import BadDigest, InvalidDigest, InvalidRequest

DEFAULT_ALGORITHM: Final = ChecksumAlgorithm.CRC64NVME
"""What S3 computes where the sender names none (AWS, since December 2024)."""
_MD5_BYTES: Final = 16


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class _Crc:
    """A CRC with hashlib's face."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function, self._size, self._value = function, size, 0

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        """The value, big-endian."""
        return self._value.to_bytes(self._size, "big")


@frozen(kw_only=True)
class _Algorithm:
    size: int
    new: Callable[[], _Hash]
    combine: Callable[[int, int, int], int] | None
    types: tuple[ChecksumType, ...]
    """The types a multipart upload may have; the first is the default (AWS, table in "Checking object integrity")."""


_FULL, _COMPOSITE = ChecksumType.FULL_OBJECT, ChecksumType.COMPOSITE
_ALGORITHMS: Final[dict[ChecksumAlgorithm, _Algorithm]] = {
    ChecksumAlgorithm.CRC32: _Algorithm(size=4, new=lambda: _Crc(crt.crc32, 4), combine=crt.combine_crc32, types=(_COMPOSITE, _FULL)),
    ChecksumAlgorithm.CRC32C: _Algorithm(size=4, new=lambda: _Crc(crt.crc32c, 4), combine=crt.combine_crc32c, types=(_COMPOSITE, _FULL)),
    ChecksumAlgorithm.CRC64NVME: _Algorithm(size=8, new=lambda: _Crc(crt.crc64nvme, 8), combine=crt.combine_crc64nvme, types=(_FULL,)),
    ChecksumAlgorithm.SHA1: _Algorithm(size=20, new=lambda: hashlib.sha1(usedforsecurity=False), combine=None, types=(_COMPOSITE,)),
    ChecksumAlgorithm.SHA256: _Algorithm(size=32, new=hashlib.sha256, combine=None, types=(_COMPOSITE,)),
}


class Digester:
    """The MD5 of a body and its checksums, as it goes by."""

    def __init__(self, algorithms: Iterable[ChecksumAlgorithm]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sums = {algorithm: _ALGORITHMS[algorithm].new() for algorithm in algorithms}
        self.size = 0

    def update(self, data: bytes) -> None:
        """Take more bytes. Releases the interpreter's lock for long runs."""
        self.size += len(data)
        self._md5.update(data)
        for checksum in self._sums.values():
            checksum.update(data)

    @property
    def md5(self) -> bytes:
        """The MD5 of all bytes."""
        return self._md5.digest()

    def checksums(self) -> Checksums:
        """The checksums of all bytes."""
        return Checksums(**{algorithm.field: _text(checksum.digest()) for algorithm, checksum in self._sums.items()})


@frozen(kw_only=True)
class Claims:
    """What the sender says of a body before it comes."""

    md5: bytes | None
    checksums: Checksums
    algorithms: tuple[ChecksumAlgorithm, ...]
    """What to compute: what was claimed or announced, else the default."""

    @classmethod
    def of(
        cls,
        content_md5: str | None,
        checksums: Checksums,
        announced: ChecksumAlgorithm | None,
        fallback: ChecksumAlgorithm | None = DEFAULT_ALGORITHM,
    ) -> Claims:
        """Read the claims.

        Raises:
            InvalidDigest: Content-MD5 is not the base64 of 16 bytes.
            InvalidRequest: there are several checksums, or one that is malformed or of another algorithm than announced.
        """
        claimed = [algorithm for algorithm, _ in checksums.items()]
        if len(claimed) > 1:
            raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        check_form(checksums)
        if announced is not None and claimed and claimed[0] is not announced:
            raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
        md5 = None if content_md5 is None else _binary(content_md5, _MD5_BYTES)
        if content_md5 is not None and md5 is None:
            raise InvalidDigest(Content_MD5=content_md5[:64])
        algorithms = {*claimed, *((announced,) if announced else ())} or {*((fallback,) if fallback else ())}
        return cls(md5=md5, checksums=checksums, algorithms=tuple(algorithms))

    def verify(self, digester: Digester, trailer: Checksums) -> Checksums:
        """Compare all claims with what came; returns the checksums to keep.

        Raises:
            BadDigest: one does not match.
            InvalidRequest: the trailer has a checksum that was not announced, or one that is malformed.
        """
        if self.md5 is not None and self.md5 != digester.md5:
            raise BadDigest(CalculatedDigest=_text(digester.md5))
        check_form(trailer)
        computed = digester.checksums()
        for algorithm, value in (*self.checksums.items(), *trailer.items()):
            found = getattr(computed, algorithm.field)
            if found is None:
                raise InvalidRequest(f"The trailer {algorithm.field} was not announced.")
            if found != value:
                raise BadDigest(f"The {algorithm} you specified did not match the calculated checksum.")
        return computed


def check_form(checksums: Checksums) -> None:
    """Refuse a checksum that is not base64 of its algorithm's size.

    Raises:
        InvalidRequest: it is not.
    """
    for algorithm, value in checksums.items():
        if _binary(value, _ALGORITHMS[algorithm].size) is None:
            raise InvalidRequest(f"Value for x-amz-checksum-{algorithm.field} header is invalid.")


def etag_of(md5: bytes) -> ETag:
    """The entity tag of a body that was written as a whole."""
    return ETag(md5.hex())


def composite_etag(parts: Sequence[ETag]) -> ETag:
    """The entity tag of a completed upload: the MD5 of the parts' MD5s, and their number."""
    joined = b"".join(bytes.fromhex(part.split("-")[0]) for part in parts)
    return ETag(f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}")


def multipart_type(algorithm: ChecksumAlgorithm, asked: ChecksumType | None) -> ChecksumType:
    """The checksum type of an upload.

    Raises:
        InvalidRequest: the algorithm cannot have the type that was asked for.
    """
    types = _ALGORITHMS[algorithm].types
    if asked is None:
        return types[0]
    if asked not in types:
        raise InvalidRequest(f"The {asked} checksum type cannot be used with the {algorithm.field} checksum algorithm.")
    return asked


def compose(algorithm: ChecksumAlgorithm, type_: ChecksumType, parts: Sequence[tuple[Checksums, int]]) -> Checksums | None:
    """The checksum of a completed upload from its parts' (checksums, size); None if a part lacks it."""
    values = [getattr(checksums, algorithm.field) for checksums, _ in parts]
    if any(value is None for value in values):
        return None
    binary = [base64.b64decode(value) for value in values]
    known = _ALGORITHMS[algorithm]
    if type_ is ChecksumType.COMPOSITE:
        outer = known.new()
        outer.update(b"".join(binary))
        return Checksums.of(algorithm, f"{_text(outer.digest())}-{len(parts)}")
    if known.combine is None:
        return None
    total = int.from_bytes(binary[0], "big")
    for value, (_, size) in zip(binary[1:], parts[1:], strict=True):
        total = known.combine(total, int.from_bytes(value, "big"), size)
    return Checksums.of(algorithm, _text(total.to_bytes(known.size, "big")))


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _binary(text: str, size: int) -> bytes | None:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == size else None
