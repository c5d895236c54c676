"""Placement of a Serve configuration's replicas on GPUs, and the comparison of each engine's need with its share."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deployments.planning.gpu_memory_needs import GIBIBYTE, GpuMemoryNeed, gpu_memory_need, runs_on_gpu
from deployments.planning.packing import STEPS, NodeKind, Packing, Replica, pack
from deployments.planning.replicas import PlannedDeployment


@dataclass(frozen=True)
class Memory:
    """GPU memory of one deployment's replicas.

    Attributes:
        share: Bytes that one replica may hold; 0 without a GPU.
        need: What its engine needs; None where that is not known, or there is no engine.
        on_gpu: Whether its engine computes on a GPU.
    """

    share: float
    need: GpuMemoryNeed | None
    on_gpu: bool

    @property
    def verdict(self) -> str:
        """Result of the comparison: ``fits``, ``too small``, ``unknown`` or ``CPU``."""
        if not self.on_gpu:
            return "CPU"
        if self.need is None:
            return "unknown"
        return "fits" if self.need.bytes <= self.share else "too small"


@dataclass(frozen=True)
class Plan:
    """Resources that a configuration asks of a cluster, and whether they fit.

    Attributes:
        gpu_memory: Bytes of one GPU.
        deployments: What there is, each with its GPU memory.
        least: The packing at the least scale.
        most: At the greatest scale.
        updating: At the greatest scale, with the replicas that rolling updates of all deployments add.
        waiting: Deployments whose rolling update at the least scale finds no room on the GPUs in use.
        reasons: Why it does not fit, a sentence each.
        warnings: What is probably not meant.
    """

    gpu_memory: float
    deployments: tuple[tuple[PlannedDeployment, Memory], ...]
    least: Packing
    most: Packing
    updating: Packing
    waiting: tuple[str, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """True if there is no reason against it."""
        return not self.reasons


def plan(deployments: Sequence[PlannedDeployment], gpu_memory: float, kinds: Sequence[NodeKind]) -> Plan:
    """Place a configuration's replicas and compare its engines with their shares.

    Args:
        deployments: Of the configuration.
        gpu_memory: Bytes of one GPU.
        kinds: Nodes that there may be.
    """
    rows = tuple((deployment, _memory(deployment, gpu_memory)) for deployment in deployments)
    least = pack(_replicas((d, d.least) for d in deployments), kinds)
    most = pack(_replicas((d, d.most) for d in deployments), kinds)
    unbounded = [NodeKind(kind.name, kind.gpus, kind.cpus) for kind in kinds]
    updating = pack(_replicas((d, d.most + d.surge(d.most)) for d in deployments), unbounded)
    waiting = tuple(
        d.name
        for d in deployments
        if d.gpus
        and d.least
        and d.surge(d.least)
        and not least.fits_besides(Replica.of(d.name, d.gpus, d.cpus, d.memory))
    )
    reasons = [sentence for row in rows for sentence in _faults(*row, gpu_memory, kinds)]
    reasons += _unplaced(least, "the least", kinds) or _unplaced(most, "the greatest", kinds)
    warnings = [sentence for row in rows for sentence in _doubts(*row)]
    warnings += _wasted(least, "the least") + _wasted(most, "the greatest")
    return Plan(gpu_memory, rows, least, most, updating, waiting, tuple(reasons), tuple(warnings))


def _replicas(scale: Iterator[tuple[PlannedDeployment, int]]) -> Iterator[Replica]:
    for deployment, count in scale:
        yield from [_replica(deployment)] * count


def _replica(deployment: PlannedDeployment) -> Replica:
    return Replica.of(deployment.name, deployment.gpus, deployment.cpus, deployment.memory)


def _memory(deployment: PlannedDeployment, gpu_memory: float) -> Memory:
    given = deployment.gpus > 0
    # An engine computes on one device, however many its replica has.
    share = min(deployment.gpus, 1.0) * gpu_memory
    if deployment.engine is None:
        return Memory(share, None, on_gpu=False)
    need = gpu_memory_need(deployment.engine, deployment.work, given=given)
    return Memory(share, need, runs_on_gpu(deployment.engine, given=given))


def _faults(
    deployment: PlannedDeployment, memory: Memory, gpu_memory: float, kinds: Sequence[NodeKind]
) -> Iterator[str]:
    name, gpus = deployment.name, deployment.gpus
    if gpus > 1 and gpus % 1:
        yield f"{name} asks for {gpus:g} GPUs: above one, Ray gives whole GPUs only"
    if gpus and memory.verdict == "too small" and memory.need is not None:
        enough = math.ceil(100 * memory.need.bytes / gpu_memory) / 100
        advice = f"raise num_gpus to {enough:g}" if enough <= 1 else "no GPU of this size holds it"
        yield (
            f"{name} needs {_gib(memory.need.bytes)}, its share {gpus:g} of {_gib(gpu_memory)} is "
            f"{_gib(memory.share)}: {advice}, or choose a smaller model, batch or precision"
        )
    with_gpus = [kind for kind in kinds if kind.gpus]
    if gpus and deployment.cpus and with_gpus and all(kind.cpus == 0 for kind in with_gpus):
        yield f"{name} asks for {deployment.cpus:g} CPUs beside a GPU, and no node with GPUs has any: set num_cpus to 0"


def _unplaced(packing: Packing, scale: str, kinds: Sequence[NodeKind]) -> list[str]:
    waiting: dict[str, int] = {}
    for replica in packing.unplaced:
        waiting[replica.deployment] = waiting.get(replica.deployment, 0) + 1
    if not waiting:
        return []
    count = ", ".join(f"{number} of {name}" for name, number in waiting.items())
    nodes = " and ".join(
        f"{'any number' if kind.most is None else kind.most} of {kind.name!r}, with {kind.gpus} GPUs"
        + ("" if kind.cpus is None else f" and {kind.cpus:g} CPUs")
        for kind in kinds
    )
    return [f"at {scale} scale there is no room for {count}: there may be nodes, {nodes}"]


def _doubts(deployment: PlannedDeployment, memory: Memory) -> Iterator[str]:
    name, engine = deployment.name, deployment.engine
    if engine is not None:
        if memory.on_gpu and not deployment.gpus:
            yield f"{name}'s engine asks for a GPU, but its deployment for none: set num_gpus, or Ray hides the GPUs"
        if deployment.gpus and not memory.on_gpu:
            yield f"{name} takes {deployment.gpus:g} of a GPU, but its engine {engine.engine} runs on the CPU"
        if memory.verdict == "unknown":
            yield f"{name}: nothing is known of the model of {engine.engine}, nor is it on this machine: measure it"
        if deployment.gpus > 1:
            yield f"{name} takes {deployment.gpus:g} GPUs, but an engine computes on one"
    if deployment.max_ongoing_requests == 1:
        yield f"{name} has max_ongoing_requests 1, at which Serve's router leaves replicas idle: 2 at least"
    worker = getattr(deployment.arguments, deployment.name, None)
    if deployment.policy and "jobs_per_worker" in deployment.policy and worker is not None:
        jobs, runs = deployment.policy["jobs_per_worker"], getattr(worker, "concurrency", None)
        if runs is not None and jobs != runs:
            yield f"{name}: its policy's jobs_per_worker is {jobs}, and it runs {runs} jobs at once (concurrency)"
    grace = getattr(worker, "shutdown_grace_seconds", None)
    if grace is not None and deployment.grace <= grace:
        yield (
            f"{name} is killed after {deployment.grace:g} s (graceful_shutdown_timeout_s), before its jobs' grace of "
            f"{grace:g} s is over"
        )


def _wasted(packing: Packing, scale: str) -> list[str]:
    """Say where shares take more GPUs than they sum up to, and where a replica may wait for a GPU in pieces."""
    said = []
    total = sum(replica.gpus for node in packing.nodes for replica, _devices in node.placed)
    devices = sum(len(node.devices) for node in packing.nodes)
    needed, used = math.ceil(total / STEPS), packing.gpus_used
    if used > needed and devices:
        left = max(room for node in packing.nodes for room in node.devices if room < STEPS) / STEPS
        said.append(
            f"at {scale} scale the shares sum up to {total / STEPS:g} GPUs and take {used}: they leave pieces of a GPU "
            f"that none fits into, the largest {left:g}"
        )
    if packing.splintered:
        names = ", ".join(sorted({replica.deployment for replica in packing.splintered}))
        said.append(
            f"at {scale} scale Ray may send {names} to a node whose GPUs have room only in pieces, where it waits: "
            "choose shares that add up to whole GPUs, or nodes with one GPU"
        )
    return said


def _gib(count: float) -> str:
    return f"{count / GIBIBYTE:.1f} GiB"
