"""Shapes and element types of the operators of ai.onnx.ml, mostly against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from intaglio.dialects.onnx.base import OnnxOp, WeightAttr
from intaglio.dialects.onnx.dims import symbol
from intaglio.dialects.onnx.registry import OPERATORS
from intaglio.dialects.onnx.shapes import Shapes
from intaglio.dialects.onnx.types import BY_IR, BY_NUMPY, STRING, MapType, SequenceType
from intaglio.errors import ShapeError
from onnx import helper
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    NoneType,
    StringAttr,
    TensorType,
    f32,
    f64,
    i64,
)
from xdsl.dialects.test import TestOp
from xdsl.ir import Attribute, SSAValue

ML = "ai.onnx.ml"
N = symbol("N")

TREE: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}
VOTES: dict[str, Any] = {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 1], "class_weights": [1.0, 2.0]}
TARGETS: dict[str, Any] = {"target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 1], "target_weights": [1.0, 2.0]}


def attribute(given: Any) -> Attribute:
    if isinstance(given, Attribute):
        return given
    if isinstance(given, list) and isinstance(given[0], str):
        return ArrayAttr([StringAttr(s) for s in given])
    if isinstance(given, list):
        return DenseArrayBase.from_list(i64 if isinstance(given[0], int) else f32, given)
    if isinstance(given, str):
        return StringAttr(given)
    return IntegerAttr(given, i64) if isinstance(given, int) else FloatAttr(given, f32)


def infer(op_type: str, operands: Sequence[SSAValue], shapes: Shapes, domain: str = ML, results: int | None = None, **given: Any) -> OnnxOp:
    """Builds and infers one operator."""
    cls = OPERATORS[domain, op_type]
    groups: list[Any] = [list(operands[i:]) if variadic else operands[i] for i, (*_, variadic) in enumerate(cls.operand_defs())]
    variadic = any(v for *_, v in cls.result_defs())
    types: list[Any] = [[NoneType()] * (results or 0)] if variadic else [NoneType() for _ in cls.result_defs()]
    regions: list[Any] = [[] for _ in cls.get_irdl_definition().regions]
    op = cls.build(operands=groups, result_types=types, properties={k: attribute(v) for k, v in given.items()}, regions=regions)
    shapes.infer_op(op)
    op.verify()
    return op


def value(shapes: Shapes, *dims: int | str, element: Attribute = f32) -> SSAValue:
    made = TestOp(result_types=[TensorType(element, [d if isinstance(d, int) else DYNAMIC_INDEX for d in dims])]).results[0]
    shapes.declare_argument(made, dims)
    return made


def ours(op_type: str, feeds: Sequence[np.ndarray], **given: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    shapes = Shapes()
    operands = [value(shapes, *x.shape, element=STRING if x.dtype.kind in "OU" else BY_NUMPY[x.dtype].ir) for x in feeds]
    op = infer(op_type, operands, shapes, **given)
    return [(BY_IR[r.type.element_type].numpy, shapes.of(r)) for r in op.results]  # pyright: ignore[reportAttributeAccessIssue]


def theirs(op_type: str, feeds: Sequence[np.ndarray], results: int, **given: Any) -> list[tuple[Any, tuple[int, ...]]]:
    names = [f"i{i}" for i in range(len(feeds))]
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in zip(names, feeds, strict=True)
    ]
    outputs = [onnx.ValueInfoProto(name=f"o{i}") for i in range(results)]
    graph = helper.make_graph([helper.make_node(op_type, names, [o.name for o in outputs], domain=ML, **given)], "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(ML, 3), helper.make_opsetid("", 17)], ir_version=8)
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(None, dict(zip(names, feeds, strict=True)))
    return [(np.dtype(object) if r.dtype.kind in "OU" else r.dtype, r.shape) for r in found]


BATCH, ROW = np.ones((3, 4), np.float32), np.ones(4, np.float32)
EMPTY = np.ones((0, 4), np.float32)
INDICES = np.array([[0, 1]])
TEXT = np.array(["a", "b"], object)


def machine(classes: int, probabilities: bool) -> dict[str, Any]:
    """A support vector machine with one support vector of four features a class."""
    pairs = classes * (classes - 1) // 2
    given: dict[str, Any] = {
        "coefficients": [0.1] * (2 * pairs),
        "support_vectors": [0.1] * (4 * classes),
        "vectors_per_class": [1] * classes,
        "rho": [0.1] * pairs,
        "kernel_params": [0.0, 0.0, 0.0],
        "classlabels_ints": list(range(classes)),
    }
    return {**given, "prob_a": [0.1] * pairs, "prob_b": [0.1] * pairs} if probabilities else given


CASES: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("ArrayFeatureExtractor", [BATCH, INDICES], {}),
    ("ArrayFeatureExtractor", [ROW, INDICES], {}),
    ("Binarizer", [BATCH], {"threshold": 0.5}),
    ("Imputer", [BATCH], {"imputed_value_floats": [0.0] * 4, "replaced_value_float": 1.0}),
    ("Normalizer", [ROW], {"norm": "L1"}),
    ("Scaler", [BATCH.astype(np.int64)], {"scale": [1.0], "offset": [0.0]}),
    ("OneHotEncoder", [BATCH], {"cats_int64s": [1, 2, 3]}),
    ("OneHotEncoder", [TEXT], {"cats_strings": ["a", "b", "c"]}),
    ("FeatureVectorizer", [BATCH, BATCH], {"inputdimensions": [4, 4]}),
    ("FeatureVectorizer", [ROW], {"inputdimensions": [4]}),
    ("CategoryMapper", [TEXT], {"cats_int64s": [1, 2], "cats_strings": ["a", "b"]}),
    ("CategoryMapper", [np.array([1, 2])], {"cats_int64s": [1, 2], "cats_strings": ["a", "b"]}),
    ("LabelEncoder", [TEXT], {"keys_strings": ["a"], "values_floats": [1.0]}),
    ("LinearClassifier", [BATCH], {"coefficients": [0.1] * 12, "intercepts": [0.0] * 3, "classlabels_ints": [0, 1, 2]}),
    ("LinearClassifier", [ROW], {"coefficients": [0.1] * 4, "intercepts": [0.0], "classlabels_strings": ["a", "b"]}),
    ("LinearRegressor", [BATCH], {"coefficients": [0.1] * 8, "intercepts": [0.0] * 2, "targets": 2}),
    (
        "SVMRegressor",
        [ROW],
        {"coefficients": [0.1], "support_vectors": [0.1] * 4, "n_supports": 1, "rho": [0.1], "kernel_params": [0.0] * 3},
    ),
    *(("SVMClassifier", [BATCH], machine(classes, p)) for classes in (2, 3, 4) for p in (False, True)),
    ("SVMClassifier", [BATCH], {"coefficients": [0.1] * 12, "rho": [0.1], "kernel_params": [0.0] * 3, "classlabels_ints": [0, 1, 2]}),
    ("TreeEnsembleClassifier", [BATCH], {**TREE, **VOTES, "classlabels_int64s": [0, 1]}),
    ("TreeEnsembleClassifier", [BATCH], {**TREE, **VOTES, "classlabels_strings": ["a", "b", "c"]}),
    ("TreeEnsembleRegressor", [EMPTY], {**TREE, **TARGETS, "n_targets": 2}),
]


@pytest.mark.parametrize(("op_type", "feeds", "given"), CASES, ids=[f"{op}{i}" for i, (op, *_) in enumerate(CASES)])
def test_agrees_with_onnxruntime(op_type: str, feeds: list[np.ndarray], given: dict[str, Any]) -> None:
    found = ours(op_type, feeds, **given)
    assert found == theirs(op_type, feeds, len(found), **given)


REFUSED: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("ArrayFeatureExtractor", [np.ones((), np.float32), INDICES], {}),
    ("Imputer", [BATCH], {"imputed_value_floats": [0.0] * 3}),
    ("Imputer", [BATCH], {}),
    ("Normalizer", [BATCH], {"norm": "L3"}),
    ("Scaler", [BATCH], {"scale": [1.0] * 3}),
    ("OneHotEncoder", [TEXT], {"cats_int64s": [1]}),
    ("FeatureVectorizer", [BATCH, EMPTY], {}),
    ("FeatureVectorizer", [BATCH], {"inputdimensions": [4, 4]}),
    ("CategoryMapper", [TEXT], {"cats_int64s": [1, 2], "cats_strings": ["a"]}),
    ("LabelEncoder", [TEXT], {"keys_strings": ["a"], "values_floats": [1.0, 2.0]}),
    ("LabelEncoder", [TEXT], {"keys_int64s": [1], "values_floats": [1.0]}),
    ("LabelEncoder", [TEXT], {"keys_strings": ["a"], "values_floats": [1.0], "values_int64s": [1]}),
    ("LinearClassifier", [BATCH], {"coefficients": [0.1] * 7, "classlabels_ints": [0, 1]}),
    ("LinearClassifier", [BATCH], {"coefficients": [0.1] * 12}),
    ("LinearRegressor", [BATCH], {"coefficients": [0.1] * 7}),
    ("LinearRegressor", [BATCH], {"targets": 0}),
    ("SVMRegressor", [BATCH], {"kernel_type": "CUBIC"}),
    ("TreeEnsembleRegressor", [BATCH], {**TREE, **TARGETS, "nodes_values": [0.5]}),
    ("TreeEnsembleClassifier", [BATCH[None]], {**TREE, **VOTES, "classlabels_int64s": [0, 1]}),
]


@pytest.mark.parametrize(("op_type", "feeds", "given"), REFUSED, ids=[f"{op}{i}" for i, (op, *_) in enumerate(REFUSED)])
def test_refuses(op_type: str, feeds: list[np.ndarray], given: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match="ITG2"):
        ours(op_type, feeds, **given)


def test_symbolic_rows() -> None:
    shapes = Shapes()
    x = value(shapes, "N", "F")
    op = infer("LinearClassifier", [x], shapes, coefficients=[0.1] * 4, classlabels_ints=[0, 1])
    assert [shapes.of(r) for r in op.results] == [(N,), (N, 2)]
    joined = infer("FeatureVectorizer", [x, value(shapes, "N", 3)], shapes)
    assert shapes.of(joined.results[0]) == (N, symbol("F") + 3)


def test_tree_ensemble_counts_its_targets() -> None:
    weights = {"w": np.zeros(2, np.float32)}
    nodes = {f"nodes_{name}": [0] for name in ("falseleafs", "falsenodeids", "featureids", "trueleafs", "truenodeids")}
    tensors = {name: WeightAttr(StringAttr("w")) for name in ("nodes_modes", "nodes_splits", "leaf_weights")}
    given = {"tree_roots": [0], "leaf_targetids": [0, 4], **nodes, **tensors}
    shapes = Shapes(weights)
    op = infer("TreeEnsemble", [value(shapes, "N", 3, element=f64)], shapes, **given)
    assert shapes.of(op.results[0]) == (N, 5)
    assert op.results[0].type == TensorType(f64, [DYNAMIC_INDEX, 5])
    with pytest.raises(ShapeError, match="ITG2209"):
        infer("TreeEnsemble", [value(shapes, "N", 3)], shapes, n_targets=4, **given)


def test_label_encoder_takes_tensors_of_the_weight_store() -> None:
    shapes = Shapes({"k": np.array([1.0, 2.0], np.float32), "v": np.array([1, 2], np.int16)})
    keys, values = (WeightAttr(StringAttr(name)) for name in "kv")
    op = infer("LabelEncoder", [value(shapes, 2, 0)], shapes, keys_tensor=keys, values_tensor=values)
    assert shapes.of(op.results[0]) == (2, 0)
    assert op.results[0].type == TensorType(BY_NUMPY[np.dtype(np.int16)].ir, [2, 0])


def test_maps() -> None:
    shapes = Shapes()
    source = TestOp(result_types=[MapType(i64, f32)]).results[0]
    sparse = infer("CastMap", [source], shapes, map_form="SPARSE", max_map=5, cast_to="TO_INT64")
    assert (shapes.of(sparse.results[0]), sparse.results[0].type) == ((1, 5), TensorType(i64, [1, 5]))
    assert shapes.of(infer("CastMap", [source], shapes).results[0])[0] == 1
    vector = infer("DictVectorizer", [source], shapes, int64_vocabulary=[1, 2, 3])
    assert vector.results[0].type == TensorType(f32, [1, 3])
    zipped = infer("ZipMap", [value(shapes, "N", 2)], shapes, classlabels_strings=["a", "b"])
    assert zipped.results[0].type == SequenceType(MapType(STRING, f32))
    with pytest.raises(ShapeError, match="ITG2204"):
        infer("DictVectorizer", [source], shapes, string_vocabulary=["a"])
    with pytest.raises(ShapeError, match="ITG2104"):
        infer("ZipMap", [value(shapes, "N", 2)], shapes, classlabels_int64s=[1, 2, 3])
