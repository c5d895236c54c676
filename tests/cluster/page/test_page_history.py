"""History: what the owner has made is found, followed, opened, shared, cancelled, tried again and deleted."""

import io
import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from browsing import Visitor, hasten, with_clock
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect
from waiting import ended

pytestmark = pytest.mark.cluster

POLL_MS = 3000
LONGEST_POLL_MS = 30_000


def silence(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(round(seconds * 32_000)))
    return buffer.getvalue()


@pytest.fixture
def tag(api: httpx.Client) -> Iterator[str]:
    """A word that no other test's jobs have; those that do are deleted afterwards."""
    tag = uuid4().hex
    yield tag
    for job in of(api, tag):
        if job["state"] in ("queued", "running"):
            api.delete(f"/v1/jobs/{job['id']}")
        api.delete(f"/v1/jobs/{job['id']}")


@pytest.fixture
def long_recording(dialogue_wav: Path) -> bytes:
    """Two minutes: what is done with it is not over before it is cancelled."""
    buffer = io.BytesIO()
    with wave.open(str(dialogue_wav)) as source, wave.open(buffer, "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getnframes()) * 4)
    return buffer.getvalue()


def of(api: httpx.Client, tag: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = api.get("/v1/jobs", params={"query": tag}).raise_for_status().json()["jobs"]
    return found


def submit(api: httpx.Client, kind: str, name: str, recording: bytes, **fields: str) -> str:
    answer = api.post(f"/v1/jobs/{kind}", files={"file": (name, recording)}, data=fields)
    job_id: str = answer.raise_for_status().json()["id"]
    return job_id


def items(page: Page) -> Locator:
    return page.get_by_role("list", name=re.compile("^(Jobs|Задания)$")).get_by_role("listitem")


def until_it_has_progress(api: httpx.Client, job_id: str) -> None:
    with api.stream("GET", f"/v1/jobs/{job_id}/events") as events:
        next(line for line in events.iter_lines() if line == "event: progress")


def overflow(page: Page) -> int:
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels


def test_jobs_are_found_opened_shared_and_deleted(
    visit: Visitor,
    api: httpx.Client,
    tag: str,
    brief_recording: Path,
    damaged: Path,
    accessible: Callable[[Page], None],
) -> None:
    quiet = submit(api, "spoof", f"{tag}-quiet.wav", silence(2))
    judged = submit(api, "spoof", f"{tag}-judged.wav", brief_recording.read_bytes(), diarize="true")
    failing = submit(api, "transcription", f"{tag}-failing.mp3", damaged.read_bytes())
    for job in (quiet, judged, failing):
        ended(api, job)

    page = visit("history", prepare=with_clock)
    page.get_by_role("searchbox").fill(tag[:20].upper())
    expect(items(page)).to_have_count(3)
    assert page.url.endswith(f"#/history?query={tag[:20].upper()}")
    expect(page.get_by_text("3 jobs")).to_be_visible()
    expect(items(page).nth(0)).to_contain_text(re.compile("Transcript.*Failed", re.DOTALL))
    expect(items(page).nth(1)).to_contain_text(re.compile("Voice check.*machine-made: .*(Probably|Unclear)", re.DOTALL))
    expect(items(page).nth(2)).to_contain_text("No speech")
    accessible(page)

    page.get_by_label("State").select_option("failed")
    expect(items(page)).to_have_count(1)
    page.get_by_label("Kind").select_option("avatar")
    expect(page.get_by_text("Nothing matches what you searched for.")).to_be_visible()
    accessible(page)
    page.get_by_label("Kind").select_option("")
    page.reload()
    expect(items(page)).to_have_count(1)
    expect(page.get_by_label("State")).to_have_value("failed")

    with page.expect_response(re.compile(f"{failing}/retry$")) as answer:
        page.get_by_role("button", name=f"Try {tag}-failing.mp3 again").click()
    assert answer.value.ok
    assert ended(api, failing)["state"] == "failed"
    page.clock.fast_forward(POLL_MS)
    expect(items(page).first).to_contain_text("Failed")

    page.get_by_label("State").select_option("")
    expect(items(page)).to_have_count(3)
    page.get_by_role("button", name=f"Copy the link to {tag}-judged.wav").click()
    expect(page.get_by_role("status").filter(has_text="Link copied")).to_be_attached()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert urlsplit(copied).fragment == f"/voice-check/{judged}"
    page.get_by_role("link", name=f"{tag}-judged.wav").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Voice check")
    assert page.url == copied
    page.go_back()
    expect(items(page)).to_have_count(3)

    remove = page.get_by_role("button", name=f"Delete {tag}-failing.mp3")
    remove.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep")).to_be_focused()
    accessible(page)
    page.keyboard.press("Escape")
    expect(remove).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(items(page)).to_have_count(2)
    expect(page.get_by_role("link", name=f"{tag}-judged.wav")).to_be_focused()
    assert api.get(f"/v1/jobs/{failing}").status_code == 404

    page.get_by_role("button", name="Delete all that have ended").click()
    expect(page.get_by_text("among what you searched for")).to_be_visible()
    page.get_by_role("button", name="Delete all of it").click()
    expect(page.get_by_text("2 deleted.")).to_be_visible()
    expect(page.get_by_text("Nothing matches what you searched for.")).to_be_visible()
    assert not of(api, tag)
    page.get_by_role("button", name="OK").click()
    page.get_by_role("button", name="Show everything").click()
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert page.url.endswith("#/history")


@pytest.mark.thorough
def test_what_is_in_work_is_followed_and_cancelled_on_a_phone(
    visit: Visitor, api: httpx.Client, tag: str, long_recording: bytes, accessible: Callable[[Page], None]
) -> None:
    visit.expects("request failed: ")
    visit.expects("console error: Failed to load resource")
    job = submit(api, "translation", f"{tag}.wav", long_recording, source="en", target="es")
    page = visit(f"history?query={tag}", language="ru", phone=True, scheme="dark", prepare=with_clock)
    expect(items(page)).to_contain_text("на испанский")
    until_it_has_progress(api, job)
    page.clock.fast_forward(POLL_MS)
    expect(items(page).get_by_role("progressbar")).to_have_attribute("value", re.compile(r"0\.\d+"))
    page.route("**/v1/jobs?*", lambda route: route.abort("internetdisconnected"))
    lost = page.get_by_text("Сервер недоступен; так было раньше.")
    hasten(page, lost)
    accessible(page)
    assert overflow(page) == 0
    page.unroute("**/v1/jobs?*")
    page.clock.fast_forward(LONGEST_POLL_MS)
    expect(lost).to_be_hidden()
    page.get_by_role("button", name=f"Отменить: {tag}.wav").click()
    expect(items(page)).to_contain_text("Отменено")
    expect(page.get_by_role("button", name=f"Удалить: {tag}.wav")).to_be_visible()
    assert of(api, tag)[0]["state"] == "cancelled"


@pytest.mark.thorough
def test_a_long_list_goes_on_where_it_ended(visit: Visitor, api: httpx.Client, tag: str) -> None:
    jobs = [submit(api, "spoof", f"{tag}-{number}.wav", silence(1)) for number in range(5)]
    for job in jobs:
        ended(api, job)

    def in_pages_of_two(profile: BrowserContext) -> None:
        profile.route(
            "**/v1/jobs?*", lambda route: route.continue_(url=re.sub("limit=20", "limit=2", route.request.url))
        )

    page = visit(f"history?query={tag}", prepare=in_pages_of_two)
    expect(items(page)).to_have_count(2)
    more = page.get_by_role("button", name="Show more")
    more.click()
    expect(items(page)).to_have_count(4)
    expect(page.get_by_role("link", name=f"{tag}-2.wav")).to_be_focused()
    more.click()
    expect(items(page)).to_have_count(5)
    expect(more).to_be_hidden()
    names = [link.inner_text() for link in items(page).get_by_role("link").all()]
    assert names == [f"{tag}-{number}.wav" for number in (4, 3, 2, 1, 0)]


def test_a_list_that_does_not_come_is_asked_for_again(visit: Visitor) -> None:
    visit.expects("status of 500")
    failing = ["once"]

    def answer(route: Route) -> None:
        if failing:
            failing.pop()
            route.fulfill(status=500, json={"code": "internal", "detail": "The service failed.", "status": 500})
        else:
            route.fulfill(json={"jobs": [], "next_cursor": None})

    page = visit("history", prepare=lambda profile: profile.route("**/v1/jobs?*", answer))
    expect(page.get_by_role("alert")).to_contain_text("The service failed at this.")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Nothing has been made yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Check a voice")).to_have_attribute("href", "#/voice-check")


@pytest.mark.thorough
def test_deleting_all_can_be_stopped(visit: Visitor, api: httpx.Client, tag: str) -> None:
    jobs = [submit(api, "spoof", f"{tag}-{number}.wav", silence(1)) for number in range(6)]
    for job in jobs:
        ended(api, job)
    held: list[Route] = []
    holding = True

    def hold(route: Route) -> None:
        if route.request.method == "DELETE" and holding:
            held.append(route)
        else:
            route.continue_()

    page = visit(f"history?query={tag}", prepare=lambda profile: profile.route("**/v1/jobs/*", hold))
    page.get_by_role("button", name="Delete all that have ended").click()
    page.get_by_role("button", name="Delete all of it").click()
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_focused()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("Deleting: 0 of 6")).to_be_visible()
    stop.click()
    holding = False
    for route in held:
        route.continue_()
    expect(page.get_by_text("Stopped; 3 of 6 deleted.")).to_be_visible()
    expect(items(page)).to_have_count(3)
    assert len(of(api, tag)) == 3
