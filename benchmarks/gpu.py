"""Benchmark all roles on one GPU: memory held against the share, and throughput served against bare.

python -m benchmarks.gpu [--rounds 3] [--callers 8] [--requests 4] [--seconds 60] [--fraction asr=0.3 ...] [--part P]
python -m benchmarks.gpu --tiny --device cpu

Models of published sizes with random weights, made on the spot: Whisper large-v3 and M2M100-418M on CTranslate2, WavLM
with its head, ECAPA-TDNN, pyannote's 3.1, VITS as MMS has it, Wav2Lip. Part `memory` deploys all of them on one GPU,
each in a process of its own with its fraction, as Serve places them, lets all work at once, and compares the most that
the driver counts for each process with its share. Part `throughput` deploys them one after the other, the bare engine
beside it in this process on the same GPU, and lets callers through Serve's handle and the bare engine take turns, as
many of its calls at once as the deployment makes. Random weights never end a sentence: what is compared is the same
work, not how fast real speech is. Prints JSON; exits with 1 where a process held more than its share. `--tiny` is for
trying the script, with `--device cpu` on a machine without a GPU: a process's own memory stands for the GPU's then, and
nothing is compared with a share.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from ray import serve

from benchmarks.gpu_checkpoints import PUBLISHED, TINY
from benchmarks.gpu_roles import FRACTIONS, Device, Load, Role, roles
from benchmarks.running import MEBIBYTE, own_bytes, process_of
from deployments.logs import configure_logs
from graphs.local.cluster import ray_with_dashboard
from models.gpu_share import free_memory
from models.gpu_share.device import gpu_bytes, gpu_name, held_bytes

SAMPLE_EVERY_S = 0.1
TARGET = 0.9
THREADS_VARIABLE = "OMP_NUM_THREADS"


class MemoryWatch:
    """Notes the most memory that each of some processes holds while a block runs.

    Args:
        processes: By role.
        held: Returns the bytes that a process holds; None where that can't be told.
    """

    def __init__(self, processes: Mapping[str, psutil.Process], held: Callable[[psutil.Process], int | None]) -> None:
        self._processes = processes
        self._held = held
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most: dict[str, int] = {}

    def __enter__(self) -> "MemoryWatch":
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        for role, process in self._processes.items():
            held = self._held(process)
            if held is not None:
                self.most[role] = max(held, self.most.get(role, 0))


def compared(most: Mapping[str, int], shares: Mapping[str, float], memory: int | None) -> dict[str, dict[str, Any]]:
    """Return for each role what it held and may hold, in MiB, and whether that is inside.

    Args:
        most: Bytes by role.
        shares: Parts of the GPU by role.
        memory: Of the GPU, in bytes; None where there is none to compare with.
    """
    report: dict[str, dict[str, Any]] = {}
    for role, fraction in shares.items():
        held = most.get(role)
        row: dict[str, Any] = {"num_gpus": fraction, "held_mib": None if held is None else round(held / MEBIBYTE)}
        if memory is not None:
            row["share_mib"] = round(fraction * memory / MEBIBYTE)
            row["inside"] = None if held is None else held <= fraction * memory
        report[role] = row
    return report


@contextmanager
def deployed(chosen: list[Role], shares: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """Deploy roles, each as an application of its own with its part of the GPU; yields their handles by name."""
    handles = {}
    try:
        for role in chosen:
            application = role.deployment({"num_cpus": 0, "num_gpus": shares[role.name]})
            handles[role.name] = serve.run(application, name=f"benchmark-{role.name}", route_prefix=None)
        yield handles
    finally:
        for role in chosen:
            serve.delete(f"benchmark-{role.name}")


def memory(made: list[Role], shares: Mapping[str, float], device: Device) -> dict[str, Any]:
    """Let all roles work at once on one GPU."""

    async def all_at_once(handles: Mapping[str, Any]) -> None:
        await asyncio.gather(*(role.served(handles[role.name]) for role in made))

    with deployed(made, shares) as handles:
        processes = {role.name: process_of(f"ServeReplica:benchmark-{role.name}:") for role in made}
        held = _on_gpu if device == "cuda" else own_bytes
        with MemoryWatch(processes, held) as watch:
            asyncio.run(all_at_once(handles))
    report = compared(watch.most, shares, gpu_bytes() if device == "cuda" else None)
    for role in made:
        report[role.name]["engine"] = role.settings.engine
    return report


def _on_gpu(process: psutil.Process) -> int | None:
    return held_bytes(process.pid)


def throughput(role: Role, shares: Mapping[str, float], rounds: int) -> dict[str, Any]:
    """Let callers of one deployment and its bare engine take turns."""
    with deployed([role], shares) as handles:
        engine = role.build()
        ways = {"served": partial(_served, role, handles[role.name]), "bare": partial(role.bare, engine)}
        rates = taking_turns(ways, rounds)
    del engine, ways
    gc.collect()
    free_memory()
    ratio = statistics.median(ours / bare for ours, bare in zip(rates["served"], rates["bare"], strict=True))
    return {
        "engine": role.settings.engine,
        "unit": role.unit,
        "a_second": {name: statistics.median(values) for name, values in rates.items()},
        "served_to_bare": ratio,
        "target_met": ratio >= TARGET,
        "rounds": rates,
    }


def _served(role: Role, handle: Any) -> float:
    async def work() -> float:
        return await role.served(handle)

    return asyncio.run(work())


def taking_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return what each way does a second in each round, after a warm-up."""
    for way in ways.values():
        way()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            amount = way()
            rates[name].append(amount / (time.perf_counter() - started))
    return rates


