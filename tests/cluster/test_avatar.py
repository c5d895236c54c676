"""The talking avatar on the running system: real speech, real lips, over HTTP."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from avatar_pictures import as_png, face_picture, moving_clip, no_face
from films import Film, lag_of, take_apart
from processes import replica
from recordings import THREE_TURNS_S
from waiting import ended, events

pytestmark = pytest.mark.cluster

TEXT = "Good morning. The weather is fine today! We are going to the station; do you come along?"


def made(response: httpx.Response) -> Film:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "video/mp4"
    return take_apart(response.content)


def upload(client: httpx.Client, name: str, data: bytes) -> dict[str, Any]:
    response = client.post("/v1/avatars", files={"file": (name, data)}, data={"name": name})
    assert response.status_code == 201, response.text
    avatar: dict[str, Any] = response.json()
    return avatar


def test_the_mouth_opens_with_the_speech_and_is_shut_in_silence(client: httpx.Client) -> None:
    film = made(client.post("/api/generate", json={"text": TEXT, "language": "en"}))
    lag, agreement = lag_of(film.openings, film.levels)
    print(f"{len(film.frames)} frames: picture late by {lag} frames, r = {agreement:.2f}")
    assert abs(lag) <= 2
    assert agreement > 0.5
    loud = film.levels > 0.5 * np.percentile(film.levels, 95)
    quiet = np.convolve(film.levels < 0.005, np.ones(5), "same") == 5
    assert quiet.sum() > 4
    assert film.openings[quiet].max() < 0.1 * np.median(film.openings[loud])
    assert np.allclose(film.times, np.arange(len(film.frames)) / 25, atol=0.002)
    assert abs(len(film.sound) / 16_000 - len(film.frames) / 25) < 0.1
    assert "trainedAlgorithmicMedia" in str(film.tags)


def test_callers_at_once_each_get_their_own_film(client: httpx.Client) -> None:
    pictures = {"warm": face_picture(320, 360, warmth=1.0), "cold": face_picture(400, 360, warmth=-1.0)}
    avatars = {name: upload(client, f"{name}.png", as_png(picture)) for name, picture in pictures.items()}
    ids = ["default", *(avatar["id"] for avatar in avatars.values())]
    texts = ["One.", "One, two.", *(f"{'Well, ' * count}this is film number {count}." for count in range(1, 7))]

    def speak(number: int) -> Film:
        body = {"text": texts[number], "language": "en"}
        with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=60) as own:
            return made(own.post(f"/v1/avatars/{ids[number % 3]}/speak", json=body))

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(speak, range(8)))
    sizes = [film.frames.shape[1:] for film in together]
    assert len(set(sizes[:3])) == 3
    assert sizes == [sizes[number % 3] for number in range(8)]
    for number in range(0, 8, 2):
        ours, same = together[number], speak(number)
        # eSpeak's voice is not the same to the bit each time, nor to the hundredth of a second.
        assert abs(len(ours.frames) - len(same.frames)) <= 2
        length = min(len(ours.frames), len(same.frames)) - 2
        assert np.abs(ours.frames[:length].astype(int) - same.frames[:length]).mean() < 1
        assert np.corrcoef(ours.levels[:length], same.levels[:length])[0, 1] > 0.9
    assert len({len(film.frames) for film in together}) >= 5


def test_an_avatar_of_ones_own_speaks_a_recording_and_is_nobody_elses(
    system: Any, client: httpx.Client, brief: bytes
) -> None:
    avatar = upload(client, "clip.mp4", moving_clip())
    assert avatar["kind"] == "clip"
    path = f"/v1/avatars/{avatar['id']}"
    picture = client.get(f"{path}/picture")
    assert picture.content[:3] == b"\xff\xd8\xff"
    film = made(client.post(f"{path}/speak", files={"file": ("talk.flac", brief)}, data={"label": "true"}))
    assert abs(len(film.sound) / 16_000 - THREE_TURNS_S) < 1
    with system.client(system.other_key) as other:
        assert other.get(path).status_code == 404
        assert other.post(f"{path}/speak", json={"text": "Hello."}).status_code == 404
        assert avatar["id"] not in other.get("/v1/avatars").text
    assert client.delete(path).status_code == 204
    assert client.post(f"{path}/speak", json={"text": "Hello."}).status_code == 404


def test_a_picture_without_a_face_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/avatars", files={"file": ("hills.png", as_png(no_face()))}, data={"name": "hills"})
    assert response.status_code == 422
    assert response.json()["code"] == "no_face"
    assert response.json()["field"] == "file"


def test_a_film_as_a_job_is_a_file_that_plays_from_its_beginning(client: httpx.Client) -> None:
    response = client.post("/v1/jobs/avatar", json={"text": TEXT, "language": "en", "label": True})
    assert response.status_code == 202, response.text
    job = ended(client, response.json()["id"])
    assert job["state"] == "succeeded", job["error"]
    data = client.get(job["artifacts"]["avatar.mp4"], follow_redirects=True).content
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"moof" not in data
    film = take_apart(data)
    report = client.get(job["artifacts"]["avatar.json"]).json()
    assert report["frames"] == len(film.frames)
    assert abs(lag_of(film.openings, film.levels)[0]) <= 2


def test_the_beginning_of_a_film_comes_while_its_end_is_being_made(client: httpx.Client) -> None:
    body = {"text": " ".join([TEXT] * 6), "language": "en"}
    began = time.monotonic()
    with client.stream("POST", "/v1/avatars/default/speak", json=body, timeout=60) as response:
        assert response.status_code == 200
        pieces = [(time.monotonic() - began, len(piece)) for piece in response.iter_raw()]
    assert len(pieces) > 5
    assert pieces[0][1] < sum(size for _at, size in pieces) / 4
    print(f"first bytes after {pieces[0][0]:.2f} s of {pieces[-1][0]:.2f} s")


def test_a_film_survives_the_death_of_the_lip_sync_replica(client: httpx.Client) -> None:
    response = client.post("/v1/jobs/avatar", json={"text": " ".join([TEXT] * 8), "language": "en"})
    job_id = response.raise_for_status().json()["id"]
    with client.stream("GET", f"/v1/jobs/{job_id}/events", timeout=60) as stream:
        for line in stream.iter_lines():
            if '"film"' in line:
                break
    replica("lipsync").kill()
    story = [event["event"] for event in events(client, job_id)]
    assert story.count("succeeded") == 1
    assert "failed" not in story
