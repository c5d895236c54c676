"""Bodies that routes declare by type: described in the reference, and not read before the key was."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from ingress import Serve

from graphs.http.server.bodies import MULTIPART
from graphs.http.server.openapi import declared_bodies

pytestmark = pytest.mark.unit

# The file and the typed fields of every form, by its route; those with a dot are required.
JOB = {"file.", "allow_truncated"}
SPEAKERS = {"num_speakers", "min_speakers", "max_speakers"}
FORMS = {
    "/v1/jobs/transcription": JOB | SPEAKERS | {"language", "hotwords", "prompt", "spoof"},
    "/v1/jobs/spoof": JOB | SPEAKERS | {"diarize"},
    "/v1/jobs/translation": JOB | {"source", "target.", "voice", "speak", "audio_format"},
    "/v1/jobs/avatar": JOB | {"avatar", "label"},
    "/v1/voices": {"file.", "name.", "language"},
    "/v1/avatars": {"file.", "name."},
    "/v1/avatars/{avatar_id}/speak": {"file.", "label", "allow_truncated"},
    "/v1/assistant/sessions/{session_id}/voice": {"audio.", "language", "voice", "format", "speak"},
    "/upload/": {"file."},
    "/transcribe": {"file."},
    "/api/v1/audio/upload": {"audiofile."},
    "/api/v1/voice/process": {"audio.", "session_id"},
    "/api/v1/stt": {"audio."},
}
FILES = {"file", "audio", "audiofile"}


@pytest.fixture
def client(serve: Serve) -> Iterator[TestClient]:
    with serve() as client:
        yield client


@pytest.fixture
def reference(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def forms(reference: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        path: operation["requestBody"]["content"][MULTIPART]["schema"]
        for path, operations in reference["paths"].items()
        for operation in operations.values()
        if MULTIPART in operation.get("requestBody", {}).get("content", {})
    }


def test_a_form_is_described_with_its_file_and_its_fields(reference: dict[str, Any]) -> None:
    described = forms(reference)
    found = {
        path: {name + "." * (name in schema["required"]) for name in schema["properties"]}
        for path, schema in described.items()
    }
    assert found == FORMS
    for path, schema in described.items():
        (file,) = FILES & schema["properties"].keys()
        kind = schema["properties"][file]
        assert (kind["type"], kind["format"]) == ("string", "binary"), path
        for name, field in schema["properties"].items():
            assert field.keys() & {"type", "anyOf"}, (path, name)


def test_every_reference_of_the_reference_resolves(reference: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    schemas = {f"#/components/schemas/{name}" for name in reference["components"]["schemas"]}
    assert set(references(reference)) <= schemas


def declared(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and any(declared_bodies(route.endpoint)):
            for method in route.methods or ():
                yield method, route.path_format or ""


def test_nothing_of_a_body_is_read_without_a_key(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = client.app
    routes = list(declared(app))
    assert len(routes) > len(FORMS)
    key = client.headers.pop("X-API-Key")
    read: list[Request] = []
    stream = Request.stream
    monkeypatch.setattr(Request, "stream", lambda request: read.append(request) or stream(request))
    for method, path in routes:
        assert client.request(method, path, json={}).status_code == 401, (method, path)
    assert read == []
    # With a key one is, by what was watched.
    assert client.post("/v1/assistant/sessions", json={}, headers={"X-API-Key": key}).status_code == 201
    assert len(read) == 1


def test_no_route_leaves_its_body_to_fastapi(client: TestClient) -> None:
    app: Any = client.app
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    ours = [route for route in routes if isinstance(route, APIRoute)]
    assert len(ours) > 50
    assert {route.path for route in ours if route.body_field is not None} == set()
