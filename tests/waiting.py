"""Waiting for conditions, and for jobs over the API by their event stream, never without a bound."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import httpx

WAIT_S = 60.0
"""Longest wait for anything that a running system does, beside other work on two cores."""


def wait_for(
    condition: Callable[[], Any], seconds: float = WAIT_S, otherwise: Callable[[], object] = lambda: "nothing"
) -> Any:
    """Ask until the answer is true, and return it.

    Args:
        condition: Asked a few times a second; a connection that fails is a no.
        seconds: For how long.
        otherwise: Says what is there instead, once time is over.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if found := condition():
                return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {otherwise()}")


def submit(client: httpx.Client, recording: bytes, name: str = "talk.flac", **fields: str) -> str:
    response = client.post("/v1/jobs/transcription", files={"file": (name, recording)}, data=fields)
    assert response.status_code == 202, response.text
    job_id: str = response.json()["id"]
    return job_id


def patiently(client: httpx.Client, path: str) -> httpx.Response:
    """GET as a good client does: wait as long as a 503 says, and ask again."""
    deadline = time.monotonic() + WAIT_S
    while (response := client.get(path)).status_code == 503:
        assert time.monotonic() < deadline, f"503 for {WAIT_S:.0f} s: {response.text}"
        time.sleep(int(response.headers["Retry-After"]))
    return response.raise_for_status()


def events(client: httpx.Client, job_id: str, after: int | None = None) -> list[dict[str, Any]]:
    """Read a job's events to its end; a 503 is waited for."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    deadline = time.monotonic() + WAIT_S
    while True:
        with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers, timeout=WAIT_S) as stream:
            if stream.status_code != 503:
                assert stream.status_code == 200, stream.read()
                return list(_events_of(stream.iter_lines()))
        assert time.monotonic() < deadline, f"503 for {WAIT_S:.0f} s"
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
