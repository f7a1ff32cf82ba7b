"""Digests: golden vectors, what senders claim, and how the digests of parts compose."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.service.integrity import (
    DEFAULT_ALGORITHM,
    Claims,
    Digester,
    check_form,
    compose,
    composite_etag,
    etag_of,
    multipart_type,
)
from lightningstor_types.digests import NO_CHECKSUMS, ChecksumAlgorithm, Checksums, ChecksumType, ETag
from lightningstor_types.errors import BadDigest, InvalidDigest, InvalidRequest

CHECK: Final = b"123456789"
"""The input of every CRC's published check value."""
COMPOSITE, FULL_OBJECT = ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT
CRCS: Final = (ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME)
GOLDEN: Final = {
    # the published check values, and the FIPS 180 digests of the same nine bytes
    ChecksumAlgorithm.CRC32: "cbf43926",
    ChecksumAlgorithm.CRC32C: "e3069283",
    ChecksumAlgorithm.CRC64NVME: "ae8b14860a799888",
    ChecksumAlgorithm.SHA1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    ChecksumAlgorithm.SHA256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}
EMPTY: Final = {
    ChecksumAlgorithm.CRC32: "AAAAAA==",
    ChecksumAlgorithm.CRC32C: "AAAAAA==",
    ChecksumAlgorithm.CRC64NVME: "AAAAAAAAAAA=",
    ChecksumAlgorithm.SHA1: "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    ChecksumAlgorithm.SHA256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
}
PARTS = st.lists(st.binary(max_size=40), min_size=1, max_size=6)


def text(digest: bytes) -> str:
    """Base64, as S3 writes checksums."""
    return base64.b64encode(digest).decode()


def digest(algorithm: ChecksumAlgorithm, *runs: bytes) -> str:
    """What the digester makes of those runs."""
    digester = Digester((algorithm,))
    for run in runs:
        digester.update(run)
    value = getattr(digester.checksums(), algorithm.field)
    assert isinstance(value, str)
    return value


def both(content: bytes, algorithm: ChecksumAlgorithm) -> Digester:
    """A digester that has seen the content."""
    digester = Digester((algorithm,))
    digester.update(content)
    return digester


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_checksums_have_their_published_values(algorithm: ChecksumAlgorithm) -> None:
    """Of the check input and of nothing, big-endian, in base64; and no other checksum is there."""
    assert digest(algorithm, CHECK) == text(bytes.fromhex(GOLDEN[algorithm]))
    assert digest(algorithm) == digest(algorithm, b"") == EMPTY[algorithm]
    assert both(CHECK, algorithm).checksums() == Checksums.of(algorithm, digest(algorithm, CHECK))


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
@given(runs=PARTS)
def test_the_cut_of_the_runs_does_not_matter(algorithm: ChecksumAlgorithm, runs: list[bytes]) -> None:
    """Nor does it to the MD5 and the size."""
    digester = Digester((algorithm,))
    for run in runs:
        digester.update(run)
    whole = b"".join(runs)
    assert digester.checksums() == both(whole, algorithm).checksums()
    assert (digester.md5, digester.size) == (hashlib.md5(whole, usedforsecurity=False).digest(), len(whole))


@given(content=st.binary(max_size=200))
def test_crc32_is_zlibs(content: bytes) -> None:
    """Another implementation agrees."""
    assert digest(ChecksumAlgorithm.CRC32, content) == text(zlib.crc32(content).to_bytes(4, "big"))


def test_an_entity_tag_is_the_md5_in_hexadecimal() -> None:
    """RFC 1321's test suite: the empty string and "message digest"."""
    assert etag_of(hashlib.md5(b"", usedforsecurity=False).digest()) == "d41d8cd98f00b204e9800998ecf8427e"
    assert etag_of(hashlib.md5(b"message digest", usedforsecurity=False).digest()) == "f96b697d7cb7938d525a2f31aaf161d0"


def test_a_composite_entity_tag_is_the_md5_of_md5s() -> None:
    """The number of parts stands behind it, one part included; a part that is itself composite counts by its MD5."""
    empty = ETag("d41d8cd98f00b204e9800998ecf8427e")
    # MD5 of the 16 bytes of the MD5 of nothing, and of 32 of them
    assert composite_etag([empty]) == "59adb24ef3cdbe0297f05b395827453f-1"
    joined = hashlib.md5(bytes.fromhex(empty * 2), usedforsecurity=False).hexdigest()
    assert composite_etag([empty, empty]) == composite_etag([ETag(empty + "-7"), empty]) == f"{joined}-2"


