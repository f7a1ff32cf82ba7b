"""CORS: the configuration, preflights, and the headers of answers, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from asgi import Request, Response
from faces import Ask, Rig
from faces import rig as open_rig
from lightningstor_server.service.cors import CORS_MAX_CHARACTERS
from lightningstor_server.service.settings import Settings
from lightningstor_server.stores.errors import Unavailable
from lightningstor_types.names import BucketName
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.tenants import BucketNamespace

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
PAGE = "https://page.test"
METHOD, ORIGIN = "<AllowedMethod>GET</AllowedMethod>", "<AllowedOrigin>https://*.test</AllowedOrigin>"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service with global names, so that requests without a credential find buckets; alpha has the bucket `bucket`."""
    settings = Settings(
        bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ObjectOwnership.OBJECT_WRITER, new_bucket_blocked=False
    )
    async with open_rig(settings=settings) as made:
        await made(CreateBucket(bucket=BucketName("bucket")))
        yield made


def document(*rules: str) -> bytes:
    """A configuration of these rules' elements."""
    return f"{HEAD}<CORSConfiguration {NAMESPACE}>{''.join(f'<CORSRule>{rule}</CORSRule>' for rule in rules)}</CORSConfiguration>".encode()


def cors_of(response: Response) -> dict[str, str]:
    """What a response tells a browser."""
    return {name: value for name, value in response.headers.items() if name == "vary" or name.startswith("access-control-")}


async def send(rig: Rig, method: str, path: str, *headers: tuple[str, str]) -> Response:
    """Send a request without a credential."""
    return await rig.send(Request(method=method, path=path.encode()).with_headers(*headers))


async def test_the_configuration(ask: Ask) -> None:
    """Told as it was sent; deleted, also twice, it is told that there is none."""
    missing = await ask("GET", "/bucket?cors")
    assert (missing.status, b"<Code>NoSuchCORSConfiguration</Code>" in missing.body) == (404, True)
    full = (
        "<ID>one</ID><AllowedHeader>*</AllowedHeader><AllowedHeader>x-amz-*</AllowedHeader>"
        f"{METHOD}<AllowedMethod>PUT</AllowedMethod>{ORIGIN}<AllowedOrigin>*</AllowedOrigin>"
        "<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds>"
    )
    sent = document(full, METHOD + ORIGIN)
    assert (await ask("PUT", "/bucket?cors", body=sent)).status == 200
    told = await ask("GET", "/bucket?cors")
    assert (told.status, told.headers["content-type"], told.body) == (200, "application/xml", sent)
    for _ in range(2):
        assert (await ask("DELETE", "/bucket?cors")).status == 204
    assert (await ask("GET", "/bucket?cors")).status == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedXML"),
        (b"<X/>", "MalformedXML"),
        (document(), "MalformedXML"),
        (document(METHOD), "MalformedXML"),
        (document(ORIGIN), "MalformedXML"),
        (document(METHOD + ORIGIN + "<X/>"), "MalformedXML"),
        (document(METHOD + ORIGIN + "<ID>a</ID><ID>b</ID>"), "MalformedXML"),
        (document(METHOD + ORIGIN + "<MaxAgeSeconds>x</MaxAgeSeconds>"), "MalformedXML"),
        (document(METHOD + ORIGIN + "<MaxAgeSeconds>-1</MaxAgeSeconds>"), "InvalidRequest"),
        (document(METHOD + ORIGIN + "<MaxAgeSeconds>99999999999</MaxAgeSeconds>"), "InvalidRequest"),
        (document(METHOD.replace("GET", "PATCH") + ORIGIN), "InvalidRequest"),
        (document(METHOD.replace("GET", "get") + ORIGIN), "InvalidRequest"),
        (document(METHOD + "<AllowedOrigin>*.*</AllowedOrigin>"), "InvalidRequest"),
        (document(METHOD + "<AllowedOrigin></AllowedOrigin>"), "InvalidRequest"),
        (document(METHOD + "<AllowedOrigin>a b</AllowedOrigin>"), "InvalidRequest"),
        (document(METHOD + "<AllowedOrigin>a&#13;&#10;x: y</AllowedOrigin>"), "InvalidRequest"),
        (document(METHOD + ORIGIN + "<AllowedHeader>**</AllowedHeader>"), "InvalidRequest"),
        (document(METHOD + ORIGIN + "<AllowedHeader>x:y</AllowedHeader>"), "InvalidRequest"),
        (document(METHOD + ORIGIN + "<ExposeHeader>*</ExposeHeader>"), "InvalidRequest"),
        (document(METHOD + ORIGIN + "<ExposeHeader>a&#13;&#10;x: y</ExposeHeader>"), "InvalidRequest"),
        (document(METHOD + ORIGIN + f"<ID>{'x' * 256}</ID>"), "InvalidRequest"),
        (document(*[METHOD + ORIGIN] * 101), "InvalidRequest"),
        (document(METHOD + f"<AllowedOrigin>{'x' * CORS_MAX_CHARACTERS}</AllowedOrigin>"), "InvalidRequest"),
    ],
)
async def test_configurations_that_are_none(rig: Rig, ask: Ask, body: bytes, code: str) -> None:
    """Refused under AWS's codes, above all what could end a header; what was set stays."""
    assert (await ask("PUT", "/bucket?cors", body=document(METHOD + ORIGIN))).status == 200
    before = rig.dump()
    response = await ask("PUT", "/bucket?cors", body=body)
    assert (response.status, f"<Code>{code}</Code>".encode() in response.body) == (400, True), response
    assert rig.dump() == before


