"""How many job workers a backlog is worth, as Serve's controller is told."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest
from ray.serve.config import AutoscalingConfig

from deployments.backlog import STALE_AFTER_S, BacklogPolicy, desired_workers, report
from graphs.common.config import GraphsConfig, WorkerSettings
from graphs.kinds import KINDS
from graphs.worker import WorkerReplica, worker_deployment
from storage.jobs import Backlog

pytestmark = pytest.mark.unit

NOW = 1000.0


@pytest.mark.parametrize(
    ("seconds", "queued", "running", "workers"),
    [
        (0, 0, 0, 0),
        (1, 1, 0, 1),
        (1200, 20, 4, 1),
        (1201, 20, 4, 2),
        (6000, 40, 4, 5),
        # One recording, however long, is one worker's.
        (14_400, 1, 0, 1),
        # Five jobs need the room of two workers.
        (14_400, 3, 2, 2),
        # Short jobs, but they are under way on three workers' worth of places.
        (30, 0, 9, 3),
    ],
)
def test_workers_follow_the_seconds_of_audio_and_the_jobs_bound_them(
    seconds: float, queued: int, running: int, workers: int
) -> None:
    assert desired_workers(seconds, queued, running, seconds_per_worker=1200, jobs_per_worker=4) == workers


def context(target: int = 2, **reports: tuple[float, dict[str, float]]) -> Any:
    """What the controller passes on: by replica, when it reported and what."""
    series: dict[str, dict[str, list[SimpleNamespace]]] = {}
    for replica, (at, values) in reports.items():
        for name, value in values.items():
            # An older point goes before: only the last one counts.
            points = [SimpleNamespace(timestamp=at - 10, value=0.0), SimpleNamespace(timestamp=at, value=value)]
            series.setdefault(name, {})[replica] = points
    return SimpleNamespace(raw_metrics=series, current_time=NOW, target_num_replicas=target)


def test_the_policy_goes_by_the_newest_report_of_any_worker() -> None:
    policy = BacklogPolicy(seconds_per_worker=100, jobs_per_worker=1)
    told = context(old=(NOW - 30, report(900, 9, 0)), new=(NOW - 5, report(300, 5, 1)))
    assert policy(told) == (3, {})


@pytest.mark.parametrize("reports", [{}, {"old": (NOW - STALE_AFTER_S - 1, report(900, 9, 0))}])
def test_without_news_the_number_of_workers_stays(reports: Any) -> None:
    assert BacklogPolicy(seconds_per_worker=100, jobs_per_worker=1)(context(target=3, **reports))[0] == 3


@pytest.mark.parametrize("wrong", [{"seconds_per_worker": 0}, {"jobs_per_worker": 0}])
def test_senseless_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        BacklogPolicy(**{"seconds_per_worker": 100, "jobs_per_worker": 1, **wrong})


def test_serve_makes_the_policy_from_the_configuration_file() -> None:
    kwargs = {"seconds_per_worker": 60.0, "jobs_per_worker": 2}
    policy = {"policy_function": "deployments.backlog:BacklogPolicy", "policy_kwargs": kwargs}
    config = AutoscalingConfig(min_replicas=1, max_replicas=3, policy=policy)
    made = config.policy.get_policy()(**config.policy.policy_kwargs)
    assert made(context(only=(NOW, report(61, 9, 0))))[0] == 2


@pytest.mark.anyio
async def test_a_worker_reports_the_backlog_once_its_stores_are_open() -> None:
    asked = []

    async def backlog(*, kinds: Collection[str], unknown_cost: float) -> Backlog:
        asked.append((sorted(kinds), unknown_cost))
        return Backlog(queued=3, running=1, cost=90.0)

    # Not a whole replica, which would take jobs: only what the method reads of one.
    config = GraphsConfig(worker=WorkerSettings(unknown_audio_seconds=45))
    replica: Any = SimpleNamespace(_stores=None, _config=config, _kinds={"spoof": KINDS["spoof"]})
    assert await WorkerReplica.record_autoscaling_stats(replica) == {}
    replica._stores = SimpleNamespace(jobs=SimpleNamespace(backlog=backlog))
    assert await WorkerReplica.record_autoscaling_stats(replica) == report(90.0, 3, 1)
    assert asked == [(["spoof"], 45.0)]


def test_serve_grants_a_stopping_worker_the_time_that_its_jobs_are_granted() -> None:
    config = GraphsConfig(worker=WorkerSettings(shutdown_grace_seconds=600))
    assert worker_deployment(config)._deployment_config.graceful_shutdown_timeout_s == 610
