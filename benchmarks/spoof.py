"""Chunks scored a second: through the deployment's handle, by the bare engine in full batches, and one at a time.

python -m benchmarks.spoof [--engine compact|wavlm] [--callers 8] [--seconds 256] [--rounds 5]
python -m benchmarks.spoof --memory [--minutes 60] [--jobs 2]

All three ways take turns in one run, at the same priority and with as many threads. RealTone's way is the third: a
thread for each chunk. WavLM has its full size and random weights. Prints JSON; a ratio above 1 is the
service's gain. With --memory: a long recording through the HTTP API instead, and what the memory of each process did.
"""

import argparse
import asyncio
import io
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import psutil
from numpy.typing import NDArray
from ray import serve

from benchmarks.running import MEBIBYTE, benchmarked, dialogue, local_config
from deployments.logs import configure_logs
from deployments.spoof import SpoofClient, spoof_deployment
from graphs.common.config import ApiConfig, GraphsConfig, SpoofRoleSettings
from graphs.local.cluster import ray_with_dashboard
from graphs.local.engines import arguments_of_graphs
from models import spoof
from models.audio import SAMPLE_RATE
from models.spoof import CHUNK_SAMPLES, SpoofDetector, SpoofSettings, WavLmSettings

CALL = 16
THREADS_VARIABLE = "OMP_NUM_THREADS"

Chunks = NDArray[np.float32]
Way = Callable[[], None]


@contextmanager
def role(engine: str, model: Path | None) -> Iterator[SpoofRoleSettings]:
    """Yield the role's settings: the compact engine's as they ship, WavLM's with a checkpoint made for the block."""
    if engine == "compact":
        graphs = arguments_of_graphs(local_config())
        settings = GraphsConfig.model_validate(graphs).spoof
        yield settings.model_copy(update={"engine": settings.engine.model_copy(update={"model": model})})
        return
    import torch

    from models.spoof.calibration import Calibration
    from models.spoof.wavlm_checkpoint import save_checkpoint
    from models.spoof.wavlm_network import WavLmNetwork, backbone_config

    with tempfile.TemporaryDirectory(prefix="voicegraph-wavlm-") as folder:
        file = Path(folder) / "random.pth"
        torch.manual_seed(0)
        save_checkpoint(file, WavLmNetwork(backbone_config(None)), Calibration())
        size = 32 if torch.cuda.is_available() else 8
        yield SpoofRoleSettings(engine=WavLmSettings(checkpoint=file), max_batch_chunks=size)


def recordings(callers: int, seconds: float) -> list[Chunks]:
    """Return each caller's chunks: the bundled dialogue from another place on, shape [n, 64000]."""
    each = max(1, round(seconds * SAMPLE_RATE / CHUNK_SAMPLES))
    talk = dialogue(each * CHUNK_SAMPLES / SAMPLE_RATE)
    return [np.roll(talk, 9973 * number).reshape(each, CHUNK_SAMPLES) for number in range(callers)]


def lengths(chunks: Chunks) -> NDArray[np.int64]:
    return np.full(len(chunks), CHUNK_SAMPLES, np.int64)


def full_batches(engine: SpoofDetector, chunks: Chunks, settings: SpoofRoleSettings) -> Way:
    """The bare engine, given full batches by as many threads as the deployment has."""
    size = settings.max_batch_chunks
    batches = [chunks[start : start + size] for start in range(0, len(chunks), size)]

    def run() -> None:
        with ThreadPoolExecutor(settings.concurrency) as pool:
            list(pool.map(lambda batch: engine.score(batch, lengths(batch)), batches))

    return run


def one_at_a_time(engine: SpoofDetector, chunks: Chunks) -> Way:
    """RealTone's way."""

    def run() -> None:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 4)) as pool:
            list(pool.map(lambda at: engine.score(chunks[at : at + 1], lengths(chunks[:1])), range(len(chunks))))

    return run


