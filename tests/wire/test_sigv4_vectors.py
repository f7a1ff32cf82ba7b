"""Signatures that others made: AWS's published examples, and botocore's over odd keys and queries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_api.signature import EMPTY_SHA256, Scope, derive_signing_key, uri_encode
from lightningstor_server.auth.canonical import join_headers
from lightningstor_server.auth.sigv4 import Signature, SignedRequest, claim, verify
from lightningstor_server.s3.chunked import ChunkedDecoder
from lightningstor_types import errors

# the example credentials of the S3 API reference
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
THEN = datetime(2013, 5, 24, tzinfo=UTC)
VIRTUAL = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z"}
STREAM = {
    "host": "s3.amazonaws.com", "x-amz-date": "20130524T000000Z", "x-amz-storage-class": "REDUCED_REDUNDANCY",
    "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "66560", "content-length": "66824",
}  # fmt: skip

ODD_KEYS = [
    "plain", "a//b", "//a", "a/", ".", "..", "a/../b", "./a", "%2F", "a%2Fb", "%", "%25", "100%", "a+b", "+", "a b",
    " ", "a  b", "ü", "u\u0308", "日本語", "😀", "=", "a=b&c=d", "~", "~user", "*", "(", "(a)", "'", "!", "@", ":", ";",
    ",", "$", "&", "?", "a?b", "#", "[", "]", "{}", "|", "\\", "^", "`", '"', "<>", "\t", "\n", "\r", "\x01", "\x7f",
    "\u202e", "soap", "-_.~", "x" * 1024,
]  # fmt: skip


def example(
    method: str, path: bytes, signed: str, signature: str, *, query: bytes = b"", headers: Mapping[str, str] = VIRTUAL, **more: str
) -> Signature:
    """Verify an example of AWS's as it stands in the documentation. Underscores in `more` stand for hyphens."""
    sent = {"x-amz-content-sha256": EMPTY_SHA256, **headers, **{name.replace("_", "-"): value for name, value in more.items()}}
    credential = f"{KEY}/20130524/us-east-1/s3/aws4_request"
    sent["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature={signature}"
    request = SignedRequest(method=method, path=path, query=query, headers=sent)
    claimed = claim(request)
    assert claimed is not None
    return verify(claimed, request, SECRET, now=THEN, region="us-east-1")


def test_get_object() -> None:
    """AWS, "Signature calculations, single chunk", example GET Object."""
    signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    example("GET", b"/test.txt", "host;range;x-amz-content-sha256;x-amz-date", signature, range="bytes=0-9")


@pytest.mark.parametrize("path", [b"/test%24file.text", b"/test$file.text"])
def test_put_object(path: bytes) -> None:
    """The same page, PUT Object; the client may leave the dollar sign bare."""
    example(
        "PUT", path, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        date="Fri, 24 May 2013 00:00:00 GMT", x_amz_storage_class="REDUCED_REDUNDANCY",
        x_amz_content_sha256=hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        (b"lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (b"lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (b"max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        (b"prefix=J&max-keys=2", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_get_bucket(query: bytes, signature: str) -> None:
    """The same page, GET Bucket Lifecycle and GET Bucket (List Objects), in any order of the query."""
    example("GET", b"/", "host;x-amz-content-sha256;x-amz-date", signature, query=query)


def test_presigned_get() -> None:
    """AWS, "Authenticating Requests: Using Query Parameters", its example, to the last second of its day."""
    query = (
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    request = SignedRequest(method="GET", path=b"/test.txt", query=query, headers={"host": "examplebucket.s3.amazonaws.com"})
    claimed = claim(request)
    assert claimed is not None
    assert verify(claimed, request, SECRET, now=THEN + timedelta(days=1), region="us-east-1").access_key == KEY


def test_signing_key() -> None:
    """The key of the examples' scope, and its text."""
    assert str(Scope("20130524", "us-east-1", "s3")) == "20130524/us-east-1/s3/aws4_request"
    key = derive_signing_key(SECRET, "20130524", "us-east-1", "s3")
    assert key.hex() == "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378"


@pytest.mark.parametrize(("raw", "encoded"), [("a b/ü~*", "a%20b%2F%C3%BC~%2A"), (b"\xff+", "%FF%2B"), ("-_.~", "-_.~")])
def test_uri_encode(raw: str | bytes, encoded: str) -> None:
    """AWS's UriEncode: unreserved characters bare, the rest in upper-case hex, the slash by choice."""
    assert uri_encode(raw, keep_slash=False) == encoded
    assert uri_encode(raw, keep_slash=True) == encoded.replace("%2F", "/")


def chunks(*signatures: str) -> bytes:
    """The body of both streaming examples: 65,536 and 1,024 times the letter a, and the empty chunk's line."""
    sizes = (65_536, 1024, 0)
    framed = [
        b"%x;chunk-signature=%s\r\n%s" % (size, signature.encode(), b"a" * size + b"\r\n" if size else b"")
        for size, signature in zip(sizes, signatures, strict=True)
    ]
    return b"".join(framed)


def test_streaming() -> None:
    """AWS, "Transferring Payload in Multiple Chunks", its example: seed, three chunks, and the length it gives."""
    signature = example(
        "PUT", b"/examplebucket/chunkObject.txt",
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        headers=STREAM, x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    )  # fmt: skip
    body = chunks(
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ) + b"\r\n"  # fmt: skip
    assert len(body) == 66_824
    decoder = ChunkedDecoder(signature.payload, signature, decoded_length=66_560)
    assert b"".join(decoder.feed(body)) == b"a" * 66_560
    decoder.finish()


def test_streaming_with_a_trailer() -> None:
    """AWS, "Including Trailing Headers", its example: seed, three chunks, the trailer and its signature."""
    signature = example(
        "PUT", b"/examplebucket/chunkObject.txt",
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        headers=STREAM, x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", x_amz_trailer="x-amz-checksum-crc32c",
    )  # fmt: skip
    body = chunks(
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    )
    trailer_signature = b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
    body += b"x-amz-checksum-crc32c:sOO8/Q==\r\n" + trailer_signature + b"\r\n"
    assert len(body) == 66_946
    decoder = ChunkedDecoder(signature.payload, signature, decoded_length=66_560, trailer_names=frozenset({"x-amz-checksum-crc32c"}))
    assert b"".join(decoder.feed(body)) == b"a" * 66_560
    decoder.finish()
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


# -- botocore -----------------------------------------


def of_botocore(method: str, url: str, *, presign: bool, body: bytes = b"", headers: Mapping[str, str] | None = None) -> SignedRequest:
    """A request as botocore signs it and puts it on the wire, with another header that it does not sign."""
    request = AWSRequest(method, url, headers=dict(headers or {}), data=body)
    request.headers["User-Agent"] = "Boto3"
    signer = S3SigV4QueryAuth if presign else S3SigV4Auth
    signer(Credentials("AK", "se/cr+et", "a/token=="), "s3", "eu-test-1").add_auth(request)
    parts = urlsplit(request.url)
    raw = [(b"Host", parts.netloc.encode()), (b"Accept-Encoding", b"identity")]
    if not presign:
        raw += [(name.encode(), value.encode() if isinstance(value, str) else value) for name, value in request.headers.items()]
    return SignedRequest(method=method, path=parts.path.encode(), query=parts.query.encode(), headers=join_headers(raw))


def check(request: SignedRequest) -> Signature:
    """Verify with the secret that `of_botocore` signs with, at the time it did."""
    claimed = claim(request)
    assert claimed is not None
    assert claimed.session_token == "a/token=="
    return verify(claimed, request, "se/cr+et", now=datetime.now(UTC), region="eu-test-1")


@pytest.mark.parametrize("key", ODD_KEYS)
@pytest.mark.parametrize("presign", [False, True], ids=["header", "query"])
def test_odd_keys(key: str, *, presign: bool) -> None:
    """Whatever the key is made of, botocore's signature over it verifies, and over no other key."""
    url = f"http://s3.test:9001/bucket/{quote(key, safe='/~')}"
    request = of_botocore("GET", url, presign=presign)
    assert check(request).access_key == "AK"
    with pytest.raises(errors.SignatureDoesNotMatch):
        check(SignedRequest(method="GET", path=request.path + b"/", query=request.query, headers=request.headers))


@given(key=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), presign=st.booleans())
def test_any_key(*, key: str, presign: bool) -> None:
    """The same for any text at all."""
    assert check(of_botocore("PUT", f"http://h/b/{quote(key, safe='/~')}", presign=presign)).access_key == "AK"


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), st.text(max_size=6)), max_size=5))
def test_any_query(parameters: list[tuple[str, str]]) -> None:
    """Whatever a query holds, repeated names and empty values too, botocore's signature over it verifies."""
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~', errors='replace')}" for name, value in parameters)
    assert check(of_botocore("GET", f"http://h/b?{query}", presign=False)).access_key == "AK"


