"""Every Hypothesis strategy of the tests, once."""

from __future__ import annotations

from hypothesis import strategies as st

from asgi import Request

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
"""Keys within their limit: 40 characters have at most 160 bytes."""

xml_texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from("\t\n\r"), max_size=30).filter(
    lambda text: not {"\ufffe", "\uffff"} & set(text)
)
"""Text that XML 1.0 can hold."""

_PIECES = st.sampled_from(
    [
        b"<CompleteMultipartUpload>", b"</CompleteMultipartUpload>", b"<CreateBucketConfiguration>", b"</CreateBucketConfiguration>",
        b"<LocationConstraint>", b"</LocationConstraint>", b"<Part>", b"</Part>", b"<PartNumber>", b"</PartNumber>", b"<ETag>", b"</ETag>",
        b"1", b"<", b">", b"&amp;", b"&x;", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?", b"?>", b"<!DOCTYPE a>", b"\xff", b"\0", b" ",
    ]
)  # fmt: skip
damaged_documents = st.lists(_PIECES, min_size=1, max_size=25).map(b"".join) | st.binary(min_size=1, max_size=60)
"""Things that look like documents and are none that succeeds."""

_METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X"])
_PATHS = st.sampled_from([b"/", b"/bucket", b"/bucket/", b"/bucket/key", b"/bucket/a//b", b"//", b"", b"/nowhere/x"]) | st.binary(
    max_size=20
).map(lambda tail: b"/" + tail.replace(b"?", b"").replace(b"#", b""))
_NAMES = st.sampled_from(
    [
        "prefix", "delimiter", "marker", "max-keys", "list-type", "continuation-token", "encoding-type", "uploads", "uploadId",
        "partNumber", "versionId", "versions", "acl", "tagging", "policy", "location",
        "delete", "versioning", "response-content-type", "fetch-owner",
        "X-Amz-Expires", "X-Amz-Signature", "AWSAccessKeyId",
    ]
)  # fmt: skip
_VALUES = st.sampled_from([b"", b"1", b"0", b"-1", b"2", b"url", b"%ff", b"%", b"a+b", b"%00", b"x"]) | st.binary(max_size=8)
_QUERIES = st.lists(st.tuples(_NAMES, _VALUES), max_size=4).map(
    lambda pairs: b"&".join(name.encode() + b"=" + value for name, value in pairs)
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "x-amz-copy-source", "x-amz-meta-a",
                "content-md5", "x-amz-checksum-crc32", "x-amz-checksum-mode", "x-amz-expected-bucket-owner", "x-amz-storage-class",
                "content-encoding", "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-if-match-size", "expires", "content-type",
                "x-amz-copy-source-if-modified-since", "x-amz-metadata-directive", "host",
            ]
        ),
        st.sampled_from(["", "*", '"', "bytes=0-1", "bytes=-", "bucket/key", "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 99 Foo 0 ::", "0"])
        | st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12).map(str.strip),
    ),
    max_size=4,
    unique_by=lambda pair: pair[0],
)  # fmt: skip
_BODIES = st.sampled_from([b"", b"x", b"<Delete/>", b"<CreateBucketConfiguration/>"])

requests = st.builds(
    lambda method, path, query, headers, body: Request(method=method, path=path, query=query).with_headers(*headers).with_body(body),
    _METHODS, _PATHS, _QUERIES, _HEADERS, _BODIES,
)  # fmt: skip
"""Requests as a careless or hostile client sends them, not signed."""

moments = st.datetimes(allow_imaginary=False).map(lambda moment: moment.replace(microsecond=0))

dates = (
    st.sampled_from(["", " ", ",", "Mon", "Wed, 3 Apr 2002 12.34.56.78+0800", "2026", "20260102", "0000-00-00", "1 Jan", "9" * 50]) | _TEXT
)
"""Texts in the place of a date."""
