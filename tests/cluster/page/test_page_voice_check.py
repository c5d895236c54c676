"""Voice check: from a recording to a verdict that is explained, and the parts and speakers behind it, to be heard."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from browsing import Visitor, hasten, with_clock
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect
from waiting import ended

from models.audio import encode
from models.samples import DIALOGUE

pytestmark = pytest.mark.cluster

VERDICTS = {
    "en": {
        "bona_fide": "The voice is probably genuine",
        "inconclusive": "The voice has some signs of being machine-made",
        "spoof": "The voice was probably made by AI",
    },
    "ru": {
        "bona_fide": "Голос, вероятно, подлинный",
        "inconclusive": "Голос имеет некоторые признаки генерации",
        "spoof": "Голос, вероятно, сгенерирован ИИ",
    },
}
CHUNK_S = 4.0
BANDS = {"bona_fide_below": 0.125, "spoof_from": 0.9}

# Whether the middle of each part has the colour of its step.
COLOURS = """({levels}) => {
  const element = document.querySelector('[role="slider"]');
  const canvas = element.querySelector("canvas");
  const style = getComputedStyle(element);
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext("2d", {willReadFrequently: true});
  const row = () => context.getImageData(0, Math.floor(copy.height * 0.57), copy.width, 1).data;
  context.drawImage(canvas, 0, 0);
  const drawn = row();
  const pixel = (data, x) => data.slice(4 * x, 4 * x + 4).join();
  return levels.every((level, i) => {
    context.fillStyle = style.getPropertyValue(`--waveform-${level}`);
    context.fillRect(0, 0, copy.width, copy.height);
    const wanted = pixel(row(), 0);
    const middle = Math.floor((i + 0.5) / levels.length * copy.width);
    return Array.from({length: 8}, (_, x) => pixel(drawn, middle - 4 + x)).includes(wanted);
  });
}"""

Accessible = Callable[[Page], None]
Finished = Callable[..., str]


def report_of(api: httpx.Client, job_id: str) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"/v1/jobs/{job_id}/artifacts/spoof.json").raise_for_status().json()
    return body


def job_of(page: Page) -> str:
    """Return the id of the job that the address shows."""
    found = re.search(r"#/voice-check/([0-9a-f-]{36})$", page.url)
    assert found, page.url
    return found[1]


def give(page: Page, recording: Path | str) -> None:
    page.locator("input[type=file]").set_input_files(str(recording))


def overflow(page: Page) -> int:
    """Pixels that the page is wider than the screen."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Parts of the recording")


def report_with(scores: list[float | None]) -> dict[str, Any]:
    """A report of its own bands, with these scores."""
    known = [score for score in scores if score is not None]
    return {
        "version": 1,
        "duration": CHUNK_S * len(scores),
        "speech_seconds": 3.0 * len(known),
        "verdict": "inconclusive",
        "p_spoof": 0.4523,
        "bands": BANDS,
        "engine": "compact",
        "chunks": [
            {"start": CHUNK_S * i, "end": CHUNK_S * (i + 1), "p_spoof": score, "speech_seconds": 3.0}
            for i, score in enumerate(scores)
        ],
        "speakers": None,
        "timings": {},
    }


def with_report(job_id: str, scores: list[float | None]) -> Callable[[Any], None]:
    """Put a report with these scores in the place of a job's."""

    def prepare(context: Any) -> None:
        context.route(f"**/{job_id}/artifacts/spoof.json", lambda route: route.fulfill(json=report_with(scores)))

    return prepare


