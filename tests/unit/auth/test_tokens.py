"""What a bearer token says, and what proves it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.auth.tokens import TOKEN_KEY_LABEL, TOKEN_MAX_CHARACTERS, Tokens, read_token
from lightningstor_server.auth.vault import DERIVED_KEY_BYTES, Vault
from lightningstor_types.errors import ExpiredToken, InvalidToken, StorError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = NOW + timedelta(seconds=900)
TOKENS = Tokens(b"k" * 32)
SECRET = "alice's"
TOKEN = TOKENS.issue("ALICE", SECRET, END)
SECOND = timedelta(seconds=1)


def check(text: str, *, secret: str = SECRET, now: datetime = NOW, tokens: Tokens = TOKENS) -> str:
    """The access key that a token proves."""
    claim = read_token(text)
    tokens.verify(claim, secret, now)
    return claim.access_key


@given(
    access_key=st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=128),
    secret=st.text(st.characters(codec="utf-8"), max_size=80),
)
def test_a_token_proves_its_key(access_key: str, secret: str) -> None:
    """Any key and secret, until the end; the longest key fits."""
    token = TOKENS.issue(access_key, secret, END)
    assert len(token) <= TOKEN_MAX_CHARACTERS
    assert read_token(token).expires == END
    assert check(token, secret=secret) == access_key


def test_a_token_ends_at_its_second() -> None:
    """Good until the moment before, expired from the moment on."""
    assert check(TOKEN, now=END - timedelta(microseconds=1)) == "ALICE"
    for now in (END, END + SECOND):
        with pytest.raises(ExpiredToken):
            check(TOKEN, now=now)


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_a_changed_character_is_noticed(place: int) -> None:
    """Anywhere, also where base64 has bits to spare; an expired one that is changed is not called expired."""
    for other in "AQgw_-":
        if other != TOKEN[place]:
            changed = TOKEN[:place] + other + TOKEN[place + 1 :]
            for now in (NOW, END + SECOND):
                with pytest.raises(InvalidToken):
                    check(changed, now=now)


@pytest.mark.parametrize("text", [TOKEN[:-1], TOKEN + "A", TOKEN + "=", TOKEN + "\n", " " + TOKEN, TOKEN[4:], "", "=", "ü", "\ud800"])
def test_a_token_of_another_form_is_refused(text: str) -> None:
    """Cut, longer, padded, spaced, empty, not ASCII."""
    with pytest.raises(InvalidToken):
        check(text)


def test_a_long_token_is_not_looked_at() -> None:
    """The length is bounded before anything is decoded."""
    with pytest.raises(InvalidToken):
        read_token("A" * (TOKEN_MAX_CHARACTERS + 1))


@given(raw=st.binary(max_size=120), version=st.booleans())
def test_no_bytes_make_a_token(*, raw: bytes, version: bool) -> None:
    """Whatever comes is refused, and with one of the two classes."""
    text = base64.urlsafe_b64encode((b"\x01" if version else b"") + raw).rstrip(b"=").decode()
    with pytest.raises((InvalidToken, ExpiredToken)) as caught:
        check(text)
    assert isinstance(caught.value, StorError)


@given(text=st.text(max_size=60))
def test_no_text_makes_a_token(text: str) -> None:
    """Nor does any text."""
    with pytest.raises(InvalidToken):
        check(text)


def test_another_key_or_secret_did_not_issue_it() -> None:
    """A store of another master key refuses it, and so does this one when the secret was replaced."""
    with pytest.raises(InvalidToken):
        check(TOKEN, tokens=Tokens(b"o" * 32))
    with pytest.raises(InvalidToken):
        check(TOKEN, secret="alice's new one")


def test_a_claim_does_not_show_its_proof() -> None:
    """What could be replayed is in no repr."""
    shown = repr(read_token(TOKEN))
    assert "proof" not in shown
    assert "content" not in shown


def test_a_vaults_derived_key_is_the_documented_one() -> None:
    """HKDF-SHA256 without salt, computed here step by step (RFC 5869 sections 2.2 and 2.3)."""
    extracted = hmac.digest(bytes(32), b"m" * 32, hashlib.sha256)
    expanded = hmac.digest(extracted, TOKEN_KEY_LABEL.encode() + b"\x01", hashlib.sha256)
    assert Vault(b"m" * 32).derive(TOKEN_KEY_LABEL) == expanded
    assert len(expanded) == DERIVED_KEY_BYTES


def test_derived_keys_differ() -> None:
    """By label and by master key; two vaults of one key derive the same."""
    one, same, other = Vault(b"m" * 32), Vault(b"m" * 32), Vault(b"n" * 32)
    assert one.derive("a") == same.derive("a")
    assert len({one.derive("a"), one.derive("b"), other.derive("a"), b"m" * 32}) == 4
