"""Policies of forms, without a form."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightningstor_server.auth.post_policy import POLICY_MAX_BYTES, FormClaim, PostPolicy, claim_form, read_policy, verify_form
from lightningstor_types.errors import (
    AccessDenied,
    AuthorizationQueryParametersError,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidPolicyDocument,
    InvalidRequest,
    InvalidToken,
    SignatureDoesNotMatch,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = "2026-01-02T03:04:06.000Z"
BUCKET = {"bucket": "b"}
V4 = {
    "policy": "e30=",
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": "AKID/20260102/us-east-1/s3/aws4_request",
    "x-amz-date": "20260102T030405Z",
    "x-amz-signature": "00",
}
V2 = {"policy": "e30=", "awsaccesskeyid": "AKID", "signature": "AA=="}


def policy(*conditions: Any, expiration: Any = LATER, **more: Any) -> PostPolicy:
    """The policy of these conditions."""
    return read_text(json.dumps({"expiration": expiration, "conditions": list(conditions)} | more))


def read_text(text: str) -> PostPolicy:
    """The policy of a text."""
    return read_policy(b64encode(text.encode()).decode())


def meets(found: PostPolicy, **fields: str) -> bool:
    """Whether a form, sent to the bucket `b`, meets it."""
    try:
        found.check({name.replace("_", "-"): value for name, value in fields.items()}, bucket="b", now=NOW)
    except AccessDenied:
        return False
    return True


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ({"key": "x"}, "x", True),
        ({"KEY": "x"}, "x", True),
        ({"key": "x"}, "X", False),
        (["eq", "$key", "x"], "x", True),
        (["EQ", "$Key", "x"], "xy", False),
        (["eq", "$key", ""], "", True),
        (["starts-with", "$key", "x"], "xy", True),
        (["Starts-With", "$kEy", "x"], "yx", False),
        (["starts-with", "$key", ""], "anything", True),
        (["starts-with", "$key", "a,"], "a,b", True),
        (["eq", "$key", "\\$x"], "\\$x", True),
    ],
)
def test_conditions(condition: Any, value: str, holds: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Names and operators are compared without case, values with it."""
    assert meets(policy(BUCKET, condition), key=value) == holds


def test_lists_of_types() -> None:
    """`starts-with` on Content-Type is about each member of a list."""
    found = policy(BUCKET, ["starts-with", "$Content-Type", "image/"])
    assert meets(found, content_type="image/png, image/jpeg")
    assert not meets(found, content_type="image/png,text/html")
    assert not meets(found, content_type="text/html")


def test_every_field_is_named() -> None:
    """A field that no condition names is refused, but what signs, what is ignored and a checksum; one that lacks meets nothing."""
    found = policy(BUCKET, {"key": "x"}, ["starts-with", "$acl", ""])
    assert not meets(found, key="x")
    assert meets(found, key="x", acl="private")
    assert meets(found, key="x", acl="private", x_ignore_me="y", policy="p", signature="s", awsaccesskeyid="a", x_amz_signature="s")
    assert meets(found, key="x", acl="private", x_amz_checksum_sha256="y", x_amz_checksum_algorithm="y")
    for name in ("x_amz_meta_a", "content_type", "success_action_redirect", "x_amz_credential", "x_amz_checksum_x", "submit", "tagging"):
        assert not meets(found, key="x", acl="private", **{name: "y"})


def test_the_bucket_is_named_and_is_the_address_s() -> None:
    """A policy without a bucket would be good for all; a field of that name does not stand for it."""
    assert not meets(policy({"key": "x"}), key="x")
    assert not meets(policy({"bucket": "other"}, {"key": "x"}), key="x", bucket="other")
    assert meets(policy(["starts-with", "$BUCKET", ""], {"key": "x"}), key="x")


def test_expiration() -> None:
    """It ends a policy when it comes, to the microsecond."""
    found = policy(BUCKET)
    assert meets(found)
    with pytest.raises(AccessDenied, match="expired"):
        found.check({}, bucket="b", now=NOW + timedelta(seconds=1))


def test_sizes() -> None:
    """As numbers or as text; of several the narrowest counts."""
    found = policy(["content-length-range", 1, 10], ["Content-Length-Range", "3", 20])
    assert (found.size_min_bytes, found.size_max_bytes) == (3, 10)
    assert policy().size_max_bytes is None


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"a": "b", "c": "d"},
        {"a": 1},
        {"a": None},
        {"a": ["b"]},
        {"": "x"},
        [],
        ["eq"],
        ["eq", "$a"],
        ["eq", "a", "b"],
        ["eq", "$", "b"],
        ["eq", "$a", 1],
        ["eq", "$a", "b", "c"],
        ["ends-with", "$a", "b"],
        [1, "$a", "b"],
        ["content-length-range"],
        ["content-length-range", 0],
        ["content-length-range", -1, 0],
        ["content-length-range", 2, 1],
        ["content-length-range", 1.5, 2],
        ["content-length-range", True, 2],
        ["content-length-range", 0, 10**30],
        ["content-length-range", 0, "x"],
        ["content-length-range", 0, 1, 2],
        "eq",
        None,
        7,
    ],
)
def test_conditions_that_are_none(condition: Any) -> None:
    """They make the whole policy invalid: to pass one over would be to allow more than was signed."""
    with pytest.raises(InvalidPolicyDocument):
        policy(BUCKET, condition)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        '"x"',
        f'{{"expiration": "{LATER}"}}',
        '{"conditions": []}',
        f'{{"expiration": "{LATER}", "CONDITIONS": []}}',
        f'{{"EXPIRATION": "{LATER}", "conditions": []}}',
        f'{{"expiration": "{LATER}", "conditions": [], "more": 1}}',
        f'{{"expiration": "{LATER}", "conditions": [], "conditions": []}}',
        f'{{"expiration": "{LATER}", "conditions": [{{"a": "b", "a": "c"}}]}}',
        f'{{"expiration": "{LATER}", "conditions": {{}}}}',
        '{"expiration": "2026-01-02 03:04:06", "conditions": []}',
        '{"expiration": "2026-01-02T03:04:06+00:00", "conditions": []}',
        '{"expiration": "2026-13-02T03:04:06Z", "conditions": []}',
        '{"expiration": 20260102, "conditions": []}',
        '{"expiration": null, "conditions": []}',
        '{"expiration": "", "conditions": ' + "[" * 5000 + "]" * 5000 + "}",
        " " * (POLICY_MAX_BYTES + 1),
    ],
)
def test_documents_that_are_none(text: str) -> None:
    """No JSON, other members, members twice, a time without a zone, nesting, or too much of it."""
    with pytest.raises(InvalidPolicyDocument):
        read_text(text)


