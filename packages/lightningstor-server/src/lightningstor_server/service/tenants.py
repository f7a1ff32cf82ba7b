"""Organisations and projects.

Law: what is changed here counts the store's generation on, so that every process sees it with its
next request. What holds something is not deleted, and the root project never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import attrs

from lightningstor_server.service.core import Context
from lightningstor_server.service.identity import ROOT_PROJECT_SETTING, new_canonical_id
from lightningstor_server.service.operation import Permission, Tenancy, operation
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types import errors
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.tenants import (
    LIST_MAX_TENANTS,
    CreateOrganisation,
    CreateProject,
    DeleteOrganisation,
    DeleteProject,
    ListOrganisations,
    ListOrganisationsResult,
    ListProjects,
    ListProjectsResult,
    OrganisationDescription,
    Paged,
    ProjectDescription,
    UpdateProject,
)
from lightningstor_types.tenants import Organisation, Project

T = TypeVar("T")


def administers(name: str) -> Callable[[object], Iterable[Permission]]:
    """The permission to administer what the request names: an organisation, a project, or neither."""

    def permissions(request: object) -> Iterable[Permission]:
        tenants = Tenancy(organisation=getattr(request, "organisation", None), project=getattr(request, "project", None))
        return (Permission(action=f"lightningstor:{name}", tenants=tenants),)

    return permissions


def page_limit(request: Paged) -> int:
    """How many entries are to be looked up: one more than fit the page, which tells whether there is another.

    Raises:
        InvalidArgument: the page is empty, or too long.
    """
    if not 1 <= request.max_items <= LIST_MAX_TENANTS:
        raise errors.InvalidArgument(f"max_items is 1 to {LIST_MAX_TENANTS}.", ArgumentName="max_items")
    return request.max_items + 1


def page(found: Sequence[T], request: Paged, name: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """What fits the page, and where the next one goes on."""
    shown = found[: request.max_items]
    return shown, name(shown[-1]) if len(found) > len(shown) else None


async def organisation_of(tx: Transaction, name: str) -> Organisation:
    """The organisation.

    Raises:
        NoSuchEntity: there is none.
    """
    found = await tx.tenants.organisation(name)
    if found is None:
        raise errors.NoSuchEntity(f"There is no organisation {name}.", Organisation=name)
    return found


async def project_of(ctx: Context, tx: Transaction, organisation: str | None, name: str | None) -> Project:
    """The project that a request names, by two names or, its caller's own, by none.

    Raises:
        NoSuchEntity: there is none.
        InvalidArgument: only half of it is named.
    """
    if organisation is None and name is None:
        organisation, name = ctx.caller.project.organisation, ctx.caller.project.name
    if organisation is None or name is None:
        raise errors.InvalidArgument("A project is named by its organisation and its name.")
    found = await tx.tenants.project(organisation, name)
    if found is None:
        raise errors.NoSuchEntity(f"There is no project {name} of an organisation {organisation}.", Organisation=organisation, Project=name)
    return found


async def is_root(tx: Transaction, project: Project) -> bool:
    """Whether its owners are the operators."""
    return await tx.configuration.get(ROOT_PROJECT_SETTING) == str(project.id)


def _organisation(found: Organisation) -> OrganisationDescription:
    return OrganisationDescription(organisation=found.name, created=found.created)


def _project(found: Project) -> ProjectDescription:
    return ProjectDescription(
        organisation=found.organisation,
        project=found.name,
        display_name=found.display_name,
        email=found.email,
        canonical_id=found.canonical_id,
        created=found.created,
    )


@operation(CreateOrganisation, rpc="TenantService.CreateOrganisation", action=administers("CreateOrganisation"))
async def create_organisation(ctx: Context, request: CreateOrganisation) -> OrganisationDescription:
    """Make an organisation."""

    async def work(tx: Transaction) -> Organisation:
        made = await tx.tenants.create_organisation(request.organisation, ctx.now())
        if made is None:
            raise errors.EntityAlreadyExists(Organisation=request.organisation)
        await tx.configuration.bump()
        return made

    return _organisation(await ctx.metadata.commit(work))


@operation(ListOrganisations, rpc="TenantService.ListOrganisations", action=administers("ListOrganisations"))
async def list_organisations(ctx: Context, request: ListOrganisations) -> ListOrganisationsResult:
    """A page of the organisations."""
    limit, after = page_limit(request), request.continuation_token or ""
    found = await ctx.metadata.read(lambda tx: tx.tenants.organisations(after, limit))
    shown, token = page(found, request, lambda organisation: organisation.name)
    return ListOrganisationsResult(organisations=tuple(map(_organisation, shown)), continuation_token=token)


@operation(DeleteOrganisation, rpc="TenantService.DeleteOrganisation", action=administers("DeleteOrganisation"))
async def delete_organisation(ctx: Context, request: DeleteOrganisation) -> Empty:
    """Delete an organisation that has no project."""

    async def work(tx: Transaction) -> None:
        organisation = await organisation_of(tx, request.organisation)
        if await tx.tenants.projects(organisation.id, "", 1):
            raise errors.DeleteConflict("The organisation has projects, which have to go first.")
        await tx.tenants.remove(organisation)
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
    return Empty()


@operation(CreateProject, rpc="TenantService.CreateProject", action=administers("CreateProject"))
async def create_project(ctx: Context, request: CreateProject) -> ProjectDescription:
    """Make a project, with a canonical id of its own."""
    canonical_id = new_canonical_id()

    async def work(tx: Transaction) -> Project:
        organisation = await organisation_of(tx, request.organisation)
        if await tx.tenants.project(organisation.name, request.project) is not None:
            raise errors.EntityAlreadyExists(Organisation=request.organisation, Project=request.project)
        await tx.configuration.bump()
        return await tx.tenants.put_project(
            Project(
                id=0,
                organisation_id=organisation.id,
                organisation=organisation.name,
                name=request.project,
                display_name=request.project if request.display_name is None else request.display_name,
                email=request.email or "",
                canonical_id=canonical_id,
                created=ctx.now(),
            )
        )

    return _project(await ctx.metadata.commit(work))


@operation(ListProjects, rpc="TenantService.ListProjects", action=administers("ListProjects"))
async def list_projects(ctx: Context, request: ListProjects) -> ListProjectsResult:
    """A page of an organisation's projects."""
    limit, after = page_limit(request), request.continuation_token or ""

    async def work(tx: Transaction) -> Sequence[Project]:
        return await tx.tenants.projects((await organisation_of(tx, request.organisation)).id, after, limit)

    shown, token = page(await ctx.metadata.read(work), request, lambda project: project.name)
    return ListProjectsResult(projects=tuple(map(_project, shown)), continuation_token=token)


@operation(UpdateProject, rpc="TenantService.UpdateProject", action=administers("UpdateProject"))
async def update_project(ctx: Context, request: UpdateProject) -> ProjectDescription:
    """Change what is given of a project."""
    changes = {name: value for name in ("display_name", "email") if (value := getattr(request, name)) is not None}

    async def work(tx: Transaction) -> Project:
        project = await project_of(ctx, tx, request.organisation, request.project)
        await tx.configuration.bump()
        return await tx.tenants.put_project(attrs.evolve(project, **changes))

    return _project(await ctx.metadata.commit(work))


@operation(DeleteProject, rpc="TenantService.DeleteProject", action=administers("DeleteProject"))
async def delete_project(ctx: Context, request: DeleteProject) -> Empty:
    """Delete a project that has no bucket, with its principals and keys."""

    async def work(tx: Transaction) -> None:
        project = await project_of(ctx, tx, request.organisation, request.project)
        if await is_root(tx, project):
            raise errors.DeleteConflict("The root project stays: its owners administer the deployment.")
        if await tx.buckets.page(project.id, "", "", 1):
            raise errors.DeleteConflict("The project has buckets, which have to go first.")
        await tx.tenants.remove(project)
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
    return Empty()
