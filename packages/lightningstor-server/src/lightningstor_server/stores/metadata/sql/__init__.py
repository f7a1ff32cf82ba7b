"""The one implementation of the metadata store, over a `Database`.

Law: no rule of S3 stands here. A class here answers one Protocol of `base` with named statements.
"""

from __future__ import annotations

from lightningstor_server.stores.metadata.base import (
    Bodies,
    Buckets,
    Chunks,
    Configuration,
    History,
    Keys,
    Principals,
    Uploads,
    Versions,
    Work,
)
from lightningstor_server.stores.metadata.database import Connection, Database, T
from lightningstor_server.stores.metadata.sql.bodies import SqlBodies, SqlChunks
from lightningstor_server.stores.metadata.sql.buckets import SqlBuckets, SqlConfiguration
from lightningstor_server.stores.metadata.sql.grantees import SqlGrantees
from lightningstor_server.stores.metadata.sql.history import SqlHistory
from lightningstor_server.stores.metadata.sql.keys import SqlKeys, SqlPrincipals
from lightningstor_server.stores.metadata.sql.tenants import SqlTenants
from lightningstor_server.stores.metadata.sql.uploads import SqlUploads
from lightningstor_server.stores.metadata.sql.usage import SqlUsageCounts
from lightningstor_server.stores.metadata.sql.versions import SqlVersions
from lightningstor_server.stores.metadata.tenancy import Grantees, Tenants, UsageCounts


class SqlTransaction:
    """Everything, as one transaction sees it."""

    def __init__(self, connection: Connection) -> None:
        self.buckets: Buckets = SqlBuckets(connection)
        self.versions: Versions = SqlVersions(connection)
        self.history: History = SqlHistory(connection)
        self.bodies: Bodies = SqlBodies(connection)
        self.chunks: Chunks = SqlChunks(connection)
        self.uploads: Uploads = SqlUploads(connection)
        self.tenants: Tenants = SqlTenants(connection)
        self.grantees: Grantees = SqlGrantees(connection)
        self.principals: Principals = SqlPrincipals(connection)
        self.keys: Keys = SqlKeys(connection)
        self.usage: UsageCounts = SqlUsageCounts(connection)
        self.configuration: Configuration = SqlConfiguration(connection)


class SqlMetadata:
    """`Metadata` over any engine."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._transactions: dict[int, SqlTransaction] = {}

    def _transaction(self, connection: Connection) -> SqlTransaction:
        """The view of a connection; connections are few and live as long as the store."""
        found = self._transactions.get(id(connection))
        if found is None:
            found = self._transactions[id(connection)] = SqlTransaction(connection)
        return found

    async def read(self, work: Work[T]) -> T:
        """See `Metadata.read`."""
        return await self._database.read(lambda connection: work(self._transaction(connection)))

    async def look(self, work: Work[T]) -> T:
        """See `Metadata.look`."""
        return await self._database.look(lambda connection: work(self._transaction(connection)))

    async def commit(self, work: Work[T]) -> T:
        """See `Metadata.commit`."""
        return await self._database.commit(lambda connection: work(self._transaction(connection)))

    async def close(self) -> None:
        """See `Metadata.close`."""
        await self._database.close()
