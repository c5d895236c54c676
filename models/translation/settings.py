"""Settings of the translation engines."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from models.settings import LIVE, Settings
from models.translation.weights import CONVERTED
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


class ApertiumSettings(Settings):
    """Apertium: rules and dictionaries, from Debian's packages."""

    engine: Literal["apertium"] = "apertium"
    root: Path | None = Field(
        None,
        description="A folder with unpacked packages (`dpkg -x apertium-eng-spa_*.deb FOLDER`), looked into before the "
        "installed ones; None takes the installed ones alone.",
    )
    workers: int = Field(
        2, ge=1, le=16, description="Pipelines of one pair that may run at once, of about ten small processes each."
    )
    max_pipelines: int = Field(
        12, ge=1, le=256, description="Pipelines kept running; the least recently used idle one is ended first."
    )
    sentence_timeout: float = Field(
        10.0, gt=0.0, le=300.0, description="A pipeline silent for so many seconds is ended and its text refused."
    )


class CTranslate2Settings(DownloadSettings):
    """M2M100, NLLB and OPUS-MT through CTranslate2.

    Beam search with lingua's defaults; a hypothesis of fewer tokens than ``max_new_tokens`` is complete.
    """

    engine: Literal["ctranslate2"] = "ctranslate2"
    models: tuple[Annotated[str, CONVERTED], ...] = Field(
        min_length=1,
        max_length=64,
        description="Models made by `python -m models.translation.convert`, or checkpoints, which are converted when "
        "they are fetched (docs/weights.md); of two that have a pair, the first is taken.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the models run; `auto` takes the GPU where there is one."
    )
    device_index: int = Field(0, ge=0, description="Which of the visible GPUs.")
    compute_type: ComputeType = Field(
        "auto", description="Arithmetic of the models; `auto` is float16 on a GPU and int8 on a CPU."
    )
    inter_threads: int = Field(1, ge=1, le=64, description="Batches that each model works on at once.")
    intra_threads: int = Field(
        0, ge=0, le=256, description="Threads of one batch on a CPU; 0 takes OMP_NUM_THREADS, or 4."
    )
    max_batch_tokens: int = Field(
        2048,
        ge=1,
        description="A batch is sorted by length and cut into parts of so many tokens, padding included.",
        json_schema_extra=LIVE,
    )
    beam_size: int = Field(
        4, ge=1, le=32, description="Hypotheses kept while searching; 1 is greedy.", json_schema_extra=LIVE
    )
    no_repeat_ngram_size: int = Field(
        3, ge=0, description="No run of so many tokens comes twice; 0 allows it.", json_schema_extra=LIVE
    )
    repetition_penalty: float = Field(
        1.2, ge=1.0, le=10.0, description="Divides the odds of tokens written before.", json_schema_extra=LIVE
    )
    length_penalty: float = Field(
        1.0, ge=0.0, le=5.0, description="Above 0, longer hypotheses are preferred.", json_schema_extra=LIVE
    )
    max_new_tokens: int = Field(
        256, ge=1, le=1024, description="Most tokens of one translated sentence.", json_schema_extra=LIVE
    )
    max_input_tokens: int = Field(
        512, ge=8, le=1024, description="A longer sentence is refused, never cut.", json_schema_extra=LIVE
    )
    quality: bool = Field(
        True,
        description="Score each translation without the search's penalties: one more pass over it.",
        json_schema_extra=LIVE,
    )


TranslationSettings = Annotated[ApertiumSettings | CTranslate2Settings, Field(discriminator="engine")]
"""Settings of any engine of this role, told apart by ``engine``."""
