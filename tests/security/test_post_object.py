"""A form stores what its signer allowed, where the signer allowed it, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from asgi import exchange
from faces import Rig
from forms import body_of, conditions_of, post, raw, sign, signed
from lightningstor_types.errors import codes
from lightningstor_types.tenants import Role
from refusals import REUSED, code_of, refused
from samples import BUCKET, EMPTY, KEY, Furnished

OWNED = "bucket-owner-full-control"
"""The list that a bucket takes whose owner owns everything in it."""
SECRET_PARTS = ("StringToSign", "CanonicalRequest")


async def test_the_form_that_the_others_are_compared_with(rig: Rig, at: Furnished) -> None:
    """As it was signed it is stored; so what is refused below is refused for its difference."""
    assert at
    assert (await rig.send(post(signed(rig.alpha.owner, {"key": "k", "acl": OWNED})))).status == 204


@pytest.mark.parametrize("name", ["x-amz-signature", "x-amz-credential", "x-amz-date", "policy", "x-amz-algorithm"])
async def test_every_field_that_signs_counts(rig: Rig, at: Furnished, name: str) -> None:
    """Another value of any of them, or none, is refused; no answer tells what would have been right."""
    assert at
    fields = signed(rig.alpha.owner, {"key": "k"})
    for value in ("", "x", fields[name][:-1], fields[name] + "0", "\u00e9"):
        response = await refused(
            rig,
            post(fields | {name: value}),
            *("SignatureDoesNotMatch", "InvalidArgument", "AuthorizationQueryParametersError", "InvalidRequest", "InvalidAccessKeyId"),
            signed=True,
        )
        assert not any(part.encode() in response.body for part in SECRET_PARTS)
    await refused(rig, post({key: value for key, value in fields.items() if key != name}), "InvalidArgument", signed=True)


async def test_a_policy_of_somebody_else(rig: Rig, at: Furnished) -> None:
    """Signed with another secret, by a key that does not exist or for another region, or with another policy put in its place."""
    assert at
    owner = rig.alpha.owner
    for signer, code in (
        (evolve(owner, secret="x"), "SignatureDoesNotMatch"),
        (evolve(owner, access_key="nobody"), "InvalidAccessKeyId"),
        (evolve(owner, region="eu-west-1"), "AuthorizationQueryParametersError"),
    ):
        await refused(rig, post(signed(signer, {"key": "k"})), code, signed=True)
    mixed = signed(owner, {"key": "k"}) | {"policy": signed(owner, {"key": "other"})["policy"]}
    await refused(rig, post(mixed), "SignatureDoesNotMatch", signed=True)
    await refused(rig, post(signed(owner, {"key": "k"}) | {"x-amz-security-token": "t"}), "InvalidToken", signed=True)


async def test_a_policy_ends(rig: Rig, at: Furnished) -> None:
    """When it expires, whatever the date of its signature is."""
    assert at
    for signer in (rig.alpha.owner, rig.alpha.owner.later(timedelta(days=-3))):
        late = signed(signer, {"key": "k"}, expiration="2026-01-02T03:04:05Z")
        response = await refused(rig, post(late), "AccessDenied", signed=True)
        assert b"expired" in response.body


@pytest.mark.parametrize(
    "extra",
    [
        {"acl": "public-read"}, {"x-amz-acl": "public-read"}, {"Content-Type": "text/html"}, {"x-amz-meta-a": "b"}, {"submit": "ok"},
        {"x-amz-website-redirect-location": "/x"}, {"success_action_redirect": "https://evil.test"}, {"X-AMZ-Storage-Class": "STANDARD"},
        {"x-amz-server-side-encryption": "AES256"}, {"tagging": "<Tagging><TagSet/></Tagging>"}, {"x-amz-grant-read": "id=x"},
        {"x-amz-object-lock-legal-hold": "ON"}, {"content-md5": "x"}, {"redirect": "https://evil.test"},
    ],
)  # fmt: skip
async def test_fields_that_nobody_signed(rig: Rig, at: Furnished, extra: dict[str, str]) -> None:
    """A field that the policy does not name is refused, however it is written."""
    assert at
    fields = signed(rig.alpha.owner, {"key": "k"})
    for wrong in (extra, {name.upper(): value for name, value in extra.items()}):
        response = await refused(rig, post(fields | wrong), "AccessDenied", signed=True)
        assert b"Extra input fields" in response.body


@pytest.mark.parametrize(("low", "high", "sizes"), [(0, 0, {0}), (3, 5, {3, 4, 5}), (70_000, 70_001, {70_000, 70_001})])
async def test_sizes(rig: Rig, at: Furnished, low: int, high: int, sizes: set[int]) -> None:
    """The range is of the file's bytes, and is held before anything can be seen, also where the body comes in pieces."""
    assert at
    fields = signed(rig.alpha.owner, {"key": str(KEY)}, [*conditions_of({"key": str(KEY)}), ["content-length-range", low, high]])
    for size in sorted({0, 2, 3, 4, 5, 6, 69_999, 70_000, 70_001, 70_002, 300_000}):
        request = raw(body_of(fields.items(), b"x" * size), pieces=7)
        if size in sizes:
            assert (await rig.send(request)).status == 204
        else:
            await refused(rig, request, "EntityTooSmall" if size < low else "EntityTooLarge", signed=True)


