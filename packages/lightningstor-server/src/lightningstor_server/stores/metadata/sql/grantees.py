"""Projects as access control lists name them, in SQL.

Law: as the package's.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor_server.stores.metadata.database import Connection
from lightningstor_server.stores.metadata.records import project_of
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_types.tenants import Project

_TENANTS = statements("tenants")


class SqlGrantees:
    """`Grantees` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def by_canonical_id(self, canonical_id: str) -> Project | None:
        """See `Grantees.by_canonical_id`."""
        row = await self._connection.row(_TENANTS["project_by_canonical_id"], (canonical_id,))
        return project_of(row) if row else None

    async def by_email(self, email: str) -> Sequence[Project]:
        """See `Grantees.by_email`."""
        return [project_of(row) for row in await self._connection.rows(_TENANTS["projects_by_email"], (email,))]
