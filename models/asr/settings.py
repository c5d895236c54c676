"""Settings of the speech recognisers."""

from typing import Annotated, Literal

from pydantic import Field

from models.asr.whisper_weights import WHISPER
from models.settings import LIVE, Settings
from models.vad import VadSettings
from models.weights import DownloadSettings

ComputeType = Literal[
    "auto",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]


class UtteranceSettings(VadSettings):
    """Cuts a recording into utterances for PocketSphinx."""

    min_silence: float = Field(0.3, ge=0.0, description="A pause as long as this ends an utterance, in seconds.")
    speech_pad: float = Field(0.2, ge=0.0, description="Sound kept at both ends, at most half the pause.")
    max_speech: float = Field(15.0, ge=1.0, le=60.0, description="Longest utterance, in seconds.")


class WindowSettings(VadSettings):
    """Cuts a recording into Whisper's windows of up to 30 s; full windows decode fastest."""

    min_silence: float = Field(2.0, ge=0.0, description="A pause as long as this ends a window, in seconds.")
    speech_pad: float = Field(0.2, ge=0.0, description="Sound kept at both ends, at most half the pause.")
    max_speech: float = Field(30.0, ge=1.0, le=30.0, description="Longest window, in seconds.")


class PocketSphinxSettings(Settings):
    """PocketSphinx with the English model that its package carries: no GPU, no download."""

    engine: Literal["pocketsphinx"] = "pocketsphinx"
    workers: int = Field(
        2,
        ge=1,
        le=64,
        description="Decoder processes, each with its own copy of the model (about 110 MB) and one core when busy.",
    )
    vad: UtteranceSettings = Field(UtteranceSettings(), description="Where utterances begin and end.")
    language_weight: float = Field(
        6.5, gt=0.0, le=30.0, description="Weight of the language model against the acoustic model, first pass."
    )
    beam: float = Field(
        1e-48, gt=0.0, lt=1.0, description="Width of the first pass; smaller is wider, slower and more exact."
    )
    flat_beam: float = Field(1e-80, gt=0.0, lt=1.0, description="Width of the second pass.")
    flat_word_beam: float = Field(1e-40, gt=0.0, lt=1.0, description="Width of the second pass at word ends.")
    best_path: bool = Field(
        False, description="Search the word lattice a third time; measured, it gains nothing on this model."
    )


class FasterWhisperSettings(DownloadSettings):
    """Whisper through CTranslate2 (faster-whisper), many windows at a time."""

    engine: Literal["faster-whisper"] = "faster-whisper"
    model: Annotated[str, WHISPER] = Field(
        "large-v3",
        description="A Whisper model of CTranslate2 (docs/weights.md), or a size such as `large-v3`.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the model runs; `auto` takes the GPU where there is one."
    )
    device_index: int = Field(0, ge=0, description="Which of the visible GPUs.")
    compute_type: ComputeType = Field(
        "auto",
        description="Arithmetic of the model; `auto` is float16 on a GPU and int8 on a CPU. A type that the CPU "
        "lacks is replaced by int8 or float32, and logged.",
    )
    cpu_threads: int = Field(
        0, ge=0, le=256, description="Threads of one inference on a CPU; 0 takes the cores of the machine, up to 4."
    )
    workers: int = Field(
        1, ge=1, le=16, description="Inferences that may run at once when several threads call the engine."
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=256,
        description="Windows of up to 30 s decoded at a time on a GPU; on a CPU no more than 2, which is as fast and "
        "shows words earlier.",
        json_schema_extra=LIVE,
    )
    padding: Literal["auto", "short", "full"] = Field(
        "auto",
        description="Silence that windows are filled up with: `full` to 30 s; `short` 3 s, and again to 30 s where the "
        "outcome looks wrong, which costs a CPU a third; `auto` is `short` on a CPU and `full` on a GPU.",
        json_schema_extra=LIVE,
    )
    beam_size: int = Field(
        1, ge=1, le=20, description="Hypotheses kept while decoding; 1 is greedy.", json_schema_extra=LIVE
    )
    language: str | None = Field(
        None,
        description="ISO 639-1 code used when a request names none; None detects it.",
        json_schema_extra=LIVE,
    )
    language_probes: int = Field(
        8,
        ge=1,
        le=64,
        description="Stretches of a recording, evenly spread, that its language is detected in; not for those whose "
        "languages are told apart.",
        json_schema_extra=LIVE,
    )
    language_switching: bool = Field(
        True,
        description="Detect the language of every stretch of up to 10 s between pauses, where none is named, and write "
        "each in its own; off, a recording has one language.",
        json_schema_extra=LIVE,
    )
    initial_prompt: str | None = Field(
        None,
        min_length=1,
        description="Text that every window is told to follow: its spelling, punctuation and style.",
        json_schema_extra=LIVE,
    )
    hotwords: str | None = Field(
        None,
        min_length=1,
        description="Names and terms to expect, separated by spaces or commas.",
        json_schema_extra=LIVE,
    )
    no_speech_threshold: float | None = Field(
        0.6,
        ge=0.0,
        le=1.0,
        description="A window that is more likely without speech, and below log_prob_threshold too, has no text.",
        json_schema_extra=LIVE,
    )
    log_prob_threshold: float | None = Field(
        -1.0,
        le=0.0,
        description="Mean log probability of a window's tokens below which it counts as failed.",
        json_schema_extra=LIVE,
    )
    compression_ratio_threshold: float | None = Field(
        2.4,
        ge=1.0,
        description="A window whose text shrinks by more than this in zlib repeats itself and counts as failed.",
        json_schema_extra=LIVE,
    )
    fallback_temperatures: tuple[Annotated[float, Field(gt=0.0, le=2.0)], ...] = Field(
        (),
        max_length=8,
        description="A failed window is decoded again by sampling at these, until one does not fail; Whisper's own are "
        "0.2, 0.4, 0.6, 0.8 and 1.0. Each costs one window the time of a batch, and is random.",
        json_schema_extra=LIVE,
    )
    word_timestamps: bool = Field(True, description="Give each word its times and probability.", json_schema_extra=LIVE)
    vad_filter: bool = Field(
        True,
        description="Decode only where the voice detector hears speech; off, windows of 30 s cover it all.",
        json_schema_extra=LIVE,
    )
    vad: WindowSettings = Field(WindowSettings(), description="Where windows begin and end.", json_schema_extra=LIVE)


AsrSettings = Annotated[PocketSphinxSettings | FasterWhisperSettings, Field(discriminator="engine")]
"""Settings of any engine of this role, told apart by ``engine``."""
