"""Transcripts on the page: made while one watches, heard, read, named, searched, taken along and shared."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from browsing import Locale, Visitor, with_clock
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect
from recordings import beginning

from models.audio import encode

pytestmark = pytest.mark.cluster

Accessible = Callable[[Page], None]
Artifact = Callable[[str], dict[str, Any]]

SAMPLE_RATE = 16_000
HEARD_ONE_AFTER_ANOTHER = """() => new Promise((resolve) => {
  const words = [];
  const look = () => {
    const [range] = CSS.highlights.get("transcript-word") ?? [];
    if (range && range.toString() !== words.at(-1)) words.push(range.toString());
    if (words.length === 2) resolve(words);
    else requestAnimationFrame(look);
  };
  look();
})"""
SILENT_MICROPHONE = """() => {
  navigator.mediaDevices.getUserMedia = async () => new AudioContext().createMediaStreamDestination().stream;
}"""
LIT = "Array.from(CSS.highlights.get('{}') ?? [], range => range.toString())"


@pytest.fixture
def transcript_of(api: httpx.Client) -> Artifact:
    def read(job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = api.get(f"/v1/jobs/{job_id}/artifacts/transcript.json").raise_for_status().json()
        return found

    return read


def give(page: Page, recording: Path | str) -> None:
    page.locator('input[type="file"]').set_input_files(str(recording))


def turns(page: Page, name: str = "Turns") -> Locator:
    return page.get_by_role("list", name=name).get_by_role("listitem")


def lit(page: Page, what: str = "word") -> list[str]:
    """The texts that are marked: the "word" that is heard, each "hit" of a search, the "current" one."""
    marked: list[str] = page.evaluate(LIT.format(f"transcript-{what}"))
    return marked


def heard_until(page: Page) -> float:
    """Where the sound stands, in seconds. Browsers cut what they are told at microseconds."""
    return float(page.get_by_role("slider").input_value()) + 1e-6


def no_wider_than_the_screen(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture(scope="module")
def long_silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three and a half minutes in 19 MB, more than browsers fetch ahead and less than the service refuses."""
    file = tmp_path_factory.mktemp("silence") / "silence.wav"
    file.write_bytes(encode([np.zeros(210 * 44_100, np.float32)], "wav", 44_100))
    return file


def job_of(page: Page) -> str:
    expect(page).to_have_url(re.compile(r"#/transcript/[0-9a-f-]{36}$"))
    return page.url.rsplit("/", 1)[1]


