"""How many kernels operators become: what shares its loops, or its store, is one dispatch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from intaglio.compiler.lowering import lower_model  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from intaglio.dialects import dispatch  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from xdsl.dialects.builtin import ModuleOp  # noqa: E402

node = helper.make_node
Port = tuple[str, list[int | str]]


def calls(nodes: Sequence[onnx.NodeProto], inputs: Sequence[Port], output: Port, **weights: tuple[int, ...]) -> Counter[str]:
    """The kernels that the host program of a model runs, by kind: "matmul_3" counts as "matmul"."""
    draw = np.random.default_rng(0)
    constants = [numpy_helper.from_array(draw.standard_normal(s).astype(np.float32), n) for n, s in weights.items()]
    ports = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in side] for side in (inputs, [output])]
    graph = helper.make_graph(list(nodes), "small", *ports, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    found: Counter[str] = Counter()

    def reached(level: str, module: ModuleOp) -> None:
        if level == "dispatch":
            names = [op.callee.root_reference.data for op in module.walk() if isinstance(op, dispatch.CallOp)]
            found.update(name.rpartition("_")[0] for name in names)

    lower_model(model.SerializeToString(), Options(), observe=reached)
    return found


def test_softmax() -> None:
    assert calls([node("Softmax", ["x"], ["y"])], [("x", ["N", 50])], ("y", ["N", 50])) == {"rowwise": 1}


def test_layer_normalisation() -> None:
    one = [node("LayerNormalization", ["x", "s", "b"], ["y"])]
    assert calls(one, [("x", [2, "S", 32])], ("y", [2, "S", 32]), s=(32,), b=(32,)) == {"rowwise": 1}


def test_layer_normalisation_of_a_sum() -> None:
    two = [node("Add", ["x", "r"], ["t"]), node("LayerNormalization", ["t", "s", "b"], ["y"])]
    assert calls(two, [("x", ["S", 32]), ("r", ["S", 32])], ("y", ["S", 32]), s=(32,), b=(32,)).total() == 1


def test_matmul_with_its_epilogue() -> None:
    chain = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Gelu", ["a"], ["g"]),
        node("Add", ["g", "r"], ["y"]),
    ]
    found = calls(chain, [("x", ["S", 48]), ("r", ["S", 64])], ("y", ["S", 64]), w=(48, 64), b=(64,))
    assert found["matmul"] == 1
    assert not set(found) - {"matmul", "elementwise"} and found["elementwise"] <= 1  # at most the packing of x


@pytest.mark.parametrize("bias", [(64,), (1, 64), (1, 1, 64)], ids=str)
def test_epilogues_of_a_batch_of_one(bias: tuple[int, ...]) -> None:
    chain = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["a"]), node("Add", ["a", "r"], ["y"])]
    found = calls(chain, [("x", [1, "S", 48]), ("r", [1, "S", 64])], ("y", [1, "S", 64]), w=(48, 64), b=bias)
    assert found["matmul"] == 1 and found["elementwise"] <= 1


def test_an_elementwise_chain() -> None:
    chain = [node("Exp", ["x"], ["a"]), node("Mul", ["a", "x"], ["b"]), node("Tanh", ["b"], ["c"]), node("Add", ["c", "r"], ["y"])]
    assert calls(chain, [("x", ["N", 9]), ("r", [9])], ("y", ["N", 9])) == {"elementwise": 1}


def test_reshapes_are_free() -> None:
    chain = [node("Unsqueeze", ["x", "axes"], ["a"]), node("Flatten", ["a"], ["b"]), node("Neg", ["b"], ["y"])]
    constants = helper.make_node("Constant", [], ["axes"], value_ints=[0])
    assert calls([constants, *chain], [("x", [4, 9])], ("y", [1, 36])) == {"elementwise": 1}


def test_convolutions_with_bias_and_activation() -> None:
    chain = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("Conv", ["r", "v"], ["d"]),
        node("Add", ["d", "r"], ["y"]),
    ]
    found = calls(chain, [("x", [1, 16, 6, 6])], ("y", [1, 16, 6, 6]), w=(16, 16, 3, 3), b=(16,), v=(16, 16, 1, 1))
    assert found == {"winograd": 1, "conv": 1, "elementwise": 2}  # into blocks, and the last sum on its way out of them


def test_a_batch_of_one_fuses_as_any_other() -> None:
    chain = [node("Conv", ["x", "w", "b"], ["c"]), node("Relu", ["c"], ["r"]), node("GlobalAveragePool", ["r"], ["y"])]
    ports = [("x", [1, 32, 6, 6])], ("y", [1, 32, 1, 1])
    found = calls(chain, *ports, w=(32, 32, 1, 1), b=(32,))
    assert found["conv"] == 1 and found["elementwise"] <= 2  # into blocks, and the mean out of them


def test_a_value_that_is_an_output_too_is_stored_once() -> None:
    draw = [node("Exp", ["x"], ["a"]), node("Tanh", ["a"], ["y"])]
    graph = helper.make_graph(
        draw,
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [8])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [8]) for n in ("a", "y")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    import intaglio

    x = np.linspace(-1, 1, 8, dtype=np.float32)
    a, y = intaglio.InferenceSession(model).run(None, {"x": x})
    np.testing.assert_allclose(a, np.exp(x), rtol=1e-6)
    np.testing.assert_allclose(y, np.tanh(np.exp(x)), rtol=1e-6)
