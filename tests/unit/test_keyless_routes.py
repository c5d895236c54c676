"""Every route wants a key but those that SECURITY.md names."""

from importlib.metadata import version
from pathlib import Path

import pytest
from fastapi import FastAPI

from graphs.common.config import ApiConfig
from graphs.http.server.ingress import create_app
from storage.objects import DirectorySettings

pytestmark = pytest.mark.unit

HEALTH = {"/health", "/ready", "/ping", "/api/health", "/api/v1/health"}
SECRET_IN_THE_ADDRESS = {"/v1/media/{token}"}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    config = ApiConfig.model_validate(
        {"storage": {"objects": DirectorySettings(path=tmp_path).model_dump(mode="json")}}
    )
    return create_app(config)


def test_routes_want_a_key(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    keyless = {
        path for path, operations in paths.items() if any(not told.get("security") for told in operations.values())
    }
    assert keyless == HEALTH | SECRET_IN_THE_ADDRESS


def test_routes_outside_of_the_reference_are_known(app: FastAPI) -> None:
    hidden = {
        route.path
        for router in app.router.routes
        for route in getattr(getattr(router, "original_router", None), "routes", ())
        if not getattr(route, "include_in_schema", True)
    }
    assert hidden == {
        "/",
        "/r",
        "/r/",
        "/page/{digest}/{path:path}",
        "/v1/media/{token}",  # HEAD
        "/v1/objects/{key:path}",
    }


def test_the_reference_tells_the_version(app: FastAPI) -> None:
    assert app.openapi()["info"]["version"] == version("voicegraph")