class TestMaking:
    def test_words_come_in_while_one_watches_and_become_turns_of_judged_speakers(
        self, visit: Visitor, accessible: Accessible, brief_recording: Path, transcript_of: Artifact
    ) -> None:
        held: list[Route] = []
        page = visit(
            "transcript",
            prepare=lambda profile: profile.route("**/artifacts/transcript.json", lambda route: held.append(route)),
        )
        accessible(page)
        page.get_by_role("button", name="Transcribe").click()
        expect(page.get_by_role("alert")).to_have_text("Choose or record something first.")
        give(page, brief_recording)
        expect(page.get_by_role("alert")).to_be_hidden()
        page.get_by_role("combobox", name="Language spoken").select_option("en")
        page.get_by_role("combobox", name="Speakers").select_option("2")
        page.get_by_label("Judge the voices, too").check()
        page.get_by_role("button", name="Transcribe").click()
        words = page.get_by_role("region", name="Recognised so far")
        expect(words).to_contain_text("Speaker 2")
        accessible(page)
        job_id = job_of(page)
        expect(page.get_by_text("Loading the transcript…")).to_be_visible()
        recognised = transcript_of(job_id)
        for turn in recognised["turns"]:
            expect(words).to_contain_text(turn["text"].split()[0])
        held.pop().continue_()

        expect(words).to_be_hidden()
        expect(turns(page)).to_have_count(len(recognised["turns"]))
        for row, turn in zip(turns(page).all(), recognised["turns"], strict=True):
            expect(row).to_contain_text(turn["text"])
            expect(row).to_contain_text(f"Speaker {int(turn['speaker'].removeprefix('SPEAKER_')) + 1}")
        expect(page.get_by_role("heading", level=2, name="brief.wav")).to_be_focused()
        speakers = page.get_by_role("region", name="Speakers").get_by_role("listitem")
        expect(speakers).to_have_count(len(recognised["speakers"]))
        for speaker in speakers.all():
            expect(speaker).to_contain_text(re.compile(r"voice (probably|with some signs|can't be judged)"))
        page.get_by_text("How long it took").click()
        for stage in ("Recognising the words", "Telling the speakers apart", "From beginning to end"):
            expect(page.get_by_role("term").filter(has_text=stage)).to_be_visible()
        accessible(page)

        page.get_by_role("link", name="Transcribe another").click()
        expect(page.get_by_role("button", name="Transcribe")).to_be_visible()

    def test_what_was_recorded_is_transcribed_and_silence_is_answered_by_a_sentence(
        self, visit: Visitor, accessible: Accessible, api: httpx.Client
    ) -> None:
        page = visit("transcript", language="ru", phone=True, scheme="dark")
        page.evaluate(SILENT_MICROPHONE)
        accessible(page)
        no_wider_than_the_screen(page)
        page.get_by_role("button", name="Записать").click()
        expect(page.get_by_role("timer")).to_have_text(re.compile("^0:(0[1-9]|[1-5])"))
        page.get_by_role("button", name="Остановить запись").click()
        page.get_by_role("button", name="Расшифровать").click()
        expect(page.get_by_text("В этой записи никто не говорит")).to_be_visible()
        assert api.get(f"/v1/jobs/{job_of(page)}").json()["result"]["duration"] >= 1
        expect(page.get_by_role("button", name="Слушать", exact=True)).to_be_enabled()
        expect(page.get_by_role("search")).to_have_count(0)
        no_wider_than_the_screen(page)
        accessible(page)

    @pytest.mark.thorough
    def test_a_link_to_a_job_in_work_shows_its_words_and_it_can_be_called_off(
        self, visit: Visitor, api: httpx.Client
    ) -> None:
        several = encode([beginning(31)] * 3, "flac", SAMPLE_RATE)
        page = visit("transcript")
        posted = api.post("/v1/jobs/transcription", files={"file": ("long.flac", several)})
        job_id = posted.raise_for_status().json()["id"]
        visit.go(page, f"transcript/{job_id}")
        expect(page.get_by_role("region", name="Recognised so far")).to_contain_text("seat")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("status").filter(has_text="Cancelled.")).to_be_visible()
        assert api.get(f"/v1/jobs/{job_id}").json()["state"] == "cancelled"
        expect(page.get_by_role("button", name="Transcribe")).to_be_visible()


