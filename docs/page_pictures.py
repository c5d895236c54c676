"""Draws docs/page/*.webp: each section of the page with something real in it, in headless Chromium.

    python docs/page_pictures.py "http://127.0.0.1:8000/#key=vg_..."

It has the running system do one job of each kind on the bundled dialogue, holds a short conversation, and looks at each
section as a person would. The system should have nothing else to do, and a key that has done nothing yet.
"""

import io
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from models.samples import DIALOGUE

FOLDER = Path(__file__).with_name("page")
FLAGS = ("--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required")
PATIENCE_MS = 120_000
NOTICE = "Good morning. The train is almost empty today.\n\nPlease sit down, and tell me about the house."
GREETING = "Good morning! My name is Ada. I work in the city, and today I go home."


def in_english(page: Page) -> None:
    """Translate a text."""
    box = page.get_by_role("textbox").first
    box.fill(NOTICE)
    box.press("Control+Enter")
    expect(page.get_by_role("region", name="Translation into")).to_contain_text("tren")


def conversation(page: Page) -> None:
    """Ask two questions in writing."""
    replies = page.get_by_role("log").locator(".assistant-bubble.assistant")
    for number, text in enumerate(("Good morning. Can you hear me?", "What can you do?"), 1):
        field = page.get_by_role("textbox", name="Message").or_(page.get_by_role("textbox", name="Сообщение"))
        field.fill(text)
        field.press("Enter")
        expect(replies).to_have_count(number)


def film(page: Page) -> None:
    """Have the built-in face say something, and stop in the middle of it."""
    box = page.get_by_role("textbox").first
    box.fill(GREETING)
    box.press("Control+Enter")
    video = page.locator("video[aria-label]")
    expect(video).to_have_js_property("ended", True)
    video.evaluate("video => { video.currentTime = 0.9; }")
    expect(video).to_have_js_property("seeking", False)


def turns(page: Page) -> None:
    """Go down to the turns, in the middle of the recording."""
    page.get_by_role("slider").first.fill("8")
    page.mouse.move(640, 500)
    page.mouse.wheel(0, 420)


def nothing(page: Page) -> None:
    """Leave the section as it is."""


@dataclass(frozen=True)
class Picture:
    """One look at the page.

    Attributes:
        name: Of the file.
        section: Where to look; ``{transcription}`` and the like stand for the id of the job of that kind.
        act: What to do there first.
        language: What the browser prefers.
        phone: Whether it is a phone.
        scheme: Colours that are preferred.
        signed_in: Whether there is a key.
    """

    name: str
    section: str
    act: Callable[[Page], None] = nothing
    language: str = "en-US"
    phone: bool = False
    scheme: str = "light"
    signed_in: bool = True


PICTURES = (
    Picture("sign-in", "", signed_in=False),
    Picture("voice-check", "voice-check/{spoof}"),
    Picture("transcript", "transcript/{transcription}", turns),
    Picture("translate-text", "translate", in_english),
    Picture("translate-recording", "translate/{translation}"),
    Picture("assistant", "assistant", conversation),
    Picture("avatar", "avatar", film),
    Picture("history", "history"),
    Picture("system", "system"),
    Picture("transcript-ru", "transcript/{transcription}", turns, language="ru-RU", scheme="dark"),
    Picture("voice-check-ru-phone", "voice-check/{spoof}", language="ru-RU", phone=True),
    Picture("assistant-phone", "assistant", conversation, phone=True, scheme="dark"),
)


def jobs(client: httpx.Client) -> dict[str, str]:
    """Have one job of each kind done, and return their ids by kind."""
    sent: dict[str, dict[str, str]] = {
        "transcription": {"spoof": "true"},
        "spoof": {"diarize": "true"},
        "translation": {"source": "en", "target": "es"},
    }
    ids = {}
    for kind, fields in sent.items():
        files = {"file": ("Two passengers on a train.flac", DIALOGUE.read_bytes())}
        ids[kind] = client.post(f"/v1/jobs/{kind}", files=files, data=fields).raise_for_status().json()["id"]
    said = client.post("/v1/jobs/avatar", json={"text": GREETING, "language": "en"})
    ids["avatar"] = said.raise_for_status().json()["id"]
    for kind, job_id in ids.items():
        with client.stream("GET", f"/v1/jobs/{job_id}/events", timeout=None) as events:
            events.read()
        state = client.get(f"/v1/jobs/{job_id}").raise_for_status().json()["state"]
        assert state == "succeeded", f"{kind}: {state}"
    return ids


def look(browser: Browser, url: str, key: str, picture: Picture, ids: Mapping[str, str]) -> bytes:
    """Return a screenshot, as PNG."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844} if picture.phone else {"width": 1280, "height": 900},
        device_scale_factor=2 if picture.phone else 1,
        is_mobile=picture.phone,
        has_touch=picture.phone,
        locale=picture.language,
        timezone_id="UTC",
        color_scheme="dark" if picture.scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    if picture.signed_in:
        context.add_init_script(f"sessionStorage.setItem('voicegraph-key', {json.dumps(key)})")
    page = context.new_page()
    page.goto(f"{url}/#/{picture.section.format_map(ids)}")
    expect(page.locator("main [data-ready], main form.sign-in")).to_be_visible()
    picture.act(page)
    page.wait_for_load_state("networkidle")
    shot = page.screenshot()
    context.close()
    return shot


def main(address: str) -> None:
    """Write the pictures."""
    parts = urlsplit(address)
    url, key = f"{parts.scheme}://{parts.netloc}", parts.fragment.removeprefix("key=")
    executable = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if executable is None:
        sys.exit("there is no Chromium here (on Debian: apt-get install chromium-headless-shell)")
    expect.set_options(timeout=PATIENCE_MS)
    FOLDER.mkdir(exist_ok=True)
    with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60) as client, sync_playwright() as playwright:
        ids = jobs(client)
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        for picture in PICTURES:
            file = FOLDER / f"{picture.name}.webp"
            with Image.open(io.BytesIO(look(browser, url, key, picture, ids))) as shot:
                shot.convert("RGB").save(file, quality=82, method=6)
            print(f"{file}: {file.stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2 or "#key=" not in sys.argv[1]:
        sys.exit(__doc__)
    main(sys.argv[1])
