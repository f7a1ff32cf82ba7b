"""Every route of the operation table, signed wrongly in every way: refused, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from attrs import evolve

from asgi import Request, exchange
from faces import Rig
from lightningstor_server.service.operation import operations
from samples import BODY, BUCKET, KEY, NOT_SET, ROUTED, WRITES, Furnished, covered, sample, sample_input
from signers import SIGNED, SIGNED_TRAILER, UNSIGNED, UNSIGNED_TRAILER, Signer, crc32

WAYS: dict[str, Callable[[Signer, Request], Request]] = {
    # what is wrong, in which way of signing
    "header, secret": lambda signer, request: evolve(signer, secret="wrong").header(request),
    "header, unsigned payload, secret": lambda signer, request: evolve(signer, secret="wrong").header(request, payload=UNSIGNED),
    "header, unknown key": lambda signer, request: evolve(signer, access_key="nobody").header(request),
    "header, another's key": lambda signer, request: evolve(signer, access_key="beta-owner").header(request),
    "header, early": lambda signer, request: signer.later(timedelta(minutes=16)).header(request),
    "header, late": lambda signer, request: signer.later(timedelta(minutes=-16)).header(request),
    "header, yesterday": lambda signer, request: signer.later(timedelta(days=-1)).header(request),
    "header, region": lambda signer, request: evolve(signer, region="eu-west-1").header(request),
    "header, token": lambda signer, request: evolve(signer, token="token").header(request),
    "header, other method": lambda signer, request: evolve(signer.header(evolve(request, method="POST")), method="PATCH"),
    "header, other path": lambda signer, request: evolve(signer.header(request), path=request.path + b"x"),
    "header, other query": lambda signer, request: evolve(
        signer.header(request), query=b"&".join(filter(None, (request.query, b"prefix=x")))
    ),
    "header, other body": lambda signer, request: signer.header(request.with_body(b"one")).with_body(b"two"),
    "query, secret": lambda signer, request: evolve(signer, secret="wrong").presigned(request),
    "query, unknown key": lambda signer, request: evolve(signer, access_key="nobody").presigned(request),
    "query, expired": lambda signer, request: signer.later(timedelta(seconds=-61)).presigned(request, expires=60),
    "query, early": lambda signer, request: signer.later(timedelta(minutes=16)).presigned(request),
    "query, for ever": lambda signer, request: signer.presigned(request, expires=604_801),
    "query, for no time": lambda signer, request: signer.presigned(request, expires=0),
    "query, negative": lambda signer, request: signer.presigned(request, expires=-1),
    "query, region": lambda signer, request: evolve(signer, region="eu-west-1").presigned(request),
    "query, token": lambda signer, request: evolve(signer, token="token").presigned(request),
    "query, other path": lambda signer, request: evolve(signer.presigned(request), path=request.path + b"x"),
    "query and header": lambda signer, request: evolve(signer.header(request), query=signer.presigned(request).query),
    **{
        f"{mode}, seed": lambda signer, request, mode=mode: evolve(signer, secret="wrong").chunked(request, mode)
        for mode in (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)
    },
    **{
        f"{mode}, {forged}": lambda signer, request, mode=mode, forged=forged: signer.chunked(
            request.with_body(request.body or b"body"), mode, forged=forged
        )
        for mode, forged in (
            (SIGNED, "chunk"), (SIGNED, "last"), (SIGNED_TRAILER, "chunk"), (SIGNED_TRAILER, "last"), (SIGNED_TRAILER, "trailer")
        )
    },
}  # fmt: skip


def test_every_route_has_a_sample() -> None:
    """An operation that is new is walked too, or this fails."""
    assert [name for name in operations() if not covered(name)] == []


@pytest.mark.parametrize("name", ROUTED)
async def test_the_samples_are_good(rig: Rig, at: Furnished, name: str) -> None:
    """Signed rightly, in the header or in the query, each sample succeeds, and a write changes something."""
    before = rig.dump()
    request = sample(name, at)
    for signed in (rig.alpha.owner.presigned(request), rig.alpha.owner.header(request)):
        if name in {"DeleteBucket", "AbortMultipartUpload"} and rig.dump() != before:
            continue  # it cannot be done twice
        response = await rig.send(signed)
        assert (response.status < 300) != (name in NOT_SET), response
        assert b"<Code>NoSuch" in response.body or b"NotFoundError<" in response.body or name not in NOT_SET
    assert (rig.dump() != before) == (name in WRITES)


@pytest.mark.parametrize("way", WAYS)
async def test_wrongly_signed(rig: Rig, at: Furnished, way: str) -> None:
    """Whatever is signed wrongly gets 400 or 403 on every route, and the store is what it was."""
    before = rig.dump()
    for name in ROUTED:
        response = await rig.send(WAYS[way](rig.alpha.owner, sample(name, at)))
        assert response.status in {400, 403}, (name, response)
        assert rig.dump() == before, name
        assert rig.alpha.owner.secret.encode() not in response.body


@pytest.mark.parametrize("name", ROUTED)
async def test_anonymous(rig: Rig, at: Furnished, name: str) -> None:
    """A request that nobody signed is denied on every route, whether or not the thing is there."""
    before = rig.dump()
    present = sample(name, at)
    absent = evolve(present, path=present.path.replace(b"bucket", b"nowhere").replace(b"empty", b"nowhere"))
    answers = [await rig.send(request) for request in (present, absent)]
    assert [answer.status for answer in answers] == [403, 403]
    if present.method != "HEAD":
        assert all(b"<Code>AccessDenied</Code>" in answer.body for answer in answers)
    assert rig.dump() == before


@pytest.mark.parametrize("name", ROUTED)
async def test_anonymous_conditions(rig: Rig, at: Furnished, name: str) -> None:
    """CVE-2024-36107 of another store: conditions of an anonymous caller tell nothing of what is there."""
    request = sample(name, at)
    for condition in (("if-match", "*"), ("if-none-match", "*"), ("if-modified-since", "Thu, 01 Jan 2099 00:00:00 GMT")):
        response = await rig.send(request.with_headers(condition))
        assert response.status == 403


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("name", ["PutObject", "UploadPart"])
@pytest.mark.parametrize("pieces", [1, 7, 1000])
async def test_a_byte_flipped_in_a_chunk(rig: Rig, at: Furnished, name: str, mode: str, pieces: int) -> None:
    """A byte that was changed on the way, in any chunk of any mode, leaves nothing that can be seen."""
    request = rig.alpha.owner.chunked(sample(name, at), mode, chunk=16 << 10)
    before = rig.dump()
    for place in (200, len(request.body) // 2, len(request.body) - 700):
        damaged = bytearray(request.body)
        damaged[place] ^= 1
        response = await rig.send(request.with_body(bytes(damaged), pieces=pieces))
        assert response.status in {400, 403}
        assert rig.dump() == before


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
async def test_a_body_replayed_for_another_key(rig: Rig, at: Furnished, mode: str) -> None:
    """A seed signs its path: the same framing and signatures are refused under another key."""
    signed = rig.alpha.owner.chunked(sample("PutObject", at), mode)
    before = rig.dump()
    response = await rig.send(evolve(signed, path=f"/{BUCKET}/elsewhere".encode()))
    assert response.status == 403
    assert rig.dump() == before


async def test_an_anonymous_streaming_body(rig: Rig, at: Furnished) -> None:
    """CVE-2026-41145 of another store: streaming framing without a signature is not taken for a signed body."""
    before = rig.dump()
    for mode in (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER):
        signed = rig.alpha.owner.chunked(sample("PutObject", at), mode)
        response = await rig.send(signed.without_headers("authorization"))
        assert (response.status, b"<Code>AccessDenied</Code>" in response.body) == (403, True)
    assert rig.dump() == before


async def test_a_presigned_streaming_body(rig: Rig, at: Furnished) -> None:
    """CVE-2026-41145: a presigned request with a framing that its signature does not cover is refused."""
    before = rig.dump()
    presigned = rig.alpha.owner.presigned(evolve(sample("PutObject", at), messages=(b"",)))
    for mode in (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER):
        framed = rig.alpha.owner.chunked(sample("PutObject", at), mode)
        response = await rig.send(evolve(framed.without_headers("authorization", "x-amz-date"), query=presigned.query))
        assert response.status == 403
    assert rig.dump() == before


async def test_keys_that_are_unknown_and_secrets_that_are_wrong(rig: Rig, at: Furnished) -> None:
    """Both are told apart by their codes, as S3 does, and by nothing else: neither tells of the resource."""
    request = sample("GetObject", at)
    missing = evolve(request, path=b"/nowhere/nothing")
    for wrong, code in ((evolve(rig.alpha.owner, access_key="nobody"), "InvalidAccessKeyId"),
                        (evolve(rig.alpha.owner, secret="wrong"), "SignatureDoesNotMatch")):  # fmt: skip
        answers = [await rig.send(request, wrong), await rig.send(missing, wrong)]
        assert [answer.status for answer in answers] == [403, 403]
        assert all(f"<Code>{code}</Code>".encode() in answer.body for answer in answers)


async def test_a_key_that_was_revoked(rig: Rig, at: Furnished) -> None:
    """A key that is no longer active is as unknown on the very next request."""
    request = rig.alpha.owner.header(sample("GetObject", at))
    assert (await exchange(rig.app, request)).status == 200

    async def revoke(tx: object) -> None:
        key = await tx.keys.get(rig.alpha.owner.access_key)  # type: ignore[attr-defined]
        await tx.keys.put(evolve(key, active=False))  # type: ignore[attr-defined]
        await tx.configuration.bump()  # type: ignore[attr-defined]

    await rig.metadata.commit(revoke)  # type: ignore[arg-type]
    response = await exchange(rig.app, request)
    assert (response.status, b"InvalidAccessKeyId" in response.body) == (403, True)


async def test_a_trailer_that_nobody_announced(rig: Rig, at: Furnished) -> None:
    """Trailers are what x-amz-trailer announced: none more, none less."""
    owner, request = rig.alpha.owner, sample("PutObject", at)
    before = rig.dump()
    bare = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
    good = b"x-amz-checksum-crc32:" + crc32(BODY).encode() + b"\r\n"
    for tail in (b"\r\n", good + good + b"\r\n", good + b"x-amz-meta-a:b\r\n\r\n", b"x-amz-checksum-crc32c:AAAAAA==\r\n\r\n", good):
        response = await rig.send(owner.chunked(request, UNSIGNED_TRAILER, framed=bare + tail))
        assert response.status == 400 or tail == good
    assert rig.dump() == before or (await rig(sample_input("GetObject", at))).content_length == len(BODY)
    assert KEY
