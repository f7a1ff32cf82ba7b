"""Who exists from the start: the root key, and what the bootstrap file declares.

Law: both are applied at every start and change nothing when nothing changed. There is no default
credential: a root key that nobody gave is random and is handed out once. A key that was revoked stays
revoked, whatever is declared.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from attrs import define, field, frozen

from lightningstor_server import documents
from lightningstor_server.auth.vault import Vault, secret_context
from lightningstor_server.documents import ConfigError, Matching, Sized
from lightningstor_server.failures import StartError
from lightningstor_server.service.identity import ROOT_PROJECT_SETTING, new_access_key, new_canonical_id, new_secret_key
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.values import AccessKey
from lightningstor_types.names import TenantName
from lightningstor_types.tenants import AccessKeyId, CanonicalId, Project, Role, SecretKey, TenantText

ROOT_ACCESS_KEY_VARIABLE: Final = "LIGHTNINGSTOR_ROOT_ACCESS_KEY"
ROOT_SECRET_KEY_VARIABLE: Final = "LIGHTNINGSTOR_ROOT_SECRET_KEY"  # noqa: S105 - the name of a variable
ROOT_ORGANISATION: Final = "default"
ROOT_PROJECT: Final = "default"
ROOT_PRINCIPAL: Final = "root"

_TENANT = Matching(TenantName.PATTERN, TenantName.WANTED)
_ACCESS_KEY = Matching(AccessKeyId.PATTERN, AccessKeyId.WANTED)
_SECRET_KEY = Matching(SecretKey.PATTERN, SecretKey.WANTED)
_CANONICAL_ID = Matching(CanonicalId.PATTERN, CanonicalId.WANTED)
_TEXT = Matching(TenantText.PATTERN, TenantText.WANTED)


@frozen(kw_only=True)
class DeclaredKey:
    """`[[project.key]]`: an access key of a principal."""

    principal: Annotated[str, _TENANT]
    role: Role
    access_key: Annotated[str, _ACCESS_KEY]
    secret_key: Annotated[str, _SECRET_KEY] = field(repr=False)


@frozen(kw_only=True)
class DeclaredProject:
    """`[[project]]`: a project of an organisation. What is left out stays as it is in the store."""

    organisation: Annotated[str, _TENANT]
    name: Annotated[str, _TENANT]
    display_name: Annotated[str, _TEXT] | None = None
    email: Annotated[str, _TEXT] | None = None
    canonical_id: Annotated[str, _CANONICAL_ID] | None = None
    key: tuple[DeclaredKey, ...] = ()


@frozen(kw_only=True)
class Bootstrap:
    """The whole bootstrap file."""

    project: Annotated[tuple[DeclaredProject, ...], Sized(0, 100_000, "at most 100000 projects")] = ()


@frozen(kw_only=True)
class RootKey:
    """A key that was made and has to be shown."""

    access_key: str
    secret_key: str = field(repr=False)


def load_bootstrap(path: Path) -> Bootstrap:
    """The declarations of a file.

    Raises:
        ConfigError: the file cannot be read, a key of it is unknown or has a wrong value, or a
            project, canonical id or access key is declared twice.
    """
    declared = documents.structure(Bootstrap, documents.load(path), str(path))
    seen: set[tuple[str, ...]] = set()
    for index, project in enumerate(declared.project):
        names = [("name", f"{project.organisation}/{project.name}")]
        names += [("canonical_id", project.canonical_id)] if project.canonical_id is not None else []
        names += [(f"key[{place}].access_key", key.access_key) for place, key in enumerate(project.key)]
        for attribute, name in names:
            mark = (attribute.rpartition(".")[2], name)
            if mark in seen:
                raise ConfigError(str(path), f"project[{index}].{attribute}", f"{name!r} is declared twice")
            seen.add(mark)
    return declared


async def apply(declared: Bootstrap, metadata: Metadata, vault: Vault) -> bool:
    """Bring the store to what is declared, in one commit; whether anything changed.

    What is not declared stays. Reading comes first: most starts find nothing to write.

    Raises:
        VaultError: a stored secret does not open.
    """

    async def look(transaction: Transaction) -> bool:
        return await _Upsert(transaction=transaction, vault=vault, writing=False).declared(declared)

    async def work(transaction: Transaction) -> bool:
        return await _Upsert(transaction=transaction, vault=vault, writing=True).declared(declared)

    return await metadata.read(look) and await metadata.commit(work)


async def ensure_root(metadata: Metadata, vault: Vault, environment: Mapping[str, str]) -> RootKey | None:
    """See to a root key; returns it where it was made now and has to be shown.

    At the first start the project `default` of the organisation `default` is made, and a key of
    its owner `root`: that of the environment, or a random one. Later a key of the environment is
    entered beside those that are there.

    Raises:
        StartError: the environment has half a key, or one of a wrong form.
        VaultError: a stored secret does not open.
    """
    given = _given(environment)

    async def work(transaction: Transaction) -> RootKey | None:
        upsert = _Upsert(transaction=transaction, vault=vault, writing=True)
        first = await transaction.configuration.get(ROOT_PROJECT_SETTING) is None
        key = given or (RootKey(access_key=new_access_key(), secret_key=new_secret_key()) if first else None)
        if key is None:
            return None
        declared = DeclaredKey(principal=ROOT_PRINCIPAL, role=Role.OWNER, access_key=key.access_key, secret_key=key.secret_key)
        root = await upsert.project(DeclaredProject(organisation=ROOT_ORGANISATION, name=ROOT_PROJECT))
        await upsert.key(root, declared)
        if first:
            await transaction.configuration.set(ROOT_PROJECT_SETTING, str(root.id))
        if upsert.changed:
            await transaction.configuration.bump()
        return None if given else key

    return await metadata.commit(work)


@define(kw_only=True)
class _Upsert:
    """Writes what differs, if `writing`, and remembers whether anything did."""

    transaction: Transaction
    vault: Vault
    writing: bool
    changed: bool = False

    async def declared(self, declared: Bootstrap) -> bool:
        for project in declared.project:
            entered = await self.project(project)
            for key in project.key:
                await self.key(entered, key)
        if self.changed and self.writing:
            await self.transaction.configuration.bump()
        return self.changed

    async def project(self, declared: DeclaredProject) -> Project:
        present = await self.transaction.tenants.project(declared.organisation, declared.name)
        base = present or Project(
            id=0,
            organisation_id=0,
            organisation=declared.organisation,
            name=declared.name,
            display_name=declared.name,
            email="",
            canonical_id=new_canonical_id(),
            created=datetime.now(UTC),
        )
        wanted = Project(
            id=base.id,
            organisation_id=base.organisation_id,
            organisation=base.organisation,
            name=base.name,
            display_name=base.display_name if declared.display_name is None else declared.display_name,
            email=base.email if declared.email is None else declared.email,
            canonical_id=declared.canonical_id or base.canonical_id,
            created=base.created,
        )
        if wanted == present:
            return wanted
        self.changed = True
        return await self.transaction.tenants.put_project(wanted) if self.writing else wanted

    async def key(self, project: Project, declared: DeclaredKey) -> None:
        context, secret = secret_context(declared.access_key), declared.secret_key.encode()
        present = await self.transaction.keys.get(declared.access_key)
        if present is not None and not present.active:
            return  # revoked since: a file or an environment that was forgotten must not bring it back
        if (
            present is not None
            and (present.project.id, present.principal, present.role) == (project.id, declared.principal, declared.role)
            and secrets.compare_digest(self.vault.open(present.secret, context), secret)
        ):
            return
        self.changed = True
        if self.writing:
            key = AccessKey(
                id=declared.access_key,
                secret=self.vault.seal(secret, context),
                project=project,
                principal=declared.principal,
                role=declared.role,
                active=True,
                created=datetime.now(UTC),
            )
            await self.transaction.keys.put(key)


def _given(environment: Mapping[str, str]) -> RootKey | None:
    if ROOT_ACCESS_KEY_VARIABLE not in environment and ROOT_SECRET_KEY_VARIABLE not in environment:
        return None
    access_key = _half(environment, ROOT_ACCESS_KEY_VARIABLE, _ACCESS_KEY)
    return RootKey(access_key=access_key, secret_key=_half(environment, ROOT_SECRET_KEY_VARIABLE, _SECRET_KEY))


def _half(environment: Mapping[str, str], name: str, form: Matching) -> str:
    value = environment.get(name)
    if value is None:
        raise StartError(f"{name} is not set, and the other half of the root key is")
    if not form.admits(value):
        raise StartError(f"{name}: expected {form.wanted}")
    return value
