"""The live application as Serve runs it, but for Serve: real speech detection, database and sessions; no models."""

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_roles import ABSENT, FakeAsr, FakeSpeech, FakeTranslation
from fastapi import FastAPI
from fastapi.testclient import TestClient
from live_system import VOICE, Caller, calling, pcm, types

from deployments.strict import validate
from graphs.common.config import DATABASE_URL_VARIABLE, ApiConfig
from graphs.http.server.live import create_live_app
from models.audio import SAMPLE_RATE, decode
from models.samples import DIALOGUE
from storage.database import Database
from storage.users import Users

pytestmark = pytest.mark.graph


@pytest.fixture
def app(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setenv(DATABASE_URL_VARIABLE, database_url)
    config = validate(ApiConfig, {"storage": {"objects": {"kind": "directory", "path": str(tmp_path)}}})
    roles = replace(ABSENT, asr=FakeAsr("something else"), translation=FakeTranslation(), speech=FakeSpeech(VOICE))
    return create_live_app(config, roles)


@pytest.fixture
def keys(database_url: str) -> list[str]:
    async def made() -> list[str]:
        async with Database(database_url, max_size=2) as database:
            return [(await Users(database).create(name)).api_key for name in ("one", "other")]

    return asyncio.run(made())


def say_the_first_sentence(caller: Caller) -> None:
    speech = decode(io.BytesIO(DIALOGUE.read_bytes()))[: round(2.81 * SAMPLE_RATE)]
    caller.play(pcm(np.concatenate((speech, np.zeros(SAMPLE_RATE, np.float32)))))


def test_speech_is_found_answered_and_kept_for_its_owner(app: FastAPI, keys: list[str]) -> None:
    with TestClient(app) as client:
        with calling(client, key=keys[0], start=False) as caller:
            caller.send("start", language="en")
            session = caller.event()["session_id"]
            say_the_first_sentence(caller)
            events = caller.until("reply.end")
            ended = [event for event in events if event["type"] == "speech_ended"][-1]
            assert ended["end_ms"] == pytest.approx(2810, abs=300)
            assert caller.audio
        with calling(client, key=keys[1], start=False) as stranger:
            stranger.send("start", session_id=session)
            assert stranger.event()["code"] == "session_not_found"
        with calling(client, key=keys[0], start=False) as again:
            again.send("start", session_id=session)
            assert again.event()["session_id"] == session


def test_speech_is_interpreted(app: FastAPI, keys: list[str]) -> None:
    with TestClient(app) as client, calling(client, "/translation", key=keys[0], source="en", target="es") as caller:
        say_the_first_sentence(caller)
        events = caller.until("reply.end")
        assert "translation" in types(events)
        assert caller.audio


def test_a_draining_replica_closes_its_connections(app: FastAPI, keys: list[str]) -> None:
    with TestClient(app) as client, calling(client, key=keys[0]) as caller:
        app.state.drain()
        assert caller.closed() == (1012, "restart")
