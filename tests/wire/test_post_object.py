"""POST object: browsers' forms, as they are sent and as they are answered."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest

from asgi import Request
from faces import Ask, Rig
from faces import rig as open_rig
from forms import BOUNDARY, body_of, conditions_of, post, raw, signed
from lightningstor_server.s3.app import S3App
from lightningstor_server.service.settings import Settings
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.objects import GetObject
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import BucketNamespace
from refusals import code_of, refused
from signers import crc32, md5

ODD_KEYS = ["a b+c%20", "\u65e5\u672c/\u00e9", "..", "a//b/", "?x=y&z#f", "\U0001f600", 'q"<>&\\', "\x00\x01\r\n"]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names whose new buckets regard lists; alpha has the private bucket `bucket` and the public `open`."""
    settings = Settings(
        bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ObjectOwnership.OBJECT_WRITER, new_bucket_blocked=False
    )
    async with open_rig(settings=settings) as made:
        for name in ("bucket", "open"):
            await made(CreateBucket(bucket=BucketName(name)))
        assert (await made.ask("PUT", "/open?acl", ("x-amz-acl", "public-read-write"))).status == 200
        yield made


async def test_an_anonymous_form(rig: Rig, ask: Ask) -> None:
    """Where the bucket's list lets everybody write, a form needs no policy; nowhere else."""
    request = post({"key": "a/b", "acl": "public-read", "Content-Type": "text/plain", "x-amz-meta-A": "b"}, path="/open")
    response = await rig.send(request)
    assert (response.status, response.body) == (204, b"")
    assert response.headers["etag"] == '"9a0364b9e99bb480dd25e1f0284c8555"'
    assert response.headers["location"] == "http://s3.test/open/a/b"
    told = await rig.send(Request(path=b"/open/a/b"))
    assert (told.status, told.body) == (200, b"content")
    assert (told.headers["content-type"], told.headers["x-amz-meta-a"]) == ("text/plain", "b")
    await refused(rig, post({"key": "a"}), "AccessDenied", signed=True)
    await ask("PUT", "/open?acl", ("x-amz-acl", "public-read"))
    await refused(rig, post({"key": "a"}, path="/open"), "AccessDenied", signed=True)


@pytest.mark.parametrize("size", [0, 1, 100, 100_000, 20 << 20])
async def test_a_signed_form(rig: Rig, ask: Ask, size: int) -> None:
    """The file of whatever size is stored as PutObject stores it, whose it is being the signer's."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    request = post(signed(rig.alpha.owner, {"key": "k"}), content)
    response = await rig.send(raw(request.body, pieces=50))
    assert (response.status, response.body) == (204, b"")
    told = await ask("GET", "/bucket/k")
    assert (told.body, told.headers["etag"], told.headers["content-type"]) == (content, response.headers["etag"], "binary/octet-stream")
    assert b"<ID>canonical-alpha</ID>" in (await ask("GET", "/bucket/k?acl")).body


async def test_a_form_in_single_bytes(rig: Rig, ask: Ask) -> None:
    """Pieces of any size make the same object."""
    body = body_of(signed(rig.alpha.owner, {"key": "k"}).items(), b"\r\n--" + BOUNDARY[:-1])
    assert (await rig.send(raw(body, pieces=len(body)))).status == 204
    assert (await ask("GET", "/bucket/k")).body == b"\r\n--" + BOUNDARY[:-1]


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_odd_keys(rig: Rig, key: str) -> None:
    """A key is what the field says, byte for byte, and is told so."""
    fields = signed(rig.alpha.owner, {"key": key, "success_action_status": "201"})
    response = await rig.send(post(fields))
    assert response.status == 201, response
    assert (await rig(GetObject(bucket=BucketName("bucket"), key=ObjectKey(key)))).content_length == len(b"content")
    path = urlsplit(response.headers["location"]).path.encode()
    assert (await rig.send(rig.alpha.owner.by_hand(Request(path=path)))).body == b"content"
    told = ET.fromstring(response.body).findtext("Key")  # noqa: S314 - our own document
    assert told == re.sub("[\x00\x01]", "\ufffd", key)


@pytest.mark.parametrize(
    ("key", "filename", "stored"),
    [
        ("${filename}", "a.txt", "a.txt"),
        ("up/${filename}", "C:\\dir\\a b.txt", "up/a b.txt"),
        ("${filename}-${filename}", "/x/y", "y-y"),
        ("x${filename}", "", "x"),
        ("${FILENAME}", "a", "${FILENAME}"),
    ],
)
async def test_names_of_files(rig: Rig, ask: Ask, key: str, filename: str, stored: str) -> None:
    """`${filename}` stands for the last part of the file's name, before the policy is asked."""
    fields = signed(rig.alpha.owner, {"key": key}, [{"bucket": "bucket"}, {"key": stored}])
    assert (await rig.send(post(fields, filename=filename))).status == 204
    assert f"<Key>{stored}</Key>".encode() in (await ask("GET", "/bucket")).body


