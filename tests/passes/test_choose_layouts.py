"""Channel-blocked layouts: where they begin and end, and that padding lanes never show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.compiler.lowering import lower_model  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from xdsl.dialects.builtin import ModuleOp  # noqa: E402

node = helper.make_node


def network(nodes: Sequence[onnx.NodeProto], shape: Sequence[int | str], **weights: tuple[int, ...]) -> onnx.ModelProto:
    draw = np.random.default_rng(0)
    constants = [numpy_helper.from_array(draw.uniform(-1, 1, s).astype(np.float32), n) for n, s in weights.items()]
    ports = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s)] for n, s in (("x", shape), ("y", None))]
    graph = helper.make_graph(list(nodes), "network", *ports, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)


def operators(model: onnx.ModelProto) -> Counter[str]:
    found: Counter[str] = Counter()

    def reached(level: str, module: ModuleOp) -> None:
        if level == "onnx":
            found.update(op.name for op in module.walk())

    lower_model(model.SerializeToString(), Options(), observe=reached)
    return found


def agrees(model: onnx.ModelProto, *shapes: tuple[int, ...]) -> None:
    session, reference = intaglio.InferenceSession(model, opt_level=1), ReferenceEvaluator(model)
    for shape in shapes:
        x = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
        wanted: Any = reference.run(None, {"x": x})[0]
        np.testing.assert_allclose(session.run(None, {"x": x})[0], wanted, rtol=1e-4, atol=1e-4)


def test_one_pack_and_one_unpack_around_a_network() -> None:
    steps = [
        node("Conv", ["x", "a"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["m", "b"], ["d"]),
        node("Sigmoid", ["d"], ["y"]),
    ]
    model = network(steps, [1, 16, 8, 8], a=(32, 16, 3, 3), b=(16, 32, 1, 1))
    found = operators(model)
    assert (found["blocked.pack"], found["blocked.unpack"], found["blocked.conv"], found["blocked.pool"]) == (1, 1, 2, 1)
    agrees(model, (1, 16, 8, 8))


@pytest.mark.parametrize("channels", [1, 3, 5, 16, 17, 40])
@pytest.mark.parametrize("filters", [1, 15, 33])
def test_channels_that_fill_no_block(channels: int, filters: int) -> None:
    steps = [
        node("Conv", ["x", "a", "b"], ["c"], pads=[0, 1, 2, 0], strides=[2, 1]),
        node("Cos", ["c"], ["e"]),  # 1 in the padding lanes
        node("Conv", ["e", "d"], ["y"], dilations=[1, 2]),
    ]
    model = network(steps, [2, channels, 7, 6], a=(filters, channels, 3, 2), b=(filters,), d=(4, filters, 2, 2))
    agrees(model, (2, channels, 7, 6))


@pytest.mark.parametrize("channels", [3, 16, 20])
def test_depthwise(channels: int) -> None:
    steps = [
        node("Conv", ["x", "a"], ["c"]),
        node("Conv", ["c", "b"], ["d"], group=channels, pads=[1, 1, 1, 1], strides=[2, 2]),
        node("AveragePool", ["d"], ["p"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["p"], ["y"]),
    ]
    model = network(steps, [1, 8, 9, 9], a=(channels, 8, 1, 1), b=(channels, 1, 3, 3))
    agrees(model, (1, 8, 9, 9))


def test_open_planes_and_batches() -> None:
    steps = [node("Conv", ["x", "a"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["r"]), node("Conv", ["r", "b"], ["y"])]
    model = network(steps, ["N", 3, "H", "W"], a=(20, 3, 3, 3), b=(7, 20, 1, 1))
    agrees(model, (1, 3, 8, 8), (2, 3, 5, 33), (3, 3, 1, 1))


def test_what_keeps_its_layout() -> None:
    grouped = network([node("Conv", ["x", "a"], ["y"], group=2)], [1, 8, 6, 6], a=(4, 4, 3, 3))
    assert not any(name.startswith("blocked.") for name in operators(grouped))
    agrees(grouped, (1, 8, 6, 6))


@pytest.mark.parametrize("groups", [2, 3])
def test_groups_of_whole_blocks_are_convolutions_of_their_own(groups: int) -> None:
    steps = [node("Conv", ["x", "a", "b"], ["c"], group=groups, pads=[1, 1, 1, 1], strides=[2, 1]), node("Relu", ["c"], ["y"])]
    model = network(steps, [2, 16 * groups, 7, 6], a=(32 * groups, 16, 3, 3), b=(32 * groups,))
    assert operators(model)["blocked.conv"] == groups
    agrees(model, (2, 16 * groups, 7, 6))


@pytest.mark.parametrize(
    ("channels", "kernel", "used_twice", "plane"), [(16, 1, False, 9), (20, 3, False, 13), (16, 1, True, 9), (16, 1, False, 2)]
)
def test_a_scale_of_channels_goes_into_the_filters(channels: int, kernel: int, used_twice: bool, plane: int) -> None:
    """As squeeze and excitation have it; not where the product is wanted otherwise, or where the filters are more than the plane."""
    steps = [
        node("Conv", ["x", "a"], ["c"]),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Sigmoid", ["p"], ["s"]),
        node("Mul", ["s", "c"] if channels == 20 else ["c", "s"], ["m"]),
        node("Conv", ["m", "b"], ["d"], pads=[kernel // 2] * 4),
        node("Add", ["d", "m"], ["y"]) if used_twice else node("Relu", ["d"], ["y"]),
    ]
    filters = channels if used_twice else 5
    model = network(steps, [1, 8, plane, plane], a=(channels, 8, 1, 1), b=(filters, channels, kernel, kernel))
    assert operators(model)["onnx.Mul"] == int(used_twice or plane == 2)
    agrees(model, (1, 8, plane, plane))


@pytest.mark.parametrize(("type", "roundings"), [(TensorProto.FLOAT16, 0.02), (TensorProto.BFLOAT16, 0.15)])
def test_short_floats_stay_in_blocks(type: int, roundings: float) -> None:
    steps = [
        node("Cast", ["x"], ["h"], to=type),
        node("Conv", ["h", "a"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["m", "b"], ["d"]),
        node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
    ]
    model = network(steps, [1, 3, 8, 8], a=(20, 3, 3, 3), b=(7, 20, 1, 1))
    in_float = onnx.ModelProto()
    in_float.CopyFrom(model)
    for tensor in model.graph.initializer:
        short = numpy_helper.to_array(tensor).astype(helper.tensor_dtype_to_np_dtype(type))
        tensor.CopyFrom(numpy_helper.from_array(short, tensor.name))
    found = operators(model)
    assert (found["blocked.conv"], found["blocked.pool"], found["blocked.pack"], found["blocked.unpack"]) == (2, 1, 1, 1)
    for cast in (n for n in in_float.graph.node if n.op_type == "Cast"):
        cast.attribute[0].i = TensorProto.FLOAT
    x = np.random.default_rng(1).uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32)
    wanted: Any = ReferenceEvaluator(in_float).run(None, {"x": x})[0]
    np.testing.assert_allclose(intaglio.InferenceSession(model, opt_level=1).run(None, {"x": x})[0], wanted, atol=roundings)
