"""The shipped serve_config.yaml on the shipped cluster.yaml: where replicas go, that every graph answers, what load and
the death of nodes do. Weights are tiny and random, so what is recognised and translated is gibberish.
"""

import io
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest
from fake_cloud import HEAD
from films import take_apart
from production_system import Production
from waiting import ended, patiently, submit

from models.audio import AudioLimits, decode
from models.audio.encoding import encode

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

TEXT = "Good morning. The house is red."


@pytest.fixture
def client(production: Production) -> Iterator[httpx.Client]:
    with production.client() as client:
        yield client


def nodes_of(production: Production, *, gpu: bool) -> set[str]:
    """Return the nodes with replicas that take, or don't take, a share of a GPU."""
    shares = production.shares()
    replicas = production.replicas()
    return {replica["node_id"] for name, found in replicas.items() if (shares[name] > 0) is gpu for replica in found}


def analyse(client: httpx.Client, recording: bytes, **fields: str) -> str:
    accepted = client.post("/v1/jobs/spoof", files={"file": ("talk.flac", recording)}, data=fields)
    assert accepted.status_code == 202, accepted.text
    job_id: str = accepted.json()["id"]
    return job_id


def states_of(production: Production, jobs: list[str]) -> dict[str, str]:
    """Return the states of jobs from the database, which is there when the API is not."""
    with psycopg.connect(production.database_url) as database:
        rows = database.execute("SELECT id, state FROM jobs WHERE id = ANY(%s::uuid[])", (jobs,))
        return {str(job_id): state for job_id, state in rows}


def seconds(audio: bytes) -> float:
    return len(decode(io.BytesIO(audio), AudioLimits(min_seconds=0.01, max_seconds=600))) / 16_000


def test_all_roles_with_a_gpu_share_one_though_there_are_two(production: Production) -> None:
    shares = {name: share for name, share in production.shares().items() if share}
    assert len(shares) >= 5
    (node,) = nodes_of(production, gpu=True)
    assert node in production.cloud.nodes_with("GPU")
    assert len(production.cloud.nodes_with("GPU")) == 2
    script = str(Path(__file__).with_name("gpu_ids.py"))
    ids = json.loads(production.cloud.run("python", script, production.cloud.address))
    given = {
        name: {tuple(taken) for actor, taken in ids.items() if f"#{name}#" in actor} for name in production.shares()
    }
    assert given == {name: {("0",) if name in shares else ()} for name in production.shares()}


def test_nothing_else_runs_on_a_gpu_node_or_on_the_head(production: Production) -> None:
    others = nodes_of(production, gpu=False)
    assert others
    assert not others & (production.cloud.nodes_with("GPU") | {HEAD})


def test_a_recording_is_transcribed(client: httpx.Client, dialogue: bytes) -> None:
    job = ended(client, submit(client, dialogue, spoof="true"))
    assert job["state"] == "succeeded", job
    transcript = client.get(job["artifacts"]["transcript.json"], follow_redirects=True).raise_for_status().json()
    assert transcript["duration"] == pytest.approx(30.7, abs=0.5)
    assert any(turn["text"] for turn in transcript["turns"])
    assert "-->" in client.get(job["artifacts"]["transcript.srt"], follow_redirects=True).text


def test_a_recording_is_searched_for_synthetic_speech(client: httpx.Client, dialogue: bytes) -> None:
    job = ended(client, analyse(client, dialogue, diarize="true"))
    assert job["state"] == "succeeded", job
    report = client.get(job["artifacts"]["spoof.json"], follow_redirects=True).raise_for_status().json()
    assert report["engine"] == "wavlm"
    assert len(report["chunks"]) == 8
    assert all(chunk["p_spoof"] is None or 0 <= chunk["p_spoof"] <= 1 for chunk in report["chunks"])


def test_text_and_speech_are_translated(client: httpx.Client, dialogue: bytes) -> None:
    text = client.post("/v1/translate", json={"text": TEXT, "source": "en", "target": "es"})
    assert text.status_code == 200, text.text
    assert text.json()["text"].strip()
    fields = {"source": "en", "target": "es", "audio_format": "mp3"}
    accepted = client.post("/v1/jobs/translation", files={"file": ("talk.flac", dialogue)}, data=fields)
    assert accepted.status_code == 202, accepted.text
    job = ended(client, accepted.json()["id"])
    assert job["state"] == "succeeded", job
    audio = client.get(job["artifacts"]["translation.mp3"], follow_redirects=True).raise_for_status().content
    report = client.get(job["artifacts"]["translation.json"], follow_redirects=True).raise_for_status().json()
    assert seconds(audio) == pytest.approx(report["audio"]["duration"], abs=0.3)
    assert report["utterances"]


