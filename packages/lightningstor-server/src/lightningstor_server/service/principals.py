"""Principals and access keys.

Law: a secret is told where its key is made and never again; the store has it sealed. A revoked key
stays revoked. The root project always keeps an active key of an owner, since nobody else could give
it one. Changes count the store's generation on, and so hold for every process's next request.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from lightningstor_server.auth.vault import secret_context
from lightningstor_server.service.core import Context
from lightningstor_server.service.identity import new_access_key, new_secret_key
from lightningstor_server.service.operation import operation
from lightningstor_server.service.tenants import administers, is_root, page, page_limit, project_of
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import AccessKey
from lightningstor_types import errors
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.principals import (
    AccessKeyDescription,
    CreateAccessKey,
    CreateAccessKeyResult,
    CreatePrincipal,
    DeleteAccessKey,
    DeletePrincipal,
    ListAccessKeys,
    ListAccessKeysResult,
    ListPrincipals,
    ListPrincipalsResult,
    PrincipalDescription,
    RevokeAccessKey,
    SetRole,
)
from lightningstor_types.tenants import Principal, Project, Role


async def _principal_of(tx: Transaction, project: Project, name: str) -> Principal:
    """The principal.

    Raises:
        NoSuchEntity: there is none.
    """
    found = await tx.principals.get(project.id, name)
    if found is None:
        raise errors.NoSuchEntity(f"The project has no principal {name}.", Principal=name)
    return found


async def _settle(tx: Transaction, project: Project) -> None:
    """Let a change of who works in a project stand, unless it locks everybody out.

    Raises:
        DeleteConflict: no owner of the root project would have an active key any more.
    """
    if await is_root(tx, project) and not await tx.keys.any_active(project.id, role=Role.OWNER):
        raise errors.DeleteConflict("No owner of the root project would have an access key, and nobody could give it one.")
    await tx.configuration.bump()


def _principal(found: Principal) -> PrincipalDescription:
    return PrincipalDescription(principal=found.name, role=found.role, created=found.created)


@operation(CreatePrincipal, rpc="TenantService.CreatePrincipal", action=administers("CreatePrincipal"))
async def create_principal(ctx: Context, request: CreatePrincipal) -> PrincipalDescription:
    """Make a principal."""
    made = Principal(name=request.principal, role=request.role, created=ctx.now())

    async def work(tx: Transaction) -> None:
        project = await project_of(ctx, tx, request.organisation, request.project)
        if await tx.principals.get(project.id, made.name) is not None:
            raise errors.EntityAlreadyExists(Principal=made.name)
        await tx.principals.put(project.id, made)
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
    return _principal(made)


@operation(SetRole, rpc="TenantService.SetRole", action=administers("SetRole"))
async def set_role(ctx: Context, request: SetRole) -> PrincipalDescription:
    """Give a principal another role."""

    async def work(tx: Transaction) -> Principal:
        project = await project_of(ctx, tx, request.organisation, request.project)
        changed = attrs.evolve(await _principal_of(tx, project, request.principal), role=request.role)
        await tx.principals.put(project.id, changed)
        await _settle(tx, project)
        return changed

    return _principal(await ctx.metadata.commit(work))


@operation(ListPrincipals, rpc="TenantService.ListPrincipals", action=administers("ListPrincipals"))
async def list_principals(ctx: Context, request: ListPrincipals) -> ListPrincipalsResult:
    """A page of a project's principals."""
    limit, after = page_limit(request), request.continuation_token or ""

    async def work(tx: Transaction) -> Sequence[Principal]:
        return await tx.principals.page((await project_of(ctx, tx, request.organisation, request.project)).id, after, limit)

    shown, token = page(await ctx.metadata.read(work), request, lambda principal: principal.name)
    return ListPrincipalsResult(principals=tuple(map(_principal, shown)), continuation_token=token)


@operation(DeletePrincipal, rpc="TenantService.DeletePrincipal", action=administers("DeletePrincipal"))
async def delete_principal(ctx: Context, request: DeletePrincipal) -> Empty:
    """Delete a principal all of whose keys are revoked."""

    async def work(tx: Transaction) -> None:
        project = await project_of(ctx, tx, request.organisation, request.project)
        principal = await _principal_of(tx, project, request.principal)
        if await tx.keys.any_active(project.id, principal=principal.name):
            raise errors.DeleteConflict("The principal has access keys, which have to be revoked first.")
        await tx.principals.delete(project.id, principal.name)
        await _settle(tx, project)

    await ctx.metadata.commit(work)
    return Empty()


