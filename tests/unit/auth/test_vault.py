"""The master key: where it comes from, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.auth.vault import Vault, VaultError, default_key_file, open_vault

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()


def test_the_key_id_is_the_beginning_of_the_keys_digest() -> None:
    """8 hexadecimal digits of SHA-256; the repr has nothing else."""
    assert Vault(KEY).key_id == hashlib.sha256(KEY).hexdigest()[:8]
    assert repr(Vault(KEY)) == f"Vault(key_id='{Vault(KEY).key_id}')"


@given(plaintext=st.binary(max_size=200), context=st.text(max_size=40))
def test_what_is_sealed_opens_again(plaintext: bytes, context: str) -> None:
    """In its context; and no two seals are alike."""
    vault = Vault(KEY)
    sealed = vault.seal(plaintext, context)
    assert vault.open(sealed, context) == plaintext
    assert vault.seal(plaintext, context) != sealed
    with pytest.raises(VaultError):
        vault.open(sealed, context + "x")


@given(place=st.integers(min_value=0, max_value=37), bit=st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_is_noticed(place: int, bit: int) -> None:
    """Anywhere, head and nonce included."""
    vault = Vault(KEY)
    sealed = bytearray(vault.seal(b"abcde", "here"))
    sealed[place] ^= 1 << bit
    with pytest.raises(VaultError):
        vault.open(bytes(sealed), "here")


@pytest.mark.parametrize("length", range(38))
def test_a_truncation_is_noticed(length: int) -> None:
    """At every length."""
    vault = Vault(KEY)
    with pytest.raises(VaultError):
        vault.open(vault.seal(b"abcde", "here")[:length], "here")


def test_another_key_is_named() -> None:
    """The error tells both key ids and neither key."""
    other = Vault(b"o" * 32)
    with pytest.raises(VaultError, match=f"{other.key_id}.*{Vault(KEY).key_id}"):
        Vault(KEY).open(other.seal(b"x", "c"), "c")


def test_a_new_store_gets_a_key_beside_it(tmp_path: Path) -> None:
    """Mode 0600, found again at the next start, and no draft is left."""
    data = tmp_path / "data"
    made = open_vault(None, data, {}, expected=None)
    path = tmp_path / "data.key"
    assert default_key_file(data) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert open_vault(None, data, {}, expected=made.key_id).key_id == made.key_id


def test_an_old_store_never_gets_another_key(tmp_path: Path) -> None:
    """Without its key it refuses, names the key id, and makes no file."""
    with pytest.raises(VaultError, match="0badcafe"):
        open_vault(None, tmp_path / "data", {}, expected="0badcafe")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_is_refused_by_its_id(tmp_path: Path) -> None:
    """From a file and from the environment; the message has both ids."""
    path = tmp_path / "k"
    path.write_text(TEXT)
    wanted = f"0badcafe.*{Vault(KEY).key_id}"
    with pytest.raises(VaultError, match=wanted):
        open_vault(path, tmp_path / "data", {}, expected="0badcafe")
    with pytest.raises(VaultError, match=wanted):
        open_vault(None, tmp_path / "data", {"LIGHTNINGSTOR_MASTER_KEY": TEXT}, expected="0badcafe")


def test_the_environment_may_hold_the_key(tmp_path: Path) -> None:
    """Then no file is made; a key file beside it is ambiguous."""
    environment = {"LIGHTNINGSTOR_MASTER_KEY": TEXT}
    assert open_vault(None, tmp_path / "data", environment, expected=None).key_id == Vault(KEY).key_id
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(VaultError, match="both"):
        open_vault(tmp_path / "k", tmp_path / "data", environment, expected=None)


@pytest.mark.parametrize("content", ["", "AAAA", "not base64!", TEXT + TEXT])
def test_a_malformed_key_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    """Also an empty file; it is never replaced."""
    path = tmp_path / "k"
    path.write_text(content)
    with pytest.raises(VaultError, match="32 bytes") as caught:
        open_vault(path, tmp_path / "data", {}, expected=None)
    assert TEXT not in str(caught.value)
    assert path.read_text() == content


def test_a_key_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """It names the file."""
    with pytest.raises(VaultError, match="nowhere/k"):
        open_vault(tmp_path / "nowhere" / "k", tmp_path / "data", {}, expected=None)
