"""boto3: listings of objects and buckets."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

import servers
from clients import raw
from clients.conftest import Connect
from clients.keys import NO_XML_KEYS, ODD_KEYS, by_bytes

MANY = [f"{number % 5}/{number:04d}" for number in range(2500)]
S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@pytest.fixture(scope="module")
def odd(server: servers.Server, s3: Any) -> str:  # noqa: ARG001 - one for each server
    """A bucket with all odd keys."""
    name = f"odd-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    for key in [*ODD_KEYS.values(), *NO_XML_KEYS.values()]:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    return name


@pytest.fixture(scope="module")
def many(server: servers.Server, connect: Connect) -> str:  # noqa: ARG001 - one for each server
    """A bucket with 2,500 objects in five folders."""
    client = connect(max_pool_connections=16)
    name = f"many-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(client.put_object, Bucket=name, Key=key, Body=b"x") for key in MANY]:
            done.result()
    return name


ALL = {**ODD_KEYS, **NO_XML_KEYS}


@pytest.mark.parametrize("version", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pages_of_odd_keys_are_complete_and_in_order(s3: Any, odd: str, version: str, size: int) -> None:
    """Each key once, in the order of its bytes, whatever the pages' size: markers survive their encoding."""
    pages = s3.get_paginator(version).paginate(Bucket=odd, PaginationConfig={"PageSize": size})
    found = [item for page in pages for item in page.get("Contents", [])]
    assert [item["Key"] for item in found] == by_bytes(ALL)
    assert all(item["Size"] == len(item["Key"].encode()) for item in found)


@pytest.mark.parametrize("version", ["list_objects", "list_objects_v2"])
def test_encoded_keys_decode_to_the_keys(s3: Any, odd: str, version: str) -> None:
    """With EncodingType=url, keys come percent-encoded, a `+` in them too, so that either way of decoding gives the key."""
    answer = getattr(s3, version)(Bucket=odd, EncodingType="url")
    assert answer["EncodingType"] == "url"
    keys = [item["Key"] for item in answer["Contents"]]
    assert [unquote(key.replace("+", " ")) for key in keys] == by_bytes(ALL)
    assert all(key.isascii() and key.isprintable() for key in keys)


@pytest.mark.parametrize("query", [{}, {"list-type": "2"}], ids=["v1", "v2"])
def test_keys_survive_xml_without_encoding(server: servers.Server, s3: Any, bucket: str, query: dict[str, str]) -> None:
    """Without encoding-type every key that XML can hold comes through a parser as it is, CR included."""
    for key in ODD_KEYS.values():
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    answer = raw.send(server, "GET", f"/{bucket}", query=query)
    document = ET.fromstring(answer.body)  # noqa: S314 - our own server's
    assert [node.text for node in document.iter(f"{S3}Key")] == by_bytes(ODD_KEYS)


@pytest.mark.parametrize("prefix", ["a", "a/", "%2", "+", " ", "\r", "/", "", "u", "\u00fc"], ids=repr)
@pytest.mark.parametrize("delimiter", ["", "/", "\r\n", "%", "e"], ids=repr)
def test_prefix_and_delimiter_of_odd_keys(s3: Any, odd: str, prefix: str, delimiter: str) -> None:
    """Keys and common prefixes are those of a model in three lines."""
    keys: list[str] = []
    prefixes: list[str] = []
    for key in filter(lambda key: key.startswith(prefix), by_bytes(ALL)):
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        (prefixes if found else keys).append(prefix + head + found if found else key)
    for version in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(version).paginate(Bucket=odd, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": 3}))
        assert [item["Key"] for page in pages for item in page.get("Contents", [])] == keys
        assert [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])] == list(dict.fromkeys(prefixes))


