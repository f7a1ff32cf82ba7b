"""Names, queries, headers and numbers that are none: a typed error, and nothing changed."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given

import strategies
from asgi import Request
from faces import Rig
from refusals import REUSED, refused
from samples import Furnished, sample

BAD = "AAAA"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"/bucket/" + b"x" * 1025, "KeyTooLongError"),
        (b"/bucket/" + b"%C3%BC" * 513, "KeyTooLongError"),
        (b"/bucket/%ff", "InvalidURI"),
        (b"/bucket/\xff", "InvalidURI"),
        (b"/bucket/%ed%a0%80", "InvalidURI"),
        (b"/bucket/%c0%ae", "InvalidURI"),
        (b"/bucket/%", "InvalidURI"),
        (b"/bucket/%2", "InvalidURI"),
        (b"/bucket/%zz", "InvalidURI"),
        (b"/bucket/%u0041", "InvalidURI"),
        (b"//key", "InvalidURI"),
        (b"bucket/key", "InvalidURI"),
        (b"*", "InvalidURI"),
        (b"/Bucket/key", "InvalidBucketName"),
        (b"/ab/key", "InvalidBucketName"),
        (b"/" + b"a" * 64 + b"/key", "InvalidBucketName"),
        (b"/a..b/key", "InvalidBucketName"),
        (b"/../key", "InvalidBucketName"),
        (b"/%2e%2e/key", "InvalidBucketName"),
        (b"/buck%2Fet/key", "InvalidBucketName"),
        (b"/bucket%00/key", "InvalidBucketName"),
        (b"/bucket%0a/key", "InvalidBucketName"),
        (b"/192.168.0.1/key", "InvalidBucketName"),
        (b"/%ff/key", "InvalidURI"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
async def test_bad_paths(rig: Rig, at: Furnished, method: str, path: bytes, code: str) -> None:
    """Bucket and key are names within their limits, decoded once from UTF-8, or the request is none."""
    assert at
    request = Request(method=method, path=path).with_body(b"x" if method == "PUT" else b"")
    await refused(rig, request, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (b"prefix=%ff", "InvalidURI"),
        (b"prefix=%zz", "InvalidURI"),
        (b"prefix=%", "InvalidURI"),
        (b"%ff=a", "InvalidURI"),
        (b"delimiter=%ed%a0%80", "InvalidURI"),
        (b"prefix=a&prefix=b", "InvalidArgument"),
        (b"prefix=a&pref%69x=a", "InvalidArgument"),
        (b"max-keys=-1", "InvalidArgument"),
        (b"max-keys=x", "InvalidArgument"),
        (b"max-keys=1.5", "InvalidArgument"),
        (b"max-keys=%D9%A3", "InvalidArgument"),
        (b"max-keys=" + b"9" * 5000, "InvalidArgument"),
        (b"encoding-type=base64", "InvalidArgument"),
        (b"list-type=2&continuation-token=%3F", "InvalidArgument"),
        (b"list-type=2&continuation-token=gA==", "InvalidArgument"),
        (b"list-type=2&fetch-owner=perhaps", "InvalidArgument"),
    ],
)
async def test_bad_queries(rig: Rig, at: Furnished, query: bytes, code: str) -> None:
    """A query's parameters come once, in UTF-8, in their forms."""
    assert at
    await refused(rig, Request(path=b"/bucket", query=query), code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (b"versionId=", "InvalidArgument"),
        (b"versionId=%2F", "InvalidArgument"),
        (b"partNumber=0", "InvalidArgument"),
        (b"partNumber=10001", "InvalidArgument"),
        (b"partNumber=x", "InvalidArgument"),
        (b"partNumber=", "InvalidArgument"),
        (b"partNumber=%D9%A3", "InvalidArgument"),
        (b"uploadId=", "NoSuchUpload"),
        (b"uploadId=%00", "NoSuchUpload"),
        (b"response-content-type=a%0d%0ab:%20c", "InvalidArgument"),
        (b"response-content-disposition=%00", "InvalidArgument"),
        (b"response-cache-control=a%0ab", "InvalidArgument"),
        (b"response-expires=%7f", "InvalidArgument"),
    ],
)
async def test_bad_queries_of_objects(rig: Rig, at: Furnished, query: bytes, code: str) -> None:
    """A version, a part and an upload have their forms, of which the empty text is none; no header is made of control characters."""
    assert at
    await refused(rig, Request(path=b"/bucket/key", query=query), code)


