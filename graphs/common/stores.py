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
    """Open stores of one process."""

    database: Database
    objects: ObjectStore
    jobs: JobStore


@asynccontextmanager
async def open_stores(settings: StorageSettings) -> AsyncIterator[Stores]:
    """Open the database's pool and the object store; closes them at the end of the block."""
    objects = build_objects(expanded(settings.objects))
    database = Database(database_url(), max_size=settings.database_connections)
    await database.open()
    try:
        jobs = JobStore(database, retention=timedelta(days=settings.retention_days))
        try:
            yield Stores(database, objects, jobs)
        finally:
            await jobs.close()
    finally:
        await database.close()
