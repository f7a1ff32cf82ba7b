"""boto3: every failure is typed, and changes nothing."""

from __future__ import annotations

import base64
import socket
import uuid
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.exceptions import ClientError

import servers
from clients import raw
from clients.conftest import Connect
from clients.digests import md5

Call = Callable[[Any, str], Any]
ABSENT = "bucket-that-is-not-there"


def failure(call: Callable[[], Any]) -> tuple[str, int]:
    """The S3 code and the HTTP status that a call fails with."""
    with pytest.raises(ClientError) as error:
        call()
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def _delete(s3: Any, bucket: str, *keys: str) -> Any:
    return s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})


FAILURES: dict[str, tuple[Call, str, int]] = {
    "get of no key": (lambda s3, b: s3.get_object(Bucket=b, Key="absent"), "NoSuchKey", 404),
    "head of no key": (lambda s3, b: s3.head_object(Bucket=b, Key="absent"), "404", 404),
    "copy of no key": (lambda s3, b: s3.copy_object(Bucket=b, Key="k", CopySource=f"{b}/absent"), "NoSuchKey", 404),
    "get of no version": (lambda s3, b: s3.get_object(Bucket=b, Key="k", VersionId="abc"), "NoSuchVersion", 404),
    "get in no bucket": (lambda s3, _: s3.get_object(Bucket=ABSENT, Key="k"), "NoSuchBucket", 404),
    "put in no bucket": (lambda s3, _: s3.put_object(Bucket=ABSENT, Key="k", Body=b"x"), "NoSuchBucket", 404),
    "delete in no bucket": (lambda s3, _: s3.delete_object(Bucket=ABSENT, Key="k"), "NoSuchBucket", 404),
    "batch in no bucket": (lambda s3, _: _delete(s3, ABSENT, "k"), "NoSuchBucket", 404),
    "upload in no bucket": (lambda s3, _: s3.create_multipart_upload(Bucket=ABSENT, Key="k"), "NoSuchBucket", 404),
    "list of no bucket": (lambda s3, _: s3.list_objects_v2(Bucket=ABSENT), "NoSuchBucket", 404),
    "head of no bucket": (lambda s3, _: s3.head_bucket(Bucket=ABSENT), "404", 404),
    "delete of no bucket": (lambda s3, _: s3.delete_bucket(Bucket=ABSENT), "NoSuchBucket", 404),
    "location of no bucket": (lambda s3, _: s3.get_bucket_location(Bucket=ABSENT), "NoSuchBucket", 404),
    "delete of a full bucket": (lambda s3, b: s3.delete_bucket(Bucket=b), "BucketNotEmpty", 409),
    "a name in upper case": (lambda s3, _: s3.create_bucket(Bucket="UPPER"), "InvalidBucketName", 400),
    "a name like an address": (lambda s3, _: s3.create_bucket(Bucket="192.168.5.4"), "InvalidBucketName", 400),
    "a short name": (lambda s3, _: s3.create_bucket(Bucket="ab"), "InvalidBucketName", 400),
    "a long name": (lambda s3, _: s3.create_bucket(Bucket="b" * 64), "InvalidBucketName", 400),
    "another region": (
        lambda s3, _: s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}),
        "IllegalLocationConstraintException",
        400,
    ),
    "a long key": (lambda s3, b: s3.put_object(Bucket=b, Key="k" * 1025, Body=b"x"), "KeyTooLongError", 400),
    "a long key of two-byte letters": (lambda s3, b: s3.get_object(Bucket=b, Key="\u00e9" * 513), "KeyTooLongError", 400),
    "much metadata": (lambda s3, b: s3.put_object(Bucket=b, Key="new", Metadata={"a": "v" * 2048}), "MetadataTooLarge", 400),
    "a class that is none": (lambda s3, b: s3.put_object(Bucket=b, Key="new", StorageClass="NONE"), "InvalidStorageClass", 400),
    "no page": (lambda s3, b: s3.list_objects_v2(Bucket=b, MaxKeys=-1), "InvalidArgument", 400),
    "a token that is none": (lambda s3, b: s3.list_objects_v2(Bucket=b, ContinuationToken="\u00fc"), "InvalidArgument", 400),
    "an encoding that is none": (lambda s3, b: s3.list_objects(Bucket=b, EncodingType="rot13"), "InvalidArgument", 400),
    "1,001 deletes": (lambda s3, b: _delete(s3, b, *map(str, range(1001))), "MalformedXML", 400),
    "a control character in XML": (lambda s3, b: _delete(s3, b, "k", "\x01"), "MalformedXML", 400),
    "a copy onto itself": (lambda s3, b: s3.copy_object(Bucket=b, Key="k", CopySource=f"{b}/k"), "InvalidRequest", 400),
    "an upload that is none": (
        lambda s3, b: s3.upload_part(Bucket=b, Key="k", UploadId="none", PartNumber=1, Body=b"x"),
        "NoSuchUpload",
        404,
    ),
    "somebody else's bucket": (lambda s3, b: s3.get_object(Bucket=b, Key="k", ExpectedBucketOwner="0" * 12), "AccessDenied", 403),
    "range and part": (lambda s3, b: s3.get_object(Bucket=b, Key="k", Range="bytes=0-0", PartNumber=1), "InvalidRequest", 400),
}


