"""A tenant sees nothing of another's data, and a principal does what its role allows."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, has

from asgi import Request, Response
from faces import Face, Rig, grpc_face
from faces import rig as open_rig
from lightningstor_server.service.operation import operations
from lightningstor_server.service.settings import Settings
from lightningstor_types.errors import AccessDenied, BucketAlreadyExists, NoSuchBucket, StorError
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.buckets import CreateBucket, DeleteBucket, ListBuckets
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.operations.copying import CopyObject, UploadPartCopy
from lightningstor_types.operations.objects import GetObject, PutObject
from lightningstor_types.operations.uploads import CreateMultipartUpload
from lightningstor_types.streams import BytesStream
from lightningstor_types.tenants import BucketNamespace, Role
from samples import BUCKET, CONTENT, KEY, NOT_SET, ROUTED, WITH_RPC, WRITES, Furnished, furnish, sample, sample_input

MISSING = {"bucket": "bocket", "empty": "ampty", "locking": "lacking"}
"""Names that nobody has, as long as those of alpha's."""
NAMELESS = {"CreateBucket", *(name for name, operation in operations().items() if not issubclass(operation.input, OnBucket))}
"""These name no bucket that there is."""
FOREIGN = sorted(set(ROUTED) - NAMELESS)


def renamed(text: bytes) -> bytes:
    """The text with alpha's names replaced by those that nobody has."""
    for present, missing in MISSING.items():
        text = text.replace(present.encode(), missing.encode())
    return text


def told(response: Response) -> tuple[int, bytes, set[str]]:
    """What a response tells, but for its id and the name that was asked for."""
    body = response.body.replace(response.headers["x-amz-request-id"].encode(), b"ID")
    return response.status, renamed(body), set(response.headers)


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_foreign_bucket_is_a_missing_one(rig: Rig, at: Furnished, name: str) -> None:
    """Every operation on another project's bucket answers, byte for byte, as on one that nobody has."""
    before = rig.dump()
    request = sample(name, at)
    headers = tuple((header, renamed(value)) for header, value in request.headers)
    nowhere = evolve(request, path=renamed(request.path), headers=headers)
    assert nowhere.path != request.path
    foreign, missing = [await rig.send(sent, rig.beta.owner) for sent in (request, nowhere)]
    assert told(foreign) == told(missing)
    assert foreign.status == 404
    assert rig.dump() == before


@pytest.mark.parametrize("name", sorted(set(WITH_RPC) - NAMELESS))
async def test_a_foreign_bucket_is_a_missing_one_over_grpc(rig: Rig, at: Furnished, name: str) -> None:
    """The same over gRPC, with every operation that it has."""
    before = rig.dump()
    request = sample_input(name, at)
    nowhere = evolve(request, bucket=BucketName(MISSING[request.bucket]))
    if hasattr(request, "source"):
        nowhere = evolve(nowhere, source=evolve(request.source, bucket=nowhere.bucket))
    async with grpc_face(rig, rig.beta.owner) as beta:
        foreign, missing = [await failure(beta, sent) for sent in (request, nowhere)]
    assert (foreign.code, foreign.message) == (missing.code, missing.message) == ("NoSuchBucket", NoSuchBucket.text)
    assert foreign.details == {"BucketName": request.bucket}
    assert missing.details == {"BucketName": nowhere.bucket}
    assert rig.dump() == before


async def failure(face: Face, request: Any) -> StorError:
    """The error of a call."""
    with pytest.raises(StorError) as caught:
        await face(request)
    return caught.value


async def test_names_are_a_project_s_own(rig: Rig, at: Furnished) -> None:
    """Two projects have a bucket of the same name each, and each its own objects; a listing shows one's own."""
    assert at
    assert (await rig(ListBuckets(), rig.beta.owner)).buckets == ()
    await rig(CreateBucket(bucket=BUCKET), rig.beta.owner)
    await rig(PutObject(bucket=BUCKET, key=KEY, body=BytesStream(b"of beta")), rig.beta.owner)
    assert (await rig(GetObject(bucket=BUCKET, key=KEY))).body.content == CONTENT
    assert (await rig(GetObject(bucket=BUCKET, key=KEY), rig.beta.owner)).body.content == b"of beta"
    assert [bucket.name for bucket in (await rig(ListBuckets(), rig.beta.owner)).buckets] == [BUCKET]