class TestReadingAndHearing:
    def test_turns_and_words_are_heard_and_lit(
        self, visit: Visitor, finished_job: Callable[..., str], transcript_of: Artifact
    ) -> None:
        job_id = finished_job("transcription", num_speakers="2")
        spoken = transcript_of(job_id)["turns"]
        page = visit(f"transcript/{job_id}")
        whole = page.get_by_role("button", name="Play", exact=True)
        expect(whole).to_be_enabled()
        second = turns(page).nth(1)
        second.get_by_role("button", name="Play from").click()
        expect(second.get_by_role("button", name="Pause")).to_be_visible()
        expect(second).to_have_attribute("data-heard", "")
        earlier, later = page.evaluate(HEARD_ONE_AFTER_ANOTHER)
        assert earlier in spoken[1]["text"]
        assert later in spoken[1]["text"].partition(earlier)[2]
        # It ends by itself, with the turn: the next is not heard, or hardly where the browser has no time to stop it.
        expect(second.get_by_role("button", name="Play from")).to_be_visible()
        assert spoken[1]["end"] <= heard_until(page) < spoken[2]["end"]

        word = spoken[0]["words"][-1]["text"]
        where = page.evaluate(
            """(word) => {
                const [text] = document.querySelector(".transcript-text").childNodes;
                const range = document.createRange();
                range.setStart(text, text.length - word.length);
                range.setEnd(text, text.length);
                const {x, y, width, height} = range.getBoundingClientRect();
                return [x + width / 2, y + height / 2];
            }""",
            word,
        )
        page.mouse.click(*where)
        expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        page.wait_for_selector("[data-heard]")
        page.get_by_role("button", name="Pause", exact=True).click()
        assert heard_until(page) >= spoken[0]["words"][-1]["start"]

        slider = page.get_by_role("slider")
        slider.focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:05 of "))
        longest = max(spoken[1]["words"], key=lambda word: word["end"] - word["start"])
        slider.fill(f"{(longest['start'] + longest['end']) / 2:.1f}")
        expect(second).to_have_attribute("data-heard", "")
        assert lit(page) == [longest["text"]]

    def test_hits_are_counted_marked_and_gone_through(
        self, visit: Visitor, finished_job: Callable[..., str], transcript_of: Artifact
    ) -> None:
        job_id = finished_job("transcription", num_speakers="2")
        texts = [turn["text"] for turn in transcript_of(job_id)["turns"]]
        page = visit(f"transcript/{job_id}")
        field = page.get_by_role("searchbox", name="Search the transcript")
        count = page.get_by_role("search").get_by_role("status")
        letter = max("aeiot", key="".join(texts).count)
        total = "".join(texts).count(letter)
        field.fill(letter.upper())
        expect(count).to_have_text(f"1 of {total}")
        assert lit(page, "hit") == [letter] * total
        field.press("Enter")
        expect(count).to_have_text(f"2 of {total}")
        field.press("Shift+Enter")
        field.press("Shift+Enter")
        expect(count).to_have_text(f"{total} of {total}")
        page.get_by_role("button", name="Next hit").click()
        expect(count).to_have_text(f"1 of {total}")
        # Across words, whatever is between them.
        across = " ".join(texts[1].split()[1:3])
        field.fill(across.replace(" ", "   "))
        expect(count).to_have_text("1 of 1")
        assert lit(page, "current") == [across]
        field.fill("nobody said this")
        expect(count).to_have_text("Not found")
        assert lit(page, "hit") == []

    @pytest.mark.thorough
    def test_the_sound_goes_on_when_its_address_has_expired(
        self, visit: Visitor, finished_job: Callable[..., str], long_silence: Path
    ) -> None:
        job_id = finished_job("transcription", recording=long_silence)
        addresses: list[str] = []
        expired: list[str] = []

        def serve(route: Route) -> None:
            addresses.append(route.request.url)
            if route.request.url in expired:
                route.fulfill(status=404, json={"code": "media_not_found"})
            else:
                route.continue_()

        def prepare(profile: BrowserContext) -> None:
            with_clock(profile)
            profile.route("**/v1/media/*", serve)

        page = visit(f"transcript/{job_id}", prepare=prepare)
        play = page.get_by_role("button", name="Play", exact=True)
        slider = page.get_by_role("slider")
        expect(play).to_be_enabled()
        visit.expects("status of 404")
        for place in (120, 200):
            expired[:] = addresses
            page.clock.fast_forward(3_600_000)
            with page.expect_response(lambda answer: "/v1/media/" in answer.url and answer.status == 206):
                slider.fill(str(place))
            # It plays on from there, but by itself only what played.
            play.click()
            page.wait_for_function(
                "place => Number(document.querySelector('input[type=range]').value) > place", arg=place
            )
            page.get_by_role("button", name="Pause", exact=True).click()
            expect(play).to_be_visible()

    def test_a_link_is_shared_by_the_keys_owner_alone(self, visit: Visitor, finished_job: Callable[..., str]) -> None:
        job_id = finished_job("transcription", num_speakers="2")
        page = visit(f"transcript/{job_id}")
        page.get_by_role("button", name="Copy the link").click()
        expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
        link = page.evaluate("navigator.clipboard.readText()")
        assert link == f"{visit.address.url}/#/transcript/{job_id}"
        visit.expects("status of 404")
        visit.go(page, "transcript/00000000-0000-0000-0000-000000000000")
        expect(page.get_by_role("alert")).to_contain_text("This is not there (any more)")
        expect(page.get_by_role("button", name="Transcribe")).to_be_visible()

    def test_a_transcript_says_what_is_to_be_known_of_the_engine_that_made_it(
        self, visit: Visitor, finished_job: Callable[..., str], transcript_of: Artifact
    ) -> None:
        job_id = finished_job("transcription", num_speakers="2")
        made = {"engines": {"asr": {"engine": "pocketsphinx", "model": None}}, "notices": ["It mishears a lot."]}
        transcript = {**transcript_of(job_id), **made}

        def serve(profile: BrowserContext) -> None:
            profile.route("**/artifacts/transcript.json", lambda route: route.fulfill(json=transcript))

        said: dict[Locale, str] = {"en": "It mishears a lot.", "ru": "движок на крайний случай"}
        for language, words in said.items():
            page = visit(f"transcript/{job_id}", language=language, prepare=serve)
            expect(page.locator("main .section .engines-notice")).to_contain_text(words)


