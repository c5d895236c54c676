"""GET /v1/engines: which engines answer, how good they are, and nothing of the machine."""

import pytest
from fake_roles import FakeAsr, FakeDiarization, FakeLipsync, FakeSpeaker, FakeSpeech, FakeSpoof, FakeTranslation
from ingress import Serve

from deployments.errors import RoleUnavailable
from graphs.common.roles import Roles
from graphs.http.observability.engine_schemas import EnginesBody
from graphs.http.observability.engine_view import KEPT_S, EngineView
from models.asr import PocketSphinxSettings
from models.chat import OfflineSettings
from models.facts import EngineInUse, engine_in_use

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


def roles() -> tuple[Roles, FakeAsr]:
    asr = FakeAsr()
    asr.engine_in_use = engine_in_use("asr", PocketSphinxSettings(), notice="Whisper base could not be had.")
    return Roles(
        asr=asr,
        diarization=FakeDiarization(),
        spoof=FakeSpoof(),
        speaker=FakeSpeaker(),
        translation=FakeTranslation(),
        speech=FakeSpeech(),
        lipsync=FakeLipsync(),
    ), asr


async def test_engines_are_told_with_their_quality_and_what_would_be_better(serve: Serve) -> None:
    every, _asr = roles()
    chat = {"engine": "openai", "base_url": "http://secret-host:1/v1", "model": "llama3.2", "api_key_variable": None}
    with serve(every, assistant={"chat": chat}) as client:
        answer = client.get("/v1/engines")
        del client.headers["X-API-Key"]
        assert client.get("/v1/engines").status_code == 401
    body = EnginesBody.model_validate(answer.json())
    told = {engine.role: engine for engine in body.engines}
    assert list(told) == ["asr", "diarization", "spoof", "speaker", "translation", "speech", "lipsync", "chat"]
    asr = told["asr"]
    assert (asr.engine, asr.title, asr.device, asr.languages) == ("pocketsphinx", "PocketSphinx", "cpu", 2)
    measured = asr.quality[0]
    assert (measured.measure, measured.value, measured.language) == ("word_error_rate", 0.607, "en")
    assert asr.notice is not None
    assert asr.notice.startswith("Whisper base could not be had. ")
    assert asr.stands_in
    assert asr.better is not None
    assert asr.better.title == "Whisper base"
    assert told["lipsync"].not_measured == "Nothing is known of this engine."
    assert (told["chat"].title, told["chat"].better) == ("Chat server (llama3.2)", None)
    assert "secret" not in answer.text


async def test_a_role_that_cannot_be_asked_is_named_and_asked_again_later() -> None:
    every, asr = roles()
    asr.failing(in_use=RoleUnavailable("no replica can be reached"))
    now = 0.0
    view = EngineView(every, OfflineSettings(), lambda: now)
    first = await view.look()
    assert first.unavailable == ["asr"]
    assert "asr" not in {engine.role for engine in first.engines}
    asr.errors.clear()
    asr.engine_in_use = EngineInUse("faster-whisper", "whisper-base")
    assert await view.look() is first
    now = KEPT_S
    second = await view.look()
    assert second.unavailable == []
    assert second.engines[0].title == "Whisper base"
