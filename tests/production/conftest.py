"""One production cluster for all its tests: pretended nodes, the shipped files, tiny weights."""

import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import psycopg
import pytest
import yaml
from fake_cloud import FakeCloud, free_ports, wait_for
from postgres import TEMPLATE, url_of
from s3 import s3_endpoint
from shipped import SERVE_CONFIG, node_environment, node_types, serve_config
from tiny_weights import fill_s3

from deployments.serve_config import check
from models.samples import DIALOGUE
from models.weights.sources import S3Source
from storage.embedded_postgres import EmbeddedPostgres

__all__ = ["s3_endpoint"]

ADMIN_KEY = "the-operators-key-of-the-tests"
BUCKET = "voicegraph-production"
DATABASE = "production"
MIRROR = S3Source("voicegraph-mirror", "weights")
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


@pytest.fixture(scope="session")
def dialogue() -> bytes:
    """The bundled recording of two speakers."""
    return DIALOGUE.read_bytes()


@pytest.fixture(scope="module")
def production(s3_endpoint: str, postgres_server: EmbeddedPostgres) -> Iterator[Production]:
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    given = {
        "RAY_AUTH_TOKEN": secrets.token_hex(24),
        "VOICEGRAPH_DATABASE_URL": url_of(postgres_server.url, DATABASE),
        "VOICEGRAPH_ADMIN_KEY": ADMIN_KEY,
        "VOICEGRAPH_S3_BUCKET": BUCKET,
        "VOICEGRAPH_S3_ENDPOINT": s3_endpoint,
        "VOICEGRAPH_S3_PUBLIC_ENDPOINT": "",
        "VOICEGRAPH_S3_REGION": "us-east-1",
        "VOICEGRAPH_WEIGHTS_MIRROR": str(MIRROR),
        "AWS_ENDPOINT_URL": s3_endpoint,
    }
    ports = free_ports()
    # Ray's sockets have long names, and a socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="vg-", dir="/tmp") as name:
        folder = Path(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
            fill_s3(SERVE_CONFIG, MIRROR, folder / "made")
        given["VOICEGRAPH_WEIGHTS"] = str(folder / "weights")
        config = serve_config(folder / "backbone", next(ports), next(ports))
        check(config)
        types = node_types()
        head = types.pop("head")["resources"]
        environment = node_environment(folder / "node", given)
        cloud = FakeCloud(folder, head, types, environment, ports, idle_minutes=0.1)
        url = f"http://127.0.0.1:{config['http_options']['port']}"
        system = Production(cloud, url, given["VOICEGRAPH_DATABASE_URL"], config)
        try:
            cloud.keep("gpu_spot", 2)
            cloud.start()
            wait_for(lambda: len(cloud.nodes()) == 4, WAIT_S, cloud.nodes)
            file = folder / "serve_config.yaml"
            file.write_text(yaml.safe_dump(config))
            cloud.run("serve", "deploy", str(file), "--address", cloud.url)
            system.wait_for(system.ready)
            made = httpx.post(f"{url}/admin/users", params={"name": "caller"}, headers={"X-Admin-Key": ADMIN_KEY})
            system.key = made.raise_for_status().json()["api_key"]
            yield system
        finally:
            cloud.stop()
