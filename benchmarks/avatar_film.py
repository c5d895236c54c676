"""Films of speaking avatars through the HTTP API of the local system: how soon they begin, and what memory they take.

python -m benchmarks.avatar_film [--small]

Starts the local system (eSpeak NG, mouth-warp), and prints JSON:

- `first_fragment`: time to a film's first bytes against the time to its last, for 30 s of speech; the film is read as
  fast as it comes.
- `memory`: growth of the serving processes while a short and a long film are made, in MiB of memory of their own.
- `together`: films of different texts and avatars at once.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import cv2
import httpx
import numpy as np

from benchmarks.ingress import Watch
from benchmarks.running import benchmarked
from models.samples import PORTRAIT

TARGET_SHARE = 0.15
CHARACTERS_PER_SECOND = 17.5  # of the local system's voice
REPLICAS = {"ingress": "ServeReplica:api:ingress", "lipsync": "ServeReplica:graphs:lipsync"}
SENTENCES = (
    "The river has risen by a metre since the morning.",
    "Nobody in the village remembers such a spring.",
    "Two of the bridges are closed, and the third one may follow.",
    "Those who live near the water have carried their furniture upstairs.",
    "In the evening the rain is expected to stop at last.",
)


@dataclass(frozen=True)
class Timed:
    """A film as its client saw it, in seconds since the request."""

    first: float
    total: float
    size: int

    @property
    def share(self) -> float:
        """Of the whole time that passes before there is something to see."""
        return self.first / self.total


def text_of(seconds: float, beginning: int = 0) -> str:
    """Return a text that takes about so long to say."""
    sentences = islice(cycle(SENTENCES), beginning, None)
    text = ""
    while len(text) < seconds * CHARACTERS_PER_SECOND:
        text = f"{text} {next(sentences)}".strip()
    return text


def filmed(client: httpx.Client, avatar: str, text: str) -> Timed:
    """Ask for a film and read it to its end."""
    began, first, size = time.perf_counter(), 0.0, 0
    with client.stream("POST", f"/v1/avatars/{avatar}/speak", json={"text": text, "language": "en"}) as response:
        response.raise_for_status()
        for data in response.iter_raw():
            first = first or time.perf_counter() - began
            size += len(data)
    return Timed(first, time.perf_counter() - began, size)


def seconds_of(client: httpx.Client, text: str) -> float:
    """Return how long the voice takes for a text."""
    response = client.post("/v1/speech", json={"text": text, "language": "en", "format": "pcm"})
    response.raise_for_status()
    return len(response.content) / 2 / int(response.headers["x-sample-rate"])


def first_fragment(client: httpx.Client, seconds: float, rounds: int) -> dict[str, Any]:
    """Time films of one length."""
    text = text_of(seconds)
    films = [filmed(client, "default", text) for _ in range(rounds)]
    share = statistics.median(film.share for film in films)
    return {
        "speech_s": round(seconds_of(client, text), 1),
        "first_s": round(statistics.median(film.first for film in films), 3),
        "total_s": round(statistics.median(film.total for film in films), 3),
        "mebibytes": round(films[0].size / 2**20, 2),
        "share": round(share, 3),
        "target_share": TARGET_SHARE,
        "met": share < TARGET_SHARE,
    }


def memory(client: httpx.Client, lengths: Sequence[float]) -> dict[str, Any]:
    """Tell how much the serving processes grow while films of several lengths are made."""
    growth: dict[str, Any] = {}
    for seconds in lengths:
        with Watch(REPLICAS) as watch:
            filmed(client, "default", text_of(seconds))
        growth[f"{seconds:g}_s_growth_mib"] = {name: round(by, 1) for name, by in watch.growth_mib().items()}
    return growth


def together(client: httpx.Client, films: int, seconds: float) -> dict[str, Any]:
    """Make films of different texts at once, of the bundled avatar and its mirror image in turn."""
    avatars = ("default", mirrored(client))
    alone = filmed(client, avatars[1], text_of(seconds))
    began = time.perf_counter()
    with ThreadPoolExecutor(films) as threads:
        made = list(
            threads.map(
                lambda number: filmed(client, avatars[number % 2], text_of(seconds, beginning=number)), range(films)
            )
        )
    wall = time.perf_counter() - began
    return {
        "films": films,
        "speech_s_each": seconds,
        "wall_s": round(wall, 2),
        "one_alone_s": round(alone.total, 2),
        "first_s": {
            "median": round(statistics.median(film.first for film in made), 3),
            "worst": round(max(film.first for film in made), 3),
        },
        "film_s_per_s": round(films * seconds / wall, 2),
    }


def mirrored(client: httpx.Client) -> str:
    """Upload the bundled portrait's mirror image; return its id."""
    portrait = cv2.imdecode(np.frombuffer(PORTRAIT.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if portrait is None:
        raise RuntimeError(f"{PORTRAIT} is no picture")
    file = cv2.imencode(".png", cv2.flip(portrait, 1))[1].tobytes()
    response = client.post("/v1/avatars", files={"file": ("mirrored.png", file)}, data={"name": "mirrored"})
    response.raise_for_status()
    avatar: str = response.json()["id"]
    return avatar


def film(*, small: bool = False) -> dict[str, Any]:
    """Run the local system and measure; ``small`` is for trying the script."""
    speech, rounds, lengths, at_once = (5.0, 1, (3.0, 9.0), 2) if small else (30.0, 3, (15.0, 120.0), 8)
    with benchmarked() as system:
        headers = {"X-API-Key": system.api_key}
        with httpx.Client(base_url=system.url, headers=headers, timeout=600.0) as client:
            # The first film of a process loads what the later ones find loaded.
            filmed(client, "default", text_of(5.0))
            return {
                "cores": os.cpu_count(),
                "load_average": round(os.getloadavg()[0], 2),
                "first_fragment": first_fragment(client, speech, rounds),
                "memory": memory(client, lengths),
                "together": together(client, at_once, 3.0 if small else 10.0),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="short films, to try the script")
    print(json.dumps(film(small=parser.parse_args().small), indent=2))


if __name__ == "__main__":
    main()
