"""Whose key it is, and the limits that a page shows before anything is sent."""

import pytest
from ingress import ADMIN, Serve

pytestmark = pytest.mark.unit


def test_an_owner_is_told_its_name_and_the_limits(serve: Serve) -> None:
    settings = {
        "recordings": {"max_bytes": 12_345},
        "texts": {"max_speech_chars": 77, "max_translation_chars": 88},
        "assistant": {"max_message_chars": 99, "max_audio_bytes": 1_111},
        "avatars": {"max_clip_seconds": 3.5},
        "video": {"max_seconds": 42.0},
        "live": {"max_utterance_seconds": 9.0},
    }
    with serve(**settings) as client:
        body = client.get("/v1/me").json()
        config = client.app.state.services.config  # type: ignore[attr-defined]
    assert body["name"] == "tests"
    for part, values in settings.items():
        assert values.items() <= body["limits"][part].items()
    for part, values in body["limits"].items():
        assert {name: getattr(getattr(config, part), name) for name in values} == values


def test_nobody_without_a_key_of_their_own_is_told(serve: Serve) -> None:
    with serve() as client:
        del client.headers["X-API-Key"]
        assert client.get("/v1/me").status_code == 401
        assert client.get("/v1/me", headers=ADMIN).status_code == 401
        assert client.get("/v1/me", headers={"X-API-Key": "vg_wrong"}).json()["code"] == "invalid_key"
