"""The canonical request: encoding without normalising, and headers as the wire has them."""

from __future__ import annotations

from random import Random
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.auth.canonical import (
    UNSIGNED,
    PayloadKind,
    SignedRequest,
    canonical_path,
    canonical_query,
    canonical_request,
    fold,
    join_headers,
    payload_of,
    query_pairs,
)
from lightningstor_types import errors

parameters = st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=8)), max_size=6)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (b"", "/"),
        (b"/", "/"),
        (b"/b/plain-key_1.2~3", "/b/plain-key_1.2~3"),
        (b"/b//a", "/b//a"),
        (b"/b/a//b/", "/b/a//b/"),
        (b"/b/./a/../b", "/b/./a/../b"),
        (b"/b/%2e%2e/c", "/b/../c"),
        (b"/b/a+b", "/b/a%2Bb"),
        (b"/b/a%2Bb", "/b/a%2Bb"),
        (b"/b/a=b&c;d,e:f@g$h!", "/b/a%3Db%26c%3Bd%2Ce%3Af%40g%24h%21"),
        (b"/b/(it's)*", "/b/%28it%27s%29%2A"),
        (b"/b/%7Euser", "/b/~user"),
        (b"/b/a%20b", "/b/a%20b"),
        (b"/b/%c3%bc", "/b/%C3%BC"),
        ("/b/ü".encode(), "/b/%C3%BC"),
        (b"/b/a%252Fb", "/b/a%252Fb"),
        (b"/b/a%2Fb", "/b/a/b"),
        (b"/b/%ff%00", "/b/%FF%00"),
        (b"/b/100%", "/b/100%25"),
    ],
)
def test_path(sent: bytes, canonical: str) -> None:
    """A path is decoded once and encoded again; no segment is dropped, merged or encoded twice."""
    assert canonical_path(sent) == canonical


@given(st.binary(max_size=40).filter(lambda key: key != b""))
def test_path_holds_the_key(key: bytes) -> None:
    """However a client encodes a key, the canonical path is the same and names exactly that key."""
    strict = b"/" + quote(key, safe="").encode()
    loose = b"/" + quote(key, safe="/+=~()'*:@!$&,;").encode()
    assert canonical_path(strict) == canonical_path(loose)
    assert unquote_to_bytes(canonical_path(strict)) == b"/" + key


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (b"", ""),
        (b"lifecycle", "lifecycle="),
        (b"lifecycle=", "lifecycle="),
        (b"&&a=1&", "a=1"),
        (b"b=2&a=1", "a=1&b=2"),
        (b"a=2&a=1", "a=1&a=2"),
        (b"a-b=1&a=1", "a=1&a-b=1"),
        (b"prefix=a/b", "prefix=a%2Fb"),
        (b"prefix=a+b", "prefix=a%20b"),
        (b"prefix=a%2Bb", "prefix=a%2Bb"),
        (b"prefix=a=b", "prefix=a%3Db"),
        (b"prefix=%c3%bc&%7E=~", "prefix=%C3%BC&~=~"),
        (b"X-Amz-Signature=00&a=1", "X-Amz-Signature=00&a=1"),
    ],
)
def test_query(sent: bytes, canonical: str) -> None:
    """Parameters are sorted by encoded name and value, and one without a value has the empty one."""
    assert canonical_query(sent) == canonical


def test_query_of_a_presigned_request() -> None:
    """The signature cannot be over itself: it alone is left out."""
    assert canonical_query(b"X-Amz-Signature=00&X-Amz-Date=1&x-amz-signature=2", presigned=True) == "X-Amz-Date=1&x-amz-signature=2"


@given(parameters, st.randoms(use_true_random=False))
def test_query_does_not_depend_on_order_or_encoding(pairs: list[tuple[bytes, bytes]], random: Random) -> None:
    """Two queries with the same parameters have one canonical form, and it is a fixed point."""
    strict = [quote(name, safe="") + "=" + quote(value, safe="") for name, value in pairs]
    loose = [quote(name, safe="/:@!$'()*,;") + "=" + quote(value, safe="/:@!$'()*,;=") for name, value in pairs]
    random.shuffle(loose)
    canonical = canonical_query("&".join(strict).encode())
    assert canonical_query("&".join(loose).encode()) == canonical
    assert canonical_query(canonical.encode()) == canonical
    assert canonical.split("&") == [f"{name}={value}" for name, value in sorted(query_pairs(canonical.encode()))] or not pairs


