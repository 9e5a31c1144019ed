"""Products of bytes against numpy's of integers: every type, zero point, size and processor gives the same, exactly."""

from __future__ import annotations

from typing import Any

import intaglio
import numpy as np
import pytest
from intaglio.backends.target import host_target
from intaglio.compiler.lowering import lower_model
from intaglio.compiler.options import Options

onnx = pytest.importorskip("onnx")

from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

CPUS = [c for c in ("host", "x86-64-v3", "x86-64") if c == "host" or host_target().triple.startswith("x86_64")]
BYTES = [np.uint8, np.int8]


def draw(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def session(
    op: str, feeds: dict[str, np.ndarray], constants: dict[str, np.ndarray], cpu: str = "host", dims: Any = None, **attributes: Any
) -> Any:
    """One operator on its inputs in the order a, b, p, q, as far as they are given."""
    given = feeds | constants
    names = [n if n in given else "" for n in "abpq"]
    ports = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), (dims or {}).get(n, x.shape)) for n, x in feeds.items()
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "bytes",
        ports,
        [helper.make_tensor_value_info("y", onnx.TensorProto.INT32, None)],
        [numpy_helper.from_array(x, n) for n, x in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    return intaglio.compile(model, cpu=cpu, opt_level=1).session()


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("right", BYTES)
@pytest.mark.parametrize("left", BYTES)
def test_types_and_zero_points(left: Any, right: Any, constant: bool, cpu: str) -> None:
    a, b, p, q = draw((17, 70), left), draw((70, 37), right, 1), draw((17,), left, 2), draw((37,), right, 3)
    weights = {"b": b, "q": q} if constant else {}
    feeds = {"a": a, "p": p} | ({} if constant else {"b": b, "q": q})
    (got,) = session("MatMulInteger", feeds, weights, cpu).run(None, feeds)
    np.testing.assert_array_equal(got, (a.astype(int) - p[:, None].astype(int)) @ (b.astype(int) - q.astype(int)))


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 1), (1, 1)),
        ((1, 64), (64, 100)),
        ((5, 3), (3, 7)),
        ((15, 100), (100, 33)),
        ((29, 1024), (1024, 16)),
        ((3, 0), (0, 2)),
        ((0, 4), (4, 2)),
        ((3, 1, 5, 20), (1, 2, 20, 9)),
        ((2, 1, 5, 20), (20, 9)),
        ((20,), (20, 9)),
        ((5, 20), (20,)),
        ((2, 5, 7), (7,)),
    ],
    ids=str,
)
def test_sizes(left: tuple[int, ...], right: tuple[int, ...], constant: bool) -> None:
    a, b, p = draw(left, np.uint8), draw(right, np.int8, 1), np.array(200, np.uint8)
    feeds = {"a": a, "p": p} | ({} if constant else {"b": b})
    (got,) = session("MatMulInteger", feeds, {"b": b} if constant else {}).run(None, feeds)
    np.testing.assert_array_equal(got, np.matmul(a.astype(int) - 200, b.astype(int)))


@pytest.mark.parametrize("zero", [None, 128, 130])
def test_unsigned_weights(zero: int | None) -> None:
    """Those that are signed bytes once less their zero point, and those that are not."""
    a, b = draw((9, 24), np.int8), draw((24, 20), np.uint8, 1)
    constants = {"b": b} | ({} if zero is None else {"q": np.array(zero, np.uint8)})
    (got,) = session("MatMulInteger", {"a": a}, constants).run(None, {"a": a})
    np.testing.assert_array_equal(got, a.astype(int) @ (b.astype(int) - (zero or 0)))


def test_open_dimensions() -> None:
    a, b, p = draw((2, 3), np.uint8), draw((3, 4), np.int8), np.array(3, np.uint8)
    run = session("MatMulInteger", {"a": a, "b": b, "p": p}, {}, dims={"a": ("M", "K"), "b": ("K", "N")}).run
    for m, k, n in [(1, 1, 1), (1, 40, 3), (13, 14, 15), (14, 16, 32), (31, 33, 65), (2, 0, 3), (0, 3, 2), (64, 5, 1)]:
        a, b = draw((m, k), np.uint8), draw((k, n), np.int8, 1)
        np.testing.assert_array_equal(run(None, {"a": a, "b": b, "p": p})[0], (a.astype(int) - 3) @ b.astype(int))


def test_sums_wrap_around() -> None:
    depth = 1 << 18
    a, b = np.full((1, depth), 255, np.uint8), np.full((depth, 1), -128, np.int8)
    (got,) = session("MatMulInteger", {"a": a, "b": b}, {}).run(None, {"a": a, "b": b})
    assert got.item() == np.int64(-255 * 128 * depth).astype(np.int32)


# -- convolutions


def convolved(x: np.ndarray, w: np.ndarray, **attributes: Any) -> np.ndarray:
    """By ONNX's reference in float64, where whole numbers stay whole."""
    ports = [helper.make_tensor_value_info(n, onnx.TensorProto.DOUBLE, a.shape) for n, a in (("x", x), ("w", w))]
    output = helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"], **attributes)], "g", ports, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    found: Any = ReferenceEvaluator(model).run(None, {"x": x.astype(np.float64), "w": w.astype(np.float64)})[0]
    return found


