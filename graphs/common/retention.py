"""Retention: erases what has outlived it, in every worker, harmless when several do it at once."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from graphs.common.recordings import JOBS, UPLOADS, erase_objects
from graphs.common.stores import Stores
from storage.avatar_orphans import ORPHANED_AFTER, erase_orphans
from storage.avatars import Avatars
from storage.media_links import MediaLinks
from storage.sessions import Sessions

PERIOD_S = 600.0
_log = structlog.get_logger()


async def run_retention(stores: Stores, now: Callable[[], datetime], retention_days: float) -> None:
    """Erase expired sessions, links, jobs with their objects, and objects that no job owns any more, until cancelled.

    An object is as old as its last write, so what a job has written is never older than the retention: jobs are
    erased first, and objects only after twice that time.
    """
    while True:
        try:
            await Sessions(stores.database, clock=now).expire()
            await MediaLinks(stores.database, clock=now).expire()
            keys = await stores.jobs.expire(now())
            erased = await asyncio.to_thread(erase_objects, stores.objects, keys)
            orphaned = now() - timedelta(days=2 * retention_days)
            # A job that was tried again outlives the time in which its recording is young.
            needed = await stores.jobs.inputs()
            for prefix in (UPLOADS, JOBS):
                await asyncio.to_thread(stores.objects.expire, f"{prefix}/", older_than=orphaned, keep=needed)
            await erase_orphans(Avatars(stores.database), stores.objects, older_than=now() - ORPHANED_AFTER)
            if keys:
                _log.info("cleanup complete", objects=erased)
        except Exception:
            # An outage of either store; the next round does what this one could not.
            _log.warning("cleanup failed", exc_info=True)
        await asyncio.sleep(PERIOD_S)