@pytest.mark.parametrize("prefix", ["/", "", "%2F"])
async def test_a_foreign_source_is_a_missing_one(rig: Rig, at: Furnished, prefix: str) -> None:
    """CVE-2026-39360 of another store: a copy reads nothing of another project, in any writing of its source."""
    assert at
    mine = BucketName("mine")
    await rig(CreateBucket(bucket=mine), rig.beta.owner)
    upload = (await rig(CreateMultipartUpload(bucket=mine, key=KEY), rig.beta.owner)).upload_id
    before = rig.dump()
    for query in (b"", b"partNumber=1&uploadId=" + upload.encode()):
        for suffix in ("", "?versionId=null"):
            answers = []
            for bucket in (BUCKET, MISSING[BUCKET]):
                source = ("x-amz-copy-source", f"{prefix}{bucket}/{KEY}{suffix}")
                request = Request(method="PUT", path=b"/mine/key", query=query).with_headers(source).with_body(b"")
                answers.append(await rig.send(request, rig.beta.owner))
            assert b"<Code>NoSuchBucket</Code>" in answers[0].body
            assert told(answers[0]) == told(answers[1])
    assert rig.dump() == before


async def test_a_foreign_source_over_grpc(rig: Rig, at: Furnished) -> None:
    """The same over gRPC."""
    assert at
    mine = BucketName("mine")
    await rig(CreateBucket(bucket=mine), rig.beta.owner)
    upload = (await rig(CreateMultipartUpload(bucket=mine, key=KEY), rig.beta.owner)).upload_id
    before = rig.dump()
    source = CopySource(bucket=BUCKET, key=KEY)
    async with grpc_face(rig, rig.beta.owner) as beta:
        for request in (
            CopyObject(bucket=mine, key=KEY, source=source),
            UploadPartCopy(bucket=mine, key=KEY, upload_id=upload, part_number=1, source=source),
        ):
            assert (await failure(beta, request)).details == {"BucketName": BUCKET}
    assert rig.dump() == before


async def test_a_foreign_upload_is_a_missing_one(rig: Rig, at: Furnished) -> None:
    """An upload id that leaked is of no use in another project's bucket, nor in another bucket or under another key."""
    for bucket in ("bucket", "mine"):
        await rig(CreateBucket(bucket=BucketName(bucket)), rig.beta.owner)
    before = rig.dump()
    for name in ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts"):
        request = sample(name, at)
        for path, signer in ((b"/mine/upload-key", rig.beta.owner), (b"/bucket/upload-key", rig.beta.owner),
                             (b"/empty/upload-key", rig.alpha.owner), (b"/bucket/another", rig.alpha.owner)):  # fmt: skip
            response = await rig.send(evolve(request, path=path), signer)
            assert (response.status, b"<Code>NoSuchUpload</Code>" in response.body) == (404, True)
    assert rig.dump() == before


async def test_names_of_an_organisation() -> None:
    """Where names are an organisation's, another project's bucket answers as a missing one, and its name is taken."""
    async with open_rig(settings=Settings(bucket_namespace=BucketNamespace.ORGANISATION)) as rig:
        await furnish(rig)
        beta = rig.s3(rig.beta.owner)
        assert (await failure(beta, GetObject(bucket=BUCKET, key=KEY))).code == NoSuchBucket.__name__
        assert (await failure(beta, CreateBucket(bucket=BUCKET))).code == BucketAlreadyExists.__name__
        assert (await failure(beta, DeleteBucket(bucket=BUCKET))).code == NoSuchBucket.__name__


async def test_global_names() -> None:
    """Where names are global AWS's answers hold: 403 for a foreign bucket, 404 for a missing one, 409 for a taken name."""
    async with open_rig(settings=Settings(bucket_namespace=BucketNamespace.GLOBAL)) as rig:
        at = await furnish(rig)
        before = rig.dump()
        for name in FOREIGN:
            foreign = await rig.send(sample(name, at), rig.beta.owner)
            assert (foreign.status, b"<Deleted>" in foreign.body) == (200 if name in ALONE else 403, False)
            nowhere = evolve(sample(name, at), path=renamed(sample(name, at).path))
            assert (await rig.send(nowhere, rig.beta.owner)).status == 404
        assert (await failure(rig.s3(rig.beta.owner), CreateBucket(bucket=BUCKET))).code == BucketAlreadyExists.__name__
        assert rig.dump() == before


