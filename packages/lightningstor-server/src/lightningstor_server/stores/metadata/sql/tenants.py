"""Organisations, projects, principals and keys in SQL.

Law: as the package's. Secrets are sealed before they come here and are opened elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from lightningstor_server.stores.errors import Corrupted
from lightningstor_server.stores.metadata.database import Connection, Parameters, Row
from lightningstor_server.stores.metadata.records import project_of
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import AccessKey
from lightningstor_types.tenants import Project, Role

_TENANTS = statements("tenants")
_CONFIGURATION = statements("configuration")


def _key_of(row: Row) -> AccessKey:
    id_, secret, active, principal, role, *project = row
    return AccessKey(id=id_, secret=secret, active=bool(active), principal=principal, role=Role(role), project=project_of(tuple(project)))


class SqlTenants:
    """`Tenants` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def key(self, access_key: str) -> AccessKey | None:
        """See `Tenants.key`."""
        row = await self._connection.row(_TENANTS["key"], (access_key,))
        return _key_of(row) if row else None

    async def put_project(self, project: Project) -> Project:
        """See `Tenants.put_project`."""
        organisation = await self._id(_TENANTS["put_organisation"], (project.organisation,))
        values = (organisation, project.name, project.display_name, project.email, project.canonical_id)
        id_ = await self._id(_TENANTS["put_project"], values)
        for scope in (f"p{id_}", f"o{organisation}"):
            await self._connection.run(_CONFIGURATION["open_usage"], (scope,))
        return attrs.evolve(project, id=id_, organisation_id=organisation)

    async def project(self, organisation: str, name: str) -> Project | None:
        """See `Tenants.project`."""
        row = await self._connection.row(_TENANTS["project"], (organisation, name))
        return project_of(row) if row else None

    async def project_by_id(self, project: int) -> Project | None:
        """See `Tenants.project_by_id`."""
        row = await self._connection.row(_TENANTS["project_by_id"], (project,))
        return project_of(row) if row else None

    async def put_key(self, key: AccessKey) -> None:
        """See `Tenants.put_key`."""
        principal = await self._id(_TENANTS["put_principal"], (key.project.id, key.principal, key.role))
        await self._connection.run(_TENANTS["put_key"], (key.id, principal, key.secret, int(key.active)))

    async def keys(self, project: int) -> Sequence[AccessKey]:
        """See `Tenants.keys`."""
        return [_key_of(row) for row in await self._connection.rows(_TENANTS["keys"], (project,))]

    async def _id(self, statement: str, values: Parameters) -> int:
        row = await self._connection.row(statement, values)
        if row is None:
            raise Corrupted("an insert returned no id")
        return int(row[0])
