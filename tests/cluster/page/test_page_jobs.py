"""Jobs from their submission to their end, over networks that break: what all sections of long work have in common."""

import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from browsing import Address, Browsers, Locale, Visitor
from playwright.sync_api import Locator, Page, Route, expect
from recordings import beginning
from wire import Wire, wire_to

from models.audio import SAMPLE_RATE, encode

pytestmark = pytest.mark.cluster

Ending = Callable[..., str]

LOST = "The connection broke; the work goes on, and this page looks for it again."
UNREACHABLE = "The server cannot be reached. Check the connection, then try again."
BROKEN = ("request failed: ", "console error: Failed to load resource")


@pytest.fixture
def wire(page_system: Address) -> Iterator[Wire]:
    with wire_to(page_system.origin) as wire:
        yield wire


@pytest.fixture
def visit_by_wire(browsers: Browsers, page_system: Address, wire: Wire) -> Iterator[Visitor]:
    """Opens the page by a network that breaks."""
    visitor = Visitor(browsers, Address(wire.url, page_system.key))
    yield visitor
    faults = visitor.end()
    assert not faults, "\n".join(faults)


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    """The dialogue eight times over, 4 min in 2 MB: no worker is done with it while a test looks."""
    file = tmp_path / "long.mp3"
    file.write_bytes(encode(8 * [beginning(60)], "mp3", SAMPLE_RATE))
    return file


@pytest.fixture
def busy_workers(api: httpx.Client, long_recording: Path) -> Iterator[Callable[[], list[str]]]:
    """Sends jobs that keep the workers busy until they are cancelled: two in work, and a voice check behind them."""
    jobs: list[str] = []

    def busy() -> list[str]:
        recording = long_recording.read_bytes()
        for kind in ("transcription", "transcription", "spoof"):
            sent = api.post(f"/v1/jobs/{kind}", files={"file": ("busy.mp3", recording)})
            jobs.append(sent.raise_for_status().json()["id"])
        return jobs

    yield busy
    for job in jobs:
        if api.get(f"/v1/jobs/{job}").json().get("state") in ("queued", "running"):
            api.delete(f"/v1/jobs/{job}")