async def test_a_hundred_rules(ask: Ask) -> None:
    """As many as AWS takes."""
    sent = document(*[METHOD + ORIGIN] * 100)
    assert (await ask("PUT", "/bucket?cors", body=sent)).status == 200
    assert (await ask("GET", "/bucket?cors")).body == sent


@pytest.mark.parametrize("path", ["/bucket", "/bucket/key", "/bucket/no/such/key"])
async def test_preflights(rig: Rig, ask: Ask, path: str) -> None:
    """Answered without a credential, whatever is in the query, by the rules alone; the body is empty."""
    request = (("origin", PAGE), ("access-control-request-method", "GET"))
    refused = await send(rig, "OPTIONS", path, *request)
    assert (refused.status, b"<Code>AccessForbidden</Code>" in refused.body, cors_of(refused)) == (403, True, {})
    await ask("PUT", "/bucket?cors", body=document(METHOD + ORIGIN + "<AllowedHeader>x-*</AllowedHeader><MaxAgeSeconds>5</MaxAgeSeconds>"))
    before = rig.dump()
    for query in (b"", b"cors", b"X-Amz-Signature=x", b"AWSAccessKeyId=x&Signature=y"):
        found = await rig.send(
            Request(method="OPTIONS", path=path.encode(), query=query).with_headers(
                *request, ("access-control-request-headers", "X-a, x-B")
            )
        )
        assert (found.status, found.body) == (200, b"")
        assert cors_of(found) == {
            "access-control-allow-origin": PAGE,
            "access-control-allow-methods": "GET",
            "access-control-allow-headers": "x-a, x-b",
            "access-control-allow-credentials": "true",
            "access-control-max-age": "5",
            "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        }
    for wrong in ((("origin", PAGE), ("access-control-request-method", "PUT")), (("origin", "http://x"), request[1])):
        response = await send(rig, "OPTIONS", path, *wrong)
        assert (response.status, b"<Code>AccessForbidden</Code>" in response.body, cors_of(response)) == (403, True, {})
        assert (b"<ResourceType>BUCKET" if path == "/bucket" else b"<ResourceType>OBJECT") in response.body
    for part in ((), request[:1], request[1:]):
        response = await send(rig, "OPTIONS", path, *part)
        assert (response.status, b"<Code>BadRequest</Code>" in response.body, cors_of(response)) == (400, True, {})
    assert rig.dump() == before


async def test_preflights_of_nothing(rig: Rig) -> None:
    """A bucket that is not there, and the service itself, which has no rules."""
    request = (("origin", PAGE), ("access-control-request-method", "GET"))
    missing = await send(rig, "OPTIONS", "/missing/key", *request)
    assert (missing.status, b"<Code>NoSuchBucket</Code>" in missing.body) == (404, True)
    assert (await send(rig, "OPTIONS", "/", *request)).status == 501
    no_name = await send(rig, "OPTIONS", "/" + "x" * 5000, *request)
    assert (no_name.status, b"<Code>InvalidBucketName</Code>" in no_name.body) == (400, True)


async def test_answers_to_pages(rig: Rig, ask: Ask) -> None:
    """Every answer of the bucket to a request with an origin tells it, errors too; without an origin none does."""
    await ask("PUT", "/bucket?cors", body=document(METHOD + ORIGIN + "<ExposeHeader>ETag</ExposeHeader>"))
    await ask("PUT", "/bucket/key", body=b"x" * 100_000)
    told = {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET",
        "access-control-expose-headers": "ETag",
        "access-control-allow-credentials": "true",
        "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }
    page = ("origin", PAGE)
    for target, status in (("/bucket/key", 200), ("/bucket/none", 404), ("/bucket", 200), ("/bucket?policy", 404), ("/bucket?cors", 200)):
        response = await ask("GET", target, page)
        assert (response.status, cors_of(response)) == (status, told)
        assert cors_of(await ask("GET", target)) == {}
    assert cors_of(await send(rig, "GET", "/bucket/key", page)) == told  # 403
    forged = rig.alpha.owner.by_hand(Request(path=b"/bucket/key").with_headers(page, ("x-amz-meta-a", "b")))
    forged = forged.without_headers("x-amz-meta-a").with_headers(("x-amz-meta-a", "c"))
    response = await rig.send(forged)
    assert (response.status, cors_of(response)) == (403, told)
    unmatched = {"vary": told["vary"]}
    assert cors_of(await ask("GET", "/bucket/key", ("origin", "http://other"))) == unmatched
    assert cors_of(await ask("PUT", "/bucket/key", page, body=b"x")) == unmatched
    assert cors_of(await ask("GET", "/", page)) == cors_of(await ask("GET", "/missing", page)) == {}
    await ask("DELETE", "/bucket?cors")
    assert cors_of(await ask("GET", "/bucket/key", page)) == {}


async def test_rules_that_cannot_be_read(rig: Rig, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for where a request has an origin, and only there; what was done is told all the same, to no page."""
    await ask("PUT", "/bucket?cors", body=document(METHOD + ORIGIN))
    asked = []

    async def fail(*bucket: object) -> None:
        asked.append(bucket)
        raise Unavailable("the store is away")

    monkeypatch.setattr(rig.service, "cors_rules", fail)
    assert (await ask("PUT", "/bucket/key", body=b"x")).status == 200
    assert asked == []
    response = await ask("GET", "/bucket/key", ("origin", PAGE))
    assert (response.status, response.body, cors_of(response)) == (200, b"x", {})
    assert len(asked) == 1
    refused = await send(rig, "OPTIONS", "/bucket", ("origin", PAGE), ("access-control-request-method", "GET"))
    assert (refused.status, cors_of(refused)) == (503, {})


async def test_rules_are_the_caller_s_bucket_s() -> None:
    """Where names are a project's own, the rules are those of the bucket that the caller means."""
    async with open_rig() as rig:
        for signer, origin in ((rig.alpha.owner, "https://alpha.test"), (rig.beta.owner, "https://beta.test")):
            await rig(CreateBucket(bucket=BucketName("bucket")), signer)
            body = document(f"{METHOD}<AllowedOrigin>{origin}</AllowedOrigin>")
            request = Request(method="PUT", path=b"/bucket", query=b"cors").with_body(body)
            assert (await rig.send(signer.by_hand(request))).status == 200
        for signer, mine, other in (
            (rig.alpha.owner, "https://alpha.test", "https://beta.test"),
            (rig.beta.owner, "https://beta.test", "https://alpha.test"),
        ):
            for origin, expected in ((mine, mine), (other, None)):
                response = await rig.send(signer.by_hand(Request(path=b"/bucket").with_headers(("origin", origin))))
                assert (response.status, response.headers.get("access-control-allow-origin")) == (200, expected)
