"""The compact encoder: a small neural network on ONNX Runtime, joined with the spectral encoder; see MODEL_CARD.md.

The network knows voices through all sorts of channels, the statistics know the one recording exactly: together they
err less than either alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.onnx_session import open_session
from models.speaker.filterbank import MELS, frame_count, log_mel
from models.speaker.settings import COMPACT, CompactSettings
from models.speaker.spectral import SpectralEncoder
from models.speaker.types import check_lengths
from models.weights import resolve

SHIPPED = Path(__file__).with_name("compact.onnx")

FORMAT = "voicegraph-speaker-1"
"""Kind of file, in the ONNX metadata: input, output and spectra as this module expects them."""

NETWORK_SHARE = 0.6
"""Weight of the network's cosine similarity; the spectral encoder's has the rest."""

BATCH = 16
"""Windows of one length per run of the network: more are no faster on a CPU, and take memory."""


class CompactEncoder:
    """Embeds speech with the network that ``training.speaker.train`` makes and with ``SpectralEncoder``.

    Both embeddings, scaled, make one: its cosine similarity is the weighted mean of theirs. Windows
    with equally many frames run together, so that nothing is padded and nothing has to be masked.
    Safe to call from several threads at once.

    Args:
        settings: The file, the device and the threads.

    Raises:
        MissingWeights: There is no such file.
        ValueError: It is no encoder of this kind, or there is no GPU though one is asked for.
    """

    def __init__(self, settings: CompactSettings) -> None:
        file = resolve(settings.model, COMPACT) if settings.model else SHIPPED
        # Windows differ in length: the arena would keep the largest batch for ever.
        self._session = open_session(file, device=settings.device, threads=settings.threads, cpu_arena=False)
        if self._session.get_modelmeta().custom_metadata_map.get("format") != FORMAT:
            raise ValueError(f"{file} is no speaker encoder made by training.speaker.train ({FORMAT})")
        self._name = "compact" if file == SHIPPED else f"compact-{sha256(file.read_bytes()).hexdigest()[:16]}"
        self._spectral = SpectralEncoder()
        self._network_dimension = int(self._session.get_outputs()[0].shape[1])

    @property
    def name(self) -> str:
        """Name of its embedding space: ``compact`` for the model that ships, another for each other file."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return self._network_dimension + self._spectral.dimension

    def embed(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed stretches of speech; see ``models.speaker.types.SpeakerEncoder``."""
        check_lengths(windows)
        network, statistics = self._network(windows), self._spectral.embed(windows)
        joined = np.concatenate((network * np.sqrt(NETWORK_SHARE), statistics * np.sqrt(1 - NETWORK_SHARE)), axis=1)
        return np.asarray(joined, dtype=np.float32)

    def _network(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        by_frames: defaultdict[int, list[int]] = defaultdict(list)
        for index, window in enumerate(windows):
            by_frames[frame_count(len(window))].append(index)
        embeddings = np.empty((len(windows), self._network_dimension), dtype=np.float32)
        for frames, indices in by_frames.items():
            for first in range(0, len(indices), BATCH):
                chosen = indices[first : first + BATCH]
                spectra = np.empty((len(chosen), frames, MELS), dtype=np.float32)
                for spectrum, index in zip(spectra, chosen, strict=True):
                    spectrum[:] = log_mel(windows[index])
                embeddings[chosen] = self._session.run(None, {"spectra": spectra})[0]
        embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), np.float32(1e-9))
        return embeddings
