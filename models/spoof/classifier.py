"""Voice-spoof detection by any audio classification model of transformers."""

import re
import warnings
from collections.abc import Mapping
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from models.audio import SAMPLE_RATE
from models.spoof.inputs import check_chunks
from models.spoof.settings import CLASSIFIER, ClassifierSettings
from models.spoof.types import CHUNK_SAMPLES
from models.torch_device import device_of, dtype_of
from models.weights import resolve

_SPOOF = frozenset(
    "spoof spoofed spoofing fake faked deepfake deepfaked synthetic synthesized synthesised synthesis generated ai"
    " cloned clone tts vc vocoded vocoder artificial machine replay replayed attack".split()
)
_BONA_FIDE = frozenset("bonafide bona fide real human genuine authentic natural original live organic true".split())
_NEGATIONS = frozenset("no not non un in".split())

# Models refuse less than their first frames need; the window is silent behind a recording's end.
_SHORTEST = SAMPLE_RATE // 10


class ClassifierDetector:
    """Scores chunks by an ``AutoModelForAudioClassification`` with its own feature extractor and label map.

    P(spoof) is the sum of the softmax over the labels that mean a synthetic voice, or the sigmoid of a model with one
    output. A short chunk is given to the model without its padding. Safe to call from several threads at once.

    Raises:
        MissingWeights: The folder is not there or incomplete.
        ValueError: The weights don't fit the configuration, or the labels don't tell which of them mean spoof.
    """

    def __init__(self, settings: ClassifierSettings) -> None:
        folder = resolve(settings.model, CLASSIFIER, allow_download=settings.allow_download)
        self._device = device_of(settings.device)
        self._dtype = dtype_of(settings.precision, self._device)
        self._extractor = _feature_extractor(folder)
        self._rate = int(self._extractor.sampling_rate)
        model = _load(folder)
        config = model.config
        labels = {int(index): str(label) for index, label in config.id2label.items()}
        if config.problem_type == "multi_label_classification" and len(labels) > 1:
            raise ValueError(f"{folder} gives each label a probability of its own; only exclusive labels are supported")
        self._spoof = [
            index for index in sorted(labels) if labels[index] in spoof_labels(labels, settings.spoof_labels)
        ]
        self._outputs = len(labels)
        # A group norm over time would hear the padding even behind an attention mask.
        self._masked = (
            bool(getattr(self._extractor, "return_attention_mask", False))
            and getattr(config, "feat_extract_norm", None) != "group"
        )
        self._model = model.to(self._device, self._dtype)
        # WavLM in transformers gives PyTorch masks of two types; nothing here can change that.
        warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask and attn_mask", UserWarning)

    def score(self, chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score chunks of speech; see `models.spoof.types.SpoofDetector`.

        Raises:
            ValueError: The arrays are not of the right shape or type.
            FloatingPointError: The model left the range of its precision.
        """
        check_chunks(chunks, lengths)
        p_spoof = np.empty(len(chunks), np.float32)
        samples = np.maximum(lengths, _SHORTEST)
        for rows in self._batches(samples):
            p_spoof[rows] = self._score([chunks[row, : samples[row]] for row in rows])
        if not np.isfinite(p_spoof).all():
            raise FloatingPointError(f"the model overflows in {self._dtype}; set `precision` to bfloat16 or float32")
        return p_spoof

    def _batches(self, samples: NDArray[np.int64]) -> list[NDArray[np.intp]]:
        """Return rows that may share a batch: without an attention mask, only those of one length."""
        if not self._masked:
            return [np.flatnonzero(samples == length) for length in np.unique(samples)]
        whole = samples == CHUNK_SAMPLES
        return [rows for rows in (np.flatnonzero(whole), np.flatnonzero(~whole)) if len(rows)]

    def _score(self, waveforms: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        features = self._extractor(
            [_resampled(waveform, self._rate) for waveform in waveforms],
            sampling_rate=self._rate,
            padding=True,
            return_tensors="pt",
        )
        if "attention_mask" in features and features["attention_mask"].all():
            del features["attention_mask"]  # it says nothing and keeps attention off its fast path
        inputs = {
            name: tensor.to(self._device, self._dtype if tensor.is_floating_point() else None)
            for name, tensor in features.items()
        }
        with torch.inference_mode():
            logits = self._model(**inputs).logits.float()
            if self._outputs == 1:
                p_spoof = torch.sigmoid(logits[:, 0]) if self._spoof else torch.sigmoid(-logits[:, 0])
            else:
                p_spoof = torch.softmax(logits, dim=1)[:, self._spoof].sum(dim=1)
        scores: NDArray[np.float32] = p_spoof.cpu().numpy()
        return scores


def spoof_labels(labels: Mapping[int, str], named: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the labels that mean a synthetic voice.

    Args:
        labels: The model's label map.
        named: What the settings say; empty to go by the labels' names.

    Returns:
        Some of the labels but not all; of a single label, it or none.

    Raises:
        ValueError: A named label does not exist, or the names don't tell.
    """
    known = list(labels.values())
    if unknown := sorted(set(named) - set(known)):
        raise ValueError(f"spoof_labels has {_listed(unknown)}, but the model's labels are {_listed(known)}")
    spoof = frozenset(named)
    if not named:
        kinds = {label: _kind(label) for label in known}
        if None in kinds.values():
            raise ValueError(f"of the model's labels {_listed(known)} it is unclear which mean spoof: set spoof_labels")
        spoof = frozenset(label for label, is_spoof in kinds.items() if is_spoof)
    if len(known) > 1 and not 0 < len(spoof) < len(set(known)):
        raise ValueError(
            f"some of the model's labels must mean spoof and some not, of {_listed(known)}: set spoof_labels"
        )
    return spoof


def _kind(label: str) -> bool | None:
    """Tell whether a label means spoof; None where its words mean neither or both."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", label)
    words = set(re.findall(r"[a-z]+", apart.lower()))
    spoof, bona_fide = bool(words & _SPOOF), bool(words & _BONA_FIDE)
    return None if spoof == bona_fide or words & _NEGATIONS else spoof


def _load(folder: Path) -> Any:
    model, info = AutoModelForAudioClassification.from_pretrained(
        str(folder), local_files_only=True, dtype=torch.float32, output_loading_info=True
    )
    # The library would fill these with random numbers and a warning.
    if faults := sorted({*info["missing_keys"], *(fault[0] for fault in info["mismatched_keys"])}):
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise ValueError(f"the weights in {folder} don't fit its config.json: no {', '.join(faults[:4])}{more}")
    return model.eval()


def _feature_extractor(folder: Path) -> Any:
    factory: Any = AutoFeatureExtractor  # untyped in the library
    return factory.from_pretrained(str(folder), local_files_only=True)


def _resampled(waveform: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    if rate == SAMPLE_RATE:
        return waveform
    from scipy.signal import resample_poly

    shared = gcd(rate, SAMPLE_RATE)
    resampled: NDArray[np.float32] = resample_poly(waveform, rate // shared, SAMPLE_RATE // shared).astype(np.float32)
    return resampled


def _listed(labels: list[str]) -> str:
    return ", ".join(repr(label) for label in labels)
