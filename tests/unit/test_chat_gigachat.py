"""The chat engine for GigaChat, against a server like it over real HTTP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_servers import Answer, GigaChatServer, running
from tls import self_signed

from models.chat import ChatUnavailable, GigaChatSettings, Message, build
from models.chat.types import ChatEngine
from models.errors import InputError

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

HELLO = [Message("system", "Be brief."), Message("user", "доброе утро")]
KEY = "aWQ6c2VjcmV0"  # id:secret


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GigaChatServer]:
    monkeypatch.setenv("GIGACHAT_AUTHORIZATION_KEY", KEY)
    with running(GigaChatServer()) as server:
        assert isinstance(server, GigaChatServer)
        yield server


def engine_for(server: GigaChatServer, **more: Any) -> ChatEngine:
    urls = {"base_url": server.url, "auth_url": server.auth_url}
    return build(GigaChatSettings(**{**urls, "first_retry_seconds": 0.0, **more}))


async def answer(engine: ChatEngine) -> str:
    return "".join([piece async for piece in engine.reply(HELLO, language="ru")])


async def test_a_token_is_asked_for_once_and_kept(server: GigaChatServer) -> None:
    engine = engine_for(server)
    assert [await answer(engine), await answer(engine)] == ["доброе утро "] * 2
    await engine.aclose()
    (issued,) = server.issued
    assert (issued["authorization"], issued["scope"]) == (f"Basic {KEY}", "GIGACHAT_API_PERS")
    assert len(issued["rquid"]) == 36
    asked = server.asked[0]
    assert (asked["model"], asked["temperature"], asked["stream"]) == ("GigaChat-Pro", 0.7, True)
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}


async def test_callers_at_once_share_one_token(server: GigaChatServer) -> None:
    engine = engine_for(server)
    assert set(await asyncio.gather(*(answer(engine) for _ in range(5)))) == {"доброе утро "}
    await engine.aclose()
    assert len(server.issued) == 1


async def test_a_token_is_renewed_before_it_ends(server: GigaChatServer) -> None:
    server.token_seconds = 30.0
    engine = engine_for(server)
    assert [await answer(engine), await answer(engine)] == ["доброе утро "] * 2
    await engine.aclose()
    assert len(server.issued) == 2


async def test_a_token_refused_in_the_middle_of_a_conversation_is_replaced_unnoticed(server: GigaChatServer) -> None:
    engine = engine_for(server, max_retries=0)
    await answer(engine)
    server.tokens.clear()
    assert await answer(engine) == "доброе утро "
    await engine.aclose()
    assert len(server.issued) == 2


async def test_a_second_refusal_is_final(server: GigaChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_for(server)
    monkeypatch.setattr(server, "tokens", type("Nobody", (set,), {"add": lambda *_: None})())
    with pytest.raises(ChatUnavailable, match="401"):
        await answer(engine)
    await engine.aclose()
    assert len(server.issued) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(server: GigaChatServer, status: int) -> None:
    server.answers.extend([Answer(status=status), Answer(pieces=("готово",))])
    engine = engine_for(server)
    assert await answer(engine) == "готово"
    await engine.aclose()


async def test_after_three_tries_the_server_is_unavailable(server: GigaChatServer) -> None:
    server.answers.extend([Answer(status=500)] * 4)
    engine = engine_for(server)
    with pytest.raises(ChatUnavailable, match="500"):
        await answer(engine)
    await engine.aclose()
    assert len(server.asked) == 3


async def test_a_server_that_is_not_there_is_unavailable(server: GigaChatServer) -> None:
    engine = engine_for(server, base_url="http://127.0.0.1:1/v1", auth_url="http://127.0.0.1:1/oauth")
    with pytest.raises(ChatUnavailable):
        await answer(engine)
    with pytest.raises(ChatUnavailable):
        await engine.check()
    await engine.aclose()


@pytest.mark.parametrize(("status", "expected"), [(413, InputError), (422, InputError), (400, ChatUnavailable)])
async def test_a_refusal_is_not_tried_again(server: GigaChatServer, status: int, expected: type[Exception]) -> None:
    server.answers.append(Answer(status=status))
    engine = engine_for(server)
    with pytest.raises(expected):
        await answer(engine)
    await engine.aclose()
    assert len(server.asked) == 1


async def test_a_long_wait_is_left_to_the_caller(server: GigaChatServer) -> None:
    server.answers.append(Answer(status=429, headers={"retry-after": "60"}))
    engine = engine_for(server)
    with pytest.raises(ChatUnavailable) as raised:
        await answer(engine)
    await engine.aclose()
    assert raised.value.retry_after == 60
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", [{"breaks_off": True}, {"malformed": True}])
async def test_an_answer_that_fails_midway_is_not_begun_again(server: GigaChatServer, fault: dict[str, Any]) -> None:
    server.answers.append(Answer(pieces=("начало ",), **fault))
    engine = engine_for(server)
    heard = []
    with pytest.raises(ChatUnavailable):
        async for piece in engine.reply(HELLO, language="ru"):
            heard.append(piece)
    await engine.aclose()
    assert heard == ["начало "]
    assert len(server.asked) == 1


async def test_id_and_secret_stand_for_the_key(server: GigaChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIGACHAT_AUTHORIZATION_KEY")
    monkeypatch.setenv("GIGACHAT_CLIENT_ID", "id")
    monkeypatch.setenv("GIGACHAT_CLIENT_SECRET", "secret")
    engine = engine_for(server)
    await engine.check()
    await engine.aclose()
    assert server.issued[0]["authorization"] == f"Basic {KEY}"


def test_a_missing_key_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTHORIZATION_KEY", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"GIGACHAT_{name}", raising=False)
    with pytest.raises(ValueError, match="GIGACHAT_AUTHORIZATION_KEY"):
        build(GigaChatSettings())


async def test_no_environment_turns_the_verification_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIGACHAT_AUTHORIZATION_KEY", KEY)
    monkeypatch.setenv("GIGACHAT_VERIFY_SSL_CERTS", "false")
    certificate, key = self_signed(tmp_path)
    with running(GigaChatServer(), certificate=(certificate, key)) as server:
        assert isinstance(server, GigaChatServer)
        engine = engine_for(server)
        with pytest.raises(ChatUnavailable):
            await answer(engine)
        await engine.aclose()
        assert not server.issued
        trusting = engine_for(server, ca_bundle=certificate)
        assert await answer(trusting) == "доброе утро "
        await trusting.aclose()


def test_a_bundle_without_certificates_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIGACHAT_AUTHORIZATION_KEY", KEY)
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(ValueError, match="ca_bundle"):
        build(GigaChatSettings(ca_bundle=empty))
