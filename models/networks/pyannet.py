"""PyanNet, pyannote's segmentation network (Bredin and Laurent, 2021): SincNet, bidirectional LSTM, linear layers."""

from collections.abc import Mapping

import numpy as np

from models.networks.graph import Array, Graph

SAMPLE_RATE = 16_000
SINC_WIDTH = 251
SINC_STRIDE = 10
MIN_LOW_HZ = 50.0
MIN_BAND_HZ = 50.0
SLOPE = 0.01
"""Of the leaky rectifiers below zero."""

EPSILON = 1e-5

INPUT = "pcm"


def pyannet(state: Mapping[str, Array]) -> bytes:
    """Build the network as an ONNX model: ``pcm`` [chunks, 1, samples] to log probabilities [chunks, frames, classes].

    Args:
        state: Arrays of a checkpoint, by name; the widths and the number of layers are theirs.

    Raises:
        KeyError: One of them is missing.
        ValueError: One of them has an unfit shape.
    """
    graph = Graph(INPUT, ("chunks", 1, "samples"))
    x = _instance_norm(graph, INPUT, state, "sincnet.wav_norm1d")
    sinc = "sincnet.conv1d.0.filterbank."
    filters = sinc_filters(state[f"{sinc}low_hz_"], state[f"{sinc}band_hz_"])
    x = graph.add("Abs", graph.add("Conv", x, filters, strides=[SINC_STRIDE]))
    for layer in range(3):
        if layer:
            name = f"sincnet.conv1d.{layer}"
            x = graph.add("Conv", x, state[f"{name}.weight"], state[f"{name}.bias"])
        x = graph.add("MaxPool", x, kernel_shape=[3], strides=[3])
        x = _instance_norm(graph, x, state, f"sincnet.norm1d.{layer}")
        x = graph.add("LeakyRelu", x, alpha=SLOPE)
    x = graph.add("Transpose", x, perm=[2, 0, 1])
    for layer in _layers(state, "lstm.weight_ih_l{}"):
        x = _lstm(graph, x, state, layer)
    for layer in _layers(state, "linear.{}.weight"):
        x = graph.add("LeakyRelu", _linear(graph, x, state, f"linear.{layer}"), alpha=SLOPE)
    x = graph.add("LogSoftmax", _linear(graph, x, state, "classifier"), axis=-1)
    classes = int(state["classifier.bias"].shape[0])
    return graph.serialized(graph.add("Transpose", x, perm=[1, 0, 2]), ("chunks", "frames", classes))


def sinc_filters(low_hz: Array, band_hz: Array) -> Array:
    """Return band-pass filters (Ravanelli and Bengio, 2018), even ones and then odd ones (Pariente et al., 2020).

    Args:
        low_hz: Lower edge of each band less the least one, shape [bands, 1].
        band_hz: Width of each band less the least one, shape [bands, 1].

    Returns:
        Shape [2 bands, 1, SINC_WIDTH], float32.
    """
    low = MIN_LOW_HZ + np.abs(low_hz.astype(np.float64))
    high = np.clip(low + MIN_BAND_HZ + np.abs(band_hz.astype(np.float64)), MIN_LOW_HZ, SAMPLE_RATE / 2)
    half = SINC_WIDTH // 2
    window = np.hamming(SINC_WIDTH)[:half]
    time = 2 * np.pi * np.arange(-half, 0) / SAMPLE_RATE
    width = high - low
    even = (np.sin(high * time) - np.sin(low * time)) / (time / 2) * window
    odd = (np.cos(low * time) - np.cos(high * time)) / (time / 2) * window
    cosines = np.concatenate((even, 2 * width, even[:, ::-1]), axis=1)
    sines = np.concatenate((odd, np.zeros_like(width), -odd[:, ::-1]), axis=1)
    filters = np.concatenate((cosines / (2 * width), sines / (2 * width)))
    return filters[:, None].astype(np.float32)


def _layers(state: Mapping[str, Array], pattern: str) -> range:
    count = 0
    while pattern.format(count) in state:
        count += 1
    return range(count)


def _instance_norm(graph: Graph, x: str, state: Mapping[str, Array], name: str) -> str:
    return graph.add("InstanceNormalization", x, state[f"{name}.weight"], state[f"{name}.bias"], epsilon=EPSILON)


def _linear(graph: Graph, x: str, state: Mapping[str, Array], name: str) -> str:
    return graph.add("Add", graph.add("MatMul", x, state[f"{name}.weight"].T), state[f"{name}.bias"])


def _lstm(graph: Graph, x: str, state: Mapping[str, Array], layer: int) -> str:
    """Add a bidirectional layer, [frames, chunks, features] to [frames, chunks, 2 hidden]."""
    ways = (f"l{layer}", f"l{layer}_reverse")
    weights = [
        np.stack([_onnx_gates(state[f"lstm.{kind}_{way}"]) for way in ways])
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    hidden = weights[1].shape[-1]
    inputs = (weights[0], weights[1], np.concatenate(weights[2:], axis=1))
    y = graph.add("LSTM", x, *inputs, hidden_size=hidden, direction="bidirectional")
    joined = graph.add("Transpose", y, perm=[0, 2, 1, 3])
    return graph.add("Reshape", joined, np.array([0, 0, 2 * hidden], dtype=np.int64))


def _onnx_gates(array: Array) -> Array:
    """Reorder gates: PyTorch stores input, forget, cell, output; ONNX wants input, output, forget, cell."""
    entry, forget, cell, output = np.split(array, 4)
    return np.concatenate((entry, output, forget, cell))
