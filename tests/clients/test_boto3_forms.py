"""boto3's forms and CORS rules, by the requests that a browser makes of them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest

import servers
from clients.conftest import Connect
from clients.keys import ODD_KEYS
from forms import BOUNDARY, body_of

TIMEOUT_SECONDS = 30.0
PAGE = "https://page.test"
LARGE_BYTES = 12 << 20
"""Longer than what a server takes in at once, and than a chunk of the store."""
RULE = {"AllowedOrigins": ["https://*.test"], "AllowedMethods": ["POST", "GET"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}


@pytest.fixture
def client(connect: Connect) -> Any:
    """A client of the server."""
    return connect()


def send(
    url: str, method: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    """What somebody without a credential is told: status, headers, body."""
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - http only
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def submit(form: dict[str, Any], content: bytes, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Submit a form that boto3 made."""
    body = body_of(form["fields"].items(), content, filename="odd name.txt")
    return send(form["url"], "POST", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"} | headers)


@pytest.mark.parametrize("key", ODD_KEYS.values(), ids=ODD_KEYS)
def test_a_form_stores_its_file(client: Any, bucket: str, key: str) -> None:
    """Under its key, with what the fields say; another field is refused."""
    fields = {"x-amz-meta-a": "b", "success_action_status": "201"}
    form = client.generate_presigned_post(bucket, key, Fields=dict(fields), Conditions=[{name: value} for name, value in fields.items()])
    assert submit(form, b"content")[0] == 201
    found = client.get_object(Bucket=bucket, Key=key)
    assert (found["Body"].read(), found["Metadata"]) == (b"content", {"a": "b"})
    form["fields"]["x-amz-meta-a"] = "c"
    assert submit(form, b"other")[0] == 403
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"content"


@pytest.mark.parametrize(("size", "status"), [(LARGE_BYTES, 204), (LARGE_BYTES + 1, 400), (9, 400)])
def test_a_form_of_a_large_file(client: Any, bucket: str, size: int, status: int) -> None:
    """It streams, within the size that was signed."""
    form = client.generate_presigned_post(bucket, "large/${filename}", Conditions=[["content-length-range", 10, LARGE_BYTES]])
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    try:
        told, _, body = submit(form, content)
    except urllib.error.URLError:
        told, body = 400, b"EntityTooLarge"  # refused in the middle: the connection closes while urllib still writes
    assert told == status, body
    if status == 204:
        assert client.get_object(Bucket=bucket, Key="large/odd name.txt")["Body"].read() == content
    else:
        assert b"EntityToo" in body
        assert "Contents" not in client.list_objects_v2(Bucket=bucket)


def test_a_page_of_another_origin(server: servers.Server, client: Any, bucket: str) -> None:
    """Asks first, then submits its form and reads the answer, whichever worker answers; without rules it may not."""
    url = f"{client.meta.endpoint_url}/{bucket}"
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "Content-Type"}
    assert server
    assert send(url, "OPTIONS", headers=asked)[0] == 403
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULE]})
    assert client.get_bucket_cors(Bucket=bucket)["CORSRules"] == [RULE]
    for _ in range(8):
        status, headers, body = send(url, "OPTIONS", headers=asked)
        assert (status, headers["access-control-allow-origin"], headers["access-control-allow-headers"]) == (200, PAGE, "content-type")
        assert body == b""
    status, headers, _ = submit(client.generate_presigned_post(bucket, "k"), b"content", Origin=PAGE)
    assert (status, headers["access-control-allow-origin"], headers["access-control-expose-headers"]) == (204, PAGE, "ETag")
    client.delete_bucket_cors(Bucket=bucket)
    for _ in range(8):
        assert send(url, "OPTIONS", headers=asked)[0] == 403