@pytest.mark.parametrize(
    ("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204), ("0200", 204), ("2\u00b20", 204)]
)
async def test_statuses(rig: Rig, asked: str, status: int) -> None:
    """The three that AWS has, else 204; only 201 has a document, without a namespace."""
    response = await rig.send(post({"key": "a&b", "success_action_status": asked}, path="/open"))
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Location>http://s3.test/open/a%26b</Location>'
        "<Bucket>open</Bucket><Key>a&amp;b</Key><ETag>&quot;9a0364b9e99bb480dd25e1f0284c8555&quot;</ETag></PostResponse>"
    )
    assert (response.status, response.body) == (status, document.encode() if status == 201 else b"")
    assert response.headers.get("content-type") == ("application/xml" if status == 201 else None)


@pytest.mark.parametrize("name", ["success_action_redirect", "redirect"])
async def test_redirects(rig: Rig, name: str) -> None:
    """303 to the form's address, with what was stored behind its own query; it goes before a status."""
    response = await rig.send(post({"key": "a b&c", name: "https://page.test/x?y=z#f", "success_action_status": "201"}, path="/open"))
    assert (response.status, response.body) == (303, b"")
    parts = urlsplit(response.headers["location"])
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == ("https", "page.test", "/x", "f")
    etag = '"9a0364b9e99bb480dd25e1f0284c8555"'
    assert parse_qsl(parts.query) == [("y", "z"), ("bucket", "open"), ("key", "a b&c"), ("etag", etag)]
    plain = await rig.send(post({"key": "k", name: "http://s3.test/open"}, path="/open"))
    assert plain.headers["location"] == "http://s3.test/open?bucket=open&key=k&etag=%229a0364b9e99bb480dd25e1f0284c8555%22"


@pytest.mark.parametrize(
    "url", ["", "x", "/x", "javascript:alert(1)", "http://a b", "http://a\r\nx: y", "ftp://a", "http:///x", "http://[x"]
)
async def test_redirects_that_are_none(rig: Rig, url: str) -> None:
    """What is no address of the web is passed over, as AWS has it."""
    response = await rig.send(post({"key": "k", "success_action_redirect": url}, path="/open"))
    assert (response.status, response.headers["location"]) == (204, "http://s3.test/open/k")


async def test_what_fields_mean(rig: Rig, ask: Ask) -> None:
    """They are PutObject's headers, named in any case; those of the request itself mean nothing, nor does what follows the file."""
    fields = {
        "KEY": "k", "Cache-Control": "no-cache", "content-disposition": "inline", "Content-Encoding": "gzip", "Content-Language": "de",
        "Expires": "0", "X-AMZ-Storage-Class": "STANDARD_IA", "x-amz-website-redirect-location": "/x", "X-Amz-Meta-\u0041": "\u65e5",
        "tagging": "<Tagging><TagSet><Tag><Key>a b</Key><Value>c+d=e</Value></Tag></TagSet></Tagging>", "content-md5": md5(b"content"),
    }  # fmt: skip
    request = post(signed(rig.alpha.owner, fields), behind=[("x-amz-meta-b", "c"), ("key", "other")])
    request = request.with_headers(("x-amz-acl", "public-read"), ("x-amz-meta-c", "d"), ("cache-control", "public"))
    response = await rig.send(request)
    assert response.status == 204, response.body
    told = await ask("HEAD", "/bucket/k")
    expected = {
        "cache-control": "no-cache", "content-disposition": "inline", "content-encoding": "gzip", "content-language": "de", "expires": "0",
        "x-amz-storage-class": "STANDARD_IA", "x-amz-website-redirect-location": "/x", "x-amz-meta-a": "\u65e5".encode().decode("latin-1"),
    }  # fmt: skip
    assert expected.items() <= told.headers.items()
    assert not {"x-amz-meta-b", "x-amz-meta-c"} & told.headers.keys()
    assert b"AllUsers" not in (await ask("GET", "/bucket/k?acl")).body
    assert b"<Key>a b</Key><Value>c+d=e</Value>" in (await ask("GET", "/bucket/k?tagging")).body


