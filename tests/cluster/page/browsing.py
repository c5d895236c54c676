"""Visits to the page in headless Chromium, each watched for what must never happen on it."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    Request,
    ViewportSize,
    WebError,
    expect,
)

Locale = Literal["en", "ru"]
Scheme = Literal["light", "dark"]

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
)
_NAVIGATED_AWAY = "net::ERR_ABORTED"
_OF_THE_PAGE_ITSELF = ("blob", "data")
# A machine whose cores also recognise speech may be slow to answer; who waits for a test need not wait as long.
PATIENCE_MS = 30_000 if "VOICEGRAPH_PAGE" in os.environ else 60_000
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str | None:
    """Return the browser's path, if there is one."""
    # The headless shell first: Chromium itself loads and runs its own windows' pages, too, headless or not.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def with_clock(profile: BrowserContext) -> None:
    """Prepare a profile whose pages' clock a test may put forward."""
    profile.clock.install()


def hasten(page: Page, awaited: Locator) -> None:
    """Put the page's clock forward, second by second, until something is seen."""
    for _ in range(40):
        if awaited.first.is_visible():
            return
        page.clock.fast_forward(1000)
    expect(awaited.first).to_be_visible()


@dataclass(frozen=True)
class Address:
    """Where a system's page is, and a key for it."""

    url: str
    key: str

    @classmethod
    def parse(cls, printed: str) -> "Address":
        """Read what ``make run`` prints: ``http://127.0.0.1:8000/#key=vg_...``."""
        parts = urlsplit(printed)
        assert parts.fragment.startswith("key="), f"{printed} has no #key="
        return cls(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", parts.fragment.removeprefix("key="))

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class Watch:
    """Writes down what must not happen on a page, and what a test has announced."""

    def __init__(self, origin: str) -> None:
        self.origins = {origin, re.sub("^http", "ws", origin)}
        self.faults: list[str] = []
        self.expected: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("page", lambda page: page.on("websocket", lambda socket: self._address(socket.url)))

    def unexpected(self) -> list[str]:
        """Return the faults that no announcement covers, and the announcements that nothing came of."""
        found = [fault for fault in self.faults if not any(re.search(text, fault) for text in self.expected)]
        missing = [text for text in self.expected if not any(re.search(text, fault) for fault in self.faults)]
        return found + [f"expected, but it did not happen: {text}" for text in missing]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            where = message.location
            self.faults.append(
                f"console {message.type}: {message.text} ({where.get('url', '')}:{where.get('lineNumber', '')})"
            )

    def _error(self, error: WebError) -> None:
        self.faults.append(f"uncaught error: {error.error.stack or error.error}")

    def _request(self, request: Request) -> None:
        self._address(request.url)

    def _address(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _OF_THE_PAGE_ITSELF and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self.faults.append(f"request to another host: {url}")

    def _failed(self, request: Request) -> None:
        # What the page itself gave up, or left behind when it was closed, is no fault.
        if request.failure != _NAVIGATED_AWAY:
            self.faults.append(f"request failed: {request.method} {request.url}: {request.failure}")


@dataclass
class Browsers:
    """Chromium with a certain microphone; started once for each."""

    playwright: Playwright
    executable: str
    running: dict[tuple[str, ...], Browser] = field(default_factory=dict)

    def hearing(self, microphone: Path | None, *, denied: bool = False) -> Browser:
        flags = (f"--use-fake-ui-for-media-stream{'=deny' if denied else ''}",)
        if microphone is not None:
            flags += (f"--use-file-for-fake-audio-capture={microphone}%noloop",)
        if flags not in self.running:
            launch = self.playwright.chromium.launch
            self.running[flags] = launch(executable_path=self.executable, args=[*_FLAGS, *flags])
        return self.running[flags]

    def close(self) -> None:
        for browser in self.running.values():
            browser.close()


class Visitor:
    """Opens the page as one person with one browser profile for each visit.

    Each visit is watched: errors and warnings of the console (violations of the Content-Security-Policy are among
    them), uncaught errors, failed requests, and requests to another host fail the test when it ends. What a test
    provokes on purpose it announces with ``expects``.
    """

    def __init__(self, browsers: Browsers, address: Address) -> None:
        self.address = address
        self._browsers = browsers
        self._watch = Watch(address.origin)
        self._contexts: list[BrowserContext] = []

    def __call__(
        self,
        section: str | None = None,
        *,
        language: Locale = "en",
        phone: bool = False,
        scheme: Scheme = "light",
        microphone: Path | None = None,
        denied: bool = False,
        signed_in: bool = True,
        prepare: Callable[[BrowserContext], object] | None = None,
    ) -> Page:
        """Open the page in a new profile and return it.

        Args:
            section: Where to go, by its hash route: ``transcript``, ``transcript/<job id>``; None for where the page
                itself leads.
            language: What the browser prefers.
            phone: A narrow touch screen instead of a wide window.
            scheme: Of the colours that the person prefers.
            microphone: A WAV file that is heard from the moment the page opens the microphone, then silence. Each file
                costs the start of one more browser.
            denied: The person refuses the microphone.
            signed_in: Whether the key comes with the address.
            prepare: Called with the profile before the page is opened, for routes, init scripts, permissions.
        """
        context = self.profile(language=language, phone=phone, scheme=scheme, microphone=microphone, denied=denied)
        if prepare is not None:
            prepare(context)
        page = context.new_page()
        if signed_in:
            self.sign_in(page)
            if section is not None:
                self.go(page, section)
        else:
            page.goto(f"{self.address.url}/#/{section or ''}")
            expect(page.locator("form.sign-in")).to_be_visible()
        return page

    def profile(
        self,
        *,
        language: Locale = "en",
        phone: bool = False,
        scheme: Scheme = "light",
        microphone: Path | None = None,
        denied: bool = False,
    ) -> BrowserContext:
        """Return a watched profile of a browser without any page."""
        context = self._browsers.hearing(microphone, denied=denied).new_context(
            base_url=f"{self.address.url}/",
            locale={"en": "en-US", "ru": "ru-RU"}[language],
            viewport=PHONE if phone else WIDE,
            is_mobile=phone,
            has_touch=phone,
            color_scheme=scheme,
            reduced_motion="reduce",
            permissions=["microphone", "clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        self._watch.follow(context)
        return context

    def sign_in(self, page: Page) -> None:
        """Open the address that ``make run`` prints."""
        page.goto(f"{self.address.url}/#key={self.address.key}")
        expect(page.locator("main [data-ready]")).to_be_visible()

    def go(self, page: Page, section: str) -> None:
        """Follow a link to a section."""
        page.goto(f"{self.address.url}/#/{section}")
        name = re.split("[/?]", section)[0]
        expect(page.locator(f'main [data-section="{name}"][data-ready]')).to_be_visible()

    def expects(self, fault: str) -> None:
        """Announce a fault by a regular expression: ``status of 401``. It must happen."""
        self._watch.expected.append(fault)

    def pages(self) -> list[Page]:
        return [page for context in self._contexts for page in context.pages]

    def end(self) -> list[str]:
        """Close everything; return what happened that must not."""
        for context in self._contexts:
            context.close()
        return self._watch.unexpected()
