"""The Assistant: it is talked to by a held button, hands-free and in writing, and is interrupted."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from browsing import Locale, Visitor, hasten, with_clock
from playwright.sync_api import BrowserContext, Locator, Page, Route, WebSocketRoute, expect

pytestmark = pytest.mark.cluster

Accessible = Callable[[Page], None]
Say = Callable[[str], Path]

QUESTION = "What time is it?"
# What the embedded recogniser always makes of it, and more or less of the rest.
HEARD = re.compile("what|time")
# The offline responder and the chat server of the tests both repeat it, which takes a while to say.
LONG = (
    "The north wind and the sun argued which of them was the stronger, and agreed that whoever made a traveller "
    "take his coat off would win, so the wind blew as hard as it could."
)
WORDS = {
    "en": {
        "talk": "Talk",
        "talk_off": "Turn the microphone off",
        "hands_free": "Hands-free",
        "speak": "Speak replies",
        "stop": "Stop",
        "send": "Send",
        "message": "Message",
        "language": "Language",
        "anew": "Start over",
        "conversation": "Conversation",
        "interrupted": "Interrupted",
        "first_sound": "First sound after",
        "first_words": "First words after",
        "listening": "Listening…",
        "ready": "Ready",
        "hello": "Say hello",
    },
    "ru": {
        "talk": "Говорить",
        "talk_off": "Выключить микрофон",
        "hands_free": "Без рук",
        "speak": "Озвучивать ответы",
        "stop": "Стоп",
        "send": "Отправить",
        "message": "Сообщение",
        "language": "Язык",
        "anew": "Новый разговор",
        "conversation": "Разговор",
        "interrupted": "Прервано",
        "first_sound": "Первый звук через",
        "first_words": "Первые слова через",
        "listening": "Слушаю…",
        "ready": "Готов",
        "hello": "Поздоровайтесь",
    },
}
NO_WEBSOCKET = """
window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose({code: 1006, reason: ""})); }
  close() {}
};
"""

NO_MICROPHONE = """
const devices = navigator.mediaDevices;
if (devices) devices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
"""


class Conversation:
    """The section as a person uses it, in one of the page's languages."""

    def __init__(self, page: Page, language: Locale = "en") -> None:
        self.page = page
        self.words = WORDS[language]

    @property
    def yours(self) -> Locator:
        """What you said, complete."""
        return self.page.get_by_role("log").locator(".you")

    @property
    def heard(self) -> Locator:
        """What was made out of what you said last, also while you are still saying it."""
        return self.page.locator(".assistant-bubble.you").last

    @property
    def replies(self) -> Locator:
        """What was answered, complete."""
        return self.page.get_by_role("log").locator(".assistant-bubble.assistant")

    @property
    def answers(self) -> Locator:
        """What was answered, also while it is still being said."""
        return self.page.locator(".assistant-bubble.assistant")

    @property
    def state(self) -> Locator:
        return self.page.locator(".assistant-state")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=self.words[name], exact=True)

    def listen_in(self, language: str) -> None:
        """Choose the language that is spoken."""
        self.page.get_by_role("main").get_by_role("combobox", name=self.words["language"]).select_option(language)

    def text_only(self) -> None:
        """Turn speech off, which takes its time."""
        self.page.get_by_role("checkbox", name=self.words["speak"]).uncheck()

    def write(self, text: str) -> None:
        field = self.page.get_by_role("textbox", name=self.words["message"])
        field.fill(text)
        field.press("Enter")

    def mark(self) -> Locator:
        """The clause that is being spoken."""
        return self.page.locator("mark:not(:empty)")


def test_who_holds_the_button_is_heard_answered_and_told_how_long_it_took(
    visit: Visitor, say: Say, accessible: Accessible
) -> None:
    page = visit("assistant", language="ru", phone=True, microphone=say(QUESTION))
    talks = Conversation(page, "ru")
    expect(page.get_by_text(talks.words["hello"])).to_be_visible()
    accessible(page)
    talks.listen_in("en")
    talk = talks.button("talk")
    talk.hover()
    page.mouse.down()
    expect(talk).to_have_attribute("aria-pressed", "true")
    expect(talks.heard).to_contain_text(HEARD)
    page.mouse.up()
    expect(talk).to_have_attribute("aria-pressed", "false")
    expect(talks.yours).to_contain_text(HEARD)
    expect(talks.replies.locator("p")).not_to_be_empty()
    expect(talks.replies).to_contain_text(talks.words["first_sound"])
    expect(talks.replies.get_by_role("listitem")).to_have_count(5)
    expect(talks.state).to_have_text(talks.words["ready"])
    accessible(page)
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0


