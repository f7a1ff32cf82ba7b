"""The exact bytes of every document that S3's clients read."""

from __future__ import annotations

import base64
import hashlib
import re

from attrs import evolve

from asgi import Request
from faces import Ask, Rig
from lightningstor_server.s3.xml import NAMESPACE, write_document
from lightningstor_types.digests import ETag
from lightningstor_types.names import BucketName
from lightningstor_types.operations.buckets import GetBucketLocationResult
from lightningstor_types.operations.objects import DeleteFailure, DeleteObjectsResult
from lightningstor_types.operations.uploads import CompleteMultipartUploadResult
from signers import crc32, md5

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
OWNER = "<Owner><ID>canonical-alpha</ID><DisplayName>Alpha</DisplayName></Owner>"
WHEN = "2026-01-02T03:04:05.000Z"


def document(root: str, *parts: str) -> bytes:
    """The bytes of a document in S3's namespace."""
    return f'{DECLARATION}<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{"".join(parts)}</{root}>'.encode()


def contents(key: str, etag: str, checksum: str, size: int, *more: str) -> str:
    """A listed object."""
    return (
        f"<Contents><Key>{key}</Key><LastModified>{WHEN}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
        f"<ChecksumAlgorithm>{checksum}</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>{size}</Size>"
        f"<StorageClass>STANDARD</StorageClass>{''.join(more)}</Contents>"
    )


HELLO = "5d41402abc4b2a76b9719d911017c592"
COMPOSITE = hashlib.md5(bytes.fromhex(HELLO), usedforsecurity=False).hexdigest()
A = contents("a", HELLO, "CRC64NVME", 5)
A_OWNED = contents("a", HELLO, "CRC64NVME", 5, OWNER)


async def two_objects(ask: Ask) -> None:
    """`a` and `b/c`."""
    for key in ("a", "b/c"):
        assert (await ask("PUT", f"/bucket/{key}", body=b"hello")).status == 200


async def test_list_buckets(rig: Rig, ask: Ask) -> None:
    """ListAllMyBucketsResult wraps its buckets, which are flat elsewhere."""
    bucket = f"<Bucket><Name>bucket</Name><CreationDate>{WHEN}</CreationDate><BucketRegion>us-east-1</BucketRegion></Bucket>"
    response = await ask("GET", "/")
    assert response.body == document("ListAllMyBucketsResult", OWNER, f"<Buckets>{bucket}</Buckets>")
    assert response.headers["content-type"] == "application/xml"
    none = await rig.send(rig.beta.owner.header(Request()))
    assert none.body.endswith(b"</Owner><Buckets></Buckets></ListAllMyBucketsResult>")


async def test_list_objects_v2(ask: Ask) -> None:
    """A page, with what is rolled up, and the pages' own values."""
    await two_objects(ask)
    response = await ask("GET", "/bucket?list-type=2&delimiter=%2F")
    assert response.body == document(
        "ListBucketResult", "<Name>bucket</Name><Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>",
        "<Delimiter>/</Delimiter><IsTruncated>false</IsTruncated>", A, "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>",
    )  # fmt: skip
    response = await ask("GET", "/bucket?list-type=2&max-keys=1&fetch-owner=true&start-after=%20&prefix=")
    assert response.body == document(
        "ListBucketResult", "<Name>bucket</Name><Prefix></Prefix><StartAfter> </StartAfter>",
        "<NextContinuationToken>YQ==</NextContinuationToken><KeyCount>1</KeyCount><MaxKeys>1</MaxKeys>",
        "<IsTruncated>true</IsTruncated>", A_OWNED,
    )  # fmt: skip


async def test_list_objects(ask: Ask) -> None:
    """The older form has the owner always, and a marker, of which the next is told only with a delimiter."""
    await two_objects(ask)
    response = await ask("GET", "/bucket?delimiter=/&max-keys=1")
    assert response.body == document(
        "ListBucketResult", "<Name>bucket</Name><Prefix></Prefix><Marker></Marker><NextMarker>a</NextMarker><MaxKeys>1</MaxKeys>",
        "<Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>", A_OWNED,
    )  # fmt: skip
    response = await ask("GET", "/bucket?max-keys=1")
    assert b"<NextMarker>" not in response.body
    assert b"<IsTruncated>true</IsTruncated>" in response.body


