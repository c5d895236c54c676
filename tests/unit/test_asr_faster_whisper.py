"""The faster-whisper engine, on a model with random weights: what it says is gibberish, how it says it is checked."""

import json
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from checkpoints.whisper import build_tiny_whisper
from numpy.typing import NDArray
from recordings import THREE_TURNS_S, beginning

from models.asr import FasterWhisperSettings, build
from models.asr.faster_whisper_engine import FasterWhisperAsr
from models.asr.whisper_weights import WHISPER
from models.errors import InputError, MissingWeights
from models.settings import Adjustable

pytestmark = [pytest.mark.unit, pytest.mark.slow]

Pcm = NDArray[np.float32]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def dialogue() -> Pcm:
    pcm = beginning(THREE_TURNS_S)
    pcm.setflags(write=False)
    return pcm


def settings(model: Path, **changed: object) -> FasterWhisperSettings:
    """Windows of a few seconds, so that the dialogue makes several batches, each encoded once, at 30 s."""
    windows = {"min_silence": 0.3, "max_speech": 5.0}
    chosen = {"model": str(model), "device": "cpu", "batch_size": 2, "padding": "full", "vad": windows}
    return FasterWhisperSettings.model_validate({**chosen, **changed})


def engine(model: Path, **changed: object) -> FasterWhisperAsr:
    built = build(settings(model, **changed))
    assert isinstance(built, FasterWhisperAsr)
    return built


@pytest.fixture(scope="module")
def texts(model: Path, dialogue: Pcm) -> list[str]:
    """What is heard of the dialogue in batches of four."""
    asr = engine(model, batch_size=4, compute_type="float32")
    return [segment.text for segment in asr.transcribe(dialogue, language="en").segments]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_segments_and_words_are_in_order_within_the_recording(model: Path, dialogue: Pcm, batch_size: int) -> None:
    segments = list(engine(model, batch_size=batch_size).transcribe(dialogue, language="en").segments)

    assert len(segments) > batch_size
    starts = [segment.start for segment in segments]
    assert starts == sorted(starts)
    for segment in segments:
        assert 0.0 <= segment.start <= segment.end <= len(dialogue) / 16_000
        assert segment.text == segment.text.strip() != ""
        assert "".join(word.text for word in segment.words) == segment.text.replace(" ", "")
        for word in segment.words:
            assert segment.start <= word.start <= word.end <= segment.end
            assert word.probability is not None and 0.0 <= word.probability <= 1.0


def test_batches_of_any_size_hear_the_same(model: Path, dialogue: Pcm, texts: list[str]) -> None:
    alone = engine(model, batch_size=1, compute_type="float32").transcribe(dialogue, language="en").segments

    assert [segment.text for segment in alone] == texts


