"""Spoof jobs that end as a test wants, without engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from graphs.common.failures import classify
from graphs.common.recordings import result_key
from graphs.spoof.job import ARTIFACT
from graphs.spoof.kind import SPOOF
from graphs.spoof.report import SpoofBands, SpoofChunk, SpoofReport
from storage.database import Database
from storage.jobs import Attempt, Backoff, JobResult, JobStore, JobWorker
from storage.objects import DirectorySettings, build

Handler = Callable[[Attempt], Awaitable[JobResult]]


def report(*scores: float | None, duration: float | None = None) -> SpoofReport:
    """Return a report on chunks of 4 s with these scores."""
    end = duration or 4.0 * len(scores)
    chunks = tuple(
        SpoofChunk(start=start, end=min(start + 4, end), p_spoof=score, speech_seconds=0 if score is None else 3)
        for start, score in zip(count(0.0, 4.0), scores, strict=False)
    )
    heard = [score for score in scores if score is not None]
    return SpoofReport(
        duration=end,
        speech_seconds=3.0 * len(heard),
        verdict="inconclusive" if heard else "no_speech",
        p_spoof=round(sum(heard) / len(heard), 4) if heard else None,
        bands=SpoofBands(bona_fide_below=0.3, spoof_from=0.7),
        engine="compact",
        chunks=chunks,
        speakers=None,
        timings={},
    )


def answering(folder: Path, answer: SpoofReport | Exception) -> Handler:
    """Return a handler that stores this report, or fails so."""
    objects = build(DirectorySettings(kind="directory", path=folder))

    async def handle(attempt: Attempt) -> JobResult:
        if isinstance(answer, Exception):
            raise answer
        key = result_key(attempt.job.id, attempt.fence, ARTIFACT)
        await asyncio.to_thread(objects.put, key, answer.model_dump_json().encode())
        return JobResult({"artifact": key, "verdict": answer.verdict})

    return handle


@asynccontextmanager
async def working(database: Database, handler: Handler) -> AsyncIterator[None]:
    """Run a worker for spoof jobs."""
    worker = JobWorker(
        database, {SPOOF.name: handler}, classify=classify, poll_interval=0.05, throttle=0.01, backoff=Backoff(base=0.0)
    )
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.stop(0.0)
        await task


def finish(database_url: str, handler: Handler) -> None:
    """Work on the waiting spoof jobs until all have ended."""

    async def work() -> None:
        async with Database(database_url, max_size=8) as database:
            store = JobStore(database)
            async with database.connection() as connection:
                cursor = await connection.execute("SELECT id, owner_id FROM jobs WHERE kind = %s", [SPOOF.name])
                waiting = await cursor.fetchall()
            async with working(database, handler):
                for row in waiting:
                    async for _event in store.follow(row["id"], row["owner_id"]):
                        pass
            await store.close()

    asyncio.run(work())