async def test_an_empty_listing(ask: Ask) -> None:
    """An empty page has its values and nothing more; max-keys=0 is never truncated."""
    for query in ("list-type=2", "list-type=2&max-keys=0"):
        response = await ask("GET", f"/bucket?{query}")
        size = "0" if query.endswith("0") else "1000"
        assert response.body == document(
            "ListBucketResult", "<Name>bucket</Name><Prefix></Prefix><KeyCount>0</KeyCount>", f"<MaxKeys>{size}</MaxKeys>",
            "<IsTruncated>false</IsTruncated>",
        )  # fmt: skip
        await ask("PUT", "/bucket/a")


async def test_location(ask: Ask) -> None:
    """GetBucketLocation: us-east-1 is the empty text, another region is its name."""
    assert (await ask("GET", "/bucket?location")).body == document("LocationConstraint")
    assert (await ask("GET", "/bucket?location=")).body == document("LocationConstraint")
    assert write_document(GetBucketLocationResult(region="eu-west-1"), encoded=False) == document("LocationConstraint", "eu-west-1")


async def test_copy(ask: Ask) -> None:
    """CopyObjectResult has the tag in quotes and the moment in milliseconds."""
    await two_objects(ask)
    response = await ask("PUT", "/bucket/copy", ("x-amz-copy-source", "/bucket/a"))
    assert response.body == document(
        "CopyObjectResult", f"<ETag>&quot;{HELLO}&quot;</ETag><LastModified>{WHEN}</LastModified><ChecksumType>FULL_OBJECT</ChecksumType>",
        "<ChecksumCRC64NVME>M3eFcAZSQlc=</ChecksumCRC64NVME>",
    )  # fmt: skip


async def test_multipart(ask: Ask) -> None:
    """The four documents of an upload, and the one that its client sends."""
    await two_objects(ask)
    response = await ask("POST", "/bucket/big?uploads", ("x-amz-checksum-algorithm", "CRC32"))
    upload = re.search(rb"<UploadId>([\w-]+)</UploadId>", response.body)[1].decode()
    assert response.body == document(
        "InitiateMultipartUploadResult", "<Bucket>bucket</Bucket><Key>big</Key>", f"<UploadId>{upload}</UploadId>"
    )
    assert (response.headers["x-amz-checksum-algorithm"], response.headers["x-amz-checksum-type"]) == ("CRC32", "COMPOSITE")
    at = f"/bucket/big?uploadId={upload}"
    response = await ask("PUT", f"{at}&partNumber=1", ("x-amz-copy-source", "bucket/a"), ("x-amz-copy-source-range", "bytes=0-4"))
    assert response.body == document(
        "CopyPartResult", f"<ETag>&quot;{HELLO}&quot;</ETag><LastModified>{WHEN}</LastModified><ChecksumCRC32>NhCmhg==</ChecksumCRC32>"
    )
    response = await ask("GET", at)
    initiator = OWNER.replace("Owner>", "Initiator>")
    assert response.body == document(
        "ListPartsResult", f"<Bucket>bucket</Bucket><Key>big</Key><UploadId>{upload}</UploadId>", initiator, OWNER,
        "<StorageClass>STANDARD</StorageClass><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>1</NextPartNumberMarker>",
        "<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>",
        f"<ChecksumType>COMPOSITE</ChecksumType><Part><PartNumber>1</PartNumber><LastModified>{WHEN}</LastModified>",
        f"<ETag>&quot;{HELLO}&quot;</ETag><Size>5</Size><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part>",
    )  # fmt: skip
    response = await ask("GET", "/bucket?uploads")
    assert response.body == document(
        "ListMultipartUploadsResult", "<Bucket>bucket</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>",
        "<Prefix></Prefix><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>",
        f"<Upload><Key>big</Key><UploadId>{upload}</UploadId>", initiator, OWNER,
        f"<StorageClass>STANDARD</StorageClass><Initiated>{WHEN}</Initiated><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>",
        "<ChecksumType>COMPOSITE</ChecksumType></Upload>",
    )  # fmt: skip
    part = f'<Part><ETag>"{HELLO}"</ETag><ChecksumCRC32>NhCmhg==</ChecksumCRC32><PartNumber>1</PartNumber></Part>'
    for namespace in ("", f' xmlns="{NAMESPACE}"'):
        sent = f'<?xml version="1.0"?><CompleteMultipartUpload{namespace}>\n  {part}\n</CompleteMultipartUpload>\n'.encode()
        response = await ask("POST", at, body=sent)
        assert response.body == document(
            "CompleteMultipartUploadResult", "<Location>/bucket/big</Location><Bucket>bucket</Bucket><Key>big</Key>",
            f"<ETag>&quot;{COMPOSITE}-1&quot;</ETag><ChecksumType>COMPOSITE</ChecksumType>",
            f"<ChecksumCRC32>{crc32(base64.b64decode('NhCmhg=='))}-1</ChecksumCRC32>",
        ), response.body  # fmt: skip


