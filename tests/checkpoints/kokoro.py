"""A Kokoro of a few kilobytes: the inputs, output, symbols and voices of the real one around a trivial network."""

# ruff: noqa: RUF001 - phonemes
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SAMPLES_PER_TOKEN = 240
SYMBOLS = ' ;:,.!?—…"()abdefhijklmnoprstuvwxyzAIOQWYʣʤʦʧɑæðəɛɡɪŋɔɹʃʊʌʒθˈˌːβɾɲ'


def build_tiny_kokoro(folder: Path, voices: Sequence[str] = ("af_heart", "em_alex")) -> Path:
    """Write a model whose speech tells what it was given.

    Each token becomes ``SAMPLES_PER_TOKEN`` samples divided by the speed, of the value of the style vector's first
    number; a voice's vector for ``n`` phonemes begins with ``n / 1000``, plus a tenth of the voice's place.

    Args:
        folder: Where it goes; made if missing.
        voices: Their names.

    Returns:
        The folder.
    """
    import numpy as np

    (folder / "voices").mkdir(parents=True, exist_ok=True)
    symbols = {sign: number for number, sign in enumerate(SYMBOLS, 1)}
    (folder / "vocab.json").write_text(json.dumps({"vocab": symbols}))
    for place, name in enumerate(voices):
        styles = np.zeros((510, 1, 256), np.float32)
        styles[:, 0, 0] = np.arange(1, 511) / 1000 + place / 10
        styles.tofile(folder / "voices" / f"{name}.bin")
    _write_model(folder / "model.int8.onnx")
    return folder


def _write_model(path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: Any) -> Any:
        return numpy_helper.from_array(np.array(value), name)

    nodes = [
        helper.make_node("Shape", ["tokens"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "one"], ["length"]),
        helper.make_node("Cast", ["length"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["count", "samples"], ["whole"]),
        helper.make_node("Div", ["whole", "speed"], ["stretched"]),
        helper.make_node("Cast", ["stretched"], ["time"], to=TensorProto.INT64),
        helper.make_node("Slice", ["style", "zero", "one", "one"], ["level"]),
        helper.make_node("Reshape", ["level", "one"], ["value"]),
        helper.make_node("Expand", ["value", "time"], ["audio"]),
    ]
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "sequence_length"]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
    ]
    constants = [
        constant("one", np.array([1], np.int64)),
        constant("samples", np.array([SAMPLES_PER_TOKEN], np.float32)),
        constant("zero", np.array([0], np.int64)),
    ]
    output = helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["audio_length"])
    graph = helper.make_graph(nodes, "kokoro", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
