"""A durable job queue in PostgreSQL.

:class:`JobStore` submits, reads and cancels jobs; :class:`JobWorker` claims and runs them.
"""

from storage.jobs.attempt import Attempt
from storage.jobs.errors import (
    FenceLost,
    IdempotencyConflict,
    JobNotFound,
    NotRetryable,
    OwnerNotFound,
    QueueFull,
)
from storage.jobs.store import JobStore
from storage.jobs.transitions import object_prefix
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
