"""A recording through the HTTP API against the same engines called one after the other in a plain script.

python -m benchmarks.transcription [--minutes 10]
Prints JSON: seconds of each way and their ratio (served / direct; below 1 the service is faster).
"""

import argparse
import io
import json
import time
from typing import Any

import httpx

from benchmarks.running import as_wav, benchmarked, dialogue
from graphs.common.config import GraphsConfig
from graphs.transcription.alignment import merge
from models import asr, diarization
from models.audio import decode


def direct(recording: bytes) -> dict[str, Any]:
    """Decode, diarize, recognise, merge; engines are built and warm before the clock starts."""
    config = GraphsConfig()
    diarizer = diarization.build(config.diarization.engine)
    recogniser = asr.build(config.asr.engine)
    warm = dialogue(3)
    diarizer.diarize(warm)
    list(recogniser.transcribe(warm).segments)
    started = time.perf_counter()
    pcm = decode(io.BytesIO(recording))
    turns = diarizer.diarize(pcm)
    segments = list(recogniser.transcribe(pcm).segments)
    merged = merge(segments, turns)
    return {"seconds": time.perf_counter() - started, "turns": len(merged)}


def served(recording: bytes) -> dict[str, Any]:
    """Upload, follow the events to the end, fetch the transcript."""
    with benchmarked() as system, httpx.Client(base_url=system.url, headers={"X-API-Key": system.api_key}) as client:
        started = time.perf_counter()
        answer = client.post("/v1/jobs/transcription", files={"file": ("talk.wav", recording)}, timeout=120)
        job = answer.raise_for_status().json()["id"]
        first_segment = None
        with client.stream("GET", f"/v1/jobs/{job}/events", timeout=None) as events:
            for line in events.iter_lines():
                if line == "event: segment" and first_segment is None:
                    first_segment = time.perf_counter() - started
        transcript = client.get(f"/v1/jobs/{job}/artifacts/transcript.json").raise_for_status().json()
        return {
            "seconds": time.perf_counter() - started,
            "first_segment_seconds": first_segment,
            "turns": len(transcript["turns"]),
            "timings": transcript["timings"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    recording = as_wav(dialogue(minutes * 60))
    plain = direct(recording)
    through_http = served(recording)
    print(
        json.dumps(
            {
                "minutes": minutes,
                "direct": plain,
                "served": through_http,
                "ratio": through_http["seconds"] / plain["seconds"],
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
