"""Backpressure for request bodies on their way through Serve's proxy to the ingress.

Serve 2.60 takes a body from the client as fast as it comes, and queues it without a bound in the proxy and again in the
replica: an upload that the object store takes more slowly than the client sends it ends up in memory. Here both queues
get a bound, so that the proxy stops reading from the client's socket and TCP does the rest.

Both classes replace Serve's own of the same interface. The proxy's is installed by Serve's hook for it,
``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=graphs.ray_patches.backpressure:bound_proxy`` in the environment of every
node.
"""

import asyncio
import os
import pickle
from typing import Any

from ray.serve._private import proxy, replica
from ray.serve._private.http_util import ASGIReceiveProxy, MessageQueue
from starlette.types import Message

from graphs.ray_patches.replacement import replace_class

PROXY_HOOK_VARIABLE = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
PROXY_HOOK = "graphs.ray_patches.backpressure:bound_proxy"
_FORMER_PROXY_HOOK = "graphs.http.backpressure:bound_proxy"

PROXY_BYTES = 2 * 1024 * 1024
REPLICA_MESSAGES = 8


def _size(message: Message) -> int:
    return len(message.get("body") or message.get("bytes") or message.get("text") or b"")


class BoundedMessageQueue(MessageQueue):
    """The proxy's queue of what it received: full at ``PROXY_BYTES``, until the replica has fetched it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room = asyncio.Event()
        self._room.set()
        self._bytes = 0

    async def __call__(self, message: Message) -> None:
        """Put a message on the queue, once there is room."""
        await self._room.wait()
        await super().__call__(message)
        self._bytes += _size(message)
        if self._bytes >= PROXY_BYTES:
            self._room.clear()

    def get_messages_nowait(self) -> list[Message]:
        """Return all messages and make room."""
        messages: list[Message] = super().get_messages_nowait()
        self._bytes = 0
        self._room.set()
        return messages

    def close(self) -> None:
        """Refuse new messages, and let go whoever waits for room."""
        super().close()  # type: ignore[no-untyped-call]
        self._room.set()


class BoundedReceiveProxy(ASGIReceiveProxy):
    """The replica's queue of what it fetched: fetches no more while ``REPLICA_MESSAGES`` wait to be read."""

    _queue: asyncio.Queue[Any] | None
    _disconnect_message: Message | None

    @property
    def queue(self) -> asyncio.Queue[Any]:
        """The queue, made in the event loop that uses it."""
        if self._queue is None:
            self._queue = asyncio.Queue(REPLICA_MESSAGES)
        return self._queue

    async def fetch_until_disconnect(self) -> None:
        """Fetch messages from the proxy, as fast as they are read, until the client disconnects."""
        try:
            while True:
                fetched = await self._receive_asgi_messages(self._request_metadata)
                # Serve's own proxy pickled it, from messages that hold nothing but primitives.
                for message in pickle.loads(fetched):  # noqa: S301
                    if message["type"] in {"http.disconnect", "websocket.disconnect"}:
                        self._disconnect_message = message
                    await self.queue.put(message)
                    if self._disconnect_message is not None:
                        return
        except KeyError:
            # The proxy no longer knows the request: the client is gone.
            self._disconnect_message = self._get_default_disconnect_message()
            await self.queue.put(self._disconnect_message)
        except Exception as error:  # raised where the message is awaited
            await self.queue.put(error)


def bound_proxy() -> list[object]:
    """Install the proxy's bound; Serve calls it in each proxy and takes the list for additional middlewares.

    Raises:
        RayChangedError: The installed Ray no longer has the queue.
    """
    replace_class(proxy, "MessageQueue", BoundedMessageQueue)
    return []


def bound_replica() -> None:
    """Install the replica's bound, in the ingress.

    Raises:
        RayChangedError: The installed Ray no longer has the queue.
    """
    needed = ("_queue", "_disconnect_message", "_request_metadata", "_receive_asgi_messages")
    replace_class(replica, "ASGIReceiveProxy", BoundedReceiveProxy, attributes=needed)


def proxy_is_bounded() -> bool:
    """Return whether this process's environment makes the proxies bounded."""
    return os.environ.get(PROXY_HOOK_VARIABLE) in (PROXY_HOOK, _FORMER_PROXY_HOOK)
