"""The nodes that a cluster file of Ray's launcher allows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deployments.planning.packing import NodeKind
from deployments.strict import ConfigError


def read_node_kinds(path: Path) -> list[NodeKind]:
    """Return the kinds of worker nodes of a cluster.yaml, those of higher priority first, and the head if it has CPUs.

    A kind whose ``resources`` name no CPUs has those of its machine, which are not known here and not counted.

    Raises:
        ConfigError: It can't be read, or has no node types.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        types: Mapping[str, Any] = data["available_node_types"]
        head, most = data["head_node_type"], data.get("max_workers")
        kinds = [
            (-int(node.get("priority", 0)), _kind(name, node, most, is_head=name == head))
            for name, node in types.items()
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path}: not a cluster file with available_node_types: {error!r}") from error
    return [kind for _priority, kind in sorted(kinds, key=lambda item: item[0]) if kind.gpus or kind.cpus != 0]


def _kind(name: str, node: Mapping[str, Any], most: int | None, *, is_head: bool) -> NodeKind:
    resources = node.get("resources") or {}
    limit = 1 if is_head else node.get("max_workers", most)
    cpus = resources.get("CPU")
    return NodeKind(
        name,
        int(resources.get("GPU", 0)),
        None if cpus is None else float(cpus),
        limit if limit is None or most is None or is_head else min(int(limit), int(most)),
    )