async def test_checksums(rig: Rig, ask: Ask) -> None:
    """One of the body need not be named by the policy; it is stored with the object, and a wrong one refuses the upload."""
    fields = signed(rig.alpha.owner, {"key": "k"})
    response = await rig.send(post(fields | {"x-amz-checksum-crc32": crc32(b"content")}))
    assert (response.status, response.headers["x-amz-checksum-crc32"]) == (204, crc32(b"content"))
    assert (await ask("HEAD", "/bucket/k", ("x-amz-checksum-mode", "ENABLED"))).headers["x-amz-checksum-crc32"] == crc32(b"content")
    wrong = post(fields | {"x-amz-checksum-crc32": crc32(b"other")})
    await refused(rig, wrong, "BadDigest", "InvalidRequest", signed=True)
    await refused(rig, post(fields | {"x-amz-checksum-sha256": "sailor"}), "InvalidRequest", "InvalidDigest", signed=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": None}, "InvalidArgument"),
        ({"key": ""}, "InvalidArgument"),
        ({"key": "x" * 1025}, "KeyTooLongError"),
        ({"acl": "public-ready"}, "InvalidArgument"),
        ({"x-amz-storage-class": "COLD"}, "InvalidStorageClass"),
        ({"x-amz-meta-a": "b\r\nx: y"}, "InvalidArgument"),
        ({"x-amz-meta-a b": "c"}, "InvalidArgument"),
        ({"x-amz-meta-a": "x" * 2049}, "MetadataTooLarge"),
        ({"Content-Type": "a\x00b"}, "InvalidArgument"),
        ({"tagging": "<X/>"}, "MalformedXML"),
        ({"tagging": "<Tagging/>"}, "MalformedXML"),
        ({"x-amz-acl": "private", "acl": "public-read"}, "InvalidArgument"),
        ({"x-amz-checksum-md6": "x"}, "NotImplemented"),
        ({"x-amz-meta-a": "x" * (21 << 10)}, "MaxPostPreDataLengthExceededError"),
        ({"bucket": "bucket"}, "AccessDenied"),
    ],
)
async def test_forms_that_cannot_be_stored(rig: Rig, change: dict[str, Any], code: str) -> None:
    """Each under its code, and nothing is stored."""
    fields = {name: value for name, value in ({"key": "k"} | change).items() if value is not None}
    await refused(rig, post(fields, path="/open"), code, signed=True)


async def test_fields_twice(rig: Rig) -> None:
    """Which one would be checked and which obeyed is nothing to guess about; case makes no difference."""
    for second in ("acl", "ACL"):
        request = post([("key", "k"), ("acl", "private"), (second, "public-read")], path="/open")
        await refused(rig, request, "InvalidArgument", signed=True)
    await refused(rig, post([("key", "k"), ("acl", b"\xff")], path="/open"), "InvalidArgument", signed=True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedPOSTRequest"),
        (b"x", "MalformedPOSTRequest"),
        (body_of([("key", "k")], None), "IncorrectNumberOfFilesInPostRequest"),
        (body_of([("key", "k")], behind=[("file", "x")]), "IncorrectNumberOfFilesInPostRequest"),
        (body_of([("key", "k")], b"x" * 100_000)[:-8], "MalformedPOSTRequest"),
        (body_of([("key", "k")])[: -len(BOUNDARY) - 8], "MalformedPOSTRequest"),
        (body_of([("key", "k")], behind=[("x", "y" * (20 << 10))]), "MaxPostPreDataLengthExceededError"),
        (body_of([], behind=[("key", "k")]), "InvalidArgument"),
    ],
)
async def test_bodies_that_are_no_form(rig: Rig, body: bytes, code: str) -> None:
    """What is found behind the file undoes it, too."""
    for pieces in (1, 40):
        await refused(rig, raw(body, path="/open", pieces=pieces), code, signed=True)


