"""Inputs and outputs of the administration of organisations and projects (gRPC).

Law: as the package's. An organisation and a project are named by their names. Where both are left
out it is the caller's own project that is meant.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import frozen

from lightningstor_types.names import TenantName
from lightningstor_types.tenants import TenantText

LIST_MAX_TENANTS: Final = 1000
"""Organisations, projects, principals or keys on a page; also the number where none is asked for."""


@frozen(kw_only=True)
class OnTenant:
    """An input that names a project, by two names or by none: the caller's own."""

    organisation: TenantName | None = None
    project: TenantName | None = None


@frozen(kw_only=True)
class Paged:
    """An input whose answer comes in pages."""

    continuation_token: TenantText | None = None
    """What the page before answered; opaque."""
    max_items: int = LIST_MAX_TENANTS


@frozen(kw_only=True)
class CreateOrganisation:
    """Make an organisation."""

    organisation: TenantName


@frozen(kw_only=True)
class OrganisationDescription:
    """An organisation."""

    organisation: str
    created: datetime | None = None


@frozen(kw_only=True)
class ListOrganisations(Paged):
    """The organisations, by name."""


@frozen(kw_only=True)
class ListOrganisationsResult:
    """A page of organisations."""

    organisations: tuple[OrganisationDescription, ...] = ()
    continuation_token: str | None = None


@frozen(kw_only=True)
class DeleteOrganisation:
    """Delete an organisation that has no project."""

    organisation: TenantName


@frozen(kw_only=True)
class CreateProject:
    """Make a project in an organisation that is there."""

    organisation: TenantName
    project: TenantName
    display_name: TenantText | None = None
    """How S3 shows it; its name where none is given."""
    email: TenantText | None = None


@frozen(kw_only=True)
class ProjectDescription:
    """A project."""

    organisation: str
    project: str
    display_name: str
    email: str
    canonical_id: str
    """What S3 names it by."""
    created: datetime | None = None


@frozen(kw_only=True)
class ListProjects(Paged):
    """The projects of an organisation, by name."""

    organisation: TenantName


@frozen(kw_only=True)
class ListProjectsResult:
    """A page of projects."""

    projects: tuple[ProjectDescription, ...] = ()
    continuation_token: str | None = None


@frozen(kw_only=True)
class UpdateProject:
    """Change what is given of a project; its names and its canonical id stay."""

    organisation: TenantName
    project: TenantName
    display_name: TenantText | None = None
    email: TenantText | None = None


@frozen(kw_only=True)
class DeleteProject:
    """Delete a project that has no bucket, with its principals and their keys."""

    organisation: TenantName
    project: TenantName
