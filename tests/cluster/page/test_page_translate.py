"""Translating on the page: a text, a recording, and what is said into the microphone."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from browsing import Visitor
from playwright.sync_api import BrowserContext, Locator, Page, Route, WebSocketRoute, expect

pytestmark = pytest.mark.cluster

TEXT = "The house is red.\n\n- Two cats.\n    A dog."
PLAYING = "[...document.querySelectorAll('audio')].filter((one) => !one.paused).map((one) => one.ariaLabel).join()"
DENIED = """
if (navigator.mediaDevices) {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
}
"""

# A short caption is spoken before a test on a busy machine looks.
REMEMBER_WHAT_IS_HEARD = """
() => new MutationObserver(() => {
  const heard = document.querySelector("[role=log] .is-heard");
  if (heard) globalThis.heard = heard.textContent;
}).observe(document.body, {subtree: true, childList: true, attributes: true})
"""


@pytest.fixture(autouse=True)
def english_to_spanish(api: httpx.Client) -> None:
    pairs = api.get("/v1/languages").raise_for_status().json()["translation"]["pairs"]
    if pairs is not None and "es" not in pairs.get("en", []):
        pytest.skip("nothing translates English to Spanish here (apt-get install apertium apertium-eng-spa)")


def in_spanish(api: httpx.Client, text: str) -> str:
    body = {"text": text, "source": "en", "target": "es"}
    translated: str = api.post("/v1/translate", json=body).raise_for_status().json()["text"]
    return translated


def panel(page: Page) -> Locator:
    return page.get_by_role("tabpanel")


def choose_languages(page: Page, source: str, target: str, labels: tuple[str, str] = ("From", "Into")) -> None:
    for label, language in zip(labels, (source, target), strict=True):
        panel(page).get_by_role("combobox", name=label, exact=True).select_option(language)


def no_wider_than_the_screen(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


class TestText:
    def test_a_text_is_translated_as_it_is_laid_out_copied_heard_and_turned_round(
        self, visit: Visitor, api: httpx.Client, accessible: Callable[[Page], None]
    ) -> None:
        page = visit("translate")
        choose_languages(page, "en", "es")
        accessible(page)
        text = page.get_by_role("textbox", name="Text in English")
        text.fill(TEXT)
        expect(panel(page)).to_contain_text(f"{len(TEXT)} of 20,000 characters")
        text.press("Control+Enter")
        translation = page.get_by_role("region", name="Translation into Spanish")
        expect(translation).to_have_text(in_spanish(api, TEXT), use_inner_text=True)
        expect(translation).to_have_attribute("lang", "es")
        accessible(page)

        page.get_by_role("button", name="Copy the translation").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == in_spanish(api, TEXT)

        for name, language in (("Listen to the text", "en"), ("Listen to the translation", "es")):
            with page.expect_request("**/v1/speech") as spoken:
                page.get_by_role("button", name=name).click()
            assert json.loads(spoken.value.post_data or "")["language"] == language
        # The second one silenced the first, and is over when it has been heard.
        expect(page.get_by_role("button", name="Stop")).to_have_count(1)
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)

        page.get_by_role("button", name="Swap the languages").click()
        expect(page.get_by_role("textbox", name="Text in Spanish")).to_have_value(in_spanish(api, TEXT))
        expect(page.get_by_role("region", name="Translation", exact=True)).to_contain_text(
            "The translation appears here"
        )

    def test_what_cannot_be_translated_is_said_before_it_is_sent(self, visit: Visitor) -> None:
        page = visit("translate")
        page.get_by_role("button", name="Translate", exact=True).click()
        expect(page.get_by_role("alert")).to_have_text("Write or paste a text first.")
        page.get_by_role("textbox").fill("a" * 20_001)
        page.get_by_role("button", name="Translate", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("20,001 characters; the limit is 20,000")

    def test_doubtful_sentences_are_marked_and_the_confidence_is_put_in_words(
        self, visit: Visitor, accessible: Callable[[Page], None]
    ) -> None:
        def unsure(route: Route) -> None:
            quality = {"perplexity": 2.6, "average_probability": 0.52, "minimum_probability": 0.04}
            sentences = [
                {"source": "One.", "text": "Uno.", "quality": {**quality, "average_probability": 0.9}, "suspect": None},
                {"source": "Two, two.", "text": "Dos.", "quality": quality, "suspect": "repeated words"},
            ]
            body = {"text": "Uno.\nDos.", "source": "en", "target": "es", "quality": quality, "sentences": sentences}
            route.fulfill(json=body)

        page = visit("translate", language="ru", phone=True, scheme="dark")
        page.route("**/v1/translate", unsure)
        choose_languages(page, "en", "es", ("С языка", "На язык"))
        page.get_by_role("textbox").fill("One.\nTwo, two.")
        page.get_by_role("button", name="Перевести").click()
        expect(page.get_by_role("region").locator("mark")).to_have_text("Dos.")
        expect(panel(page)).to_contain_text("Модель довольно уверена в этом переводе.")
        expect(panel(page)).to_contain_text(re.compile(r"в 52\s%; .* в 4\s%"))
        doubtful = page.get_by_role("listitem").filter(has_text="Two, two.")
        expect(doubtful).to_contain_text("Одно слово повторялось много раз")
        accessible(page)
        no_wider_than_the_screen(page)

    def test_without_languages_it_says_what_to_do(self, visit: Visitor, accessible: Callable[[Page], None]) -> None:
        answers: list[tuple[int, dict[str, Any]]] = [
            (500, {"code": "internal"}),
            (
                200,
                {
                    "recognition": {"languages": ["en"]},
                    "translation": {"languages": [], "pairs": {}},
                    "speech": {"languages": [], "cloning": []},
                },
            ),
        ]

        def answer(route: Route) -> None:
            status, body = answers.pop(0)
            route.fulfill(status=status, json=body)

        visit.expects("status of 500")
        page = visit("translate", prepare=lambda context: context.route("**/v1/languages", answer))
        expect(panel(page).get_by_role("alert")).to_contain_text("The service failed at this.")
        panel(page).get_by_role("button", name="Try again").click()
        expect(panel(page)).to_contain_text("apt-get install apertium apertium-eng-spa")
        expect(page.get_by_role("button", name="Translate", exact=True)).to_be_disabled()
        accessible(page)


class TestRecording:
    def test_a_recording_is_translated_followed_heard_row_by_row_saved_and_shared(
        self, visit: Visitor, brief_recording: Path, accessible: Callable[[Page], None]
    ) -> None:
        page = visit("translate/file")
        held: list[Route] = []
        page.route("**/artifacts/translation.json", lambda route: held.append(route))
        page.get_by_role("button", name="Translate the recording").click()
        expect(page.get_by_role("alert")).to_have_text("Choose or record something first.")
        page.locator("input[type=file]").set_input_files(brief_recording)
        choose_languages(page, "en", "es")
        panel(page).get_by_role("combobox", name="Voice").select_option(label="Spanish (Spain), female3")
        panel(page).get_by_role("combobox", name="Sound file").select_option("MP3")
        accessible(page)
        rows = page.get_by_role("list", name="What was said, and its translation").get_by_role("listitem")
        with page.expect_request("**/artifacts/translation.json"):
            page.get_by_role("button", name="Translate the recording").click()
            expect(rows.first).to_be_visible()
            accessible(page)
        # Until the report is there.
        expect(page.get_by_role("heading", name="Translated so far")).to_be_visible()
        held[0].continue_()

        expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
        expect(page.get_by_role("heading", name="brief.wav")).to_be_focused()
        expect(panel(page)).to_contain_text("voice: es-f3")
        translation = rows.first.get_by_role("button", name="Play the translation of 0:00")
        translation.click()
        expect(rows.first).to_have_class(re.compile("is-heard"))
        rows.first.get_by_role("button", name="Play the original from 0:00").click()
        page.wait_for_function(f"{PLAYING} === 'Original'")
        # It ends with the row.
        expect(rows.first).not_to_have_class(re.compile("is-heard"))
        accessible(page)

        with page.expect_download() as subtitles:
            page.get_by_role("group", name="Translation").get_by_role("button", name="SRT").click()
        assert subtitles.value.suggested_filename == "brief.es.srt"
        assert "-->" in subtitles.value.path().read_text()
        with page.expect_download() as sound:
            page.get_by_role("link", name="Sound").click()
        assert sound.value.suggested_filename.endswith(".mp3")
        page.get_by_role("button", name="Copy the link").click()
        shared = page.evaluate("navigator.clipboard.readText()")

        def troubled(route: Route) -> None:
            report = route.fetch().json()
            spoken = report["utterances"][0]
            unspoken = {"audio_start": None, "audio_end": None, "speed": None, "speech_error": "no such voice"}
            report["utterances"] = [{**spoken, "speed": 1.25, "suspect": True}, {**spoken, **unspoken}]
            route.fulfill(body=json.dumps(report), content_type="application/json")

        other = visit(
            shared.partition("#/")[2],
            language="ru",
            phone=True,
            scheme="dark",
            prepare=lambda context: context.route("**/translation.json", troubled),
        )
        expect(other.get_by_role("heading", name="Скачать")).to_be_visible()
        expect(other.get_by_role("heading", name="brief.wav")).to_be_visible()
        # What is to be checked, hurried or unspoken is marked and explained.
        rows = other.get_by_role("list", name="Сказанное и его перевод").get_by_role("listitem")
        expect(rows.first).to_contain_text("Проверьте")
        expect(rows.first).to_contain_text("Быстрее: 1,25×")
        expect(rows.last).to_contain_text("Не озвучено")
        expect(rows.last.get_by_role("button")).to_have_count(1)
        expect(other.get_by_role("list", name="Что значат пометки")).to_contain_text("это произнести не удалось")
        accessible(other)
        no_wider_than_the_screen(other)
        other.get_by_role("button", name="Перевести другую запись").click()
        expect(other.get_by_role("button", name="Перевести запись")).to_be_visible()
        assert other.url.endswith("#/translate/file")

    def test_a_link_to_something_else_leads_on(self, visit: Visitor) -> None:
        visit.expects("status of 404")
        page = visit("translate/00000000-0000-0000-0000-000000000000")
        expect(page.get_by_role("alert")).to_contain_text("not there (any more)")
        expect(page.get_by_role("button", name="Translate the recording")).to_be_visible()


class TestLive:
    def test_what_is_said_is_captioned_in_both_languages_spoken_and_saved(
        self,
        visit: Visitor,
        say: Callable[[str], Path],
        api: httpx.Client,
        accessible: Callable[[Page], None],
    ) -> None:
        page = visit("translate/live", microphone=say("Hello, how are you?"))
        choose_languages(page, "en", "es")
        accessible(page)
        page.evaluate(REMEMBER_WHAT_IS_HEARD)
        page.get_by_role("heading", name="Live interpreting").click()
        page.keyboard.press("Space")
        status = panel(page).get_by_role("status")
        expect(status).to_contain_text("Listening.")
        caption = page.get_by_role("log").locator("[lang=en]")
        expect(caption).to_have_text(re.compile(r"\w"))
        meant = page.get_by_role("log").locator("[lang=es]")
        expect(meant).to_have_text(in_spanish(api, caption.inner_text()))
        page.wait_for_function("meaning => globalThis.heard?.includes(meaning)", arg=meant.inner_text())
        accessible(page)
        page.keyboard.press("Space")
        expect(status).to_have_text("The microphone is off.")

        with page.expect_download() as subtitles:
            page.get_by_role("button", name="Subtitles (SRT)").click()
        lines = subtitles.value.path().read_text().splitlines()
        assert re.fullmatch(r"00:00:00,000 --> 00:00:\d\d,\d{3}", lines[1])
        assert lines[2:4] == [caption.inner_text(), meant.inner_text()]
        panel(page).get_by_role("combobox", name="Languages").select_option("The translation")
        with page.expect_download() as text:
            page.get_by_role("button", name="Text", exact=True).click()
        assert text.value.path().read_text().split() == ["[0:00]", *meant.inner_text().split()]

    @pytest.mark.thorough
    def test_a_broken_connection_is_taken_up_again(
        self, visit: Visitor, say: Callable[[str], Path], accessible: Callable[[Page], None]
    ) -> None:
        connections: list[WebSocketRoute] = []

        def pass_on(connection: WebSocketRoute) -> None:
            connections.append(connection)
            connection.connect_to_server()

        def prepare(context: BrowserContext) -> None:
            context.route_web_socket("**/api/v1/ws/translation", pass_on)

        microphone = say("Hello, how are you?")
        page = visit("translate/live", language="ru", phone=True, microphone=microphone, prepare=prepare)
        choose_languages(page, "en", "es", ("С языка", "На язык"))
        page.get_by_label("Озвучивать перевод").uncheck()
        page.get_by_role("button", name="Начать перевод").click()
        status = panel(page).get_by_role("status")
        expect(status).to_contain_text("Слушаю.")
        accessible(page)
        no_wider_than_the_screen(page)
        connections[0].close(code=1012)
        expect(status).to_contain_text("Связь прервалась.")
        expect(status).to_contain_text("Слушаю.")
        assert len(connections) == 2
        page.get_by_role("button", name="Остановить").click()
        expect(status).to_have_text("Микрофон выключен.")

    @pytest.mark.thorough
    def test_a_blocked_microphone_and_an_unknown_language_are_sentences(
        self, visit: Visitor, say: Callable[[str], Path]
    ) -> None:
        page = visit("translate/live", prepare=lambda context: context.add_init_script(DENIED))
        page.get_by_role("button", name="Start interpreting").click()
        expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked. Allow it")
        expect(page.get_by_role("button", name="Start interpreting")).to_be_visible()

        def claim(route: Route) -> None:
            body = route.fetch().json()
            body["recognition"]["languages"].append("es")
            route.fulfill(json=body)

        source = page.get_by_role("combobox", name="From", exact=True)
        assert source.locator("option").all_inner_texts() == ["Detect the language", "English"]
        page = visit(
            "translate/live",
            microphone=say("Hello, how are you?"),
            prepare=lambda context: context.route("**/v1/languages", claim),
        )
        choose_languages(page, "es", "en")
        page.get_by_role("button", name="Start interpreting").click()
        expect(page.get_by_role("alert")).to_contain_text("Spanish: the speech recogniser of this server")
        expect(page.get_by_role("button", name="Start interpreting")).to_be_visible()