class TestNamingAndTakingAlong:
    def test_a_speaker_renamed_in_place_is_so_everywhere_and_in_the_files(
        self, visit: Visitor, finished_job: Callable[..., str], transcript_of: Artifact, api: httpx.Client
    ) -> None:
        job_id = finished_job("transcription", num_speakers="2")
        who = transcript_of(job_id)["turns"][0]["speaker"]
        own = [turn["speaker"] == who for turn in transcript_of(job_id)["turns"]]
        page = visit(f"transcript/{job_id}")
        first = turns(page).first
        first.get_by_role("button", name="Speaker 1").click()
        name = first.get_by_role("textbox", name="Name")
        expect(name).to_be_focused()
        assert name.evaluate("field => field.maxLength") == 50
        name.press("Escape")
        expect(name).to_be_hidden()
        first.get_by_role("button", name="Speaker 1").click()
        name.fill("  Anna Карлсон ")
        name.press("Enter")
        expect(turns(page).get_by_role("button", name="Anna Карлсон")).to_have_count(sum(own))
        expect(page.get_by_role("region", name="Speakers")).to_contain_text("Anna Карлсон")
        expect(page.get_by_role("status").filter(has_text="Renamed to Anna Карлсон")).to_have_count(1)
        assert api.get(f"/v1/jobs/{job_id}").json()["labels"] == {who: "Anna Карлсон"}

        page.get_by_role("button", name="Copy the text").click()
        expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
        assert "Anna Карлсон: " in page.evaluate("navigator.clipboard.readText()").splitlines()[0]

        export = page.get_by_role("button", name="Export")
        for format_, beginning_ in (
            ("TXT", "[00:00:00] Anna Карлсон: "),
            ("SRT", "1\n00:00:0"),
            ("VTT", "WEBVTT"),
            ("JSON", "{"),
            ("RTTM", "SPEAKER "),
        ):
            export.click()
            expect(export).to_have_attribute("aria-expanded", "true")
            with page.expect_download() as download:
                page.get_by_role("button", name=format_).click()
            assert download.value.suggested_filename == f"brief.{format_.lower()}"
            content = download.value.path().read_text()
            assert content.startswith(beginning_)
            if format_ == "JSON":
                assert json.loads(content)["turns"][0]["speaker"] == "Anna Карлсон"
        export.click()
        page.keyboard.press("Escape")
        expect(export).to_have_attribute("aria-expanded", "false")

        page.reload()
        expect(turns(page).get_by_role("button", name="Anna Карлсон")).to_have_count(sum(own))
        self._call(page, "Rename Anna Карлсон", "")
        expect(turns(page).get_by_role("button", name="Speaker 1")).to_have_count(sum(own))
        expect(page.get_by_role("status").filter(has_text="Renamed to Speaker 1")).to_have_count(1)

    @pytest.mark.thorough
    def test_two_speakers_of_one_name_are_one_person_until_the_name_is_taken_away(
        self, visit: Visitor, finished_job: Callable[..., str]
    ) -> None:
        job_id = finished_job("transcription", num_speakers="2")
        page = visit(f"transcript/{job_id}")
        speakers = page.get_by_role("region", name="Speakers").get_by_role("listitem")
        expect(speakers).to_have_count(2)
        for number in (1, 2):
            self._call(page, f"Rename Speaker {number}", "Both")
        expect(speakers).to_have_count(1)
        expect(turns(page).get_by_role("button", name="Both")).to_have_count(turns(page).count())
        self._call(page, "Rename Both", "")
        expect(speakers).to_have_count(2)
        expect(turns(page).get_by_role("button", name="Speaker 2").first).to_be_visible()

    @pytest.mark.thorough
    def test_a_name_that_cannot_be_saved_is_undone_and_kept_in_the_field(
        self, visit: Visitor, finished_job: Callable[..., str], accessible: Accessible
    ) -> None:
        visit.expects("request failed: PUT .*/labels")
        visit.expects("console error: Failed to load resource")
        job_id = finished_job("transcription", num_speakers="2")
        page = visit(f"transcript/{job_id}", language="ru", phone=True, scheme="dark")
        page.context.route("**/labels", lambda route: route.abort("connectionreset"))
        self._call(page, "Переименовать: Говорящий 1", "Анна", "Имя")
        expect(page.get_by_role("alert")).to_contain_text("Имя не сохранено. Сервер недоступен.")
        expect(page.get_by_role("textbox", name="Имя")).to_have_value("Анна")
        expect(turns(page, "Реплики").first).to_contain_text("Говорящий 1")
        accessible(page)
        page.context.unroute_all()
        page.get_by_role("textbox", name="Имя").press("Enter")
        expect(turns(page, "Реплики").first).to_contain_text("Анна")
        no_wider_than_the_screen(page)
        self._call(page, "Переименовать: Анна", "", "Имя")
        expect(turns(page, "Реплики").first).to_contain_text("Говорящий 1")
        expect(page.get_by_role("status").filter(has_text="Новое имя: Говорящий 1")).to_have_count(1)

    @staticmethod
    def _call(page: Page, button: str, name: str, label: str = "Name") -> None:
        speakers = page.get_by_role("region", name="Speakers" if label == "Name" else "Говорящие")
        speakers.get_by_role("button", name=button).click()
        field = speakers.get_by_role("textbox", name=label)
        field.fill(name)
        field.press("Enter")