def test_a_recording_is_judged_explained_and_shared(
    visit: Visitor, accessible: Accessible, api: httpx.Client, brief_recording: Path
) -> None:
    page = visit("voice-check")
    accessible(page)
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_role("alert")).to_have_text("Choose or record something first.")
    expect(page.get_by_role("button", name="Choose a file")).to_be_focused()

    give(page, brief_recording)
    page.get_by_label("Judge every speaker").check()
    page.get_by_label("How many speakers?").fill("2")
    accessible(page)
    page.get_by_role("button", name="Analyse").click()
    play = page.get_by_role("button", name="Play the recording")
    expect(play).to_be_enabled()
    report = report_of(api, job_of(page))
    assert api.get(f"/v1/jobs/{job_of(page)}").json()["params"] == {"diarize": True, "num_speakers": 2}

    verdict = page.get_by_role("heading", name=VERDICTS["en"][report["verdict"]])
    expect(verdict).to_be_focused()
    share = round(report["p_spoof"] * 100)
    expect(page.get_by_role("img", name=f"{share}% on a scale from 0 to 100 %")).to_be_visible()
    expect(page.get_by_text("machine-made: from 70%")).to_be_visible()
    expect(page.get_by_text(re.compile("^It lies .* the detector"))).to_be_visible()
    page.get_by_text("How far can this be trusted?").click()
    expect(page.get_by_text("It is a hint, never a proof.")).to_be_visible()
    suspicious = [chunk for chunk in report["chunks"] if chunk["p_spoof"] is not None and chunk["p_spoof"] > 0.25]
    expect(page.get_by_role("heading", name=f"Suspicious parts: {len(suspicious)}")).to_be_visible()
    expect(slider(page)).to_have_attribute("aria-valuemax", str(len(report["chunks"])))
    accessible(page)

    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the result").click()
    assert download.value.suggested_filename == "brief.spoof.json"
    assert json.loads(Path(download.value.path()).read_text()) == report

    beside = visit(link.partition("#/")[2], phone=True)
    expect(beside.get_by_role("heading", name=VERDICTS["en"][report["verdict"]])).to_be_visible()
    page.get_by_role("link", name="Check another").click()
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
    page.go_back()
    expect(verdict).to_be_visible()


@pytest.fixture(scope="module")
def dialogue_job(api: httpx.Client) -> str:
    """A check of the whole dialogue, 31 s: long enough that nothing ends before it is looked at."""
    files = {"file": ("dialogue.flac", DIALOGUE.read_bytes())}
    job_id: str = api.post("/v1/jobs/spoof", files=files).raise_for_status().json()["id"]
    assert ended(api, job_id)["state"] == "succeeded"
    return job_id


def test_parts_are_heard_by_pointer_and_by_keys(visit: Visitor, dialogue_job: str) -> None:
    page = visit(f"voice-check/{dialogue_job}")
    whole = page.get_by_role("button", name="Play the recording")
    pause = page.get_by_role("button", name="Pause", exact=True)
    expect(page.get_by_text("0:00 / 0:30")).to_be_visible()
    whole.click()
    expect(pause).to_be_visible()
    expect(page.get_by_text(re.compile(r"^0:0[1-9] / 0:30$"))).to_be_visible()

    parts = slider(page)
    box = parts.bounding_box()
    assert box
    # While the whole plays, a click goes there, and it plays on.
    parts.click(position={"x": box["width"] * 0.4, "y": box["height"] / 2})
    expect(page.get_by_text(re.compile(r"^0:(1[3-9]|2\d) / 0:30$"))).to_be_visible()
    pause.click()
    expect(parts).to_have_attribute("aria-valuetext", re.compile(r"^Part [4-8], 0:(12|16|20|24|28) to 0:"))

    # Otherwise the part is heard, to its end.
    parts.click(position={"x": box["width"] * 0.2, "y": box["height"] / 2})
    part = page.get_by_role("button", name="Pause part 2")
    expect(part).to_be_visible()
    row = page.get_by_role("listitem").filter(has_text="No. 2")
    page.wait_for_function("row => Number(row.style.getPropertyValue('--played')) > 0", arg=row.element_handle())
    expect(part).to_have_count(0)
    # At 0:08, or a little later where the browser has no time to stop it.
    expect(page.get_by_text(re.compile("^0:0[89] / 0:30$"))).to_be_visible()

    parts.focus()
    page.keyboard.press("ArrowRight")
    expect(parts).to_have_attribute("aria-valuenow", "3")
    page.keyboard.press("Home")
    expect(parts).to_have_attribute("aria-valuenow", "1")
    expect(page.get_by_text("0:00 / 0:30")).to_be_visible()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause part 7")).to_be_visible()
    # One thing plays at a time.
    page.get_by_role("button", name="Play part 1,").click()
    expect(page.get_by_role("button", name="Pause part 1")).to_be_visible()
    expect(page.get_by_role("button", name="Pause part 7")).to_have_count(0)
    parts.focus()
    page.keyboard.press("Space")
    expect(pause).to_be_visible()
    expect(page.get_by_role("button", name="Pause part 1")).to_have_count(0)
    page.keyboard.press("Space")
    expect(whole).to_be_visible()