def refusal(device: Device) -> str | None:
    """Return why this machine can't run the benchmark; None where it can."""
    if device == "cuda" and gpu_bytes() is None:
        return "there is no GPU here that the NVIDIA driver shows; to try the script: --tiny --device cpu"
    return None


def fractions(given: list[str]) -> dict[str, float]:
    """Return the parts of the GPU, with those given as ``role=part`` in place of the usual ones.

    Raises:
        ValueError: One is not of that form, or together they are more than a GPU.
    """
    shares = dict(FRACTIONS)
    for text in given:
        role, _, part = text.partition("=")
        if role not in shares:
            raise ValueError(f"there is no role {role!r}; the roles are {', '.join(shares)}")
        shares[role] = float(part)
    if sum(shares.values()) > 1.0001:
        raise ValueError(f"the parts are {sum(shares.values()):.2f} GPUs together, and there is one")
    return shares


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small models and little work, to try the script")
    parser.add_argument("--part", choices=("memory", "throughput"), help="only one of the two")
    parser.add_argument("--role", action="append", choices=tuple(FRACTIONS), help="only this role; may be repeated")
    parser.add_argument("--fraction", action="append", default=[], metavar="ROLE=PART", help="of the GPU")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--callers", type=int)
    parser.add_argument("--requests", type=int, help="of each caller in each round")
    parser.add_argument("--seconds", type=float, help="of a recording for asr and diarization")
    asked = parser.parse_args()
    if (reason := refusal(asked.device)) is not None:
        print(f"benchmarks.gpu: {reason}", file=sys.stderr)
        return 2
    if THREADS_VARIABLE not in os.environ:
        # Read when the libraries are loaded; what Ray gives replicas that were assigned no CPUs.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, THREADS_VARIABLE: "1"})
    shares = fractions(asked.fraction)
    usual = Load(2, 1, 12.0) if asked.tiny else Load(8, 4, 60.0)
    load = Load(asked.callers or usual.callers, asked.requests or usual.requests, asked.seconds or usual.seconds)
    rounds = asked.rounds or (1 if asked.tiny else 3)
    configure_logs("WARNING", readable=True)
    report: dict[str, Any] = {
        "device": asked.device,
        "gpu": gpu_name(),
        "sizes": "tiny" if asked.tiny else "published",
        "callers": load.callers,
        "requests": load.requests,
        "seconds": load.seconds,
    }
    with tempfile.TemporaryDirectory(prefix="voicegraph-benchmark-") as place:
        makers = roles(Path(place), TINY if asked.tiny else PUBLISHED, asked.device, load)
        made = [make() for name, make in zip(FRACTIONS, makers, strict=True) if name in (asked.role or FRACTIONS)]
        shares = {role.name: shares[role.name] for role in made}
        # Without a GPU one is made up, so that parts of it are handed out in the same way.
        with ray_with_dashboard(num_gpus=1):
            serve.start(proxy_location="Disabled")
            if asked.part != "throughput":
                report["memory"] = memory(made, shares, asked.device)
            if asked.part != "memory":
                report["throughput"] = {role.name: throughput(role, shares, rounds) for role in made}
    report["load_average"] = os.getloadavg()[0]
    print(json.dumps(report, indent=2))
    return int(any(row.get("inside") is False for row in report.get("memory", {}).values()))


if __name__ == "__main__":
    sys.exit(main())
