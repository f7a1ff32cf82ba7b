"""A round trip by pyarrow's S3 file system, which is the AWS SDK for C++, and a data set of Parquet on it.

Law: nothing is imported that a user of pyarrow does not have; what fails ends the program.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

import pyarrow as pa
from pyarrow import dataset, fs, parquet

MIB: Final = 1 << 20
BIG_MIB: Final = 17
ROWS: Final = 10_000


def main(order: dict[str, Any]) -> None:
    """The order's bucket is made, filled, read in every way, emptied and removed."""
    files = fs.S3FileSystem(
        access_key=order["access_key"],
        secret_key=order["secret_key"],
        region=order["region"],
        scheme="https" if order["secure"] else "http",
        endpoint_override=f"{order['host']}:{order['port']}",
        tls_ca_file_path=order["authority"],
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
    bucket, keys = order["bucket"], order["keys"]
    files.create_dir(bucket)
    assert bucket in {each.path for each in files.get_file_info(fs.FileSelector(""))}
    objects(files, bucket, keys)
    parts(files, bucket)
    tables(files, bucket)
    files.delete_dir_contents(bucket)
    assert files.get_file_info(fs.FileSelector(bucket, recursive=True)) == []
    files.delete_dir(bucket)
    assert files.get_file_info(bucket).type == fs.FileType.NotFound


def objects(files: fs.S3FileSystem, bucket: str, keys: list[str]) -> None:
    """Each key is a file with its own bytes; it is found, copied, moved and removed."""
    for key in keys:
        with files.open_output_stream(f"{bucket}/{key}", metadata={"Content-Type": "text/x-odd", "kind": "odd"}) as sink:
            sink.write(content(key))
        assert files.get_file_info(f"{bucket}/{key}").size == len(content(key)), key
    found = [each for each in files.get_file_info(fs.FileSelector(bucket, recursive=True)) if each.type == fs.FileType.File]
    assert sorted(each.path for each in found) == sorted(f"{bucket}/{key}" for key in keys)
    for number, key in enumerate(keys):
        assert read(files, f"{bucket}/{key}") == content(key), key
        files.copy_file(f"{bucket}/{key}", f"{bucket}/copied {number}")
        files.move(f"{bucket}/copied {number}", f"{bucket}/moved {number}")
        assert read(files, f"{bucket}/moved {number}") == content(key), key
        files.delete_file(f"{bucket}/moved {number}")


def parts(files: fs.S3FileSystem, bucket: str) -> None:
    """A large stream goes in parts, and is read from anywhere."""
    body = os.urandom(MIB) * BIG_MIB
    with files.open_output_stream(f"{bucket}/big") as sink:
        for start in range(0, len(body), MIB):
            sink.write(body[start : start + MIB])
    with files.open_input_file(f"{bucket}/big") as source:
        assert source.size() == len(body)
        source.seek(MIB + 1)
        assert source.read(MIB) == body[MIB + 1 : 2 * MIB + 1]
    assert read(files, f"{bucket}/big") == body


def tables(files: fs.S3FileSystem, bucket: str) -> None:
    """A partitioned data set of Parquet comes back by its filter."""
    table = pa.table({"number": list(range(ROWS)), "part": [f"{number % 3} +%2F" for number in range(ROWS)]})
    parquet.write_to_dataset(table, f"{bucket}/table", partition_cols=["part"], filesystem=files)
    found = dataset.dataset(f"{bucket}/table", filesystem=files, partitioning="hive")
    assert found.count_rows() == ROWS
    assert found.to_table(filter=dataset.field("part") == "1 +%2F")["number"].to_pylist() == list(range(1, ROWS, 3))


def read(files: fs.S3FileSystem, path: str) -> bytes:
    """A file's bytes."""
    with files.open_input_stream(path) as source:
        return bytes(source.read())


def content(key: str) -> bytes:
    """What a key holds."""
    return b"of " + key.encode()


if __name__ == "__main__":
    main(json.load(sys.stdin))
