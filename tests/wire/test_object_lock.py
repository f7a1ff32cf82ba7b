"""The XML and the headers of object lock, byte for byte."""

from __future__ import annotations

import pytest

from asgi import Request
from faces import Ask, Rig
from faces import rig as open_rig
from lightningstor_server.service.settings import Settings
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import BucketNamespace, Role
from signers import md5

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MODE, UNTIL, HOLD = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"
ON = ("x-amz-bucket-object-lock-enabled", "true")
DEFAULT = "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule>"


@pytest.fixture
async def locking(ask: Ask) -> Ask:
    """With the bucket `locking`, which has object lock."""
    assert (await ask("PUT", "/locking", ON)).status == 200
    return ask


def document(root: str, inner: str) -> bytes:
    """A document as it is told."""
    return f"{HEAD}<{root} {NAMESPACE}>{inner}</{root}>".encode()


def configuration(inner: str = DEFAULT) -> bytes:
    """A bucket's."""
    return document("ObjectLockConfiguration", f"<ObjectLockEnabled>Enabled</ObjectLockEnabled>{inner}")


def retention(mode: str, until: str) -> bytes:
    """A version's."""
    return document("Retention", f"<Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate>")


def code_of(body: bytes) -> str:
    """The code of an error's document."""
    return body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


async def test_a_bucket_with_object_lock(locking: Ask) -> None:
    """It keeps versions; its configuration is told as it was sent, with or without a default."""
    told = (await locking("GET", "/locking?versioning")).body
    assert told == document("VersioningConfiguration", "<Status>Enabled</Status>")
    assert (await locking("GET", "/locking?object-lock")).body == configuration("")
    for sent in (configuration(), configuration(DEFAULT.replace("Days>3", "Years>1").replace("/Days", "/Years")), configuration("")):
        response = await locking("PUT", "/locking?object-lock", body=sent)
        assert (response.status, response.body) == (200, b"")
        response = await locking("GET", "/locking?object-lock")
        assert (response.status, response.headers["content-type"], response.body) == (200, "application/xml", sent)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "MalformedXML"),
        (document("ObjectLockConfiguration", DEFAULT), "MalformedXML"),
        (configuration().replace(b"Enabled<", b"Disabled<"), "MalformedXML"),
        (configuration("<Rule></Rule>"), "MalformedXML"),
        (configuration(DEFAULT.replace("GOVERNANCE", "governance")), "MalformedXML"),
        (configuration(DEFAULT.replace("<Mode>GOVERNANCE</Mode>", "")), "MalformedXML"),
        (configuration(DEFAULT.replace("<Days>3</Days>", "")), "MalformedXML"),
        (configuration(DEFAULT.replace("<Days>", "<Years>1</Years><Days>")), "MalformedXML"),
        (configuration(DEFAULT.replace("3", "three")), "MalformedXML"),
        (configuration(DEFAULT + DEFAULT), "MalformedXML"),
        (configuration(DEFAULT.replace("3", "0")), "InvalidRetentionPeriod"),
        (configuration(DEFAULT.replace("3", "-3")), "InvalidRetentionPeriod"),
        (configuration(DEFAULT.replace("3", "36501")), "InvalidRetentionPeriod"),
    ],
)
async def test_configurations_that_are_none(locking: Ask, sent: bytes, code: str) -> None:
    """Each is refused by its code, and what was there stays."""
    await locking("PUT", "/locking?object-lock", body=configuration())
    response = await locking("PUT", "/locking?object-lock", body=sent)
    assert (response.status, code_of(response.body)) == (400, code)
    assert (await locking("GET", "/locking?object-lock")).body == configuration()


async def test_a_bucket_without_object_lock(ask: Ask) -> None:
    """Each operation says so in its own way; made again it would have to be another bucket."""
    await ask("PUT", "/plain")
    await ask("PUT", "/plain/k")
    for method, target, body, status, code in (
        ("PUT", "/plain?object-lock", configuration(), 409, "InvalidBucketState"),
        ("GET", "/plain?object-lock", b"", 404, "ObjectLockConfigurationNotFoundError"),
        ("PUT", "/plain/k?retention", retention("GOVERNANCE", "2030-01-01T00:00:00Z"), 400, "InvalidRequest"),
        ("GET", "/plain/k?retention", b"", 400, "InvalidRequest"),
        ("PUT", "/plain/k?legal-hold", document("LegalHold", "<Status>ON</Status>"), 400, "InvalidRequest"),
        ("GET", "/plain/k?legal-hold", b"", 400, "InvalidRequest"),
    ):
        response = await ask(method, target, body=body)
        assert (response.status, code_of(response.body)) == (status, code), target
    assert (await ask("PUT", "/plain", ON)).status == 409
    assert (await ask("PUT", "/plain", (ON[0], "false"))).status == 200


