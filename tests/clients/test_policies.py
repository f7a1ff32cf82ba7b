"""Bucket policies under each HTTP server, in the clear and by TLS: what they know of a connection is so, and boto3's word for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import servers
from clients import tls
from clients.conftest import HTTP_SERVERS
from lightningstor_api.client import connect
from lightningstor_types.errors import AccessDenied
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.objects import GetObject

WAIT_SECONDS = 60.0


@pytest.fixture(scope="module", params=[(name, secure) for name in HTTP_SERVERS for secure in (False, True)], ids=str)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[servers.Server, bool]]:
    """A server, and whether it speaks TLS."""
    name, secure = request.param
    folder = tmp_path_factory.mktemp("policies")
    with servers.running(folder / "data", f"--http-server={name}", files=tls.issue(folder) if secure else None) as running:
        yield running, secure


@contextmanager
def client(server: servers.Server) -> Iterator[Any]:
    """A boto3 client that does not repeat what failed."""
    made = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        region_name=servers.REGION,
        verify=str(server.authority) if server.authority else None,
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield made
    finally:
        made.close()


def denying(condition: dict[str, Any]) -> str:
    """A policy that denies everybody to read on a condition."""
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::policed/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Condition": condition}]})


async def test_the_connection(served: tuple[servers.Server, bool]) -> None:
    """Its address and whether it is TLS are known to both fronts; the policy is told as it was put, and goes."""
    server, secure = served
    key: dict[str, Any] = {"access_key": servers.ACCESS_KEY, "secret_key": servers.SECRET_KEY}
    key |= {"ca_file": server.authority} if server.authority else {}
    read = GetObject(bucket=BucketName("policed"), key=ObjectKey("k"))
    with client(server) as s3:
        s3.create_bucket(Bucket="policed")
        s3.put_object(Bucket="policed", Key="k", Body=b"x")
        async with asyncio.timeout(WAIT_SECONDS), connect(server.grpc, **key) as over_grpc:
            for condition, denied in (
                ({"IpAddress": {"aws:SourceIp": "127.0.0.1"}}, True),
                ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, False),
                ({"Bool": {"aws:SecureTransport": "true"}}, secure),
                ({"Bool": {"aws:SecureTransport": "false"}}, not secure),
            ):
                s3.put_bucket_policy(Bucket="policed", Policy=denying(condition))
                assert s3.get_bucket_policy(Bucket="policed")["Policy"] == denying(condition)
                if denied:
                    with pytest.raises(ClientError, match="AccessDenied"):
                        s3.get_object(Bucket="policed", Key="k")
                    with pytest.raises(AccessDenied):
                        await over_grpc.read_object(read)
                else:
                    s3.get_object(Bucket="policed", Key="k")["Body"].close()
                    answer = await over_grpc.read_object(read)
                    assert b"".join([piece async for piece in answer.body]) == b"x"
        assert s3.get_bucket_policy_status(Bucket="policed")["PolicyStatus"] == {"IsPublic": False}
        s3.delete_bucket_policy(Bucket="policed")
        with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
            s3.get_bucket_policy(Bucket="policed")
