"""The metrics of all processes of the cluster in one answer.

Every process gives its metrics to Ray's agent on its node, which exports them with a ``ray_`` prefix and a label per
process. Here those of this product are read from every node, the labels that only tell processes apart are dropped
and the samples summed, so that a counter means the same whichever ingress replica answers.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import httpx
import ray
import structlog
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

_OURS = ("ray_voicegraph_", "ray_http_request")
_LABELS = frozenset({"role", "engine", "method", "path", "status", "le", "kind"})
_TIMEOUT_S = 3.0
_log = structlog.get_logger()

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


async def render_cluster_metrics() -> str:
    """Return the product's metrics over all nodes; a node that does not answer is left out and logged."""
    return await asyncio.to_thread(merge_exports, await node_exports())


async def node_exports() -> list[str]:
    """Return what each node exports; an empty text for one that does not answer."""
    nodes = await asyncio.to_thread(ray.nodes)
    urls = [
        f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics" for node in nodes if node["Alive"]
    ]
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
        return list(await asyncio.gather(*(_fetch(client, url) for url in urls)))


async def _fetch(client: httpx.AsyncClient, url: str) -> str:
    try:
        response = await client.get(url)
        response.raise_for_status()
    except httpx.HTTPError as error:
        _log.warning("a node's metrics are missing", url=url, error=repr(error))
        return ""
    return response.text


def merge_exports(texts: Iterable[str]) -> str:
    """Sum the product's samples of several exports.

    Args:
        texts: Exports in Prometheus's text format.

    Returns:
        One export, without the ``ray_`` prefix and the labels of processes.
    """
    heads: dict[str, tuple[str, str]] = {}
    samples: dict[str, Samples] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for family in _families(texts, _OURS):
        name = family.name.removeprefix("ray_")
        heads[name] = (family.type, family.documentation)
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k in _LABELS))
            samples[name][sample.name.removeprefix("ray_")][labels] += sample.value
    lines: list[str] = []
    for name, (kind, documentation) in sorted(heads.items()):
        shown = f"{name}_total" if kind == "counter" else name
        lines += [f"# HELP {shown} {documentation}", f"# TYPE {shown} {kind}"]
        for sample_name, values in samples[name].items():
            lines += [f"{sample_name}{_braces(labels)} {value:g}" for labels, value in values.items()]
    return "".join(f"{line}\n" for line in lines)


def samples_of(texts: Iterable[str], families: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Yield name, labels and value of each sample in the families whose names begin so."""
    for family in _families(texts, families):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _families(texts: Iterable[str], prefixes: tuple[str, ...]) -> Iterator[Metric]:
    # An export has megabytes of Ray's own; what is not wanted is dropped before it is parsed.
    wanted = tuple(f"{head}{prefix}" for prefix in prefixes for head in ("", "# HELP ", "# TYPE "))
    for text in texts:
        lines = [line for line in text.splitlines() if line.startswith(wanted)]
        yield from text_string_to_metric_families("\n".join([*lines, ""]))


def _braces(labels: tuple[tuple[str, str], ...]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