def check_convolution(
    x: np.ndarray, w: np.ndarray, p: np.ndarray, q: np.ndarray | None, cpu: str = "host", dims: Any = None, **more: Any
) -> None:
    feeds, weights = {"a": x, "p": p}, {"b": w} | ({} if q is None else {"q": q})
    (got,) = session("ConvInteger", feeds, weights, cpu, dims, **more).run(None, feeds)
    zeros = 0 if q is None else q.astype(int).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(got, convolved(x.astype(int) - p.astype(int), w.astype(int) - zeros, **more))


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("right", BYTES)
@pytest.mark.parametrize("left", BYTES)
def test_convolutions_of_types_and_zero_points(left: Any, right: Any, cpu: str) -> None:
    x, w = draw((2, 20, 9, 7), left), draw((37, 20, 3, 3), right, 1)
    p, q = draw((), left, 2), draw((37,), right, 3)
    check_convolution(x, w, p, q, cpu, pads=[1, 1, 1, 1])


@pytest.mark.parametrize(
    ("channels", "filters", "group", "attributes"),
    [
        (3, 16, 1, {"pads": [1, 2, 0, 1], "strides": [2, 1]}),
        (4, 8, 1, {}),
        (16, 33, 1, {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
        (20, 20, 20, {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        (16, 16, 16, {}),
        (4, 8, 2, {"pads": [1, 1, 1, 1]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("open_plane", [False, True])
def test_convolutions_of_shapes(channels: int, filters: int, group: int, attributes: dict[str, Any], open_plane: bool) -> None:
    x, w = draw((1, channels, 8, 11), np.uint8), draw((filters, channels // group, 3, 3), np.int8, 1)
    dims = {"a": ("N", channels, "H", "W")} if open_plane else None
    check_convolution(x, w, np.array(77, np.uint8), np.array(-5, np.int8), dims=dims, group=group, **attributes)


def test_a_network_of_bytes_stays_in_blocks() -> None:
    """Scales by channel, a bias, a depthwise convolution, and a sum of real values between convolutions."""
    text = """
        c = QLinearConv <pads = [1, 1, 1, 1]> (x, s, p, w, t, q, u, p, k)
        d = QLinearConv <pads = [1, 1, 1, 1], group = 20> (c, u, p, v, s, q0, u, p)
        e = DequantizeLinear (c, u, p)
        f = DequantizeLinear (d, u, p)
        g = Add (e, f)
        h = QuantizeLinear (g, u, p)
        y = QLinearConv (h, u, p, r, s, q0, u, p)
    """
    graph = onnx.parser.parse_graph(f"g (uint8[1,3,6,7] x) => (uint8[1,5,6,7] y) {{ {text} }}")
    constants = {
        "s": np.float32(0.02), "u": np.float32(0.5), "p": np.uint8(128), "q0": np.int8(0), "q": draw((20,), np.int8, 5),
        "t": np.linspace(0.01, 0.05, 20, dtype=np.float32), "k": np.arange(20, dtype=np.int32) * 100 - 900,
        "w": draw((20, 3, 3, 3), np.int8, 1), "v": draw((20, 1, 3, 3), np.int8, 2), "r": draw((5, 20, 1, 1), np.int8, 3),
    }  # fmt: skip
    graph.initializer.extend(numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    levels: dict[str, list[str]] = {}
    lower_model(
        model.SerializeToString(), Options(), observe=lambda level, module: levels.update({level: [op.name for op in module.walk()]})
    )
    names = levels["onnx"]
    assert (names.count("blocked.qlinear_conv"), names.count("blocked.pack"), names.count("blocked.unpack")) == (3, 1, 1)
    x = draw((1, 3, 6, 7), np.uint8)
    wanted: Any = ReferenceEvaluator(model).run(None, {"x": x})[0]
    got = intaglio.compile(model, opt_level=1).session().run(None, {"x": x})[0]
    assert np.abs(got.astype(int) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize("scale", [np.float32(0.03), np.linspace(0.01, 0.05, 8, dtype=np.float32)], ids=["one", "by channel"])
def test_dequantised_filters_are_constants(scale: np.ndarray) -> None:
    text = """
        f = DequantizeLinear <axis = 0> (w, s, q)
        e = DequantizeLinear (x, u, p)
        c = Conv (e, f)
        y = QuantizeLinear (c, u, p)
    """
    graph = onnx.parser.parse_graph(f"g (uint8[1,3,6,7] x) => (uint8[1,8,4,5] y) {{ {text} }}")
    zeros = draw(np.shape(scale), np.int8, 2)
    constants = {"u": np.float32(0.5), "p": np.uint8(128), "w": draw((8, 3, 3, 3), np.int8, 1), "s": scale, "q": zeros}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    names: list[str] = []
    lower_model(model.SerializeToString(), Options(), observe=lambda level, m: names.extend(op.name for op in m.walk() if level == "onnx"))
    assert names.count("onnx.DequantizeLinear") == 1
    x = draw((1, 3, 6, 7), np.uint8)
    wanted: Any = ReferenceEvaluator(model).run(None, {"x": x})[0]
    got = intaglio.compile(model, opt_level=1).session().run(None, {"x": x})[0]
    assert np.abs(got.astype(int) - wanted.astype(int)).max() <= 1
