"""The page's frame: sign-in, languages, navigation, widths, slow and failing networks, and what it may not do."""

from collections.abc import Callable

import httpx
import pytest
from browsing import Locale, Scheme, Visitor, hasten, with_clock
from playwright.sync_api import BrowserContext, Page, Route, ViewportSize, expect

pytestmark = pytest.mark.cluster

SECTIONS = {
    "voice-check": {"en": "Voice check", "ru": "Проверка голоса"},
    "transcript": {"en": "Transcript", "ru": "Расшифровка"},
    "translate": {"en": "Translate", "ru": "Перевод"},
    "assistant": {"en": "Assistant", "ru": "Ассистент"},
    "avatar": {"en": "Avatar", "ru": "Аватар"},
    "history": {"en": "History", "ru": "История"},
    "system": {"en": "System", "ru": "Система"},
}
STORED_KEY = "sessionStorage.getItem('voicegraph-key')"
SIGN_IN: dict[Locale, str] = {"en": "Sign in", "ru": "Войти"}
API_KEY: dict[Locale, str] = {"en": "API key", "ru": "Ключ API"}
SMALLEST: ViewportSize = {"width": 320, "height": 640}
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}


def sign_in(page: Page, key: str, language: Locale = "en") -> None:
    page.get_by_label(API_KEY[language], exact=True).fill(key)
    page.get_by_role("button", name=SIGN_IN[language]).click()


def speak(page: Page, language: Locale) -> None:
    """Choose the page's language in its corner."""
    page.locator("header select").select_option(language)
    expect(page.locator(f'html[lang="{language}"]')).to_be_attached()


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def link(page: Page, section: str, language: Locale = "en") -> None:
    page.get_by_role("navigation").get_by_role("link", name=SECTIONS[section][language]).click()


