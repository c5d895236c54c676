"""What the tests of a running system know about it."""

from dataclasses import dataclass

import httpx
from chat_servers import ChatServer

from storage.embedded_postgres import EmbeddedPostgres

ADMIN_KEY = "the-operators-key-of-the-tests"
BUCKET = "voicegraph-tests"
LENT_BUCKET = "audio-bucket"


@dataclass(frozen=True)
class System:
    """A running system and two owners of it; ``said`` is what `make run` says of it."""

    url: str
    grpc_address: str
    s3_endpoint: str
    key: str
    other_key: str
    admin_key: str
    database_url: str
    postgres: EmbeddedPostgres
    chat: ChatServer
    said: str

    @property
    def websocket_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/api/v1/ws"

    def client(self, key: str | None = None, **headers: str) -> httpx.Client:
        sent = {"X-API-Key": key or self.key, **headers}
        return httpx.Client(base_url=self.url, headers=sent, timeout=60)
