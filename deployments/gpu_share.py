"""The part of a GPU that Ray assigned to this replica, made real: a fraction is bookkeeping to Ray."""

import os
from typing import Any

import ray
from ray import serve
from ray.serve.exceptions import RayServeException

from models.gpu_share import GpuShare, set_share


def assigned_gpus() -> float | None:
    """Return the replica's ``num_gpus``; None outside of a replica, as in Serve's local testing mode."""
    try:
        serve.get_replica_context()
    except RayServeException:
        return None
    if not ray.is_initialized():
        return None
    context: Any = ray.get_runtime_context()
    return float(context.get_assigned_resources().get("GPU", 0.0))


def take_share(gpus: float | None, models: int) -> GpuShare | None:
    """Hold this process to what it was assigned; before the engine is built.

    Args:
        gpus: See ``assigned_gpus``; None leaves the process as it is.
        models: Models that the engine may have loaded at once.

    Returns:
        The share; None for a replica without one, or where there is no GPU.

    Raises:
        ShareExceeded: The part is too small for any engine.
    """
    if gpus is None:
        return None
    if gpus == 0:
        # Ray leaves all GPUs visible to who was assigned none, and `device: auto` would take one.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return None
    return set_share(gpus, models=models)
