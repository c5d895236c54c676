"""The declaration of a kind of job: its requests, its check, its handler and its results.

A kind is declared once, as a ``JobKind`` in ``kind.py`` of its graph's folder, and listed in ``graphs/kinds.py``. Its
POST route, its handler in the workers, its artifacts and its place in lists follow from that.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from graphs.common.config import ApiConfig, GraphsConfig
from graphs.common.recordings import SharedRecording
from graphs.common.roles import Roles
from graphs.common.voices import Speakers
from storage.database import Database
from storage.jobs import Handler, Job
from storage.objects import ObjectStore

ReportT = TypeVar("ReportT", bound=BaseModel)

Options = dict[str, Any]
"""Options of a job as JSON, without those that were left at their defaults."""

JSON = "application/json"


@dataclass(frozen=True)
class JobRequest:
    """A request for a job that was sent as JSON.

    Attributes:
        options: What was asked for.
        object_key: Key of the recording in the object store; None for a job without one.
        expected_seconds: Approximate length of what is made, for a job without a recording.
    """

    options: Options
    object_key: str | None
    expected_seconds: float = 0.0


@dataclass(frozen=True)
class CheckContext:
    """Resources of the check of a request.

    Attributes:
        owner_id: Owner of the job.
        config: Settings of the HTTP API.
        database: Open database.
        objects: Object store.
        roles: Roles.
        speakers: Finds a voice by its name.
    """

    owner_id: int
    config: ApiConfig
    database: Database
    objects: ObjectStore
    roles: Roles
    speakers: Speakers


@dataclass(frozen=True)
class WorkerContext:
    """Resources of the handlers of jobs, made once per worker.

    Attributes:
        config: Settings of the application.
        database: Database, which is open while handlers run.
        objects: Object store.
        roles: Roles.
        speakers: Finds a voice by its name.
        share: Puts samples where all processes of a machine can read them without a copy each.
        put: Puts a file where the replicas of a role find it, and returns what they are given.
    """

    config: GraphsConfig
    database: Database
    objects: ObjectStore
    roles: Roles
    speakers: Speakers
    share: Callable[[NDArray[np.float32]], SharedRecording]
    put: Callable[[bytes], Any]


@dataclass(frozen=True)
class Artifact(Generic[ReportT]):
    """A text that is rendered from a job's report when it is asked for.

    Attributes:
        media_type: Its Content-Type.
        render: Makes the text of the report, with the owner's names for the speakers, and the job.
    """

    media_type: str
    render: Callable[[ReportT, Job], str]


@dataclass(frozen=True)
class MediaArtifact:
    """Audio or a film that a job has made.

    Attributes:
        name: File name.
        key_field: Field of the job's result that holds the object's key; it ends in ``_object``.
    """

    name: str
    key_field: str


def as_json(report: BaseModel, _job: Job) -> str:
    """Render a report as JSON."""
    return report.model_dump_json()


def request_of_object(body: BaseModel, _config: ApiConfig) -> JobRequest:
    """Return the request of a body that names a stored recording in its field ``object_key``."""
    options = body.model_dump(exclude_defaults=True)
    return JobRequest(options, options.pop("object_key"))


def unlabelled(report: ReportT, _labels: dict[str, str]) -> ReportT:
    """Return a report that names no speakers."""
    return report


async def accept(_context: CheckContext, _options: Options) -> None:
    """Accept all options."""


@dataclass(frozen=True)
class JobKind(Generic[ReportT]):
    """A kind of job.

    The handler stores the report as JSON in an object and names its key in the field ``artifact`` of the job's result.
    Fields of the result that end in ``_object`` hold keys of objects too; none of them is told to the owner.

    Attributes:
        name: Name in the database, in ``POST /v1/jobs/{name}`` and in metrics. Existing jobs have it: it never changes.
        operation: Name of the POST operation, from which OpenAPI clients make their function's.
        summary: Title of the POST operation.
        description: Description of the POST operation, in Markdown.
        form: Fields of the multipart form beside the file.
        body: JSON body that may be sent in place of the form.
        report: Model of the report.
        artifacts: Renderings of the report, by file name.
        handler: Makes the handler of such jobs, once per worker; an error stops the worker's deployment.
        request: Turns a JSON body into a request. Raises InputError for what can't be done.
        check: Refuses options that can't be met, with InputError or AvatarNotFound, before the job is accepted.
        media: Returns the audio or film that a job with these options makes, if any.
        max_seconds: Returns the longest recording in seconds, where it is less than the service's limit.
        has_waveform: True where the handler stores the recording's waveform (``waveform_object`` in the result).
        rename: Returns the report with speakers renamed.
    """

    name: str
    operation: str
    summary: str
    description: str
    form: type[BaseModel]
    body: type[BaseModel]
    report: type[ReportT]
    artifacts: Mapping[str, Artifact[ReportT]]
    handler: Callable[[WorkerContext], Handler]
    request: Callable[[BaseModel, ApiConfig], JobRequest] = request_of_object
    check: Callable[[CheckContext, Options], Awaitable[None]] = accept
    media: Callable[[Options], MediaArtifact | None] = lambda _options: None
    max_seconds: Callable[[ApiConfig], float | None] = lambda _config: None
    has_waveform: bool = False
    rename: Callable[[ReportT, dict[str, str]], ReportT] = unlabelled


JobKinds = Mapping[str, JobKind[Any]]
"""Kinds of job by name."""


def by_name(*kinds: JobKind[Any]) -> JobKinds:
    """Return the kinds by name.

    Raises:
        ValueError: Two of them have the same name.
    """
    named = {kind.name: kind for kind in kinds}
    if len(named) < len(kinds):
        raise ValueError("two kinds of job have the same name")
    return named


def handlers_of(kinds: JobKinds, context: WorkerContext) -> dict[str, Handler]:
    """Return the handler of every kind by its name."""
    return {name: kind.handler(context) for name, kind in kinds.items()}
