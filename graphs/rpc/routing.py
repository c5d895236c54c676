"""Former place of ``graphs.http.compat.realtone.rpc.routing:add_audio_analysis``, kept for one release."""

import logging
from typing import Any

from graphs.http.compat.realtone.rpc import routing


def add_audio_analysis(servicer: Any, server: Any) -> None:
    """Add the service to a proxy's server, and say where this function moved."""
    logging.getLogger(__name__).warning(
        "graphs.rpc.routing:add_audio_analysis has moved: name %s:add_audio_analysis in grpc_servicer_functions; the "
        "former name ends with release 0.3",
        routing.__name__,
    )
    routing.add_audio_analysis(servicer, server)
