"""Every metric and label that dashboards and alerts use is one that the system, Ray or a known exporter has."""

import ast
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import ray
import yaml

from deploy.dashboards import COLUMNS, DASHBOARDS, FOLDER, rendered
from graphs.http.observability.job_metrics import _families
from storage.jobs import JobStatistics, Total

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
ALERTS = REPOSITORY / "deploy" / "prometheus" / "alerts.yaml"
RUNBOOK = REPOSITORY / "docs" / "operation.md"

# What Ray adds to every metric, and Serve to those made in a replica.
RAY_LABELS = {"instance", "job", "application", "deployment", "replica"}
SERIES_OF = {"Histogram": ("_bucket", "_sum", "_count"), "Gauge": ("",)}
# Names from the exporters' own documentation: dcgm-exporter's default counters, postgres_exporter's default collectors.
OTHERS = {
    "up": {"instance", "job"},
    "DCGM_FI_DEV_FB_USED": {"gpu", "Hostname"},
    "DCGM_FI_DEV_FB_FREE": {"gpu", "Hostname"},
    "DCGM_FI_DEV_GPU_UTIL": {"gpu", "Hostname"},
    "DCGM_FI_DEV_GPU_TEMP": {"gpu", "Hostname"},
    "DCGM_FI_DEV_POWER_USAGE": {"gpu", "Hostname"},
    "DCGM_FI_DEV_XID_ERRORS": {"gpu", "Hostname"},
    "pg_up": {"instance", "job"},
    "pg_stat_activity_count": {"datname", "state"},
    "pg_settings_max_connections": {"server"},
}


def names_in_prometheus(kind: str, name: str) -> list[str]:
    """What a metric of Ray's is called in Prometheus, with RAY_EXPORT_COUNTER_AS_GAUGE=0."""
    if kind == "Counter":
        return [f"ray_{name.removesuffix('_total')}_total"]
    return [f"ray_{name}{suffix}" for suffix in SERIES_OF[kind]]


def constant(node: ast.expr, names: dict[str, ast.expr]) -> Any:
    """Evaluate what the calls are made of: literals, names of them, sums; of alternatives what is in both."""
    if isinstance(node, ast.IfExp):
        return set(constant(node.body, names)) & set(constant(node.orelse, names))
    if isinstance(node, ast.Name):
        return constant(names[node.id], names)
    if isinstance(node, ast.BinOp):
        return constant(node.left, names) + constant(node.right, names)
    return ast.literal_eval(node)


def assigned(function: ast.AST) -> dict[str, ast.expr]:
    """The values that names are given in a function."""
    found: dict[str, ast.expr] = {"PREFIX": ast.Constant("voicegraph_")}
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = node.value
    return found


def made_in(file: Path) -> Iterator[tuple[str, set[str]]]:
    """Find the metrics that a module's functions make, as Prometheus sees them, with their labels."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        calls = [call for call in ast.walk(function) if isinstance(call, ast.Call) and kind_of(call)]
        names = assigned(function) if calls else {}
        for call in calls:
            arguments = {keyword.arg: keyword.value for keyword in call.keywords}
            labels = constant(arguments.get("tag_keys", ast.Constant(())), names)
            for name in names_in_prometheus(kind_of(call), constant(call.args[0], names)):
                yield name, {*labels, *RAY_LABELS, "le"}


def kind_of(call: ast.Call) -> str:
    """Whether a call makes a counter, a gauge or a histogram; empty when it makes none, or none with a plain name."""
    kind = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
    plain = bool(call.args) and isinstance(call.args[0], ast.Constant | ast.BinOp)
    return kind if plain and kind in ("Counter", *SERIES_OF) else ""


def of_the_system() -> dict[str, set[str]]:
    files = [
        file
        for package in ("deployments", "graphs")
        for file in (REPOSITORY / package).rglob("*.py")
        if "ray.serve.metrics import" in file.read_text(encoding="utf-8")
    ]
    return dict(pair for file in files for pair in made_in(file))


def of_the_queue() -> dict[str, set[str]]:
    total = Total(seconds=1.0, count=1)
    statistics = JobStatistics(
        counts={("spoof", "queued"): 1},
        queued_cost={"spoof": 1.0},
        running_cost={"spoof": 1.0},
        oldest_queued_seconds={"spoof": 1.0},
        ended={("spoof", "failed"): total},
        stages={("spoof", "decode"): total},
    )
    return {
        sample.name: {*sample.labels, "instance", "job"}
        for family in _families(statistics)
        for sample in family.samples
    }


def of_ray() -> dict[str, set[str]]:
    """Names in Ray's own sources: those of Serve, and the reporter's of the nodes."""
    folder = Path(ray.__file__).parent
    serve = folder / "serve" / "_private"
    found = dict(pair for name in ("deployment_state", "router") for pair in made_in(serve / f"{name}.py"))
    reporter = (folder / "dashboard" / "modules" / "reporter" / "reporter_agent.py").read_text()
    for name in re.findall(r'"(node_\w+)": Gauge\(', reporter):
        found[f"ray_{name}"] = {"ip", "instance", "job", "SessionName", "RayNodeType", "IsHeadNode"}
    return found


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    return {**of_ray(), **of_the_queue(), **of_the_system(), **OTHERS}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def parsed(query: str) -> Any:
    """Parse a query, with Grafana's variables filled in."""
    return promql_parser.parse(re.sub(r"\$(kind|role)\b", ".*", query.replace("$__rate_interval", "1m")))