def through_the_handle(role: SpoofClient, talks: list[Chunks]) -> Way:
    """Concurrent callers, each with one call under way; scores are awaited before the next is made."""

    async def caller(number: int, talk: Chunks) -> None:
        for start in range(0, len(talk), CALL):
            part = talk[start : start + CALL]
            scores = await role.score(part, lengths(part), correlation_id=f"caller-{number}")
            assert len(scores.p_spoof) == len(part)

    async def callers() -> None:
        await asyncio.gather(*(caller(number, talk) for number, talk in enumerate(talks)))

    return lambda: asyncio.run(callers())


@contextmanager
def served(settings: SpoofRoleSettings) -> Iterator[SpoofClient]:
    """Run the deployment alone in a Serve of its own, with the whole machine at its disposal."""
    with ray_with_dashboard():
        serve.start(proxy_location="Disabled")
        # What else the machine does must hit all ways alike: Ray runs its workers so much below its driver.
        os.nice(int(os.environ.get("RAY_worker_niceness", "15")))
        options: dict[str, Any] = {"num_cpus": os.cpu_count()}
        if uses_gpu(settings.engine):
            options["num_gpus"] = 1
        application = spoof_deployment.options(ray_actor_options=options).bind(
            settings.engine, settings.max_batch_chunks, settings.batch_wait_ms, settings.concurrency, "WARNING"
        )
        yield SpoofClient(serve.run(application, name="benchmark", route_prefix=None))


def uses_gpu(engine: SpoofSettings) -> bool:
    """Return whether the engine will compute on a GPU."""
    if not isinstance(engine, WavLmSettings):
        return False
    import torch

    return torch.cuda.is_available()


