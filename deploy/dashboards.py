"""Writes Grafana's dashboards: ``python -m deploy.dashboards`` fills deploy/grafana/dashboards.

A dashboard is rows of panels; a panel is a title, a unit and the queries whose lines it shows. Everything else, which
Grafana's JSON is full of, is the same for all of them and stands here once.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
SCHEMA_VERSION = 41
COLUMNS = 24
HEIGHT = 8
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Line:
    """One query of a panel.

    Attributes:
        query: In PromQL.
        legend: What its series are called; ``{{label}}`` is filled in by Grafana.
    """

    query: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A graph over time.

    Attributes:
        title: Above it.
        unit: Grafana's name of the unit.
        lines: What it shows.
        help: What it means, shown on demand.
        stacked: Whether the series are piled up.
        maximum: Upper end of the axis; None for as high as the data go.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    help: str
    stacked: bool = False
    maximum: float | None = None


@dataclass(frozen=True)
class Row:
    """Panels side by side below a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A page.

    Attributes:
        uid: Grafana's name for it, and the file's.
        title: What people see.
        rows: From top to bottom.
    """

    uid: str
    title: str
    rows: tuple[Row, ...]


def rate(counter: str, *by: str, where: str = "") -> str:
    """Return the rate of a counter per second, summed, by labels if there are any."""
    grouping = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouping} (rate({counter}{where}[$__rate_interval]))"


def share(part: str, whole: str, *by: str, of: str = "", where: str = "") -> str:
    """Return what part of the events of a counter another counter saw; 0 where that one has not begun to count.

    Args:
        part: The counter of the part.
        whole: The counter of all.
        by: Labels that both are summed by.
        of: Selects among the part's series.
        where: Selects among the whole's series, and the part's where ``of`` is left out.
    """
    all_of_them = rate(whole, *by, where=where)
    return f"({rate(part, *by, where=of or where)} or 0 * {all_of_them}) / {all_of_them}"


def quantile(q: float, histogram: str, *by: str, where: str = "") -> str:
    """Return a quantile of a histogram by labels."""
    labels = ", ".join(("le", *by))
    return f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket{where}[$__rate_interval])))"


def mean(summary: str, *by: str, where: str = "") -> str:
    """Return the mean of a summary or histogram by labels."""
    return f"{rate(summary + '_sum', *by, where=where)} / {rate(summary + '_count', *by, where=where)}"


def p50_p95(histogram: str, *by: str, where: str = "") -> tuple[Line, Line]:
    """Return the lines of a histogram's median and 95th percentile."""
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return (
        Line(quantile(0.5, histogram, *by, where=where), f"{legend} p50".strip()),
        Line(quantile(0.95, histogram, *by, where=where), f"{legend} p95".strip()),
    )


_JOB = '{kind=~"$kind"}'
_ROLE = '{role=~"$role"}'
# /ready says 503 while something is missing: that is its purpose.
_NOT_READY = '{path!="/ready"}'

