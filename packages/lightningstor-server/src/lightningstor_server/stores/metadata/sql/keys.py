"""Principals and access keys in SQL.

Law: as the package's. Secrets are sealed before they come here and are opened elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor_server.stores.errors import Corrupted
from lightningstor_server.stores.metadata.database import Connection, Row
from lightningstor_server.stores.metadata.records import from_stamp, project_of, to_stamp
from lightningstor_server.stores.metadata.statements import statements
from lightningstor_server.stores.metadata.values import AccessKey
from lightningstor_types.tenants import Principal, Role

_KEYS = statements("keys")


def _key_of(row: Row) -> AccessKey:
    id_, secret, active, created, principal, role, *project = row
    return AccessKey(
        id=id_,
        secret=secret,
        active=bool(active),
        created=from_stamp(created),
        principal=principal,
        role=Role(role),
        project=project_of(tuple(project)),
    )


def _principal_of(row: Row) -> Principal:
    name, role, created = row
    return Principal(name=name, role=Role(role), created=from_stamp(created))


class SqlKeys:
    """`Keys` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, access_key: str) -> AccessKey | None:
        """See `Keys.get`."""
        row = await self._connection.row(_KEYS["key"], (access_key,))
        return _key_of(row) if row else None

    async def put(self, key: AccessKey) -> None:
        """See `Keys.put`."""
        created = to_stamp(key.created)
        row = await self._connection.row(_KEYS["put_principal"], (key.project.id, key.principal, key.role, created))
        if row is None:
            raise Corrupted("an insert returned no id")
        await self._connection.run(_KEYS["put"], (key.id, row[0], key.secret, int(key.active), created))

    async def page(self, project: int, after: str = "", limit: int = 1000, *, principal: str | None = None) -> Sequence[AccessKey]:
        """See `Keys.page`."""
        return [_key_of(row) for row in await self._connection.rows(_KEYS["page"], (project, principal, after, limit))]

    async def delete(self, access_key: str) -> None:
        """See `Keys.delete`."""
        await self._connection.run(_KEYS["delete"], (access_key,))

    async def any_active(self, project: int, *, principal: str | None = None, role: Role | None = None) -> bool:
        """See `Keys.any_active`."""
        row = await self._connection.row(_KEYS["active"], (project, principal, role))
        return row is not None and bool(row[0])


class SqlPrincipals:
    """`Principals` in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, project: int, name: str) -> Principal | None:
        """See `Principals.get`."""
        row = await self._connection.row(_KEYS["principal"], (project, name))
        return _principal_of(row) if row else None

    async def put(self, project: int, principal: Principal) -> None:
        """See `Principals.put`."""
        values = (project, principal.name, principal.role, to_stamp(principal.created))
        await self._connection.row(_KEYS["put_principal"], values)

    async def page(self, project: int, after: str, limit: int) -> Sequence[Principal]:
        """See `Principals.page`."""
        return [_principal_of(row) for row in await self._connection.rows(_KEYS["principals"], (project, after, limit))]

    async def delete(self, project: int, name: str) -> None:
        """See `Principals.delete`."""
        for statement in (_KEYS["delete_keys"], _KEYS["delete_principal"]):
            await self._connection.run(statement, (project, name))
