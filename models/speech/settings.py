"""Settings of the speech synthesisers."""

from typing import Annotated, Literal

from pydantic import Field

from models.settings import LIVE, Settings
from models.speaker import XvectorSettings
from models.weights import DownloadSettings, Weights

WEIGHTS = "model.safetensors|pytorch_model.bin"

PIPER = Weights(
    files=("*.onnx", "*.onnx.json"),
    more=("MODEL_CARD",),
    hub_ids=False,
    how="put <name>.onnx and <name>.onnx.json of voices into it, for instance from "
    "https://huggingface.co/rhasspy/piper-voices",
)
KOKORO = Weights(
    files=("model*.onnx", "vocab.json", "voices/*.bin"),
    more=(),
    hub_ids=False,
    how="fetch it with: python -m models.weights pull set://kokoro-82m",
)
VITS = Weights(files=("config.json", "tokenizer_config.json", "vocab.json", WEIGHTS))
SPEECHT5 = Weights(files=("config.json", "spm_char.model", WEIGHTS))
VOCODER = Weights(files=("config.json", WEIGHTS))
EMBEDDING = Weights(
    kind="file",
    hub_ids=False,
    how="make one with the speaker encoder xvector and numpy.save, or leave `default_embedding` out",
)


class EspeakSettings(Settings):
    """eSpeak NG from its wheel: over a hundred languages, no GPU, no download."""

    engine: Literal["espeak"] = "espeak"
    variants: tuple[Annotated[str, Field(pattern="^[A-Za-z0-9]+$")], ...] = Field(
        default=("f3", "f5", "m3", "klatt4"),
        description="Variants of each voice besides its own sound: names of files in espeak-ng-data/voices/!v.",
        json_schema_extra=LIVE,
    )
    words_per_minute: int = Field(
        default=175, ge=80, le=350, description="Of speech at speed 1.", json_schema_extra=LIVE
    )


class HibariSettings(Settings):
    """Hibari from its wheel: one neural English voice, a hundred times faster than speech on the CPU, no download."""

    engine: Literal["hibari"] = "hibari"
    threads: int = Field(default=1, ge=1, le=64, description="Threads that one clause is computed in.")
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="Where the noise in the speech comes from.", json_schema_extra=LIVE
    )


class FestivalSettings(Settings):
    """Festival with Debian's Russian voice (festvox-ru): a person's recorded voice, joined from pieces; on the CPU."""

    engine: Literal["festival"] = "festival"
    processes: int = Field(
        default=1, ge=1, le=16, description="Texts that are spoken at once, each by a process of up to 700 MB."
    )
    timeout_s: float = Field(
        default=20.0, gt=0, le=120, description="Longest time for one clause; a process that takes longer is ended."
    )


class KokoroSettings(DownloadSettings):
    """Kokoro-82M on the CPU: natural voices in English, Spanish, French, Italian, Portuguese and Hindi."""

    engine: Literal["kokoro"] = "kokoro"
    model: Annotated[str, KOKORO] = Field(
        default="set://kokoro-82m",
        description="A folder with model*.onnx, vocab.json and voices/<name>.bin (docs/weights.md).",
    )
    threads: int = Field(default=1, ge=1, le=64, description="Threads that one clause is computed in.")


class PiperSettings(DownloadSettings):
    """Piper voices from files (ONNX Runtime)."""

    engine: Literal["piper"] = "piper"
    folder: Annotated[str, PIPER] = Field(
        description="Holds <name>.onnx and <name>.onnx.json of each voice (docs/weights.md)."
    )
    defaults: tuple[str, ...] = Field(
        default=(),
        description="Voices to use where a request names none: the first that speaks the language.",
        json_schema_extra=LIVE,
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: a GPU where there is one and onnxruntime-gpu is installed."
    )
    threads: int = Field(default=1, ge=1, le=64, description="Threads that one clause is computed in.")


Language = Annotated[str, Field(pattern="^[a-z]{2,3}(-[a-z0-9]{2,8})*$")]


class _TorchSettings(DownloadSettings):
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="float32", description="auto: float16 on a GPU, float32 on a CPU."
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Where all that is random in the speech comes from.",
        json_schema_extra=LIVE,
    )


class VitsSettings(_TorchSettings):
    """VITS and MMS through transformers, one model per language."""

    engine: Literal["vits"] = "vits"
    models: dict[Language, Annotated[str, VITS]] = Field(
        default={},
        description="The model of each language (docs/weights.md); left out, those of MMS "
        "(facebook/mms-tts-..., licensed CC BY-NC 4.0) that are on this machine.",
    )
    noise_scale: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        description="How much the sound varies; left out, as the model says.",
        json_schema_extra=LIVE,
    )
    noise_scale_duration: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        description="How much the rhythm varies; left out, as the model says.",
        json_schema_extra=LIVE,
    )


class SpeechT5Settings(_TorchSettings):
    """SpeechT5 with speaker embeddings: sounds like a reference speaker."""

    engine: Literal["speecht5"] = "speecht5"
    model: Annotated[str, SPEECHT5] = Field(
        default="microsoft/speecht5_tts", description="A SpeechT5 for synthesis (docs/weights.md)."
    )
    vocoder: Annotated[str, VOCODER] = Field(
        default="microsoft/speecht5_hifigan", description="The vocoder that goes with it."
    )
    language: Language = Field(default="en", description="What the model speaks.")
    encoder: XvectorSettings = Field(default=XvectorSettings(), description="Embeds recordings to sound like.")
    default_embedding: Annotated[str, EMBEDDING] | None = Field(
        default=None,
        description="File (.npy or .safetensors) with the x-vector of the voice where no reference is given; left out, "
        "a reference is required.",
    )
    stop_threshold: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="Probability from which the model is taken to have ended.",
        json_schema_extra=LIVE,
    )
    max_length_ratio: float = Field(
        default=20.0,
        gt=0.0,
        le=100.0,
        description="Most frames of 16 ms of speech for each letter.",
        json_schema_extra=LIVE,
    )


SingleSpeechSettings = Annotated[
    EspeakSettings
    | HibariSettings
    | FestivalSettings
    | KokoroSettings
    | PiperSettings
    | VitsSettings
    | SpeechT5Settings,
    Field(discriminator="engine"),
]
"""Settings of any one synthesiser."""


class CombinedSettings(Settings):
    """Several engines side by side, chosen by voice; a language's default is its best voice."""

    engine: Literal["combined"] = "combined"
    engines: tuple[SingleSpeechSettings, ...] = Field(
        min_length=1,
        max_length=16,
        description="The engines. Of voices of equal quality, those of the first engine come first.",
    )


SpeechSettings = Annotated[SingleSpeechSettings | CombinedSettings, Field(discriminator="engine")]
"""Settings of any engine of this role, told apart by ``engine``."""