@pytest.mark.parametrize(("call", "code", "status"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_typed(s3: Any, bucket: str, call: Call, code: str, status: int) -> None:
    """The code and the status are AWS's, a request id is there, and the bucket is as it was."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert failure(lambda: call(s3, bucket)) == (code, status)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


NOT_SET: dict[str, tuple[str, str]] = {
    "get_bucket_policy": ("NoSuchBucketPolicy", ""),
    "get_bucket_cors": ("NoSuchCORSConfiguration", ""),
    "get_bucket_lifecycle_configuration": ("NoSuchLifecycleConfiguration", ""),
    "get_bucket_tagging": ("NoSuchTagSet", ""),
    "get_bucket_website": ("NoSuchWebsiteConfiguration", ""),
    "get_bucket_replication": ("ReplicationConfigurationNotFoundError", ""),
    "get_object_lock_configuration": ("ObjectLockConfigurationNotFoundError", ""),
    "get_bucket_versioning": ("", "Status"),
    "get_bucket_logging": ("", "LoggingEnabled"),
    "get_bucket_accelerate_configuration": ("", "Status"),
    "get_bucket_notification_configuration": ("", "QueueConfigurations"),
}


@pytest.mark.parametrize(("method", "expected"), NOT_SET.items(), ids=NOT_SET)
def test_a_setting_that_is_not_set_says_so(s3: Any, bucket: str, method: str, expected: tuple[str, str]) -> None:
    """Read-only probes, as Terraform sends them, are empty or their NoSuch...Configuration; of no bucket, NoSuchBucket."""
    code, absent = expected
    if code:
        assert failure(lambda: getattr(s3, method)(Bucket=bucket)) == (code, 404)
    else:
        assert absent not in getattr(s3, method)(Bucket=bucket)
    assert failure(lambda: getattr(s3, method)(Bucket=ABSENT)) == ("NoSuchBucket", 404)


LATER: dict[str, Call] = {
    "put with encryption": lambda s3, b: s3.put_object(Bucket=b, Key="k", Body=b"other", ServerSideEncryption="aws:kms"),
    "restore": lambda s3, b: s3.restore_object(Bucket=b, Key="k", RestoreRequest={"Days": 1}),
    "select": lambda s3, b: s3.select_object_content(
        Bucket=b, Key="k", Expression="s", ExpressionType="SQL", InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}}
    ),
    "website": lambda s3, b: s3.put_bucket_website(Bucket=b, WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}}),
    "analytics": lambda s3, b: s3.list_bucket_analytics_configurations(Bucket=b),
}


@pytest.mark.parametrize("call", LATER.values(), ids=LATER)
def test_what_is_not_built_is_refused(s3: Any, bucket: str, call: Call) -> None:
    """501 NotImplemented, never an ignored promise, and never mistaken for the plain resource."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert failure(lambda: call(s3, bucket)) == ("NotImplemented", 501)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_bucket_is_made_once(s3: Any, bucket: str) -> None:
    """In us-east-1 the owner who makes a bucket again is answered 200 (AWS, CreateBucket); what is in it stays."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.create_bucket(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_wrong_credentials_are_told_apart(connect: Connect, bucket: str) -> None:
    """A key that does not exist, and one with another secret, on reads and writes with and without a body."""
    unknown, wrong = connect(access_key="AKIANOBODYNOBODY0000"), connect(secret="another-secret-of-forty-characters-0123456")
    for client, code in ((unknown, "InvalidAccessKeyId"), (wrong, "SignatureDoesNotMatch")):
        for call in (
            lambda client=client: client.list_buckets(),
            lambda client=client: client.put_object(Bucket=bucket, Key="k", Body=b"x"),
            lambda client=client: client.get_object(Bucket=bucket, Key="k"),
            lambda client=client: _delete(client, bucket, "k"),
        ):
            assert failure(call) == (code, 403)


def test_another_region_is_named(server: servers.Server) -> None:
    """A signature for another region is AuthorizationHeaderMalformed, with the region to use."""
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        region_name="eu-west-1",
    )
    try:
        with pytest.raises(ClientError) as error:
            client.list_buckets()
        assert error.value.response["Error"]["Code"] == "AuthorizationHeaderMalformed"
        assert error.value.response["Error"]["Region"] == servers.REGION
    finally:
        client.close()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/{b}"), ("GET", "/{b}/k"), ("PUT", "/{b}/k"), ("DELETE", "/{b}/k"), ("PUT", "/new-bucket")]
)
def test_nobody_is_denied(server: servers.Server, s3: Any, bucket: str, method: str, path: str) -> None:
    """A request without a credential is AccessDenied, and what it asked for did not happen."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    answer = raw.deliver(server.s3, method, path.format(b=bucket), {"Host": server.s3}, b"")
    assert answer.status == 403
    assert ET.fromstring(answer.body).findtext("Code") == "AccessDenied"  # noqa: S314 - our own server's
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert "new-bucket" not in {item["Name"] for item in s3.list_buckets()["Buckets"]}


@pytest.mark.parametrize("key", ["\x01", "\r", "<&>", "\ufffe"], ids=repr)
def test_an_error_can_be_read_whatever_the_key(server: servers.Server, bucket: str, key: str) -> None:
    """The document of an error is well-formed XML with code, resource and request id, also for keys that XML cannot hold."""
    answer = raw.send(server, "GET", f"/{bucket}/{key}")
    document = ET.fromstring(answer.body)  # noqa: S314 - our own server's
    assert (answer.status, document.tag, document.findtext("Code")) == (404, "Error", "NoSuchKey")
    assert document.findtext("RequestId") == answer.headers["x-amz-request-id"]
    assert document.findtext("Resource", "").startswith(f"/{bucket}/")


DOCUMENTS = {
    "empty": b"",
    "text": b"nothing",
    "cut off": b"<Delete><Object><Key>k</Key></Object>",
    "another root": b"<Remove><Object><Key>k</Key></Object></Remove>",
    "a doctype": b'<!DOCTYPE d [<!ENTITY e "k">]><Delete><Object><Key>&e;</Key></Object></Delete>',
    "no key": b"<Delete><Object/></Delete>",
    "no objects": b"<Delete/>",
    "deep": b"<Delete>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</Delete>",
    "no utf-8": b"<Delete><Object><Key>\xff</Key></Object></Delete>",
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_malformed_xml_is_refused(server: servers.Server, s3: Any, bucket: str, document: bytes) -> None:
    """MalformedXML, and nothing is deleted."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    digest = base64.b64encode(md5(document)).decode()
    answer = raw.send(server, "POST", f"/{bucket}", query={"delete": ""}, headers={"Content-MD5": digest}, body=document)
    assert (answer.status, ET.fromstring(answer.body).findtext("Code")) == (400, "MalformedXML")  # noqa: S314 - our own server's
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_batch_needs_a_digest(server: servers.Server, s3: Any, bucket: str) -> None:
    """DeleteObjects without Content-MD5 or a checksum is refused; with one that is wrong, BadDigest."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    for headers, status, code in (
        ({}, 400, "MissingSecurityHeader"),
        ({"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, 400, "BadDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, 400, "BadDigest"),
    ):
        answer = raw.send(server, "POST", f"/{bucket}", query={"delete": ""}, headers=headers, body=document)
        assert (answer.status, ET.fromstring(answer.body).findtext("Code")) == (status, code)  # noqa: S314 - our own server's
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_short_body_stores_nothing(server: servers.Server, s3: Any, bucket: str) -> None:
    """A client that vanishes before the length it announced leaves nothing behind."""
    key = f"short-{uuid.uuid4().hex}"
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key})
    host, _, port = server.s3.rpartition(":")
    for sent in (1000, 100_000):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = f"PUT {url.removeprefix(server.endpoint)} HTTP/1.1\r\nHost: {server.s3}\r\nContent-Length: 200000\r\n\r\n"
            connection.sendall(head.encode() + b"x" * sent)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
