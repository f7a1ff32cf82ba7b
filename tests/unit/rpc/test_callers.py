"""Who makes a call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import frozen

from lightningstor_api.signing import Signer
from lightningstor_server.rpc.callers import Callers
from lightningstor_types import errors
from lightningstor_types.tenants import Caller, Project, Role

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATH = "/lightningstor.v1.ObjectService/HeadObject"
PROJECT = Project(id=1, organisation_id=1, organisation="o", name="p", display_name="P", email="p@example.org", canonical_id="c")
ALICE = Caller(project=PROJECT, principal="alice", role=Role.OWNER, access_key="ALICE")


@frozen(kw_only=True)
class Known:
    """Alice's credential."""

    secret: str = "alice's"
    caller: Caller = ALICE


class OneKey:
    """Knows Alice alone."""

    async def find(self, access_key: str) -> Known | None:
        """Alice's credential, or none."""
        return Known() if access_key == "ALICE" else None


CALLERS = Callers(OneKey(), clock=lambda: NOW, region="us-east-1")


def signed(path: str = PATH, **changes: Any) -> dict[str, str]:
    """The metadata of a call that Alice signed, but for `changes` of the signer."""
    values: dict[str, Any] = {"access_key": "ALICE", "secret_key": "alice's", "region": "us-east-1", "clock": lambda: NOW}
    return dict(Signer(**{**values, **changes}).metadata(path, "id-1"))


async def test_a_signed_call_has_its_caller() -> None:
    """The caller is the key's, whatever else the metadata say."""
    assert await CALLERS.identify(PATH, {**signed(), "user-agent": "x"}) == ALICE


async def test_the_signature_is_the_documented_one() -> None:
    """A vector computed by hand from the canonical request in the .proto file."""
    headers = signed()
    assert headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=ALICE/20260102/us-east-1/lightningstor/aws4_request, SignedHeaders=x-amz-date;x-request-id, Signature="
    )
    assert headers["authorization"][-64:] == VECTOR


VECTOR = "5917a61b86b9f61a7a9f955b5c673b480f6845823916318ab5b0d18d05eab0fc"


async def test_no_credential_is_no_caller() -> None:
    """An anonymous call is the door's to deny."""
    assert await CALLERS.identify(PATH, {"user-agent": "x"}) is None


@pytest.mark.parametrize("minutes", [-15, 0, 15])
async def test_a_clock_may_be_off_by_fifteen_minutes(minutes: int) -> None:
    """The tolerance is AWS's."""
    assert await CALLERS.identify(PATH, signed(clock=lambda: NOW + timedelta(minutes=minutes))) == ALICE


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (signed(secret_key="mallory's"), errors.SignatureDoesNotMatch),
        (signed(access_key="MALLORY"), errors.InvalidAccessKeyId),
        (signed(access_key="MALLORY", secret_key="no-such-access-key"), errors.InvalidAccessKeyId),
        (signed(path="/lightningstor.v1.ObjectService/DeleteObject"), errors.SignatureDoesNotMatch),
        (signed(region="eu-central-1"), errors.AuthorizationHeaderMalformed),
        (signed(clock=lambda: NOW + timedelta(minutes=16)), errors.RequestTimeTooSkewed),
        (signed(clock=lambda: NOW - timedelta(minutes=16)), errors.RequestTimeTooSkewed),
        ({**signed(), "x-request-id": "id-2"}, errors.SignatureDoesNotMatch),
        ({**signed(), "x-amz-date": "20260102T030406Z"}, errors.SignatureDoesNotMatch),
        ({**signed(), "x-amz-meta-x": "1"}, errors.AccessDenied),
        ({**signed(), "x-amz-security-token": "1"}, errors.AccessDenied),
        ({name: value for name, value in signed().items() if name != "x-request-id"}, errors.SignatureDoesNotMatch),
        ({name: value for name, value in signed().items() if name != "x-amz-date"}, errors.AccessDenied),
        ({**signed(), "authorization": signed()["authorization"].replace("x-amz-date;", "")}, errors.AccessDenied),
        ({**signed(), "authorization": signed()["authorization"].replace("x-amz-date;", "host;x-amz-date;")}, errors.SignatureDoesNotMatch),
        ({**signed(), "authorization": signed()["authorization"].replace("/lightningstor/", "/s3/")}, errors.AuthorizationHeaderMalformed),
        ({**signed(), "authorization": "Bearer x"}, errors.AccessDenied),
        ({**signed(), "authorization": "Digest x"}, errors.InvalidArgument),
        ({**signed(), "authorization": "AWS4-HMAC-SHA256 nonsense"}, errors.AuthorizationHeaderMalformed),
    ],
)
async def test_a_credential_that_does_not_prove_itself_is_refused(headers: dict[str, str], expected: type[errors.StorError]) -> None:
    """Each way to be wrong has S3's code, and none of them becomes an anonymous caller."""
    with pytest.raises(expected) as caught:
        await CALLERS.identify(PATH, headers)
    assert type(caught.value) is expected
    assert "alice's" not in f"{caught.value}{caught.value.details}"


def test_a_signer_does_not_show_its_secret() -> None:
    """A secret is in no repr."""
    assert "alice's" not in repr(Signer(access_key="ALICE", secret_key="alice's", region="us-east-1"))


class OneToken:
    """Knows one token of Alice's."""

    async def identify(self, token: str) -> Caller:
        """Alice, or an error."""
        if token != "tok-en_1":
            raise errors.InvalidToken
        return ALICE


BEARING = Callers(OneKey(), clock=lambda: NOW, region="us-east-1", bearers=OneToken())


@pytest.mark.parametrize("value", ["Bearer tok-en_1", "bearer tok-en_1", "BEARER   tok-en_1"])
async def test_a_token_stands_for_its_key(value: str) -> None:
    """Whatever the case of the scheme, without date or signed metadata."""
    assert await BEARING.identify(PATH, {"authorization": value}) == ALICE
    assert await BEARING.identify(PATH, signed()) == ALICE


@pytest.mark.parametrize("value", ["Bearer other", "Bearer", "Bearer ", "bearer tok-en_1 x"])
async def test_a_token_that_proves_nothing_is_refused(value: str) -> None:
    """It is no anonymous caller."""
    with pytest.raises(errors.InvalidToken):
        await BEARING.identify(PATH, {"authorization": value})


async def test_a_token_gets_no_other_token() -> None:
    """A stolen one would never end; a signature gets one."""
    issue = "/lightningstor.v1.TokenService/Issue"
    with pytest.raises(errors.AccessDenied):
        await BEARING.identify(issue, {"authorization": "Bearer tok-en_1"})
    assert await BEARING.identify(issue, signed(issue)) == ALICE
