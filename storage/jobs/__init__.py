"""Durable jobs: rows in PostgreSQL, delivered by procrastinate, written under a fence.

:class:`JobStore` is for whoever owns jobs, :class:`JobWorker` for whoever does them.
"""

from storage.jobs.attempt import Attempt
from storage.jobs.cancellation import object_prefix
from storage.jobs.errors import (
    FenceLost,
    IdempotencyConflict,
    JobNotFound,
    NotRetryable,
    OwnerNotFound,
    QueueFull,
)
from storage.jobs.store import JobStore
from storage.jobs.types import (
    ENDED,
    RETRYABLE,
    Backlog,
    Job,
    JobEvent,
    JobFailure,
    JobPage,
    JobResult,
    JobState,
    JobStatistics,
    Total,
)
from storage.jobs.worker import Backoff, Handler, JobWorker

__all__ = [
    "ENDED",
    "RETRYABLE",
    "Attempt",
    "Backlog",
    "Backoff",
    "FenceLost",
    "Handler",
    "IdempotencyConflict",
    "Job",
    "JobEvent",
    "JobFailure",
    "JobNotFound",
    "JobPage",
    "JobResult",
    "JobState",
    "JobStatistics",
    "JobStore",
    "JobWorker",
    "NotRetryable",
    "OwnerNotFound",
    "QueueFull",
    "Total",
    "object_prefix",
]
