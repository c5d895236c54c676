"""The stores that the ingress and the workers share, opened together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from graphs.common.config import StorageSettings, database_url, expanded
from storage.database import Database
from storage.jobs import JobStore
from storage.objects import ObjectStore
from storage.objects import build as build_objects


@dataclass(frozen=True)
class Stores:
    """Stores of one process."""

    database: Database
    objects: ObjectStore
    jobs: JobStore

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open the database's pool for the length of the block, once."""
        await self.database.open()
        try:
            try:
                yield
            finally:
                await self.jobs.close()
        finally:
            await self.database.close()


def build_stores(settings: StorageSettings) -> Stores:
    """Return the object store, and a database's pool that is not open yet; needs a running event loop."""
    database = Database(database_url(), max_size=settings.database_connections)
    return Stores(
        database,
        build_objects(expanded(settings.objects)),
        JobStore(database, retention=timedelta(days=settings.retention_days)),
    )


@asynccontextmanager
async def open_stores(settings: StorageSettings) -> AsyncIterator[Stores]:
    """Open the database's pool and the object store; close them at the end of the block."""
    stores = build_stores(settings)
    async with stores.opened():
        yield stores
