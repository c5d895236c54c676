"""The page in headless Chromium against the running system.

A test of a section:

    pytestmark = pytest.mark.cluster

    def test_the_turns_can_be_played(visit: Visitor) -> None:
        page = visit("transcript", language="ru", phone=True)
        page.get_by_label("Запись").set_input_files(DIALOGUE)
        expect(page.get_by_role("list", name="Реплики")).to_be_visible()
        accessible(page)

- ``visit(section, ...)`` opens the page signed in (``browsing.Visitor`` has every argument); each call is a person with
  a browser profile of their own. A test that sees to it that a request fails announces what the console will say:
  ``visit.expects("status of 401")``. All other errors and warnings of the console, uncaught errors, failed requests
  and requests to another host fail the test when it ends.
- ``accessible(page)`` fails on what axe-core finds serious.
- ``microphone=dialogue_wav`` or ``microphone=say("Hello there.")`` in ``visit`` is what the page hears.
- ``DIALOGUE`` of ``models.samples`` is a file to upload, 31 s and two speakers; ``brief_recording`` has its first
  three turns (10 s, still two speakers) and is done much sooner.
- ``finished_job(kind)`` has the API do a job on the brief recording, once per session, and returns its id: for what is
  about a result and not about the way to it.
- ``api`` is an HTTP client with the key.

``VOICEGRAPH_PAGE=http://127.0.0.1:8100/#key=vg_... pytest tests/cluster/page`` takes a system that runs already. A
failed test leaves pictures of its pages in build/page/.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from accessibility import assert_accessible
from browsing import Address, Browsers, Visitor, chromium
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright
from recordings import THREE_TURNS_S, beginning, encoded
from waiting import ended

from models.audio import decode, encode
from models.samples import DIALOGUE

RUNNING = "VOICEGRAPH_PAGE"
OTHER_KEY = "VOICEGRAPH_PAGE_OTHER_KEY"
PICTURES = Path(__file__).resolve().parents[3] / "build" / "page"
MICROPHONE_RATE = 48_000

_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "call":
        item.stash[_failed] = report.failed
    return report


@pytest.fixture(scope="session")
def page_system(request: pytest.FixtureRequest) -> Address:
    """The system whose page is visited: the one of all cluster tests, or the one that the environment names."""
    if RUNNING in os.environ:
        return Address.parse(os.environ[RUNNING])
    if chromium() is None:
        pytest.skip("there is no Chromium here (on Debian: apt-get install chromium)")
    system = request.getfixturevalue("system")
    return Address(system.url, system.key)


@pytest.fixture(scope="session")
def other_key(request: pytest.FixtureRequest) -> str:
    """The key of another owner; of a system that runs already the environment may name one."""
    if RUNNING in os.environ:
        if OTHER_KEY not in os.environ:
            pytest.skip(f"{OTHER_KEY} is not set")
        return os.environ[OTHER_KEY]
    key: str = request.getfixturevalue("system").other_key
    return key


@pytest.fixture(scope="module")
def browsers(page_system: Address) -> Iterator[Browsers]:
    """Chromium, for one file of tests: an asyncio loop runs in this thread meanwhile, which other tests can't have."""
    executable = chromium()
    if executable is None:
        pytest.skip("there is no Chromium here (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browsers = Browsers(playwright, executable)
        yield browsers
        browsers.close()


@pytest.fixture
def visit(browsers: Browsers, page_system: Address, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Opens the page; see the top of this file."""
    visitor = Visitor(browsers, page_system)
    yield visitor
    if request.node.stash.get(_failed, False):
        PICTURES.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.-]+", "-", request.node.name)
        for number, page in enumerate(visitor.pages()):
            page.screenshot(path=PICTURES / f"{name}-{number}.png", full_page=True)
    faults = visitor.end()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def accessible() -> Callable[[Page], None]:
    """Fails on what axe-core finds serious."""
    return assert_accessible


@pytest.fixture(scope="session")
def api(page_system: Address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page_system.url, headers={"X-API-Key": page_system.key}, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def dialogue_samples() -> NDArray[np.float32]:
    """The bundled recording as a microphone would take it, at 48 kHz."""
    with DIALOGUE.open("rb") as file:
        return decode(file, sample_rate=MICROPHONE_RATE)


@pytest.fixture(scope="session")
def dialogue_wav(dialogue_samples: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled recording as a microphone's WAV file: 31 s, two speakers."""
    return _wav(dialogue_samples, tmp_path_factory.mktemp("microphone") / "dialogue.wav")


@pytest.fixture(scope="session")
def brief_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first three turns of the bundled recording, of two speakers: a WAV file of 10 s."""
    return _wav(beginning(THREE_TURNS_S, MICROPHONE_RATE), tmp_path_factory.mktemp("recording") / "brief.wav")


@pytest.fixture(scope="session")
def say(api: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a microphone's WAV file of a sentence, with the voice that the embedded recogniser follows best."""
    folder = tmp_path_factory.mktemp("said")
    files: dict[str, Path] = {}

    def say(text: str, *, lead_seconds: float = 0.5) -> Path:
        if text not in files:
            body = {
                "text": text,
                "language": "en",
                "voice": "en-us-f5",
                "speed": 0.85,
                "format": "pcm",
                "sample_rate": MICROPHONE_RATE,
            }
            said = np.frombuffer(api.post("/v1/speech", json=body).raise_for_status().content, "<i2") / 32768
            silence = np.zeros(round(lead_seconds * MICROPHONE_RATE))
            samples = np.concatenate((silence, said, np.zeros(2 * MICROPHONE_RATE))).astype(np.float32)
            files[text] = _wav(samples, folder / f"{len(files)}.wav")
        return files[text]

    return say


@pytest.fixture(scope="session")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP3 file that begins well: three quarters of it are zeros."""
    file = tmp_path_factory.mktemp("damaged") / "damaged.mp3"
    whole = encoded("mp3", "libmp3lame", 20)
    file.write_bytes(whole[: len(whole) // 4] + bytes(len(whole) - len(whole) // 4))
    return file


@pytest.fixture(scope="session")
def finished_job(api: httpx.Client, brief_recording: Path) -> Callable[..., str]:
    """Has the API do a job on the brief recording, or another, once, and returns its id."""
    jobs: dict[tuple[str, ...], str] = {}

    def finished(kind: str, recording: Path = brief_recording, **fields: str) -> str:
        known = (kind, str(recording), *(f"{name}={value}" for name, value in sorted(fields.items())))
        if known not in jobs:
            files = {"file": (recording.name, recording.read_bytes())}
            job_id = api.post(f"/v1/jobs/{kind}", files=files, data=fields).raise_for_status().json()["id"]
            job = ended(api, job_id)
            assert job["state"] == "succeeded", job
            jobs[known] = job_id
        return jobs[known]

    return finished


def _wav(samples: NDArray[np.float32], file: Path) -> Path:
    file.write_bytes(encode([samples], "wav", MICROPHONE_RATE))
    return file
