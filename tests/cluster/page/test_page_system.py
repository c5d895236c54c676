"""System: health, load, queue and versions, and what is said when something of it is not well."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from browsing import Locale, Scheme, Visitor, with_clock
from playwright.sync_api import BrowserContext, Page, Route, expect

pytestmark = pytest.mark.cluster

REFRESH_MS = 5000
PARTS = ("worker", "asr", "diarization", "spoof", "speaker", "translation", "speech", "lipsync", "ingress", "live")


def changed(path: str, change: Callable[[dict[str, Any]], None]) -> Callable[[BrowserContext], None]:
    """Have the service's own answer reach the page with a change."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, json=body)

    return lambda profile: profile.route(f"**/{path}", answer)


def sentence(page: Page) -> Any:
    return page.locator(".system-sentence")


@pytest.mark.parametrize(
    ("language", "scheme", "phone", "words"),
    [
        ("en", "light", False, ("Everything is ready.", "Healthy", "Voice check", "after", "Translated")),
        ("ru", "dark", True, ("Всё готово к работе.", "Исправно", "Проверка голоса", "мс", "Переводится")),
    ],
    ids=["en", "ru on a phone"],
)
def test_a_system_that_is_well(
    visit: Visitor,
    finished_job: Callable[[str], str],
    accessible: Callable[[Page], None],
    language: Locale,
    scheme: Scheme,
    phone: bool,
    words: tuple[str, ...],
) -> None:
    finished_job("spoof")
    ready, healthy, kind, latency, translated = words
    page = visit("system", language=language, scheme=scheme, phone=phone)
    expect(sentence(page)).to_have_text(ready)
    for part in PARTS:
        row = page.locator(f'[data-part="{part}"]')
        expect(row).to_contain_text(healthy)
        expect(row).to_contain_text(re.compile("^.*1 (replica|реплика)", re.DOTALL))
    expect(page.get_by_role("row", name=kind).first).to_be_visible()
    expect(page.get_by_text(latency).first).to_be_visible()
    expect(page.get_by_text(translated).first).to_be_visible()
    expect(page.get_by_role("term").filter(has_text=re.compile("^ray$"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    accessible(page)


@pytest.mark.thorough
def test_it_is_asked_again_and_again_until_it_is_paused(visit: Visitor, api: httpx.Client) -> None:
    page = visit("system", prepare=with_clock)
    expect(sentence(page)).to_have_text("Everything is ready.")
    with page.expect_response("**/v1/system"):
        page.clock.fast_forward(REFRESH_MS)
    asked: list[str] = []
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(re.compile("^Paused"))).to_be_visible()
    page.on("request", lambda request: asked.append(request.url))
    page.clock.fast_forward(12 * REFRESH_MS)
    expect(page.get_by_text(re.compile(r"^Paused · Updated 1m"))).to_be_visible()
    page.get_by_role("button", name="Go on").focus()
    assert not [url for url in asked if url.endswith("/v1/system")]
    with page.expect_response("**/v1/system"):
        page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    reference = page.get_by_role("link", name="API reference")
    assert api.get(str(reference.get_attribute("href"))).status_code == 200
    assert reference.get_attribute("rel") == "noopener"


@pytest.mark.thorough
def test_a_part_that_is_not_well_is_named_with_its_reason(visit: Visitor, accessible: Callable[[Page], None]) -> None:
    reason = "A replica failed three times: the model's file is missing."

    def break_translation(body: dict[str, Any]) -> None:
        for application in body["applications"]:
            for part in application["deployments"]:
                if part["name"] == "translation":
                    part |= {"status": "unhealthy", "message": reason}
        body["dashboard_url"] = "http://127.0.0.1:8265/"

    page = visit("system", prepare=changed("v1/system", break_translation))
    expect(sentence(page)).to_have_text("Translation is not ready.")
    expect(page.locator(".system-reasons")).to_have_text(f"graphs.translation: {reason}")
    expect(page.locator('[data-part="translation"]')).to_contain_text("Not healthy")
    dashboard = page.get_by_role("link", name="Ray dashboard")
    expect(dashboard).to_have_attribute("href", "http://127.0.0.1:8265/")
    expect(dashboard).to_have_attribute("rel", "noopener")
    expect(dashboard).to_have_attribute("target", "_blank")
    accessible(page)


@pytest.mark.thorough
def test_an_engine_without_languages_is_said_with_what_to_do(visit: Visitor) -> None:
    def forget_pairs(body: dict[str, Any]) -> None:
        body["translation"] |= {"pairs": {}, "languages": []}

    page = visit("system", prepare=changed("v1/languages", forget_pairs))
    expect(page.get_by_text("Nothing can be translated: the engine has no language pair.")).to_be_visible()
    expect(page.get_by_text(re.compile("apt-get install apertium-eng-spa"))).to_be_visible()


@pytest.mark.thorough
def test_a_service_that_cannot_be_reached_leaves_what_was_known(
    visit: Visitor, accessible: Callable[[Page], None]
) -> None:
    visit.expects("request failed: GET .*: net::ERR_INTERNET_DISCONNECTED")
    visit.expects("console error: Failed to load resource")
    page = visit("system", prepare=with_clock)
    expect(sentence(page)).to_have_text("Everything is ready.")
    page.context.set_offline(True)
    page.clock.fast_forward(REFRESH_MS)
    expect(sentence(page)).to_have_text(
        "The service cannot be reached. The page goes on trying. What is shown below is from before."
    )
    expect(page.locator('[data-part="asr"]')).to_be_visible()
    accessible(page)
    page.context.set_offline(False)
    expect(sentence(page)).to_have_text("Everything is ready.")


def test_a_database_that_cannot_be_reached_is_named(visit: Visitor) -> None:
    visit.expects("status of 503")

    def lose_database(profile: BrowserContext) -> None:
        profile.route(
            "**/v1/system",
            lambda route: route.fulfill(
                status=503, json={"code": "storage_unavailable", "status": 503, "detail": "The database is away."}
            ),
        )
        profile.route(
            "**/ready",
            lambda route: route.fulfill(
                status=503, json={"status": "not ready", "version": "1", "missing": {"database": "can't be reached"}}
            ),
        )

    page = visit("system", prepare=lose_database)
    expect(sentence(page)).to_have_text("Database is not ready.")
    expect(page.locator(".system-reasons")).to_have_text("database: can't be reached")
