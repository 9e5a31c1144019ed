"""Gradients against differences: every operator with a derivative, in doubles, a family a model, so that each compiles once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import intaglio
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

TRAINING = "ai.onnx.preview.training"
RANDOM = np.random.default_rng(3)
F64 = TensorProto.DOUBLE


def r(*shape: int, low: float = -1.93, high: float = 2.11) -> np.ndarray:
    """Random doubles that keep a distance from each other and from 0, where many functions have an edge."""
    count = int(np.prod(shape))
    steps = np.linspace(low, high, count + 2)[1:-1]
    away = np.where(abs(steps) < 0.02, 0.02, steps)
    return np.asarray(RANDOM.permutation(away).reshape(shape) + RANDOM.uniform(0, 0.01))


def i(*values: Any) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 and isinstance(values[0], list) else values, np.int64)


@dataclass
class Case:
    """An operator on inputs (None: left out); doubles are differentiated unless `held` numbers them; result: which one is."""

    op: str
    inputs: Sequence[np.ndarray | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    result: int = 0
    held: Sequence[int] = ()

    def wanted(self) -> list[int]:
        return [n for n, x in enumerate(self.inputs) if x is not None and x.dtype == np.float64 and n not in self.held]


def case(op: str, *inputs: np.ndarray | None, outputs: int = 1, result: int = 0, held: Sequence[int] = (), **attributes: Any) -> Case:
    return Case(op, inputs, attributes, outputs, result, held)


def model_of(cases: Sequence[Case], open_dims: bool) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """For each case k the outputs `y{k}`, its result squared, and `g{k}_{n}`, the gradient of input n."""
    nodes, values, held, outputs, feeds = [], [], [], [], {}
    for k, c in enumerate(cases):
        names = ["" if x is None else f"x{k}_{n}" for n, x in enumerate(c.inputs)]
        for name, x, n in zip(names, c.inputs, range(len(names)), strict=True):
            if x is not None and n in c.wanted():
                shape = [f"{name}_{axis}" for axis in range(x.ndim)] if open_dims else x.shape
                values.append(helper.make_tensor_value_info(name, F64, shape))
                feeds[name] = x
            elif x is not None:
                held.append(numpy_helper.from_array(np.asarray(x), name))
        results = [f"z{k}_{n}" for n in range(c.outputs)]
        nodes.append(helper.make_node(c.op, names, results, **c.attributes))
        # Squared, so that every element of the result counts differently.
        nodes.append(helper.make_node("Mul", [results[c.result]] * 2, [f"y{k}"]))
        xs = [names[n] for n in c.wanted()]
        grads = [f"g{k}_{n}" for n in c.wanted()]
        nodes.append(helper.make_node("Gradient", xs, grads, domain=TRAINING, xs=xs, y=f"y{k}"))
        outputs += [f"y{k}", *grads]
    graph = helper.make_graph(nodes, "g", values, [helper.make_empty_tensor_value_info(name) for name in outputs], held)
    opsets = [helper.make_opsetid("", 24), helper.make_opsetid(TRAINING, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=11), feeds


def check(cases: Sequence[Case], *, open_dims: bool = False, step: float = 1e-5, tolerance: float = 2e-6) -> None:
    model, feeds = model_of(cases, open_dims)
    session = intaglio.InferenceSession(model)
    names = [o.name for o in model.graph.output]

    def run(changed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(None, changed), strict=True))

    found = run(feeds)
    expected = {name: np.zeros(feeds[f"x{name[1:]}"].shape) for name in names if name.startswith("g")}
    slots = [[(n, flat) for n in c.wanted() for flat in range(c.inputs[n].size)] for c in cases]  # type: ignore[union-attr]
    # The cases share nothing: one run moves an element of each.
    for turn in range(max(map(len, slots))):
        moved: list[dict[str, np.ndarray]] = []
        for sign in (1, -1):
            changed = dict(feeds)
            for k, slot in enumerate(slots):
                if turn < len(slot):
                    n, flat = slot[turn]
                    changed[f"x{k}_{n}"] = feeds[f"x{k}_{n}"].copy()
                    changed[f"x{k}_{n}"].flat[flat] += sign * step
            moved.append(run(changed))
        for k, slot in enumerate(slots):
            if turn < len(slot):
                n, flat = slot[turn]
                expected[f"g{k}_{n}"].flat[flat] = (moved[0][f"y{k}"] - moved[1][f"y{k}"]).sum() / (2 * step)
    wrong = [
        f"{cases[int(name[1:].split('_')[0])]}: {name}\nfound {found[name]}\nexpected {slope}"
        for name, slope in expected.items()
        if not is_close(found[name], slope, tolerance)
    ]
    assert not wrong, "\n\n".join(wrong)


def is_close(found: np.ndarray, slope: np.ndarray, tolerance: float) -> bool:
    return found.shape == slope.shape and np.allclose(found, slope, rtol=tolerance, atol=tolerance * max(1, abs(slope).max()))


UNARY = [
    *(case(op, r(7)) for op in (
        "Abs", "Neg", "Exp", "Erf", "Sin", "Cos", "Atan", "Sinh", "Cosh", "Asinh", "Identity", "Relu", "LeakyRelu", "ThresholdedRelu",
        "Elu", "Selu", "Celu", "Gelu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish", "Softplus", "Softsign", "Tanh", "Shrink",
        "Reciprocal", "Dropout", "Floor", "Ceil", "Round", "Sign",
    )),
    *(case(op, r(6, low=0.1)) for op in ("Sqrt", "Log")),
    *(case(op, r(6, low=-0.9, high=0.9)) for op in ("Asin", "Acos", "Atanh", "Tan")),
    case("Acosh", r(6, low=1.1, high=3)),
    case("Gelu", r(7), approximate="tanh"),
    case("Celu", r(7), alpha=0.5),
    case("Swish", r(7), alpha=1.5),
    case("Shrink", r(7), lambd=0.7, bias=0.2),
]  # fmt: skip

BINARY = [
    *(case(op, r(2, 3), r(2, 3)) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    *(case(op, r(2, 1, 3), r(4, 1)) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    case("Add", r(), r(2, 2)),
    case("Pow", r(5, low=0.2), r(5)),
    case("Pow", r(2, 3, low=0.2), r(1)),
    case("Pow", r(5), i(2)),
    case("Mod", r(6, low=5, high=9), r(6, low=2.1, high=2.9), fmod=1),
    case("Sum", r(2, 3), r(3), r(2, 1)),
    case("Mean", r(2, 3), r(3), r(2, 1)),
    case("Max", r(2, 3), r(3), r(2, 1)),
    case("Where", np.array([[True], [False]]), r(2, 3), r(3)),
    case("PRelu", r(2, 3), r(3)),
    case("Clip", r(9), np.array(-1.01), np.array(1.02)),
    case("Clip", r(9), None, np.array(1.02)),
    case("Clip", r(9), np.array(-1.01)),
]

PRODUCTS = [
    case("MatMul", r(2, 3), r(3, 4)),
    case("MatMul", r(3), r(3, 4)),
    case("MatMul", r(2, 3), r(3)),
    case("MatMul", r(3), r(3)),
    case("MatMul", r(2, 1, 2, 3), r(4, 3, 2)),
    case("MatMul", r(3), r(2, 3, 2)),
    case("Gemm", r(2, 3), r(3, 4), r(4)),
    case("Gemm", r(3, 2), r(4, 3), r(2, 1), transA=1, transB=1, alpha=0.5, beta=2.0),
    case("Gemm", r(2, 3), r(3, 4)),
    case("Einsum", r(2, 3), r(3, 4), equation="ij,jk->ik"),
    case("Einsum", r(2, 3), equation="ij->j"),
    case("Einsum", r(2, 3, 4), r(2, 4, 3), equation="...ij,...jk"),
    case("Einsum", r(2, 3), r(3), r(2), equation="ij,j,i->"),
]

CONVOLUTIONS = [
    case("Conv", r(1, 2, 6), r(3, 2, 3), r(3), pads=[1, 1]),
    case("Conv", r(2, 2, 5, 6), r(4, 1, 3, 2), group=2, strides=[2, 2], pads=[1, 0, 0, 1]),
    case("Conv", r(1, 1, 7, 8), r(2, 1, 3, 3), dilations=[2, 1], strides=[1, 3]),
    case("Conv", r(1, 2, 5), r(2, 1, 2), group=2, auto_pad="SAME_UPPER"),
    case("ConvTranspose", r(1, 2, 4), r(2, 3, 3), r(3), strides=[2], pads=[1, 0], output_padding=[1]),
    case("ConvTranspose", r(2, 4, 2, 3), r(4, 1, 2, 2), group=2, dilations=[1, 2]),
    case("AveragePool", r(1, 2, 5, 5), kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    case("AveragePool", r(1, 2, 6), kernel_shape=[3], strides=[2], pads=[1, 0], count_include_pad=1, ceil_mode=1),
    case("AveragePool", r(1, 1, 6), kernel_shape=[3], strides=[2], ceil_mode=1),
    case("MaxPool", r(1, 2, 5, 5), kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    case("MaxPool", r(1, 2, 6), kernel_shape=[2], dilations=[2]),
    case("LpPool", r(1, 2, 6), kernel_shape=[2], p=2),
    case("LpPool", r(1, 2, 6), kernel_shape=[3], p=3, pads=[1, 1], strides=[2]),
    case("GlobalAveragePool", r(2, 2, 3, 2)),
    case("GlobalMaxPool", r(2, 2, 3, 2)),
    case("GlobalLpPool", r(2, 2, 3), p=3),
]

REDUCTIONS = [
    *(case(f"Reduce{how}", r(2, 3, 2, low=0.5, high=2), i(-2)) for how in (
        "Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp",
    )),
    *(case(f"Reduce{how}", r(2, 3), keepdims=0) for how in ("Sum", "Mean", "Max", "Prod", "L1", "L2", "LogSumExp")),
    case("ReduceProd", np.array([[0.0, 2, 3], [1, 4, 2], [0, 0, 5]]), i(1), keepdims=0),
    case("ReduceSum", r(2, 3), noop_with_empty_axes=1),
    case("CumSum", r(2, 4), i([1])[0]),
    case("CumSum", r(4, 2), i([0])[0], exclusive=1, reverse=1),
    case("Softmax", r(2, 4)),
    case("Softmax", r(3, 2), axis=0),
    case("LogSoftmax", r(2, 4), axis=1),
    case("LpNormalization", r(2, 4), axis=1),
    case("LpNormalization", r(2, 4), axis=0, p=1),
]  # fmt: skip

NORMALISATIONS = [
    case("BatchNormalization", r(2, 3, 2), r(3), r(3), r(3), r(3, low=0.5)),
    case("InstanceNormalization", r(2, 2, 4), r(2), r(2)),
    case("GroupNormalization", r(2, 4, 3), r(4), r(4), num_groups=2),
    case("LRN", r(1, 5, 2), size=3, alpha=0.5, bias=1.5),
    case("MeanVarianceNormalization", r(2, 2, 2, 3)),
    case("BatchNormalization", r(3, 2, 2), r(2), r(2), r(2), r(2, low=0.5), training_mode=1, held=(3, 4), outputs=3),
]

MOVES = [
    case("Reshape", r(2, 6), i(3, -1)),
    case("Flatten", r(2, 3, 2)),
    case("Squeeze", r(2, 1, 3), i([1])),
    case("Unsqueeze", r(2, 3), i(0, 2)),
    case("Transpose", r(2, 3, 4), perm=[2, 0, 1]),
    case("Expand", r(3, 1), i(2, 1, 4)),
    case("Concat", r(2, 3), r(2, 1), r(2, 2), axis=-1),
    case("Split", r(5, 2), i(2, 3), axis=0, outputs=2, result=1),
    case("Slice", r(5, 4), i(4, 0), i(0, 3), i(0, 1), i(-2, 1)),
    case("Pad", r(3, 2), i(1, 0, -1, 2), np.array(0.5)),
    case("Pad", r(4), i(2, 1), mode="reflect"),
    case("Pad", r(3, 2), i(1, 0, 0, 2), mode="edge"),
    case("Tile", r(2, 2), i(2, 3)),
    case("Gather", r(4, 2), i([[0, 3], [-1, 0]])),
    case("Gather", r(2, 4), i([1, 1, -2]), axis=1),
    case("GatherElements", r(3, 3), i([[0, 2], [1, 1]]), axis=1),
    case("GatherND", r(2, 3), i([[0, 1], [1, 2], [0, 1]])),
    case("ScatterElements", r(3, 3), i([[0, 2], [1, 0]]), r(2, 2), axis=1),
    case("ScatterElements", r(3), i([0, 0]), r(2), reduction="add"),
    case("ScatterND", r(4, 2), i([[3], [0]]), r(2, 2)),
    case("ScatterND", r(4, 2), i([[3], [3]]), r(2, 2), reduction="add"),
    case("Compress", r(3, 2), np.array([True, False, True]), axis=0),
    case("TopK", r(2, 5), i([2]), outputs=2),
    case("Trilu", r(3, 3), upper=0),
    case("DepthToSpace", r(1, 4, 1, 2), blocksize=2),
    case("SpaceToDepth", r(1, 1, 2, 4), blocksize=2),
    case("ReverseSequence", r(3, 2), i(3, 2)),
    case("Cast", r(4), to=F64),
]

LABELS = i([1, 0, 2])
LOSSES = [
    case("NegativeLogLikelihoodLoss", r(3, 3), LABELS, reduction="sum"),
    case("NegativeLogLikelihoodLoss", r(3, 3), LABELS, r(3, low=0.5), ignore_index=0),
    case("NegativeLogLikelihoodLoss", r(2, 3, 2), i([[0, 2], [1, 1]]), reduction="none"),
    case("SoftmaxCrossEntropyLoss", r(3, 3), LABELS),
    case("SoftmaxCrossEntropyLoss", r(3, 3), LABELS, r(3, low=0.5), reduction="sum", ignore_index=2),
    case("SoftmaxCrossEntropyLoss", r(3, 3), LABELS, outputs=2, result=1),
]

FAMILIES = {
    "unary": UNARY, "binary": BINARY, "products": PRODUCTS, "convolutions": CONVOLUTIONS, "reductions": REDUCTIONS,
    "normalisations": NORMALISATIONS, "moves": MOVES, "losses": LOSSES,
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients(family: str) -> None:
    check(FAMILIES[family])


def test_layers_in_single_precision_inside() -> None:
    """These compute their statistics in float32, whatever their operands are."""
    check(
        [
            case("LayerNormalization", r(2, 6), r(6), r(6)),
            case("LayerNormalization", r(2, 3, 2), r(3, 2), axis=1),
            case("RMSNormalization", r(2, 6), r(6)),
        ],
        step=3e-3,
        tolerance=2e-3,
    )


def test_open_dimensions() -> None:
    """Where only the run knows what was broadcast."""
    check(
        [
            case("Mul", r(2, 1), r(4, 1, 3)),
            case("Where", np.array([[True], [False]]), r(2, 3), r(3)),
            case("MatMul", r(2, 1, 2, 3), r(4, 3, 2)),
            case("Conv", r(1, 2, 6), r(3, 2, 3), r(3), pads=[1, 1]),
            case("MaxPool", r(1, 2, 6), kernel_shape=[2], dilations=[2]),
            case("ReduceMean", r(2, 3, 2), i(-2), keepdims=0),
            case("Softmax", r(2, 4)),
            case("Reshape", r(2, 6), i(3, -1)),
            case("Concat", r(2, 3), r(2, 1), axis=-1),
            case("Slice", r(5, 4), i(4, 0), i(0, 3), i(0, 1), i(-2, 1)),
        ],
        open_dims=True,
    )


# -- the operator itself


def run(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], held: dict[str, np.ndarray] | None = None, **feeds: Any) -> list[Any]:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(x).dtype), np.shape(x)) for n, x in feeds.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(x), n) for n, x in (held or {}).items()],
    )
    opsets = [helper.make_opsetid("", 24), helper.make_opsetid(TRAINING, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=11)
    return intaglio.compile(model).session().run(None, {n: np.asarray(x) for n, x in feeds.items()})


def make(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def gradient(inputs: str, outputs: Sequence[str], xs: str, y: str, zs: str = "", name: str = "the_gradient") -> onnx.NodeProto:
    more = {"zs": zs.split()} if zs else {}
    return helper.make_node("Gradient", inputs.split(), list(outputs), name, domain=TRAINING, xs=xs.split(), y=y, **more)


def test_the_second_order() -> None:
    """d/dw (x w^3 + w)^2 twice; the second Gradient names the result of the first."""
    nodes = [
        make("Mul", "w w", "w2"),
        make("Mul", "w2 w", "w3"),
        make("Mul", "x w3", "p"),
        make("Add", "p w", "q"),
        make("Mul", "q q", "y"),
        gradient("w x", ["dw"], "w", "y", "x", name="first"),
        gradient("w x", ["ddw", "dwdx"], "w x", "dw", name="second"),
    ]
    w, x = 1.5, 0.7
    q, dq = x * w**3 + w, 3 * x * w**2 + 1
    found = run(nodes, ["dw", "ddw", "dwdx"], w=w, x=x)
    np.testing.assert_allclose(found, [2 * q * dq, 2 * dq * dq + 2 * q * 6 * x * w, 2 * w**3 * dq + 2 * q * 3 * w**2])


def test_second_derivatives_of_layers() -> None:
    """Of a network of a convolution, a pool and a product, along one direction, against differences of the first."""
    x, w, m, v = r(1, 1, 5, 5), r(2, 1, 2, 2), r(8, 2), r(2, 1, 2, 2)
    nodes = [
        make("Conv", "x w", "c"),
        make("Tanh", "c", "t"),
        make("MaxPool", "t", "p", kernel_shape=[2, 2], strides=[2, 2]),
        make("Flatten", "p", "f"),
        make("MatMul", "f m", "o"),
        make("Softmax", "o", "s"),
        make("Mul", "s o", "y"),
        gradient("w", ["dw"], "w", "y"),
        make("Mul", "dw v", "along"),
        gradient("w", ["hv"], "w", "along", name="second"),
    ]
    h = 1e-5
    first = [run(nodes, ["dw"], {"x": x, "m": m, "v": v}, w=w + sign * h * v)[0] for sign in (1, -1)]
    (second,) = run(nodes, ["hv"], {"x": x, "m": m, "v": v}, w=w)
    np.testing.assert_allclose(second, (first[0] - first[1]) / (2 * h), rtol=1e-5, atol=1e-6)


def test_intermediate_tensors_are_cut() -> None:
    """With respect to a tensor between, what it is made of does not count."""
    nodes = [make("Mul", "a a", "h"), make("Mul", "h a", "y"), gradient("h a", ["dh", "da"], "h a", "y")]
    assert [float(g) for g in run(nodes, ["dh", "da"], a=3.0)] == [3, 9]


def test_other_values_are_fed() -> None:
    nodes = [make("Mul", "a b", "h"), make("Mul", "h a", "y"), gradient("other b", ["da"], "a", "y", "b")]
    y, da = run(nodes, ["y", "da"], a=3.0, b=2.0, other=5.0)
    assert (float(y), float(da)) == (18, 20)


def test_some_results_are_not_asked_for() -> None:
    nodes = [make("Mul", "a b", "y"), gradient("a b", ["", "db"], "a b", "y")]
    assert float(run(nodes, ["db"], a=3.0, b=2.0)[0]) == 3


def test_what_y_does_not_depend_on_has_a_gradient_of_zero() -> None:
    nodes = [make("Mul", "a a", "y"), gradient("b", ["db"], "b", "y")]
    assert run(nodes, ["db"], a=3.0, b=np.ones((2, 3)))[0].tolist() == np.zeros((2, 3)).tolist()


def test_y_itself_and_several_uses() -> None:
    nodes = [make("Add", "a a", "y"), gradient("a", ["da"], "a", "y"), gradient("a", ["one"], "a", "a", name="second")]
    assert [g.tolist() for g in run(nodes, ["da", "one"], a=np.ones(2))] == [[2, 2], [1, 1]]


def test_the_order_of_nodes_does_not_matter() -> None:
    nodes = [gradient("a", ["da"], "a", "y"), make("Exp", "a", "y")]
    assert float(run(nodes, ["da"], a=0.0)[0]) == 1


@pytest.mark.parametrize("chosen", [True, False])
def test_branches(chosen: bool) -> None:
    branches = {
        "then_branch": helper.make_graph([make("Mul", "a b", "t")], "then", [], [helper.make_empty_tensor_value_info("t")]),
        "else_branch": helper.make_graph([make("Exp", "a", "e")], "else", [], [helper.make_empty_tensor_value_info("e")]),
    }
    nodes = [make("If", "c", "h", **branches), make("Mul", "h a", "y"), gradient("a b", ["da", "db"], "a b", "y")]
    a, b = np.array([0.5, 2]), np.array([3.0, 4])
    da, db = run(nodes, ["da", "db"], c=np.array(chosen), a=a, b=b)
    np.testing.assert_allclose(da, 2 * a * b if chosen else np.exp(a) * (1 + a))
    np.testing.assert_allclose(db, a * a if chosen else [0, 0])


def test_dropout_keeps_its_mask() -> None:
    """Drawn without a seed, the mask cannot be drawn again; where the input is 0 the output does not tell it."""
    nodes = [make("Dropout", "x ratio on", "y"), gradient("x", ["dx"], "x", "y")]
    held = {"ratio": np.array(0.25), "on": np.array(True)}
    y, dx = run(nodes, ["y", "dx"], held, x=np.full(1000, 3.0))
    np.testing.assert_allclose(dx, y / 3)
    (alone,) = run(nodes, ["dx"], held, x=np.zeros(1000))
    assert set(np.round(alone, 6)) == {0, round(1 / 0.75, 6)}


def test_single_and_half_precision() -> None:
    for dtype, tolerance in ((np.float32, 1e-6), (np.float16, 2e-3)):
        nodes = [make("Mul", "a a", "s"), make("Tanh", "s", "y"), gradient("a", ["da"], "a", "y")]
        a = np.array([0.5, -0.25], dtype)
        (da,) = run(nodes, ["da"], a=a)
        assert da.dtype == dtype
        np.testing.assert_allclose(da, 2 * a * (1 - np.tanh(a * a) ** 2), rtol=tolerance)


def test_an_operator_without_derivative_is_named() -> None:
    nodes = [helper.make_node("Det", ["a"], ["y"], "the_det"), gradient("a", ["da"], "a", "y")]
    with pytest.raises(intaglio.IntaglioError) as caught:
        run(nodes, ["da"], a=np.eye(2))
    assert caught.value.code == "ITG3050" and caught.value.node == "the_gradient"
    assert "Det" in str(caught.value) and "the_det" in str(caught.value)


def test_a_name_that_nothing_defines() -> None:
    with pytest.raises(intaglio.IntaglioError) as caught:
        run([make("Exp", "a", "y"), gradient("a", ["da"], "a", "nothing")], ["da"], a=0.0)
    assert "nothing" in str(caught.value) and "ITG1002" in str(caught.value)


def test_training_descends() -> None:
    """Steps of gradient descent inside of one compiled Loop learn exclusive or."""
    xs = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    labels = np.array([0, 1, 1, 0])
    body = helper.make_graph(
        [
            make("MatMul", "x w", "h"),
            make("Add", "h b", "hb"),
            make("Tanh", "hb", "t"),
            make("MatMul", "t v", "o"),
            make("SoftmaxCrossEntropyLoss", "o labels", "loss"),
            gradient("w b v", ["dw", "db", "dv"], "w b v", "loss"),
            *(node for p in "wbv" for node in (make("Mul", f"d{p} rate", f"s{p}"), make("Sub", f"{p} s{p}", f"n{p}"))),
            make("Identity", "go", "go_on"),
        ],
        "step",
        [
            helper.make_tensor_value_info("k", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            *(helper.make_tensor_value_info(p, F64, s) for p, s in (("w", [2, 8]), ("b", [8]), ("v", [8, 2]))),
        ],
        [helper.make_empty_tensor_value_info(n) for n in ("go_on", "nw", "nb", "nv", "loss")],
    )
    nodes = [make("Loop", "rounds yes w0 b0 v0", "w b v losses", body=body)]
    held = {"rounds": np.array(400), "yes": np.array(True), "labels": labels, "rate": np.array(1.0), "x": xs}
    (losses,) = run(nodes, ["losses"], held, w0=r(2, 8), b0=r(8), v0=r(8, 2))
    assert losses[0] > 0.5 and losses[-1] < 0.02
