"""A round trip by s3fs, the S3 of fsspec.

Law: nothing is imported that a user of s3fs does not have; what fails ends the program.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import urllib.request
from typing import Any, Final

import s3fs

MIB: Final = 1 << 20
BIG_MIB: Final = 17
TIMEOUT_SECONDS: Final = 30.0


def main(order: dict[str, Any]) -> None:
    """The order's bucket is made, filled, read in every way, emptied and removed."""
    files = s3fs.S3FileSystem(
        key=order["access_key"],
        secret=order["secret_key"],
        endpoint_url=order["endpoint"],
        client_kwargs={"region_name": order["region"], "verify": order["authority"]},
        config_kwargs={"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, "signature_version": "s3v4"},
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    bucket, keys = order["bucket"], order["keys"]
    files.mkdir(bucket)
    assert bucket in files.ls("", detail=False)
    objects(files, bucket, keys)
    copies(files, bucket, keys)
    parts(files, bucket)
    presigned(files, f"{bucket}/{keys[0]}", order["authority"])
    files.rm(files.find(bucket))
    files.rmdir(bucket)
    assert not files.exists(bucket)


def objects(files: s3fs.S3FileSystem, bucket: str, keys: list[str]) -> None:
    """Each key is a file with its own bytes, and is found."""
    for key in keys:
        files.pipe_file(f"{bucket}/{key}", content(key))
        assert files.info(f"{bucket}/{key}")["size"] == len(content(key)), key
    for key in keys:
        assert files.cat_file(f"{bucket}/{key}") == content(key), key
        assert files.cat_file(f"{bucket}/{key}", start=2) == content(key)[2:], key
    assert sorted(files.find(bucket)) == sorted(f"{bucket}/{key}" for key in keys)
    assert files.du(bucket) == sum(len(content(key)) for key in keys)


def copies(files: s3fs.S3FileSystem, bucket: str, keys: list[str]) -> None:
    """Files are copied and moved."""
    for number, key in enumerate(keys):
        files.cp_file(f"{bucket}/{key}", f"{bucket}/copied {number}")
        files.mv(f"{bucket}/copied {number}", f"{bucket}/moved {number}")
        assert files.cat_file(f"{bucket}/moved {number}") == content(key), key
        assert not files.exists(f"{bucket}/copied {number}")


def parts(files: s3fs.S3FileSystem, bucket: str) -> None:
    """A file that is written by and by goes in parts, and so does one that is appended to and one that is copied."""
    body = os.urandom(MIB) * BIG_MIB
    with files.open(f"{bucket}/big", "wb", block_size=5 * MIB) as file:
        for start in range(0, len(body), MIB):
            file.write(body[start : start + MIB])
    with files.open(f"{bucket}/big", "ab", block_size=5 * MIB) as file:
        file.write(b"the end")
    with files.open(f"{bucket}/big", "rb", block_size=2 * MIB) as file:
        file.seek(-7, os.SEEK_END)
        assert file.read() == b"the end"
    assert "-" in files.info(f"{bucket}/big")["ETag"]
    assert files.cat_file(f"{bucket}/big") == body + b"the end"


def presigned(files: s3fs.S3FileSystem, path: str, authority: str | None) -> None:
    """Anybody who has the URL reads."""
    context = ssl.create_default_context(cafile=authority) if authority else None
    with urllib.request.urlopen(files.sign(path, expiration=60), timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - http and https only
        assert answer.read() == files.cat_file(path)


def content(key: str) -> bytes:
    """What a key holds."""
    return b"of " + key.encode()


if __name__ == "__main__":
    main(json.load(sys.stdin))
