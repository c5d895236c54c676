"""The assistant over fakes: what is heard, what is asked, what is spoken, and what of it is kept."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from fake_roles import FakeAsr, FakeChat, FakeSpeech, find_speech, silence, voice
from fake_roles.speech import RUSSIAN

from graphs.assistant.conversation import conversation
from graphs.assistant.events import ReplyAudio, ReplyEnd, ReplyEvent, ReplyText, SpeechFailed
from graphs.assistant.graph import AssistantGraph
from graphs.assistant.text import understood
from graphs.common.concurrency import EVENTS_AHEAD
from graphs.common.config import AssistantSettings
from models.chat import ChatUnavailable, Message
from models.errors import InputError
from storage.database import Database
from storage.sessions import SessionBusy, SessionNotFound, Sessions, StoredMessage
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

PCM = np.concatenate((silence(1.0), voice(0.5, 2.0), silence(1.0)))


def assistant(
    sessions: Sessions, chat: FakeChat, *, asr: FakeAsr | None = None, speech: FakeSpeech | None = None, **settings: Any
) -> AssistantGraph:
    """Return the graph over fakes; silence is zeros."""
    return AssistantGraph(
        asr or FakeAsr("hello"),
        speech or FakeSpeech(),
        chat,
        sessions,
        AssistantSettings(**settings),
        find_speech=find_speech,
    )


class Talk:
    """One owner's session."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sessions = Sessions(database)
        self.owner = 0
        self.session = ""

    async def begin(self, **options: Any) -> "Talk":
        self.owner = (await Users(self.database).create("ann")).id
        self.session = (await self.sessions.create(self.owner, **options)).id
        return self

    def say(
        self, graph: AssistantGraph, text: str = "hello", *, speak: bool = False, **options: Any
    ) -> AsyncGenerator[ReplyEvent, None]:
        return graph.answer(self.owner, self.session, text, speak=speak, correlation_id="c", **options)

    async def kept(self) -> list[tuple[str, str, bool]]:
        messages = await self.sessions.messages(self.owner, self.session)
        return [(message.role, message.content, message.interrupted) for message in messages]


@pytest.fixture
async def talk(database: Database) -> Talk:
    return await Talk(database).begin()


async def all_of(events: AsyncGenerator[ReplyEvent, None]) -> list[ReplyEvent]:
    return [event async for event in events]


def text_of(events: list[ReplyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReplyText))


async def test_silence_reaches_no_recogniser(talk: Talk) -> None:
    asr = FakeAsr("thank you for watching")
    heard = await assistant(talk.sessions, FakeChat(), asr=asr).hear(silence(3.0), language="en", correlation_id="c")
    assert (heard.text, heard.speech, asr.heard) == ("", False, [])


async def test_speech_is_heard_without_the_silence_around_it(talk: Talk) -> None:
    asr = FakeAsr(" Good  morning. ", "[music]", "How are you?")
    heard = await assistant(talk.sessions, FakeChat(), asr=asr).hear(PCM, language=None, correlation_id="c")
    assert (heard.text, heard.language, heard.speech) == ("Good morning. How are you?", "en", True)
    assert len(asr.heard[0]) == pytest.approx(2.6 * 16_000)


@pytest.mark.parametrize("segments", [(), ("",), ("[music]", "(laughs)"), ("Um...", "uh"), ("Thanks for watching!",)])
async def test_speech_without_words_is_told_from_silence(talk: Talk, segments: tuple[str, ...]) -> None:
    graph = assistant(talk.sessions, FakeChat(), asr=FakeAsr(*segments))
    heard = await graph.hear(PCM, language="en", correlation_id="c")
    assert (heard.text, heard.speech) == ("", True)


async def test_a_reply_comes_as_it_is_written_and_both_sides_are_kept(talk: Talk) -> None:
    chat = FakeChat("Good ", "morning", ".")
    *pieces, end = await all_of(talk.say(assistant(talk.sessions, chat)))
    assert pieces == [ReplyText("Good "), ReplyText("morning"), ReplyText(".")]
    assert isinstance(end, ReplyEnd)
    assert end.text == "Good morning."
    assert set(end.timings) == {"chat_first_token", "chat", "total"}
    assert await talk.kept() == [("user", "hello", False), ("assistant", "Good morning.", False)]