@pytest.mark.parametrize(
    ("value", "folded"),
    [("a", "a"), ("  a  ", "a"), ("\ta \t b\t", "a b"), ("a  b   c", "a b c"), ("", ""), ("a,b", "a,b"), ("\xa0a\xa0", "\xa0a\xa0")],
)
def test_fold(value: str, folded: str) -> None:
    """Space around a value goes, space within becomes one; only SP and HTAB are space (RFC 9110 section 5.6.3)."""
    assert fold(value) == folded


def test_request_keeps_the_bytes_of_header_values() -> None:
    """A value that is not ASCII is signed as the bytes that were on the wire."""
    headers = join_headers([(b"Host", b"h"), (b"X-Amz-Meta-A", "  ü  x".encode()), (b"x-amz-meta-a", b"two")])
    request = SignedRequest(method="PUT", path=b"/b/k", query=b"", headers=headers)
    text = canonical_request(request, signed=("host", "x-amz-meta-a"), payload="UNSIGNED-PAYLOAD", presigned=False)
    assert text == "PUT\n/b/k\n\nhost:h\nx-amz-meta-a:ü x,two\n\nhost;x-amz-meta-a\nUNSIGNED-PAYLOAD".encode()


def test_headers_are_joined() -> None:
    """Lists come as one value, in the order sent, under a lower-case name."""
    raw = [(b"X-Amz-Trailer", b"x-amz-checksum-crc32"), (b"x-amz-trailer", b"x-amz-checksum-sha1"), (b"Accept", b"a"), (b"accept", b"b")]
    assert join_headers(raw) == {"x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1", "accept": "a,b"}


@pytest.mark.parametrize("name", [b"x-amz-acl", b"X-Amz-Copy-Source", b"x-amz-date", b"x-amz-content-sha256", b"host", b"Authorization"])
def test_single_headers_are_not_joined(name: bytes) -> None:
    """A header with one value is refused when it comes twice, in whatever case, even with equal values."""
    with pytest.raises(errors.InvalidArgument):
        join_headers([(name, b"1"), (name.lower(), b"1")])


@pytest.mark.parametrize(
    ("value", "kind", "chunked", "signed"),
    [
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", PayloadKind.HASH, False, False),
        ("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", PayloadKind.HASH, False, False),
        ("UNSIGNED-PAYLOAD", PayloadKind.UNSIGNED, False, False),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PayloadKind.STREAMING_SIGNED, True, True),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadKind.STREAMING_SIGNED_TRAILER, True, True),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadKind.STREAMING_UNSIGNED_TRAILER, True, False),
    ],
)
def test_payload(value: str, kind: PayloadKind, *, chunked: bool, signed: bool) -> None:
    """The known values keep their text, since it was signed, and say how to read the body."""
    payload = payload_of(value)
    assert (payload.kind, payload.text, payload.chunked, payload.chunks_signed) == (kind, value, chunked, signed)
    assert payload.sha256 == (value.lower() if kind is PayloadKind.HASH else None)
    assert UNSIGNED.sha256 is None


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("", errors.InvalidArgument),
        ("unsigned-payload", errors.InvalidArgument),
        ("STREAMING-", errors.InvalidArgument),
        ("STREAMING-UNSIGNED-PAYLOAD", errors.InvalidArgument),
        ("STREAMING-AWS9-PAYLOAD", errors.InvalidArgument),
        ("0" * 63, errors.InvalidArgument),
        ("0" * 65, errors.InvalidArgument),
        ("g" * 64, errors.InvalidArgument),
        ("0" * 64 + "\n", errors.InvalidArgument),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", errors.NotImplemented),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", errors.NotImplemented),
    ],
)
def test_unknown_payload(value: str, error: type[errors.StorError]) -> None:
    """A value that is not known is an error and never a plain body."""
    with pytest.raises(error):
        payload_of(value)
