"""Every level of a few small models verifies, prints, parses back and prints the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from intaglio.compiler.diagnostics import LEVELS  # noqa: E402
from intaglio.compiler.lowering import lower_model  # noqa: E402
from intaglio.compiler.opt import OptMain  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from intaglio.passes.verify import check_dominance  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from xdsl.context import Context  # noqa: E402
from xdsl.dialects.builtin import ModuleOp  # noqa: E402
from xdsl.parser import Parser  # noqa: E402

node = helper.make_node
Ports = Sequence[tuple[str, list[int | str]]]


def model(nodes: list[onnx.NodeProto], inputs: Ports, outputs: Ports, **weights: tuple[int, ...]) -> bytes:
    draw = np.random.default_rng(0)
    constants = [numpy_helper.from_array(draw.standard_normal(s).astype(np.float32), n) for n, s in weights.items()]
    ports = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in side] for side in (inputs, outputs)]
    graph = helper.make_graph(nodes, "small", *ports, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10).SerializeToString()


MODELS = {
    "dense": model(
        [node("Gemm", ["x", "w", "b"], ["h"]), node("Gelu", ["h"], ["g"]), node("Add", ["g", "r"], ["y"])],
        [("x", ["B", 20]), ("r", ["B", 33])],
        [("y", ["B", 33])],
        w=(20, 33),
        b=(33,),
    ),
    "convolutions": model(
        [
            node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["r"]),
            node("Conv", ["r", "d"], ["e"], group=16, pads=[1, 1, 1, 1]),
            node("MaxPool", ["e"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("GlobalAveragePool", ["p"], ["y"]),
        ],
        [("x", [1, 3, 12, 12])],
        [("y", [1, 16, 1, 1])],
        w=(16, 3, 3, 3),
        b=(16,),
        d=(16, 1, 3, 3),
    ),
    "attention": model(
        [node("MatMul", ["q", "k"], ["s"]), node("Softmax", ["s"], ["p"]), node("MatMul", ["p", "v"], ["y"])],
        [("q", [2, "S", 16]), ("k", [2, 16, "T"]), ("v", [2, "T", 16])],
        [("y", [2, "S", 16])],
    ),
    "rows": model(
        [node("LayerNormalization", ["x", "s", "b"], ["n"]), node("ReduceMax", ["n"], ["y"], keepdims=0)],
        [("x", ["N", "S", 32])],
        [("y", [])],
        s=(32,),
        b=(32,),
    ),
    "mathematics": model(
        [node("Erf", ["x"], ["a"]), node("Sin", ["a"], ["b"]), node("Log", ["b"], ["c"]), node("Pow", ["c", "x"], ["y"])],
        [("x", ["N", 40])],
        [("y", ["N", 40])],
    ),
}


@pytest.fixture(scope="module")
def context() -> Context:
    opt = OptMain.__new__(OptMain)
    opt.ctx = Context()
    opt.register_all_dialects()
    return opt.ctx


@pytest.mark.parametrize("name", MODELS)
def test_prints_and_parses(name: str, context: Context) -> None:
    seen: list[str] = []

    def reached(level: str, module: ModuleOp) -> None:
        seen.append(level)
        module.verify()
        check_dominance(module)
        text = str(module)
        again = Parser(context, text, f"{name}.{level}.mlir").parse_module()
        again.verify()
        check_dominance(again)
        assert str(again) == text

    lower_model(MODELS[name], Options(), observe=reached)
    assert tuple(seen) == LEVELS
