"""Autoscaling of the job workers by the seconds of audio that wait: workers receive no requests to scale by.

Every worker reports the same backlog, that of the whole queue, from ``record_autoscaling_stats``; Serve's controller
asks the policy every tick. In serve_config.yaml::

    autoscaling_config:
      min_replicas: 1
      max_replicas: 6
      policy:
        policy_function: deployments.backlog:BacklogPolicy
        policy_kwargs: {seconds_per_worker: 1200, jobs_per_worker: 4}
"""

import math
from collections.abc import Mapping
from typing import Any

SECONDS, QUEUED, RUNNING = "backlog_seconds", "queued_jobs", "running_jobs"
# Reports come every 10 s; older ones tell nothing, as when the database is away.
STALE_AFTER_S = 60.0


def report(seconds: float, queued: int, running: int) -> dict[str, float]:
    """Return what a worker reports of the whole queue: seconds of audio left to do, and jobs by state."""
    return {SECONDS: float(seconds), QUEUED: float(queued), RUNNING: float(running)}


def desired_workers(
    seconds: float, queued: int, running: int, *, seconds_per_worker: float, jobs_per_worker: int
) -> int:
    """Return how many workers the backlog is worth.

    Args:
        seconds: Seconds of audio that are left to do.
        queued: Jobs that wait.
        running: Jobs under way.
        seconds_per_worker: Backlog that one worker is to have.
        jobs_per_worker: Jobs that one worker runs at once.

    Returns:
        One worker for each ``seconds_per_worker``, but no more than have a job to run, and no fewer than hold the jobs
        under way: those of a worker that stops would have to find another.
    """
    useful = math.ceil((queued + running) / jobs_per_worker)
    holding = math.ceil(running / jobs_per_worker)
    return max(holding, min(useful, math.ceil(seconds / seconds_per_worker)))


class BacklogPolicy:
    """Serve's autoscaling policy of the worker deployment; bounds, delays and factors are Serve's own.

    Without a fresh report the number of workers stays as it is.

    Args:
        seconds_per_worker: See ``desired_workers``.
        jobs_per_worker: See ``desired_workers``; the worker's ``concurrency``.

    Raises:
        ValueError: An argument is not above 0.
    """

    def __init__(self, seconds_per_worker: float, jobs_per_worker: int) -> None:
        if not seconds_per_worker > 0 or not jobs_per_worker > 0:
            raise ValueError("seconds_per_worker and jobs_per_worker must be above 0")
        self._seconds_per_worker = float(seconds_per_worker)
        self._jobs_per_worker = int(jobs_per_worker)

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return the number of workers that is wanted, and what is kept for the next call: nothing."""
        newest = {
            name: _newest(context.raw_metrics or {}, name, context.current_time) for name in (SECONDS, QUEUED, RUNNING)
        }
        if None in newest.values():
            return context.target_num_replicas, {}
        wanted = desired_workers(
            newest[SECONDS] or 0.0,
            int(newest[QUEUED] or 0),
            int(newest[RUNNING] or 0),
            seconds_per_worker=self._seconds_per_worker,
            jobs_per_worker=self._jobs_per_worker,
        )
        return wanted, {}


def _newest(metrics: Mapping[str, Mapping[Any, Any]], name: str, now: float) -> float | None:
    """Return the latest value that any worker reported of a metric; None where all are stale."""
    points = [series[-1] for series in metrics.get(name, {}).values() if series]
    fresh = [point for point in points if now - point.timestamp <= STALE_AFTER_S]
    return max(fresh, key=lambda point: point.timestamp).value if fresh else None
