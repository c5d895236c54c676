"""What engines need of a GPU's memory, by their settings alone."""

from pathlib import Path
from typing import Any

import pytest

from deployments.planning.gpu_memory_needs import GIBIBYTE, MEBIBYTE, NOTHING, Work, gpu_memory_need, runs_on_gpu
from models.asr import FasterWhisperSettings, PocketSphinxSettings
from models.diarization import ClusteringSettings, PyannoteSettings
from models.lipsync import MouthWarpSettings
from models.lipsync.settings import Wav2LipSettings
from models.speaker.settings import EcapaSettings, WespeakerSettings
from models.speech.settings import PiperSettings, SpeechT5Settings, VitsSettings
from models.spoof.settings import ClassifierSettings, WavLmSettings
from models.translation.settings import CTranslate2Settings

pytestmark = [pytest.mark.unit, pytest.mark.slow]


def whisper(model: str = "large-v3-turbo", **more: Any) -> FasterWhisperSettings:
    return FasterWhisperSettings(model=model, device="cuda", **more)


def need(settings: Any, **work: int) -> float:
    """In GiB."""
    found = gpu_memory_need(settings, Work(**work))
    assert found is not None
    return found.bytes / GIBIBYTE


@pytest.mark.parametrize(
    ("model", "compute_type", "batch_size", "measured"),
    [
        # Most GPU memory in MB, beam of 5: faster-whisper's README for large-v2, its issue 1030 for the others.
        ("large-v2", "float16", 8, 6090),
        ("large-v3", "float16", 1, 4521),
        ("large-v3", "int8_float16", 1, 2953),
        ("large-v3-turbo", "float16", 1, 2537),
        ("large-v3-turbo", "int8_float16", 1, 1545),
    ],
)
def test_whisper_needs_what_was_measured(model: str, compute_type: Any, batch_size: int, measured: int) -> None:
    settings = whisper(model, compute_type=compute_type, batch_size=batch_size, beam_size=5)
    assert 0.94 * measured <= need(settings) * 1024 <= 1.16 * measured


@pytest.mark.parametrize(
    ("settings", "work", "least", "most"),
    [
        (whisper(batch_size=8), {"concurrency": 2}, 3.0, 4.0),
        (CTranslate2Settings(models=("hf://facebook/m2m100_418M",), device="cuda"), {"batch": 1024}, 2.0, 3.5),
        (WavLmSettings(checkpoint="/w", device="cuda", precision="float16"), {"batch": 32}, 1.3, 2.5),
        (EcapaSettings(device="cuda"), {}, 0.7, 1.5),
        (WespeakerSettings(device="cuda"), {}, 0.7, 1.5),
        (PyannoteSettings(device="cuda", embedding_batch_size=32), {"concurrency": 4}, 2.2, 5.0),
        (Wav2LipSettings(checkpoint="/w", detector="/d", device="cuda"), {"batch": 64}, 1.4, 3.0),
        (VitsSettings(models={"en": "a/b"}, device="cuda"), {"concurrency": 4, "models": 4}, 0.8, 1.6),
        (SpeechT5Settings(device="cuda"), {"concurrency": 2}, 1.2, 2.0),
        (PiperSettings(folder="/v", device="cuda"), {"concurrency": 2, "models": 2}, 0.8, 1.5),
    ],
)
def test_published_sizes_have_sane_needs(settings: Any, work: dict[str, int], least: float, most: float) -> None:
    assert least <= need(settings, **work) <= most


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (whisper(batch_size=4), whisper(batch_size=16)),
        (whisper("large-v3-turbo"), whisper("large-v3")),
        (whisper("hf://Systran/faster-whisper-medium@main"), whisper("/models/faster-whisper-large-v2")),
        (whisper(compute_type="int8_float16"), whisper(compute_type="float16")),
        (
            CTranslate2Settings(models=("hf://facebook/m2m100_418M",), device="cuda"),
            CTranslate2Settings(models=("hf://facebook/m2m100_1.2B",), device="cuda"),
        ),
        (
            WavLmSettings(checkpoint="/w", device="cuda", precision="float16"),
            WavLmSettings(checkpoint="/w", device="cuda", precision="float32"),
        ),
    ],
)
def test_more_of_something_needs_more(small: Any, large: Any) -> None:
    assert need(small, batch=32) < need(large, batch=32)


@pytest.mark.parametrize(
    "settings", [PocketSphinxSettings(), MouthWarpSettings(), whisper().model_copy(update={"device": "cpu"})]
)
def test_an_engine_on_the_cpu_needs_nothing(settings: Any) -> None:
    assert gpu_memory_need(settings, Work()) == NOTHING


def test_an_engine_that_may_choose_takes_the_gpu_that_it_is_given() -> None:
    for settings in (EcapaSettings(), ClusteringSettings()):
        assert runs_on_gpu(settings, given=True)
        assert not runs_on_gpu(settings, given=False)
    assert gpu_memory_need(EcapaSettings(), Work(), given=False) == NOTHING


def test_an_unknown_model_counts_by_its_files_and_otherwise_not_at_all(tmp_path: Path) -> None:
    assert gpu_memory_need(whisper("someone/our-whisper"), Work()) is None
    for name in ("config.json", "tokenizer.json", "vocabulary.json"):
        (tmp_path / name).touch()
    with (tmp_path / "model.bin").open("wb") as file:
        file.truncate(300 * MEBIBYTE)
    found = gpu_memory_need(whisper(str(tmp_path)), Work())
    assert found is not None and found.weights == 300 * MEBIBYTE

    assert gpu_memory_need(ClassifierSettings(model="someone/detector", device="cuda"), Work()) is None
