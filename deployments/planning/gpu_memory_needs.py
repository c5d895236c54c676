"""Estimate of an engine's GPU memory from its settings alone: without weights, a GPU or a model library.

A need is a bound for planning: the process's CUDA context, the weights, and what the largest batch takes besides, with
a tenth on top of both for what allocators lose. Where each number comes from stands beside it:

* parameters are those of the published models, counted;
* activations of PyTorch's networks are the peak of what is alive at once in one forward pass of the published size, in
  float32, counted by tensor; halved for half precision, and doubled where convolutions let cuDNN take workspaces of
  about the size of what they work on;
* those of CTranslate2's are computed from the layers' shapes. What this gives for Whisper lies between 6 % below and
  16 % above five published measurements (tests/unit/test_gpu_memory_needs.py).

The truth is measured: ``voicegraph_gpu_memory_bytes`` of every replica.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from models.asr import FasterWhisperSettings
from models.diarization.settings import PyannoteSettings
from models.errors import MissingWeights
from models.gpu_share import CONTEXT_BYTES
from models.lipsync.settings import Wav2LipSettings
from models.speaker.settings import EcapaSettings, WespeakerSettings, XvectorSettings
from models.speech.settings import CombinedSettings, PiperSettings, SpeechT5Settings, VitsSettings
from models.spoof.settings import ClassifierSettings, WavLmSettings
from models.translation.settings import CTranslate2Settings
from models.weights import Weights, cached

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE

_BYTES = {"float32": 4, "int16": 2, "float16": 2, "bfloat16": 2}
# CTranslate2 keeps so much of what is free at most, with the settings of models.gpu_share.
_CTRANSLATE2_CACHE = 200 * MEBIBYTE
_LOST = 0.1
_CUDNN = 2.0


@dataclass(frozen=True)
class Work:
    """Largest work that a replica gives its engine at once.

    Attributes:
        concurrency: Calls or batches.
        batch: Items of one batch, in the role's unit: chunks, tokens, frames; 1 where the role gathers none.
        models: Models that are kept loaded.
    """

    concurrency: int = 1
    batch: int = 1
    models: int = 1


@dataclass(frozen=True)
class GpuMemoryNeed:
    """GPU memory of one replica, in bytes.

    Attributes:
        context: The CUDA context and the libraries' kernels.
        weights: The models' weights.
        workspace: What the largest batches take besides.
    """

    context: int
    weights: int
    workspace: int

    @property
    def bytes(self) -> int:
        """Total need, with a tenth more than weights and workspace for what allocators lose."""
        return self.context + round((1 + _LOST) * (self.weights + self.workspace))


NOTHING = GpuMemoryNeed(0, 0, 0)
"""The need of an engine on the CPU."""


def runs_on_gpu(settings: Any, *, given: bool) -> bool:
    """Tell whether an engine computes on a GPU.

    Args:
        settings: Of the engine.
        given: Whether its process is given a GPU or a share of one; ``device: auto`` takes what is given.
    """
    if settings.engine == "combined":
        return any(runs_on_gpu(member, given=given) for member in settings.engines)
    if settings.engine == "clustering":
        settings = settings.speaker
    device = getattr(settings, "device", "cpu")
    return bool(device == "cuda" or (device == "auto" and given))


def gpu_memory_need(settings: Any, work: Work, *, given: bool = True) -> GpuMemoryNeed | None:
    """Return what a replica with this engine needs.

    Args:
        settings: Of the engine.
        work: What it is given at once.
        given: See ``runs_on_gpu``.

    Returns:
        None where nothing is known of the model that the settings name, nor is it on this machine.
    """
    if not runs_on_gpu(settings, given=given):
        return NOTHING
    if need := _NEEDS.get(settings.engine):
        return need(settings, work)
    # The small networks that ship with the package, on ONNX Runtime.
    return GpuMemoryNeed(CONTEXT_BYTES, 10 * MEBIBYTE, 150 * MEBIBYTE)


# --- CTranslate2 ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Transformer:
    """The shape of a published encoder-decoder.

    Attributes:
        parameters: All of them.
        width: Of its layers.
        heads: Of its attention.
        decoder_layers: Layers that keep keys and values.
        vocabulary: Tokens that it chooses from.
    """

    parameters: float
    width: int
    heads: int
    decoder_layers: int
    vocabulary: int


# Radford et al. 2022, table 1, and the model cards of large-v3, turbo and the distilled ones. The longest name that is
# in a model's name counts.
_WHISPER = {
    "tiny": _Transformer(39e6, 384, 6, 4, 51_865),
    "base": _Transformer(74e6, 512, 8, 6, 51_865),
    "small": _Transformer(244e6, 768, 12, 12, 51_865),
    "medium": _Transformer(769e6, 1024, 16, 24, 51_865),
    "large": _Transformer(1550e6, 1280, 20, 32, 51_866),
    "turbo": _Transformer(809e6, 1280, 20, 4, 51_866),
    "large-v3-turbo": _Transformer(809e6, 1280, 20, 4, 51_866),
    "distil-small": _Transformer(166e6, 768, 12, 4, 51_865),
    "distil-whisper-small": _Transformer(166e6, 768, 12, 4, 51_865),
    "distil-medium": _Transformer(394e6, 1024, 16, 2, 51_865),
    "distil-whisper-medium": _Transformer(394e6, 1024, 16, 2, 51_865),
    "distil-large": _Transformer(756e6, 1280, 20, 2, 51_866),
    "distil-whisper-large": _Transformer(756e6, 1280, 20, 2, 51_866),
}
_WINDOW_FRAMES = 1500
# Of 448 that Whisper may write for 30 s, fast speech takes about so many.
_WINDOW_TOKENS = 128


def _whisper(settings: FasterWhisperSettings, work: Work) -> GpuMemoryNeed | None:
    known = _known(_WHISPER, settings.model)
    stored = _stored(settings, "model", [settings.model])
    if known is None and stored is None:
        return None
    shape = known or _nearest(_WHISPER, stored or 0)
    number = _computed(settings.compute_type)
    activation = 4 if settings.compute_type in ("float32", "int8_float32") else 2
    weights = stored if stored is not None and known is None else shape.parameters * number
    # The encoder and the decoder work one after the other, and the greater of the two counts. Attention's scores:
    encoder = shape.heads * _WINDOW_FRAMES**2 + _WINDOW_FRAMES * 10 * shape.width
    # Keys and values of what was heard, and of what was written, for each hypothesis.
    heard = 2 * shape.decoder_layers * _WINDOW_FRAMES * shape.width
    written = 2 * shape.decoder_layers * settings.beam_size * _WINDOW_TOKENS * shape.width
    decoder = heard + written + settings.beam_size * shape.vocabulary * 3
    at_once = settings.batch_size * min(settings.workers, work.concurrency)
    workspace = at_once * max(encoder, decoder) * activation
    return GpuMemoryNeed(CONTEXT_BYTES + _CTRANSLATE2_CACHE, round(weights), round(workspace))


# The papers' and the model cards' numbers; OPUS-MT are Marian's base models.
_TRANSLATORS = {
    "m2m100_418m": _Transformer(484e6, 1024, 16, 12, 128_112),
    "m2m100-418m": _Transformer(484e6, 1024, 16, 12, 128_112),
    "m2m100_1.2b": _Transformer(1239e6, 1024, 16, 24, 128_112),
    "m2m100-1.2b": _Transformer(1239e6, 1024, 16, 24, 128_112),
    "nllb-200-distilled-600m": _Transformer(615e6, 1024, 16, 12, 256_206),
    "nllb-200-distilled-1.3b": _Transformer(1371e6, 1024, 16, 24, 256_206),
    "nllb-200-1.3b": _Transformer(1371e6, 1024, 16, 24, 256_206),
    "nllb-200-3.3b": _Transformer(3345e6, 2048, 16, 24, 256_206),
    "opus-mt": _Transformer(77e6, 512, 8, 6, 65_001),
    "opus-mt-tc-big": _Transformer(237e6, 1024, 16, 6, 60_000),
}
# Target tokens for each source token, and tokens of a short sentence: many short ones make many rows of logits.
_LENGTHENING = 1.5
_SHORT_SENTENCE = 16


def _translator(settings: CTranslate2Settings, work: Work) -> GpuMemoryNeed | None:
    number = _computed(settings.compute_type)
    activation = 4 if settings.compute_type in ("float32", "int8_float32") else 2
    weights, workspace = 0.0, 0.0
    for name in settings.models:
        known = _known(_TRANSLATORS, name)
        stored = _stored(settings, "models", [name])
        if known is None and stored is None:
            return None
        shape = known or _nearest(_TRANSLATORS, stored or 0)
        weights += stored if stored is not None and known is None else shape.parameters * number
        tokens = min(settings.max_batch_tokens, work.batch)
        # Keys and values: of what is written, for each hypothesis, and of what was read.
        kept = 2 * shape.decoder_layers * shape.width * tokens * (settings.beam_size * _LENGTHENING + 1) * activation
        logits = tokens / _SHORT_SENTENCE * settings.beam_size * shape.vocabulary * (activation + 4)
        # Scoring reads the logits of every token of the translations at once, after the search.
        scoring = tokens * shape.vocabulary * (activation + 4) if settings.quality else 0
        at_once = min(settings.inter_threads, work.concurrency)
        # Models take turns in what they leave free.
        workspace = max(workspace, at_once * max(kept + logits, scoring))
    return GpuMemoryNeed(CONTEXT_BYTES + _CTRANSLATE2_CACHE, round(weights), round(workspace))


# --- PyTorch and ONNX Runtime -----------------------------------------------------------------------------------------


def _wavlm(settings: WavLmSettings, work: Work) -> GpuMemoryNeed:
    # WavLM base and the head: 94.48 M parameters; 50.2 MiB alive for a chunk of 4 s in float32.
    number = _precise(settings.precision)
    chunk = 50.2 * MEBIBYTE * number / 4
    return GpuMemoryNeed(CONTEXT_BYTES, round(94.5e6 * number), round(work.concurrency * work.batch * chunk))


def _classifier(settings: ClassifierSettings, work: Work) -> GpuMemoryNeed | None:
    stored = _stored(settings, "model", [settings.model])
    if stored is None:
        return None
    # Wav2vec 2.0, HuBERT and WavLM of all sizes share the convolutions that most of the memory goes to.
    number = _precise(settings.precision)
    chunk = 60 * MEBIBYTE * number / 4
    return GpuMemoryNeed(CONTEXT_BYTES, round(stored * number / 4), round(work.concurrency * work.batch * chunk))


# Speech that one call gives the encoder in windows of equal length.
_SPEAKER_SECONDS = 30


def _ecapa(settings: EcapaSettings, work: Work) -> GpuMemoryNeed:
    # 20.77 M parameters; 11.0 MiB alive for a second of speech in float32.
    workspace = work.concurrency * _SPEAKER_SECONDS * 11.0 * MEBIBYTE
    return GpuMemoryNeed(CONTEXT_BYTES, round(20.8e6 * 4), round(workspace))


def _xvector(settings: XvectorSettings, work: Work) -> GpuMemoryNeed:
    # 4.2 M parameters; five layers of 512 to 1500 channels, 100 frames a second.
    workspace = work.concurrency * _SPEAKER_SECONDS * 2.0 * MEBIBYTE
    return GpuMemoryNeed(CONTEXT_BYTES, round(4.2e6 * 4), round(workspace))


def _wespeaker(settings: WespeakerSettings, work: Work) -> GpuMemoryNeed | None:
    # The ResNet34 alone was counted: 6.63 M parameters; 4.97 MiB alive for a second of speech in float32.
    if "resnet34" not in settings.model.casefold():
        return None
    workspace = work.concurrency * _SPEAKER_SECONDS * 4.97 * MEBIBYTE * _CUDNN
    return GpuMemoryNeed(CONTEXT_BYTES, round(6.7e6 * 4), round(workspace))


def _pyannote(settings: PyannoteSettings, _work: Work) -> GpuMemoryNeed:
    # PyanNet 1.47 M and WeSpeaker's ResNet34 6.63 M parameters, float32; 10.4 and 49.7 MiB alive for a window of 10 s,
    # and the greater counts. Its issue 1963 measures 0.4 and 1.6 GB for 32 windows with version 3.3, which is just
    # that, and 9.5 GB with 4.0.3, cuDNN's workspaces where nothing bounds them. One recording is in work at a time.
    batch = max(settings.segmentation_batch_size * 10.4, settings.embedding_batch_size * 49.7 * _CUDNN)
    return GpuMemoryNeed(CONTEXT_BYTES, round(8.1e6 * 4), round(batch * MEBIBYTE))


def _wav2lip(settings: Wav2LipSettings, work: Work) -> GpuMemoryNeed:
    # Generator 36.30 M parameters, 11.2 MiB alive for a frame in float32; S3FD 22.46 M, float32, 204.7 MiB for a
    # picture of 640 x 640. It is given 16 at once, and fewer where they don't fit: four have to.
    number = _precise(settings.precision)
    weights = 36.3e6 * number + 22.5e6 * 4
    drawing = work.concurrency * work.batch * 11.2 * MEBIBYTE * number / 4 * _CUDNN
    return GpuMemoryNeed(CONTEXT_BYTES, round(weights), round(max(drawing, 4 * 204.7 * MEBIBYTE)))


# A clause of 150 letters, about 7 s of speech, keeps 67.8 MiB of VITS alive in float32.
_VITS_CLAUSE = 67.8 * MEBIBYTE


def _vits(settings: VitsSettings, work: Work) -> GpuMemoryNeed:
    # 36.3 M parameters, of which a fifth is only for training.
    number = _precise(settings.precision)
    models = min(work.models, len(settings.models) or work.models)
    workspace = work.concurrency * _VITS_CLAUSE * number / 4 * _CUDNN
    return GpuMemoryNeed(CONTEXT_BYTES, round(models * 36.3e6 * number), round(workspace))


def _piper(settings: PiperSettings, work: Work) -> GpuMemoryNeed:
    # Voices of medium quality have 63 MB, of high quality 114 MB; float32.
    workspace = work.concurrency * _VITS_CLAUSE * _CUDNN
    return GpuMemoryNeed(CONTEXT_BYTES, work.models * 114_000_000, round(workspace))


def _speecht5(settings: SpeechT5Settings, work: Work) -> GpuMemoryNeed:
    # 144.4 M parameters, the vocoder's 12.7 M and the x-vectors' 4.2 M; the vocoder is of VITS's kind.
    number = _precise(settings.precision)
    workspace = work.concurrency * _VITS_CLAUSE * number / 4 * _CUDNN
    return GpuMemoryNeed(CONTEXT_BYTES, round(157.1e6 * number + 4.2e6 * 4), round(workspace))


def _combined(settings: CombinedSettings, work: Work) -> GpuMemoryNeed | None:
    """Add what the engines on the GPU need; they share a process, and so its context."""
    needs = [gpu_memory_need(member, work) for member in settings.engines]
    known = [need for need in needs if need is not None]
    if len(known) < len(needs):
        return None
    return GpuMemoryNeed(
        max(need.context for need in known),
        sum(need.weights for need in known),
        sum(need.workspace for need in known),
    )


_NEEDS: dict[str, Callable[[Any, Work], GpuMemoryNeed | None]] = {
    "faster-whisper": _whisper,
    "pyannote": _pyannote,
    "wavlm": _wavlm,
    "classifier": _classifier,
    "ecapa": _ecapa,
    "xvector": _xvector,
    "wespeaker": _wespeaker,
    "ctranslate2": _translator,
    "vits": _vits,
    "piper": _piper,
    "speecht5": _speecht5,
    "combined": _combined,
    "wav2lip": _wav2lip,
}


# --- what settings say ------------------------------------------------------------------------------------------------


def _computed(compute_type: str) -> int:
    """Return the bytes of a weight in CTranslate2; ``auto`` is float16 on a GPU."""
    return 1 if compute_type.startswith("int8") else _BYTES.get(compute_type, 2)


def _precise(precision: str) -> int:
    """Return the bytes of a number in PyTorch; ``auto`` is float16 on a GPU."""
    return _BYTES.get(precision, 2)


def _known(models: dict[str, _Transformer], name: str) -> _Transformer | None:
    """Return the shape of a published model by its name, whatever stands around it."""
    text = name.casefold()
    found = [known for known in models if re.search(rf"(^|[^a-z0-9]){re.escape(known)}($|[^a-z0-9])", text)]
    return models[max(found, key=len)] if found else None


def _nearest(models: dict[str, _Transformer], stored: float) -> _Transformer:
    """Return the shape whose weights, at two bytes each, are nearest to a file's size."""
    return min(models.values(), key=lambda shape: abs(2 * shape.parameters - stored))


def _stored(settings: Any, field: str, names: Sequence[str]) -> int | None:
    """Return the bytes of the weights where they lie on this machine; None where they don't."""
    spec = _spec(get_type_hints(type(settings), include_extras=True).get(field))
    total = 0
    for name in names:
        try:
            place = cached(name, spec) if spec is not None else Path(name)
        except (MissingWeights, ValueError):
            place = None
        size = _size(place) if place is not None else None
        if size is None:
            return None
        total += size
    return total


def _spec(annotation: Any) -> Weights | None:
    """Find the description of weights in a field's type."""
    if isinstance(annotation, Weights):
        return annotation
    inner = (*getattr(annotation, "__metadata__", ()), *getattr(annotation, "__args__", ()))
    return next((spec for part in inner if (spec := _spec(part)) is not None), None)


def _size(place: Path) -> int | None:
    if place.is_file():
        return place.stat().st_size
    for pattern in ("model.bin", "*.safetensors", "pytorch_model*.bin"):
        if files := list(place.glob(pattern)):
            return sum(file.stat().st_size for file in files)
    return None
