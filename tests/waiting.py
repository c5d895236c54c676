"""Waiting for jobs over the API, by their event stream."""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpx


def submit(client: httpx.Client, recording: bytes, name: str = "talk.flac", **fields: str) -> str:
    response = client.post("/v1/jobs/transcription", files={"file": (name, recording)}, data=fields)
    assert response.status_code == 202, response.text
    job_id: str = response.json()["id"]
    return job_id


def patiently(client: httpx.Client, path: str) -> httpx.Response:
    """GET as a good client does: wait as long as a 503 says, and ask again."""
    while True:
        response = client.get(path)
        if response.status_code != 503:
            return response.raise_for_status()
        time.sleep(int(response.headers["Retry-After"]))


def events(client: httpx.Client, job_id: str, after: int | None = None) -> list[dict[str, Any]]:
    """Read a job's events to its end; a 503 is waited for."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    while True:
        with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers, timeout=240) as stream:
            if stream.status_code != 503:
                assert stream.status_code == 200, stream.read()
                return list(_events_of(stream.iter_lines()))
        time.sleep(int(stream.headers["Retry-After"]))


def _events_of(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name in ("id", "event", "data"):
            event[name] = value.strip()
        elif not line and event:
            yield {**event, "id": int(event["id"]), "data": json.loads(event["data"])}
            event = {}


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """Wait for a job's end and return it."""
    events(client, job_id)
    job: dict[str, Any] = patiently(client, f"/v1/jobs/{job_id}").json()
    return job
