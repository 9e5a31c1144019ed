"""Older operator sets: every difference that the schemas show is accounted for, and what has no newer form is refused.

What each version computes: test_versions.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import intaglio
import numpy as np
import onnx
import onnx.defs
import onnxruntime
import pytest
from intaglio.compiler.importer.opset import ADAPTERS, NEWEST
from intaglio.compiler.importer.opset.registry import CURRENT
from intaglio.dialects.onnx.registry import OPERATORS
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

WITHDRAWN_AT = 10
"""The operator set at which the last experimental operators went."""

WITHDRAWN_BEFORE_HISTORY = {
    "ATen", "Affine", "ConstantFill", "Crop", "DynamicSlice", "GRUUnit", "GivenTensorFill", "ImageScaler", "ParametricSoftplus", "Scale",
    "ScaledTanh",
}  # fmt: skip

KEPT = {
    # ai.onnx.ml 5 calls these deprecated in favour of TreeEnsemble; the dialect keeps them.
    ("ai.onnx.ml", "TreeEnsembleClassifier"),
    ("ai.onnx.ml", "TreeEnsembleRegressor"),
}


@pytest.mark.parametrize(("key", "old", "new"), STEPS)
def test_every_difference_has_an_adapter(key: tuple[str, str], old: OpSchema, new: OpSchema) -> None:
    assert key in KEPT or any(old.since_version < before for before, _ in ADAPTERS[key]), f"nothing adapts {key} {old.since_version}"


def test_adapters_belong_to_operators_that_were() -> None:
    assert {key for key in ADAPTERS if key not in HISTORY} == {("", name) for name in WITHDRAWN_BEFORE_HISTORY}
    for key, steps in ADAPTERS.items():
        assert [before for before, _ in steps] == sorted(before for before, _ in steps), key


def test_adapters_lead_to_versions_that_are() -> None:
    for key, steps in ADAPTERS.items():
        versions = {s.since_version for s in HISTORY.get(key, ())}
        odd = {before for before, _ in steps} - versions - {WITHDRAWN_AT, CURRENT}
        assert not odd, f"{key} has no version {odd}"


NEUTRAL = {
    # Without the attribute an operator does what it did before there was one.
    "allowzero", "antialias", "axes", "axis", "base_values_as_tensor", "batch_dims", "block_size", "ceil_mode", "class_weights_as_tensor",
    "count_include_pad", "default_tensor", "dilations", "end", "keep_aspect_ratio_policy", "keys_tensor", "largest", "layout",
    "left_window_size", "linear_before_reset", "mode", "nodes_hitrates_as_tensor", "nodes_values_as_tensor", "noop_with_empty_axes",
    "output_dtype", "precision", "reduction", "right_window_size", "round_mode", "saturate", "seed", "select_last_index", "sorted",
    "sparse_value", "start", "storage_order", "target_weights_as_tensor", "value_float", "value_floats", "value_int", "value_ints",
    "value_string", "value_strings", "values_tensor",
    # The data types for which it matters came with it.
    "stash_type",
}  # fmt: skip


def test_every_new_attribute_is_accounted_for() -> None:
    """A default other than the old meaning would change it silently. New ones belong into NEUTRAL or need an adapter."""
    unaccounted = [
        f"{key[1]}-{new.since_version}: {name}"
        for key, schemas in HISTORY.items()
        for old, new in pairwise(schemas)
        for name in new.attributes.keys() - old.attributes.keys() - NEUTRAL
        if not any(old.since_version < before <= new.since_version for before, _ in ADAPTERS[key])
    ]
    assert not unaccounted


def types(schema: OpSchema, parameter: OpSchema.FormalParameter) -> set[str]:
    found = [set(c.allowed_type_strs) for c in schema.type_constraints if c.type_param_str == parameter.type_str]
    return found[0] if found else {parameter.type_str}


def test_no_type_is_lost() -> None:
    """Where an operator takes or gives fewer types than it once did, an adapter makes up for it."""
    lost = [
        f"{key[1]}-{old.since_version}: {was.name}"
        for key, schemas in HISTORY.items()
        for old, new in pairwise(schemas)
        for before, after in ((old.inputs, new.inputs), (old.outputs, new.outputs))
        for was, now in zip(before, after, strict=False)
        if types(old, was) - types(new, now)
        if not any(old.since_version < step <= new.since_version for step, _ in ADAPTERS[key])
    ]
    assert not lost


def test_the_newest_versions_are_those_of_the_definitions() -> None:
    for (domain, op_type), cls in OPERATORS.items():
        assert NEWEST.get(domain, 1) >= cls.SINCE, op_type


RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def model(
    op_type: str,
    version: int,
    inputs: list[np.ndarray | None],
    attributes: dict[str, object] | None = None,
    outputs: int = 1,
    domain: str = "",
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model of one node, and its feeds."""
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(inputs)]
    arrays = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    node = helper.make_node(op_type, names, [f"y{i}" for i in range(outputs)], domain=domain, **(attributes or {}))
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in arrays.items()]
    graph = helper.make_graph([node], "g", infos, [onnx.ValueInfoProto(name=n) for n in node.output])
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
FIVE = [IMAGE, floats(3), floats(3), floats(3), np.abs(floats(3))]