def test_a_text_is_spoken(client: httpx.Client) -> None:
    spoken = client.post("/v1/speech", json={"text": TEXT, "language": "en"})
    assert spoken.status_code == 200, spoken.text
    assert seconds(spoken.content) > 0.5


def test_the_assistant_hears_answers_and_speaks(client: httpx.Client, dialogue: bytes) -> None:
    session = client.post("/v1/assistant/sessions", json={"language": "en"}).raise_for_status().json()["id"]
    answer = client.post(
        f"/v1/assistant/sessions/{session}/voice", files={"audio": ("question.flac", dialogue)}, data={"speak": "true"}
    )
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    assert reply["heard"]["text"]
    assert reply["text"]
    assert reply["speech_error"] is None
    assert seconds(b64decode(reply["audio"]["data"])) > 0.5


def test_an_avatar_speaks(client: httpx.Client) -> None:
    import cv2
    from checkpoints.s3fd import picture_of_faces

    encoded, picture = cv2.imencode(".png", picture_of_faces(192, 256, (7, 5)))
    assert encoded
    made = client.post("/v1/avatars", files={"file": ("face.png", picture.tobytes())}, data={"name": "face"})
    assert made.status_code == 201, made.text
    film = client.post(f"/v1/avatars/{made.json()['id']}/speak", json={"text": TEXT, "language": "en"})
    assert film.status_code == 200, film.text
    taken = take_apart(film.content)
    assert taken.frames.shape[1:] == (192, 256)
    assert len(taken.frames) / 25 == pytest.approx(len(taken.sound) / 16_000, abs=0.1)


@contextmanager
def callers(production: Production, count: int, recording: bytes) -> Iterator[None]:
    """Let clients ask for one transcript after the other for the length of the block."""
    over = threading.Event()

    def call() -> None:
        body = {"audio_b64": b64encode(recording).decode(), "language": "en"}
        with production.client() as client:
            while not over.is_set():
                client.post("/asr", json=body)

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(call) for _ in range(count)]
        try:
            yield
        finally:
            over.set()
    for done in calls:
        done.result()


def test_load_brings_workers_replicas_and_a_node_and_all_go_with_it(
    production: Production, client: httpx.Client, dialogue: bytes
) -> None:
    cloud = production.cloud
    before = nodes_of(production, gpu=True)
    cloud.keep("gpu_spot", 0)
    production.wait_for(lambda: cloud.nodes_with("GPU") == before)
    # Long recordings in which nobody speaks: much to do by the clock, and little work.
    quiet = encode([np.zeros(900 * 16_000, np.float32)], "flac", 16_000)
    jobs: list[str] = []

    def two_workers_while_jobs_wait() -> bool:
        while sum(state in ("queued", "running") for state in states_of(production, jobs).values()) < 8:
            jobs.append(analyse(client, quiet))
        return len(production.replicas()["worker"]) > 1

    production.wait_for(two_workers_while_jobs_wait)
    # Four replicas' worth of calls, of which one GPU has no room for three.
    with callers(production, 12, dialogue):
        production.wait_for(lambda: len(production.replicas()["asr"]) > 1)
        production.wait_for(lambda: len(nodes_of(production, gpu=True)) > 1)
    production.wait_for(lambda: len(production.replicas()["worker"]) == 1)
    production.wait_for(lambda: len(production.replicas()["asr"]) == 1)
    production.wait_for(lambda: len(cloud.nodes_with("GPU")) == 1)
    production.wait_for(lambda: states_of(production, jobs) == dict.fromkeys(jobs, "succeeded"))


def test_nodes_that_die_under_load_lose_no_accepted_job(production: Production, dialogue: bytes) -> None:
    cloud = production.cloud
    cloud.keep("gpu_spot", 2)
    production.wait_for(lambda: len(cloud.nodes_with("GPU")) == 2)
    with production.client() as client:
        jobs = [submit(client, dialogue) for _ in range(6)]
        production.wait_for(lambda: client.get(f"/v1/jobs/{jobs[0]}").json()["state"] != "queued")
        replicas = production.replicas()
        killed = [replicas[name][0]["node_id"] for name in ("spoof", "worker")]
        for node in killed:
            cloud.kill(node)
            production.wait_for(lambda node=node: node not in cloud.nodes())
        production.wait_for(lambda: not set(states_of(production, jobs).values()) & {"queued", "running"})
        assert states_of(production, jobs) == dict.fromkeys(jobs, "succeeded")
        production.wait_for(production.ready)
        for job_id in jobs:
            job = patiently(client, f"/v1/jobs/{job_id}").json()
            assert client.get(job["artifacts"]["transcript.json"], follow_redirects=True).status_code == 200
    assert not nodes_of(production, gpu=True) & set(killed)
