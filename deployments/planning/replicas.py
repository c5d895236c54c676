"""Deployments of a Serve configuration: their scale, their resources and their engines."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from ray.serve._private.build_app import build_app
from ray.serve.config import AutoscalingConfig
from ray.serve.deployment import Deployment

from deployments.planning.gpu_memory_needs import Work
from deployments.serve_config import arguments_of, imported
from deployments.strict import ConfigError, unknown_key


@dataclass(frozen=True)
class PlannedDeployment:
    """One deployment of the configuration.

    Attributes:
        application: Name of its application.
        name: Its name.
        least: Replicas at the least scale.
        most: Replicas at the greatest scale.
        gpus: GPUs of one replica, or the part of one.
        cpus: CPUs of one replica.
        memory: Bytes of host memory that one replica reserves; 0 where it reserves none.
        surge_percent: Replicas that a rolling update may add, in per cent of the target.
        max_ongoing_requests: Requests that one replica works on at once.
        engine: Settings of its engine; None for a deployment without one.
        work: What the engine is given at once.
        arguments: Of its application.
        policy: Arguments of its autoscaling policy.
        grace: Seconds that a replica is granted when it is stopped.
    """

    application: str
    name: str
    least: int
    most: int
    gpus: float
    cpus: float
    memory: float = 0.0
    surge_percent: int = 0
    max_ongoing_requests: int = 5
    engine: Any = None
    work: Work = field(default_factory=Work)
    arguments: BaseModel | None = None
    policy: Mapping[str, Any] | None = None
    grace: float = 20.0

    def surge(self, replicas: int) -> int:
        """Return how many replicas a rolling update may add to so many, as Serve rounds."""
        return (self.surge_percent * replicas + 99) // 100


def planned_deployments(config: Mapping[str, Any]) -> list[PlannedDeployment]:
    """Return the deployments of a checked configuration, in its order.

    The applications are built as Serve builds them, so that what the file leaves out is as the code says. Nothing of
    Ray is started.

    Raises:
        ConfigError: A deployment is named that its application does not have, or an option can't be used.
    """
    return [planned for application in config.get("applications") or [] for planned in _planned(application)]


def _planned(application: Mapping[str, Any]) -> Iterator[PlannedDeployment]:
    name = application.get("name", "default")
    arguments = arguments_of(application)
    builder = imported(str(application["import_path"]), "import_path")
    built = build_app(builder(arguments) if arguments is not None else builder, name=name)
    given = {entry["name"]: entry for entry in application.get("deployments") or []}
    names = {deployment.name for deployment in built.deployments}
    if unknown := [unknown_key(f"application {name!r}", key, names) for key in given if key not in names]:
        raise ConfigError("\n".join(sentence.replace("unknown key", "unknown deployment") for sentence in unknown))
    # Those of the file come in its order, which is the reader's.
    order = {key: place for place, key in enumerate(given)}
    for deployment in sorted(built.deployments, key=lambda deployment: order.get(deployment.name, len(order))):
        try:
            yield _of(name, deployment, given.get(deployment.name, {}), arguments)
        except ValidationError as error:
            faults = "; ".join(str(fault["msg"]) for fault in error.errors())
            raise ConfigError(f"application {name!r}, deployment {deployment.name!r}: {faults}") from error


def _of(
    application: str, deployment: Deployment, given: Mapping[str, Any], arguments: BaseModel | None
) -> PlannedDeployment:
    coded = deployment._deployment_config
    options = given.get("ray_actor_options") or deployment.ray_actor_options or {}
    least, most, policy = _scale(given, deployment)
    role = getattr(arguments, deployment.name, None)
    if isinstance(getattr(role, "engine", None), BaseModel):
        role = _adjusted(role, given.get("user_config") or {})
    engine = getattr(role, "engine", None)
    return PlannedDeployment(
        application=application,
        name=deployment.name,
        least=least,
        most=most,
        gpus=float(options.get("num_gpus") or 0),
        # Serve gives a replica one CPU unless it is told otherwise.
        cpus=float(options.get("num_cpus", 1)),
        memory=float(options.get("memory") or 0),
        surge_percent=given.get("max_surge_percent", coded.max_surge_percent),
        max_ongoing_requests=given.get("max_ongoing_requests", coded.max_ongoing_requests),
        engine=engine,
        work=_work(role) if engine is not None else Work(),
        arguments=arguments,
        policy=policy,
        grace=given.get("graceful_shutdown_timeout_s", coded.graceful_shutdown_timeout_s),
    )


def _scale(given: Mapping[str, Any], deployment: Deployment) -> tuple[int, int, Mapping[str, Any] | None]:
    """Return the least and the greatest number of replicas, and the arguments of the policy in between."""
    autoscaling: Any = given.get("autoscaling_config")
    replicas = given.get("num_replicas")
    if replicas == "auto":
        # What Serve takes for it, below what the file says.
        auto = AutoscalingConfig.default().model_dump(exclude_unset=True)  # type: ignore[no-untyped-call]
        autoscaling = {**auto, **(autoscaling or {})}
    elif replicas is None and autoscaling is None:
        autoscaling = deployment._deployment_config.autoscaling_config
        replicas = deployment._deployment_config.num_replicas
    if autoscaling is None:
        return int(replicas or 1), int(replicas or 1), None
    if not isinstance(autoscaling, AutoscalingConfig):
        autoscaling = AutoscalingConfig.model_validate(autoscaling)
    return autoscaling.min_replicas, autoscaling.max_replicas, autoscaling.policy.policy_kwargs or None


def _adjusted(role: Any, user_config: Mapping[str, Any]) -> Any:
    """Return a role's settings as its running replicas have them, which ``deployments.user_config`` has checked."""
    engine = role.engine
    own = {name: value for name, value in user_config.items() if name in type(engine).model_fields}
    batch = {name: value for name, value in user_config.items() if name in type(role).model_fields}
    return role.model_copy(update={**batch, "engine": type(engine).model_validate({**engine.model_dump(), **own})})


def _work(role: Any) -> Work:
    batches = (getattr(role, f"max_batch_{unit}", None) for unit in ("chunks", "tokens", "frames", "windows"))
    return Work(
        concurrency=getattr(role, "concurrency", 1),
        batch=math.ceil(next(filter(None, batches), 1)),
        models=getattr(role, "max_models", 1),
    )
