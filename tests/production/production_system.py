"""The running production system, as its tests see it."""

from dataclasses import dataclass
from typing import Any

import httpx
from fake_cloud import FakeCloud
from waiting import wait_for

WAIT_S = 600.0


@dataclass
class Production:
    """The running system and the cluster below it."""

    cloud: FakeCloud
    url: str
    database_url: str
    config: dict[str, Any]
    key: str = ""

    def client(self) -> httpx.Client:
        """Return a client of one owner, as patient as one must be beside other tests."""
        return httpx.Client(base_url=self.url, headers={"X-API-Key": self.key}, timeout=240)

    def replicas(self) -> dict[str, list[dict[str, Any]]]:
        """Return what Serve says of the running replicas, by their deployment's name."""
        applications = self.cloud.get("/api/serve/applications/")["applications"]
        return {
            name: [replica for replica in deployment["replicas"] if replica["state"] == "RUNNING"]
            for application in applications.values()
            for name, deployment in application["deployments"].items()
        }

    def shares(self) -> dict[str, float]:
        """Return the part of a GPU that one replica of each deployment takes."""
        return {
            deployment["name"]: deployment.get("ray_actor_options", {}).get("num_gpus", 0.0)
            for application in self.config["applications"]
            for deployment in application["deployments"]
        }

    def wait_for(self, condition: Any) -> Any:
        """Wait until a condition is met; say what runs where if it isn't."""
        return wait_for(condition, WAIT_S, lambda: (self.cloud.nodes(), self.replicas()))

    def ready(self) -> bool:
        """Return whether everything runs; raise where a deployment has failed."""
        for name, application in self.cloud.get("/api/serve/applications/")["applications"].items():
            faults = {
                deployment["name"]: deployment["message"]
                for deployment in application["deployments"].values()
                if deployment["status"] == "DEPLOY_FAILED"
            }
            assert application["status"] != "DEPLOY_FAILED", (name, application["message"], faults)
        return httpx.get(f"{self.url}/ready", timeout=60).status_code == 200