async def test_locks_in_headers_and_documents(locking: Ask) -> None:
    """A read tells of a lock in headers, its date in ISO 8601; of a version that never had one it tells nothing."""
    await locking("PUT", "/locking/free")
    response = await locking("HEAD", "/locking/free")
    assert not {MODE, UNTIL, HOLD} & response.headers.keys()
    for target in ("/locking/free?retention", "/locking/free?legal-hold"):
        response = await locking("GET", target)
        assert (response.status, code_of(response.body)) == (404, "NoSuchObjectLockConfiguration")
    lock = ((MODE, "GOVERNANCE"), (UNTIL, "2030-01-01T01:00:00.5+01:00"), (HOLD, "OFF"))
    assert (await locking("PUT", "/locking/k", *lock, body=b"x")).status == 200
    for method in ("HEAD", "GET"):
        response = await locking(method, "/locking/k")
        assert [response.headers[name] for name in (MODE, UNTIL, HOLD)] == ["GOVERNANCE", "2030-01-01T00:00:00.500Z", "OFF"]
    assert (await locking("GET", "/locking/k?retention")).body == retention("GOVERNANCE", "2030-01-01T00:00:00.500Z")
    assert (await locking("GET", "/locking/k?legal-hold")).body == document("LegalHold", "<Status>OFF</Status>")
    sent = retention("COMPLIANCE", "2030-01-01T00:00:00.500Z")
    assert (await locking("PUT", "/locking/k?retention", body=sent)).status == 403
    bypass = ("x-amz-bypass-governance-retention", "True")
    assert (await locking("PUT", "/locking/k?retention", bypass, body=sent)).status == 200
    told = (await locking("GET", "/locking/k?retention")).body
    assert told == sent
    assert (await locking("PUT", "/locking/k?retention", body=told)).status == 200
    assert (await locking("PUT", "/locking/k?legal-hold", body=document("LegalHold", "<Status>ON</Status>"))).status == 200
    assert (await locking("HEAD", "/locking/k")).headers[HOLD] == "ON"


@pytest.mark.parametrize(
    ("target", "sent", "code"),
    [
        ("retention", document("Retention", "<Mode>GOVERNANCE</Mode>"), "MalformedXML"),
        ("retention", document("Retention", "<RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>"), "MalformedXML"),
        ("retention", retention("governance", "2030-01-01T00:00:00Z"), "MalformedXML"),
        ("retention", retention("GOVERNANCE", "soon"), "MalformedXML"),
        ("retention", retention("GOVERNANCE", "2020-01-01T00:00:00Z"), "InvalidArgument"),
        ("retention", retention("GOVERNANCE", "9999-12-31T23:59:59-01:00"), "InvalidArgument"),
        ("legal-hold", b"", "MalformedXML"),
        ("legal-hold", document("LegalHold", ""), "MalformedXML"),
        ("legal-hold", document("LegalHold", "<Status>on</Status>"), "MalformedXML"),
    ],
)
async def test_locks_that_are_none(locking: Ask, target: str, sent: bytes, code: str) -> None:
    """Each is refused by its code."""
    await locking("PUT", "/locking/k")
    response = await locking("PUT", f"/locking/k?{target}", body=sent)
    assert (response.status, code_of(response.body)) == (400, code)


