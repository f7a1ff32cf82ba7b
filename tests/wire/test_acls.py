"""The XML of access control lists, ownership controls and public access blocks, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from asgi import Request
from faces import Ask, Rig
from faces import rig as open_rig
from lightningstor_server.service.settings import Settings
from lightningstor_types.access import ALL_USERS
from lightningstor_types.names import BucketName
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import BucketNamespace

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type='
OWNER = "<Owner><ID>canonical-alpha</ID><DisplayName>Alpha</DisplayName></Owner>"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names whose new buckets regard lists and block nothing; alpha has the bucket `bucket`."""
    settings = Settings(
        bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ObjectOwnership.OBJECT_WRITER, new_bucket_blocked=False
    )
    async with open_rig(settings=settings) as made:
        await made(CreateBucket(bucket=BucketName("bucket")))
        yield made


def to_project(name: str, permission: str) -> str:
    """A grant to a project."""
    grantee = f"<ID>canonical-{name}</ID><DisplayName>{name.title()}</DisplayName>"
    return f'<Grant><Grantee {XSI}"CanonicalUser">{grantee}</Grantee><Permission>{permission}</Permission></Grant>'


def to_group(uri: str, permission: str) -> str:
    """A grant to a group."""
    return f'<Grant><Grantee {XSI}"Group"><URI>{uri}</URI></Grantee><Permission>{permission}</Permission></Grant>'


def policy(*grants: str, owner: str = OWNER) -> bytes:
    """A list as it is told."""
    inner = f"{owner}<AccessControlList>{''.join(grants)}</AccessControlList>"
    return f"{HEAD}<AccessControlPolicy {NAMESPACE}>{inner}</AccessControlPolicy>".encode()


FULL = to_project("alpha", "FULL_CONTROL")


async def test_lists_as_they_are_told(ask: Ask) -> None:
    """A bucket's and an object's, as made and with a name: groups before projects, each grantee with its kind."""
    await ask("PUT", "/bucket/key")
    for path in ("/bucket?acl", "/bucket/key?acl"):
        response = await ask("GET", path)
        assert (response.status, response.headers["content-type"], response.body) == (200, "application/xml", policy(FULL))
        assert (await ask("PUT", path, ("x-amz-acl", "public-read-write"))).status == 200
        expected = policy(to_group(ALL_USERS, "READ"), to_group(ALL_USERS, "WRITE"), FULL)
        assert (await ask("GET", path)).body == expected


async def test_lists_as_they_are_sent(ask: Ask) -> None:
    """What is told can be sent back; the names of grantees are the store's; an empty list is a list."""
    await ask("PUT", "/bucket/key")
    for path in ("/bucket?acl", "/bucket/key?acl"):
        sent = policy(FULL, to_project("beta", "READ").replace("Beta", "Another"), to_group(ALL_USERS, "READ_ACP"))
        response = await ask("PUT", path, body=sent)
        assert (response.status, response.body) == (200, b"")
        told = (await ask("GET", path)).body
        assert told == policy(to_group(ALL_USERS, "READ_ACP"), FULL, to_project("beta", "READ"))
        assert (await ask("PUT", path, body=told)).status == 200
        assert (await ask("GET", path)).body == told
        assert (await ask("PUT", path, body=policy())).status == 200
        assert (await ask("GET", path)).body == policy()


async def test_a_list_in_headers(rig: Rig, ask: Ask) -> None:
    """x-amz-grant-* on a write; unquoted ids are what some clients send."""
    beta = rig.beta.project.canonical_id
    headers = (("x-amz-grant-read", f"id={beta}"), ("x-amz-grant-write-acp", f'id="{beta}", uri="{ALL_USERS}"'))
    await ask("PUT", "/bucket/key", *headers)
    told = (await ask("GET", "/bucket/key?acl")).body
    assert told == policy(to_group(ALL_USERS, "WRITE_ACP"), to_project("beta", "READ"), to_project("beta", "WRITE_ACP"))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"<X/>", "MalformedACLError"),
        (b"<AccessControlPolicy>", "MalformedACLError"),
        (b"<AccessControlPolicy/>", "MissingSecurityHeader"),
        (policy("<Grant/>"), "MalformedACLError"),
        (policy("<X/>"), "MalformedACLError"),
        (policy(FULL.replace("FULL_CONTROL", "EVERYTHING")), "MalformedACLError"),
        (policy(FULL.replace("canonical-alpha", "nobody")), "InvalidArgument"),
        (policy(to_group("http://acs.amazonaws.com/groups/global/X", "READ")), "InvalidArgument"),
        (policy(f'<Grant><Grantee {XSI}"CanonicalUser"/><Permission>READ</Permission></Grant>'), "MalformedACLError"),
        (policy(FULL, owner="<Owner><ID>canonical-beta</ID></Owner>"), "AccessDenied"),
        (
            policy(FULL).replace(b"</AccessControlList>", b"</AccessControlList><AccessControlList></AccessControlList>"),
            "MalformedACLError",
        ),
    ],
)
async def test_documents_that_are_no_list(rig: Rig, ask: Ask, document: bytes, code: str) -> None:
    """They are refused under AWS's codes and change nothing."""
    await ask("PUT", "/bucket/key")
    before = rig.dump()
    for path in ("/bucket?acl", "/bucket/key?acl"):
        response = await ask("PUT", path, body=document)
        assert f"<Code>{code}</Code>".encode() in response.body
        assert response.status == (403 if code == "AccessDenied" else 400)
    assert rig.dump() == before


