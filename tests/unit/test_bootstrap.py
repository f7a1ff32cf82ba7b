"""The root key and the declared tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from lightningstor_server import bootstrap
from lightningstor_server.auth.vault import Vault, secret_context
from lightningstor_server.bootstrap import Bootstrap, load_bootstrap
from lightningstor_server.documents import ConfigError
from lightningstor_server.failures import StartError
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.sqlite import open_memory
from lightningstor_server.stores.metadata.values import AccessKey
from lightningstor_types.tenants import Role

VAULT = Vault(b"k" * 32)
ENVIRONMENT = {"LIGHTNINGSTOR_ROOT_ACCESS_KEY": "ROOTKEY", "LIGHTNINGSTOR_ROOT_SECRET_KEY": "root-secret"}
DECLARED = """
[[project]]
organisation = "acme"
name = "images"
display_name = "Images"
email = "images@acme.example"
canonical_id = "0123456789abcdef"

[[project.key]]
principal = "alice"
role = "owner"
access_key = "ALICE"
secret_key = "alice-secret"

[[project.key]]
principal = "bob"
role = "viewer"
access_key = "BOB"
secret_key = "bob-secret"

[[project]]
organisation = "acme"
name = "backups"
"""


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    store = await open_memory()
    yield store
    await store.close()


def declared(tmp_path: Path, text: str = DECLARED) -> Bootstrap:
    path = tmp_path / "bootstrap.toml"
    path.write_text(text)
    return load_bootstrap(path)


async def key(metadata: Metadata, access_key: str) -> AccessKey | None:
    async def work(tx: Transaction) -> AccessKey | None:
        return await tx.keys.get(access_key)

    return await metadata.read(work)


async def generation(metadata: Metadata) -> int:
    async def work(tx: Transaction) -> int:
        return await tx.configuration.generation()

    return await metadata.read(work)


async def test_the_declared_exist_and_their_secrets_are_sealed(metadata: Metadata, tmp_path: Path) -> None:
    """Projects and keys are entered as declared; the store holds no plain secret."""
    assert await bootstrap.apply(declared(tmp_path), metadata, VAULT)
    bob = await key(metadata, "BOB")
    assert bob is not None
    assert (bob.principal, bob.role, bob.active) == ("bob", Role.VIEWER, True)
    assert (bob.project.organisation, bob.project.name, bob.project.display_name) == ("acme", "images", "Images")
    assert (bob.project.email, bob.project.canonical_id) == ("images@acme.example", "0123456789abcdef")
    assert b"bob-secret" not in bob.secret
    assert VAULT.open(bob.secret, secret_context("BOB")) == b"bob-secret"


async def test_applying_again_writes_nothing(metadata: Metadata, tmp_path: Path) -> None:
    """A second start with the same file leaves the store and the generation as they are."""
    await bootstrap.apply(declared(tmp_path), metadata, VAULT)
    before = await generation(metadata), await key(metadata, "ALICE")
    assert not await bootstrap.apply(declared(tmp_path), metadata, VAULT)
    assert (await generation(metadata), await key(metadata, "ALICE")) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("alice-secret", "other-secret"), ('"owner"', '"editor"'), ("Images", "Pictures"), ("ALICE", "ALYSSA")],
)
async def test_a_change_is_applied_and_voids_caches(metadata: Metadata, tmp_path: Path, old: str, new: str) -> None:
    """Whatever differs is written, and the generation counts on; the canonical id stays."""
    await bootstrap.apply(declared(tmp_path), metadata, VAULT)
    before = await generation(metadata)
    assert await bootstrap.apply(declared(tmp_path, DECLARED.replace(old, new)), metadata, VAULT)
    assert await generation(metadata) > before
    alice = await key(metadata, "ALYSSA" if new == "ALYSSA" else "ALICE")
    assert alice is not None
    assert alice.project.canonical_id == "0123456789abcdef"
    assert not await bootstrap.apply(declared(tmp_path, DECLARED.replace(old, new)), metadata, VAULT)


async def test_what_is_not_declared_stays(metadata: Metadata, tmp_path: Path) -> None:
    """Attributes that the file leaves out keep their values, a made-up canonical id included."""
    await bootstrap.apply(declared(tmp_path), metadata, VAULT)
    bare = '[[project]]\norganisation = "acme"\nname = "images"'
    assert not await bootstrap.apply(declared(tmp_path, bare), metadata, VAULT)
    assert not await bootstrap.apply(declared(tmp_path, bare.replace("images", "backups")), metadata, VAULT)


async def test_a_revoked_key_stays_revoked(metadata: Metadata, tmp_path: Path) -> None:
    """Neither a file nor an environment that still declares it brings it back, with its old secret or with another."""
    await bootstrap.apply(declared(tmp_path), metadata, VAULT)
    await bootstrap.ensure_root(metadata, VAULT, ENVIRONMENT)
    for id_ in ("ALICE", "ROOTKEY"):
        found = await key(metadata, id_)
        assert found is not None
        revoked = attrs.evolve(found, active=False)
        await metadata.commit(lambda tx, revoked=revoked: tx.keys.put(revoked))
    for text in (DECLARED, DECLARED.replace("alice-secret", "other-secret")):
        assert not await bootstrap.apply(declared(tmp_path, text), metadata, VAULT)
    await bootstrap.ensure_root(metadata, VAULT, {**ENVIRONMENT, "LIGHTNINGSTOR_ROOT_SECRET_KEY": "another-secret"})
    for id_ in ("ALICE", "ROOTKEY"):
        found = await key(metadata, id_)
        assert found is not None
        assert not found.active


async def test_the_first_start_makes_a_root_key_once(metadata: Metadata) -> None:
    """A random key is handed out at the first start and never again."""
    made = await bootstrap.ensure_root(metadata, VAULT, {})
    assert made is not None
    assert (len(made.access_key), len(made.secret_key)) == (20, 40)
    assert made.secret_key not in repr(made)
    stored = await key(metadata, made.access_key)
    assert stored is not None
    assert (stored.principal, stored.role) == ("root", Role.OWNER)
    assert (stored.project.organisation, stored.project.name, len(stored.project.canonical_id)) == ("default", "default", 64)
    assert VAULT.open(stored.secret, secret_context(stored.id)).decode() == made.secret_key
    before = await generation(metadata)
    assert await bootstrap.ensure_root(metadata, VAULT, {}) is None
    assert await generation(metadata) == before


async def test_a_root_key_of_the_environment_is_taken_and_not_shown(metadata: Metadata) -> None:
    """At the first start and at later ones, where it joins what is there."""
    assert await bootstrap.ensure_root(metadata, VAULT, ENVIRONMENT) is None
    before = await generation(metadata)
    assert await bootstrap.ensure_root(metadata, VAULT, ENVIRONMENT) is None
    assert await generation(metadata) == before
    assert await bootstrap.ensure_root(metadata, VAULT, {**ENVIRONMENT, "LIGHTNINGSTOR_ROOT_ACCESS_KEY": "SECOND"}) is None
    first, second = await key(metadata, "ROOTKEY"), await key(metadata, "SECOND")
    assert first is not None
    assert second is not None
    assert first.project == second.project


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
@pytest.mark.parametrize("value", [None, "", "a b c d e f"])
async def test_half_a_root_key_is_an_error(metadata: Metadata, name: str, value: str | None) -> None:
    """One variable without the other, or one that no request could use, refuses the start and shows no value."""
    environment = {other: text for other, text in {**ENVIRONMENT, name: value}.items() if text is not None}
    with pytest.raises(StartError, match=name) as caught:
        await bootstrap.ensure_root(metadata, VAULT, environment)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("principal =", "principle =", "project[0].key[0].principle"),
        ('principal = "bob"\n', "", "project[0].key[1].principal"),
        ('"viewer"', '"god"', "project[0].key[1].role"),
        ('"BOB"', '"a/b"', "project[0].key[1].access_key"),
        ('"BOB"', '"ALICE"', "project[0].key[1].access_key"),
        ('"bob-secret"', '"short"', "project[0].key[1].secret_key"),
        ('"backups"', '"images"', "project[1].name"),
        ('"backups"', '"../x"', "project[1].name"),
        ('"backups"', '"backups"\ncanonical_id = "0123456789abcdef"', "project[1].canonical_id"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    """The error names the file and the dotted key, and holds no secret."""
    with pytest.raises(ConfigError) as caught:
        declared(tmp_path, DECLARED.replace(old, new))
    assert caught.value.key == named
    assert 'secret"' not in str(caught.value)


def test_declared_secrets_do_not_show(tmp_path: Path) -> None:
    """The repr of a declaration has no secret."""
    assert "alice-secret" not in repr(declared(tmp_path))