def test_speakers_are_judged_heard_and_named(
    visit: Visitor, accessible: Accessible, api: httpx.Client, finished_job: Finished
) -> None:
    job_id = finished_job("spoof", diarize="true")
    speakers = report_of(api, job_id)["speakers"]
    page = visit(f"voice-check/{job_id}", language="ru", phone=True, scheme="dark")
    card = page.get_by_role("region", name="Говорящие")
    expect(card.get_by_role("listitem")).to_have_count(len(speakers))
    first = card.get_by_role("listitem").first
    first.get_by_role("button", name="Слушать: Говорящий 1").click()
    expect(first.get_by_role("button", name="Пауза: Говорящий 1")).to_be_visible()

    first.get_by_role("button", name="Переименовать: Говорящий 1").click()
    field = first.get_by_label("Имя")
    expect(field).to_be_focused()
    accessible(page)
    field.fill("Анна")
    field.press("Escape")
    expect(first.get_by_role("heading")).to_have_text("Говорящий 1")
    expect(first.get_by_role("button", name="Переименовать")).to_be_focused()
    first.get_by_role("button", name="Переименовать").click()
    field.fill(" Анна ")
    field.press("Enter")
    expect(first.get_by_role("heading")).to_have_text("Анна")
    expect(first.get_by_role("button", name="Переименовать: Анна")).to_be_focused()
    assert report_of(api, job_id)["speakers"][0]["speaker"] == "Анна"
    page.reload()
    expect(page.get_by_role("button", name="Слушать: Анна")).to_be_enabled()
    assert overflow(page) == 0
    accessible(page)
    # An empty name takes it back.
    page.get_by_role("button", name="Переименовать: Анна").click()
    page.get_by_label("Имя").fill("")
    page.get_by_role("button", name="Сохранить").click()
    expect(page.get_by_role("heading", name="Говорящий 1")).to_be_visible()
    assert report_of(api, job_id)["speakers"] == speakers


@pytest.mark.thorough
def test_the_timeline_fills_while_it_is_judged_and_goes_on_after_a_broken_connection(
    visit: Visitor, accessible: Accessible
) -> None:
    page = visit("voice-check")
    waiting: list[Route] = []

    def break_off(route: Route) -> None:
        if route.request.headers["last-event-id"] != "0":
            waiting.append(route)
            return
        events = route.fetch().text()
        route.fulfill(body=events[: events.index("event: succeeded")], content_type="text/event-stream")

    page.route("**/v1/jobs/*/events", break_off)
    give(page, str(DIALOGUE))
    page.get_by_role("button", name="Analyse").click()
    live = page.get_by_role("region", name="Judged so far")
    expect(live.get_by_role("img", name="Judged so far: 0:30")).to_be_visible()
    expect(page.get_by_text("The connection broke")).to_be_visible()
    accessible(page)
    # A link opens a job that runs, too.
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(live.get_by_role("img")).to_be_hidden()
    expect(page.get_by_role("button", name="Play the recording")).to_be_enabled()
    for route in waiting:
        route.abort()


