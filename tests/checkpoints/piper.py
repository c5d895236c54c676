"""A Piper voice of a few kilobytes: the inputs, output and description of a real one around a trivial network."""

# ruff: noqa: RUF001 - phonemes
import json
from pathlib import Path
from typing import Any

SAMPLES_PER_ID = 256


def build_tiny_piper(folder: Path, name: str = "en_US-tiny", *, speakers: int = 1, **described: Any) -> Path:
    """Write a voice whose speech tells what its model was given.

    Each phoneme id, pads among them, becomes ``SAMPLES_PER_ID`` samples times the length scale, of the value id / 1000,
    plus a tenth of the speaker's number.

    Args:
        folder: Where the two files go; made if missing.
        name: Of the voice.
        speakers: How many the model has.
        described: Fields of the description to set or replace.

    Returns:
        The ONNX file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    signs = ["_", "^", "$", *" .,!?:;abcdefghijklmnopqrstuvwxyz", *"ɑəɛɪŋɔɹʃʊʌˈˌːθæðɜɐ5"]
    description = {
        "audio": {"sample_rate": 16_000, "quality": "low"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "language": {"code": "en_US", "family": "en"},
        "dataset": "tiny",
        "phoneme_type": "espeak",
        "phoneme_id_map": {sign: [number] for number, sign in enumerate(signs)},
        "num_speakers": speakers,
        "speaker_id_map": {f"p{number}": number for number in range(speakers)} if speakers > 1 else {},
        "piper_version": "1.0.0",
        **described,
    }
    (folder / f"{name}.onnx.json").write_text(json.dumps(description))
    path = folder / f"{name}.onnx"
    _write_model(path, many=speakers > 1)
    return path


def _write_model(path: Path, *, many: bool) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: Any) -> Any:
        return numpy_helper.from_array(np.array(value), name)

    nodes = [
        helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["ids", "thousand"], ["values"]),
        helper.make_node("Gather", ["scales", "one"], ["length_scale"]),
        helper.make_node("Mul", ["length_scale", "samples"], ["stretched"]),
        helper.make_node("Cast", ["stretched"], ["repeats"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["values", "last"], ["columns"]),
        helper.make_node("Concat", ["one", "one", "repeats"], ["shape"], axis=0),
        helper.make_node("Expand", ["columns", "shape"], ["tiled"]),
        helper.make_node("Reshape", ["tiled", "flat"], ["speech"]),
        # What is not used would be no input.
        helper.make_node("Cast", ["input_lengths"], ["lengths"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["lengths", "zero"], ["nothing"]),
        helper.make_node("Add", ["speech", "nothing"], ["output" if not many else "unvoiced"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if many:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
        nodes += [
            helper.make_node("Cast", ["sid"], ["speaker"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["speaker", "tenth"], ["offset"]),
            helper.make_node("Add", ["unvoiced", "offset"], ["output"]),
        ]
    constants = [
        constant("thousand", np.float32(1000)),
        constant("samples", np.float32(SAMPLES_PER_ID)),
        constant("one", np.array([1], np.int64)),
        constant("last", np.array([-1], np.int64)),
        constant("flat", np.array([1, 1, 1, -1], np.int64)),
        constant("zero", np.float32(0)),
    ]
    if many:
        constants.append(constant("tenth", np.float32(0.1)))
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "time"])
    graph = helper.make_graph(nodes, "piper", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
