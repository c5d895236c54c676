"""Building of ONNX graphs, operator after operator."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]

OPSET = 17
IR_VERSION = 8


class Graph:
    """A growing ONNX graph with one input and one output, both float32.

    Args:
        name: Of the input.
        shape: Of the input; a word stands for a free length.
    """

    def __init__(self, name: str, shape: tuple[int | str, ...]) -> None:
        self._input = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._names = 0

    def constant(self, value: Array) -> str:
        """Add a constant and return its name."""
        name = self._fresh()
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str | Array, **attributes: Any) -> str:
        """Add an operator of one output and return the output's name; arrays become constants."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = self._fresh()
        self._nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def serialized(self, output: str, shape: tuple[int | str, ...]) -> bytes:
        """Return the finished model.

        Args:
            output: Name of the result.
            shape: Of the result; a word stands for a free length.
        """
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self._nodes, "network", [self._input], [result], self._constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="voicegraph")
        return bytes(model.SerializeToString())

    def _fresh(self) -> str:
        self._names += 1
        return f"v{self._names}"
