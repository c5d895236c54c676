"""Merging of the exports of several nodes."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from graphs.http.observability.cluster_metrics import merge_exports

pytestmark = pytest.mark.unit

EXPORT = """\
# HELP ray_http_requests_total Requests by method, route and status.
# TYPE ray_http_requests_total counter
ray_http_requests_total{{method="GET",path="/v1/jobs/{{job_id}}",status="200",replica="{replica}",WorkerId="w"}} {count}
# HELP ray_http_request_duration_seconds Seconds.
# TYPE ray_http_request_duration_seconds histogram
ray_http_request_duration_seconds_bucket{{path="/health",le="0.1",replica="{replica}"}} 3
ray_http_request_duration_seconds_bucket{{path="/health",le="+Inf",replica="{replica}"}} 4
ray_http_request_duration_seconds_sum{{path="/health",replica="{replica}"}} 0.5
ray_http_request_duration_seconds_count{{path="/health",replica="{replica}"}} 4
# HELP ray_node_cpu Of Ray's own.
# TYPE ray_node_cpu gauge
ray_node_cpu 1
"""


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_samples_of_all_processes_are_summed_and_rays_own_left_out() -> None:
    merged = merge_exports([EXPORT.format(replica="a", count=5), EXPORT.format(replica="b", count=7), ""])
    assert samples(merged) == {
        (
            "http_requests_total",
            (("method", "GET"), ("path", "/v1/jobs/{job_id}"), ("status", "200")),
        ): 12.0,
        ("http_request_duration_seconds_bucket", (("le", "0.1"), ("path", "/health"))): 6.0,
        ("http_request_duration_seconds_bucket", (("le", "+Inf"), ("path", "/health"))): 8.0,
        ("http_request_duration_seconds_sum", (("path", "/health"),)): 1.0,
        ("http_request_duration_seconds_count", (("path", "/health"),)): 8.0,
    }
    assert "# TYPE http_requests_total counter" in merged
    assert "ray_" not in merged


def test_nothing_is_an_empty_export() -> None:
    assert merge_exports([]) == ""
