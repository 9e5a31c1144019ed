"""Tiny valid models over different operators, with inputs, that `fuzz_worker` damages."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

F32, I64, BOOL = np.float32, np.int64, np.bool_
Seed = tuple[onnx.ModelProto, dict[str, np.ndarray]]


def seeds() -> list[Seed]:
    return [
        make()
        for make in (convolution, attention, indexing, control, loop, recurrent, quantised, reductions, shaping, function, pooling, windows)
    ]


def official_seeds() -> list[Seed]:
    """The models of the official node tests: every operator in all its variants. Their inputs are constants in half of them, so
    that what depends on contents is known at compile time as well."""
    found = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for test in sorted(load_model_tests(kind="node"), key=lambda test: test.name):
            if test.model is None or not test.data_sets:
                continue
            arrays = dict(zip((i.name for i in test.model.graph.input), test.data_sets[0][0], strict=False))
            if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiub" for array in arrays.values()):
                continue
            model = onnx.ModelProto.FromString(test.model.SerializeToString())
            if len(found) % 2:
                names = list(arrays)[1:]
                model.graph.initializer.extend(numpy_helper.from_array(arrays[name], name) for name in names)
                kept = [i for i in model.graph.input if i.name not in names]
                del model.graph.input[:]
                model.graph.input.extend(kept)
            found.append((model, arrays))
    return found


def convolution() -> Seed:
    nodes = [
        _node("Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[1, 1], group=1, dilations=[1, 1], kernel_shape=[3, 3]),
        _node("BatchNormalization", "c s s s v", "n", epsilon=1e-5),
        _node("Relu", "n", "r"),
        _node("Conv", "r d", "e", group=4, auto_pad="SAME_UPPER", strides=[2, 2]),
        _node("Clip", "e lo hi", "f"),
        _node("GlobalAveragePool", "f", "g"),
        _node("Flatten", "g", "h", axis=1),
        _node("Gemm", "h m b2", "y", transB=1, alpha=0.5),
    ]
    ones = np.ones(4, F32)
    arrays = {"w": _some(4, 2, 3, 3), "b": ones, "s": ones, "v": ones, "d": _some(4, 1, 3, 3), "lo": F32(0), "hi": F32(6)}
    return _model(nodes, {"x": _some("n", 2, 6, 6)}, {**arrays, "m": _some(3, 4), "b2": _some(3)})


def attention() -> Seed:
    nodes = [
        _node("MatMul", "x w", "q"),
        _node("Transpose", "x", "k", perm=[0, 2, 1]),
        _node("MatMul", "q k", "s"),
        _node("Div", "s c", "t"),
        _node("Softmax", "t", "p", axis=-1),
        _node("MatMul", "p x", "o"),
        _node("Add", "o x", "r"),
        _node("LayerNormalization", "r g g", "l", axis=-1, epsilon=1e-5),
        _node("Gelu", "l", "y", approximate="tanh"),
    ]
    return _model(nodes, {"x": _some("b", "s", 4)}, {"w": _some(4, 4), "c": F32(2), "g": _some(4)}, opset=20)


def indexing() -> Seed:
    nodes = [
        _node("Gather", "table i", "e", axis=0),
        _node("GatherElements", "e j", "f", axis=1),
        _node("ScatterND", "f k u", "g"),
        _node("TopK", "g two", "v n", axis=-1, largest=1, sorted=1),
        _node("OneHot", "i depth values", "o", axis=-1),
        _node("NonZero", "o", "z"),
        _node("ArgMax", "g", "a", axis=1, keepdims=0),
        _node("CumSum", "g zero", "c", exclusive=1),
    ]
    arrays = {
        "table": _some(5, 4),
        "j": np.array([[0, 1], [2, 3]]),
        "k": np.array([[0, 1]]),
        "u": _some(1),
        "two": np.array([2]),
        "depth": np.array(4),
        "values": np.array([0, 1], F32),
        "zero": np.array(0),
    }
    return _model(nodes, {"i": ("int64", np.array([1, 3]))}, arrays, outputs="v n z a c")


def control() -> Seed:
    branches = {
        "then_branch": helper.make_graph([_node("Neg", "x", "t")], "then", [], [_value("t")]),
        "else_branch": helper.make_graph([_node("Add", "x one", "e")], "else", [], [_value("e")]),
    }
    nodes = [_node("If", "c", "a", **branches), _node("Where", "m a x", "b"), _node("ReduceMax", "b", "y", keepdims=0)]
    inputs = {"x": _some("n", 3), "c": ("bool", np.array(True)), "m": ("bool", np.array([True, False, True]))}
    return _model(nodes, inputs, {"one": F32(1)})


def loop() -> Seed:
    typed = {"i": (TensorProto.INT64, []), "c": (TensorProto.BOOL, []), "v": (TensorProto.FLOAT, [3])}
    body = helper.make_graph(
        [_node("Identity", "c", "d"), _node("Mul", "v half", "w"), _node("Add", "w x", "s")],
        "body",
        [helper.make_tensor_value_info(name, *type) for name, type in typed.items()],
        [_value("d"), _value("w"), _value("s")],
    )
    step = helper.make_graph(
        [_node("Add", "h e", "h2"), _node("Identity", "h2", "o")],
        "step",
        [helper.make_tensor_value_info("h", TensorProto.FLOAT, []), helper.make_tensor_value_info("e", TensorProto.FLOAT, [])],
        [_value("h2"), _value("o")],
    )
    nodes = [_node("Loop", "m go x", "l t", body=body), _node("Scan", "zero l", "h3 y", body=step, num_scan_inputs=1)]
    inputs = {"x": _some(3), "m": ("int64", np.array(4))}
    return _model(nodes, inputs, {"go": np.array(True), "half": F32(0.5), "zero": F32(0)}, outputs="l t y")


def recurrent() -> Seed:
    nodes = [
        _node("LSTM", "x w r b", "a h c", hidden_size=2, direction="bidirectional"),
        _node("GRU", "x gw gr", "g", hidden_size=2, linear_before_reset=1),
    ]
    arrays = {"w": _some(2, 8, 3), "r": _some(2, 8, 2), "b": _some(2, 16), "gw": _some(1, 6, 3), "gr": _some(1, 6, 2)}
    return _model(nodes, {"x": _some("t", "b", 3)}, arrays, outputs="a h c g")


def quantised() -> Seed:
    nodes = [
        _node("DynamicQuantizeLinear", "x", "q s z"),
        _node("MatMulInteger", "q w z", "m"),
        _node("Cast", "m", "f", to=TensorProto.FLOAT),
        _node("QuantizeLinear", "f s2 z2", "r", axis=1),
        _node("DequantizeLinear", "r s2 z2", "y", axis=1),
    ]
    arrays = {"w": np.ones((3, 4), np.int8), "s2": np.ones(4, F32), "z2": np.zeros(4, np.int8)}
    return _model(nodes, {"x": _some("n", 3)}, arrays)


def reductions() -> Seed:
    nodes = [
        _node("ReduceMean", "x axes", "a", keepdims=1),
        _node("Sub", "x a", "b"),
        _node("ReduceL2", "b axes", "c", keepdims=1, noop_with_empty_axes=0),
        _node("Div", "b c", "d"),
        _node("ReduceSum", "d", "e", keepdims=0),
        _node("ReduceLogSumExp", "x last", "f"),
        _node("LogSoftmax", "x", "g", axis=1),
        _node("Einsum", "x g", "y", equation="nij,nkj->nik"),
    ]
    return _model(nodes, {"x": _some("n", 2, 3)}, {"axes": np.array([1, 2]), "last": np.array([-1])}, outputs="e f y")


def shaping() -> Seed:
    nodes = [
        _node("Shape", "x", "s", start=0),
        _node("Gather", "s zero", "n", axis=0),
        _node("Concat", "n six", "t", axis=0),
        _node("Reshape", "x t", "r", allowzero=0),
        _node("Slice", "r a b axes steps", "c"),
        _node("Split", "r", "u v", axis=1, num_outputs=2),
        _node("Concat", "u v c", "w", axis=1),
        _node("Pad", "w pads", "p", mode="reflect"),
        _node("Expand", "p sizes", "e"),
        _node("Tile", "e reps", "f"),
        _node("Unsqueeze", "f zero", "g"),
        _node("Squeeze", "g zero", "h"),
        _node("Range", "start limit delta", "k"),
    ]
    arrays = {
        **{name: np.array([value]) for name, value in {"zero": 0, "six": 6, "a": 5, "b": 0, "axes": 1, "steps": -2}.items()},
        **{name: np.array(value) for name, value in {"start": 0, "limit": 7, "delta": 2}.items()},
        "pads": np.array([0, 1, 0, 1]),
        "sizes": np.array([1, 1]),
        "reps": np.array([2, 1]),
    }
    return _model(nodes, {"x": _some("n", 2, 3)}, arrays, outputs="h k", opset=20)


def function() -> Seed:
    model, feeds = _model(
        [_node("Twice", "x", "a", domain="mine", by=3.0), _node("Twice", "a", "y", domain="mine", by=0.5)], {"x": _some(2, 2)}, {}
    )
    body = [_node("Constant", "", "k"), _node("Mul", "v k", "w")]
    body[0].attribute.append(onnx.AttributeProto(name="value_float", ref_attr_name="by", type=onnx.AttributeProto.FLOAT))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    model.functions.append(helper.make_function("mine", "Twice", ["v"], ["w"], body, imports, ["by"]))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    return model, feeds


def pooling() -> Seed:
    nodes = [
        _node("MaxPool", "x", "m i", kernel_shape=[2, 2], strides=[1, 1], ceil_mode=1, storage_order=0),
        _node("AveragePool", "m", "a", kernel_shape=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1),
        _node("Resize", "a roi scales", "r", mode="linear", coordinate_transformation_mode="half_pixel"),
        _node("DepthToSpace", "r", "d", blocksize=2, mode="CRD"),
        _node("LpNormalization", "d", "y", axis=1, p=2),
    ]
    return _model(nodes, {"x": _some(1, 4, 4, 4)}, {"roi": np.zeros(0, F32), "scales": np.array([1, 1, 2, 2], F32)}, outputs="y i")


def windows() -> Seed:
    nodes = [
        _node("ConvTranspose", "x w", "c", strides=[2], output_padding=[1], pads=[1, 0], group=1),
        _node("InstanceNormalization", "c s s", "n"),
        _node("Einsum", "n n", "e", equation="bct,bdt->bcd"),
        _node("Trilu", "e", "t", upper=1),
        _node("Mod", "i j", "m"),
        _node("Div", "i j", "o"),
        _node("BitShift", "u u", "h", direction="LEFT"),
    ]
    arrays = {"w": _some(2, 3, 3), "s": _some(3), "j": np.array([3, -2]), "u": np.array([1, 9], np.uint8)}
    return _model(nodes, {"x": _some("b", 2, 5), "i": ("int64", np.array([7, -7]))}, arrays, outputs="t m o h")


def _node(op_type: str, inputs: str, outputs: str, domain: str = "", **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), outputs.split(), name=f"n_{outputs.split()[0]}", domain=domain, **attributes)


def _some(*dims: int | str) -> np.ndarray | tuple[str, np.ndarray, Sequence[int | str]]:
    """Numbers of this shape; a name stands for an open dimension, of size 2 here."""
    shape = [d if isinstance(d, int) else 2 for d in dims]
    array = (np.arange(np.prod(shape, dtype=int)) % 7 - 3).astype(F32).reshape(shape) / 4
    return array if all(isinstance(d, int) for d in dims) else ("float32", array, dims)


def _value(name: str) -> onnx.ValueInfoProto:
    return onnx.ValueInfoProto(name=name)


def _model(nodes: list[onnx.NodeProto], inputs: dict, arrays: dict, outputs: str = "y", opset: int = 18) -> Seed:
    feeds: dict[str, np.ndarray] = {}
    infos = []
    for name, given in inputs.items():
        array = given if isinstance(given, np.ndarray) else given[1]
        dims = given[2] if isinstance(given, tuple) and len(given) == 3 else array.shape
        feeds[name] = array
        infos.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), dims))
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "g", infos, [_value(name) for name in outputs.split()], initializer=weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), feeds