async def test_each_clause_is_spoken_while_the_next_is_written(talk: Talk) -> None:
    chat, speech = FakeChat("The first sentence is here. ", "Second ", "one."), FakeSpeech()
    chat.gate.clear()
    async with aclosing(talk.say(assistant(talk.sessions, chat, speech=speech), speak=True)) as events:
        assert await anext(events) == ReplyText("The first sentence is here. ")
        chat.gate.set()
        rest = await all_of(events)
    assert [call["text"] for call in speech.calls] == ["The first sentence is here.", "Second one."]
    assert {(call["voice"], call["language"]) for call in speech.calls} == {("en-anna", "en")}
    audio = [event for event in rest if isinstance(event, ReplyAudio)]
    assert " ".join(event.text for event in audio if event.text) == "The first sentence is here. Second one."
    assert [(len(event.samples), bool(event.samples.any())) for event in audio if not event.text] == [(4000, False)]
    assert isinstance(rest[-1], ReplyEnd)
    assert {"tts", "tts_first_audio"} < set(rest[-1].timings)


async def test_a_finished_clause_is_heard_before_the_reply_ends(talk: Talk) -> None:
    chat = FakeChat("The first sentence is here. Second ", "never")
    chat.gate.clear()
    async with aclosing(talk.say(assistant(talk.sessions, chat), speak=True)) as events:
        assert isinstance(await anext(events), ReplyText)
        assert isinstance(await anext(events), ReplyAudio)
        assert chat.closed == 0


async def test_noise_between_words_is_left_out() -> None:
    assert understood(["Hello there.", "[applause]", "um"]) == "Hello there."


async def test_speech_that_fails_leaves_the_text(talk: Talk) -> None:
    chat = FakeChat("The first sentence is fine. ", "Now ! it breaks. ", "And this is only written.")
    *events, end = await all_of(talk.say(assistant(talk.sessions, chat), speak=True))
    assert [event for event in events if isinstance(event, SpeechFailed)] == [
        SpeechFailed("The reply could not be spoken.")
    ]
    assert isinstance(end, ReplyEnd)
    assert end.text == "The first sentence is fine. Now ! it breaks. And this is only written."
    assert await talk.kept() == [("user", "hello", False), ("assistant", end.text, False)]


async def test_without_a_voice_for_the_language_the_text_comes(talk: Talk) -> None:
    graph = assistant(talk.sessions, FakeChat("Guten Tag."))
    events = await all_of(talk.say(graph, speak=True, language="de"))
    assert any(isinstance(event, SpeechFailed) and "'de'" in event.reason for event in events)
    assert text_of(events) == "Guten Tag."


async def test_a_synthesiser_that_is_down_leaves_the_text(talk: Talk) -> None:
    down = FakeSpeech().failing(voices=RuntimeError("secret"))
    events = await all_of(talk.say(assistant(talk.sessions, FakeChat("Fine."), speech=down), speak=True))
    assert {type(event) for event in events} == {SpeechFailed, ReplyText, ReplyEnd}
    assert text_of(events) == "Fine."


async def test_the_sessions_language_and_voice_hold_unless_a_message_names_others(database: Database) -> None:
    talk = await Talk(database).begin(language="ru", voice=RUSSIAN.id)
    chat, speech = FakeChat("Да."), FakeSpeech()
    graph = assistant(talk.sessions, chat, speech=speech)
    await all_of(talk.say(graph, speak=True))
    await all_of(talk.say(graph, speak=True, language="en"))
    assert chat.languages == ["ru", "en"]
    assert [call["voice"] for call in speech.calls] == ["ru-boris", "en-anna"]


@pytest.mark.parametrize("wanted", ["nobody", "ru-boris"])
async def test_a_voice_that_is_asked_for_must_be_there(talk: Talk, wanted: str) -> None:
    chat = FakeChat("Fine.")
    with pytest.raises(InputError) as raised:
        await all_of(talk.say(assistant(talk.sessions, chat), speak=True, voice=wanted, language="en"))
    assert raised.value.field == "voice"
    assert chat.asked == []


@pytest.mark.parametrize(("text", "code"), [("  \n", "empty_text"), ("\x00", "empty_text"), ("x" * 11, "too_long")])
async def test_a_message_must_have_words_and_an_end(talk: Talk, text: str, code: str) -> None:
    chat = FakeChat("Fine.")
    with pytest.raises(InputError) as raised:
        await all_of(talk.say(assistant(talk.sessions, chat, max_message_chars=10), text))
    assert (raised.value.code, raised.value.field, chat.asked) == (code, "text", [])


async def test_characters_that_cannot_be_kept_are_dropped(talk: Talk) -> None:
    await all_of(talk.say(assistant(talk.sessions, FakeChat("a\x00b \ud800c")), "he\x00llo \udfff"))
    assert await talk.kept() == [("user", "hello", False), ("assistant", "ab c", False)]


async def test_an_endless_reply_is_cut(talk: Talk) -> None:
    chat = FakeChat(*["word "] * 1000)
    events = await all_of(talk.say(assistant(talk.sessions, chat, max_reply_chars=12)))
    assert text_of(events) == "word word wo"
    assert chat.closed == 1