def test_windows_are_recognised_batch_by_batch_as_they_are_read(
    model: Path, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = engine(model)
    batches: list[int] = []
    encode = asr._model.encode

    def counted(features: Pcm) -> object:
        batches.append(len(features))
        return encode(features)

    monkeypatch.setattr(asr._model, "encode", counted)
    reading = asr.transcribe(dialogue, language="en").segments
    assert batches == []

    next(reading)
    assert batches == [2]

    list(reading)
    assert len(batches) > 2


def test_without_word_times_segments_have_no_words(model: Path, dialogue: Pcm) -> None:
    segments = list(engine(model, word_timestamps=False).transcribe(dialogue, language="en").segments)

    assert segments
    assert {segment.words for segment in segments} == {()}


def test_without_the_voice_detector_the_whole_recording_is_covered(model: Path, dialogue: Pcm) -> None:
    asr = engine(model, vad_filter=False, vad={"max_speech": 10.0})
    windows, _ = asr._cut(dialogue, asr._settings)

    assert windows[0].start == 0.0
    assert windows[-1].end == len(dialogue) / 16_000
    assert all(left.end == right.start for left, right in pairwise(windows))
    assert list(asr.transcribe(dialogue, language="en").segments)


def test_the_language_is_detected_where_none_is_named(model: Path, dialogue: Pcm) -> None:
    asr = engine(model)

    assert asr.transcribe(dialogue).language in asr.languages


def test_the_settings_language_is_used_where_a_request_names_none(model: Path, dialogue: Pcm) -> None:
    asr = engine(model, language="ru")

    assert asr.transcribe(dialogue).language == "ru"
    assert asr.transcribe(dialogue, language="de").language == "de"


def test_an_unknown_language_is_refused_with_the_list_of_known_ones(model: Path, dialogue: Pcm) -> None:
    with pytest.raises(InputError, match=r"'xx'; it has: .*\ben\b.*\bru\b") as refused:
        engine(model).transcribe(dialogue, language="xx")
    assert (refused.value.code, refused.value.field) == ("unsupported_language", "language")


@pytest.mark.parametrize("pcm", [np.zeros(0, np.float32), np.zeros(32_000, np.float32)], ids=["empty", "silent"])
def test_no_speech_gives_no_segments(model: Path, pcm: Pcm) -> None:
    transcription = engine(model).transcribe(pcm)

    assert transcription.language
    assert list(transcription.segments) == []


def test_several_threads_get_each_their_own_recording(model: Path, dialogue: Pcm) -> None:
    asr = engine(model, workers=2)
    cuts = [dialogue[: 4 * 16_000], dialogue[4 * 16_000 : 8 * 16_000], dialogue[8 * 16_000 :]]
    alone = [list(asr.transcribe(cut, language="en").segments) for cut in cuts]

    with ThreadPoolExecutor(len(cuts)) as threads:
        together = list(threads.map(lambda cut: list(asr.transcribe(cut, language="en").segments), cuts))

    assert together == alone


def test_decoding_changes_in_a_working_engine(model: Path, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch) -> None:
    asr = engine(model)
    asked: list[tuple[int, int]] = []
    generate = asr._model.model.generate

    def noted(features: object, prompts: list[object], **options: object) -> object:
        asked.append((len(prompts), int(str(options["beam_size"]))))
        return generate(features, prompts, **options)

    monkeypatch.setattr(asr._model, "model", _with(asr._model.model, generate=noted))
    assert isinstance(asr, Adjustable)
    before = asr.transcribe(dialogue, language="en").segments
    asr.adjust(settings(model, beam_size=2, batch_size=1))
    after = asr.transcribe(dialogue, language="en").segments

    next(before)
    next(after)
    assert asked == [(2, 1), (1, 2)]
    assert settings(model).fixed() == settings(model, beam_size=5, hotwords="Ray", vad={"max_speech": 9.0}).fixed()
    assert settings(model).fixed() != settings(model, compute_type="float32").fixed()


def _with(model: object, **replaced: object) -> object:
    """A model of CTranslate2, some methods replaced; its own attributes can't be set."""

    class Replaced:
        def __getattr__(self, name: str) -> object:
            return replaced.get(name) or getattr(model, name)

    return Replaced()


def test_a_setting_that_does_not_fit_the_model_leaves_the_engine_as_it_is(model: Path, dialogue: Pcm) -> None:
    asr = engine(model, language="ru")
    with pytest.raises(InputError, match="'xx'"):
        asr.adjust(settings(model, language="xx"))
    with pytest.raises(ValueError, match=r"take \d+ tokens; there is room for 223"):
        asr.adjust(settings(model, hotwords="Ray " * 100))

    assert asr.transcribe(dialogue).language == "ru"


def test_hotwords_and_the_prompt_are_told_to_the_model(
    model: Path, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = engine(model, hotwords="ray serve", initial_prompt="hello")
    prompts: list[list[int]] = []
    generate = asr._model.model.generate

    def noted(features: object, told: list[list[int]], **options: object) -> object:
        prompts.extend(told)
        return generate(features, told, **options)

    monkeypatch.setattr(asr._model, "model", _with(asr._model.model, generate=noted))
    next(asr.transcribe(dialogue, language="en").segments)
    told = asr._model.hf_tokenizer.decode(prompts[0])
    assert "ray serve" in told and "hello" in told


def test_hints_of_a_request_take_the_place_of_the_settings(
    model: Path, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = engine(model, hotwords="ray serve", initial_prompt="hello")
    prompts: list[list[int]] = []
    generate = asr._model.model.generate

    def noted(features: object, told: list[list[int]], **options: object) -> object:
        prompts.extend(told)
        return generate(features, told, **options)

    monkeypatch.setattr(asr._model, "model", _with(asr._model.model, generate=noted))
    next(asr.transcribe(dialogue, language="en", hotwords="festival").segments)
    told = asr._model.hf_tokenizer.decode(prompts[0])
    assert "festival" in told and "hello" in told and "ray serve" not in told


@pytest.mark.parametrize(
    ("hints", "field", "message"),
    [
        (
            {"hotwords": "Ray " * 300, "prompt": None},
            "hotwords",
            r"take \d+ tokens of this recogniser; the limit is 223",
        ),
        ({"hotwords": None, "prompt": "Ray " * 300}, "prompt", r"take \d+ tokens of this recogniser; the limit is 223"),
        ({"hotwords": None, "prompt": "<|endoftext|>"}, "prompt", "must not contain"),
    ],
)
def test_hints_that_the_model_has_no_room_for_are_refused(
    model: Path, hints: dict[str, str | None], field: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        engine(model).check_hints(**hints)
    assert refused.value.field == field


def test_a_window_at_its_own_length_is_decoded_at_30_s_where_it_came_out_wrong(
    model: Path, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = engine(model, padding="short", batch_size=1)
    frames: list[int] = []
    encode = asr._model.encode

    def noted(features: Pcm) -> object:
        frames.append(features.shape[-1])
        return encode(features)

    monkeypatch.setattr(asr._model, "encode", noted)
    right = True
    monkeypatch.setattr("models.asr.whisper_judgement.Judgement.looks_wrong", lambda _self, _decoded: not right)
    list(asr.transcribe(dialogue, language="en").segments)
    assert max(frames) <= 900

    right = False
    frames.clear()
    list(asr.transcribe(dialogue, language="en").segments)
    assert frames[1::2] == [3000] * (len(frames) // 2) and max(frames[::2]) <= 900


def test_a_window_that_is_most_likely_without_speech_has_no_text(model: Path, dialogue: Pcm) -> None:
    unlikely = engine(model, no_speech_threshold=0.0, log_prob_threshold=0.0)

    assert next(engine(model).transcribe(dialogue, language="en").segments).text
    assert list(unlikely.transcribe(dialogue, language="en").segments) == []


@pytest.mark.parametrize(
    "thresholds",
    [
        {"log_prob_threshold": 0.0, "compression_ratio_threshold": None},
        {"log_prob_threshold": None, "compression_ratio_threshold": 1.0},
    ],
    ids=["unlikely", "repeating"],
)
def test_a_failed_window_is_decoded_again_at_the_fallback_temperatures(
    model: Path, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch, thresholds: dict[str, object]
) -> None:
    asr = engine(model, no_speech_threshold=None, fallback_temperatures=(0.2, 0.8), **thresholds)
    temperatures: list[float] = []
    generate = asr._model.model.generate

    def noted(features: object, prompts: object, **options: object) -> object:
        temperatures.append(float(str(options.get("sampling_temperature", 0.0))))
        return generate(features, prompts, **options)

    monkeypatch.setattr(asr._model, "model", _with(asr._model.model, generate=noted))
    windows = asr._cut(dialogue, asr._settings)[0][:2]
    segments = list(asr.transcribe(dialogue[: round(windows[-1].end * 16_000)], language="en").segments)

    assert temperatures[:3] == [0.0, 0.2, 0.8]
    assert set(temperatures[3:]) == {0.2, 0.8}
    starts = [segment.start for segment in segments]
    assert starts == sorted(starts)
    assert all(windows[0].start <= segment.start <= segment.end <= windows[-1].end + 0.02 for segment in segments)


def test_a_batch_too_large_for_the_gpu_is_halved_for_the_rest_of_the_recording(
    model: Path, dialogue: Pcm, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = engine(model, batch_size=4, compute_type="float32")
    monkeypatch.setattr(asr, "_device", "cuda")
    tried: list[int] = []
    encode = asr._model.encode

    def small_gpu(features: Pcm) -> object:
        tried.append(len(features))
        if len(features) > 2:
            raise RuntimeError("CUDA failed with error out of memory")
        return encode(features)

    monkeypatch.setattr(asr._model, "encode", small_gpu)
    assert [segment.text for segment in asr.transcribe(dialogue, language="en").segments] == texts
    assert tried[:3] == [4, 2, 2]
    assert max(tried[1:]) == 2


def test_a_window_that_the_gpu_has_no_room_for_fails(
    model: Path, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = engine(model)

    def no_memory(features: Pcm) -> object:
        raise RuntimeError("CUDA failed with error out of memory")

    monkeypatch.setattr(asr._model, "encode", no_memory)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(asr.transcribe(dialogue, language="en").segments)


def test_a_compute_type_the_cpu_lacks_is_replaced_and_logged(
    model: Path, dialogue: Pcm, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        asr = engine(model, compute_type="float16")

    assert "does not have compute_type float16" in caplog.text
    assert asr._model.model.compute_type in ("int8", "int8_float32", "float32")


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json", "vocabulary.json"])
def test_an_incomplete_folder_is_refused_by_the_name_of_what_is_missing(model: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    (folder / name).unlink()

    with pytest.raises(MissingWeights, match=name):
        engine(folder)


def test_a_folder_without_the_mel_bands_of_its_model_is_refused(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    config = folder / "preprocessor_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "feature_size": 128}))

    with pytest.raises(MissingWeights, match=r"preprocessor_config\.json"):
        engine(folder)


def test_a_folder_that_does_not_exist_is_refused_with_the_way_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="ct2-transformers-converter"):
        engine(tmp_path / "nowhere")


@pytest.mark.usefixtures("weights_caches")
@pytest.mark.parametrize("name", ["large-v3", "owner/a-whisper"])
def test_a_model_that_is_not_cached_is_refused_with_the_command_that_fetches_it(name: str) -> None:
    with pytest.raises(MissingWeights, match=rf"{name} are missing: not on this machine.*models\.weights pull"):
        build(FasterWhisperSettings(model=name, device="cpu"))


def test_every_size_that_the_library_knows_can_be_named() -> None:
    utils = pytest.importorskip("faster_whisper.utils")
    hub = {size: f"hf://{model}" for size, model in utils._MODELS.items()}
    sets = {"base": "set://whisper-base", "tiny.en": "set://whisper-tiny.en"}
    assert dict(WHISPER.aliases) == hub | sets


@pytest.mark.parametrize("name", ["larg-v3", "a/b/c"])
def test_a_name_that_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(MissingWeights, match="is neither a folder nor"):
        build(FasterWhisperSettings(model=name, device="cpu"))