def throughput(engine: str, model: Path | None, callers: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure the three ways in turn; medians, and medians of the ratios within a round."""
    with role(engine, model) as settings, served(settings) as deployed:
        talks = recordings(callers, seconds)
        chunks = np.concatenate(talks)
        bare = spoof.build(settings.engine)
        ways: dict[str, Way] = {
            "served": through_the_handle(deployed, talks),
            "bare_full_batches": full_batches(bare, chunks, settings),
            "one_at_a_time_in_threads": one_at_a_time(bare, chunks),
        }
        warm = chunks[: settings.max_batch_chunks]
        bare.score(warm, lengths(warm))
        through_the_handle(deployed, [talk[:1] for talk in talks])()
        before = asyncio.run(description(deployed))
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                rates[name].append(len(chunks) / (time.perf_counter() - started))
        after = asyncio.run(description(deployed))
    batches = after["batches"] - before["batches"]
    return {
        "engine": engine,
        "gpu": uses_gpu(settings.engine),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "callers": callers,
        "chunks_a_round": len(chunks),
        "max_batch_chunks": settings.max_batch_chunks,
        "concurrency": settings.concurrency,
        "chunks_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "served_to_bare": median_ratio(rates["served"], rates["bare_full_batches"]),
        "served_to_one_at_a_time": median_ratio(rates["served"], rates["one_at_a_time_in_threads"]),
        "mean_batch": (after["chunks"] - before["chunks"]) / batches,
        "rounds": rates,
    }


async def description(deployed: SpoofClient) -> dict[str, Any]:
    """Return what the replica says of itself."""
    answer: dict[str, Any] = await deployed.handle.describe.remote()
    return answer


def median_ratio(ours: list[float], others: list[float]) -> float:
    return statistics.median(mine / theirs for mine, theirs in zip(ours, others, strict=True))


class MemoryWatch:
    """Samples the memory of this process's descendants while a block runs."""

    def __init__(self) -> None:
        self._samples: list[dict[str, tuple[int, int]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._samples.append(self._now())
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._samples.append(self._now())

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            self._samples.append(self._now())

    def _now(self) -> dict[str, tuple[int, int]]:
        """Resident bytes by process, and those of them that are its own."""
        found = {}
        for process in psutil.Process().children(recursive=True):
            try:
                title = process.cmdline()[0].strip()
                memory = process.memory_info()
            except (psutil.Error, IndexError):
                continue
            found[f"{Path(title).name} {process.pid}"] = (memory.rss, memory.rss - memory.shared)
        return found

    def report(self) -> dict[str, dict[str, Any]]:
        """Return MiB: resident at the start, its greatest growth, and the growth of what is a process's own."""
        report: dict[str, dict[str, Any]] = {}
        first = self._samples[0]
        for name, (rss, own) in first.items():
            alive = [sample[name] for sample in self._samples if name in sample]
            quarters = [alive[round(part * (len(alive) - 1) / 4)][1] for part in (1, 2, 3, 4)]
            report[name] = {
                "start": round(rss / MEBIBYTE, 1),
                "greatest_growth": round((max(resident for resident, _own in alive) - rss) / MEBIBYTE, 1),
                "greatest_own_growth": round((max(owned for _resident, owned in alive) - own) / MEBIBYTE, 1),
                "own_growth_by_quarter": [round((quarter - own) / MEBIBYTE, 1) for quarter in quarters],
            }
        return dict(sorted(report.items(), key=lambda entry: -entry[1]["greatest_growth"]))


def as_flac(minutes: float) -> bytes:
    """Return the bundled dialogue, repeated to a length, as mono FLAC at 16 kHz."""
    pcm = (np.clip(dialogue(60), -1, 1) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        for _ in range(round(minutes)):
            frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def memory(minutes: float, jobs: int) -> dict[str, Any]:
    """Analyse a long recording through the HTTP API; several times, so that what is paid only once shows."""
    recording = as_flac(minutes)
    limits = ApiConfig().jobs
    limit = max(limits.min_time_limit_seconds, limits.seconds_per_audio_second * minutes * 60)
    runs = []
    with benchmarked() as system, httpx.Client(base_url=system.url, headers={"X-API-Key": system.api_key}) as client:
        for _ in range(jobs):
            with MemoryWatch() as watch:
                started = time.perf_counter()
                files = {"file": ("talk.flac", recording)}
                job = client.post("/v1/jobs/spoof", files=files, timeout=120).raise_for_status().json()["id"]
                with client.stream("GET", f"/v1/jobs/{job}/events", timeout=None) as events:
                    for _line in events.iter_lines():
                        pass
                seconds = time.perf_counter() - started
                report = client.get(f"/v1/jobs/{job}/artifacts/spoof.json").raise_for_status().json()
            grown = {name: found for name, found in watch.report().items() if found["greatest_growth"] >= 2}
            runs.append({"seconds": seconds, "chunks": len(report["chunks"]), "memory_mib": grown})
    return {"minutes": minutes, "upload_mib": len(recording) / MEBIBYTE, "time_limit_seconds": limit, "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("compact", "wavlm"), default="compact")
    parser.add_argument("--model", type=Path, help="another checkpoint of the compact engine")
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--seconds", type=float, help="audio of each caller in each round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2, help="how many times the long recording is analysed")
    asked = parser.parse_args()
    if asked.memory:
        print(json.dumps(memory(asked.minutes, asked.jobs), indent=2))
        return
    if THREADS_VARIABLE not in os.environ:
        # Read when NumPy is loaded, and what Ray gives its replicas: batches side by side want one thread each.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, THREADS_VARIABLE: "1"})
    configure_logs("WARNING", readable=True)
    slow = asked.engine == "wavlm" and not uses_gpu(WavLmSettings(checkpoint=Path()))
    seconds = asked.seconds or (32.0 if slow else 256.0)
    rounds = asked.rounds or (3 if slow else 5)
    print(json.dumps(throughput(asked.engine, asked.model, asked.callers, seconds, rounds), indent=2))


if __name__ == "__main__":
    main()