async def test_an_empty_version_is_no_delete(rig: Rig, at: Furnished) -> None:
    """DELETE ?versionId= names no version: the object stays."""
    assert at
    await refused(rig, Request(method="DELETE", path=b"/bucket/key", query=b"versionId="), "InvalidArgument")


@pytest.mark.parametrize("size", ["9999999999999999999", "-1", "1e9", "9" * 4400])
async def test_numbers_beyond_the_engine(rig: Rig, at: Furnished, size: str) -> None:
    """A number that no engine can hold is told as too large, or is larger than anything there is; it is no fault of ours."""
    upload = sample("ListParts", at)
    for request in (
        evolve(upload, query=upload.query + b"&part-number-marker=" + size.encode()),
        evolve(upload, query=upload.query + b"&max-parts=" + size.encode()),
        Request(path=b"/bucket", query=b"uploads&max-uploads=" + size.encode()),
        Request(path=b"/", query=b"max-buckets=" + size.encode()),
        Request(path=b"/bucket/key").with_headers(("range", f"bytes=0-{size}")),
        Request(path=b"/bucket/key").with_headers(("range", f"bytes=-{size}")),
        sample("UploadPartCopy", at).with_headers(("x-amz-copy-source-range", f"bytes=0-{size}")),
        sample("CompleteMultipartUpload", at).with_headers(("x-amz-mp-object-size", size)),
        Request(method="DELETE", path=b"/bucket/key").with_headers(("x-amz-if-match-size", size)),
    ):
        response = await rig.send(request, rig.alpha.owner)
        assert response.status in {200, 206, 400, 412, 416}, (request, response)


async def test_metadata_beyond_the_limit(rig: Rig, at: Furnished) -> None:
    """User metadata have 2 KB in all, names counted, in bytes."""
    for name in ("PutObject", "CreateMultipartUpload"):
        for headers in (
            [("x-amz-meta-a", "x" * 2048)],
            [("x-amz-meta-a", "Ã¼" * 1024)],
            [(f"x-amz-meta-{n}", "x" * 99) for n in range(21)],
        ):
            await refused(rig, sample(name, at).with_headers(*headers), "MetadataTooLarge")
    replaced = sample("CopyObject", at).with_headers(("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-a", "x" * 2048))
    await refused(rig, replaced, "MetadataTooLarge")


@pytest.mark.parametrize(
    "header",
    [
        "x-amz-meta-a",
        "content-type",
        "cache-control",
        "content-disposition",
        "content-language",
        "expires",
        "x-amz-website-redirect-location",
    ],
)
async def test_headers_that_are_no_utf8(rig: Rig, at: Furnished, header: str) -> None:
    """What is kept of an object is text, since the other front has to tell it too."""
    for name in ("PutObject", "CreateMultipartUpload"):
        await refused(rig, sample(name, at).with_headers((header, "a\xff")), "InvalidArgument")