@pytest.mark.parametrize(
    "headers",
    [
        [(MODE, "GOVERNANCE")],
        [(UNTIL, "2030-01-01T00:00:00Z")],
        [(MODE, "GOVERNANCE"), (UNTIL, "2020-01-01T00:00:00Z")],
        [(MODE, "GOVERNANCE"), (UNTIL, "0001-01-01T00:00:00+10:00")],
        [(MODE, "Governance"), (UNTIL, "2030-01-01T00:00:00Z")],
        [(MODE, "GOVERNANCE"), (UNTIL, "soon")],
        [(HOLD, "true")],
    ],
)
async def test_headers_that_lock_nothing(locking: Ask, headers: list[tuple[str, str]]) -> None:
    """A write that cannot be locked as it asks does not happen, by whichever operation."""
    await locking("PUT", "/locking/source")
    for method, target, more in (
        ("PUT", "/locking/k", []),
        ("POST", "/locking/k?uploads", []),
        ("PUT", "/locking/k", [("x-amz-copy-source", "locking/source")]),
    ):
        response = await locking(method, target, *headers, *more)
        assert (response.status, code_of(response.body)) == (400, "InvalidArgument")
    assert (await locking("HEAD", "/locking/k")).status == 404


async def test_deleting_what_is_locked(locking: Ask) -> None:
    """AccessDenied for the version, alone or in a batch, and never for a delete marker."""
    lock = ((MODE, "GOVERNANCE"), (UNTIL, "2030-01-01T00:00:00Z"))
    version = (await locking("PUT", "/locking/k", *lock)).headers["x-amz-version-id"]
    response = await locking("DELETE", f"/locking/k?versionId={version}")
    assert (response.status, code_of(response.body)) == (403, "AccessDenied")
    sent = f"<Delete><Object><Key>k</Key><VersionId>{version}</VersionId></Object><Object><Key>k</Key></Object></Delete>".encode()
    answer = (await locking("POST", "/locking?delete", ("content-md5", md5(sent)), body=sent)).body
    denied = f"<Error><Key>k</Key><VersionId>{version}</VersionId><Code>AccessDenied</Code>"
    assert denied in answer.decode()
    assert b"<Deleted><Key>k</Key><DeleteMarker>true</DeleteMarker>" in answer
    bypass = ("x-amz-bypass-governance-retention", "true")
    answer = (await locking("POST", "/locking?delete", ("content-md5", md5(sent)), bypass, body=sent)).body
    assert b"<Error>" not in answer
    assert (await locking("GET", f"/locking/k?versionId={version}")).status == 404


async def test_a_bypass_without_the_right(rig: Rig, locking: Ask) -> None:
    """An editor may say it, and it changes nothing."""
    lock = ((MODE, "GOVERNANCE"), (UNTIL, "2030-01-01T00:00:00Z"))
    editor, bypass = rig.s3(rig.alpha.signers[Role.EDITOR]), ("x-amz-bypass-governance-retention", "true")
    for headers, status in ((lock, 403), ((), 204)):
        version = (await locking("PUT", "/locking/k", *headers)).headers["x-amz-version-id"]
        request = Request(method="DELETE", path=b"/locking/k", query=f"versionId={version}".encode())
        assert (await editor.send(request.with_headers(bypass))).status == status


async def test_a_list_lends_no_locks() -> None:
    """Who may write by the bucket's list alone sets no lock, and who may read by the object's is told of none."""
    settings = Settings(
        bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ObjectOwnership.OBJECT_WRITER, new_bucket_blocked=False
    )
    public = (("x-amz-acl", "public-read-write"), ON)
    async with open_rig(settings=settings) as rig:
        assert (await rig.ask("PUT", "/locking", *public)).status == 200
        lock = ((MODE, "GOVERNANCE"), (UNTIL, "2030-01-01T00:00:00Z"), (HOLD, "ON"))
        assert (await rig.ask("PUT", "/locking/k", public[0], *lock)).status == 200
        beta = rig.s3(rig.beta.owner)
        write = Request(method="PUT", path=b"/locking/foreign").with_body(b"")
        for headers in (lock, lock[:2], lock[2:]):
            assert (await beta.send(write.with_headers(*headers))).status == 403
        assert (await beta.send(write)).status == 200
        read = Request(method="GET", path=b"/locking/k")
        for response, told in ((await rig.ask("GET", "/locking/k"), True), (await beta.send(read), False), (await rig.send(read), False)):
            assert response.status == 200
            assert [name in response.headers for name in (MODE, UNTIL, HOLD)] == [told] * 3
        for target in (b"retention", b"legal-hold"):
            assert (await beta.send(Request(method="GET", path=b"/locking/k", query=target))).status == 403