# -- what went wrong elsewhere


@pytest.mark.parametrize("name", [".lightningstor.sys", ".minio.sys", "..", "a", "A-Bucket", "bucket%00", "%2e%2e", "bucket.", "xn--a"])
async def test_reserved_bucket(rig: Rig, at: Furnished, name: str) -> None:
    """A name that no bucket may have is refused as for any other write, whatever the policy says."""
    assert at
    fields = signed(rig.alpha.owner, {"key": "k"}, [["starts-with", "$bucket", ""], {"key": "k"}])
    await refused(rig, post(fields, path=f"/{name}"), "InvalidBucketName", "NoSuchBucket", signed=True)


async def test_form_bucket_field(rig: Rig, at: Furnished) -> None:
    """A field `bucket` directs nothing: what was signed for one bucket is not stored in another, and a policy names its bucket."""
    assert at
    fields = signed(rig.alpha.owner, {"key": "k"})
    for extra in ({}, {"bucket": str(BUCKET)}, {"bucket": str(EMPTY)}, {"BUCKET": str(BUCKET)}):
        await refused(rig, post(fields | extra, path=f"/{EMPTY}"), "AccessDenied", signed=True)
    await refused(rig, post(fields | {"bucket": str(EMPTY)}), "AccessDenied", signed=True)
    assert (await rig.send(post(fields | {"bucket": str(BUCKET)}))).status == 204
    unnamed = signed(rig.alpha.owner, {"key": "k"}, [{"key": "k"}])
    response = await refused(rig, post(unnamed), "AccessDenied", signed=True)
    assert b"Extra input fields: bucket" in response.body


@pytest.mark.parametrize("role", Role)
async def test_read_only_bypass(rig: Rig, at: Furnished, role: Role) -> None:
    """A policy gives no more than its signer has: who may only read cannot write by a form, nor may another tenant."""
    assert at
    request = post(signed(rig.alpha.signers[role], {"key": "k"}))
    if role is Role.VIEWER:
        await refused(rig, request, "AccessDenied", signed=True)
    else:
        assert (await rig.send(request)).status == 204
    await refused(rig, post(signed(rig.beta.signers[role], {"key": "k"})), "NoSuchBucket", signed=True)


async def test_condition_casing(rig: Rig, at: Furnished) -> None:
    """A condition holds however the names of it and of the field are written: no spelling escapes it, and none is passed over."""
    assert at
    policy: list[Any] = [{"bUcKeT": str(BUCKET)}, ["StArTs-WiTh", "$KeY", "user/"], {"AcL": OWNED}, ["CONTENT-length-RANGE", 1, 10]]
    for key, acl in (("key", "acl"), ("KEY", "ACL"), ("kEy", "Acl")):
        good = signed(rig.alpha.owner, {key: "user/x", acl: OWNED}, policy)
        assert (await rig.send(post(good))).status == 204
        for wrong in ({key: "other/x"}, {acl: "public-read"}, {key: "User/x"}, {acl: OWNED.upper()}):
            await refused(rig, post(good | wrong), "AccessDenied", signed=True)
        await refused(rig, post(good, b"x" * 11), "EntityTooLarge", signed=True)


async def test_policy_documents_that_are_none(rig: Rig, at: Furnished) -> None:
    """Signed or not, what cannot be read allows nothing."""
    assert at
    policies: list[dict[str, Any]] = [
        {"conditions": []},
        {"expiration": "tomorrow", "conditions": []},
        {"expiration": "2026-01-02T04:00:00Z", "conditions": [{}]},
        {"expiration": "2026-01-02T04:00:00Z", "conditions": [["content-length-range", 0]]},
        {"expiration": "2026-01-02T04:00:00Z", "conditions": [], "CONDITIONS": []},
    ]
    for policy in policies:
        await refused(rig, post(sign(rig.alpha.owner, {"key": "k"}, policy)), "InvalidPolicyDocument", signed=True)


async def test_a_form_without_a_policy(rig: Rig, at: Furnished) -> None:
    """Nobody's form is stored where the list does not say so; a policy that nobody signed is no policy."""
    assert at
    await refused(rig, post({"key": "k"}), "AccessDenied", signed=True)
    policy = signed(rig.alpha.owner, {"key": "k"})["policy"]
    await refused(rig, post({"key": "k", "policy": policy}), "InvalidArgument", signed=True)


@REUSED
@given(piece=st.binary(max_size=400), first=st.integers(0, 2000), cut=st.integers(0, 40))
async def test_broken_forms(rig: Rig, at: Furnished, piece: bytes, first: int, cut: int) -> None:
    """Whatever is done to the bytes of a form, it is refused with a name and nothing is stored, or it is the form that was signed."""
    assert at
    whole = body_of(signed(rig.alpha.owner, {"key": "k", "acl": OWNED}).items())
    broken = whole[:first] + piece + whole[first + cut :]
    before = rig.dump()
    response = await exchange(rig.app, raw(broken))
    if response.status != 204:
        assert code_of(response) in codes()
        assert rig.dump() == before
