"""Settings of the speech recognisers."""

import pytest
from pydantic import TypeAdapter, ValidationError

from models.asr import AsrSettings, FasterWhisperSettings, PocketSphinxSettings

pytestmark = pytest.mark.unit

SETTINGS: TypeAdapter[AsrSettings] = TypeAdapter(AsrSettings)


def test_the_engine_field_chooses_the_settings() -> None:
    assert isinstance(SETTINGS.validate_python({"engine": "pocketsphinx"}), PocketSphinxSettings)
    assert isinstance(SETTINGS.validate_python({"engine": "faster-whisper"}), FasterWhisperSettings)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValidationError, match="engine"):
        SETTINGS.validate_python({"engine": "pocket-sphinx"})


@pytest.mark.parametrize("engine", ["pocketsphinx", "faster-whisper"])
@pytest.mark.parametrize("typo", [{"beamsize": 2}, {"vad": {"treshold": 0.4}}])
def test_a_misspelt_setting_is_refused(engine: str, typo: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        SETTINGS.validate_python({"engine": engine, **typo})


def test_changing_one_voice_setting_keeps_the_engine_s_own_defaults() -> None:
    settings = PocketSphinxSettings.model_validate({"vad": {"onset": 0.4}})

    assert settings.vad.onset == 0.4
    assert settings.vad.max_speech == PocketSphinxSettings().vad.max_speech


def test_whisper_windows_never_exceed_what_whisper_hears_at_a_time() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 30"):
        FasterWhisperSettings.model_validate({"vad": {"max_speech": 31}})


@pytest.mark.parametrize("settings", [PocketSphinxSettings, FasterWhisperSettings])
def test_every_setting_but_the_engine_is_described(settings: type[PocketSphinxSettings]) -> None:
    undescribed = [name for name, field in settings.model_fields.items() if not field.description]

    assert undescribed == ["engine"]
