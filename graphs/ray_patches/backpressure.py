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
from starlette.types import Message, Receive, Scope, Send

PROXY_HOOK_VARIABLE = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
PROXY_HOOK = "graphs.ray_patches.backpressure:bound_proxy"

PROXY_BYTES = 2 * 1024 * 1024
REPLICA_MESSAGES = 8

# What is left of a body that nobody wants is read up to these bounds before the response goes out: a client that is
# still sending may otherwise see its connection reset instead of the response.
LINGER_BYTES = 64 * 1024 * 1024
LINGER_SECONDS = 10.0


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
    """Install the proxy's bound; Serve calls it in each proxy and takes the list for additional middlewares."""
    proxy.MessageQueue = BoundedMessageQueue  # type: ignore[attr-defined]
    return []


def bound_replica() -> None:
    """Install the replica's bound, in the ingress."""
    replica.ASGIReceiveProxy = BoundedReceiveProxy  # type: ignore[attr-defined]


def proxy_is_bounded() -> bool:
    """Tell whether this process's environment makes the proxies bounded."""
    return os.environ.get(PROXY_HOOK_VARIABLE) == PROXY_HOOK


class LingerMiddleware:
    """Reads what is left of a request's body, within bounds, before an early response is sent."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received_all = False

        async def watched_receive() -> Message:
            nonlocal received_all
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                received_all = True
            return message

        async def lingering_send(message: Message) -> None:
            if message["type"] == "http.response.start" and not received_all and _has_body(scope):
                await _discard(watched_receive, lambda: received_all)
            await send(message)

        await self._app(scope, watched_receive, lingering_send)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _value in scope["headers"])


async def _discard(receive: Receive, received_all: Any) -> None:
    discarded = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while not received_all() and discarded < LINGER_BYTES:
                discarded += _size(await receive())
    except TimeoutError:
        return