async def test_unknown_names_of_lists(rig: Rig, ask: Ask) -> None:
    """x-amz-acl with a name that is none is InvalidArgument everywhere, before anything is stored."""
    await ask("PUT", "/bucket/key")
    before = rig.dump()
    for target in ("/bucket?acl", "/bucket/key?acl", "/bucket/other", "/fresh"):
        response = await ask("PUT", target, ("x-amz-acl", "public-ready"))
        assert (response.status, b"<Code>InvalidArgument</Code>" in response.body) == (400, True)
    assert rig.dump() == before


async def test_ownership_controls(ask: Ask) -> None:
    """As they are sent and told; without them the error that says so; two rules, or one of another name, are malformed."""
    missing = await ask("GET", "/bucket?ownershipControls")
    assert (missing.status, b"<Code>OwnershipControlsNotFoundError</Code>" in missing.body) == (404, True)
    rule = "<Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>"
    document = f"{HEAD}<OwnershipControls {NAMESPACE}>{rule}</OwnershipControls>".encode()
    assert (await ask("PUT", "/bucket?ownershipControls", body=document)).status == 200
    assert (await ask("GET", "/bucket?ownershipControls")).body == document
    for wrong in (
        document.replace(b"Preferred", b"Loved"),
        document.replace(b"<Rule>", b"<Rule></Rule><Rule>"),
        b"<OwnershipControls/>",
        b"",
    ):
        response = await ask("PUT", "/bucket?ownershipControls", body=wrong)
        assert (response.status, b"<Code>MalformedXML</Code>" in response.body) == (400, True)
    assert (await ask("GET", "/bucket?ownershipControls")).body == document
    for _ in range(2):
        assert (await ask("DELETE", "/bucket?ownershipControls")).status == 204
    assert (await ask("GET", "/bucket?ownershipControls")).status == 404


async def test_the_ownership_of_a_new_bucket(ask: Ask) -> None:
    """x-amz-object-ownership makes the controls; one of another name is InvalidArgument and makes no bucket."""
    assert (await ask("PUT", "/fresh", ("x-amz-object-ownership", "Mine"))).status == 400
    assert (await ask("HEAD", "/fresh")).status == 404
    assert (await ask("PUT", "/fresh", ("x-amz-object-ownership", "ObjectWriter"))).status == 200
    assert b"<ObjectOwnership>ObjectWriter</ObjectOwnership>" in (await ask("GET", "/fresh?ownershipControls")).body


async def test_public_access_block(ask: Ask) -> None:
    """As it is sent and told, what is left out being false; without one the error that says so."""
    missing = await ask("GET", "/bucket?publicAccessBlock")
    assert (missing.status, b"<Code>NoSuchPublicAccessBlockConfiguration</Code>" in missing.body) == (404, True)
    sent = f"<PublicAccessBlockConfiguration {NAMESPACE}><IgnorePublicAcls>TRUE</IgnorePublicAcls></PublicAccessBlockConfiguration>"
    assert (await ask("PUT", "/bucket?publicAccessBlock", body=sent.encode())).status == 200
    flags = "".join(
        f"<{name}>{value}</{name}>"
        for name, value in (
            ("BlockPublicAcls", "false"), ("IgnorePublicAcls", "true"), ("BlockPublicPolicy", "false"), ("RestrictPublicBuckets", "false"),
        )
    )  # fmt: skip
    expected = f"{HEAD}<PublicAccessBlockConfiguration {NAMESPACE}>{flags}</PublicAccessBlockConfiguration>".encode()
    assert (await ask("GET", "/bucket?publicAccessBlock")).body == expected
    for wrong in (b"", b"<X/>", sent.replace("TRUE", "yes").encode()):
        assert (await ask("PUT", "/bucket?publicAccessBlock", body=wrong)).status == 400
    assert (await ask("GET", "/bucket?publicAccessBlock")).body == expected
    for _ in range(2):
        assert (await ask("DELETE", "/bucket?publicAccessBlock")).status == 204
    assert (await ask("GET", "/bucket?publicAccessBlock")).status == 404


async def test_policy_status(ask: Ask) -> None:
    """In lower case, as SDKs read booleans."""
    for acl, public in (("private", "false"), ("public-read", "true")):
        await ask("PUT", "/bucket?acl", ("x-amz-acl", acl))
        expected = f"{HEAD}<PolicyStatus {NAMESPACE}><IsPublic>{public}</IsPublic></PolicyStatus>".encode()
        assert (await ask("GET", "/bucket?policyStatus")).body == expected


async def test_the_expected_owner_is_the_bucket_s(rig: Rig, ask: Ask) -> None:
    """x-amz-expected-bucket-owner names whom the bucket belongs to, not whoever asks."""
    await ask("PUT", "/bucket?acl", ("x-amz-acl", "public-read"))
    for owner, status in ((rig.alpha.project.canonical_id, 200), (rig.beta.project.canonical_id, 403)):
        request = Request(method="GET", path=b"/bucket").with_headers(("x-amz-expected-bucket-owner", owner))
        assert (await rig.send(request, rig.beta.owner)).status == status