async def test_requests_around_a_form(rig: Rig, ask: Ask) -> None:
    """A form is a POST to a bucket, of an announced length, that nobody signed in its header; one that ends early stores nothing."""
    form = post({"key": "k"}, path="/open")
    await refused(rig, form.without_headers("content-length"), "MissingContentLength", signed=True)
    await refused(rig, form, "InvalidArgument")
    for path in ("/", "/open/key"):
        assert code_of(await rig.send(post({"key": "k"}, path=path))) in {"MethodNotAllowed", "NotImplemented"}
    assert code_of(await ask("POST", "/open", ("content-type", "application/x-www-form-urlencoded"), body=b"key=k")) == "MethodNotAllowed"
    short = raw(form.body[:-30], path="/open").without_headers("content-length").with_headers(("content-length", str(len(form.body))))
    await refused(rig, short, "IncompleteBody", signed=True)
    wrong = form.without_headers("content-type").with_headers(("content-type", "multipart/form-data"))
    await refused(rig, wrong, "MalformedPOSTRequest", signed=True)


async def test_a_form_to_the_bucket_s_own_host(rig: Rig, ask: Ask) -> None:
    """The object's address is below the host where that names the bucket."""
    response = await rig.send(post({"key": "a/b"}, path="/").with_headers(("host", "open.s3.test")))
    assert (response.status, response.headers["location"]) == (204, "http://open.s3.test/a/b")
    assert (await ask("GET", "/open/a/b")).body == b"content"


async def test_a_host_that_is_none(rig: Rig) -> None:
    """It is told nowhere."""
    response = await rig.send(post({"key": "k", "success_action_status": "201"}, path="/open").with_headers(("host", 'x"<y>')))
    assert response.headers["location"] == "/open/k"
    assert b"<Location>/open/k</Location>" in response.body


async def test_a_versioned_bucket(rig: Rig, ask: Ask) -> None:
    """The version is told, as PutObject tells it."""
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert (await ask("PUT", "/open?versioning", body=body)).status == 200
    response = await rig.send(post({"key": "k"}, path="/open"))
    assert (await ask("HEAD", "/open/k")).headers["x-amz-version-id"] == response.headers["x-amz-version-id"]


async def test_a_form_of_another_origin(rig: Rig, ask: Ask) -> None:
    """A page may read the answer where the bucket's rules say so."""
    rule = "<CORSRule><AllowedMethod>POST</AllowedMethod><AllowedOrigin>https://*</AllowedOrigin></CORSRule>"
    assert (await ask("PUT", "/open?cors", body=f"<CORSConfiguration>{rule}</CORSConfiguration>".encode())).status == 200
    page = ("origin", "https://page.test")
    for fields, status in (({"key": "k"}, 204), ({}, 400)):
        response = await rig.send(post(fields, path="/open").with_headers(page))
        assert (response.status, response.headers["access-control-allow-origin"]) == (status, "https://page.test")


async def test_version_2_is_off_by_default(rig: Rig, ask: Ask) -> None:
    """A form signed by it is refused, unless the operator turned it on."""
    fields = signed(rig.alpha.owner, {"key": "k"}, version_2=True)
    await refused(rig, post(fields), "InvalidRequest", signed=True)
    rig.app = S3App(
        rig.service, rig.identities, region=rig.region, domains=("s3.test",), clock=lambda: rig.alpha.owner.moment, post_signature_v2=True
    )
    assert (await rig.send(post(fields))).status == 204
    assert (await ask("GET", "/bucket/k")).body == b"content"
    assert (await rig.send(post(signed(rig.alpha.owner, {"key": "k"})))).status == 204
    await refused(rig, post(fields | {"signature": fields["signature"][::-1]}), "SignatureDoesNotMatch", signed=True)
    await refused(rig, post(fields | {"AWSAccessKeyId": "nobody"}), "InvalidAccessKeyId", signed=True)
    extra = post(signed(rig.alpha.owner, {"key": "k"}, conditions_of({}), version_2=True))
    await refused(rig, extra, "AccessDenied", signed=True)
