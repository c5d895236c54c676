"""Bodies of the project's own routes."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Label = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^<>\x00-\x1f]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UploadRequest(_Body):
    """A wish to upload past the service, straight to the object store."""

    content_type: Annotated[str, StringConstraints(pattern=r"^(audio|video|application)/[a-z0-9.+-]{1,64}$")] = (
        "application/octet-stream"
    )


class UploadTicket(_Body):
    """Presigned upload: send the body to ``url`` with ``method`` and these headers, then name the key in a job."""

    object_key: str
    url: str
    method: str
    headers: dict[str, str]
    max_bytes: int
    expires_at: datetime


class ProblemBody(_Body):
    """Error of a failed job."""

    code: str
    message: str
    field: str | None = None


class JobBody(_Body):
    """A job as its owner sees it."""

    id: UUID
    kind: str
    supported: bool = Field(
        description="False for a kind of job that this version of the service lacks, as after a rollback. Such a job "
        "waits for a version that has it; it can be cancelled and erased."
    )
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    stage: str | None
    progress: float = Field(description="From 0 to 1.")
    queue_position: int | None = Field(description="1 for the job that is taken next; null once it was taken.")
    attempt: int
    params: dict[str, Any]
    filename: str | None
    result: dict[str, Any] | None
    artifacts: dict[str, str] = Field(description="Where the results are, by format.")
    labels: dict[str, str] = Field(description="Names given to speakers.")
    error: ProblemBody | None
    correlation_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


class JobPageBody(_Body):
    """A page of jobs, newest first."""

    jobs: list[JobBody]
    next_cursor: str | None


class LabelsBody(_Body):
    """Names for the speakers of a transcript."""

    labels: dict[str, Label]