@pytest.mark.parametrize("presign", [False, True], ids=["header", "query"])
def test_list_query(*, presign: bool) -> None:
    """A listing's query verifies with reserved characters in it."""
    query = "list-type=2&prefix=a%2Fb%2Bc%20d%3D&delimiter=%2F&encoding-type=url&continuation-token=1%2F%2B%3D%3D"
    assert check(of_botocore("GET", f"http://h/b?{query}", presign=presign)).access_key == "AK"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, hashlib.sha256(b"body").hexdigest()),
        ({"x-amz-meta-a": "  two  words\t", "x-amz-acl": "private", "content-type": "text/plain; charset=utf-8"}, None),
        ({"content-md5": "hBotaJrKa9FhFEdFPCLG/A==", "x-amz-tagging": "a=b&c=d%20e"}, None),
    ],
)
def test_headers_and_body(headers: dict[str, str], text: str | None) -> None:
    """Headers with odd space verify, and the payload hash is the body's."""
    signature = check(of_botocore("PUT", "http://h/b/k", presign=False, body=b"body", headers=headers))
    assert signature.payload.text == (text or hashlib.sha256(b"body").hexdigest())


@pytest.mark.parametrize("name", ["x-amz-copy-source", "x-amz-acl", "x-amz-meta-a"])
def test_header_added_to_a_presigned_put(name: str) -> None:
    """The bug class of 2026: a header put on another's presigned PUT is refused."""
    request = of_botocore("PUT", "http://h/b/k", presign=True)
    with pytest.raises(errors.AccessDenied, match="not signed"):
        check(SignedRequest(method="PUT", path=request.path, query=request.query, headers={**request.headers, name: "/b/secret"}))
