"""Ray's fake node provider for a machine that is busy: a node that starts slowly is not given up.

Loaded by the autoscaler, in whose process alone it changes Ray.
"""

import time
from pathlib import Path
from typing import Any

from fake_cloud import NODE, free_ports
from ray._private import parameter, services
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider

AGENT_PORTS = ("dashboard_agent_listen_port", "metrics_agent_port", "metrics_export_port", "runtime_env_agent_port")
# Ray waits for 30 s.
START_S = 300.0

_get_node = services.get_node
_RayParams = parameter.RayParams


def _get_node_in_time(*arguments: Any, **options: Any) -> Any:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return _get_node(*arguments, **options)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


class PatientNodeProvider(FakeMultiNodeProvider):
    """The provider; it wants Ray's ``session`` folder in its description."""

    def __init__(self, description: dict[str, Any], cluster_name: str) -> None:
        super().__init__(description, cluster_name)
        self._session = Path(description["session"])
        services.get_node = _get_node_in_time
        parameter.RayParams = self._params

    def _params(self, **given: Any) -> parameter.RayParams:
        """Return a new node's parameters, with ports for its agents.

        A raylet ends itself where its agents have not told their ports within 15 s; these are told beforehand.
        """
        ports = dict(zip(AGENT_PORTS, free_ports(), strict=False))
        for name, port in ports.items():
            (self._session / f"{name}_{given['env_vars'][NODE]}").write_text(str(port))
        return _RayParams(**{**given, **ports, "include_log_monitor": False})
