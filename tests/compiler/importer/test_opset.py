"""Older operator sets: every difference in the history of ONNX is accounted for, and adapted nodes compute what they did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx
import onnx.defs
import onnxruntime
import pytest
from intaglio.compiler.importer import ImportedModel
from intaglio.compiler.importer.opset import ADAPTERS, NEWEST
from intaglio.dialects.onnx import OPERATORS
from onnx import helper
from onnx.defs import OpSchema
from onnx.reference import ReferenceEvaluator

Again = Callable[..., onnx.ModelProto]
Codes = Callable[..., list[str]]


def history() -> dict[tuple[str, str], list[OpSchema]]:
    found: dict[tuple[str, str], list[OpSchema]] = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        found["" if schema.domain == "ai.onnx" else schema.domain, schema.name].append(schema)
    return {key: sorted(schemas, key=lambda s: s.since_version) for key, schemas in found.items()}


HISTORY = history()


def differs(old: OpSchema, new: OpSchema) -> bool:
    """Whether a node of the old version means something else, or is malformed, if it is read as one of the new version."""
    for name, attribute in old.attributes.items():
        later = new.attributes.get(name)
        if later is None or later.type != attribute.type or later.default_value != attribute.default_value:
            return True
        if later.required and not attribute.required:
            return True
    if any(a.required for name, a in new.attributes.items() if name not in old.attributes):
        return True
    for before, after in ((old.inputs, new.inputs), (old.outputs, new.outputs)):
        options = [p.option for p in before]
        if len(after) < len(before) or any(
            was != now and now != OpSchema.FormalParameterOption.Optional
            for was, now in zip(options, [p.option for p in after], strict=False)
        ):
            return True
        if any(p.option == OpSchema.FormalParameterOption.Single for p in after[len(before) :]):
            return True
    return False


STEPS = [
    pytest.param(key, old, new, id=f"{key[1]}-{old.since_version}-{new.since_version}")
    for key, schemas in HISTORY.items()
    for old, new in pairwise(schemas)
    if new.deprecated or differs(old, new)
]

KEPT = {
    # ai.onnx.ml 5 calls these deprecated in favour of TreeEnsemble; the dialect keeps them.
    ("ai.onnx.ml", "TreeEnsembleClassifier"),
    ("ai.onnx.ml", "TreeEnsembleRegressor"),
}


@pytest.mark.parametrize(("key", "old", "new"), STEPS)
def test_every_difference_has_an_adapter(key: tuple[str, str], old: OpSchema, new: OpSchema) -> None:
    assert key in KEPT or any(old.since_version < before for before, _ in ADAPTERS[key]), f"nothing adapts {key} {old.since_version}"


def test_adapters_belong_to_operators_that_were() -> None:
    withdrawn_before_history = {"Affine", "Scale", "ScaledTanh", "ParametricSoftplus", "ImageScaler"}
    assert {key for key in ADAPTERS if key not in HISTORY} == {("", name) for name in withdrawn_before_history}
    for key, steps in ADAPTERS.items():
        assert [before for before, _ in steps] == sorted(before for before, _ in steps), key


def test_the_newest_versions_are_those_of_the_definitions() -> None:
    for (domain, op_type), cls in OPERATORS.items():
        assert NEWEST[domain] >= cls.SINCE, op_type


# -- numbers

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def model(
    op_type: str,
    version: int,
    inputs: list[np.ndarray | None],
    attributes: dict[str, object] | None = None,
    *,
    outputs: int = 1,
    constants: tuple[int, ...] = (),
    domain: str = "",
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model of one node, and its feeds; inputs numbered in `constants` are initialisers."""
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(inputs)]
    arrays = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    node = helper.make_node(op_type, names, [f"y{i}" for i in range(outputs)], domain=domain, **(attributes or {}))
    weights = [onnx.numpy_helper.from_array(arrays.pop(f"x{i}"), f"x{i}") for i in constants]
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in arrays.items()]
    graph = helper.make_graph([node], "g", infos, [onnx.ValueInfoProto(name=n) for n in node.output], weights)
    opsets = [helper.make_opsetid(domain, version)] if not domain else [helper.make_opsetid("", 12), helper.make_opsetid(domain, version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=4), arrays


def by_runtime(made: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    typed = onnx.shape_inference.infer_shapes(made)
    for info in typed.graph.output:
        if not info.type.WhichOneof("value"):
            info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return onnxruntime.InferenceSession(typed.SerializeToString(), options).run(None, feeds)  # pyright: ignore[reportReturnType]


def by_reference(made: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    return ReferenceEvaluator(made).run(None, feeds)  # pyright: ignore[reportReturnType]


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b) and np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


IMAGE = floats(1, 3, 4, 6)

AS_ONNX_RUNTIME = [
    ("Softmax", 9, [floats(2, 3, 4)], {}),
    ("Softmax", 11, [floats(2, 3, 4)], {"axis": -2}),
    ("Softmax", 11, [floats(2, 3, 1)], {"axis": 1}),
    ("LogSoftmax", 11, [floats(2, 3, 4)], {"axis": 0}),
    ("Hardmax", 11, [floats(2, 3, 4)], {"axis": 1}),
    ("ReduceSum", 11, [floats(2, 3, 4)], {"axes": [0, -1], "keepdims": 0}),
    ("ReduceMean", 13, [floats(2, 3, 4)], {"axes": [1]}),
    ("ReduceLogSumExp", 17, [floats(2, 3)], {}),
    ("Squeeze", 11, [floats(1, 3, 1)], {"axes": [0]}),
    ("Squeeze", 11, [floats(1, 3, 1)], {}),
    ("Unsqueeze", 11, [floats(3)], {"axes": [0, 2]}),
    ("Slice", 9, [floats(5, 6)], {"starts": [1, -3], "ends": [-1, 99]}),
    ("Slice", 9, [floats(5, 6)], {"starts": [2], "ends": [4], "axes": [1]}),
    ("Clip", 10, [floats(8)], {"min": -0.5, "max": 0.25}),
    ("Clip", 7, [np.array([1, -np.inf, np.inf], np.float32)], {"min": 0.0}),
    ("Pad", 10, [floats(2, 3)], {"pads": [1, 0, 0, 2], "value": 1.5}),
    ("Pad", 10, [floats(4, 3)], {"pads": [1, 0, 1, 2], "mode": "reflect"}),
    ("BatchNormalization", 8, [IMAGE, floats(3), floats(3), floats(3), np.abs(floats(3))], {}),
    ("BatchNormalization", 13, [IMAGE, floats(3), floats(3), floats(3), np.abs(floats(3))], {"epsilon": 1e-2}),
    ("Dropout", 9, [floats(4)], {"ratio": 0.3}),
    ("Gemm", 9, [floats(2, 3), floats(3, 4), floats(4)], {"alpha": 0.5}),
    ("Scatter", 9, [floats(3, 3), np.array([[1, 0, 2]]), floats(1, 3)], {}),
    ("Scatter", 10, [floats(3, 3), np.array([[1, 0, 2]]), floats(1, 3)], {"axis": 1}),
    ("Upsample", 7, [IMAGE], {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 3.0]}),
    ("Upsample", 8, [IMAGE], {"mode": "linear", "scales": [1.0, 1.0, 2.0, 1.5]}),
    ("RNN", 7, [floats(4, 2, 3), floats(1, 5, 3), floats(1, 5, 5)], {"hidden_size": 5}),
    ("RoiAlign", 10, [IMAGE, np.array([[0, 0, 3, 3]], np.float32), np.array([0])], {"output_height": 2, "output_width": 2}),
    ("GridSample", 16, [IMAGE, np.clip(floats(1, 2, 2, 2), -1, 1)], {"mode": "bilinear", "align_corners": 1}),
    ("GridSample", 16, [IMAGE, np.clip(floats(1, 2, 2, 2), -1, 1)], {"mode": "bicubic"}),
    ("LpPool", 11, [np.abs(IMAGE)], {"kernel_shape": [2, 2], "p": 2}),
    ("MaxPool", 7, [IMAGE], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Shape", 13, [IMAGE], {}),
]


@pytest.mark.parametrize("case", AS_ONNX_RUNTIME, ids=lambda c: f"{c[0]}-{c[1]}")
def test_as_onnx_runtime_ran_it(case: tuple, again: Again) -> None:
    made, feeds = model(*case)
    same(by_runtime(again(made), feeds), by_runtime(made, feeds))


@pytest.mark.parametrize(
    ("scales", "mode"),
    [([1, 1, 0.5, 0.6], "nearest"), ([1, 1, 2, 3], "nearest"), ([1, 1, 2, 0.5], "nearest"), ([1, 1, 1.5, 2], "linear")],
)
def test_resize_10(scales: list[float], mode: str, again: Again) -> None:
    made, feeds = model("Resize", 10, [IMAGE, np.array(scales, np.float32)], {"mode": mode}, constants=(1,))
    same(by_runtime(again(made), feeds), by_runtime(made, feeds))


def test_resize_11_with_inputs_that_do_nothing(again: Again) -> None:
    nothing = np.zeros(0, np.float32)
    made, feeds = model("Resize", 11, [IMAGE, nothing, nothing, np.array([1, 3, 8, 9])], {"mode": "nearest"}, constants=(1, 2, 3))
    same(by_runtime(again(made), feeds), by_runtime(made, feeds))


def test_split_of_every_age(again: Again) -> None:
    x = floats(6, 2)
    for version, attributes in ((2, {"split": [1, 2, 3]}), (11, {"split": [1, 2, 3], "axis": 0})):
        made, feeds = model("Split", version, [x], attributes, outputs=3)
        same(by_runtime(again(made), feeds), [x[:1], x[1:3], x[3:]])
    made, feeds = model("Split", 13, [x], {}, outputs=2)
    same(by_runtime(again(made), feeds), [x[:3], x[3:]])
    made, feeds = model("Split", 1, [x, np.array([1, 5], np.float32)], {}, outputs=2, constants=(1,))
    same(by_runtime(again(made), feeds), [x[:1], x[1:]])


def test_top_k_of_every_age(again: Again) -> None:
    x = floats(3, 5)
    order = np.argsort(-x, axis=-1)[:, :2]
    for version, inputs, attributes in ((1, [x], {"k": 2}), (10, [x, np.array([2])], {})):
        made, feeds = model("TopK", version, inputs, attributes, outputs=2)
        same(by_runtime(again(made), feeds), [np.take_along_axis(x, order, -1), order])


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_broadcast_at_an_axis(op: str, again: Again) -> None:
    a, b = floats(2, 3, 4, 5), floats(3, 4)
    compute = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[op]
    for axis in (1, -3):
        made, feeds = model(op, 6, [a, b], {"broadcast": 1, "axis": axis})
        same(by_runtime(again(made), feeds), [compute(a, b[:, :, None])])
    made, feeds = model(op, 6, [a, a], {})
    same(by_runtime(again(made), feeds), [compute(a, a)])
    made, feeds = model(op, 1, [a, floats(5)], {"broadcast": 1, "consumed_inputs": [0, 0]})
    same(by_runtime(again(made), feeds), [compute(a, feeds["x1"])])


def test_slope_of_prelu(again: Again) -> None:
    x = floats(2, 3, 4, 5)
    for slope in (floats(3), floats(1)):
        made, feeds = model("PRelu", 6, [x, slope], {})
        same(by_runtime(again(made), feeds), [np.where(x < 0, x * slope[:, None, None], x)])


def test_constants_and_names_of_the_first_versions(again: Again) -> None:
    x = floats(2, 3)
    made, feeds = model("Selu", 1, [x], {})
    same(by_runtime(again(made), feeds), [1.0507 * np.where(x > 0, x, 1.6732 * np.expm1(x))])
    made, feeds = model("Cast", 1, [x], {"to": "INT32"})
    same(by_runtime(again(made), feeds), [x.astype(np.int32)])
    made, feeds = model("Reshape", 1, [x], {"shape": [3, 2]})
    same(by_runtime(again(made), feeds), [x.reshape(3, 2)])
    made, feeds = model("Concat", 1, [x, x], {})
    same(by_runtime(again(made), feeds), [np.concatenate([x, x], 1)])
    made, feeds = model("Tile", 1, [x, np.array([2], np.float32), np.array([1], np.float32)], {}, constants=(1, 2))
    same(by_runtime(again(made), feeds), [np.tile(x, (1, 2))])
    made, feeds = model("Pad", 1, [x], {"paddings": [0, 1, 0, 0]})
    same(by_runtime(again(made), feeds), [np.pad(x, ((0, 0), (1, 0)))])
    made, feeds = model("Upsample", 1, [IMAGE], {"height_scale": 2.0, "width_scale": 2.0})
    same(by_runtime(again(made), feeds), [IMAGE.repeat(2, 2).repeat(2, 3)])
    made, feeds = model("GlobalLpPool", 1, [IMAGE], {"p": 2.0})
    same(by_runtime(again(made), feeds), [np.sqrt((IMAGE**2).sum((2, 3), keepdims=True))])


def test_batch_normalization_per_feature(again: Again) -> None:
    x = floats(2, 3, 4)
    scale, bias, mean, var = floats(3, 4), floats(3, 4), floats(3, 4), np.abs(floats(3, 4))
    made, feeds = model("BatchNormalization", 7, [x, scale, bias, mean, var], {"spatial": 0})
    same(by_runtime(again(made), feeds), [(x - mean) / np.sqrt(var + 1e-5) * scale + bias])


def test_batch_normalization_in_training(again: Again, codes: Codes) -> None:
    inputs = [IMAGE, floats(3), floats(3), floats(3), np.abs(floats(3))]
    made, feeds = model("BatchNormalization", 9, inputs, {}, outputs=3)
    mean, var = IMAGE.mean((0, 2, 3)), IMAGE.var((0, 2, 3))
    _, running_mean, running_var = by_reference(again(made), feeds)
    np.testing.assert_allclose(running_mean, inputs[3] * 0.9 + mean * 0.1, rtol=1e-4)
    np.testing.assert_allclose(running_var, inputs[4] * 0.9 + var * 0.1, rtol=1e-4)
    assert codes(model("BatchNormalization", 9, inputs, {}, outputs=5)[0]) == ["ITG1202"]


def test_group_normalization_per_group(again: Again) -> None:
    x, scale, bias = floats(2, 4, 5), floats(2), floats(2)
    made, feeds = model("GroupNormalization", 18, [x, scale, bias], {"num_groups": 2})
    grouped = x.reshape(2, 2, -1)
    normal = (grouped - grouped.mean(-1, keepdims=True)) / np.sqrt(grouped.var(-1, keepdims=True) + 1e-5)
    expected = (normal * scale[:, None] + bias[:, None]).reshape(x.shape)
    same(by_reference(again(made), feeds), [expected])


def test_masks_of_dropout(imported: Callable[..., ImportedModel], again: Again) -> None:
    made, feeds = model("Dropout", 7, [floats(4)], {}, outputs=2)
    found = by_runtime(again(made), feeds)
    same(found[:1], [feeds["x0"]])
    assert found[1].dtype == np.float32
    # Up to opset 6 dropout was random unless told otherwise.
    assert "Dropout" in str(imported(model("Dropout", 6, [floats(4)], {"ratio": 0.5}, outputs=2)[0]).module)


def test_dft_axis(again: Again) -> None:
    x = floats(2, 4, 3, 1)
    made, feeds = model("DFT", 17, [x], {"axis": 2})
    same(by_reference(again(made), feeds), by_reference(made, feeds))


def test_scan_8_of_one_sequence(again: Again, codes: Codes) -> None:
    body = onnx.parser.parse_graph("b (float[2] s, float[2] x) => (t, o) { t = Add (s, x)  o = Identity (t) }")
    state, x = floats(1, 2), floats(1, 3, 2)
    made, feeds = model("Scan", 8, [None, state, x], {"body": body, "num_scan_inputs": 1, "directions": [1]}, outputs=2)
    made.graph.node[0].input[0] = ""
    sums = state[0] + np.cumsum(x[0, ::-1], 0)
    same(by_runtime(again(made), feeds), [sums[-1:], sums[None]])
    batch = model("Scan", 8, [None, floats(2, 2), floats(2, 3, 2)], {"body": body, "num_scan_inputs": 1}, outputs=2)[0]
    assert codes(batch) == ["ITG1202"]


def test_label_encoder_of_ml_1(again: Again) -> None:
    names = {"classes_strings": ["a", "b"], "default_int64": -1, "default_string": "?"}
    made, feeds = model("LabelEncoder", 1, [np.array(["b", "x", "a"], object)], names, domain="ai.onnx.ml")
    assert by_runtime(again(made), feeds)[0].tolist() == [1, -1, 0]
    made, feeds = model("LabelEncoder", 1, [np.array([1, 0, 9])], names, domain="ai.onnx.ml")
    assert by_runtime(again(made), feeds)[0].tolist() == ["b", "a", "?"]


@pytest.mark.parametrize(
    ("op", "attributes", "compute"),
    [
        ("Affine", {"alpha": 2.0, "beta": 1.0}, lambda x: 2 * x + 1),
        ("Scale", {"scale": 3.0}, lambda x: 3 * x),
        ("ScaledTanh", {"alpha": 2.0, "beta": 0.5}, lambda x: 2 * np.tanh(0.5 * x)),
        ("ParametricSoftplus", {"alpha": 2.0, "beta": 0.5}, lambda x: 2 * np.log1p(np.exp(0.5 * x))),
        ("ImageScaler", {"scale": 2.0, "bias": [1.0, 2.0, 3.0]}, lambda x: 2 * x + np.array([1, 2, 3], np.float32).reshape(3, 1, 1)),
    ],
)
def test_withdrawn_experiments(op: str, attributes: dict[str, object], compute: Callable, again: Again) -> None:
    made, feeds = model(op, 6, [IMAGE], attributes)
    same(by_runtime(again(made), feeds), [compute(IMAGE)])


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (("Resize", 10, [IMAGE, np.ones(4, np.float32)], {}), "ITG1203"),
        (
            (
                "Resize",
                11,
                [IMAGE, np.ones(8, np.float32), np.ones(4, np.float32)],
                {"coordinate_transformation_mode": "tf_half_pixel_for_nn"},
            ),
            "ITG1202",
        ),
        (("Tile", 1, [IMAGE, np.ones(1, np.float32), np.ones(1, np.float32)], {}), "ITG1203"),
        (("LpPool", 1, [IMAGE], {"p": 2.5, "kernel_shape": [1, 1]}), "ITG1202"),
        (("Slice", 9, [IMAGE], {"starts": [0]}), "ITG1103"),
        (("TopK", 1, [IMAGE], {}), "ITG1103"),
        (("Softmax", 9, [IMAGE], {"axis": 9}), "ITG1105"),
        (("Pad", 10, [IMAGE], {}), "ITG1103"),
        (("Add", 6, [IMAGE, floats(3)], {"broadcast": 1, "axis": 4}), "ITG1105"),
        (("Cast", 1, [IMAGE], {"to": "FLOAT99"}), "ITG1105"),
    ],
)
def test_what_cannot_be_had(case: tuple, code: str, codes: Codes) -> None:
    assert codes(model(*case)[0]) == [code]
