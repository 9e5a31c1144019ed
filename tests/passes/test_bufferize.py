"""Where tensors lie: nothing is written while somebody still reads what lies there, and memory is used again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.compiler.lowering import lower_model  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from intaglio.dialects import hal  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from xdsl.dialects import arith  # noqa: E402
from xdsl.dialects.builtin import IntegerAttr, ModuleOp  # noqa: E402
from xdsl.ir import SSAValue  # noqa: E402

FLOATS = 256


def chain(length: int, size: int | str = FLOATS) -> onnx.ModelProto:
    """Running sums, each a kernel of its own."""
    nodes = [helper.make_node("CumSum", [f"v{n}", "axis"], [f"v{n + 1}"]) for n in range(length)]
    axis = helper.make_tensor("axis", TensorProto.INT64, [], [0])
    ports = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, [size])] for n in ("v0", f"v{length}")]
    graph = helper.make_graph(nodes, "chain", *ports, [axis])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)


def bufferized(model: onnx.ModelProto) -> ModuleOp:
    found: list[ModuleOp] = []

    def reached(level: str, module: ModuleOp) -> None:
        if level == "loops":
            found.append(module)

    lower_model(model.SerializeToString(), Options(), observe=reached)
    return found[0]


def constant(value: SSAValue) -> int:
    owner = value.owner
    assert isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr)
    return owner.value.value.data


def slices(module: ModuleOp) -> Sequence[hal.SliceOp]:
    return [op for op in module.walk() if isinstance(op, hal.SliceOp)]


@pytest.mark.parametrize("length", [1, 2, 3, 8])
def test_a_chain_needs_two_places(length: int) -> None:
    module = bufferized(chain(length))
    (arena,) = [op for op in module.walk() if isinstance(op, hal.ArenaOp)]
    assert constant(arena.operands[0]) == min(length, 2) * FLOATS * 4
    offsets = [constant(op.operands[1]) for op in slices(module)]
    assert all(a != b for a, b in itertools.pairwise(offsets))


def test_open_sizes_share_the_arena_too() -> None:
    module = bufferized(chain(5, "N"))
    assert len([op for op in module.walk() if isinstance(op, hal.ArenaOp)]) == 1
    assert not [op for op in module.walk() if isinstance(op, hal.AllocateOp)]
    session = intaglio.InferenceSession(chain(5, "N"), opt_level=1)
    for size in (1, 3, 1000, 0):
        x = np.full(size, 1e-3, np.float32)
        expected = x.astype(np.float64)
        for _ in range(5):
            expected = np.cumsum(expected)
        np.testing.assert_allclose(session.run(None, {"v0": x})[0], expected, rtol=1e-4)


def test_absurd_sizes_end_the_run() -> None:
    nodes = [helper.make_node("Expand", ["x", "s"], ["e"]), helper.make_node("CumSum", ["e", "axis"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]), helper.make_tensor_value_info("s", TensorProto.INT64, [1])]
    axis = helper.make_tensor("axis", TensorProto.INT64, [], [0])
    graph = helper.make_graph(nodes, "large", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["M"])], [axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    session = intaglio.InferenceSession(model, opt_level=1)
    with pytest.raises(intaglio.IntaglioError, match="ITG5"):
        session.run(None, {"x": np.ones(1, np.float32), "s": np.array([2**60])})
    assert session.run(None, {"x": np.ones(1, np.float32), "s": np.array([3])})[0].tolist() == [1.0, 2.0, 3.0]


JOINS = """<ir_version: 8, opset_import: ["" : 18]>
m (float[1,16,4] a, float[1,3,4] b) => (float[1,89,4] y, float[1,54,4] z, float[1,16,4] u) {
    u = Relu(a) v = Exp(a) c = Concat<axis=1>(u, v) w = Sin(b) d = Concat<axis=1>(c, w, v, b) e = Tanh(c)
    y = Concat<axis=1>(d, e, w) z = Neg(d)
}"""


def test_what_is_joined_is_computed_there_or_copied() -> None:
    """Parts that are outputs, inputs, in two joins, at odd places, or read after they were joined."""
    model = onnx.parser.parse_model(JOINS)
    random = np.random.default_rng(0)
    feeds = {"a": random.standard_normal((1, 16, 4)).astype(np.float32), "b": random.standard_normal((1, 3, 4)).astype(np.float32)}
    expected = ReferenceEvaluator(model).run(None, feeds)
    for found, wanted in zip(intaglio.compile(model).session().run(None, feeds), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    copies = [op for op in bufferized(model).walk() if isinstance(op, hal.CopyOp)]
    assert len(copies) == 5  # u, v in d, b, w in y, and e, which would lie off alignment


def test_a_part_of_open_size_in_a_whole_of_known_size() -> None:
    text = "m (float[16,4] a, float[N,4] b) => (float[20,4] y) { u = Relu(a) v = Exp(b) c = Concat<axis=0>(u, v) y = Reshape(c, s) }"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> {text}')
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([20, 4]), "s"))
    a, b = np.ones((16, 4), np.float32), np.zeros((4, 4), np.float32)
    np.testing.assert_allclose(intaglio.compile(model).session().run(None, {"a": a, "b": b})[0], np.ones((20, 4)), rtol=1e-6)


def test_joined_tensors_of_open_size_are_copied() -> None:
    text = "m (float[N,4] a, float[M,4] b) => (float[K,4] y) { u = Relu(a) v = Exp(b) y = Concat<axis=0>(u, v, u) }"
    session = intaglio.compile(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> {text}')).session()
    for n, m in ((3, 5), (0, 2), (2, 0), (0, 0)):
        a, b = np.full((n, 4), 2, np.float32), np.ones((m, 4), np.float32)
        np.testing.assert_allclose(session.run(None, {"a": a, "b": b})[0], np.concatenate([a, np.exp(b), a]), rtol=1e-6)