@given(parts=PARTS)
def test_composite_entity_tags_against_direct_computation(parts: list[bytes]) -> None:
    """The order of the parts matters."""
    digests = [hashlib.md5(part, usedforsecurity=False).digest() for part in parts]
    expected = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    assert composite_etag([etag_of(value) for value in digests]) == f"{expected}-{len(parts)}"


@pytest.mark.parametrize("algorithm", [algorithm for algorithm in ChecksumAlgorithm if algorithm is not ChecksumAlgorithm.CRC64NVME])
@given(parts=PARTS)
def test_a_composite_checksum_is_the_checksum_of_checksums(algorithm: ChecksumAlgorithm, parts: list[bytes]) -> None:
    """Of their binary forms, with the number of parts behind it."""
    sums = [(Checksums.of(algorithm, digest(algorithm, part)), len(part)) for part in parts]
    outer = digest(algorithm, b"".join(base64.b64decode(digest(algorithm, part)) for part in parts))
    assert compose(algorithm, COMPOSITE, sums) == Checksums.of(algorithm, f"{outer}-{len(parts)}")


@pytest.mark.parametrize("algorithm", CRCS)
@given(parts=PARTS)
def test_a_full_object_checksum_is_that_of_all_bytes(algorithm: ChecksumAlgorithm, parts: list[bytes]) -> None:
    """Combined from the parts' own without their bytes, empty parts among them."""
    sums = [(Checksums.of(algorithm, digest(algorithm, part)), len(part)) for part in parts]
    assert compose(algorithm, FULL_OBJECT, sums) == Checksums.of(algorithm, digest(algorithm, b"".join(parts)))


@pytest.mark.parametrize("algorithm", CRCS)
def test_a_full_object_checksum_of_large_parts(algorithm: ChecksumAlgorithm) -> None:
    """Sizes beyond 32 bits combine: 10,000 parts of 5 GiB of zeros, by doubling, equal one shift by their sum."""
    zero = Checksums.of(algorithm, EMPTY[algorithm])
    head = Checksums.of(algorithm, digest(algorithm, CHECK))
    size = 5 << 30
    many = compose(algorithm, FULL_OBJECT, [(head, len(CHECK)), *[(zero, size)] * 16])
    assert many == compose(algorithm, FULL_OBJECT, [(head, len(CHECK)), (zero, 16 * size)])


@pytest.mark.parametrize("type_", ChecksumType)
def test_nothing_is_composed_where_a_part_lacks_its_checksum(type_: ChecksumType) -> None:
    """Rather no checksum than a wrong one."""
    sums = [(Checksums(crc32="AAAAAA=="), 0), (Checksums(crc32c="AAAAAA=="), 0)]
    assert compose(ChecksumAlgorithm.CRC32, type_, sums) is None


@pytest.mark.parametrize("algorithm", [ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256])
def test_a_hash_has_no_full_object_form(algorithm: ChecksumAlgorithm) -> None:
    """It cannot be combined."""
    assert compose(algorithm, FULL_OBJECT, [(Checksums.of(algorithm, EMPTY[algorithm]), 0)]) is None


@pytest.mark.parametrize(
    ("algorithm", "default", "other"),
    [
        (ChecksumAlgorithm.CRC32, COMPOSITE, FULL_OBJECT),
        (ChecksumAlgorithm.CRC32C, COMPOSITE, FULL_OBJECT),
        (ChecksumAlgorithm.CRC64NVME, FULL_OBJECT, None),
        (ChecksumAlgorithm.SHA1, COMPOSITE, None),
        (ChecksumAlgorithm.SHA256, COMPOSITE, None),
    ],
)
def test_the_types_that_an_algorithm_can_have(algorithm: ChecksumAlgorithm, default: ChecksumType, other: ChecksumType | None) -> None:
    """The table of AWS, "Checking object integrity": what is not in it is refused."""
    assert multipart_type(algorithm, None) is multipart_type(algorithm, default) is default
    wanted = COMPOSITE if default is FULL_OBJECT else FULL_OBJECT
    if other is None:
        with pytest.raises(InvalidRequest):
            multipart_type(algorithm, wanted)
    else:
        assert multipart_type(algorithm, wanted) is other