def test_what_the_microphone_hears_is_judged(
    visit: Visitor, accessible: Accessible, api: httpx.Client, dialogue_wav: Path
) -> None:
    page = visit("voice-check", language="ru", phone=True, microphone=dialogue_wav)
    page.get_by_role("button", name="Записать").focus()
    page.keyboard.press("Enter")
    level = page.get_by_role("img", name="Уровень микрофона").locator("span")
    page.wait_for_function("bar => parseFloat(bar.style.inlineSize) > 20", arg=level.element_handle())
    expect(page.get_by_role("timer")).to_have_text(re.compile("^0:(0[3-9]|[1-5])"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Прослушать")).to_be_visible()
    expect(page.get_by_role("button", name="Загрузить другой")).to_be_focused()
    expect(page.get_by_text(re.compile(r"^Recording_\d\d-\d\d-\d{4}_\d\d-\d\d\.wav$"))).to_be_visible()
    page.get_by_role("button", name="Анализировать").click()
    expect(page.get_by_role("button", name="Слушать запись")).to_be_enabled()
    report = report_of(api, job_of(page))
    assert report["duration"] >= 3
    expect(page.get_by_role("heading", name=VERDICTS["ru"][report["verdict"]])).to_be_focused()
    assert overflow(page) == 0
    accessible(page)


def test_what_goes_wrong_is_said_and_can_be_tried_again(
    visit: Visitor, brief_recording: Path, tmp_path: Path, accessible: Accessible
) -> None:
    visit.expects("status of 415")
    visit.expects("ERR_FAILED")
    page = visit("voice-check", language="ru")
    letter = tmp_path / "letter.wav"
    letter.write_text("Dear friend, this is not a recording. " * 20)
    give(page, letter)
    page.get_by_role("button", name="Анализировать").click()
    expect(page.get_by_role("alert")).to_contain_text("Файлы такого вида здесь не подходят.")
    accessible(page)

    page.get_by_role("button", name="Загрузить другой").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    give(page, brief_recording)
    page.route("**/v1/jobs/spoof", lambda route: route.abort("failed"), times=1)
    page.get_by_role("button", name="Анализировать").click()
    expect(page.get_by_role("alert")).to_have_text("Сервер недоступен. Проверьте соединение и попробуйте ещё раз.")
    page.get_by_role("button", name="Повторить").click()
    expect(page.get_by_role("button", name="Слушать запись")).to_be_enabled()


@pytest.mark.thorough
def test_a_microphone_that_never_starts_is_given_up(visit: Visitor) -> None:
    def prepare(context: BrowserContext) -> None:
        # As Firefox does where no sound can be played.
        context.add_init_script("AudioContext.prototype.resume = () => new Promise(() => {});")
        with_clock(context)

    page = visit("voice-check", prepare=prepare)
    page.get_by_role("button", name="Record").click()
    hasten(page, page.get_by_role("alert"))
    expect(page.get_by_role("alert")).to_contain_text("The microphone cannot be opened.")
    expect(page.get_by_role("button", name="Record")).to_be_visible()


def test_a_lost_recording_and_a_slow_shape_leave_the_result(visit: Visitor, finished_job: Finished) -> None:
    job_id = finished_job("spoof")
    visit.expects("status of 404")
    visit.expects("ERR_FAILED")

    def prepare(context: Any) -> None:
        with_clock(context)
        lost = {"code": "object_not_found", "detail": "There is no such object."}
        context.route("**/media/recording", lambda route: route.fulfill(status=404, json=lost))
        context.route("**/waveform.json", lambda route: route.abort("failed"), times=3)

    page = visit(f"voice-check/{job_id}", prepare=prepare)
    expect(page.get_by_text("The recording is not kept any more")).to_be_visible()
    expect(page.get_by_role("button", name="Play the recording")).to_be_disabled()
    hasten(page, page.get_by_text("The server cannot be reached."))
    page.locator(".vc-shape").get_by_role("button", name="Try again").click()
    expect(page.get_by_text("The server cannot be reached.")).to_have_count(0)
    expect(slider(page)).to_be_visible()


def test_silence_has_no_verdict(visit: Visitor, api: httpx.Client, accessible: Accessible) -> None:
    silence = encode([np.zeros(10 * 16_000, np.float32)], "wav", 16_000)
    job = api.post("/v1/jobs/spoof", files={"file": ("silence.wav", silence)}).raise_for_status().json()
    ended(api, job["id"])
    page = visit(f"voice-check/{job['id']}")
    expect(page.get_by_role("heading", name="There is no speech to judge")).to_be_visible()
    expect(page.get_by_text("No part could be judged.")).to_be_visible()
    expect(slider(page)).to_have_attribute("aria-valuetext", "Part 1, 0:00 to 0:04: not judged")
    accessible(page)


def test_parts_are_coloured_by_four_steps_in_both_schemes(visit: Visitor, finished_job: Finished) -> None:
    job_id = finished_job("spoof")
    scores = [0.75, 0.5, 0.25, 0.2499, None]
    levels = ["high", "raised", "some", "low", "unscored"]
    page = visit(f"voice-check/{job_id}", prepare=with_report(job_id, scores))
    # The bands are the report's.
    expect(page.get_by_text("genuine: below 12.5%")).to_be_visible()
    expect(page.get_by_text("machine-made: from 90%")).to_be_visible()
    expect(page.get_by_role("heading", name="Suspicious parts: 2")).to_be_visible()
    for scheme, size in (("light", 1280), ("dark", 700)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": size, "height": 900})
        page.wait_for_function(COLOURS, arg={"levels": levels}, timeout=20_000)


def test_hours_are_listed_page_by_page(visit: Visitor, finished_job: Finished) -> None:
    job_id = finished_job("spoof")
    scores: list[float | None] = [None if i % 7 == 3 else (i * 37 % 1000) / 1000 for i in range(3600)]
    suspicious = [i for i, score in enumerate(scores) if score is not None and score > 0.25]
    page = visit(f"voice-check/{job_id}", prepare=with_report(job_id, scores))
    rows = page.get_by_role("list", name="Suspicious parts").get_by_role("listitem")
    expect(rows).to_have_count(20)
    page.get_by_role("button", name=f"Show more ({len(suspicious) - 20:,})").click()
    expect(rows).to_have_count(40)
    expect(rows.nth(20)).to_be_focused()
    expect(rows.nth(20)).to_contain_text(f"No. {suspicious[20] + 1}")
    page.get_by_label("Order").select_option("most suspicious first")
    expect(rows).to_have_count(20)
    best = max(suspicious, key=lambda i: (scores[i] or 0, -i))
    expect(rows.first).to_contain_text(f"No. {best + 1:,}")
    slider(page).focus()
    page.keyboard.press("End")
    expect(slider(page)).to_have_attribute("aria-valuenow", "3600")


def test_scores_are_told_as_they_are(visit: Visitor) -> None:
    page = visit("voice-check")
    told = page.evaluate(
        """async () => {
          const {modules} = await import(document.querySelector("script[type=module]").src);
          const scores = modules["lib/spoof-scores.js"];
          const bands = {bona_fide_below: 0.3, spoof_from: 0.7};
          return {
            chances: [0, 0.004, 0.126, 0.9951].map(scores.chance),
            near: [0.2999, 0.296, 0.3, 0.6996, 0.7].map((p) => scores.chanceAgainst(p, bands)),
            tones: [0.26, 0.4, 0.41, 0.7, 0.71].map(scores.toneOf),
            ends: [[30.2, 30], [30.25, 30], [31, 30], [29, 30], [30, null]].map((pair) => scores.endWithin(...pair)),
          };
        }"""
    )
    assert told == {
        "chances": ["< 1%", "< 1%", "13%", "> 99%"],
        "near": ["29.99%", "29.6%", "30%", "69.96%", "70%"],
        "tones": ["good", "good", "unsure", "unsure", "bad"],
        "ends": [30.2, 30, 30, 29, 30],
    }


def test_a_link_to_another_kind_of_job_leads_to_its_section(visit: Visitor, finished_job: Finished) -> None:
    job_id = finished_job("transcription", num_speakers="2")
    page = visit()
    page.goto(f"{visit.address.url}/#/voice-check/{job_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Transcript")
    assert page.url.endswith(f"#/transcript/{job_id}")


def test_a_job_that_is_not_there_leaves_the_form(visit: Visitor, accessible: Accessible) -> None:
    visit.expects("status of 404")
    page = visit("voice-check/00000000-0000-4000-8000-000000000000", language="ru")
    expect(page.get_by_role("alert")).to_contain_text("Этого здесь (уже) нет")
    expect(page.get_by_role("button", name="Выбрать файл")).to_be_visible()
    accessible(page)
