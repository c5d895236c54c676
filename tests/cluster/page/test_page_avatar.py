"""The avatar section: a face and words become a film that is watched while it is made."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from avatar_pictures import as_jpeg, as_png, no_face, two_faces
from browsing import Locale, Visitor, hasten, with_clock
from films import FRAMES_PER_SECOND, Film, take_apart
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect

pytestmark = pytest.mark.cluster

TEXT = {"en": "Good morning.", "ru": "Доброе утро."}
LONG_TEXT = "This film is so long that it is seen long before it is complete. " * 60
BREAKING_OFF = """
const connected = window.fetch;
window.fetch = async (url, options) => {
  const response = await connected(url, options);
  if (!String(url).endsWith("/speak")) return response;
  let left = 2;
  const break_off = (out) => out.error(new TypeError("network error"));
  // A short film may come in two pieces; the end that it has then does not arrive either.
  return new Response(response.body.pipeThrough(new TransformStream({
    transform(piece, out) {
      if (left-- > 0) out.enqueue(piece);
      else break_off(out);
    },
    flush: break_off,
  })));
};
"""
PAUSED_AS_SOON_AS_IT_PLAYS = """film => film.addEventListener("playing", () => {
  film.pause();
  film.dataset.played = "";
}, {once: true})"""
ONLY_MANAGED_MEDIA_SOURCE = "window.ManagedMediaSource = window.MediaSource; delete window.MediaSource;"
WITHOUT_MEDIA_SOURCE = "delete window.MediaSource; delete window.ManagedMediaSource;"
WORDS: dict[Locale, dict[str, str]] = {
    "en": {
        "make": "Make the film", "making": "Making it", "stop": "Stop", "again": "Play again", "download": "Download",
        "text": "Text", "first": "First picture after", "total": "Complete after", "length": "Length", "size": "Size",
        "built-in": "The built-in face", "add": "Add a face",
    },
    "ru": {
        "make": "Создать видео", "making": "Создаётся", "stop": "Остановить", "again": "Смотреть ещё раз",
        "download": "Скачать", "text": "Текст", "first": "Первый кадр через", "total": "Готово через",
        "length": "Длительность", "size": "Размер файла", "built-in": "Встроенное лицо", "add": "Добавить лицо",
    },
}  # fmt: skip


class AvatarPage:
    """What a person finds in the section."""

    def __init__(self, page: Page, language: Locale = "en") -> None:
        self.page = page
        self.says = WORDS[language]
        self.video = page.locator("video[aria-label]")
        self.asked: list[Request] = []
        self.answered: list[Request] = []
        page.on("request", lambda request: self._note(request, self.asked))
        page.on("requestfinished", lambda request: self._note(request, self.answered))

    def _note(self, request: Request, where: list[Request]) -> None:
        if request.url.endswith("/speak"):
            where.append(request)

    def button(self, word: str) -> Locator:
        return self.page.get_by_role("button", name=self.says[word])

    def write(self, text: str) -> Locator:
        field = self.page.get_by_role("textbox", name=self.says["text"])
        field.fill(text)
        return field

    def fact(self, word: str) -> str:
        return self.page.locator("dl > div", has_text=self.says[word]).locator("dd").inner_text()

    def watch_to_the_end(self) -> None:
        expect(self.button("again")).to_be_visible()
        expect(self.video).to_have_js_property("ended", True)

    def downloaded(self) -> tuple[Film, int, str]:
        """The film, its size in bytes, and the name of its file."""
        with self.page.expect_download() as saving:
            self.page.get_by_role("link", name=self.says["download"]).click()
        data = Path(saving.value.path()).read_bytes()
        assert data[4:8] == b"ftyp"
        return take_apart(data), len(data), saving.value.suggested_filename

    def face(self, name: str) -> Locator:
        return self.page.get_by_role("radio", name=name)


def number(text: str) -> float:
    """The number of "7.1s", "7,1s" or "763 kB"."""
    found = re.search(r"\d[\d.,]*", text)
    assert found, text
    return float(found[0].replace(",", "."))


def check(film: Film, size: int, seen: AvatarPage) -> None:
    """The film is marked, somebody speaks in it, and the page has told its length and size."""
    assert "trainedAlgorithmicMedia" in str(film.tags)
    assert film.openings.max() > 5
    assert film.levels.max() > 0.02
    assert number(seen.fact("length")) == pytest.approx(len(film.frames) / FRAMES_PER_SECOND, abs=0.11)
    assert number(seen.fact("size")) == pytest.approx(size / 1000, abs=1)


def test_a_film_starts_while_it_is_still_being_made_and_can_be_stopped(
    visit: Visitor, accessible: Callable[[Page], None]
) -> None:
    page = visit("avatar")
    seen = AvatarPage(page)
    expect(seen.face("The built-in face")).to_be_checked()
    accessible(page)
    seen.button("make").click()
    expect(page.get_by_role("alert")).to_have_text("Write what shall be said.")
    seen.write(LONG_TEXT).press("Control+Enter")
    expect(seen.video).to_be_visible()
    expect(seen.video).to_have_js_property("paused", False)
    expect(seen.video).not_to_have_js_property("currentTime", 0)
    expect(page.get_by_role("status").get_by_text("It plays while the rest is being made.")).to_be_visible()
    assert len(seen.asked) == 1
    assert not seen.answered
    assert number(seen.fact("first")) > 0
    assert not page.get_by_text("Complete after").is_visible()
    expect(seen.button("making")).to_be_disabled()
    accessible(page)
    seen.button("stop").click()
    expect(seen.video).to_be_hidden()
    expect(page.get_by_role("img", name="The face: The built-in face")).to_be_visible()
    expect(seen.button("make")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_text_becomes_a_film_that_is_watched_kept_and_watched_again(
    visit: Visitor, accessible: Callable[[Page], None]
) -> None:
    page = visit("avatar", language="ru", phone=True, scheme="dark")
    seen = AvatarPage(page, "ru")
    picture = page.get_by_role("img", name=seen.says["built-in"])
    seen.write(TEXT["ru"])
    seen.button("make").click()
    expect(seen.button("stop")).to_be_focused()
    seen.watch_to_the_end()
    expect(picture).to_be_visible()
    expect(seen.video).to_be_hidden()
    assert seen.asked[0].post_data_json == {"text": TEXT["ru"], "language": "ru", "speed": 1}
    film, size, name = seen.downloaded()
    assert name == "avatar.mp4"
    check(film, size, seen)
    assert 0 < number(seen.fact("first"))
    assert 0 < number(seen.fact("total"))
    seen.video.evaluate(PAUSED_AS_SOON_AS_IT_PLAYS)
    seen.button("again").click()
    expect(seen.video).to_have_attribute("data-played", "")
    expect(seen.video).to_be_visible()
    expect(picture).to_be_hidden()
    accessible(page)
    seen.video.evaluate("film => film.play()")
    expect(picture).to_be_visible()
    assert len(seen.asked) == 1
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0


@pytest.mark.thorough
def test_a_browser_that_cannot_play_what_arrives_plays_it_when_it_is_complete(visit: Visitor) -> None:
    def prepare(context: BrowserContext) -> None:
        context.add_init_script(WITHOUT_MEDIA_SOURCE)

    page = visit("avatar", prepare=prepare)
    seen = AvatarPage(page)
    seen.write(TEXT["en"])
    page.get_by_label("Voice").select_option("en-gb-f3")
    page.get_by_label("Speed").fill("1.5")
    seen.button("make").click()
    seen.watch_to_the_end()
    assert page.evaluate("typeof MediaSource") == "undefined"
    assert seen.asked[0].post_data_json == {"text": TEXT["en"], "language": "en", "voice": "en-gb-f3", "speed": 1.5}
    film, size, _ = seen.downloaded()
    check(film, size, seen)
    assert "en-gb-f3" in str(film.tags)


def test_what_is_said_into_the_microphone_is_heard_in_the_film(
    visit: Visitor, accessible: Callable[[Page], None], say: Callable[[str], Path]
) -> None:
    def prepare(context: BrowserContext) -> None:
        # As on an iPhone.
        context.add_init_script(ONLY_MANAGED_MEDIA_SOURCE)

    page = visit("avatar", microphone=say("Hello there."), prepare=prepare)
    seen = AvatarPage(page)
    page.get_by_role("tab", name="Speak").click()
    seen.button("make").click()
    expect(page.get_by_role("alert")).to_have_text("Record something or choose a file first.")
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("timer")).to_have_text(re.compile("0:0[2-9]|0:[1-5]"))
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("audio")).to_be_visible()
    page.get_by_label("Visible label").check()
    accessible(page)
    seen.button("make").click()
    seen.watch_to_the_end()
    film, size, _ = seen.downloaded()
    check(film, size, seen)
    assert len(film.frames) > 1.5 * FRAMES_PER_SECOND
    # Otherwise a ManagedMediaSource does not open.
    expect(seen.video).to_have_js_property("disableRemotePlayback", True)
    # Light letters on a dark box in the lower right corner, in every picture.
    corner = film.frames[:, -60:, -200:]
    assert corner.min() < 60
    assert corner.max() > 200


@contextmanager
def erased_after(api: httpx.Client, *names: str) -> Iterator[None]:
    """Faces of these names are neither there before nor after."""

    def erase() -> None:
        for avatar in api.get("/v1/avatars").raise_for_status().json()["avatars"]:
            if avatar["name"] in names:
                api.delete(f"/v1/avatars/{avatar['id']}").raise_for_status()

    erase()
    try:
        yield
    finally:
        erase()


def test_a_face_of_ones_own_is_added_speaks_and_is_deleted_when_that_is_meant(
    visit: Visitor, accessible: Callable[[Page], None], api: httpx.Client
) -> None:
    visit.expects("status of 422")
    with erased_after(api, "Анна с сестрой"):
        page = visit("avatar", language="ru", phone=True)
        seen = AvatarPage(page, "ru")
        seen.button("add").click()
        form = page.locator("form", has=page.get_by_role("button", name="Сохранить лицо"))
        file = form.locator("input[type=file]")
        file.set_input_files({"name": "hills.png", "mimeType": "image/png", "buffer": as_png(no_face())})
        expect(form.get_by_label("Имя")).to_have_value("hills")
        form.get_by_role("button", name="Сохранить лицо").click()
        expect(form.get_by_role("alert")).to_contain_text("Лицо не найдено.")
        expect(page.get_by_role("radio")).to_have_count(1)
        accessible(page)

        file.set_input_files({"name": "sisters.jpg", "mimeType": "image/jpeg", "buffer": as_jpeg(two_faces()[0])})
        expect(form.get_by_label("Имя")).to_have_value("sisters")
        expect(form.get_by_role("alert")).to_have_count(0)
        form.get_by_label("Имя").fill("Анна с сестрой")
        form.get_by_role("button", name="Сохранить лицо").click()
        expect(seen.face("Анна с сестрой")).to_be_checked()
        expect(page.get_by_text("Здесь лиц: 2; говорит самое крупное.")).to_be_visible()
        expect(page.get_by_role("img", name="Лицо: Анна с сестрой")).to_be_visible()
        expect(form).to_be_hidden()
        seen.write("Привет!").press("Control+Enter")
        seen.watch_to_the_end()
        film, size, name = seen.downloaded()
        assert name == "Анна с сестрой.mp4"
        assert film.frames.shape[1:] == (400, 600)
        check(film, size, seen)

        erase = page.get_by_role("button", name="Удалить это лицо")
        erase.click()
        dialog = page.get_by_role("dialog", name="Удалить «Анна с сестрой»?")
        accessible(page)
        dialog.get_by_role("button", name="Оставить").click()
        expect(dialog).to_have_count(0)
        expect(erase).to_be_focused()
        erase.click()
        dialog.get_by_role("button", name="Удалить").click()
        expect(seen.face("Встроенное лицо")).to_be_focused()
        expect(seen.face("Анна с сестрой")).to_have_count(0)
        expect(erase).to_be_hidden()
        assert "Анна с сестрой" not in api.get("/v1/avatars").text


@pytest.mark.thorough
def test_a_film_in_the_background_is_found_again_by_its_link(
    visit: Visitor, accessible: Callable[[Page], None]
) -> None:
    page = visit("avatar")
    seen = AvatarPage(page)
    seen.write(TEXT["en"])
    page.get_by_role("button", name="Make it in the background").click()
    expect(page).to_have_url(re.compile(r"#/avatar/[0-9a-f-]{36}$"))
    section = page.url.split("#/")[1]
    seen.watch_to_the_end()
    page.get_by_role("button", name="Copy the link").click()
    assert page.evaluate("navigator.clipboard.readText()") == page.url

    other = AvatarPage(visit(section, language="ru"), "ru")
    other.watch_to_the_end()
    expect(other.page.get_by_role("textbox", name="Текст")).to_have_value(TEXT["en"])
    film, size, name = other.downloaded()
    assert name.endswith(".mp4")
    check(film, size, other)
    accessible(other.page)
    assert not other.asked


def test_a_film_that_breaks_off_says_what_to_do(visit: Visitor) -> None:
    def prepare(context: BrowserContext) -> None:
        context.add_init_script(BREAKING_OFF)

    page = visit("avatar", language="ru", prepare=prepare)
    seen = AvatarPage(page, "ru")
    seen.write(TEXT["ru"]).press("Control+Enter")
    expect(page.get_by_role("alert")).to_have_text(
        "Связь прервалась до конца видео. Попробуйте ещё раз или создайте его в фоне."
    )
    expect(seen.video).to_be_hidden()
    expect(seen.button("make")).to_be_enabled()


def test_lists_that_do_not_come_can_be_asked_for_again(visit: Visitor, accessible: Callable[[Page], None]) -> None:
    cut = ["v1/languages", "v1/avatars"]

    def prepare(context: BrowserContext) -> None:
        def answer(route: Route) -> None:
            path = next((path for path in cut if route.request.url.endswith(path)), None)
            if path is None:
                route.continue_()
            else:
                route.abort("connectionfailed")

        context.route(re.compile("v1/(languages|avatars)$"), answer)
        with_clock(context)

    visit.expects("ERR_CONNECTION_FAILED")
    page = visit(prepare=prepare)
    page.goto("./#/avatar")
    seen = AvatarPage(page)
    hasten(page, page.get_by_role("alert").nth(1))
    expect(page.get_by_role("alert")).to_have_count(2)
    accessible(page)
    cut.clear()
    again = page.get_by_role("button", name="Try again")
    again.first.click()
    expect(again).to_have_count(1)
    again.click()
    expect(seen.face("The built-in face")).to_be_checked()
    expect(page.get_by_label("Language", exact=True).last).to_have_value("en")
    expect(page.get_by_role("alert")).to_have_count(0)
