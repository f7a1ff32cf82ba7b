"""Bucket and key, read once from the raw path and the host."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from lightningstor_server.s3.address import Address, decoded, parse_address
from lightningstor_server.service.operation import Target
from lightningstor_types.errors import InvalidURI

DOMAINS = ("s3.test", "s3.eu.test")


@given(bucket=strategies.keys.filter(lambda name: "/" not in name), key=strategies.keys, safe=st.sampled_from(["", "/", "/~!$&'()*+,;=:@"]))
def test_decoding_inverts_encoding(bucket: str, key: str, safe: str) -> None:
    """Whatever bucket and key are, and however much of them is percent-encoded, they are read back."""
    path = f"/{quote(bucket, safe='')}/{quote(key, safe=safe)}".encode()
    assert parse_address(path, "127.0.0.1", DOMAINS) == Address(Target.OBJECT, bucket, key)
    assert parse_address(b"/" + quote(key, safe=safe).encode(), "bucket.s3.test", DOMAINS) == Address(Target.OBJECT, "bucket", key)


@given(strategies.keys)
def test_every_byte_may_be_escaped(key: str) -> None:
    """An escape of a byte and the byte itself are the same."""
    escaped = "".join(f"%{byte:02x}" for byte in key.encode()).encode()
    assert decoded(escaped) == decoded(escaped.upper()) == decoded(quote(key, safe="").encode()) == key


@given(st.binary(max_size=30))
def test_any_bytes_are_text_or_refused(raw: bytes) -> None:
    """Any bytes are UTF-8 behind their escapes, or InvalidURI; nothing is replaced and nothing else is raised."""
    try:
        text = decoded(raw)
    except InvalidURI:
        return
    assert "\ufffd" not in text or b"%" in raw or "\ufffd".encode() in raw
    assert decoded(quote(text, safe="").encode()) == text


MALFORMED = [b"%", b"%4", b"a%", b"%zz", b"%-1", b"% 1", b"%u0041", b"%ff", b"\xff", b"%c0%80", b"%ed%a0%80", b"%F4%90%80%80"]


@pytest.mark.parametrize("raw", MALFORMED)
def test_malformed(raw: bytes) -> None:
    """A malformed escape, and bytes that are no UTF-8 (overlong, surrogate, beyond Unicode), are InvalidURI."""
    with pytest.raises(InvalidURI):
        decoded(raw)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/", Address(Target.SERVICE)),
        (b"/bucket", Address(Target.BUCKET, "bucket")),
        (b"/bucket/", Address(Target.BUCKET, "bucket")),
        (b"/bucket//", Address(Target.OBJECT, "bucket", "/")),
        (b"/bucket/key", Address(Target.OBJECT, "bucket", "key")),
        (b"/bucket/a/../b//c/.", Address(Target.OBJECT, "bucket", "a/../b//c/.")),
        (b"/bucket/%2F", Address(Target.OBJECT, "bucket", "/")),
        (b"/bucket/a%00b", Address(Target.OBJECT, "bucket", "a\0b")),
        (b"/a%2Fb/key", Address(Target.OBJECT, "a/b", "key")),
        (b"/bucket/a+b", Address(Target.OBJECT, "bucket", "a+b")),
    ],
)
def test_path_style(path: bytes, expected: Address) -> None:
    """The first segment is the bucket, the rest is the key as it stands; a plus is a plus."""
    assert parse_address(path, "s3.test", DOMAINS) == expected


@pytest.mark.parametrize("path", [b"", b"bucket", b"//", b"//key", b"http://s3.test/bucket", b"*"])
def test_no_path(path: bytes) -> None:
    """A path begins with a slash and, in path style, with a bucket."""
    with pytest.raises(InvalidURI):
        parse_address(path, "s3.test", DOMAINS)


HOSTS = {
    "bucket.s3.test": "bucket",
    "bucket.s3.test:9001": "bucket",
    "Bucket.S3.Test": "bucket",
    "a.b.s3.test": "a.b",
    "bucket.s3.eu.test": "bucket",
} | dict.fromkeys(
    ("s3.test", "s3.test:80", "xs3.test", ".s3.test", "", "localhost", "[::1]", "[::1]:9001", "bucket.s3.test.evil", "bucket.s3.test."), ""
)


@pytest.mark.parametrize(("host", "bucket"), HOSTS.items())
def test_virtual_hosted_style(host: str, bucket: str) -> None:
    """A host below one of the domains, whatever its case and port, names a bucket; any other does not."""
    expected = Address(Target.OBJECT, bucket, "a/b") if bucket else Address(Target.OBJECT, "a", "b")
    assert parse_address(b"/a/b", host, DOMAINS) == expected
    assert parse_address(b"/", host, DOMAINS) == (Address(Target.BUCKET, bucket) if bucket else Address(Target.SERVICE))
