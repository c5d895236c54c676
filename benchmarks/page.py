"""The web page's budget: how much it weighs, and how soon it can be used, in headless Chromium with an empty cache.

python -m benchmarks.page [--runs 9] [--browser chromium] ["http://127.0.0.1:8000/#key=vg_..."]

Without an address it starts a system of its own. The browser is chromium-headless-shell where there is one: Chromium
itself loads its windows' own pages meanwhile, headless or not, and on two cores that is much of what it measures.

Prints JSON and exits with 1 where a budget is exceeded:
300 kB for all files of the page as they are sent (gzip), whatever a visit loads of them, and 1 s until it is
interactive.

Interactive is the moment at which the sign-in field, or the section that the address names, is there and drawn and the
main thread has come to rest after it: the next task runs. Milliseconds since the navigation began, median of the runs.
"""

import argparse
import gzip
import json
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.running import benchmarked
from graphs.http.routes.page import Site

KILOBYTES = 300
INTERACTIVE_MS = 1000
SECTIONS = ("voice-check", "transcript", "translate", "assistant", "avatar", "history", "system")
BROWSERS = ("chromium-headless-shell", "chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
WATCH = """
(() => {
  const watch = globalThis.watched = {interactive: null, longTasks: []};
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) watch.longTasks.push([task.startTime, task.duration]);
  }).observe({type: "longtask", buffered: true});
  const observer = new MutationObserver(() => {
    if (!document.querySelector("main [data-ready], main form.sign-in")) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => {
      watch.interactive = performance.now();
      document.documentElement.dataset.interactive = "";
    }));
  });
  observer.observe(document, {subtree: true, childList: true, attributeFilter: ["data-ready"]});
})();
"""


@dataclass
class Traffic:
    """Bytes that a visit loaded: bodies and headers as transferred, and bodies unpacked."""

    origin: str
    urls: dict[str, str] = field(default_factory=dict)
    unpacked: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    def follow(self, page: Page) -> None:
        """Count from now on."""
        session = page.context.new_cdp_session(page)
        session.on(
            "Network.responseReceived", lambda told: self.urls.update({told["requestId"]: told["response"]["url"]})
        )
        session.on("Network.dataReceived", self._received)
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")

    def _received(self, told: dict[str, Any]) -> None:
        self.unpacked[told["requestId"]] = self.unpacked.get(told["requestId"], 0) + told["dataLength"]

    def _finished(self, told: dict[str, Any]) -> None:
        self.sent[told["requestId"]] = round(told["encodedDataLength"])

    def of_the_page(self) -> dict[str, float]:
        """Return the sums over the page's own files, without what it asked of the API."""
        own = [request for request, url in self.urls.items() if _is_file(url, self.origin)]
        return {
            "files": len(own),
            "sent_kb": sum(self.sent.get(request, 0) for request in own) / 1000,
            "unpacked_kb": sum(self.unpacked.get(request, 0) for request in own) / 1000,
        }


def _is_file(url: str, origin: str) -> bool:
    path = url.removeprefix(origin)
    return path.split("#")[0] == "/" or path.startswith("/page/")


@contextmanager
def visiting(browser: Browser, key: str | None) -> Iterator[Page]:
    """Open a profile with an empty cache, signed in where there is a key."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.add_init_script(WATCH)
    if key is not None:
        context.add_init_script(f"sessionStorage.setItem('voicegraph-key', {json.dumps(key)})")
    yield context.new_page()
    context.close()


def interactive(browser: Browser, address: str, key: str | None) -> dict[str, Any]:
    """Return when a visit could be used, and what kept the main thread for more than 50 ms."""
    with visiting(browser, key) as page:
        page.goto(address)
        page.wait_for_selector("html[data-interactive]")
        found: dict[str, Any] = page.evaluate("watched")
        return found


def timed(browser: Browser, url: str, key: str, runs: int) -> dict[str, dict[str, float]]:
    """Time the sign-in and every section, in turn, so that what else the machine does hits all alike."""
    places = {"sign-in": ("", None), **{section: (section, key) for section in SECTIONS}}
    visits: dict[str, list[dict[str, Any]]] = {name: [] for name in places}
    for _ in range(runs + 1):
        for name, (section, used) in places.items():
            visits[name].append(interactive(browser, f"{url}/#/{section}", used))
    # The first round warms the browser and the server up.
    return {name: _summary(found[1:]) for name, found in visits.items()}


def _summary(visits: list[dict[str, Any]]) -> dict[str, float]:
    moments = [visit["interactive"] for visit in visits]
    return {
        "interactive_ms": round(statistics.median(moments)),
        "slowest_ms": round(max(moments)),
        "long_tasks": max(len(visit["longTasks"]) for visit in visits),
        "longest_task_ms": round(max((task[1] for visit in visits for task in visit["longTasks"]), default=0)),
    }


def weighed(browser: Browser, url: str, key: str) -> dict[str, Any]:
    """Weigh the first visit, a walk through all sections, and all files there are."""
    walked = Traffic(url)
    with visiting(browser, key) as page:
        walked.follow(page)
        page.goto(f"{url}/#/{SECTIONS[0]}")
        for section in SECTIONS:
            page.goto(f"{url}/#/{section}")
            page.wait_for_selector(f'main [data-section="{section}"][data-ready]')
            if section == SECTIONS[0]:
                first = walked.of_the_page()
    site = Site.read()
    files = [site.document("./").encode(), *site.assets.values()]
    return {
        "first_visit": first,
        "all_sections": walked.of_the_page(),
        "all_files": {
            "files": len(files),
            "sent_kb": sum(len(gzip.compress(body, 9)) for body in files) / 1000,
            "unpacked_kb": sum(map(len, files)) / 1000,
        },
    }


def measured(url: str, key: str, runs: int, names: Sequence[str]) -> dict[str, Any]:
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        sys.exit("there is no Chromium here (on Debian: apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        weight = weighed(browser, url, key)
        times = timed(browser, url, key, runs)
        browser.close()
    over = [f"{name}: {part['sent_kb']:.0f} kB" for name, part in weight.items() if part["sent_kb"] > KILOBYTES]
    over += [
        f"{name}: {time['interactive_ms']} ms"
        for name, time in times.items()
        if time["interactive_ms"] > INTERACTIVE_MS
    ]
    return {
        "browser": executable,
        "budget": {"sent_kb": KILOBYTES, "interactive_ms": INTERACTIVE_MS},
        "weight": weight,
        "interactive": times,
        "over_budget": over,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", help="of a running system, as make run prints it, with its key")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--browser", action="append", help="name or path of another Chromium")
    arguments = parser.parse_args()
    browsers = arguments.browser or BROWSERS
    if arguments.address:
        parts = urlsplit(arguments.address)
        found = measured(
            f"{parts.scheme}://{parts.netloc}", parts.fragment.removeprefix("key="), arguments.runs, browsers
        )
    else:
        with benchmarked() as system:
            found = measured(system.url, system.api_key, arguments.runs, browsers)
    print(json.dumps(found, indent=2))
    return 1 if found["over_budget"] else 0


if __name__ == "__main__":
    sys.exit(main())
