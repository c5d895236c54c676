"""One production cluster for all its tests: pretended nodes, the shipped files, tiny weights."""

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import psycopg
import pytest
import yaml
from fake_cloud import FakeCloud, free_ports
from postgres import TEMPLATE, url_of
from production_system import WAIT_S, Production
from s3 import s3_endpoint
from shipped import SERVE_CONFIG, node_environment, node_types, serve_config
from tiny_weights import fill_s3
from waiting import wait_for

from deployments.serve_config import check
from models.samples import DIALOGUE
from models.weights.sources import S3Source
from storage.embedded_postgres import EmbeddedPostgres

__all__ = ["s3_endpoint"]

ADMIN_KEY = "the-operators-key-of-the-tests"
BUCKET = "voicegraph-production"
DATABASE = "production"
MIRROR = S3Source("voicegraph-mirror", "weights")


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
            made = httpx.post(
                f"{url}/admin/users", params={"name": "caller"}, headers={"X-Admin-Key": ADMIN_KEY}, timeout=60
            )
            system.key = made.raise_for_status().json()["api_key"]
            yield system
        finally:
            cloud.stop()
