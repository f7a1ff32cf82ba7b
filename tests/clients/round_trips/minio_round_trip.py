"""A round trip by minio-py.

Law: nothing is imported that a user of minio-py does not have; what fails ends the program.
"""

from __future__ import annotations

import io
import json
import os
import ssl
import sys
import urllib.request
from datetime import timedelta
from typing import Any, Final

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

MIB: Final = 1 << 20
BIG_MIB: Final = 17
TIMEOUT_SECONDS: Final = 30.0
MINUTE: Final = timedelta(minutes=1)


def main(order: dict[str, Any]) -> None:
    """The order's bucket is made, filled, read in every way, emptied and removed."""
    trusting = {"cert_reqs": "CERT_REQUIRED", "ca_certs": order["authority"]} if order["secure"] else {}
    client = Minio(
        endpoint=f"{order['host']}:{order['port']}",
        access_key=order["access_key"],
        secret_key=order["secret_key"],
        region=order["region"],
        secure=order["secure"],
        http_client=urllib3.PoolManager(retries=False, timeout=TIMEOUT_SECONDS, **trusting),
    )
    bucket, keys = order["bucket"], order["keys"]
    client.make_bucket(bucket_name=bucket)
    assert client.bucket_exists(bucket_name=bucket)
    assert bucket in {each.name for each in client.list_buckets()}
    objects(client, bucket, keys)
    copies(client, bucket, keys)
    parts(client, bucket)
    presigned(client, bucket, keys[0], order["authority"])
    removal(client, bucket)


def objects(client: Minio, bucket: str, keys: list[str]) -> None:
    """Each key holds its own bytes, and is listed once, in order."""
    for key in keys:
        body = content(key)
        put = client.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(body), length=len(body), metadata={"kind": "odd"})
        stat = client.stat_object(bucket_name=bucket, object_name=key)
        assert (stat.etag, stat.size, stat.metadata["x-amz-meta-kind"]) == (put.etag, len(body), "odd"), key
    for key in keys:
        assert read(client, bucket, key) == content(key), key
        assert read(client, bucket, key, offset=2, length=1) == content(key)[2:3], key
    for old in (False, True):
        found = client.list_objects(bucket_name=bucket, recursive=True, use_api_v1=old)
        assert [each.object_name for each in found] == sorted(keys, key=str.encode)


def copies(client: Minio, bucket: str, keys: list[str]) -> None:
    """CopyObject reads each key."""
    for number, key in enumerate(keys):
        client.copy_object(bucket_name=bucket, object_name=f"copied/{number}", source=CopySource(bucket_name=bucket, object_name=key))
        assert read(client, bucket, f"copied/{number}") == content(key), key


def parts(client: Minio, bucket: str) -> None:
    """A large object goes in parts, of known length and not; two are composed to one."""
    body = os.urandom(MIB) * BIG_MIB
    client.put_object(bucket_name=bucket, object_name="big", data=io.BytesIO(body), length=len(body), part_size=5 * MIB)
    client.put_object(bucket_name=bucket, object_name="piped", data=io.BytesIO(body), length=-1, part_size=8 * MIB)
    sources = [ComposeSource(bucket_name=bucket, object_name=name) for name in ("big", "piped")]
    client.compose_object(bucket_name=bucket, object_name="both", sources=sources)
    for name, expected, etag in (("big", body, "-4"), ("piped", body, "-3"), ("both", body * 2, "-2")):
        assert client.stat_object(bucket_name=bucket, object_name=name).etag.endswith(etag)
        assert read(client, bucket, name) == expected


def presigned(client: Minio, bucket: str, key: str, authority: str | None) -> None:
    """Anybody who has the URL reads and writes."""
    context = ssl.create_default_context(cafile=authority) if authority else None
    for body in (content(key), b"by a URL"):
        url = client.presigned_get_object(bucket_name=bucket, object_name=key, expires=MINUTE)
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - http and https only
            assert answer.read() == body
        url = client.presigned_put_object(bucket_name=bucket, object_name=key, expires=MINUTE)
        request = urllib.request.Request(url, data=b"by a URL", method="PUT")  # noqa: S310 - as above
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - as above
            assert answer.status == 200


def removal(client: Minio, bucket: str) -> None:
    """The bucket is emptied, and goes."""
    found = [DeleteObject(name=each.object_name) for each in client.list_objects(bucket_name=bucket, recursive=True)]
    assert list(client.remove_objects(bucket_name=bucket, delete_object_list=found)) == []
    for each in client.list_objects(bucket_name=bucket, recursive=True):  # its writer of XML leaves \r raw, which is read as \n
        assert "\r" in each.object_name
        client.remove_object(bucket_name=bucket, object_name=each.object_name)
    client.remove_bucket(bucket_name=bucket)
    assert not client.bucket_exists(bucket_name=bucket)
    code = ""
    try:
        client.get_object(bucket_name=bucket, object_name="absent")
    except S3Error as error:
        code = error.code
    assert code == "NoSuchBucket"


def read(client: Minio, bucket: str, key: str, offset: int = 0, length: int = 0) -> bytes:
    """An object's bytes, or some of them."""
    answer = client.get_object(bucket_name=bucket, object_name=key, offset=offset, length=length)
    try:
        return bytes(answer.read())
    finally:
        answer.close()
        answer.release_conn()


def content(key: str) -> bytes:
    """What a key holds."""
    return b"of " + key.encode()


if __name__ == "__main__":
    main(json.load(sys.stdin))