@pytest.mark.parametrize("text", ["%", "e30", "e30=e30=", "e\u00e9==", "/////w==", "\ud800"])
def test_texts_that_are_no_base64(text: str) -> None:
    """Nor base64 of what is no UTF-8; white space in it is none of it."""
    with pytest.raises(InvalidPolicyDocument):
        read_policy(text)


def test_base64_in_lines() -> None:
    """As old tools have it."""
    text = b64encode(json.dumps({"expiration": LATER, "conditions": []}).encode()).decode()
    assert read_policy("\r\n".join(text[at : at + 20] for at in range(0, len(text), 20))) == policy()


def test_anonymous_forms() -> None:
    """Without any field that signs."""
    assert claim_form({"key": "x", "acl": "private"}, version_2=True) is None


@pytest.mark.parametrize("fields", [V4, V2])
def test_nothing_of_what_signs_is_missing(fields: dict[str, str]) -> None:
    """A form with some of the fields is not anonymous, it is wrong."""
    assert claim_form(fields, version_2=True) is not None
    for name in fields:
        for wrong in ({key: value for key, value in fields.items() if key != name}, fields | {name: ""}):
            with pytest.raises(InvalidArgument):
                claim_form(wrong, version_2=True)


@pytest.mark.parametrize("text", ["x" * 129, "a b", "\u00e9", "a\r\nb"])
def test_texts_that_are_no_access_key(text: str) -> None:
    """They are looked up nowhere."""
    with pytest.raises(InvalidAccessKeyId):
        claim_form(V2 | {"awsaccesskeyid": text}, version_2=True)


def test_one_version() -> None:
    """Version 2 where it is taken, and never both."""
    with pytest.raises(InvalidRequest):
        claim_form(V2, version_2=False)
    for extra in ({"signature": "x"}, {"awsaccesskeyid": "x"}):
        with pytest.raises(InvalidArgument):
            claim_form(V4 | extra, version_2=True)
    with pytest.raises(InvalidRequest):
        claim_form(V4 | {"x-amz-algorithm": "AWS4-ECDSA-P256-SHA256"}, version_2=True)
    for fields in (V4, V2):
        with pytest.raises(InvalidToken):
            claim_form(fields | {"x-amz-security-token": "t"}, version_2=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-amz-credential": "AKID/20260102/us-east-1/s3"},
        {"x-amz-credential": "/20260102/us-east-1/s3/aws4_request"},
        {"x-amz-credential": "A\r\nB/20260102/us-east-1/s3/aws4_request"},
        {"x-amz-credential": "A" * 129 + "/20260102/us-east-1/s3/aws4_request"},
        {"x-amz-credential": "AKID/20260102/us-east-1/s3/aws5_request"},
        {"x-amz-credential": "AKID/20260103/us-east-1/s3/aws4_request"},
        {"x-amz-date": "2026-01-02"},
        {"x-amz-credential": "AKID/20260102/eu-west-1/s3/aws4_request"},
        {"x-amz-credential": "AKID/20260102/us-east-1/sts/aws4_request"},
    ],
)
def test_scopes(wrong: dict[str, str]) -> None:
    """A credential is of this region and service, and of the day that the form says."""

    def prove() -> None:
        claim = claim_form(V4 | wrong, version_2=False)
        assert claim is not None
        verify_form(claim, "secret", region="us-east-1")

    with pytest.raises(AuthorizationQueryParametersError):
        prove()


@pytest.mark.parametrize("fields", [V4, V2])
@pytest.mark.parametrize("signature", ["00", "\u00e9", "AA=="])
def test_wrong_signatures(fields: dict[str, str], signature: str) -> None:
    """Any text may come for one, and none is told what it should be."""
    name = "signature" if "signature" in fields else "x-amz-signature"
    claim = claim_form(fields | {name: signature}, version_2=True)
    assert isinstance(claim, FormClaim)
    with pytest.raises(SignatureDoesNotMatch) as raised:
        verify_form(claim, "secret", region="us-east-1")
    assert set(raised.value.details) == {"AWSAccessKeyId", "SignatureProvided"}
    assert "signature=" not in repr(claim)
