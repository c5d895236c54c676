"""eSpeak NG in this process: its voices, its speech, and that nothing but text goes into it."""

import io
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio import decode, encode
from models.errors import InputError
from models.speech import EspeakSettings, SpeechModel, Voice, build
from models.speech.espeak import EspeakEngine
from models.speech.espeak_library import MAX_CHARACTERS, espeak_library

pytestmark = pytest.mark.unit

TEXT = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def engine() -> EspeakEngine:
    return EspeakEngine(EspeakSettings())


@pytest.fixture(scope="module")
def model(engine: EspeakEngine) -> SpeechModel:
    return engine.load("espeak")


def voice(engine: EspeakEngine, language: str) -> Voice:
    return next(voice for voice in engine.voices if language in voice.languages)


def said(
    engine: EspeakEngine, text: str = TEXT, language: str = "en", speed: float = 1.0, spoken_by: Voice | None = None
) -> NDArray[np.float32]:
    by = spoken_by or voice(engine, language)
    pieces = engine.load(by.model).synthesize(text, voice=by, language=language, speed=speed, reference=None)
    return np.concatenate([np.empty(0, np.float32), *pieces])


def test_voices_of_over_a_hundred_languages_have_ids_of_their_own(engine: EspeakEngine) -> None:
    ids = [voice.id for voice in engine.voices]
    assert len(ids) == len(set(ids))
    assert len({language.split("-")[0] for voice in engine.voices for language in voice.languages}) > 100
    assert {voice.model for voice in engine.voices} == {"espeak"}


@pytest.mark.parametrize(
    ("language", "identifier"),
    [("en", "en-us"), ("en-gb", "en-gb"), ("zh", "zh"), ("cmn", "zh"), ("kk", "kk"), ("ru", "ru"), ("pt-br", "pt-br"),
     ("fr", "fr-fr"), ("no", "nb"), ("yue", "yue")],
)  # fmt: skip
def test_the_default_of_a_language_is_its_plain_voice(engine: EspeakEngine, language: str, identifier: str) -> None:
    assert voice(engine, language).id == identifier


def test_variants_follow_their_voice_and_have_a_gender(engine: EspeakEngine) -> None:
    of_russian = [(voice.id, voice.gender) for voice in engine.voices if "ru" in voice.languages]
    assert of_russian[:4] == [("ru", "male"), ("ru-f3", "female"), ("ru-f5", "female"), ("ru-m3", "male")]


def test_a_variant_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="no variant 'nobody'"):
        build(EspeakSettings(variants=("nobody",)))


@pytest.mark.parametrize(
    ("language", "text"), [("en", TEXT), ("ru", "Привет, мир."), ("kk", "Сәлем, әлем."), ("zh", "你好世界。")]
)
def test_speech_is_heard(engine: EspeakEngine, language: str, text: str) -> None:
    samples = said(engine, text, language)
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert 0.3 < len(samples) / voice(engine, language).sample_rate < 6
    assert 0.1 < np.abs(samples).max() <= 1


def test_a_womans_variant_speaks_higher(engine: EspeakEngine) -> None:
    def pitch(samples: NDArray[np.float32]) -> float:
        spectrum = np.abs(np.fft.rfft(samples))
        frequencies = np.fft.rfftfreq(len(samples), 1 / 22_050)
        voiced = (frequencies > 60) & (frequencies < 300)
        return float(np.average(frequencies[voiced], weights=spectrum[voiced]))

    by = {voice.id: voice for voice in engine.voices}
    assert pitch(said(engine, spoken_by=by["en-us-f3"])) > 1.05 * pitch(said(engine, spoken_by=by["en-us"]))


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed_changes_the_length(engine: EspeakEngine, speed: float) -> None:
    assert len(said(engine)) / len(said(engine, speed=speed)) == pytest.approx(speed, rel=0.15)


@pytest.mark.parametrize("text", ["[[hE'loU]] there", "<voice name='ru'>there</voice>", "\x01500s\x01 there"])
def test_text_can_not_command_the_library(engine: EspeakEngine, text: str) -> None:
    plain = len(said(engine, "there"))
    commanded = said(engine, text)
    assert len(commanded) > plain
    library = espeak_library()
    assert library.phonemes("[[hE'loU]]", "en-us") != library.phonemes("hello", "en-us")


def test_a_text_without_end_is_refused(engine: EspeakEngine) -> None:
    with pytest.raises(InputError) as refused:
        said(engine, "a" * (MAX_CHARACTERS + 1))
    assert (refused.value.code, refused.value.field) == ("text_too_long", "text")


def test_a_listener_who_leaves_ends_the_speech_and_others_are_heard(engine: EspeakEngine) -> None:
    library = espeak_library()
    pieces: list[int] = []

    def two_pieces(samples: NDArray[np.int16]) -> bool:
        pieces.append(len(samples))
        return len(pieces) < 2

    library.speak(TEXT * 50, "gmw/en-US", 175, two_pieces)
    assert len(pieces) == 2
    by = voice(engine, "en")
    leaving = iter(engine.load("espeak").synthesize(TEXT * 80, voice=by, language="en", speed=1.0, reference=None))
    next(leaving)
    del leaving
    assert len(said(engine)) > by.sample_rate


def test_callers_at_once_each_hear_their_own_text(engine: EspeakEngine) -> None:
    alone = {text: len(said(engine, text)) for text in ("One.", TEXT, f"{TEXT} {TEXT}")}
    heard: list[tuple[str, int]] = []

    def call(text: str) -> None:
        heard.append((text, len(said(engine, text))))

    threads = [threading.Thread(target=call, args=(text,)) for text in alone for _time in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(heard) == 12
    assert all(length == pytest.approx(alone[text], rel=0.05) for text, length in heard)


def test_an_error_in_the_library_reaches_the_listener(engine: EspeakEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(espeak_library(), "speak", fail)
    with pytest.raises(RuntimeError, match="out of order"):
        said(engine)


def test_phonemes_are_those_of_the_language() -> None:
    library = espeak_library()
    assert library.phonemes("Hello world", "en-us") == "həlˈoʊ wˈɜːld"  # noqa: RUF001
    assert library.phonemes("три", "ru") != library.phonemes("three", "en-us")
    assert "(" not in library.phonemes("Привет, world", "ru")
    with pytest.raises(ValueError, match="no voice"):
        library.phonemes("a", "nonsense")


def test_speech_is_understood_by_a_file_format(engine: EspeakEngine) -> None:
    samples = said(engine)
    assert len(decode(io.BytesIO(encode([samples], "flac", 22_050)))) == pytest.approx(
        len(samples) * 16_000 / 22_050, abs=20
    )
