"""The tables of what is known of each engine, and what they say of settings."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from deployments.strict import models_in, validate
from graphs.common.config import ApiConfig, AssistantSettings, GraphsConfig
from graphs.local.environment import read_environment
from models.asr import FasterWhisperSettings, PocketSphinxSettings
from models.chat import OpenAiSettings
from models.chat.connect import COMMAND, SETTING
from models.diarization import ClusteringSettings
from models.facts import FACTS, EngineInUse, RoleName, engine_in_use, facts_of
from models.facts.types import Condition, Measure
from models.speaker import SpectralSettings
from models.speech import CombinedSettings, EspeakSettings, HibariSettings, PiperSettings
from models.translation import CTranslate2Settings

pytestmark = pytest.mark.unit

ROLES: tuple[RoleName, ...] = get_args(RoleName)


def settings_of(role: RoleName) -> list[type[BaseModel]]:
    """Return the settings of all engines of a role, as the configuration has them."""
    union: Any
    if role == "chat":
        union = AssistantSettings.model_fields["chat"].annotation
    else:
        role_settings: Any = GraphsConfig.model_fields[role].annotation
        union = role_settings.model_fields["engine"].annotation
    return list(models_in(union))


def engine_of(settings: type[BaseModel]) -> str:
    return str(settings.model_fields["engine"].default)


@pytest.mark.parametrize("role", ROLES)
def test_every_engine_has_facts_for_whatever_model(role: RoleName) -> None:
    assert len(settings_of(role)) > 1
    unknown = {
        engine_of(one) for one in settings_of(role) if facts_of(role, engine_of(one), "some other model") is None
    }
    assert unknown == set()


@pytest.mark.parametrize("role", ROLES)
def test_facts_are_measured_or_say_why_not(role: RoleName) -> None:
    for facts in FACTS[role]:
        assert bool(facts.measurements) != bool(facts.not_measured), facts
        for measured in facts.measurements:
            assert 0 <= measured.value <= (measured.highest or 1) <= 1
            assert measured.by.startswith(("python -m ", "pytest "))


@pytest.mark.parametrize("role", ROLES)
def test_what_would_be_better_is_a_line_of_the_configuration(role: RoleName) -> None:
    model: type[BaseModel] = ApiConfig if role == "chat" else GraphsConfig
    for facts in FACTS[role]:
        if facts.better is None:
            continue
        line = facts.better.setting
        assert "\n" not in line
        parsed: Any = validate(model, yaml.safe_load(line), path="args")
        chosen = parsed.assistant.chat if role == "chat" else getattr(parsed, role).engine
        assert chosen.engine != facts.engine or engine_in_use(role, chosen).model != facts.models


def test_the_command_that_connects_a_model_starts_with_that_setting() -> None:
    better = facts_of("chat", "offline", "").better  # type: ignore[union-attr]
    assert better is not None
    *variables, make, run = better.command.split()
    assert (make, run) == ("make", "run")
    environment = read_environment(dict(variable.split("=", 1) for variable in variables), Path("/data"))
    setting = validate(ApiConfig, yaml.safe_load(better.setting)).assistant.chat
    assert environment.chat == setting
    assert isinstance(setting, OpenAiSettings)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("base", "Whisper base"),
        ("Systran/faster-whisper-base", "Whisper base"),
        ("hf://Systran/faster-whisper-base@ebe41f70", "Whisper base"),
        ("s3://weights/asr/whisper-base", "Whisper base"),
        ("s3://weights", "Whisper"),
        ("set://whisper-base", "Whisper base"),
        ("set://whisper-tiny.en", "Whisper tiny.en"),
        ("/srv/secret/whisper-base", "Whisper base"),
        ("file:///srv/secret/whisper-tiny.en", "Whisper tiny.en"),
        ("large-v3-turbo", "Whisper large-v3-turbo"),
        ("base.en", "Whisper"),
        ("/srv/secret/fine-tuned", "Whisper"),
    ],
)
def test_a_model_is_known_by_the_end_of_its_name(name: str, title: str) -> None:
    used = engine_in_use("asr", FasterWhisperSettings(model=name))
    facts = facts_of("asr", used.engine, used.model)
    assert facts is not None
    assert facts.title == title
    assert "secret" not in used.model and "weights" not in used.model


def test_an_engine_is_described_by_its_settings() -> None:
    assert engine_in_use("translation", CTranslate2Settings(models=("/m/opus-en-es", "facebook/m2m100_418M"))) == (
        EngineInUse("ctranslate2", "opus-en-es + facebook/m2m100_418M")
    )
    assert engine_in_use("diarization", ClusteringSettings(speaker=SpectralSettings())).model == "spectral"
    server = engine_in_use("chat", OpenAiSettings(base_url="http://secret:1/v1", model="llama3.2"))
    assert (server.engine, server.model, server.device) == ("openai", "llama3.2", "server")
    on_gpu = FasterWhisperSettings(device="auto")
    assert [engine_in_use("asr", on_gpu, gpu=gpu).device for gpu in (False, True)] == ["cpu", "cuda"]
    assert engine_in_use("asr", on_gpu).licence == "MIT"
    joe = engine_in_use("speech", PiperSettings(folder="set://piper-en-us-joe"))
    assert (joe.model, joe.licence) == ("piper-en-us-joe", "CC0-1.0")


def test_an_engine_that_stands_in_says_so_before_what_is_always_said_of_it() -> None:
    always = engine_in_use("asr", PocketSphinxSettings())
    assert always.notice is not None
    assert "PocketSphinx" in always.notice
    assert not always.stands_in
    standing_in = engine_in_use("asr", PocketSphinxSettings(), notice="Whisper base could not be had.")
    assert standing_in.notice == f"Whisper base could not be had. {always.notice}"
    assert standing_in.stands_in
    assert engine_in_use("asr", FasterWhisperSettings()).notice is None


def test_an_engine_of_engines_is_described_part_by_part() -> None:
    settings = CombinedSettings(engines=(HibariSettings(), PiperSettings(folder="/voices/joe-us"), EspeakSettings()))
    combined = engine_in_use("speech", settings)
    assert [part.engine for part in combined.parts] == ["hibari", "piper", "espeak"]
    assert (combined.model, combined.parts[1].model) == ("", "joe-us")


@pytest.mark.parametrize("code", sorted({*get_args(Measure), *get_args(Condition), *get_args(RoleName)}))
def test_the_page_has_words_for_every_code_in_both_languages(code: str) -> None:
    words = (Path(__file__).parents[2] / "web" / "lib" / "engines.js").read_text(encoding="utf-8")
    assert len(re.findall(rf"\b{code}: \"", words)) == 2


@pytest.mark.parametrize("page", ["README.md", "docs/assistant.md"])
def test_the_documents_have_the_same_lines(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    assert COMMAND in " ".join(text.split())
    assert page == "README.md" or SETTING in text