def overflow(page: Page) -> int:
    """Pixels that the page is wider than the screen."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels


class TestSignIn:
    def test_the_key_is_taken_from_the_address_and_kept_for_this_tab_alone(self, visit: Visitor) -> None:
        page = visit()
        assert "key" not in page.url
        assert page.evaluate(STORED_KEY) == visit.address.key
        assert visit.address.key not in page.evaluate("JSON.stringify(localStorage)")
        page.reload()
        heading(page, "Voice check")
        beside = page.context.new_page()
        beside.goto("./")
        expect(beside.get_by_label("API key", exact=True)).to_be_focused()

    def test_a_wrong_key_is_answered_by_what_to_do(self, visit: Visitor) -> None:
        visit.expects("status of 401")
        page = visit(signed_in=False)
        sentences: dict[Locale, str] = {
            "en": "This API key is not known. Check it, or ask the operator for a new one.",
            "ru": "Этот ключ API неизвестен. Проверьте его или попросите у администратора новый.",
        }
        for language, sentence in sentences.items():
            speak(page, language)
            sign_in(page, "vg_of-nobody", language)
            expect(page.get_by_role("alert")).to_have_text(sentence)
            assert page.evaluate(STORED_KEY) is None
        sign_in(page, visit.address.key, "ru")
        heading(page, SECTIONS["voice-check"]["ru"])

    def test_an_empty_field_asks_for_a_key_and_what_is_typed_can_be_looked_at(self, visit: Visitor) -> None:
        page = visit(signed_in=False)
        field = page.get_by_label("API key", exact=True)
        field.press("Enter")
        assert field.evaluate("field => field.validity.valueMissing")
        field.fill("  ")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("Please enter your API key.")
        expect(field).to_have_attribute("type", "password")
        page.get_by_label("Show the key").check()
        expect(field).to_have_attribute("type", "text")

    def test_a_link_to_a_section_leads_there_after_the_sign_in(self, visit: Visitor) -> None:
        page = visit("history", signed_in=False)
        sign_in(page, visit.address.key)
        heading(page, "History")
        expect(page.get_by_role("heading", level=1)).to_be_focused()

    def test_signing_out_forgets_the_key(self, visit: Visitor) -> None:
        page = visit("system")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert page.evaluate(STORED_KEY) is None
        page.go_back()
        expect(page.get_by_label("API key", exact=True)).to_be_visible()
        page.reload()
        expect(page.get_by_label("API key", exact=True)).to_be_visible()

    def test_a_key_that_is_withdrawn_leads_back_to_the_sign_in(self, visit: Visitor) -> None:
        visit.expects("status of 401")
        page = visit("history")
        page.evaluate("sessionStorage.setItem('voicegraph-key', 'vg_withdrawn')")
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("This API key is not known.")
        expect(page.get_by_label("API key", exact=True)).to_be_focused()


class TestLanguages:
    def test_the_browsers_language_is_spoken_and_another_can_be_chosen_for_good(self, visit: Visitor) -> None:
        page = visit("transcript", language="ru")
        heading(page, "Расшифровка")
        assert page.evaluate("document.documentElement.lang") == "ru"
        page.get_by_label("Язык", exact=True).first.select_option("en")
        heading(page, "Transcript")
        expect(page).to_have_title("Transcript · VoiceGraph")
        expect(page.get_by_label("Language", exact=True).first).to_be_focused()
        page.reload()
        heading(page, "Transcript")
        assert page.evaluate("document.documentElement.lang") == "en"

    def test_what_was_typed_stays_in_another_language(self, visit: Visitor) -> None:
        page = visit()
        for section in ("translate", "assistant", "avatar"):
            speak(page, "en")
            visit.go(page, section)
            page.locator("main textarea").first.fill("Good morning.\n\nHow are you?")
            speak(page, "ru")
            heading(page, SECTIONS[section]["ru"])
            expect(page.locator("main [data-ready]")).to_be_visible()
            expect(page.locator("main textarea").first).to_have_value("Good morning.\n\nHow are you?")


class TestNavigation:
    def test_the_keyboard_gets_everywhere(self, visit: Visitor) -> None:
        page = visit("voice-check")
        page.reload()
        expect(page.locator("main [data-ready]")).to_be_visible()
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_be_focused()
        there = page.get_by_role("navigation").get_by_role("link", name="Transcript")
        there.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="Transcript")).to_be_focused()
        expect(there).to_have_attribute("aria-current", "page")
        expect(page.locator("nav [aria-current]")).to_have_count(1)

    def test_the_browsers_history_is_the_sections_history(self, visit: Visitor) -> None:
        page = visit("transcript")
        link(page, "system")
        heading(page, "System")
        page.go_back()
        heading(page, "Transcript")
        page.go_forward()
        heading(page, "System")

    def test_the_page_below_r_finds_the_api_beside_itself(self, visit: Visitor) -> None:
        page = visit.profile().new_page()
        page.goto(f"{visit.address.url}/r/#key={visit.address.key}")
        heading(page, "Voice check")
        link(page, "history")
        heading(page, "History")
        expect(page.locator('main [data-section="history"][data-ready]')).to_be_visible()


class TestWidthsAndReaders:
    @pytest.mark.parametrize(
        ("language", "scheme", "phone"), [("en", "light", False), ("ru", "dark", True)], ids=["en light", "ru dark"]
    )
    def test_every_section_is_named_passes_axe_fits_the_smallest_phone_and_keeps_the_key_out_of_addresses(
        self, visit: Visitor, accessible: Callable[[Page], None], language: Locale, scheme: Scheme, phone: bool
    ) -> None:
        asked: list[str] = []

        def note(profile: BrowserContext) -> None:
            profile.on("request", lambda request: asked.append(request.url))

        page = visit(language=language, scheme=scheme, phone=phone, prepare=note)
        usual = page.viewport_size
        assert usual is not None
        found = []
        for section, names in SECTIONS.items():
            visit.go(page, section)
            heading(page, names[language])
            expect(page).to_have_title(f"{names[language]} · VoiceGraph")
            try:
                accessible(page)
            except AssertionError as error:
                found.append(f"{section}: {error}")
            page.set_viewport_size(SMALLEST)
            if pixels := overflow(page):
                found.append(f"{section}: {pixels} pixels too wide")
            page.set_viewport_size(usual)
        assert not found, "\n".join(found)
        assert any("/v1/" in url for url in asked)
        assert not [url for url in asked if visit.address.key in url]
        page.set_viewport_size(SMALLEST)
        page.get_by_role("button", name={"en": "Sign out", "ru": "Выйти"}[language]).click()
        expect(page.get_by_role("button", name=SIGN_IN[language])).to_be_in_viewport()
        assert overflow(page) == 0

    def test_axe_finds_nothing_serious_at_the_sign_in(self, visit: Visitor, accessible: Callable[[Page], None]) -> None:
        page = visit(signed_in=False)
        schemes: tuple[Scheme, ...] = ("light", "dark")
        for language in SIGN_IN:
            speak(page, language)
            expect(page.get_by_label(API_KEY[language], exact=True)).to_be_visible()
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme)
                accessible(page)


class TestEngines:
    @pytest.mark.parametrize(
        ("language", "scheme", "phone"), [("en", "light", False), ("ru", "dark", True)], ids=["en", "ru on a phone"]
    )
    def test_a_section_says_which_engine_answers_and_more_by_keyboard_without_moving_what_is_below(
        self,
        visit: Visitor,
        api: httpx.Client,
        accessible: Callable[[Page], None],
        language: Locale,
        scheme: Scheme,
        phone: bool,
    ) -> None:
        told = api.get("/v1/engines").raise_for_status().json()["engines"]
        (asr,) = (engine for engine in told if engine["role"] == "asr")
        held: list[Route] = []
        page = visit(
            "transcript",
            language=language,
            scheme=scheme,
            phone=phone,
            prepare=lambda profile: profile.route("**/v1/engines", lambda route: held.append(route)),
        )
        content = page.locator("main .section")
        before = content.bounding_box()
        for route in held:
            route.continue_()
        summary = page.locator(".engines summary")
        words = {"en": "PocketSphinx · 60.7% word errors", "ru": "PocketSphinx · 60,7"}
        expect(summary).to_contain_text(words[language])
        assert content.bounding_box() == before
        setting = page.locator('[data-role="asr"]').get_by_text(asr["better"]["setting"], exact=True)
        expect(setting).not_to_be_visible()
        summary.focus()
        page.keyboard.press("Enter")
        expect(setting).to_be_visible()
        expect(page.locator('[data-role="asr"] .engines-notice')).to_contain_text(
            {"en": "last resort", "ru": "на крайний случай"}[language]
        )
        expect(page.locator('[data-role="diarization"], [data-role="spoof"]')).to_have_count(2)
        assert overflow(page) == 0
        accessible(page)

    def test_engines_that_cannot_be_asked_hold_up_nothing(self, visit: Visitor) -> None:
        visit.expects("status of 500")
        page = visit(
            "transcript",
            prepare=lambda profile: profile.route("**/v1/engines", lambda route: route.fulfill(status=500, json={})),
        )
        expect(page.get_by_text("Which engine answers could not be found out.")).to_be_visible()
        expect(page.get_by_role("button", name="Transcribe")).to_be_visible()


class TestNetworks:
    def test_a_slow_one_keeps_the_page_usable(self, visit: Visitor) -> None:
        page = visit.profile().new_page()
        page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW_3G)
        page.goto("./#/history")
        sign_in(page, visit.address.key)
        heading(page, "History")
        link(page, "system")
        heading(page, "System")
        link(page, "transcript")
        heading(page, "Transcript")
        expect(page.locator('main [data-section="transcript"][data-ready]')).to_be_visible()

    def test_a_section_that_is_still_on_its_way_holds_up_nothing(self, visit: Visitor) -> None:
        held: list[Route] = []
        page = visit(
            "voice-check",
            prepare=lambda profile: profile.route("**/history/page.js", lambda route: held.append(route)),
        )
        link(page, "history")
        expect(page.get_by_role("heading", level=1, name="History")).to_be_focused()
        expect(page.get_by_role("status")).to_have_text("Loading…")
        link(page, "system")
        expect(page.locator('main [data-section="system"][data-ready]')).to_be_visible()
        link(page, "history")
        expect(page.get_by_role("status")).to_have_text("Loading…")
        for route in held:
            route.continue_()
        expect(page.locator('main [data-section="history"][data-ready]')).to_be_visible()

    def test_a_section_that_does_not_arrive_is_asked_for_again(self, visit: Visitor) -> None:
        visit.expects("request failed: GET .*/history/page.js")
        visit.expects("console error: Failed to load resource")
        failing = ["in English", "in Russian"]

        def answer(route: Route) -> None:
            if failing:
                failing.pop()
                route.abort("connectionreset")
            else:
                route.continue_()

        page = visit(prepare=lambda profile: profile.route("**/history/page.js", answer))
        link(page, "history")
        alert = page.get_by_role("alert")
        expect(alert).to_have_text("The server cannot be reached. Check the connection, then try again.")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        speak(page, "ru")
        expect(alert).to_have_text("Сервер недоступен. Проверьте соединение и попробуйте ещё раз.")
        page.get_by_role("button", name="Повторить").click()
        expect(page.locator('main [data-section="history"][data-ready]')).to_be_visible()

    def test_a_sign_in_without_a_connection_says_so_and_keeps_what_was_typed(self, visit: Visitor) -> None:
        visit.expects("request failed: GET .*/v1/me")
        visit.expects("console error: Failed to load resource")

        def lose(profile: BrowserContext) -> None:
            profile.route("**/v1/me", lambda route: route.abort("internetdisconnected"))
            with_clock(profile)

        page = visit(signed_in=False, prepare=lose)
        sign_in(page, visit.address.key)
        hasten(page, page.get_by_role("alert"))
        expect(page.get_by_role("alert")).to_have_text(
            "The server cannot be reached. Check the connection, then try again."
        )
        page.context.unroute_all()
        page.get_by_role("button", name="Sign in").click()
        heading(page, "Voice check")


class TestSafety:
    def test_the_document_allows_its_own_files_and_nothing_else(self, visit: Visitor) -> None:
        answer = visit.profile().request.get("./")
        directives = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
        assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
        assert directives["frame-ancestors"] == directives["trusted-types"] == "'none'"
        assert directives["require-trusted-types-for"] == "'script'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"

    def test_a_text_cannot_become_markup_or_a_script(self, visit: Visitor) -> None:
        attempts = {
            "document.body.innerHTML = '<b>text</b>'": "TrustedHTML",
            "document.body.append(Object.assign(document.createElement('b'), {innerHTML: '<i>'}))": "TrustedHTML",
            "document.body.setAttribute('onclick', 'window.ran = 1')": "TrustedScript",
            "document.body.append(Object.assign(document.createElement('script'), {text: 'ran = 1'}))": "TrustedScript",
        }
        for fault in attempts.values():
            visit.expects(fault)
        page = visit()
        for attempt in attempts:
            refused = page.evaluate(
                f"() => {{ try {{ {attempt}; return null; }} catch (error) {{ return error.name; }} }}"
            )
            assert refused == "TypeError", attempt
        assert page.evaluate("window.ran === undefined")

    def test_nothing_can_be_sent_elsewhere(self, visit: Visitor) -> None:
        visit.expects("violates the .*Content Security Policy")
        page = visit()
        sent = page.evaluate("() => fetch('http://localhost:1/').then(() => 'sent', () => 'refused')")
        assert sent == "refused"