@pytest.mark.thorough
def test_the_space_bar_talks_and_a_short_press_holds_until_the_next(visit: Visitor, say: Say) -> None:
    talks = Conversation(visit("assistant", microphone=say(QUESTION)))
    keyboard = talks.page.keyboard
    talks.page.get_by_role("heading", level=1).focus()
    keyboard.down("Space")
    expect(talks.heard).to_contain_text(HEARD)
    keyboard.up("Space")
    expect(talks.yours).to_contain_text(HEARD)
    expect(talks.replies).to_contain_text(talks.words["first_sound"])
    expect(talks.replies.get_by_role("listitem")).to_have_count(5)
    expect(talks.state).to_have_text(talks.words["ready"])
    talks.button("talk").focus()
    keyboard.press("Enter")
    expect(talks.page.get_by_text("Press once more to send.")).to_be_visible()
    expect(talks.page.locator(".assistant-bubble.you")).to_have_count(2)
    expect(talks.heard).to_contain_text(HEARD)
    keyboard.press("Enter")
    expect(talks.yours).to_have_count(2)
    expect(talks.answers).to_have_count(2)


def test_hands_free_a_pause_sends_and_typing_interrupts(visit: Visitor, say: Say, accessible: Accessible) -> None:
    page = visit("assistant", language="ru", scheme="dark", microphone=say(QUESTION))
    talks = Conversation(page, "ru")
    talks.listen_in("en")
    page.get_by_role("checkbox", name=talks.words["hands_free"]).check()
    expect(talks.button("talk_off")).to_have_attribute("aria-pressed", "true")
    expect(talks.yours).to_contain_text(HEARD)
    expect(talks.replies).to_contain_text(talks.words["first_sound"])
    talks.write(LONG)
    expect(talks.mark()).to_be_visible()
    accessible(page)
    talks.write("hello")
    expect(talks.replies).to_have_count(3)
    expect(talks.replies.nth(1)).to_contain_text(talks.words["interrupted"])
    expect(talks.replies.last).not_to_contain_text(talks.words["interrupted"])
    expect(talks.state).to_have_text(talks.words["listening"])
    talks.button("talk_off").click()
    expect(talks.state).to_have_text(talks.words["ready"])
    expect(page.get_by_role("checkbox", name=talks.words["hands_free"])).not_to_be_checked()


def test_speaking_interrupts_and_what_was_not_heard_is_shown(visit: Visitor, say: Say) -> None:
    talks = Conversation(visit("assistant", microphone=say(QUESTION)))
    talks.write(LONG)
    expect(talks.mark()).to_be_visible()
    talks.page.get_by_role("checkbox", name="Hands-free").check()
    expect(talks.replies.first).to_contain_text("Interrupted")
    # Whatever was understood: the reply sounds meanwhile.
    expect(talks.yours).to_have_count(2)
    expect(talks.answers).to_have_count(2)


@pytest.mark.thorough
def test_stop_silences_at_once_and_the_conversation_outlives_the_page(
    visit: Visitor, api: httpx.Client, accessible: Accessible
) -> None:
    page = visit("assistant")
    talks = Conversation(page)
    talks.write(LONG)
    expect(talks.mark()).to_be_visible()
    talks.button("stop").click()
    expect(talks.replies).to_contain_text("Interrupted")
    expect(talks.button("stop")).to_be_hidden()
    expect(talks.state).to_have_text("Ready")
    talks.write(LONG)
    # The first reply keeps the mark where it was interrupted.
    expect(talks.mark()).to_have_count(2)
    page.keyboard.press("Escape")
    expect(talks.replies).to_have_count(2)
    session = page.evaluate("sessionStorage.getItem('voicegraph-conversation')")
    kept = api.get(f"/v1/assistant/sessions/{session}").raise_for_status().json()["messages"]
    assert [(message["role"], message["interrupted"]) for message in kept[:2]] == [
        ("user", False),
        ("assistant", True),
    ]
    page.reload()
    past = page.locator(".assistant-scroll .assistant-bubble")
    expect(past).to_have_count(4)
    expect(past.nth(1)).to_contain_text("Interrupted")
    accessible(page)
    talks.button("anew").click()
    expect(past).to_have_count(0)
    expect(page.get_by_text("Say hello")).to_be_visible()
    assert api.get(f"/v1/assistant/sessions/{session}").status_code == 404


