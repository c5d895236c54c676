"""The chat engine for servers with OpenAI's protocol, against one over real HTTP."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from chat_servers import KEY, Answer, ChatServer, running
from tls import self_signed

from models.chat import ChatUnavailable, Message, OpenAiSettings, build
from models.errors import InputError

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

HELLO = [Message("system", "Be brief."), Message("user", "good morning to you")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with running() as server:
        yield server


def settings(server: ChatServer, **more: Any) -> OpenAiSettings:
    return OpenAiSettings(base_url=server.url, model="fake", **more)


async def pieces_of(chosen: OpenAiSettings, messages: list[Message] = HELLO) -> list[str]:
    engine = build(chosen)
    try:
        return [piece async for piece in engine.reply(messages, language="en")]
    finally:
        await engine.aclose()


async def test_the_answer_comes_in_the_servers_pieces(server: ChatServer) -> None:
    assert await pieces_of(settings(server, temperature=0.2)) == ["good ", "morning ", "to ", "you "]
    (asked,) = server.asked
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "good morning to you"},
    ]
    assert (asked["model"], asked["temperature"], asked["stream"]) == ("fake", 0.2, True)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(server: ChatServer, status: int) -> None:
    server.answers.extend([Answer(status=status), Answer(pieces=("done",))])
    assert await pieces_of(settings(server)) == ["done"]
    assert len(server.asked) == 2


async def test_after_three_tries_the_server_is_unavailable(server: ChatServer) -> None:
    server.answers.extend([Answer(status=500, headers={"retry-after-ms": "1"})] * 4)
    with pytest.raises(ChatUnavailable, match="500"):
        await pieces_of(settings(server))
    assert len(server.asked) == 3


async def test_a_wrong_key_is_not_tried_again(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk-wrong")
    with pytest.raises(ChatUnavailable, match="401"):
        await pieces_of(settings(server, api_key_variable="OTHER_KEY"))


async def test_a_limit_tells_when_to_come_back(server: ChatServer) -> None:
    server.answers.append(Answer(status=429, headers={"retry-after": "7"}))
    with pytest.raises(ChatUnavailable) as raised:
        await pieces_of(settings(server, max_retries=0))
    assert raised.value.retry_after == 7


async def test_a_conversation_that_is_too_long_is_the_callers_fault(server: ChatServer) -> None:
    server.answers.append(Answer(status=400, error={"message": "too long", "code": "context_length_exceeded"}))
    with pytest.raises(InputError) as raised:
        await pieces_of(settings(server))
    assert (raised.value.code, raised.value.field) == ("conversation_refused", "text")


async def test_any_other_refusal_is_the_configurations_fault(server: ChatServer) -> None:
    server.answers.append(Answer(status=400, error={"message": "no such parameter", "code": "invalid"}))
    with pytest.raises(ChatUnavailable):
        await pieces_of(settings(server))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(pieces=("half ",), breaks_off=True),
        Answer(pieces=("half ",), malformed=True),
        Answer(pieces=("half ", "never"), silent_after=1),
    ],
)
async def test_an_answer_that_fails_midway_is_not_begun_again(server: ChatServer, answer: Answer) -> None:
    server.answers.append(answer)
    engine = build(settings(server, silence_seconds=0.5))
    heard = []
    with pytest.raises(ChatUnavailable):
        async for piece in engine.reply(HELLO, language="en"):
            heard.append(piece)
    await engine.aclose()
    assert heard == ["half "]
    assert len(server.asked) == 1


async def test_leaving_early_ends_the_servers_work(server: ChatServer) -> None:
    server.answers.append(Answer(pieces=("first ", "never"), silent_after=1))
    engine = build(settings(server))
    async with aclosing(engine.reply(HELLO, language="en")) as reply:
        assert await anext(reply) == "first "
    assert await asyncio.to_thread(server.left.wait, 10)
    await engine.aclose()


async def test_the_check_asks_the_server(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build(settings(server))
    await engine.check()
    await engine.aclose()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    refused = build(settings(server))
    with pytest.raises(ChatUnavailable):
        await refused.check()
    await refused.aclose()


def test_a_missing_key_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        build(OpenAiSettings(model="fake"))


async def test_a_server_is_trusted_only_by_its_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    certificate, key = self_signed(tmp_path)
    with running(certificate=(certificate, key)) as server:
        with pytest.raises(ChatUnavailable):
            await pieces_of(settings(server, max_retries=0))
        assert not server.asked
        assert await pieces_of(settings(server, ca_bundle=certificate)) == ["good ", "morning ", "to ", "you "]