@pytest.fixture
def large_recording(dialogue_wav: Path, tmp_path: Path) -> Path:
    """A recording that no buffer between the browser and the service holds: the dialogue, then silence; 9 MB."""
    copy = tmp_path / f"{uuid4()}.wav"
    with wave.open(str(dialogue_wav)) as source, wave.open(str(copy), "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getnframes()))
        target.writeframes(bytes(6_000_000))
    return copy


def copy_of(recording: Path, folder: Path) -> Path:
    """Give a recording a name of its own, by which its jobs can be counted."""
    copy = folder / f"{uuid4()}.wav"
    copy.write_bytes(recording.read_bytes())
    return copy


def give(page: Page, file: Path) -> None:
    page.locator("main input[type=file]").first.set_input_files(file)


def start(page: Page, file: Path) -> None:
    """Have a recording's voice checked."""
    give(page, file)
    page.get_by_role("button", name="Analyse", exact=True).click()


def speak(page: Page, language: Locale) -> None:
    """Choose the page's language in its corner."""
    page.locator("header select").select_option(language)
    expect(page.locator("main [data-ready]")).to_be_visible()


def panel(page: Page) -> Locator:
    return page.locator(".job-panel")


def said(page: Page) -> Locator:
    return panel(page).locator(".job-status")


def verdict(page: Page) -> Locator:
    return page.locator("main").get_by_text(re.compile("probably|signs of", re.IGNORECASE)).first


def number_of_jobs(api: httpx.Client, file: Path) -> int:
    return len(api.get("/v1/jobs", params={"query": file.name}).raise_for_status().json()["jobs"])


def test_a_job_waits_is_cancelled_tried_again_and_done(
    visit: Visitor,
    api: httpx.Client,
    busy_workers: Callable[[], list[str]],
    brief_recording: Path,
    accessible: Callable[[Page], None],
) -> None:
    page = visit("voice-check")
    busy = busy_workers()
    start(page, brief_recording)
    expect(said(page)).to_have_text(re.compile(r"^Waiting: number \d+ in the queue$"))
    job = page.url.rpartition("/")[2]
    accessible(page)
    page.get_by_role("button", name="Cancel", exact=True).focus()
    page.keyboard.press("Enter")
    expect(said(page)).to_have_text("Cancelled.")
    assert api.get(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    again = panel(page).get_by_role("button", name="Try again")
    expect(again).to_be_focused()
    page.keyboard.press("Enter")
    expect(said(page)).to_have_text(re.compile("^Waiting: "))
    for job_before in busy:
        api.delete(f"/v1/jobs/{job_before}")
    expect(verdict(page)).to_be_visible()
    expect(panel(page)).to_be_hidden()
    assert page.url.endswith(job)
    assert api.get(f"/v1/jobs/{job}").json()["state"] == "succeeded"


def test_the_stages_are_told_as_they_come_and_another_session_of_the_owner_sees_them_too(
    visit: Visitor, long_recording: Path
) -> None:
    page = visit("translate/file", language="ru", phone=True)
    give(page, long_recording)
    page.get_by_role("button", name="Перевести запись").click()
    expect(said(page)).to_have_text("Распознавание, перевод и озвучивание")
    share = panel(page).locator(".job-share")
    expect(share).to_have_text(re.compile(r"[1-9]\d?\s?%"))
    beside = visit(f"translate/{page.url.rpartition('/')[2]}")
    expect(said(beside)).to_have_text("Recognising, translating and speaking")
    expect(panel(beside).get_by_role("progressbar")).to_have_attribute("value", re.compile(r"0\.\d+"))
    panel(beside).get_by_role("button", name="Cancel").click()
    expect(said(page)).to_have_text("Отменено.")
    expect(said(beside)).to_have_text("Cancelled.")


def test_a_failure_says_what_to_do_and_can_be_tried_again(visit: Visitor, damaged: Path) -> None:
    page = visit("voice-check")
    start(page, damaged)
    fault = panel(page).get_by_role("alert")
    cut_off = re.compile("cut off.*20.09 s")
    expect(fault).to_have_text(cut_off)
    with page.expect_response(re.compile("/retry$")) as answer:
        panel(page).get_by_role("button", name="Try again").click()
    assert answer.value.ok
    expect(fault).to_have_text(cut_off)
    expect(page.locator("main input[type=file]").first).to_be_attached()
    speak(page, "ru")
    expect(fault).to_have_text(re.compile(r"^Файл повреждён\. Выберите другой или сохраните его заново\. \(.*20.09 s"))
    expect(panel(page).get_by_role("button", name="Повторить")).to_be_visible()


def test_an_upload_shows_how_far_it_is_and_goes_on_after_the_network_broke(
    visit_by_wire: Visitor, wire: Wire, api: httpx.Client, large_recording: Path
) -> None:
    for fault in BROKEN:
        visit_by_wire.expects(fault)
    page = visit_by_wire("voice-check")
    wire.bytes_per_second = 4_000_000
    wire.cut_after(6_000_000)
    start(page, large_recording)
    expect(said(page)).to_have_text("Sending the file")
    expect(panel(page)).to_contain_text("Keep this page open until the file is sent.")
    expect(panel(page).locator(".job-share")).to_have_text(re.compile(r"[1-9]\d?%"))
    expect(panel(page).get_by_role("alert")).to_have_text(UNREACHABLE)
    assert number_of_jobs(api, large_recording) == 0
    wire.mend()
    panel(page).get_by_role("button", name="Try again").click()
    expect(verdict(page)).to_be_visible()
    assert number_of_jobs(api, large_recording) == 1


@pytest.mark.thorough
def test_an_upload_whose_answer_was_lost_makes_no_second_job(
    visit_by_wire: Visitor, wire: Wire, api: httpx.Client, brief_recording: Path, tmp_path: Path
) -> None:
    for fault in BROKEN:
        visit_by_wire.expects(fault)
    recording = copy_of(brief_recording, tmp_path)
    page = visit_by_wire("voice-check")
    wire.lose_answers("POST /v1/jobs/spoof")
    start(page, recording)
    expect(panel(page).get_by_role("alert")).to_have_text(UNREACHABLE)
    assert number_of_jobs(api, recording) == 1
    wire.mend()
    panel(page).get_by_role("button", name="Try again").click()
    expect(verdict(page)).to_be_visible()
    assert number_of_jobs(api, recording) == 1


def test_an_upload_can_be_called_off(
    visit_by_wire: Visitor, wire: Wire, api: httpx.Client, large_recording: Path
) -> None:
    page = visit_by_wire("voice-check")
    wire.bytes_per_second = 2_000_000
    start(page, large_recording)
    expect(panel(page).locator(".job-share")).to_have_text(re.compile(r"[1-9]\d?%"))
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(said(page)).to_have_text("Cancelled.")
    assert number_of_jobs(api, large_recording) == 0
    assert page.url.endswith("#/voice-check")


def test_a_job_can_be_called_off_while_the_service_accepts_it(visit: Visitor) -> None:
    page = visit("avatar")
    page.get_by_label("Text", exact=True).fill("Good morning. " * 20)
    held: list[Route] = []
    page.route("**/v1/jobs/avatar", lambda route: held.append(route))
    page.get_by_role("button", name="Make it in the background").click()
    expect(said(page)).to_have_text("Asking the service")
    panel(page).get_by_role("button", name="Cancel").click()
    expect(said(page)).to_have_text("Cancelling…")
    held[0].continue_()
    expect(said(page)).to_have_text("Cancelled.")


@pytest.mark.thorough
def test_a_job_is_found_again_after_the_network_broke(
    visit_by_wire: Visitor, wire: Wire, brief_recording: Path
) -> None:
    for fault in BROKEN:
        visit_by_wire.expects(fault)
    page = visit_by_wire("translate/file")
    give(page, brief_recording)
    page.get_by_role("button", name="Translate the recording").click()
    # The sending has a share, too.
    expect(said(page)).to_have_text("Recognising, translating and speaking")
    expect(panel(page).locator(".job-share")).to_have_text(re.compile(r"[1-9]\d?%"))
    wire.cut()
    expect(panel(page)).to_contain_text(LOST)
    with page.expect_request(lambda request: "last-event-id" in request.headers) as asked:
        wire.mend()
    assert int(asked.value.headers["last-event-id"]) > 0
    expect(panel(page)).not_to_contain_text(LOST)
    expect(panel(page)).to_be_hidden()
    expect(page.get_by_role("heading", name=brief_recording.name)).to_be_visible()


def test_a_link_to_a_job_opens_in_another_session_of_its_owner(visit: Visitor, finished_job: Ending) -> None:
    page = visit(f"voice-check/{finished_job('spoof')}")
    expect(verdict(page)).to_be_visible()


def test_a_link_to_a_job_that_is_not_there_says_so(visit: Visitor) -> None:
    visit.expects("status of 404")
    page = visit()
    for section in ("voice-check", "transcript", "translate", "avatar"):
        visit.go(page, f"{section}/{uuid4()}")
        expect(page.locator("main").get_by_role("alert").filter(visible=True)).to_have_text(
            "This is not there (any more), or it belongs to another key. Find yours in the history."
        )


def test_a_link_to_somebody_elses_job_says_no_more_than_that(
    browsers: Browsers, page_system: Address, finished_job: Ending, other_key: str
) -> None:
    stranger = Visitor(browsers, Address(page_system.url, other_key))
    stranger.expects("status of 404")
    page = stranger(f"voice-check/{finished_job('spoof')}")
    expect(page.locator("main").get_by_role("alert").filter(visible=True)).to_have_text(
        "This is not there (any more), or it belongs to another key. Find yours in the history."
    )
    assert not stranger.end()


class TestMicrophone:
    def test_a_microphone_that_is_denied_is_explained(self, visit: Visitor) -> None:
        page = visit("voice-check", denied=True)
        page.get_by_role("button", name="Record").click()
        alert = page.locator("main").get_by_role("alert").filter(visible=True)
        expect(alert).to_have_text(
            "The microphone is blocked. Allow it in the browser's settings for this page, then try again."
        )
        speak(page, "ru")
        expect(alert).to_have_count(0)
        page.get_by_role("button", name="Записать").click()
        expect(alert).to_have_text(
            "Микрофон заблокирован. Разрешите его для этой страницы в настройках браузера и попробуйте ещё раз."
        )
        # Allowed in the browser's settings; Chromium's answer for tests is the same all its life.
        page.evaluate("""() => {
          navigator.mediaDevices.getUserMedia = async () =>
            new AudioContext().createMediaStreamDestination().stream;
        }""")
        page.get_by_role("button", name="Записать").click()
        expect(page.get_by_role("timer")).to_be_visible()
        expect(alert).to_have_count(0)

    def test_a_file_that_is_dropped_meanwhile_ends_the_recording(self, visit: Visitor, brief_recording: Path) -> None:
        page = visit("voice-check")
        page.get_by_role("button", name="Record").click()
        expect(page.get_by_role("timer")).to_have_text(re.compile("0:0[1-9]"))
        give(page, brief_recording)
        expect(page.get_by_text(brief_recording.name)).to_be_visible()
        page.get_by_role("button", name="Choose another").click()
        expect(page.get_by_role("button", name="Record")).to_be_visible()
        expect(page.get_by_role("timer")).to_be_hidden()
