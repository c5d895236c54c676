"""The ingress with an assistant over fakes, and recordings to say to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from fake_roles import ABSENT, FakeAsr, FakeChat, FakeSpeaker, FakeSpeech
from fastapi.testclient import TestClient
from ingress import ADMIN, Serve

from models.audio import decode
from models.audio.encoding import AudioFormat, encode
from models.samples import DIALOGUE


@contextmanager
def conversing(
    serve: Serve, chat: FakeChat, *, asr: FakeAsr | None = None, speech: Any = None, **settings: Any
) -> Iterator[TestClient]:
    """Serve with these roles and this chat engine."""
    roles = replace(ABSENT, asr=asr or FakeAsr("Hello there."), speech=speech or FakeSpeech(), speaker=FakeSpeaker())
    with serve(roles, **settings) as client:
        app: Any = client.app
        app.state.services.assistant.chat = chat
        yield client


def another_owner(client: TestClient) -> dict[str, str]:
    """Make another owner and return its key as a header."""
    return {"X-API-Key": client.post("/admin/users?name=bob", headers=ADMIN).json()["api_key"]}


@cache
def spoken(format: AudioFormat = "wav") -> bytes:
    """Return a few seconds of speech."""
    return encode([decode(BytesIO(DIALOGUE.read_bytes()))[: 3 * 16_000]], format, 16_000)


@cache
def silent() -> bytes:
    """Return two seconds of silence."""
    return encode([np.zeros(32_000, np.float32)], "wav", 16_000)


def seconds(file: bytes) -> float:
    """Return the length of a file."""
    return len(decode(BytesIO(file))) / 16_000
