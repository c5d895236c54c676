"""Jobs, their events, results and failures, and the statistics of the queue."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ENDED: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})

RETRYABLE: frozenset[JobState] = frozenset({"failed", "cancelled"})

JSONObject = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A durable job, as read from its row.

    Attributes:
        id: The job's id.
        owner_id: The user it belongs to.
        kind: Names the handler, and the queue.
        state: ``succeeded``, ``failed`` and ``cancelled`` are final, but the owner may retry after the last two.
        params: The handler's parameters, JSON.
        input_key: The object that the handler reads, None when there is none.
        attempt: Attempts made since the owner last asked for it; one that a stopping worker gave back doesn't count.
        max_attempts: The limit of attempts.
        stage: The stage last reported by the handler.
        progress: Between 0 and 1, as last reported by the handler.
        result: The handler's result, JSON; only when succeeded.
        error: ``{"code", "message"}`` and perhaps ``"field"``; only when failed.
        labels: Names that the owner gave (for instance to speakers).
        correlation_id: Ties the job to the request that made it.
        idempotency_key: The owner's name for the submission, None when none was given.
        created_at: Time of acceptance.
        started_at: Start of the latest attempt.
        finished_at: Time of reaching the final state.
        expires_at: Time of deletion, with everything that belongs to it.
        cost: Its size (for instance seconds of audio), for measuring a backlog.
        time_limit: Seconds that an attempt may take.
        timings: Seconds per stage of the attempt that succeeded.
    """

    id: UUID
    owner_id: int
    kind: str
    state: JobState
    params: JSONObject
    input_key: str | None
    attempt: int
    max_attempts: int
    stage: str | None
    progress: float
    result: JSONObject | None
    error: JSONObject | None
    labels: dict[str, str]
    correlation_id: str
    idempotency_key: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    cost: float
    time_limit: float
    timings: dict[str, float] | None = None

    @property
    def ended(self) -> bool:
        """True when the state is final."""
        return self.state in ENDED


@dataclass(frozen=True)
class JobEvent:
    """One entry of a job's history.

    Attributes:
        id: 1, 2, 3, ... within the job, without gaps and in order of commit.
        type: ``queued``, ``started``, ``progress``, ``retrying``, ``succeeded``, ``failed``, ``cancelled``, or the
            handler's own.
        data: Details, JSON.
        at: Time of writing.
    """

    id: int
    type: str
    data: JSONObject
    at: datetime


@dataclass(frozen=True)
class JobPage:
    """A part of a list of jobs, newest first; ``next_cursor`` is None at the end."""

    jobs: list[Job]
    next_cursor: str | None


@dataclass(frozen=True)
class JobResult:
    """The return value of a handler: a small JSON result (big things are objects) and seconds per stage."""

    result: JSONObject
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class JobFailure:
    """The owner's description of a handler's exception.

    Attributes:
        code: A stable identifier of the problem, such as ``no_audio``.
        message: A sentence for people; no secrets, no stack trace.
        retryable: Whether another attempt may end differently.
        field: The request's field that caused it, None when none did.
    """

    code: str
    message: str
    retryable: bool
    field: str | None = None

    def as_json(self) -> JSONObject:
        """Return the ``error`` of a failed job."""
        error = {"code": self.code, "message": self.message}
        return error if self.field is None else {**error, "field": self.field}


@dataclass(frozen=True)
class Total:
    """A sum that only grows."""

    seconds: float
    count: int


@dataclass(frozen=True)
class JobStatistics:
    """Counts, costs and totals of the queue.

    Attributes:
        counts: Present jobs, by kind and state.
        queued_cost: Cost of the queued jobs, by kind.
        running_cost: Cost of the running jobs, by kind.
        oldest_queued_seconds: Age of the oldest queued job, by kind.
        ended: Jobs ever ended and the seconds their last attempts took, by kind and final state.
        stages: Stages ever completed and the seconds they took, by kind and stage.
    """

    counts: dict[tuple[str, JobState], int]
    queued_cost: dict[str, float]
    running_cost: dict[str, float]
    oldest_queued_seconds: dict[str, float]
    ended: dict[tuple[str, JobState], Total]
    stages: dict[tuple[str, str], Total]


@dataclass(frozen=True)
class Backlog:
    """The work that is not done yet, of all owners.

    Attributes:
        queued: Waiting jobs.
        running: Running jobs.
        cost: The remaining cost of both; the done part of a running job does not count.
    """

    queued: int
    running: int
    cost: float
