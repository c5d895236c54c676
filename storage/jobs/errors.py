"""Errors of the job queue."""

from uuid import UUID

from storage.jobs.types import JobState


class JobNotFound(Exception):
    """No such job, or it is another owner's."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"there is no job {job_id}")
        self.job_id = job_id


class OwnerNotFound(Exception):
    """The user that a job or a voice would belong to doesn't exist (any more)."""


class IdempotencyConflict(Exception):
    """The owner used the idempotency key before, for another submission."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the idempotency key {key!r} was used for a different job")
        self.key = key


class QueueFull(Exception):
    """The owner's limit of waiting jobs is reached.

    Attributes:
        retry_after: Estimated seconds until a place is free.
    """

    def __init__(self, queued: int, retry_after: int) -> None:
        super().__init__(f"{queued} jobs are waiting already; try again in about {retry_after} s")
        self.retry_after = retry_after


class NotRetryable(Exception):
    """Only a job that has failed or was cancelled can be tried again.

    Attributes:
        state: The job's state.
    """

    def __init__(self, state: JobState) -> None:
        super().__init__(f"a job that is {state} can't be tried again")
        self.state = state


class FenceLost(Exception):
    """The job is no longer this attempt's: cancelled, erased, or given to another worker. Stop working on it."""

    def __init__(self, job_id: UUID, fence: int) -> None:
        super().__init__(f"job {job_id} is no longer attempt {fence}'s")
