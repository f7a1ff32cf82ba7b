"""What the metadata store promises of tenants: organisations and projects, and what they hold.

Law: as of `base`, of whose transactions these are views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from lightningstor_server.stores.metadata.values import Holding, Level
from lightningstor_types.buckets import Bucket, Usage
from lightningstor_types.tenants import Organisation, Project, Quota

Names = tuple[str, str | None]
"""Of an organisation and a project of it; of the organisation as a whole, with None."""


class Tenants(Protocol):
    """Organisations and projects."""

    async def create_organisation(self, name: str, created: datetime) -> Organisation | None:
        """Enter an organisation; None if the name is taken."""

    async def organisation(self, name: str) -> Organisation | None:
        """The organisation."""

    async def organisations(self, after: str, limit: int) -> Sequence[Organisation]:
        """Those behind `after`, by name."""

    async def put_project(self, project: Project) -> Project:
        """Create or update a project and its organisation, by their names; returns it with its ids."""

    async def project(self, organisation: str, name: str) -> Project | None:
        """The project."""

    async def project_by_id(self, project: int) -> Project | None:
        """The project."""

    async def projects(self, organisation: int, after: str, limit: int) -> Sequence[Project]:
        """The organisation's projects behind `after`, by name."""

    async def remove(self, tenant: Organisation | Project) -> None:
        """Remove an organisation, or a project with its principals and keys.

        Raises:
            StoreError: it still holds projects, or buckets.
        """


class Grantees(Protocol):
    """Projects as access control lists name them."""

    async def by_canonical_id(self, canonical_id: str) -> Project | None:
        """The project of a canonical id."""

    async def by_email(self, email: str) -> Sequence[Project]:
        """The projects with an e-mail address; of more than two, two."""


class UsageCounts(Protocol):
    """What buckets, projects and organisations hold, and the most that they may."""

    async def add(self, bucket: Bucket, delta: Usage) -> Sequence[Holding]:
        """Count for the bucket, its project and its organisation; returns what those hold then that have a quota.

        A bucket does not count itself: `delta.buckets` is its project's and its organisation's.
        """

    async def of(self, bucket: Bucket) -> tuple[Usage, Usage, Usage]:
        """The counts of the bucket, its project and its organisation."""

    async def held(self, level: Level, id_: int) -> Holding:
        """What one of them holds, and may hold."""

    async def limit(self, level: Level, id_: int, quota: Quota) -> None:
        """Set what one of them may hold; what it holds already stays."""

    async def largest(self, limit: int) -> Mapping[Names, Usage]:
        """What the projects hold and what the organisations do, of each the `limit` with the most bytes, in one statement."""
