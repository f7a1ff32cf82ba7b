"""From outputs to responses."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.s3.encode import Encoder, header_bytes
from lightningstor_server.s3.errors import error_response
from lightningstor_types.digests import Checksums, ETag
from lightningstor_types.errors import InternalError, NoSuchKey, NotModified
from lightningstor_types.objects import Object, ObjectMetadata
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.listing import EncodingType, ListObjectsV2Result
from lightningstor_types.operations.objects import GetObjectResult, PutObjectResult
from lightningstor_types.streams import BytesStream

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(content_range: str | None = None, **metadata: object) -> GetObjectResult:
    """What a read gives."""
    item = Object(key="k", size=4, etag=ETag("a"), last_modified=WHEN, metadata=ObjectMetadata(**metadata))  # type: ignore[arg-type]
    return GetObjectResult(object=item, content_length=4, content_range=content_range, body=BytesStream(b"body"))


def test_only_what_is_there_is_told() -> None:
    """A field that is None has no header; a result without a document has an empty body."""
    response = Encoder(PutObjectResult).encode(PutObjectResult(etag=ETag("a"), checksums=Checksums(crc32="b")), 200)
    assert response.headers == [(b"etag", b'"a"'), (b"x-amz-checksum-crc32", b"b")]
    assert (response.status, response.body) == (200, b"")
    assert Encoder(Empty).encode(Empty(), 204).status == 204


def test_a_range_is_partial_content() -> None:
    """206 where there is a Content-Range, and the body is handed on as it is."""
    encoder = Encoder(GetObjectResult)
    whole, part = read(), read("bytes 0-3/9")
    assert encoder.encode(whole, 200).status == 200
    assert encoder.encode(part, 200).status == 206
    assert encoder.encode(part, 200).body is part.body
    assert (b"content-range", b"bytes 0-3/9") in encoder.encode(part, 200).headers


def test_metadata_that_no_header_can_hold_are_counted() -> None:
    """User metadata with a name or a value that is none is left out and counted (AWS, GetObject, x-amz-missing-meta)."""
    user = {"a": "1", "b c": "2", "Upper": "3", "x\r\ny": "4", "d": "5\r\nx: y", "": "6", "e": "ü"}
    headers = dict(Encoder(GetObjectResult).encode(read(user=user), 200).headers)
    assert (headers[b"x-amz-meta-a"], headers[b"x-amz-meta-e"]) == (b"1", "ü".encode())
    assert headers[b"x-amz-missing-meta"] == b"5"
    assert not any(b"\r" in name + value for name, value in headers.items())


def test_names_are_encoded_where_the_result_says_so() -> None:
    """encoding-type=url in the result, and not in the request alone, decides."""
    result = {"name": "b", "prefix": "ü", "key_count": 0, "max_keys": 1, "truncated": False}
    encoder = Encoder(ListObjectsV2Result)
    plain = encoder.encode(ListObjectsV2Result(**result), 200).body
    encoded = encoder.encode(ListObjectsV2Result(**result, encoding_type=EncodingType.URL), 200).body
    assert isinstance(plain, bytes)
    assert isinstance(encoded, bytes)
    assert "<Prefix>ü</Prefix>".encode() in plain
    assert b"<Prefix>%C3%BC</Prefix>" in encoded


@given(st.text(st.characters(codec="utf-8")))
def test_header_values(text: str) -> None:
    """Any text is its UTF-8 without the space around it, or, with control characters, nothing at all."""
    try:
        value = header_bytes(text)
    except InternalError:
        assert any(ord(character) < 0x20 or character == "\x7f" for character in text)
        return
    assert value.decode() == text.strip(" \t")
    assert not set(value) & (set(range(9)) | set(range(10, 32)) | {127})


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "\x00", "a\r\nset-cookie: b", "\x0b", "\x7f"])
def test_header_values_that_would_be_two(text: str) -> None:
    """A value that could end its header is never sent."""
    with pytest.raises(InternalError):
        header_bytes(text)


def test_errors() -> None:
    """An error is escaped, and told without a body to HEAD and with 304."""
    error = NoSuchKey("<&>", Key="\r")
    told = error_response(error, resource="/b/<k>", request_id="ID", head=False)
    assert told.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>&lt;&amp;&gt;</Message><Key>&#13;</Key>'
        b"<Resource>/b/&lt;k&gt;</Resource><RequestId>ID</RequestId></Error>"
    )
    head = error_response(error, resource="/", request_id="ID", head=True)
    assert (head.status, head.body, head.headers) == (404, b"", [])
    unchanged = error_response(NotModified(ETag="a"), resource="/", request_id="ID", head=False)
    assert (unchanged.status, unchanged.body, unchanged.headers) == (304, b"", [(b"etag", b'"a"')])


@given(st.text())
def test_any_text_in_an_error(text: str) -> None:
    """Whatever comes from a request, an error tells it in a document that a parser reads."""
    told = error_response(NoSuchKey(text, Key=text), resource=text, request_id="ID", head=False)
    assert isinstance(told.body, bytes)
    root = ET.fromstring(told.body)  # noqa: S314 - our own text
    assert [child.tag for child in root] == ["Code", "Message", "Key", "Resource", "RequestId"]