class TestLongTranscripts:
    WORDS = 40_000
    HOURS = 4

    @pytest.mark.thorough
    def test_four_hours_are_drawn_searched_and_jumped_through(
        self, visit: Visitor, finished_job: Callable[..., str], api: httpx.Client
    ) -> None:
        job_id = finished_job("transcription", num_speakers="2")
        job = api.get(f"/v1/jobs/{job_id}").json()
        transcript = self._transcript(job["result"]["speakers"])

        def prepare(profile: BrowserContext) -> None:
            profile.route("**/artifacts/transcript.json", lambda route: route.fulfill(json=transcript))

        page = visit(f"transcript/{job_id}", prepare=prepare)
        expect(page.get_by_text("40,000 words")).to_be_visible()
        expect(turns(page).first).to_be_in_viewport()
        field = page.get_by_role("searchbox", name="Search the transcript")
        field.fill("the very end")
        expect(page.get_by_role("search").get_by_role("status")).to_have_text("1 of 1")
        expect(turns(page).last).to_be_in_viewport()
        expect(turns(page)).to_have_count(len(transcript["turns"]) + self.LONG // 120 - 1)
        field.fill("word")
        expect(page.get_by_role("search").get_by_role("status")).to_have_text(re.compile("^1 of 39,"))
        expect(turns(page).first).to_be_in_viewport()

    LONG = 2400

    def _transcript(self, speakers: list[str]) -> dict[str, Any]:
        """One turn is a lecture, all others are of 20 words."""
        each = self.HOURS * 3600 / self.WORDS
        words = [
            {"text": "word", "start": i * each, "end": (i + 0.9) * each, "probability": None} for i in range(self.WORDS)
        ]
        for word, text in zip(words[-3:], ("the", "very", "end"), strict=True):
            word["text"] = text
        pieces = [words[: self.LONG]] + [words[i : i + 20] for i in range(self.LONG, self.WORDS, 20)]
        spoken = [
            {
                "start": piece[0]["start"],
                "end": piece[-1]["end"],
                "speaker": speakers[i % len(speakers)],
                "text": " ".join(str(word["text"]) for word in piece),
                "words": piece,
            }
            for i, piece in enumerate(pieces)
        ]
        return {
            "version": 1,
            "duration": self.HOURS * 3600.0,
            "language": "en",
            "speakers": speakers,
            "turns": spoken,
            "segments": [],
            "diarization": [],
            "spoof": None,
            "timings": {"asr": 900.0},
        }
