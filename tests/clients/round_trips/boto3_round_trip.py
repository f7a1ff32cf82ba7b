"""A round trip by boto3, the current one and that from before the checksums of 2025.

Law: nothing is imported that a user of boto3 does not have; what fails ends the program.
"""

from __future__ import annotations

import io
import json
import os
import ssl
import sys
import urllib.request
from typing import Any, Final

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB: Final = 1 << 20
BIG_MIB: Final = 17
PAGE_KEYS: Final = 7
TIMEOUT_SECONDS: Final = 30.0


def main(order: dict[str, Any]) -> None:
    """The order's bucket is made, filled, read in every way, emptied and removed."""
    style = {"addressing_style": "path"}
    config = Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3=style)
    client = boto3.client("s3", endpoint_url=order["endpoint"], verify=order["authority"], region_name=order["region"], config=config)
    bucket, keys = order["bucket"], order["keys"]
    client.create_bucket(Bucket=bucket)
    assert bucket in {each["Name"] for each in client.list_buckets()["Buckets"]}
    objects(client, bucket, keys)
    copies(client, bucket, keys)
    parts(client, bucket)
    presigned(client, bucket, keys[0], order["authority"])
    removal(client, bucket)


def objects(client: Any, bucket: str, keys: list[str]) -> None:
    """Each key holds its own bytes, and is listed once, in order."""
    for key in keys:
        put = client.put_object(Bucket=bucket, Key=key, Body=content(key), Metadata={"kind": "odd"}, ContentType="text/x-odd")
        head = client.head_object(Bucket=bucket, Key=key)
        assert (head["ETag"], head["ContentLength"], head["Metadata"]) == (put["ETag"], len(content(key)), {"kind": "odd"}), key
    for key in keys:
        answer = client.get_object(Bucket=bucket, Key=key)
        assert (answer["Body"].read(), answer["ContentType"]) == (content(key), "text/x-odd"), key
        assert client.get_object(Bucket=bucket, Key=key, Range="bytes=2-")["Body"].read() == content(key)[2:], key
    assert listed(client, "list_objects_v2", bucket) == sorted(keys, key=str.encode)
    assert listed(client, "list_objects", bucket) == sorted(keys, key=str.encode)


def copies(client: Any, bucket: str, keys: list[str]) -> None:
    """CopyObject reads each key; UploadPartCopy too."""
    for number, key in enumerate(keys):
        client.copy_object(Bucket=bucket, Key=f"copied/{number}", CopySource={"Bucket": bucket, "Key": key})
        assert client.get_object(Bucket=bucket, Key=f"copied/{number}")["Body"].read() == content(key), key


def parts(client: Any, bucket: str) -> None:
    """A managed upload goes in parts, a managed copy and download too."""
    body = os.urandom(MIB) * BIG_MIB
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)
    client.upload_fileobj(io.BytesIO(body), bucket, "big", Config=config)
    client.copy({"Bucket": bucket, "Key": "big"}, bucket, "big copy", Config=config)
    for key in ("big", "big copy"):
        assert client.head_object(Bucket=bucket, Key=key)["ETag"].endswith('-3"')
        sink = io.BytesIO()
        client.download_fileobj(bucket, key, sink, Config=config)
        assert sink.getvalue() == body


def presigned(client: Any, bucket: str, key: str, authority: str | None) -> None:
    """Anybody who has the URL reads and writes."""
    context = ssl.create_default_context(cafile=authority) if authority else None
    for body in (content(key), b"by a URL"):
        url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=60)
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - http and https only
            assert answer.read() == body
        url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key}, ExpiresIn=60)
        request = urllib.request.Request(url, data=b"by a URL", method="PUT", headers={"Content-Type": ""})  # noqa: S310 - as above
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - as above
            assert answer.status == 200


def removal(client: Any, bucket: str) -> None:
    """DeleteObjects empties the bucket, which then goes."""
    found = [{"Key": key} for key in listed(client, "list_objects_v2", bucket)]
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": found})
    assert "Errors" not in answer, answer
    assert len(answer["Deleted"]) == len(found)
    client.delete_bucket(Bucket=bucket)
    status = 200
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    assert status == 404


def listed(client: Any, name: str, bucket: str) -> list[str]:
    """All keys, in small pages."""
    pages = client.get_paginator(name).paginate(Bucket=bucket, PaginationConfig={"PageSize": PAGE_KEYS})
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


def content(key: str) -> bytes:
    """What a key holds."""
    return b"of " + key.encode()


if __name__ == "__main__":
    main(json.load(sys.stdin))
