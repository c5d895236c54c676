"""A job worker in a process of its own, for tests to kill.

Usage: python worker_process.py DATABASE_URL HEARTBEAT STALLED_AFTER
"""

import asyncio
import os
import signal
import sys

from storage.database import Database
from storage.jobs import Attempt, Backoff, JobFailure, JobResult, JobWorker


async def work(attempt: Attempt) -> JobResult:
    """Does what the job's params say: linger on given attempts, kill this process, or end at once."""
    if attempt.job.attempt in attempt.job.params.get("die_on", ()):
        os.kill(os.getpid(), signal.SIGKILL)
    if attempt.job.attempt in attempt.job.params.get("linger_on", ()):
        await attempt.event("lingering", {"pid": os.getpid()})
        await asyncio.Event().wait()
    return JobResult({"pid": os.getpid(), "attempt": attempt.job.attempt})


def classify(error: BaseException) -> JobFailure:
    return JobFailure("fault", repr(error), retryable=True)


async def main(url: str, heartbeat: float, stalled_after: float) -> None:
    async with Database(url) as database:
        worker = JobWorker(
            database,
            {"demo": work},
            classify=classify,
            heartbeat=heartbeat,
            stalled_after=stalled_after,
            poll_interval=0.1,
            backoff=Backoff(base=0.0),
            throttle=0.01,
        )
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: stopping.append(asyncio.ensure_future(worker.stop(grace=0.0)))
        )
        stopping: list[asyncio.Future[None]] = []
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