OVERVIEW = Dashboard(
    "overview",
    "VoiceGraph: graphs, queue, errors",
    (
        Row(
            "Requests",
            (
                Panel(
                    "Requests",
                    "reqps",
                    (Line(rate("ray_http_requests_total", "status"), "{{status}}"),),
                    "HTTP requests a second by status.",
                    stacked=True,
                ),
                Panel(
                    "Errors",
                    "percentunit",
                    (
                        Line(
                            share(
                                "ray_http_requests_total",
                                "ray_http_requests_total",
                                of='{status=~"5..", path!="/ready"}',
                                where=_NOT_READY,
                            ),
                            "5xx of all",
                        ),
                        Line(
                            share(
                                "ray_http_requests_total",
                                "ray_http_requests_total",
                                of='{status=~"429|503", path!="/ready"}',
                                where=_NOT_READY,
                            ),
                            "429 and 503 of all",
                        ),
                    ),
                    "Requests that failed, and those that were told to come back later.",
                    maximum=1,
                ),
                Panel(
                    "Time of requests, 95th percentile",
                    "s",
                    (Line(quantile(0.95, "ray_http_request_duration_seconds", "path"), "{{path}}"),),
                    "To the end of the response: uploads and event streams last as long as they last.",
                ),
            ),
        ),
        Row(
            "Job queue",
            (
                Panel(
                    "Audio that waits and is worked on",
                    "s",
                    (
                        Line("sum by (kind) (voicegraph_queued_audio_seconds)", "{{kind}} waits"),
                        Line("sum by (kind) (voicegraph_running_audio_seconds)", "{{kind}} runs"),
                    ),
                    "Seconds of audio. What waits scales the job workers.",
                    stacked=True,
                ),
                Panel(
                    "Age of the oldest waiting job",
                    "s",
                    (Line("max by (kind) (voicegraph_oldest_queued_seconds)", "{{kind}}"),),
                    "How long somebody has been waiting for a worker.",
                ),
                Panel(
                    "Jobs",
                    "short",
                    (Line('sum by (state) (voicegraph_jobs{kind=~"$kind", state=~"queued|running"})', "{{state}}"),),
                    "Jobs that wait and jobs that run.",
                ),
            ),
        ),
        Row(
            "Graphs",
            (
                Panel(
                    "Jobs that ended",
                    "cpm",
                    (
                        Line(
                            f"60 * {rate('voicegraph_job_seconds_count', 'kind', 'state', where=_JOB)}",
                            "{{kind}} {{state}}",
                        ),
                    ),
                    "Jobs a minute by graph and final state.",
                ),
                Panel(
                    "Time of a job, mean",
                    "s",
                    (Line(mean("voicegraph_job_seconds", "kind", where=_JOB), "{{kind}}"),),
                    "From the start of the last attempt to its end.",
                ),
                Panel(
                    "Time of a stage, mean",
                    "s",
                    (Line(mean("voicegraph_job_stage_seconds", "kind", "stage", where=_JOB), "{{kind}} {{stage}}"),),
                    "Where a graph's time goes.",
                ),
            ),
        ),
        Row(
            "Live",
            (
                Panel(
                    "Open connections",
                    "short",
                    (Line("sum(ray_voicegraph_live_connections)", "WebSockets"),),
                    "Live audio over WebSocket.",
                ),
                Panel(
                    "Connections that ended",
                    "cpm",
                    (Line(f"60 * {rate('ray_voicegraph_live_connections_ended_total', 'status')}", "{{status}}"),),
                    "By the reason.",
                ),
                Panel(
                    "Time of gRPC calls",
                    "s",
                    p50_p95("ray_voicegraph_grpc_request_duration_seconds", "method"),
                    "From a call's arrival at the ingress to its end.",
                ),
            ),
        ),
    ),
)

