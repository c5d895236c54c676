"""Former place of ``graphs.ray_patches.backpressure:bound_proxy``, kept for one release."""

import logging

from graphs.ray_patches import backpressure


def bound_proxy() -> list[object]:
    """Install the proxy's bound, and say where it moved."""
    logging.getLogger(__name__).warning(
        "graphs.http.backpressure:bound_proxy has moved: set %s=%s; the former name ends with release 0.3",
        backpressure.PROXY_HOOK_VARIABLE,
        backpressure.PROXY_HOOK,
    )
    return backpressure.bound_proxy()
