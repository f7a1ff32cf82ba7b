"""Organisations and projects in SQL.

Law: as the package's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from lightningstor_server.stores.errors import Corrupted
from lightningstor_server.stores.metadata.database import Connection, Parameters
from lightningstor_server.stores.metadata.records import from_stamp, project_of, to_stamp
from lightningstor_server.stores.metadata.sql.usage import scope_of
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import Level
from lightningstor_types.tenants import Organisation, Project

_TENANTS = statements("tenants")
_USAGE = statements("usage")


class SqlTenants:
    """`Tenants` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create_organisation(self, name: str, created: datetime) -> Organisation | None:
        """See `Tenants.create_organisation`."""
        row = await self._connection.row(_TENANTS["create_organisation"], (name, to_stamp(created)))
        if row is None:
            return None
        await self._connection.run(_USAGE["open"], (scope_of(Level.ORGANISATION, row[0]),))
        return Organisation(id=row[0], name=name, created=created)

    async def organisation(self, name: str) -> Organisation | None:
        """See `Tenants.organisation`."""
        row = await self._connection.row(_TENANTS["organisation"], (name,))
        return Organisation(id=row[0], name=row[1], created=from_stamp(row[2])) if row else None

    async def organisations(self, after: str, limit: int) -> Sequence[Organisation]:
        """See `Tenants.organisations`."""
        rows = await self._connection.rows(_TENANTS["organisations"], (after, limit))
        return [Organisation(id=id_, name=name, created=from_stamp(created)) for id_, name, created in rows]

    async def put_project(self, project: Project) -> Project:
        """See `Tenants.put_project`."""
        created = to_stamp(project.created)
        organisation = await self._id(_TENANTS["put_organisation"], (project.organisation, created))
        values = (organisation, project.name, project.display_name, project.email, project.canonical_id, created)
        id_ = await self._id(_TENANTS["put_project"], values)
        for scope in (scope_of(Level.PROJECT, id_), scope_of(Level.ORGANISATION, organisation)):
            await self._connection.run(_USAGE["open"], (scope,))
        return attrs.evolve(project, id=id_, organisation_id=organisation)

    async def project(self, organisation: str, name: str) -> Project | None:
        """See `Tenants.project`."""
        row = await self._connection.row(_TENANTS["project"], (organisation, name))
        return project_of(row) if row else None

    async def project_by_id(self, project: int) -> Project | None:
        """See `Tenants.project_by_id`."""
        row = await self._connection.row(_TENANTS["project_by_id"], (project,))
        return project_of(row) if row else None

    async def projects(self, organisation: int, after: str, limit: int) -> Sequence[Project]:
        """See `Tenants.projects`."""
        return [project_of(row) for row in await self._connection.rows(_TENANTS["projects"], (organisation, after, limit))]

    async def remove(self, tenant: Organisation | Project) -> None:
        """See `Tenants.remove`."""
        if isinstance(tenant, Project):
            for statement in (_TENANTS["delete_keys"], _TENANTS["delete_principals"], _TENANTS["delete_project"]):
                await self._connection.run(statement, (tenant.id,))
            scope = scope_of(Level.PROJECT, tenant.id)
        else:
            await self._connection.run(_TENANTS["delete_organisation"], (tenant.id,))
            scope = scope_of(Level.ORGANISATION, tenant.id)
        await self._connection.run(_USAGE["close"], (scope,))

    async def _id(self, statement: str, values: Parameters) -> int:
        row = await self._connection.row(statement, values)
        if row is None:
            raise Corrupted("an insert returned no id")
        return int(row[0])