ROLES = Dashboard(
    "roles",
    "VoiceGraph: roles, batches, replicas",
    (
        Row(
            "Roles",
            (
                Panel(
                    "Audio worked on per second",
                    "none",
                    (Line(rate("ray_voicegraph_audio_seconds_total", "role", where=_ROLE), "{{role}}"),),
                    "Seconds of audio given to the engines in a second: 60 means that a minute takes a second.",
                ),
                Panel(
                    "Time of calls",
                    "s",
                    p50_p95("ray_voicegraph_engine_call_seconds", "role", where=_ROLE),
                    "From a call's start in the replica to its last result.",
                ),
                Panel(
                    "Errors",
                    "percentunit",
                    (
                        Line(
                            share(
                                "ray_voicegraph_engine_errors_total",
                                "ray_voicegraph_engine_calls_total",
                                "role",
                                where=_ROLE,
                            ),
                            "{{role}}",
                        ),
                    ),
                    "Calls that raised.",
                    maximum=1,
                ),
            ),
        ),
        Row(
            "Work and batches",
            (
                Panel(
                    "Engine threads at work",
                    "short",
                    (Line(rate("ray_voicegraph_engine_busy_seconds_total", "role", where=_ROLE), "{{role}}"),),
                    "How many threads of the engines were busy, over all replicas.",
                ),
                Panel(
                    "Size of batches, mean",
                    "short",
                    (Line(mean("ray_voicegraph_batch_size", "role", where=_ROLE), "{{role}}"),),
                    "In the role's own unit: chunks, tokens, frames or seconds. The setting max_batch_... is the most.",
                ),
                Panel(
                    "Wait for a batch",
                    "s",
                    p50_p95("ray_voicegraph_batch_wait_seconds", "role", where=_ROLE),
                    "From a call's arrival to the start of its first batch.",
                ),
                Panel(
                    "Waiting for a batch",
                    "short",
                    (Line(f"sum by (role) (ray_voicegraph_batch_queue{_ROLE})", "{{role}}"),),
                    "Items that wait in the replicas, in the role's own unit.",
                ),
            ),
        ),
        Row(
            "Speech",
            (
                Panel(
                    "First sound",
                    "s",
                    p50_p95("ray_voicegraph_speech_first_sound_seconds", "engine"),
                    "From a call's arrival in the replica to its first speech.",
                ),
                Panel(
                    "Speech made per second",
                    "none",
                    (Line(rate("ray_voicegraph_speech_seconds_total", "engine"), "{{engine}}"),),
                    "Seconds of speech made in a second.",
                ),
            ),
        ),
        Row(
            "Replicas",
            (
                Panel(
                    "Healthy replicas",
                    "short",
                    (Line("sum by (deployment) (ray_serve_deployment_replica_healthy)", "{{deployment}}"),),
                    "Per deployment.",
                    stacked=True,
                ),
                Panel(
                    "Replicas that autoscaling wants",
                    "short",
                    (Line("max by (deployment) (ray_serve_autoscaling_target_replicas)", "{{deployment}}"),),
                    "More than the healthy ones: they start, or wait for a node.",
                ),
                Panel(
                    "Calls that wait for a replica",
                    "short",
                    (Line("sum by (deployment) (ray_serve_deployment_queued_queries)", "{{deployment}}"),),
                    "In the callers' processes; at 256 in one of them more are refused.",
                ),
                Panel(
                    "Failed health checks",
                    "short",
                    (
                        Line(
                            "sum by (deployment) (increase(ray_serve_health_check_failures_total[$__rate_interval]))",
                            "{{deployment}}",
                        ),
                    ),
                    "Three in a row and Serve replaces the replica.",
                ),
            ),
        ),
    ),
)

