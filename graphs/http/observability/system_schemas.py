"""The body of GET /v1/system."""

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReplicaCounts(_Part):
    """Replicas of a deployment, as Serve's controller counts them now."""

    running: int = Field(description="They take requests.")
    starting: int = Field(description="They are being started, updated or recovered.")
    stopping: int = Field(description="They end what they have begun, and then end.")
    target: int | None = Field(description="How many there shall be; null until loads were measured.")


class DeploymentState(_Part):
    """A deployment: its health, and how busy it is."""

    name: str
    status: str = Field(description="healthy, updating, upscaling, downscaling, unhealthy or deploy_failed.")
    message: str | None = Field(description="A sentence on any status but healthy.")
    replicas: ReplicaCounts
    ongoing_requests: int | None = Field(description="Requests that its replicas work on; an open stream is one.")
    queued_requests: int | None = Field(description="Requests that wait until a replica has room for them.")
    requests_per_second: float | None = Field(
        description="Requests done with, in the mean of the last minute or so; null before the second measurement."
    )


class ApplicationState(_Part):
    """A Serve application."""

    name: str
    status: str = Field(
        description="running, deploying, deploy_failed, unhealthy, deleting, not_started or not_deployed."
    )
    deployments: list[DeploymentState]


class QueueState(_Part):
    """The jobs of one kind, of all owners."""

    kind: str
    supported: bool = Field(description="False for a kind that this version of the service lacks: its jobs wait.")
    queued: int = Field(description="They wait.")
    running: int
    succeeded: int = Field(description="They have ended so, and are kept.")
    failed: int
    cancelled: int
    queued_audio_seconds: float = Field(description="Audio in waiting jobs whose length is known.")
    running_audio_seconds: float
    oldest_queued_seconds: float | None = Field(description="Age of the oldest waiting job; null when none waits.")


class SystemBody(_Part):
    """Health, load, queue and versions."""

    version: str
    versions: dict[str, str] = Field(description="What the ingress runs on; other nodes may have other packages.")
    applications: list[ApplicationState]
    load_age_seconds: float | None = Field(
        description="Age of the measurement behind the requests' numbers and the replicas' target; null when there is "
        "none yet. What it measured is up to 10 s older: so often every process exports its numbers."
    )
    queue: list[QueueState] = Field(description="A row for every kind that there are jobs of.")
    dashboard_url: str | None = Field(description="Ray's dashboard, if the settings name it; it wants its own token.")
