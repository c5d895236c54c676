"""The ingress: a status call against a bare Serve FastAPI no-op, and its memory while an hour of WAV is uploaded.

python -m benchmarks.ingress [--calls 500]
Prints JSON: p50 and p95 of both calls in milliseconds, interleaved in one run, and the growth of memory in MiB.
"""

import argparse
import json
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from ray import serve

from benchmarks.running import MEBIBYTE, as_wav, benchmarked, dialogue, own_bytes, process_of
from models.audio import SAMPLE_RATE


def deploy_no_op() -> None:
    """Deploy the smallest FastAPI ingress that Serve can have, beside the system."""

    def build() -> FastAPI:
        app = FastAPI()

        @app.get("/")
        async def nothing() -> dict[str, str]:
            return {"status": "ok"}

        return app

    serve.run(
        serve.deployment(serve.ingress(build)(), name="noop", ray_actor_options={"num_cpus": 0.1}).bind(),
        name="noop",
        route_prefix="/bench-noop",
    )


def interleaved(client: httpx.Client, paths: dict[str, str], calls: int) -> dict[str, dict[str, float]]:
    """Time every path in turn, so that what else the machine does hits all alike."""
    for path in paths.values():
        for _ in range(20):
            client.get(path).raise_for_status()
    seconds: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(calls):
        for name, path in paths.items():
            started = time.perf_counter()
            client.get(path).raise_for_status()
            seconds[name].append(time.perf_counter() - started)
    return {
        name: {"p50_ms": 1000 * statistics.median(values), "p95_ms": 1000 * float(np.quantile(values, 0.95))}
        for name, values in seconds.items()
    }


class Watch:
    """Samples the memory of processes while a block runs."""

    def __init__(self, titles: dict[str, str]) -> None:
        self._processes = {name: process_of(title) for name, title in titles.items()}
        self._stop = threading.Event()
        self._before = {name: own_bytes(process) for name, process in self._processes.items()}
        self.peak = dict(self._before)
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.05):
            for name, process in self._processes.items():
                self.peak[name] = max(self.peak[name], own_bytes(process))

    def growth_mib(self) -> dict[str, float]:
        """Return the greatest growth of each process since the start."""
        return {name: (self.peak[name] - self._before[name]) / MEBIBYTE for name in self.peak}


def hour_of_wav() -> Iterator[bytes]:
    """Yield one hour of CD-quality stereo WAV (635 MB) without holding it."""
    second = (dialogue(1.0) * 32767).astype("<i2")
    frames = np.repeat(second, 44_100 * 2 // SAMPLE_RATE + 1)[: 44_100 * 2].tobytes()
    size = 3600 * len(frames)
    yield b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt "
    yield struct.pack("<IHHIIHH", 16, 1, 2, 44_100, 176_400, 4, 16) + b"data" + struct.pack("<I", size)
    for _ in range(3600):
        yield frames


def upload(client: httpx.Client) -> dict[str, Any]:
    """Upload the hour and cancel its job; the multipart body is made while it is sent."""
    boundary = "benchmark"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="hour.wav"\r\n\r\n'.encode()

    def body() -> Iterator[bytes]:
        yield head
        yield from hour_of_wav()
        yield f"\r\n--{boundary}--\r\n".encode()

    titles = {"ingress": "ServeReplica:api:ingress", "proxy": "ProxyActor"}
    with Watch(titles) as watch:
        started = time.perf_counter()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        answer = client.post("/v1/jobs/transcription", content=body(), headers=headers, timeout=600)
        seconds = time.perf_counter() - started
    answer.raise_for_status()
    client.delete(f"/v1/jobs/{answer.json()['id']}")
    return {"seconds": seconds, "growth_mib": watch.growth_mib()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    calls = parser.parse_args().calls
    with benchmarked() as system, httpx.Client(base_url=system.url, headers={"X-API-Key": system.api_key}) as client:
        deploy_no_op()
        files = {"file": ("short.wav", as_wav(dialogue(2)))}
        job = client.post("/v1/jobs/transcription", files=files).raise_for_status().json()["id"]
        with client.stream("GET", f"/v1/jobs/{job}/events", timeout=120) as events:
            events.read()
        latency = interleaved(client, {"noop": "/bench-noop/", "status": f"/v1/jobs/{job}"}, calls)
        uploaded = upload(client)
    print(
        json.dumps(
            {
                "latency": latency,
                "status_to_noop_p50": latency["status"]["p50_ms"] / latency["noop"]["p50_ms"],
                "upload_of_one_hour_wav": uploaded,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
