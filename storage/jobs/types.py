"""What a job is, seen from outside and by its handler."""

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
    """A durable job, as its row was when it was read.

    Attributes:
        id: The job's id.
        owner_id: The user it belongs to.
        kind: Names the handler, and the queue.
        state: Where it stands; ``succeeded``, ``failed`` and ``cancelled`` are ends, of which the owner may undo the
            last two.
        params: What the handler needs to know, JSON.
        input_key: The object that the handler reads, None when there is none.
        attempt: Attempts made since the owner last asked for it; one that a stopping worker gave back doesn't count.
        max_attempts: How many there may be.
        stage: What the handler said it is doing.
        progress: Between 0 and 1, by the handler's word.
        result: What the handler returned, JSON; only when succeeded.
        error: ``{"code", "message"}`` and perhaps ``"field"``; only when failed.
        labels: Names that the owner gave (for instance to speakers).
        correlation_id: Ties the job to the request that made it.
        idempotency_key: The owner's name for the submission, None when none was given.
        created_at: When it was accepted.
        started_at: When the latest attempt began.
        finished_at: When it reached its final state.
        expires_at: When it may be removed, with everything that belongs to it.
        cost: Its size (for instance seconds of audio), for judging a backlog.
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
        """Whether the state is final."""
        return self.state in ENDED


@dataclass(frozen=True)
class JobEvent:
    """One entry of a job's history.

    Attributes:
        id: 1, 2, 3, ... within the job, without gaps and in order of commit.
        type: ``queued``, ``started``, ``progress``, ``retrying``, ``succeeded``, ``failed``, ``cancelled``, or the
            handler's own.
        data: What belongs to it, JSON.
        at: When it was written.
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
    """What a handler returns: a small JSON result (big things are objects) and seconds per stage."""

    result: JSONObject
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class JobFailure:
    """How a handler's exception is told to the owner.

    Attributes:
        code: A stable name of the problem, such as ``no_audio``.
        message: A sentence for people; no secrets, no stack trace.
        retryable: Whether another attempt may end differently.
        field: The request's field that is to blame, None when none is.
    """

    code: str
    message: str
    retryable: bool
    field: str | None = None

    def as_json(self) -> JSONObject:
        """The ``error`` of a failed job."""
        error = {"code": self.code, "message": self.message}
        return error if self.field is None else {**error, "field": self.field}


@dataclass(frozen=True)
class Total:
    """A sum that only grows."""

    seconds: float
    count: int


@dataclass(frozen=True)
class JobStatistics:
    """The queue at a glance.

    Attributes:
        counts: Rows now, by kind and state.
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
        queued: Jobs that wait.
        running: Jobs in the hands of workers.
        cost: What is left to do of both; the done part of a running job does not count.
    """

    queued: int
    running: int
    cost: float