async def test_the_bucket_owner_that_is_expected(rig: Rig, at: Furnished) -> None:
    """x-amz-expected-bucket-owner with another owner denies every operation on a bucket; with the right one it changes nothing."""
    before = rig.dump()
    for name in FOREIGN:
        for owner in (rig.beta.project.canonical_id, "", "canonical"):
            response = await rig.send(sample(name, at).with_headers(("x-amz-expected-bucket-owner", owner)), rig.alpha.owner)
            assert response.status == 403, name
    assert rig.dump() == before
    for name in set(FOREIGN) - WRITES - NOT_SET:
        request = sample(name, at).with_headers(("x-amz-expected-bucket-owner", rig.alpha.project.canonical_id))
        assert (await rig.send(request, rig.alpha.owner)).status == 200, name


# -- roles

EDITS = {
    "PutObject", "DeleteObject", "DeleteObjects", "CopyObject", "UploadPartCopy", "CreateMultipartUpload", "UploadPart",
    "CompleteMultipartUpload", "AbortMultipartUpload", "UpdateObject", "PutObjectAcl", "PutObjectTagging",
    "DeleteObjectTagging", "PutObjectRetention", "PutObjectLegalHold",
}  # fmt: skip
RULES = {
    "CreateBucket", "DeleteBucket", "UpdateBucket", "PutBucketVersioning", "PutBucketAcl", "PutBucketOwnershipControls",
    "DeleteBucketOwnershipControls", "PutPublicAccessBlock", "DeletePublicAccessBlock", "PutBucketTagging",
    "PutBucketCors", "DeleteBucketCors",
    "DeleteBucketTagging", "PutBucketPolicy", "DeleteBucketPolicy",
    "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle", "PutObjectLockConfiguration",
}  # fmt: skip
ALONE = {"DeleteObjects"}
"""What is denied of these is told for each object, in an answer that succeeds (AWS, DeleteObjects)."""
TENANCY = {name for name, operation in operations().items() if (operation.rpc or "").startswith("TenantService.")}
OF_OWN_PROJECT = {
    "CreatePrincipal", "SetRole", "ListPrincipals", "DeletePrincipal", "CreateAccessKey", "ListAccessKeys", "RevokeAccessKey",
    "DeleteAccessKey", "GetTenantUsage",
}  # fmt: skip
READS = set(operations()) - EDITS - RULES - TENANCY
ALLOWED = {Role.VIEWER: READS, Role.EDITOR: READS | EDITS, Role.OWNER: READS | EDITS | RULES | OF_OWN_PROJECT}
"""Which operations a role may carry out: a new one stands among the reads until somebody says otherwise."""


def test_the_matrix_knows_every_write() -> None:
    """No operation that changes anything is taken for a read."""
    assert {"UpdateBucket", "UpdateObject"} | WRITES == EDITS | RULES


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", ROUTED)
async def test_roles(rig: Rig, at: Furnished, name: str, role: Role) -> None:
    """A viewer reads, an editor writes objects, an owner does everything; what is denied changes nothing."""
    before = rig.dump()
    response = await rig.send(sample(name, at), rig.alpha.signers[role])
    if name in ALLOWED[role]:
        assert (response.status < 300) != (name in NOT_SET), response
    else:
        assert (response.status, b"<Code>AccessDenied</Code>" in response.body) == (200 if name in ALONE else 403, True)
        assert b"<Deleted>" not in response.body
        assert rig.dump() == before


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", WITH_RPC)
async def test_roles_over_grpc(rig: Rig, at: Furnished, name: str, role: Role) -> None:
    """The same matrix holds over gRPC."""
    before = rig.dump()
    async with grpc_face(rig, rig.alpha.signers[role]) as face:
        if name in ALLOWED[role]:
            assert has(type(await face(sample_input(name, at))))
            return
        if name in ALONE:
            answer = await face(sample_input(name, at))
            assert ({error.code for error in answer.errors}, answer.deleted) == ({AccessDenied.__name__}, ())
        else:
            assert (await failure(face, sample_input(name, at))).code == AccessDenied.__name__
        assert rig.dump() == before


async def test_a_viewer_s_copy(rig: Rig, at: Furnished) -> None:
    """Source and destination are authorised apart: who may read may not therefore write."""
    assert at
    for request in (CopyObject(bucket=BUCKET, key=ObjectKey("new"), source=CopySource(bucket=BUCKET, key=KEY)),):
        assert isinstance(request, OnBucket)
        assert (await failure(rig.s3(rig.alpha.signers[Role.VIEWER]), request)).code == AccessDenied.__name__
