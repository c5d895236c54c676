"""Chat servers over real HTTP: one with OpenAI's protocol, one like GigaChat with its tokens."""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

KEY = "sk-of-the-tests"


@dataclass
class Answer:
    """What a server answers once.

    Attributes:
        pieces: Text of the stream's chunks; None echoes the last message word by word.
        status: Anything but 200 is an error without a stream.
        headers: Of an error.
        error: Body of an error.
        breaks_off: Ends the stream before the answer's end.
        malformed: Sends a chunk that is no JSON.
        silent_after: Sends nothing more after so many pieces, until the client leaves.
    """

    pieces: tuple[str, ...] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=lambda: {"message": "refused"})
    breaks_off: bool = False
    malformed: bool = False
    silent_after: int | None = None


@dataclass
class ChatServer:
    """A server whose next answers can be set; when there are none left, it echoes.

    Attributes:
        asked: Bodies of the requests for an answer.
        left: Set when a client leaves a silent answer.
    """

    url: str = ""
    answers: deque[Answer] = field(default_factory=deque)
    asked: list[dict[str, Any]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        """Return the server's application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
                Route("/v1/models", self.models),
                *self.more_routes(),
            ]
        )

    def more_routes(self) -> list[Route]:
        """Return what else the server has."""
        return []

    def refuses(self, request: Request) -> Response | None:
        """Refuse a request without a valid key or token."""
        return None if request.headers.get("authorization") == f"Bearer {KEY}" else _error(401, {"message": "no"}, {})

    async def models(self, request: Request) -> Response:
        """List the models."""
        return self.refuses(request) or JSONResponse(
            {"object": "list", "data": [{"id": "fake", "object": "model", "created": 0, "owned_by": "tests"}]}
        )

    async def complete(self, request: Request) -> Response:
        """Answer a conversation as a stream."""
        if refusal := self.refuses(request):
            return refusal
        body = await request.json()
        self.asked.append(body)
        answer = self.answers.popleft() if self.answers else Answer()
        if answer.status != 200:
            return _error(answer.status, answer.error, answer.headers)
        pieces = answer.pieces
        if pieces is None:
            pieces = tuple(f"{word} " for word in body["messages"][-1]["content"].split())
        return StreamingResponse(self._stream(answer, pieces), media_type="text/event-stream")

    async def _stream(self, answer: Answer, pieces: tuple[str, ...]) -> AsyncIterator[str]:
        yield _chunk({"role": "assistant", "content": ""}, None)
        for number, piece in enumerate(pieces):
            if answer.silent_after == number:
                try:
                    await anyio.sleep_forever()
                finally:
                    self.left.set()
            yield _chunk({"content": piece}, None)
        if answer.malformed:
            yield "data: {not json\n\n"
        if not answer.breaks_off:
            yield _chunk({"content": ""}, "stop")
            yield "data: [DONE]\n\n"


@dataclass
class GigaChatServer(ChatServer):
    """GigaChat's routes: tokens are issued for credentials and are refused once they are revoked or have ended.

    Attributes:
        token_seconds: How long the next tokens are valid, by their own word.
        tokens: Tokens that are accepted.
        issued: The requests for tokens: their headers and scope.
    """

    token_seconds: float = 1800.0
    tokens: set[str] = field(default_factory=set)
    issued: list[dict[str, str]] = field(default_factory=list)

    def more_routes(self) -> list[Route]:
        """Return the route that issues tokens."""
        return [Route("/api/v2/oauth", self.issue, methods=["POST"])]

    @property
    def auth_url(self) -> str:
        """Where tokens are issued."""
        return self.url.removesuffix("/v1") + "/api/v2/oauth"

    def refuses(self, request: Request) -> Response | None:
        """Refuse tokens that are not accepted."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return None if token in self.tokens else _error(401, {"status": 401, "message": "Token has expired"}, {})

    async def issue(self, request: Request) -> Response:
        """Issue a token."""
        form = await request.form()
        headers = request.headers
        self.issued.append(
            {"authorization": headers["authorization"], "rquid": headers["rquid"], "scope": str(form["scope"])}
        )
        token = uuid4().hex
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "expires_at": int(1000 * (time.time() + self.token_seconds))})


def _error(status: int, error: dict[str, Any], headers: dict[str, str]) -> Response:
    return JSONResponse({"error": error}, status, headers=headers)


def _chunk(delta: dict[str, str], finish_reason: str | None) -> str:
    chunk = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "fake",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


@contextmanager
def running(server: ChatServer | None = None, certificate: tuple[Path, Path] | None = None) -> Iterator[ChatServer]:
    """Serve on a port of one's own, in a thread; with TLS where a certificate and its key are given."""
    server = server or ChatServer()
    listener = socket.create_server(("127.0.0.1", 0))
    tls: dict[str, Any] = {}
    if certificate is not None:
        tls = {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]}
    config = uvicorn.Config(
        server.app(), log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1, **tls
    )
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}/v1"
    runner = uvicorn.Server(config)
    thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        runner.should_exit = True
        thread.join(10)
        listener.close()