GPU = Dashboard(
    "gpu",
    "VoiceGraph: GPUs and nodes",
    (
        Row(
            "Shares",
            (
                Panel(
                    "GPU memory of the roles",
                    "bytes",
                    (Line(f"sum by (role) (ray_voicegraph_gpu_memory_bytes{_ROLE})", "{{role}}"),),
                    "Held by the replicas' processes.",
                    stacked=True,
                ),
                Panel(
                    "Use of the share",
                    "percentunit",
                    (
                        Line(
                            f"max by (role) (ray_voicegraph_gpu_memory_bytes{_ROLE}"
                            f" / ray_voicegraph_gpu_share_bytes{_ROLE})",
                            "{{role}}",
                        ),
                    ),
                    "Memory held over the share that the process may have; the fullest replica of each role.",
                    maximum=1,
                ),
                Panel(
                    "Out of GPU memory",
                    "short",
                    (
                        Line(
                            "sum by (role) "
                            f"(increase(ray_voicegraph_gpu_out_of_memory_total{_ROLE}[$__rate_interval]))",
                            "{{role}}",
                        ),
                    ),
                    "Batches that did not fit and were tried again, smaller.",
                ),
            ),
        ),
        Row(
            "GPUs",
            (
                Panel(
                    "GPU memory",
                    "decmbytes",
                    (
                        Line("sum by (Hostname, gpu) (DCGM_FI_DEV_FB_USED)", "{{Hostname}} GPU {{gpu}} used"),
                        Line("sum by (Hostname, gpu) (DCGM_FI_DEV_FB_FREE)", "{{Hostname}} GPU {{gpu}} free"),
                    ),
                    "As the driver sees it, other programs included.",
                    stacked=True,
                ),
                Panel(
                    "GPU at work",
                    "percent",
                    (Line("max by (Hostname, gpu) (DCGM_FI_DEV_GPU_UTIL)", "{{Hostname}} GPU {{gpu}}"),),
                    "Share of the time in which a kernel ran.",
                    maximum=100,
                ),
                Panel(
                    "Power",
                    "watt",
                    (Line("max by (Hostname, gpu) (DCGM_FI_DEV_POWER_USAGE)", "{{Hostname}} GPU {{gpu}}"),),
                    "Drawn by the GPU.",
                ),
                Panel(
                    "Temperature",
                    "celsius",
                    (Line("max by (Hostname, gpu) (DCGM_FI_DEV_GPU_TEMP)", "{{Hostname}} GPU {{gpu}}"),),
                    "Of the GPU.",
                ),
            ),
        ),
        Row(
            "Nodes",
            (
                Panel(
                    "Processor",
                    "percent",
                    (Line("max by (ip) (ray_node_cpu_utilization)", "{{ip}}"),),
                    "Of each Ray node.",
                    maximum=100,
                ),
                Panel(
                    "Memory",
                    "percentunit",
                    (Line("max by (ip) (ray_node_mem_used / ray_node_mem_total)", "{{ip}}"),),
                    "Of each Ray node.",
                    maximum=1,
                ),
                Panel(
                    "Disk",
                    "percent",
                    (Line("max by (ip) (ray_node_disk_utilization_percentage)", "{{ip}}"),),
                    "Of each Ray node: weights, logs, spilled objects.",
                    maximum=100,
                ),
                Panel(
                    "Connections of PostgreSQL",
                    "short",
                    (
                        Line("sum(pg_stat_activity_count)", "open"),
                        Line("max(pg_settings_max_connections)", "allowed"),
                    ),
                    "Every ingress, live and worker replica keeps up to storage.database_connections.",
                ),
            ),
        ),
    ),
)

DASHBOARDS = (OVERVIEW, ROLES, GPU)


def rendered(dashboard: Dashboard) -> str:
    """Return a dashboard as Grafana's JSON."""
    document = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["voicegraph"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": list(_variables(dashboard))},
        "panels": list(_panels(dashboard.rows)),
    }
    return json.dumps(document, indent=2) + "\n"


def _variables(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    """Yield the page's variables: the data source, and each label that its queries filter by."""
    yield {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    queries = "".join(line.query for row in dashboard.rows for panel in row.panels for line in panel.lines)
    for name, source in (("kind", "voicegraph_jobs"), ("role", "ray_voicegraph_engine_calls_total")):
        if f"${name}" in queries:
            yield {
                "name": name,
                "type": "query",
                "label": name.capitalize(),
                "datasource": _DATASOURCE,
                "query": f"label_values({source}, {name})",
                "refresh": 2,
                "multi": True,
                "includeAll": True,
                "allValue": ".*",
                "current": {"text": "All", "value": "$__all"},
            }


def _panels(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield Grafana's panels, numbered and placed on its grid of 24 columns."""
    number = y = 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }
        y += 1
        width = COLUMNS // len(row.panels)
        for column, panel in enumerate(row.panels):
            number += 1
            yield _panel(panel, number, {"x": column * width, "y": y, "w": width, "h": HEIGHT})
        y += HEIGHT


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "custom": {
            "drawStyle": "line",
            "fillOpacity": 20 if panel.stacked else 0,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        },
    }
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.help,
        "datasource": _DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _DATASOURCE, "expr": line.query, "legendFormat": line.legend}
            for index, line in enumerate(panel.lines)
        ],
    }


def main() -> None:
    """Write every dashboard."""
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(rendered(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
