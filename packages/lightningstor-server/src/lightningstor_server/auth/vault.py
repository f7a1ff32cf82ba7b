"""The master key, and what is sealed under it.

Law: the key lies outside the data folder, and a store that has one never gets another: a key
that is wrong or missing is a `VaultError` that names the key id, before anything is served.
What is sealed is bound to its context, so that a row cannot be moved to another place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_KEY_BYTES: Final = 32
DERIVED_KEY_BYTES: Final = 32
KEY_FILE_MODE: Final = 0o600
KEY_FILE_SUFFIX: Final = ".key"
KEY_FILE_MAX_BYTES: Final = 1024
KEY_VARIABLE: Final = "LIGHTNINGSTOR_MASTER_KEY"

_FORMAT: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
"""96 bits at random (NIST SP 800-38D section 8.2.2): good for 2^32 seals under one key."""
_HEAD_BYTES: Final = len(_FORMAT) + _KEY_ID_BYTES


class VaultError(Exception):
    """The master key is missing, malformed or not the one; or what is sealed was tampered with."""


class Vault:
    """Seals and opens with AES-256-GCM."""

    __slots__ = ("_cipher", "_head", "_key", "key_id")

    def __init__(self, key: bytes) -> None:
        if len(key) != MASTER_KEY_BYTES:
            raise VaultError(f"a master key has {MASTER_KEY_BYTES} bytes")
        digest = hashlib.sha256(key).digest()[:_KEY_ID_BYTES]
        self.key_id: Final = digest.hex()
        """The first 8 hexadecimal digits of the key's SHA-256."""
        self._head = _FORMAT + digest
        self._cipher = AESGCM(key)
        self._key = key

    def __repr__(self) -> str:
        return f"Vault(key_id={self.key_id!r})"

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt, bound to `context`: 33 bytes longer than the plaintext, different each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._cipher.encrypt(nonce, plaintext, self._head + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what `seal` made with the same context.

        Raises:
            VaultError: another key sealed it, or the bytes or the context are not the sealed ones.
        """
        head = sealed[:_HEAD_BYTES]
        if head[:1] != _FORMAT or len(head) != _HEAD_BYTES:
            raise VaultError("not something that a vault sealed")
        if head != self._head:
            raise VaultError(f"sealed under master key {head[1:].hex()}, not under {self.key_id}")
        nonce, ciphertext = sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES], sealed[_HEAD_BYTES + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, head + context.encode())
        except (InvalidTag, ValueError) as error:
            raise VaultError(f"sealed bytes under master key {self.key_id} do not open for {context!r}") from error

    def derive(self, label: str) -> bytes:
        """A key of 32 bytes for one purpose, the same in every process: HKDF-SHA256 (RFC 5869) with `label` as its info.

        No salt: the master key is uniform already (section 3.1), and no derived key tells of another.
        """
        return HKDF(algorithm=SHA256(), length=DERIVED_KEY_BYTES, salt=None, info=label.encode()).derive(self._key)


def secret_context(access_key: str) -> str:
    """The context of an access key's secret."""
    return f"access-key:{access_key}"


def default_key_file(data: Path) -> Path:
    """`<data>.key`, beside the data folder.

    Raises:
        VaultError: the data folder is the root of the file system, which has no beside.
    """
    folder = Path(data).absolute()
    if not folder.name:
        raise VaultError(f"{folder} has no place beside it: name the key file")
    return folder.with_name(folder.name + KEY_FILE_SUFFIX)


def open_vault(key_file: Path | None, data: Path, environment: Mapping[str, str], *, expected: str | None) -> Vault:
    """The vault of a store. `expected` is the key id that the store remembers, None for a new store.

    The key comes from LIGHTNINGSTOR_MASTER_KEY, from `key_file`, or from its default place, where
    a new store gets a new one.

    Raises:
        VaultError: two keys are given, the key is malformed, it is not the expected one, or an
            expected one is not there.
    """
    variable = environment.get(KEY_VARIABLE)
    if variable is not None and key_file is not None:
        raise VaultError(f"both {KEY_VARIABLE} and a key file are given: give one")
    path = key_file or default_key_file(data)
    if variable is not None:
        vault = Vault(_decode(variable.encode(), KEY_VARIABLE))
    elif (content := _read(path)) is not None:
        vault = Vault(_decode(content, str(path)))
    elif expected is not None:
        raise VaultError(f"the store is sealed under master key {expected}, and there is no {path}")
    else:
        vault = Vault(_create(path))
    _compare(vault, expected)
    return vault


def _compare(vault: Vault, expected: str | None) -> None:
    if expected is not None and expected != vault.key_id:
        raise VaultError(f"the store is sealed under master key {expected}, and this is master key {vault.key_id}")


def _decode(text: bytes, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        # from None: the reason may quote the key
        raise VaultError(f"{where} does not hold base64 of {MASTER_KEY_BYTES} bytes") from None
    return key


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(KEY_FILE_MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultError(f"cannot read the master key file {path}: {error.strerror}") from error


def _create(path: Path) -> bytes:
    """Make a key that survives a power cut before anything is sealed under it."""
    key = os.urandom(MASTER_KEY_BYTES)
    try:
        # a complete file under the name or none: a cut between creating and writing would leave one
        # that is neither readable nor replaced
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(key) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # like O_EXCL, it refuses a name that is taken
        finally:
            draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise VaultError(f"cannot make the master key file {path}: {error.strerror}") from error
    return key
