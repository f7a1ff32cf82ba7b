"""boto3: presigned URLs and both ways to name a bucket."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import botocore.auth
import botocore.crt.auth
import pytest
from botocore.compat import get_current_datetime

import servers
from clients.conftest import Connect
from clients.keys import ODD_KEYS

TIMEOUT_SECONDS = 30.0


@pytest.fixture(autouse=True)
def _localhost_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name under localhost is the loopback (RFC 6761 section 6.3), which not every system's resolver knows."""
    resolve = socket.getaddrinfo

    def patched(host: Any, *rest: Any, **named: Any) -> Any:
        local = isinstance(host, str) and host.endswith(".localhost")
        return resolve("127.0.0.1" if local else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", patched)


@pytest.fixture(params=["path", "virtual"])
def styled(request: pytest.FixtureRequest, server: servers.Server, connect: Connect) -> Iterator[Any]:
    """A client that names the bucket in the path, or in the host."""
    endpoint = f"http://localhost:{server.s3.rpartition(':')[2]}"
    client = connect(endpoint=endpoint, s3={"addressing_style": request.param})
    yield client
    client.close()


def fetch(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """What somebody without a credential gets for a URL."""
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - http only
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("key", ODD_KEYS.values(), ids=ODD_KEYS)
def test_a_presigned_url_puts_and_gets(styled: Any, bucket: str, key: str) -> None:
    """Whoever has the URL writes and reads that key, by urllib, in both styles."""
    params = {"Bucket": bucket, "Key": key}
    put = styled.generate_presigned_url("put_object", Params=params)
    assert "X-Amz-Signature" in put
    assert fetch(put, "PUT", key.encode(), **{"Content-Type": "text/plain"})[0] == 200
    assert fetch(styled.generate_presigned_url("get_object", Params=params)) == (200, key.encode())
    assert fetch(styled.generate_presigned_url("head_object", Params=params), "HEAD") == (200, b"")
    assert styled.get_object(**params)["ContentType"] == "text/plain"
    assert fetch(styled.generate_presigned_url("delete_object", Params=params), "DELETE") == (204, b"")
    assert fetch(styled.generate_presigned_url("get_object", Params=params))[0] == 404


def test_both_styles_name_the_same_bucket(styled: Any, s3: Any, bucket: str) -> None:
    """Objects written in one style are listed and read in the other; buckets are made and deleted in both."""
    for key in ("a//b", f"{bucket}/k"):
        styled.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [item["Key"] for item in styled.list_objects_v2(Bucket=bucket)["Contents"]] == ["a//b", f"{bucket}/k"]
    styled.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a//b"}, {"Key": f"{bucket}/k"}]})
    styled.delete_bucket(Bucket=bucket)
    styled.create_bucket(Bucket=bucket)
    assert bucket in {item["Name"] for item in styled.list_buckets()["Buckets"]}


def test_a_presigned_url_is_good_for_what_it_says(styled: Any, bucket: str) -> None:
    """Another key, another method, an added override or a changed signature is SignatureDoesNotMatch."""
    styled.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = styled.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert fetch(url) == (200, b"x")
    for method, forged in (
        ("GET", url.replace("/k?", "/other?")),
        ("PUT", url),
        ("DELETE", url),
        ("GET", url + "&response-content-type=text/html"),
        ("GET", url.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000")),
        ("GET", url[:-1] + ("0" if url[-1] != "0" else "1")),
    ):
        status, answer = fetch(forged, method, b"forged" if method == "PUT" else None)
        assert status == 403, (method, forged)
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer
    assert fetch(url) == (200, b"x")


def test_an_unsigned_header_is_refused(styled: Any, bucket: str) -> None:
    """An x-amz-* header that the URL does not sign, a copy source at that, is AccessDenied and has no effect."""
    for key in ("secret", "k"):
        styled.put_object(Bucket=bucket, Key=key, Body=key.encode())
    url = styled.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    status, answer = fetch(url, "PUT", b"", **{"x-amz-copy-source": f"/{bucket}/secret"})
    assert status == 403
    assert b"<Code>AccessDenied</Code>" in answer
    assert styled.get_object(Bucket=bucket, Key="k")["Body"].read() == b"k"


def test_a_presigned_url_ends(styled: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL of an hour ago for a minute is AccessDenied; one for more than seven days is refused."""
    styled.put_object(Bucket=bucket, Key="k", Body=b"x")
    params = {"Bucket": bucket, "Key": "k"}
    status, answer = fetch(styled.generate_presigned_url("get_object", Params=params, ExpiresIn=8 * 86_400))
    assert status == 400
    assert b"<Code>AuthorizationQueryParametersError</Code>" in answer

    def an_hour_ago(*given: Any, **named: Any) -> datetime:
        now: datetime = get_current_datetime(*given, **named)
        return now - timedelta(hours=1)

    for module in (botocore.auth, botocore.crt.auth):  # whichever of them signs
        monkeypatch.setattr(module, "get_current_datetime", an_hour_ago)
    status, answer = fetch(styled.generate_presigned_url("get_object", Params=params, ExpiresIn=60))
    assert status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired" in answer
    assert fetch(styled.generate_presigned_url("get_object", Params=params, ExpiresIn=7200)) == (200, b"x")


def test_a_presigned_read_overrides_headers(styled: Any, bucket: str) -> None:
    """response-* parameters that are signed take effect."""
    styled.put_object(Bucket=bucket, Key="k", Body=b"x")
    params = {"Bucket": bucket, "Key": "k", "ResponseContentType": "text/x-a", "ResponseContentDisposition": 'attachment; filename="a b"'}
    with urllib.request.urlopen(styled.generate_presigned_url("get_object", Params=params), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        assert answer.headers["content-type"] == "text/x-a"
        assert answer.headers["content-disposition"] == 'attachment; filename="a b"'


def test_a_presigned_upload_of_parts(styled: Any, bucket: str) -> None:
    """Parts are sent to presigned URLs, as browsers do, and the upload is completed by its owner."""
    params = {"Bucket": bucket, "Key": "k"}
    upload = styled.create_multipart_upload(**params)["UploadId"]
    url = styled.generate_presigned_url("upload_part", Params={**params, "UploadId": upload, "PartNumber": 1})
    assert fetch(url, "PUT", b"part", **{"Content-Type": "application/octet-stream"})[0] == 200
    parts = [{"PartNumber": 1, "ETag": part["ETag"]} for part in styled.list_parts(**params, UploadId=upload)["Parts"]]
    styled.complete_multipart_upload(**params, UploadId=upload, MultipartUpload={"Parts": parts})
    assert styled.get_object(**params)["Body"].read() == b"part"


def test_version_2_is_refused(server: servers.Server, connect: Connect, bucket: str) -> None:
    """A URL signed by Signature Version 2 is refused with the version to use."""
    url = connect(signature_version="s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert "AWSAccessKeyId" in url
    status, answer = fetch(url)
    assert status == 400
    assert b"Please use AWS4-HMAC-SHA256" in answer
    assert url.startswith(server.endpoint)