@operation(CreateAccessKey, rpc="TenantService.CreateAccessKey", action=administers("CreateAccessKey"))
async def create_access_key(ctx: Context, request: CreateAccessKey) -> CreateAccessKeyResult:
    """Make a key of a principal, and tell its secret this once."""
    if (request.access_key is None) != (request.secret_key is None):
        raise errors.InvalidArgument("An access key is given with its secret, or made with it.")
    if ctx.service.sealer is None:
        raise errors.AccessDenied("Access keys are not made here: their secrets need TLS, or the server's --insecure.")
    id_, secret = request.access_key or new_access_key(), request.secret_key or new_secret_key()
    sealed, now = ctx.service.sealer.seal(secret.encode(), secret_context(id_)), ctx.now()

    async def work(tx: Transaction) -> None:
        project = await project_of(ctx, tx, request.organisation, request.project)
        owner = await _principal_of(tx, project, request.principal)
        if await tx.keys.get(id_) is not None:
            raise errors.EntityAlreadyExists("An access key of this id already exists.", AccessKeyId=id_)
        await tx.keys.put(
            AccessKey(id=id_, secret=sealed, project=project, principal=owner.name, role=owner.role, active=True, created=now)
        )
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
    return CreateAccessKeyResult(access_key=id_, secret_key=secret, principal=request.principal, created=now)


@operation(ListAccessKeys, rpc="TenantService.ListAccessKeys", action=administers("ListAccessKeys"))
async def list_access_keys(ctx: Context, request: ListAccessKeys) -> ListAccessKeysResult:
    """A page of the keys of a project, or of one of its principals."""
    limit, after = page_limit(request), request.continuation_token or ""

    async def work(tx: Transaction) -> Sequence[AccessKey]:
        project = await project_of(ctx, tx, request.organisation, request.project)
        if request.principal is not None:
            await _principal_of(tx, project, request.principal)
        return await tx.keys.page(project.id, after, limit, principal=request.principal)

    shown, token = page(await ctx.metadata.read(work), request, lambda key: key.id)
    keys = tuple(
        AccessKeyDescription(access_key=key.id, principal=key.principal, role=key.role, active=key.active, created=key.created)
        for key in shown
    )
    return ListAccessKeysResult(access_keys=keys, continuation_token=token)


async def _key_of(ctx: Context, tx: Transaction, request: RevokeAccessKey | DeleteAccessKey) -> AccessKey:
    """The key that is to go, of the project that is named; of any, where an operator names none.

    Raises:
        NoSuchEntity: there is none.
    """
    project = await project_of(ctx, tx, request.organisation, request.project)
    anywhere = ctx.caller.operator and request.project is None
    found = await tx.keys.get(request.access_key)
    if found is None or (found.project.id != project.id and not anywhere):
        raise errors.NoSuchEntity("There is no such access key.", AccessKeyId=request.access_key)
    return found


@operation(RevokeAccessKey, rpc="TenantService.RevokeAccessKey", action=administers("RevokeAccessKey"))
async def revoke_access_key(ctx: Context, request: RevokeAccessKey) -> Empty:
    """End a key; that it is revoked already is no error."""

    async def work(tx: Transaction) -> None:
        key = await _key_of(ctx, tx, request)
        await tx.keys.put(attrs.evolve(key, active=False))
        await _settle(tx, key.project)

    await ctx.metadata.commit(work)
    return Empty()


@operation(DeleteAccessKey, rpc="TenantService.DeleteAccessKey", action=administers("DeleteAccessKey"))
async def delete_access_key(ctx: Context, request: DeleteAccessKey) -> Empty:
    """Remove a key without a trace."""

    async def work(tx: Transaction) -> None:
        key = await _key_of(ctx, tx, request)
        await tx.keys.delete(key.id)
        await _settle(tx, key.project)

    await ctx.metadata.commit(work)
    return Empty()