QUERIES = {
    **{
        f"{dashboard.uid}: {panel.title}: {line.legend}": line.query
        for dashboard in DASHBOARDS
        for row in dashboard.rows
        for panel in row.panels
        for line in panel.lines
    },
    **{rule["alert"]: rule["expr"] for rule in alerts()},
}


def walk(expression: Any) -> Iterator[Any]:
    """Yield an expression and all below it."""
    yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (below := getattr(expression, name, None)) is not None:
            yield from walk(below)
    for argument in getattr(expression, "args", None) or []:
        yield from walk(argument)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_is_promql_over_metrics_and_labels_that_exist(name: str, known: dict[str, set[str]]) -> None:
    expressions = list(walk(parsed(QUERIES[name])))
    selectors = [part for part in expressions if isinstance(part, promql_parser.VectorSelector)]
    assert selectors
    labels: set[str] = set()
    for selector in selectors:
        assert selector.name in known
        asked = {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}
        assert asked <= known[selector.name]
        labels |= known[selector.name]
    for part in expressions:
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            assert set(part.modifier.labels) <= labels


def test_a_name_that_nobody_exports_would_be_noticed(known: dict[str, set[str]]) -> None:
    assert "ray_voicegraph_engine_calls_total" in known
    assert known["ray_voicegraph_engine_calls_total"] >= {"role", "engine", "deployment"}
    assert "ray_voicegraph_engine_calls" not in known
    assert "voicegraph_oldest_queued" not in known


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert REPOSITORY / file == RUNBOOK
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
    assert anchor in anchors


def test_no_two_alerts_share_a_name() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)


def test_the_files_and_commands_of_the_operation_page_exist() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    made_by_the_reader = {"deploy/.env", "deploy/cluster/env"}
    files = set(re.findall(r"(?<![\w/.])(?:deploy|storage|tests)/[\w./-]*\w", text)) - made_by_the_reader
    assert files
    assert {file for file in files if not (REPOSITORY / file).exists()} == set()
    modules = set(re.findall(r"python -m ((?:deploy|deployments|models|graphs)[\w.]*)", text))
    assert modules == {"deploy.dashboards", "deploy.rayservice", "deployments.planning", "models.weights"}
    for module in modules:
        assert importlib.util.find_spec(module) is not None


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_accepts_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_the_committed_dashboard_is_the_script_s(dashboard: Any) -> None:
    assert (FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8") == rendered(dashboard), (
        "run: python -m deploy.dashboards"
    )


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_panels_have_numbers_of_their_own_a_unit_and_do_not_overlap(file: Path) -> None:
    document = json.loads(file.read_text())
    panels = document["panels"]
    assert document["uid"] == file.stem
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        cells |= own
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C"][: len(panel["targets"])]


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_variable_that_a_query_uses_is_declared(file: Path) -> None:
    document = json.loads(file.read_text())
    declared = {variable["name"] for variable in document["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(document["panels"]))) - {"__rate_interval"}
    assert used == declared


def scrape_configs() -> dict[str, dict[str, Any]]:
    data = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "prometheus.yaml").read_text())
    return {config["job_name"]: config for config in data["scrape_configs"]}


def test_prometheus_scrapes_every_job_that_the_alerts_name() -> None:
    named = set(re.findall(r'job="(\w+)"', ALERTS.read_text()))
    assert named <= set(scrape_configs())


def test_the_queue_s_metrics_pass_the_scrape_s_filter_and_the_nodes_sums_do_not() -> None:
    (rule,) = scrape_configs()["voicegraph"]["metric_relabel_configs"]
    kept = re.compile(rule["regex"])
    queue = {name for name in of_the_queue() if name.startswith("voicegraph_")}
    assert queue
    assert all(kept.fullmatch(name) for name in queue)
    assert not kept.fullmatch("voicegraph_engine_calls_total")
    assert not kept.fullmatch("http_requests_total")


def test_prometheus_asks_the_dashboard_with_a_bearer_token() -> None:
    # Without its type, Prometheus sends the bare token for service discovery, and Ray answers 403.
    (discovery,) = scrape_configs()["ray"]["http_sd_configs"]
    assert discovery["authorization"]["type"] == "Bearer"
