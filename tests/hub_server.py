"""A server with as much of the Hugging Face Hub's API as fetching a model needs."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """Its models, and what was asked of it.

    Attributes:
        url: For HF_ENDPOINT.
        models: Files by model and path; those of 100 bytes or more are kept as LFS does.
        cards: The metadata of a model's card.
        gated: Models that want a token.
        cut_after: A file's answer breaks off after so many bytes; None, it is whole.
        tampered: Paths that are given with another last byte than the listing says.
        gate: Called before a file is given.
        requests: Method, path, Range and Authorization of each request.
    """

    url: str = ""
    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    cards: dict[str, dict[str, str]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    cut_after: int | None = None
    tampered: set[str] = field(default_factory=set)
    gate: Callable[[], object] = lambda: None
    requests: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)

    def ranges(self, path: str) -> list[str | None]:
        """Return the Range of each request for a file, in order."""
        return [asked for _, url, asked, _ in self.requests if url.endswith(f"/{path}")]


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        asked = self.headers.get("Range")
        token = self.headers.get("Authorization")
        self.hub.requests.append((self.command, "/".join(parts), asked, token))
        if parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else None)
        elif parts[2:3] == ["resolve"]:
            self._file("/".join(parts[:2]), "/".join(parts[4:]), asked, token)
        else:
            self._answer(404, b"")

    def _info(self, model: str, revision: str | None) -> None:
        if model not in self.hub.models:
            return self._answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in (None, "v1", COMMIT):
            return self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        card = self.hub.cards.get(model, {})
        siblings = [_sibling(path, content) for path, content in self.hub.models[model].items()]
        info = {"id": model, "sha": COMMIT, "siblings": siblings, "tags": [], "cardData": card, "private": False}
        return self._answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _file(self, model: str, path: str, asked: str | None, token: str | None) -> None:
        if model in self.hub.gated and token is None:
            return self._answer(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        if model in self.hub.gated and token != "Bearer hf_accepted":
            return self._answer(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Ask for access first."})
        self.hub.gate()
        content = self.hub.models[model][path]
        if path in self.hub.tampered:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        return self._answer(206 if asked else 200, content[start:])

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self.hub.cut_after if status in (200, 206) and headers is None else None
        self.wfile.write(content[:cut])
        if cut is not None and cut < len(content):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def _sibling(path: str, content: bytes) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    found: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": blob}
    if len(content) >= 100:
        found["lfs"] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 130}
    return found


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    hub = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()
