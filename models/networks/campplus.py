"""CAM++, a speaker encoder of context-aware masked, densely connected TDNN layers (Wang et al., 2023)."""

from collections.abc import Mapping

import numpy as np

from models.networks.graph import Array, Graph

SEGMENT = 100
"""Frames (of 20 ms) that share a mask."""

DILATIONS = (1, 2, 2)
"""Of the three dense blocks."""

EPSILON = 1e-5
INPUT = "spectra"


def campplus(state: Mapping[str, Array]) -> bytes:
    """Build the network as an ONNX model: ``spectra`` [windows, frames, mels] to embeddings [windows, D].

    Args:
        state: Arrays of a checkpoint of 3D-Speaker, by name.

    Raises:
        KeyError: One of them is missing.
        ValueError: One of them has an unfit shape.
    """
    graph = Graph(INPUT, ("windows", "frames", "mels"))
    x = graph.add("Transpose", INPUT, perm=[0, 2, 1])
    x = graph.add("Unsqueeze", x, np.array([1], dtype=np.int64))
    x = _head(graph, x, state)
    x = _conv(graph, x, state, "xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm", strides=[2], pads=[2, 2])
    x = graph.add("Relu", x)
    segment_of_frame = _segments(graph, x)
    for number, dilation in enumerate(DILATIONS, 1):
        layer = 1
        while f"xvector.block{number}.tdnnd{layer}.linear1.weight" in state:
            grown = _dense_layer(graph, x, state, f"xvector.block{number}.tdnnd{layer}", dilation, segment_of_frame)
            x = graph.add("Concat", x, grown, axis=1)
            layer += 1
        x = _activated(graph, x, state, f"xvector.transit{number}.nonlinear.batchnorm")
        x = graph.add("Conv", x, state[f"xvector.transit{number}.linear.weight"])
    x = _activated(graph, x, state, "xvector.out_nonlinear.batchnorm")
    x = graph.add("Unsqueeze", _statistics(graph, x), np.array([2], dtype=np.int64))
    x = _conv(graph, x, state, "xvector.dense.linear", "xvector.dense.nonlinear.batchnorm")
    dimension = int(state["xvector.dense.linear.weight"].shape[0])
    return graph.serialized(graph.add("Squeeze", x, np.array([2], dtype=np.int64)), ("windows", dimension))


def _head(graph: Graph, x: str, state: Mapping[str, Array]) -> str:
    """Add the two-dimensional convolutions, [windows, 1, mels, frames] to [windows, channels, frames]."""
    around = [1, 1, 1, 1]
    x = graph.add("Relu", _conv(graph, x, state, "head.conv1", "head.bn1", pads=around))
    for layer in ("layer1", "layer2"):
        for block in ("0", "1"):
            name = f"head.{layer}.{block}"
            strides = [2, 1] if block == "0" else [1, 1]
            y = _conv(graph, x, state, f"{name}.conv1", f"{name}.bn1", strides=strides, pads=around)
            y = _conv(graph, graph.add("Relu", y), state, f"{name}.conv2", f"{name}.bn2", pads=around)
            if f"{name}.shortcut.0.weight" in state:
                x = _conv(graph, x, state, f"{name}.shortcut.0", f"{name}.shortcut.1", strides=strides)
            x = graph.add("Relu", graph.add("Add", y, x))
    x = graph.add("Relu", _conv(graph, x, state, "head.conv2", "head.bn2", strides=[2, 1], pads=around))
    channels = state["xvector.tdnn.linear.weight"].shape[1]
    shape = graph.add("Shape", x)
    ends = graph.add("Gather", shape, np.array([0, 3], dtype=np.int64))
    first, last = (graph.add("Gather", ends, np.array([i], dtype=np.int64)) for i in (0, 1))
    return graph.add("Reshape", x, graph.add("Concat", first, np.array([channels], dtype=np.int64), last, axis=0))


def _segments(graph: Graph, x: str) -> str:
    """Return the name of the segment's index for each frame."""
    frames = graph.add("Squeeze", graph.add("Shape", x, start=2), np.array([0], dtype=np.int64))
    every = graph.add("Range", np.array(0, dtype=np.int64), frames, np.array(1, dtype=np.int64))
    return graph.add("Div", every, np.array(SEGMENT, dtype=np.int64))


def _dense_layer(graph: Graph, x: str, state: Mapping[str, Array], name: str, dilation: int, segments: str) -> str:
    x = _activated(graph, x, state, f"{name}.nonlinear1.batchnorm")
    x = graph.add("Relu", _conv(graph, x, state, f"{name}.linear1", f"{name}.nonlinear2.batchnorm"))
    mask = f"{name}.cam_layer"
    local = state[f"{mask}.linear_local.weight"]
    pad = (local.shape[-1] - 1) // 2 * dilation
    y = graph.add("Conv", x, local, pads=[pad, pad], dilations=[dilation])
    # The mask is the same in all frames of a segment: it is computed once for each, then handed out.
    context = graph.add(
        "Add",
        graph.add("ReduceMean", x, axes=[2], keepdims=1),
        graph.add("AveragePool", x, kernel_shape=[SEGMENT], strides=[SEGMENT], ceil_mode=1),
    )
    for layer, then in (("linear1", "Relu"), ("linear2", "Sigmoid")):
        weight, bias = state[f"{mask}.{layer}.weight"], state[f"{mask}.{layer}.bias"]
        context = graph.add(then, graph.add("Conv", context, weight, bias))
    return graph.add("Mul", y, graph.add("Gather", context, segments, axis=2))


def _statistics(graph: Graph, x: str) -> str:
    """Add the mean and the unbiased standard deviation of each channel over time."""
    mean = graph.add("ReduceMean", x, axes=[2], keepdims=1)
    squares = graph.add("ReduceSumSquare", graph.add("Sub", x, mean), axes=[2], keepdims=0)
    frames = graph.add("Cast", graph.add("Shape", x, start=2), to=1)
    variance = graph.add("Div", squares, graph.add("Sub", frames, np.array([1.0], dtype=np.float32)))
    flat = graph.add("Squeeze", mean, np.array([2], dtype=np.int64))
    return graph.add("Concat", flat, graph.add("Sqrt", variance), axis=1)


def _conv(graph: Graph, x: str, state: Mapping[str, Array], conv: str, norm: str, **attributes: list[int]) -> str:
    """Add a convolution without bias whose batch normalisation is worked into its weights."""
    weight = state[f"{conv}.weight"]
    scale, shift = _scale_and_shift(state, norm)
    return graph.add("Conv", x, weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), shift, **attributes)


def _activated(graph: Graph, x: str, state: Mapping[str, Array], norm: str) -> str:
    """Add a batch normalisation and a rectifier in front of a layer."""
    scale, shift = _scale_and_shift(state, norm)
    return graph.add("Relu", graph.add("Add", graph.add("Mul", x, scale[:, None]), shift[:, None]))


def _scale_and_shift(state: Mapping[str, Array], norm: str) -> tuple[Array, Array]:
    mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    # The last normalisation has no scale and shift of its own.
    scale = state.get(f"{norm}.weight", np.float32(1)) / np.sqrt(variance + np.float32(EPSILON))
    shift = state.get(f"{norm}.bias", np.float32(0)) - mean * scale
    return scale.astype(np.float32), shift.astype(np.float32)