@pytest.mark.parametrize("start", ["..", "a//b", "\r\n", "\U0001f600", "zzz"], ids=repr)
def test_a_listing_starts_behind_a_key(s3: Any, odd: str, start: str) -> None:
    """StartAfter and Marker need not be keys, and are not in the listing themselves."""
    expected = [key for key in by_bytes(ALL) if key.encode() > start.encode()]
    second = s3.list_objects_v2(Bucket=odd, StartAfter=start)
    assert second["StartAfter"] == start
    assert [item["Key"] for item in second.get("Contents", [])] == expected
    first = s3.list_objects(Bucket=odd, Marker=start)
    assert first["Marker"] == start
    assert [item["Key"] for item in first.get("Contents", [])] == expected


def test_many_keys_come_in_pages_of_a_thousand(s3: Any, many: str) -> None:
    """2,500 keys are three pages, and a token leads to each next one."""
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=many))
    assert [page["KeyCount"] for page in pages] == [1000, 1000, 500]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    assert [item["Key"] for page in pages for item in page["Contents"]] == sorted(MANY)
    assert "NextContinuationToken" not in pages[-1]
    # more than a thousand are not given at once (AWS, ListObjectsV2: MaxKeys)
    assert len(s3.list_objects_v2(Bucket=many, MaxKeys=5000)["Contents"]) == 1000


def test_many_keys_roll_up(s3: Any, many: str) -> None:
    """A delimiter makes five prefixes of them, page by page too; a prefix with a delimiter lists its folder."""
    answer = s3.list_objects_v2(Bucket=many, Delimiter="/")
    assert [item["Prefix"] for item in answer["CommonPrefixes"]] == [f"{number}/" for number in range(5)]
    assert (answer["KeyCount"], answer["IsTruncated"]) == (5, False)
    for version in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(version).paginate(Bucket=many, Delimiter="/", PaginationConfig={"PageSize": 2}))
        assert [[item["Prefix"] for item in page["CommonPrefixes"]] for page in pages] == [["0/", "1/"], ["2/", "3/"], ["4/"]]
    folder = list(s3.get_paginator("list_objects_v2").paginate(Bucket=many, Delimiter="/", Prefix="3/", PaginationConfig={"PageSize": 300}))
    assert [item["Key"] for page in folder for item in page["Contents"]] == [key for key in sorted(MANY) if key.startswith("3/")]
    assert not any(page.get("CommonPrefixes") for page in folder)


def test_no_keys_asked_are_none_given(s3: Any, many: str) -> None:
    """MaxKeys=0 answers an empty page that is not truncated, so that nobody loops."""
    for version in (s3.list_objects, s3.list_objects_v2):
        answer = version(Bucket=many, MaxKeys=0)
        assert (answer["MaxKeys"], answer["IsTruncated"], answer.get("Contents", [])) == (0, False, [])


def test_the_owner_is_named_where_asked(s3: Any, bucket: str) -> None:
    """Version 1 names the owner of each object, version 2 on request only; it is the project that ListBuckets names."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    owner = s3.list_buckets()["Owner"]["ID"]
    assert s3.list_objects(Bucket=bucket)["Contents"][0]["Owner"]["ID"] == owner
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"] == owner
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]


def test_buckets_are_listed_in_pages_and_by_prefix(s3: Any) -> None:
    """ListBuckets pages with MaxBuckets, filters by Prefix, and orders by name."""
    stem = f"list-{uuid.uuid4().hex}"
    names = [f"{stem}-{letter}" for letter in "cabed"]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix=stem, PaginationConfig={"PageSize": 2}))
    assert [[item["Name"] for item in page["Buckets"]] for page in pages] == [
        [f"{stem}-a", f"{stem}-b"],
        [f"{stem}-c", f"{stem}-d"],
        [f"{stem}-e"],
    ]
    assert set(names) <= {item["Name"] for item in s3.list_buckets()["Buckets"]}


def test_a_bucket_says_where_it_is(s3: Any, bucket: str) -> None:
    """HeadBucket names the region; GetBucketLocation is empty for us-east-1, as AWS has it."""
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == servers.REGION
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