@pytest.mark.thorough
def test_text_only_says_when_the_first_words_came(visit: Visitor) -> None:
    talks = Conversation(visit("assistant"))
    talks.text_only()
    expect(talks.page.get_by_role("log")).to_have_attribute("aria-live", "polite")
    talks.write("hello")
    expect(talks.yours).to_have_text("Youhello")
    expect(talks.replies).to_contain_text("First words after")
    expect(talks.mark()).to_have_count(0)


@pytest.mark.thorough
def test_a_conversation_that_has_expired_is_told_and_another_begins(visit: Visitor) -> None:
    visit.expects("status of 404")
    page = visit("assistant", language="ru")
    page.evaluate("sessionStorage.setItem('voicegraph-conversation', '20200101000000-aaaaaaaa')")
    page.reload()
    expect(page.get_by_text("Прошлый разговор уже стёрт")).to_be_visible()
    talks = Conversation(page, "ru")
    talks.text_only()
    talks.write("hello")
    expect(talks.replies).to_have_count(1)


@pytest.mark.thorough
def test_a_connection_that_breaks_is_made_again_with_the_conversation(visit: Visitor) -> None:
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page = visit("assistant", prepare=lambda profile: profile.route_web_socket("**/api/v1/ws", pass_on))
    talks = Conversation(page)
    talks.text_only()
    talks.write("hello")
    expect(talks.replies).to_have_count(1)
    session = page.evaluate("sessionStorage.getItem('voicegraph-conversation')")
    sockets[0].close(code=1012, reason="restart")
    expect(page.get_by_role("status")).to_contain_text("Connected again.")
    talks.write("hello again")
    expect(talks.replies).to_have_count(2)
    assert page.evaluate("sessionStorage.getItem('voicegraph-conversation')") == session
    assert len(sockets) == 2


@pytest.mark.thorough
def test_without_websockets_typing_still_works(visit: Visitor) -> None:
    page = visit("assistant", language="ru", prepare=lambda profile: profile.add_init_script(NO_WEBSOCKET))
    talks = Conversation(page, "ru")
    talks.listen_in("en")
    talks.write(LONG)
    expect(page.get_by_role("alert")).to_contain_text("работает только переписка")
    expect(talks.mark()).to_be_visible()
    talks.button("stop").click()
    expect(talks.replies).to_contain_text(talks.words["interrupted"])
    talks.write("hello")
    expect(talks.replies).to_have_count(2)
    expect(talks.replies.last).to_contain_text(talks.words["first_sound"])


@pytest.mark.thorough
def test_a_blocked_microphone_and_lists_that_fail_say_what_to_do(visit: Visitor, accessible: Accessible) -> None:
    visit.expects("request failed: GET .*/v1/languages")
    visit.expects("console error: Failed to load resource")
    failing = [True]

    def answer(route: Route) -> None:
        if failing[0]:
            route.abort("connectionreset")
        else:
            route.continue_()

    def prepare(profile: BrowserContext) -> None:
        profile.route("**/v1/languages", answer)
        profile.add_init_script(NO_MICROPHONE)
        with_clock(profile)

    page = visit("assistant", prepare=prepare)
    blocked: dict[Locale, tuple[str, str]] = {
        "en": (
            "The microphone is blocked. Allow it in the browser's settings for this page, then try again.",
            "Try again",
        ),
        "ru": (
            "Микрофон заблокирован. Разрешите его для этой страницы в настройках браузера и попробуйте ещё раз.",
            "Повторить",
        ),
    }
    for language, (sentence, try_again) in blocked.items():
        page.locator("header select").select_option(language)
        talks = Conversation(page, language)
        talks.button("talk").click()
        expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
        expect(talks.button("talk")).to_have_attribute("aria-pressed", "false")
        again = page.get_by_role("main").get_by_role("button", name=try_again)
        hasten(page, again)
        accessible(page)
    failing[0] = False
    again.click()
    languages = page.get_by_role("main").get_by_role("combobox", name=talks.words["language"])
    expect(languages.locator("option")).not_to_have_count(1)
    expect(again).to_have_count(0)