@pytest.mark.parametrize(
    ("name", "header", "value", "codes_"),
    [
        ("PutObject", "x-amz-storage-class", "GLACIER9", ("InvalidStorageClass",)),
        ("PutObject", "x-amz-storage-class", "", ("InvalidStorageClass",)),
        ("PutObject", "x-amz-meta-", "a", ("InvalidArgument",)),
        ("CreateMultipartUpload", "x-amz-checksum-algorithm", "CRC7", ("InvalidRequest",)),
        ("CreateMultipartUpload", "x-amz-checksum-type", "HALF", ("InvalidRequest",)),
        ("CompleteMultipartUpload", "x-amz-mp-object-size", "x", ("InvalidArgument",)),
        ("CompleteMultipartUpload", "x-amz-checksum-crc64nvme", "AAAAAAAAAAA=", ("BadDigest",)),
        ("CompleteMultipartUpload", "x-amz-checksum-crc64nvme", BAD, ("InvalidRequest",)),
        ("CompleteMultipartUpload", "x-amz-checksum-sha256", "A" * 43 + "=", ("BadDigest", "InvalidRequest")),
        ("CopyObject", "x-amz-metadata-directive", "MOVE", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=0-", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=-1", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "0-1", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=0-1,2-3", ("InvalidArgument",)),
        ("UploadPartCopy", "x-amz-copy-source-range", "bytes=0-99", ("InvalidRange",)),
        ("DeleteObject", "x-amz-if-match-size", "x", ("InvalidArgument",)),
        ("DeleteObject", "x-amz-if-match-last-modified-time", "x", ("InvalidArgument",)),
        ("CreateBucket", "x-amz-acl", "public-read", ("InvalidBucketAclWithObjectOwnership",)),
        ("CreateBucket", "x-amz-acl", "public", ("InvalidArgument",)),
        ("PutObject", "x-amz-acl", "private", ("AccessControlListNotSupported",)),
        *(("PutObject", header, "x", ("InvalidArgument",)) for header in ("x-amz-acl", "x-amz-grant-read", "x-amz-grant-full-control")),
        ("CreateBucket", "x-amz-bucket-object-lock-enabled", "yes", ("InvalidArgument",)),
        ("DeleteObject", "x-amz-bypass-governance-retention", "1", ("InvalidArgument",)),
        *(
            ("PutObject", f"x-amz-object-lock-{header}", text, ("InvalidArgument",))
            for header, text in (
                ("mode", "governance"), ("mode", ""), ("legal-hold", "on"), ("retain-until-date", "soon"), ("retain-until-date", ""),
            )
        ),
        *(
            ("PutObject", f"x-amz-object-lock-{header}", text, ("InvalidRequest",))  # the bucket has no object lock
            for header, text in (
                ("mode", "GOVERNANCE"), ("legal-hold", "OFF"), ("retain-until-date", "2999-01-01T00:00:00Z"),
            )
        ),
        ("CopyObject", "x-amz-tagging-directive", "copy", ("InvalidArgument",)),
        *(("PutObject", "x-amz-tagging", text, ("InvalidArgument",)) for text in ("a=%zz", "a=%ff", "%=", "a=b&a=c", "a&a", "\xff=a")),
        *(("PutObject", "x-amz-tagging", text, ("InvalidTag",)) for text in ("=", "=a", "a=%00", "a=%0A", "a%3C=", "aws:a=b", "a=b,c")),
        ("CreateBucket", "x-amz-object-ownership", "Mine", ("InvalidArgument",)),
        *(
            ("PutObject", header, "x", ("NotImplemented",))
            for header in (
                "x-amz-server-side-encryption",
                "x-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-write-offset-bytes",
            )
        ),
    ],
)  # fmt: skip
async def test_bad_headers(rig: Rig, at: Furnished, name: str, header: str, value: str, codes_: tuple[str, ...]) -> None:
    """A header that has no meaning, or a meaning that is not built, is refused and never passed over."""
    await refused(rig, sample(name, at).with_headers((header, value)), *codes_)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "InvalidArgument"), ("bucket", "InvalidArgument"), ("/bucket", "InvalidArgument"), ("bucket/", "InvalidArgument"),
        ("//key", "InvalidArgument"), ("Bucket/key", "InvalidBucketName"), ("../bucket/key", "InvalidBucketName"),
        ("bucket/%ff", "InvalidURI"), ("bucket/\xff", "InvalidURI"), ("bucket/" + "x" * 1025, "KeyTooLongError"),
        ("bucket/key?versionId=%2F", "InvalidArgument"), ("bucket/key?versionId=other", "NoSuchVersion"), ("bucket/%zz", "InvalidURI"),
        ("http://s3.test/bucket/key", "InvalidBucketName"), ("arn:aws:s3:::bucket/key", "InvalidBucketName"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["CopyObject", "UploadPartCopy"])
async def test_bad_copy_sources(rig: Rig, at: Furnished, name: str, source: str, code: str) -> None:
    """A copy's source is a bucket and a key, in their limits, and nothing else that looks like them."""
    request = sample(name, at).without_headers("x-amz-copy-source").with_headers(("x-amz-copy-source", source))
    await refused(rig, request, code)


@REUSED
@given(request=strategies.requests)
async def test_any_request(rig: Rig, at: Furnished, request: Request) -> None:
    """Any method, path, query and headers get an answer with a name, and never a fault of the server."""
    assert at
    before = rig.dump()
    response = await rig.send(request)
    assert response.status in {400, 403, 404, 405, 411, 501}
    assert rig.dump() == before


@REUSED
@given(request=strategies.requests)
async def test_any_signed_request(rig: Rig, at: Furnished, request: Request) -> None:
    """The same when the sender has a key."""
    assert at
    response = await rig.send(rig.alpha.owner.by_hand(request))
    assert response.status not in {500, 503}, (request, response)