async def test_delete_result(ask: Ask) -> None:
    """What went and what did not; in quiet mode what went is not told."""
    await two_objects(ask)
    sent = b'<Delete><Object><Key>a</Key></Object><Object><Key>b/c</Key><ETag>"x"</ETag></Object></Delete>'
    failed = (
        "<Error><Key>b/c</Key><Code>PreconditionFailed</Code><Message>At least one of the preconditions did not hold.</Message></Error>"
    )
    response = await ask("POST", "/bucket?delete", ("content-md5", md5(sent)), body=sent)
    assert response.body == document("DeleteResult", "<Deleted><Key>a</Key></Deleted>", failed)
    quiet = sent.replace(b"<Delete>", b"<Delete><Quiet>true</Quiet>")
    response = await ask("POST", "/bucket?delete", ("content-md5", md5(quiet)), body=quiet)
    assert response.body == document("DeleteResult", failed)


async def test_settings_that_are_not_set(ask: Ask) -> None:
    """Probes of settings that nobody set are answered as AWS does, by an empty document or by their own error."""
    for query, expected in (
        ("versioning", document("VersioningConfiguration")),
        ("accelerate", document("AccelerateConfiguration")),
        ("requestPayment", document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>")),
        ("logging", document("BucketLoggingStatus")),
        ("notification", document("NotificationConfiguration")),
    ):
        assert (await ask("GET", f"/bucket?{query}")).body == expected
    for query, code in (
        ("policy", "NoSuchBucketPolicy"),
        ("tagging", "NoSuchTagSet"),
        ("cors", "NoSuchCORSConfiguration"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ):
        response = await ask("GET", f"/bucket?{query}")
        assert (response.status, f"<Code>{code}</Code>".encode() in response.body) == (404, True)


async def test_error(rig: Rig, ask: Ask) -> None:
    """An error is its code, message, details, resource and request id; what comes from the request is escaped."""
    response = await ask("GET", "/bucket/%3Ca%26b%3E%0D")
    identifier = response.headers["x-amz-request-id"]
    assert (
        response.body
        == (
            f"{DECLARATION}<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>&lt;a&amp;b&gt;&#13;</Key>"
            f"<Resource>/bucket/%3Ca%26b%3E%0D</Resource><RequestId>{identifier}</RequestId></Error>"
        ).encode()
    )
    assert response.headers["content-type"] == "application/xml"
    assert re.fullmatch(r"[0-9A-F]{16}", identifier)
    assert rig.region


def test_text_is_escaped_everywhere() -> None:
    """No value of a result ends its element."""
    evil = "</Key><&\"'\r\n]]>"
    failure = DeleteFailure(key=evil, code="X", message=evil)
    result = CompleteMultipartUploadResult(location=evil, bucket=evil, key=evil, etag=ETag("a"))
    safe = b"&lt;/Key&gt;&lt;&amp;&quot;'&#13;\n]]&gt;"
    assert write_document(DeleteObjectsResult(errors=(failure,)), encoded=False).count(safe) == 2
    assert write_document(evolve(result, bucket=BucketName("b")), encoded=False).count(safe) == 2
