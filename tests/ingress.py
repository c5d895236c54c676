"""The ingress without Ray: a directory and a database of its own, and nobody who does the jobs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_roles import ABSENT
from fastapi.testclient import TestClient

from deployments.strict import validate
from graphs.common.config import ADMIN_KEY_VARIABLE, DATABASE_URL_VARIABLE, ApiConfig
from graphs.common.job_kind import JobKinds
from graphs.common.roles import Roles
from graphs.http.server.ingress import create_app
from graphs.kinds import KINDS

ADMIN = {"X-Admin-Key": "an-operators-key"}

Serve = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def serve(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve with settings and roles, as an owner of one's own; without roles, a route that calls one fails its test."""
    monkeypatch.setenv(DATABASE_URL_VARIABLE, database_url)
    monkeypatch.setenv(ADMIN_KEY_VARIABLE, ADMIN["X-Admin-Key"])
    objects = {"kind": "directory", "path": str(tmp_path)}

    @contextmanager
    def run(roles: Roles = ABSENT, kinds: JobKinds = KINDS, **settings: Any) -> Iterator[TestClient]:
        config = validate(ApiConfig, {"storage": {"objects": objects}, **settings})
        with TestClient(create_app(config, roles, kinds), base_url="http://127.0.0.1") as client:
            client.headers["X-API-Key"] = client.post("/admin/users?name=tests", headers=ADMIN).json()["api_key"]
            yield client

    return run