def test_label_encoder_of_ml_1(again: Again) -> None:
    names = {"classes_strings": ["a", "b"], "default_int64": -1, "default_string": "?"}
    made, feeds = model("LabelEncoder", 1, [np.array(["b", "x", "a"], object)], names, domain="ai.onnx.ml")
    assert by_runtime(again(made), feeds)[0].tolist() == [1, -1, 0]
    made, feeds = model("LabelEncoder", 1, [np.array([1, 0, 9])], names, domain="ai.onnx.ml")
    assert by_runtime(again(made), feeds)[0].tolist() == ["b", "a", "?"]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "expected"),
    [
        ("Affine", [IMAGE], {"alpha": 2.0, "beta": 1.0}, 2 * IMAGE + 1),
        ("Scale", [IMAGE], {"scale": 3.0}, 3 * IMAGE),
        ("ScaledTanh", [IMAGE], {"alpha": 2.0, "beta": 0.5}, 2 * np.tanh(0.5 * IMAGE)),
        ("ParametricSoftplus", [IMAGE], {"alpha": 2.0, "beta": 0.5}, 2 * np.log1p(np.exp(0.5 * IMAGE))),
        ("ImageScaler", [IMAGE], {"scale": 2.0, "bias": [1.0, 2.0, 3.0]}, 2 * IMAGE + np.float32([1, 2, 3]).reshape(3, 1, 1)),
        ("Crop", [IMAGE], {"border": [1, 0, 2, 1]}, IMAGE[:, :, :-1, 1:-2]),
        ("Crop", [IMAGE], {"border": [1, 2, 0, 0], "scale": [1, 3]}, IMAGE[:, :, 2:3, 1:4]),
        ("DynamicSlice", [IMAGE, np.array([1]), np.array([-1]), np.array([3])], {}, IMAGE[..., 1:-1]),
        ("ConstantFill", [], {"shape": [2, 3], "value": 1.5}, np.full((2, 3), 1.5, np.float32)),
        ("ConstantFill", [IMAGE], {"dtype": 7, "value": 2.0, "extra_shape": [1]}, np.full((1, 3, 4, 6, 1), 2)),
        ("ConstantFill", [np.array([2, 3])], {"input_as_shape": 1}, np.zeros((2, 3), np.float32)),
        ("GivenTensorFill", [], {"shape": [3, 1], "values": [1.0, 2.0, 3.0]}, np.float32([[1], [2], [3]])),
        ("MeanVarianceNormalization", [IMAGE], {"normalize_variance": 0}, IMAGE - IMAGE.mean((0, 2, 3), keepdims=True)),
        ("ThresholdedRelu", [IMAGE], {"alpha": 0.5}, np.where(IMAGE > 0.5, IMAGE, 0)),
    ],
)
def test_withdrawn_experiments(op: str, inputs: list, attributes: dict[str, object], expected: np.ndarray) -> None:
    made, feeds = model(op, 6, inputs, attributes)
    same(intaglio.compile(made, opt_level=0).session().run(None, feeds), [expected])


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (
            (
                "Resize",
                11,
                [IMAGE, np.ones(8, np.float32), np.ones(4, np.float32)],
                {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "ceil"},
            ),
            "ITG1202",
        ),
        (("ATen", 9, [IMAGE], {}), "ITG1202"),
        (("GRUUnit", 1, [IMAGE], {}), "ITG1202"),
        (("Crop", 9, [IMAGE], {"border": [1, 1]}), "ITG1105"),
        (("Crop", 10, [IMAGE], {"border": [0, 0, 0, 0]}), "ITG1004"),
        (("MeanVarianceNormalization", 1, [IMAGE], {"across_channels": 1}), "ITG1202"),
        (("LpPool", 1, [IMAGE], {"p": -2.5, "kernel_shape": [1, 1]}), "ITG1105"),
        (("Split", 13, [IMAGE], {"axis": 2}, 3), "ITG1105"),
        (("BatchNormalization", 9, FIVE, {}, 5), "ITG1202"),
        (("BatchNormalization", 6, FIVE, {"is_test": 1}, 3), "ITG1202"),
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


def test_sequences_scanned_backwards_to_lengths_of_their_own(codes: Codes) -> None:
    body = onnx.parser.parse_graph("b (float[2] s, float[2] x) => (t, o) { t = Add (s, x)  o = Identity (t) }")
    inputs = [np.array([1, 2]), floats(2, 2), floats(2, 3, 2)]
    made, _ = model("Scan", 8, inputs, {"body": body, "num_scan_inputs": 1, "directions": [1]}, 2)
    assert codes(made) == ["ITG1202"]


def test_an_output_without_a_newer_form_may_go_unused(again: Again) -> None:
    """Exporters name all five outputs of a batch normalisation in training."""
    made, feeds = model("BatchNormalization", 9, FIVE, {}, 5)
    del made.graph.output[3:]
    same(by_reference(again(made), feeds)[:1], by_reference(model("BatchNormalization", 14, FIVE, {"training_mode": 1}, 3)[0], feeds)[:1])
