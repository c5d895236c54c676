"""Ray's fake node provider, patient: a node may take longer to start than the 30 s after which Ray gives it up."""

import time
from typing import Any

from ray._private import services
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider

START_S = 300.0

_get_node = services.get_node


def _get_node_in_time(*arguments: Any, **options: Any) -> Any:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return _get_node(*arguments, **options)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


services.get_node = _get_node_in_time


class PatientNodeProvider(FakeMultiNodeProvider):
    """The provider; what is patient is the wait of its nodes, in the process that has this module."""
