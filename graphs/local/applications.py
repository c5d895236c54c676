"""The applications of a configuration, built in this process and handed to Serve.

Serve's REST API has each application built in a process of its own, which imports everything and ends: a sixth of the
CPU time of a start, and it needs Ray's dashboard.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ray
from ray.serve import Application
from ray.serve._private.api import _create_controller_and_proxy_refs
from ray.serve._private.build_app import BuiltApplication, build_app
from ray.serve._private.client import ServeControllerClient
from ray.serve.config import ControllerOptions
from ray.serve.context import _set_global_client
from ray.serve.schema import ServeApplicationSchema, ServeDeploySchema

from deployments.serve_config import arguments_of, imported
from graphs.local.environment import StartError

_UNSUPPORTED = ("autoscaling_policy", "external_scaler_enabled", "runtime_env")


def deploy(config: Mapping[str, Any]) -> None:
    """Start Serve and hand it the applications of a checked configuration, as ``serve deploy`` does.

    Raises:
        StartError: Serve can't start, or it refuses an application; the message says why.
    """
    schema = ServeDeploySchema.model_validate(config)
    check_supported(schema)
    controller, proxies = _create_controller_and_proxy_refs(
        schema.http_options.model_dump(),
        schema.grpc_options.model_dump(),
        schema.logging_config,
        schema.tracing_config,
        schema.controller_options or ControllerOptions(),
        schema.proxy_location,
    )
    client = ServeControllerClient(controller)
    _set_global_client(client)  # type: ignore[no-untyped-call]
    client.deploy_applications(
        build(config), wait_for_ingress_deployment_creation=False, wait_for_applications_running=False
    )
    # The proxies start beside the replicas.
    ray.get(proxies)


def check_supported(config: ServeDeploySchema) -> None:
    """Refuse what Serve's controller would do with a file, and this does not.

    Raises:
        StartError: An application asks for it; the message says what.
    """
    for application in config.applications:
        if unsupported := [name for name in _UNSUPPORTED if name in application.model_fields_set]:
            raise StartError(f"application {application.name}: {', '.join(unsupported)} works on a cluster only")


def build(config: Mapping[str, Any]) -> list[BuiltApplication]:
    """Build the applications of a checked configuration, their deployments with the options that it gives them.

    Raises:
        StartError: It has options for a deployment that an application lacks.
    """
    schema = ServeDeploySchema.model_validate(config)
    return [
        _built(raw, checked, schema) for raw, checked in zip(config["applications"], schema.applications, strict=True)
    ]


def _built(raw: Mapping[str, Any], checked: ServeApplicationSchema, config: ServeDeploySchema) -> BuiltApplication:
    builder = imported(checked.import_path, checked.name)
    arguments = arguments_of(raw, checked.name)
    application: Application = builder if isinstance(builder, Application) else builder(arguments)
    built = build_app(
        application,
        name=checked.name,
        route_prefix=checked.route_prefix,
        logging_config=checked.logging_config or config.logging_config,
    )
    options = {
        deployment.name: deployment.model_dump(exclude_unset=True, exclude={"name"})
        for deployment in checked.deployments
    }
    if unknown := options.keys() - {deployment.name for deployment in built.deployments}:
        raise StartError(f"application {checked.name} has no deployment {', '.join(sorted(unknown))}")
    return replace(
        built, deployments=[deployment.options(**options.get(deployment.name, {})) for deployment in built.deployments]
    )
