"""The SpeechT5 engine, on small checkpoints with random weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from checkpoints.speecht5 import DIMENSION, SAMPLES_PER_FRAME, build_tiny_speecht5, build_tiny_vocoder
from checkpoints.xvector import build_tiny_xvector
from numpy.typing import NDArray
from pydantic import ValidationError

from models.errors import InputError, MissingWeights
from models.speaker import XvectorSettings
from models.speaker import build as build_encoder
from models.speech import Reference, SpeechEngine, SpeechT5Settings, build

pytestmark = [pytest.mark.unit, pytest.mark.slow]

TEXT = "Hello, big world!"
# A word start before the first letter, and an end.
TOKENS = len(TEXT) + 2
RATIO = 4.0


@dataclass(frozen=True)
class Folders:
    model: Path
    vocoder: Path
    encoder: Path

    def settings(self, **fields: object) -> SpeechT5Settings:
        given = {
            "model": str(self.model),
            "vocoder": str(self.vocoder),
            "encoder": {"model": str(self.encoder), "device": "cpu"},
            "device": "cpu",
            "max_length_ratio": RATIO,
        }
        return SpeechT5Settings.model_validate({**given, **fields})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    made = tmp_path_factory.mktemp("speecht5")
    return Folders(
        build_tiny_speecht5(made / "model"),
        build_tiny_vocoder(made / "vocoder"),
        build_tiny_xvector(made / "encoder", dimension=DIMENSION),
    )


@pytest.fixture(scope="module")
def engine(folders: Folders) -> SpeechEngine:
    return build(folders.settings())


def speaker(number: int, encoder: str = "xvector") -> Reference:
    embedding = np.cos(np.arange(DIMENSION, dtype=np.float32) * number)
    embedding.flags.writeable = False
    return Reference(embedding=embedding, encoder=encoder)


def speech(pitch: float) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * pitch * np.arange(16_000) / 16_000).astype(np.float32) / 2


def speak(
    engine: SpeechEngine, reference: Reference | None, text: str = TEXT, speed: float = 1.0
) -> NDArray[np.float32]:
    (voice,) = engine.voices
    model = engine.load(voice.model)
    pieces = list(model.synthesize(text, voice=voice, language="en", speed=speed, reference=reference))
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def test_there_is_one_voice_and_it_clones(engine: SpeechEngine) -> None:
    (voice,) = engine.voices
    assert (voice.id, voice.languages, voice.sample_rate, voice.clones) == ("speecht5", ("en",), 16_000, True)
    assert voice.reads_digits is False


def test_speech_is_what_transformers_makes_of_the_same_seed(engine: SpeechEngine, folders: Folders) -> None:
    import torch
    from transformers import SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5Tokenizer

    model = SpeechT5ForTextToSpeech.from_pretrained(str(folders.model), local_files_only=True).eval()
    vocoder = SpeechT5HifiGan.from_pretrained(str(folders.vocoder), local_files_only=True).eval()
    tokens = SpeechT5Tokenizer.from_pretrained(str(folders.model), local_files_only=True)(TEXT, return_tensors="pt")
    reference = speaker(1)
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        expected = model.generate_speech(
            tokens.input_ids, torch.tensor(reference.embedding)[None], vocoder=vocoder, maxlenratio=RATIO
        )
    samples = speak(engine, reference)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, expected.numpy(), atol=1e-5)


def test_speakers_sound_different_and_each_the_same_every_time(engine: SpeechEngine) -> None:
    one, again, other = (speak(engine, speaker(number)) for number in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_the_size_of_an_embedding_does_not_matter(engine: SpeechEngine) -> None:
    reference = speaker(1)
    assert reference.embedding is not None
    louder = Reference(embedding=7 * reference.embedding, encoder="xvector")
    np.testing.assert_allclose(speak(engine, louder), speak(engine, reference), atol=1e-5)


def test_speech_as_a_reference_sounds_like_its_embedding(engine: SpeechEngine, folders: Folders) -> None:
    pcm = speech(150)
    pcm.flags.writeable = False
    encoder = build_encoder(XvectorSettings(model=str(folders.encoder), device="cpu"))
    embedded = Reference(embedding=encoder.embed([pcm])[0], encoder=encoder.name)
    np.testing.assert_allclose(speak(engine, Reference(pcm=pcm)), speak(engine, embedded), atol=1e-5)
    assert np.abs(speak(engine, Reference(pcm=speech(400))) - speak(engine, embedded)).max() > 1e-4


def test_an_embedding_of_another_encoder_gives_way_to_the_speech(engine: SpeechEngine) -> None:
    embedding = speaker(1).embedding
    both = Reference(pcm=speech(150), embedding=embedding, encoder="compact")
    np.testing.assert_array_equal(speak(engine, both), speak(engine, Reference(pcm=speech(150))))


def test_without_a_reference_there_is_no_speech(engine: SpeechEngine) -> None:
    with pytest.raises(InputError) as refused:
        speak(engine, None)
    assert (refused.value.code, refused.value.field) == ("reference_required", "voice")


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        (Reference(), "reference_unusable"),
        (speaker(1, encoder="compact"), "reference_unusable"),
        (Reference(embedding=np.ones(DIMENSION + 1, np.float32), encoder="xvector"), "reference_unusable"),
        (Reference(embedding=np.zeros(DIMENSION, np.float32), encoder="xvector"), "reference_unusable"),
        (Reference(embedding=np.full(DIMENSION, np.nan, np.float32), encoder="xvector"), "reference_unusable"),
        (Reference(pcm=np.zeros(100, np.float32)), "too_short"),
    ],
)
def test_a_reference_that_says_nothing_is_refused(engine: SpeechEngine, reference: Reference, code: str) -> None:
    with pytest.raises(InputError) as refused:
        speak(engine, reference)
    assert (refused.value.code, refused.value.field) == (code, "reference")


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_a_default_speaker_comes_from_a_file(tmp_path: Path, folders: Folders, suffix: str) -> None:
    from safetensors.numpy import save_file

    file = tmp_path / f"default{suffix}"
    reference = speaker(3)
    assert reference.embedding is not None
    if suffix == ".npy":
        np.save(file, reference.embedding[None])
    else:
        save_file({"embedding": reference.embedding}, file)
    engine = build(folders.settings(default_embedding=file))
    np.testing.assert_allclose(speak(engine, None), speak(engine, reference), atol=1e-6)


def test_a_default_speaker_of_another_size_or_nowhere_is_refused(tmp_path: Path, folders: Folders) -> None:
    np.save(tmp_path / "wrong.npy", np.ones(DIMENSION + 1, np.float32))
    with pytest.raises(ValueError, match=f"one x-vector of {DIMENSION}"):
        build(folders.settings(default_embedding=tmp_path / "wrong.npy"))
    with pytest.raises(MissingWeights, match=r"none\.npy"):
        build(folders.settings(default_embedding=tmp_path / "none.npy"))


def test_an_encoder_of_another_size_is_refused(tmp_path: Path, folders: Folders) -> None:
    other = build_tiny_xvector(tmp_path, dimension=DIMENSION + 1)
    with pytest.raises(ValueError, match=f"x-vectors of {DIMENSION} numbers"):
        build(folders.settings(encoder={"model": str(other)}))


def test_a_clause_that_never_ends_is_cut(engine: SpeechEngine) -> None:
    assert len(speak(engine, speaker(1))) == TOKENS * RATIO * SAMPLES_PER_FRAME


def test_a_clause_never_leaves_the_positions_that_the_model_knows(folders: Folders) -> None:
    # 199 steps of two frames; the checkpoint counts to 200.
    assert len(speak(build(folders.settings(max_length_ratio=100.0)), speaker(1))) == 199 * 2 * SAMPLES_PER_FRAME


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed_shortens_and_lengthens(engine: SpeechEngine, speed: float) -> None:
    assert len(speak(engine, speaker(1), speed=speed)) == round(TOKENS * RATIO / speed) * SAMPLES_PER_FRAME


@pytest.mark.parametrize("text", ["...", "?!"])
def test_marks_alone_are_silent(engine: SpeechEngine, text: str) -> None:
    assert len(speak(engine, speaker(1), text)) == 0


@pytest.mark.parametrize(
    ("text", "code"), [("Привет", "unspeakable"), ("123", "unspeakable"), ("a" * 60, "text_too_long")]
)
def test_what_the_model_cannot_say_is_refused(engine: SpeechEngine, text: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        speak(engine, speaker(1), text)
    assert (refused.value.code, refused.value.field) == (code, "text")


def test_half_precision_speaks(folders: Folders) -> None:
    assert np.isfinite(speak(build(folders.settings(precision="bfloat16")), speaker(1), speed=2.0)).all()


@pytest.mark.usefixtures("weights_caches")
def test_missing_checkpoints_are_named_with_the_way_to_get_them(folders: Folders) -> None:
    with pytest.raises(MissingWeights, match=r"microsoft/speecht5_tts are missing.*python -m models\.weights pull"):
        build(SpeechT5Settings())
    with pytest.raises(MissingWeights, match="microsoft/speecht5_hifigan are missing"):
        build(SpeechT5Settings(model=str(folders.model)))
    with pytest.raises(MissingWeights, match="speechbrain/spkrec-xvect-voxceleb are missing"):
        build(folders.settings(encoder={}))


@pytest.mark.parametrize("fields", [{"stop_threshold": 0}, {"max_length_ratio": 1000}, {"language": "English"}])
def test_settings_out_of_range_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SpeechT5Settings.model_validate(fields)
