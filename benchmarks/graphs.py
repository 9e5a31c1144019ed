"""A small builder of ONNX graphs, for the models and the operator cases: weights come from one seed, names are counted."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """One graph. Calling it adds a node and gives its first output's name."""

    def __init__(self, opset: int = 20, **domains: int) -> None:
        self.random = np.random.default_rng(7)
        self._opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name.replace("_", "."), v) for name, v in domains.items())]
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._serial = itertools.count()

    def __call__(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        return self.many(op, 1, *inputs, domain=domain, **attributes)[0]

    def many(self, op: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """A node with several outputs."""
        n = next(self._serial)
        names = [f"{op}{n}" if i == 0 else f"{op}{n}.{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(op, inputs, names, name=f"{op}{n}", domain=domain, **attributes))
        return names

    def input(self, name: str, element: int, shape: tuple[int | str, ...]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def constant(self, array: np.ndarray | np.generic) -> str:
        name = f"w{next(self._serial)}"
        self._weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape: int) -> str:
        """Normally distributed, small enough that activations keep their scale."""
        return self.constant(self.random.standard_normal(shape, np.float32) * np.float32(shape[-1] ** -0.5))

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def six(self) -> tuple[str, str]:
        """The bounds of a ReLU6."""
        return self.constant(np.float32(0)), self.constant(np.float32(6))

    def dense(self, x: str, width: int, out: int) -> str:
        return self("Add", self("MatMul", x, self.weight(width, out)), self.weight(out))

    def norm(self, x: str, width: int) -> str:
        return self("LayerNormalization", x, self.constant(np.ones(width, np.float32)), self.weight(width))

    def conv(self, x: str, channels: int, out: int, kernel: int, *, stride: int = 1, group: int = 1) -> str:
        """With a bias, of the input's size where the stride is 1."""
        filters = self.random.standard_normal((out, channels // group, kernel, kernel), np.float32)
        filters *= np.float32((2 / (channels // group * kernel * kernel)) ** 0.5)
        pads = [kernel // 2] * 4
        return self(
            "Conv", x, self.constant(filters), self.weight(out), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=group
        )

    def heads(self, x: str, lead: tuple[int, int], heads: int, width: int) -> str:
        """(batch, tokens, width) as (batch, heads, tokens, each)."""
        return self("Transpose", self("Reshape", x, self.ints(*lead, heads, width // heads)), perm=[0, 2, 1, 3])

    def merge(self, x: str, lead: tuple[int, int], width: int) -> str:
        return self("Reshape", self("Transpose", x, perm=[0, 2, 1, 3]), self.ints(*lead, width))

    def attention(self, q: str, k: str, v: str, each: int) -> str:
        """Scaled dot products, spelt out as exporters do."""
        scores = self("Mul", self("MatMul", q, self("Transpose", k, perm=[0, 1, 3, 2])), self.constant(np.float32(each**-0.5)))
        return self("MatMul", self("Softmax", scores, axis=-1), v)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The model with these outputs, whose types are inferred where they can be."""
        values = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(self._nodes, "benchmark", self._inputs, values, self._weights)
        model = helper.make_model(graph, opset_imports=self._opsets, ir_version=10)
        inferred = onnx.shape_inference.infer_shapes(model)
        del model.graph.output[:]
        model.graph.output.extend(inferred.graph.output)
        return model
