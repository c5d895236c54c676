"""The changes to Ray Serve: refused by a Ray that no longer has what they change."""

from threading import Event
from types import ModuleType
from typing import Any

import pytest
from ray._private.node import Node
from ray.serve._private import proxy, replica
from ray.serve._private.http_util import ASGIReceiveProxy, MessageQueue

from graphs.ray_patches.backpressure import BoundedMessageQueue, BoundedReceiveProxy, bound_proxy, bound_replica
from graphs.ray_patches.draining import on_drain
from graphs.ray_patches.node_processes import postponed_dashboard
from graphs.ray_patches.replacement import RayChangedError, replace_class, require_method

pytestmark = pytest.mark.unit


class Queue:
    def __init__(self) -> None:
        self._items: list[object] = []

    def put(self, item: object) -> None:
        self._items.append(item)


class BoundedQueue(Queue):
    def put(self, item: object) -> None:
        if len(self._items) < 3:
            super().put(item)


def ray_module(source: str, **names: object) -> Any:
    module = ModuleType("a_module_of_ray")
    vars(module).update(names)
    exec(source, vars(module))
    return module


USED = "def serve():\n    return Queue()\n"


def test_a_class_is_replaced_once_and_the_module_then_uses_the_replacement() -> None:
    module = ray_module(USED, Queue=Queue)
    replace_class(module, "Queue", BoundedQueue, attributes=("_items",))
    replace_class(module, "Queue", BoundedQueue, attributes=("_items",))
    assert type(module.serve()) is BoundedQueue


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (ray_module(USED), "Queue is not"),
        (ray_module(USED, Queue=dict), "Queue is not"),
        (ray_module("def serve():\n    return NewQueue()\n", Queue=Queue), "nothing in a_module_of_ray uses Queue"),
    ],
)
def test_a_module_that_lacks_or_no_longer_uses_the_class_is_refused(module: Any, message: str) -> None:
    with pytest.raises(RayChangedError, match=message):
        replace_class(module, "Queue", BoundedQueue)


def test_a_class_without_what_the_replacement_overrides_or_needs_is_refused() -> None:
    class Renamed(Queue):
        def put_nowait(self, item: object) -> None:
            super().put(item)

    with pytest.raises(RayChangedError, match="has no put_nowait"):
        replace_class(ray_module(USED, Queue=Queue), "Queue", Renamed)
    with pytest.raises(RayChangedError, match="has no _closed"):
        replace_class(ray_module(USED, Queue=Queue), "Queue", BoundedQueue, attributes=("_closed",))


def test_a_method_that_is_gone_or_no_longer_called_is_refused() -> None:
    class Drains:
        def stop(self) -> None:
            self.drain()

        def drain(self) -> None:
            """Wait."""

    require_method(Drains, "drain")
    with pytest.raises(RayChangedError, match="has no method wait"):
        require_method(Drains, "wait")
    with pytest.raises(RayChangedError, match="no longer calls stop"):
        require_method(Drains, "stop")


def test_the_installed_ray_has_what_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "MessageQueue", MessageQueue)
    monkeypatch.setattr(replica, "ASGIReceiveProxy", ASGIReceiveProxy)
    monkeypatch.setattr(replica.Replica, "_drain_ongoing_requests", replica.Replica._drain_ongoing_requests)
    bound_proxy()
    bound_replica()
    on_drain(lambda: None)
    assert proxy.MessageQueue is BoundedMessageQueue  # type: ignore[attr-defined]
    assert replica.ASGIReceiveProxy is BoundedReceiveProxy  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("module", "name", "install"), [(proxy, "MessageQueue", bound_proxy), (replica, "ASGIReceiveProxy", bound_replica)]
)
def test_a_ray_that_renamed_a_queue_stops_the_process(
    module: ModuleType, name: str, install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(module, name)
    with pytest.raises(RayChangedError, match=f"{name} is not"):
        install()


def test_the_dashboard_starts_when_it_is_asked_for_and_the_log_monitor_never(monkeypatch: pytest.MonkeyPatch) -> None:
    started, log_monitors, options = Event(), Event(), {}

    def start_api_server(self: Node, **given: object) -> None:
        options.update(given)
        started.set()

    monkeypatch.setattr(Node, "start_api_server", start_api_server)
    monkeypatch.setattr(Node, "start_log_monitor", lambda self: log_monitors.set())
    node = object.__new__(Node)
    with postponed_dashboard() as dashboard:
        node.start_api_server(include_dashboard=True, raise_on_failure=True)
        node.start_log_monitor()
    assert not started.is_set()
    dashboard.start()
    assert started.wait(10)
    dashboard.stop()
    assert options == {"include_dashboard": True, "raise_on_failure": True}
    assert not log_monitors.is_set()
    node.start_log_monitor()
    assert log_monitors.is_set()