# -- claims


def test_what_is_computed() -> None:
    """What was claimed, else what was announced for the trailer, else the default, else nothing but the MD5."""
    value = text(bytes(4))
    assert Claims.of(None, NO_CHECKSUMS, None).algorithms == (DEFAULT_ALGORITHM,)
    assert Claims.of(None, NO_CHECKSUMS, None, fallback=None).algorithms == ()
    assert Claims.of(None, NO_CHECKSUMS, ChecksumAlgorithm.SHA1).algorithms == (ChecksumAlgorithm.SHA1,)
    assert Claims.of(None, Checksums(crc32=value), None).algorithms == (ChecksumAlgorithm.CRC32,)
    assert Claims.of(None, Checksums(crc32=value), ChecksumAlgorithm.CRC32).algorithms == (ChecksumAlgorithm.CRC32,)


@pytest.mark.parametrize("md5", ["", "AAAA", "not base64!", "é", text(bytes(15)), text(bytes(17)), text(bytes(16))[:-1], "0" * 32])
def test_a_content_md5_that_is_none_is_refused(md5: str) -> None:
    """Before the body: base64 of 16 bytes, or InvalidDigest."""
    with pytest.raises(InvalidDigest):
        Claims.of(md5, NO_CHECKSUMS, None)


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_a_checksum_of_another_size_is_refused(algorithm: ChecksumAlgorithm) -> None:
    """Before the body, and in the trailer; a composite one is none of a body."""
    size = len(base64.b64decode(EMPTY[algorithm]))
    check_form(Checksums.of(algorithm, EMPTY[algorithm]))
    for value in ("", "x", "é", text(bytes(size - 1)), text(bytes(size + 1)), EMPTY[algorithm] + "-1"):
        with pytest.raises(InvalidRequest):
            Claims.of(None, Checksums.of(algorithm, value), None)
        with pytest.raises(InvalidRequest):
            Claims.of(None, NO_CHECKSUMS, algorithm).verify(Digester((algorithm,)), Checksums.of(algorithm, value))


def test_several_checksums_are_refused() -> None:
    """AWS takes one; and it must be of the algorithm that was announced."""
    with pytest.raises(InvalidRequest):
        Claims.of(None, Checksums(crc32=text(bytes(4)), crc32c=text(bytes(4))), None)
    with pytest.raises(InvalidRequest):
        Claims.of(None, Checksums(crc32=text(bytes(4))), ChecksumAlgorithm.CRC32C)


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
@given(content=st.binary(max_size=50), other=st.binary(max_size=50))
def test_a_claim_holds_for_its_bytes_alone(algorithm: ChecksumAlgorithm, content: bytes, other: bytes) -> None:
    """In the header, in the trailer and as Content-MD5; what is kept is what was computed."""
    checksums = Checksums.of(algorithm, digest(algorithm, content))
    md5 = text(hashlib.md5(content, usedforsecurity=False).digest())
    in_header, in_trailer = Claims.of(md5, checksums, None), Claims.of(None, NO_CHECKSUMS, algorithm)
    assert in_header.verify(both(content, algorithm), NO_CHECKSUMS) == checksums
    assert in_trailer.verify(both(content, algorithm), checksums) == checksums
    if other != content:
        for claims, trailer in (
            (in_header, NO_CHECKSUMS),
            (in_trailer, checksums),
            (Claims.of(md5, NO_CHECKSUMS, algorithm), NO_CHECKSUMS),
        ):
            with pytest.raises(BadDigest):
                claims.verify(both(other, algorithm), trailer)


def test_a_trailer_that_was_not_announced_is_refused() -> None:
    """Its algorithm was not computed, so it cannot be verified, so it is not taken."""
    with pytest.raises(InvalidRequest):
        Claims.of(None, NO_CHECKSUMS, ChecksumAlgorithm.SHA1).verify(both(b"", ChecksumAlgorithm.SHA1), Checksums(crc32=text(bytes(4))))
