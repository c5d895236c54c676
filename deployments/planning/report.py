"""A plan on paper: as tables and as JSON."""

from collections import Counter
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deployments.planning.gpu_memory_needs import GIBIBYTE
from deployments.planning.packing import STEPS, Node, Packing
from deployments.planning.plan import Plan


def show(plan: Plan, console: Console | None = None) -> None:
    """Print the tables, then what is doubtful and what does not fit."""
    console = console or Console()
    console.print(_deployments(plan))
    for title, packing in (("least scale", plan.least), ("greatest scale", plan.most)):
        console.print(_nodes(title, packing))
    console.print(_summary(plan))
    for sentence in plan.warnings:
        console.print(f"[yellow]warning:[/yellow] {sentence}", soft_wrap=True, highlight=False)
    for sentence in plan.reasons:
        console.print(f"[red]does not fit:[/red] {sentence}", soft_wrap=True, highlight=False)
    if plan.fits:
        console.print(f"[green]fits[/green] GPUs of {plan.gpu_memory / GIBIBYTE:g} GiB", highlight=False)


def _deployments(plan: Plan) -> Table:
    table = Table(
        title="Deployments; share and need in GiB of GPU memory",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("deployment", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    for name in ("replicas", "CPUs", "GPUs", "share", "need"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    colours = {"fits": "green", "too small": "red", "unknown": "yellow", "CPU": "dim"}
    for deployment, memory in plan.deployments:
        scale = str(deployment.least)
        if deployment.most != deployment.least:
            scale += f"-{deployment.most}"
        need = None if memory.need is None or not memory.on_gpu else memory.need.bytes / GIBIBYTE
        table.add_row(
            deployment.name,
            deployment.engine.engine if deployment.engine is not None else "",
            scale,
            f"{deployment.cpus:g}",
            f"{deployment.gpus:g}" if deployment.gpus else "",
            f"{memory.share / GIBIBYTE:.2f}" if deployment.gpus else "",
            "" if need is None else f"{need:.2f}",
            f"[{colours[memory.verdict]}]{memory.verdict}[/]" if deployment.engine is not None else "",
        )
    return table


def _nodes(title: str, packing: Packing) -> Table:
    table = Table(title=f"Packing at the {title}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("node", no_wrap=True)
    for name in ("GPU", "taken", "CPUs", "memory GiB"):
        table.add_column(name, justify="right")
    table.add_column("replicas")
    for number, node in enumerate(packing.nodes, 1):
        totals = [f"{number} {node.kind.name}", f"{_cpus(node):g}", _memory(node)]
        rows = [
            (str(device), f"{(STEPS - room) / STEPS:g}", _on_device(node, device))
            for device, room in enumerate(node.devices)
        ]
        if beside := _on_device(node, None):
            rows.append(("", "", beside))
        for device_name, taken, replicas in rows:
            name, cpus, memory = totals
            table.add_row(name, device_name, taken, cpus, memory, _named(replicas))
            totals = ["", "", ""]
    if packing.unplaced:
        waiting = Counter(replica.deployment for replica in packing.unplaced)
        table.add_row("nowhere", "", "", "", "", f"[red]{_named(waiting)}[/red]")
    if not any(_memory(node) for node in packing.nodes):
        # No deployment reserves any.
        del table.columns[4]
    return table


def _summary(plan: Plan) -> str:
    lines = [
        f"GPU nodes: {_gpu_nodes(plan.least)} at the least scale, {_gpu_nodes(plan.most)} at the greatest, "
        f"{_gpu_nodes(plan.updating)} there while all is updated at once.",
    ]
    surging = [d.name for d, _memory in plan.deployments if d.gpus and d.surge(d.least)]
    if plan.waiting:
        lines.append(f"A rolling update at the least scale needs another GPU for {', '.join(plan.waiting)}.")
    elif surging:
        lines.append("A rolling update at the least scale, of one role after the other, needs no other GPU.")
    return "\n".join(lines)


def _gpu_nodes(packing: Packing) -> int:
    return sum(1 for node in packing.nodes if node.kind.gpus)


def _cpus(node: Node) -> float:
    return sum(replica.cpus for replica, _devices in node.placed) / STEPS


def _memory(node: Node) -> str:
    """Return the host memory that replicas reserve; empty where none reserves any."""
    reserved = sum(replica.memory for replica, _devices in node.placed)
    return f"{reserved / GIBIBYTE:.1f}" if reserved else ""


def _on_device(node: Node, device: int | None) -> Counter[str]:
    """Count the replicas on a GPU; of None, those without one."""
    placed = (
        replica.deployment
        for replica, devices in node.placed
        if (device in devices if device is not None else not devices)
    )
    return Counter(placed)


def _named(replicas: Counter[str]) -> str:
    return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in replicas.items())


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON; memory in GiB."""
    return {
        "fits": plan.fits,
        "gpu_memory_gib": plan.gpu_memory / GIBIBYTE,
        "deployments": [
            {
                "application": deployment.application,
                "name": deployment.name,
                "engine": deployment.engine.engine if deployment.engine is not None else None,
                "min_replicas": deployment.least,
                "max_replicas": deployment.most,
                "surge_replicas": deployment.surge(deployment.most),
                "num_gpus": deployment.gpus,
                "num_cpus": deployment.cpus,
                "memory_gib": deployment.memory / GIBIBYTE,
                "share_gib": round(memory.share / GIBIBYTE, 3),
                "need_gib": None if memory.need is None else round(memory.need.bytes / GIBIBYTE, 3),
                "verdict": memory.verdict if deployment.engine is not None else None,
            }
            for deployment, memory in plan.deployments
        ],
        "min": _packing_json(plan.least),
        "max": _packing_json(plan.most),
        "max_gpu_nodes_while_updating": _gpu_nodes(plan.updating),
        "updates_needing_another_gpu": list(plan.waiting),
        "reasons": list(plan.reasons),
        "warnings": list(plan.warnings),
    }


def _packing_json(packing: Packing) -> dict[str, Any]:
    return {
        "gpu_nodes": _gpu_nodes(packing),
        "nodes": [
            {
                "kind": node.kind.name,
                "num_cpus": _cpus(node),
                "memory_gib": sum(replica.memory for replica, _devices in node.placed) / GIBIBYTE,
                "gpus": [
                    {"taken": (STEPS - room) / STEPS, "replicas": dict(_on_device(node, device))}
                    for device, room in enumerate(node.devices)
                ],
                "without_gpu": dict(_on_device(node, None)),
            }
            for node in packing.nodes
        ],
        "unplaced": dict(Counter(replica.deployment for replica in packing.unplaced)),
    }
