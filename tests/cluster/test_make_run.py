"""What `make run` says once it serves."""

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.cluster


def test_it_says_where_it_is_and_who_said_what_in_a_recording(client: httpx.Client, system: Any) -> None:
    lines = dict(line.split(maxsplit=1) for line in system.said.splitlines() if " " in line.strip())
    assert lines["URL"].startswith(f"{system.url} ")
    assert lines["Page"] == f"{system.url}/#key={system.key}"
    assert lines["Ray"].startswith("dashboard  http://127.0.0.1:")
    assert "Admin key" not in system.said, "it was given"
    assert "SPEAKER_01" in system.said
    assert "voice: P(spoof) by the engine compact" in system.said
    jobs = client.get("/v1/jobs", params={"query": "first.flac"}).json()["jobs"]
    assert [job["state"] for job in jobs] == ["succeeded"]
