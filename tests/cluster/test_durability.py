"""Accepted work is never lost: processes are killed in mid-job, and every job still ends with exactly one result.

VOICEGRAPH_CHAOS_ROUNDS sets how many kills there are in all (default 3, one of each kind).
"""

import os
from collections.abc import Callable

import httpx
import psutil
import psycopg
import pytest
from processes import WAIT_S, replica
from recordings import THREE_TURNS_S, beginning_as_flac
from waiting import events, submit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("VOICEGRAPH_CHAOS_ROUNDS", "3"))


def kill_postgres(system) -> None:
    pid = system.postgres.pid
    assert pid is not None
    psutil.Process(pid).kill()


KILLS: dict[str, Callable[..., None]] = {
    "job worker": lambda system: replica("worker").kill(),
    "model replica": lambda system: replica("asr").kill(),
    "PostgreSQL": kill_postgres,
}


def wait_for_event(client: httpx.Client, job_id: str, wanted: str) -> None:
    with client.stream("GET", f"/v1/jobs/{job_id}/events", timeout=WAIT_S) as stream:
        for line in stream.iter_lines():
            if line == f"event: {wanted}":
                return
            assert line != "event: failed"
    raise AssertionError(f"the job ended without {wanted}")


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_job_survives_a_kill_in_its_middle_with_exactly_one_result(system, number) -> None:
    recording = beginning_as_flac(THREE_TURNS_S)
    victim = list(KILLS)[number % len(KILLS)]
    with system.client() as client:
        jobs = [submit(client, recording) for _ in range(2)]
        wait_for_event(client, jobs[0], "segment")
        KILLS[victim](system)
        for job_id in jobs:
            story = events(client, job_id)
            ends = [event["event"] for event in story if event["event"] in ("succeeded", "failed", "cancelled")]
            assert ends == ["succeeded"], (victim, story[-3:])
            job = client.get(f"/v1/jobs/{job_id}").json()
            assert job["state"] == "succeeded"
            transcript = client.get(job["artifacts"]["transcript.json"]).json()
            assert transcript["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    with psycopg.connect(system.database_url) as database:
        left = database.execute("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')").fetchone()
        assert left == (0,)