async def test_a_caller_who_takes_nothing_stops_the_reply(talk: Talk) -> None:
    chat = FakeChat(*["word "] * 1000)
    async with aclosing(talk.say(assistant(talk.sessions, chat))) as events:
        await anext(events)
        for _ in range(10 * EVENTS_AHEAD):
            await asyncio.sleep(0)
        assert chat.closed == 0
    assert chat.closed == 1


async def test_the_chat_engine_sees_prompt_and_history(talk: Talk) -> None:
    chat = FakeChat("Well.")
    graph = assistant(talk.sessions, chat, system_prompt="Be brief.", history_messages=3)
    for text in ("one", "two", "three"):
        await all_of(talk.say(graph, text))
    assert chat.asked[-1] == [
        Message("system", "Be brief."),
        Message("user", "two"),
        Message("assistant", "Well."),
        Message("user", "three"),
    ]


async def test_the_window_holds_twenty_messages(talk: Talk) -> None:
    chat = FakeChat("Well.")
    graph = assistant(talk.sessions, chat)
    for number in range(12):
        await all_of(talk.say(graph, str(number)))
    # Of twenty, the oldest is an answer whose question is gone.
    assert len(chat.asked[-1]) == 19
    assert (chat.asked[-1][0], chat.asked[-1][-1]) == (Message("user", "2"), Message("user", "11"))


async def test_sides_take_turns_whatever_was_interrupted() -> None:
    def said(role: Any, content: str) -> StoredMessage:
        return StoredMessage(0, role, content, False, None)  # type: ignore[arg-type]

    history = [said("assistant", "old"), said("user", "one"), said("user", "two"), said("assistant", "three")]
    assert conversation("", history, "four") == [
        Message("user", "one\ntwo"),
        Message("assistant", "three"),
        Message("user", "four"),
    ]


async def test_an_interrupted_reply_is_kept_as_far_as_it_was_delivered(talk: Talk) -> None:
    chat = FakeChat("Good ", "morning", " everybody.")
    async with aclosing(talk.say(assistant(talk.sessions, chat), speak=True)) as events:
        async for event in events:
            if event == ReplyText("morning"):
                break
    assert chat.closed == 1
    assert await talk.kept() == [("user", "hello", False), ("assistant", "Good morning", True)]
    assert text_of(await all_of(talk.say(assistant(talk.sessions, FakeChat("Yes."))))) == "Yes."


async def test_a_cancelled_caller_leaves_the_session_free(talk: Talk) -> None:
    chat = FakeChat("Good ", "never")
    chat.gate.clear()
    begun = asyncio.Event()

    async def listen() -> None:
        async for _event in talk.say(assistant(talk.sessions, chat)):
            begun.set()

    listening = asyncio.create_task(listen())
    await begun.wait()
    with pytest.raises(SessionBusy):
        await all_of(talk.say(assistant(talk.sessions, FakeChat("Yes."))))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert listening.cancelled()
    assert await talk.kept() == [("user", "hello", False), ("assistant", "Good", True)]
    assert text_of(await all_of(talk.say(assistant(talk.sessions, FakeChat("Yes."))))) == "Yes."


@pytest.mark.parametrize("pieces", [(), ("", " \n")])
async def test_an_engine_that_writes_nothing_is_unavailable(talk: Talk, pieces: tuple[str, ...]) -> None:
    with pytest.raises(ChatUnavailable):
        await all_of(talk.say(assistant(talk.sessions, FakeChat(*pieces))))
    assert await talk.kept() == []


async def test_of_a_turn_whose_engine_fails_at_once_nothing_is_kept(talk: Talk) -> None:
    with pytest.raises(ChatUnavailable, match="down"):
        await all_of(talk.say(assistant(talk.sessions, FakeChat(ChatUnavailable("down"))), speak=True))
    assert await talk.kept() == []
    assert text_of(await all_of(talk.say(assistant(talk.sessions, FakeChat("Yes."))))) == "Yes."


async def test_of_a_reply_that_fails_midway_the_beginning_is_kept(talk: Talk) -> None:
    with pytest.raises(ChatUnavailable):
        await all_of(talk.say(assistant(talk.sessions, FakeChat("Good ", ChatUnavailable("gone"))), speak=True))
    assert await talk.kept() == [("user", "hello", False), ("assistant", "Good", True)]


async def test_another_owners_session_is_not_answered(talk: Talk, database: Database) -> None:
    bob = await Users(database).create("bob")
    chat = FakeChat("Yes.")
    with pytest.raises(SessionNotFound):
        await all_of(assistant(talk.sessions, chat).answer(bob.id, talk.session, "hi", speak=False, correlation_id="c"))
    assert chat.asked == []
