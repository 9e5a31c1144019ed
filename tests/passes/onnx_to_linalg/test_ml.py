"""ai.onnx.ml against ONNX Runtime where it implements the specification, else against numpy."""

from __future__ import annotations

from typing import Any

import intaglio
import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
X = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)


def model(op: str, outputs: list[int], inputs: list[np.ndarray], version: int = 3, **attributes: Any) -> ModelProto:
    """One node; the rows of matrices are a dimension that only the run knows."""
    node = helper.make_node(
        op, [f"x{i}" for i in range(len(inputs))], [f"y{i}" for i in range(len(outputs))], op, domain="ai.onnx.ml", **attributes
    )
    given = [
        helper.make_tensor_value_info(f"x{i}", helper.np_dtype_to_tensor_dtype(a.dtype), ["N", *a.shape[1:]] if a.ndim == 2 else a.shape)
        for i, a in enumerate(inputs)
    ]
    made = [helper.make_tensor_value_info(f"y{i}", t, None) for i, t in enumerate(outputs)]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(helper.make_graph([node], "g", given, made), opset_imports=opsets, ir_version=9)


def run(op: str, outputs: list[int], *inputs: np.ndarray, **attributes: Any) -> list[np.ndarray]:
    feeds = {f"x{i}": a for i, a in enumerate(inputs)}
    return intaglio.compile(model(op, outputs, list(inputs), **attributes)).session().run(None, feeds)


def agree(op: str, outputs: list[int], *inputs: np.ndarray, **attributes: Any) -> None:
    """Runs both and compares."""
    feeds = {f"x{i}": a for i, a in enumerate(inputs)}
    serialized = model(op, outputs, list(inputs), **attributes).SerializeToString()
    expected = onnxruntime.InferenceSession(serialized, providers=["CPUExecutionProvider"]).run(None, feeds)
    for mine, other in zip(run(op, outputs, *inputs, **attributes), expected, strict=True):
        assert mine.dtype == np.asarray(other).dtype
        np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-4, atol=1e-5)


def floats(*shape: int, seed: int = 1) -> list[float]:
    return [float(v) for v in np.random.default_rng(seed).standard_normal(shape).astype(np.float32).ravel()]


# -- features


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
def test_features_of_every_type(dtype: type) -> None:
    x = (X * 3).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    for norm in ("MAX", "L1", "L2"):
        agree("Normalizer", [FLOAT], x, norm=norm)
    agree("Scaler", [FLOAT], x, offset=floats(4), scale=floats(4, seed=2))
    agree("Scaler", [FLOAT], x, offset=[0.5], scale=[2.0])
    agree("FeatureVectorizer", [FLOAT], x, x[:, :3].copy(), inputdimensions=[4, 3])
    agree("FeatureVectorizer", [FLOAT], x, x[:, :3].copy(), inputdimensions=[6, 2])
    (y,) = run("Binarizer", [kind], x, threshold=0.5)
    np.testing.assert_array_equal(y, (x > 0.5).astype(dtype))
    (y,) = run("ArrayFeatureExtractor", [kind], x, np.array([3, 0, 3]))
    np.testing.assert_array_equal(y, x[:, [3, 0, 3]])
    (y,) = run("OneHotEncoder", [FLOAT], x, cats_int64s=[-1, 0, 2])
    np.testing.assert_array_equal(y, (x.astype(np.int64)[..., None] == [-1, 0, 2]).astype(np.float32))


def test_zero_rows_have_no_norm() -> None:
    x = np.zeros((2, 3), np.float32)
    for norm in ("MAX", "L1", "L2"):
        np.testing.assert_array_equal(run("Normalizer", [FLOAT], x, norm=norm)[0], x)


def test_no_rows_give_no_rows() -> None:
    none = X[:0]
    assert run("Normalizer", [FLOAT], none, norm="L2")[0].shape == (0, 4)
    assert run("LinearRegressor", [FLOAT], none, coefficients=floats(8), targets=2)[0].shape == (0, 2)


def test_imputer_fills_by_feature_and_by_one_value() -> None:
    x = X.copy()
    x[0, 1] = x[3, 2] = np.nan
    agree("Imputer", [FLOAT], x, imputed_value_floats=[1.0, 2.0, 3.0, 4.0], replaced_value_float=float("nan"))
    agree("Imputer", [INT64], np.arange(6).reshape(2, 3), imputed_value_int64s=[9], replaced_value_int64=4)


def test_an_unknown_category_is_refused_where_it_must_be() -> None:
    x = np.array([[1], [5]])
    run("OneHotEncoder", [FLOAT], x, cats_int64s=[1, 5], zeros=0)
    with pytest.raises(intaglio.IntaglioError, match="ITG5050"):
        run("OneHotEncoder", [FLOAT], x, cats_int64s=[1, 2], zeros=0)


def test_an_index_out_of_range_is_refused() -> None:
    with pytest.raises(intaglio.IntaglioError, match="ITG5001"):
        run("ArrayFeatureExtractor", [FLOAT], X, np.array([4]))


def test_labels_are_looked_up_and_nan_is_a_label() -> None:
    x = np.array([1.5, np.nan, 2, 7, -0.0], np.float32)
    (y,) = run("LabelEncoder", [INT64], x, keys_floats=[7.0, 1.5, float("nan"), 0.0], values_int64s=[70, 15, 99, 1], default_int64=-5)
    np.testing.assert_array_equal(y, [15, 99, -5, 70, 1])
    (y,) = run("LabelEncoder", [FLOAT], np.array([[3], [1]]), keys_int64s=[1, 2], values_floats=[0.25, 0.5])
    np.testing.assert_array_equal(y, np.array([[0], [0.25]], np.float32))
    table = {"keys_tensor": [3.0, 1.0, 2.0], "values_tensor": [0.1, 0.2, 0.3], "default_tensor": [-7.0]}
    tensors = {name: helper.make_tensor(name, TensorProto.DOUBLE, [len(v)], v) for name, v in table.items()}
    (y,) = run("LabelEncoder", [TensorProto.DOUBLE], np.array([2.0, 9.0]), version=4, **tensors)
    np.testing.assert_array_equal(y, [0.3, -7.0])


# -- linear models and support vector machines


@pytest.mark.parametrize("how", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
def test_linear_models(how: str) -> None:
    weights = {"coefficients": floats(12), "intercepts": floats(3, seed=2), "post_transform": how}
    agree("LinearRegressor", [FLOAT], X, targets=3, **weights)
    agree("LinearClassifier", [INT64, FLOAT], X, classlabels_ints=[5, 7, 9], **weights)
    agree("LinearClassifier", [INT64, FLOAT], X.astype(np.float64), classlabels_ints=[5, 7, 9], **weights)


def test_one_row_of_coefficients_scores_two_classes() -> None:
    weights = floats(4)
    label, scores = run("LinearClassifier", [INT64, FLOAT], X, coefficients=weights, intercepts=[0.25], classlabels_ints=[5, 7])
    expected = X @ np.float32(weights) + np.float32(0.25)
    np.testing.assert_allclose(scores, np.stack([-expected, expected], 1), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(label, np.where(expected > 0, 7, 5))


def test_a_row_of_another_length_is_refused() -> None:
    text = model("LinearRegressor", [FLOAT], [X], coefficients=floats(4))
    text.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "F"
    session = intaglio.compile(text).session()
    assert session.run(None, {"x0": X})[0].shape == (7, 1)
    with pytest.raises(intaglio.IntaglioError, match="ITG5051"):
        session.run(None, {"x0": X[:, :3].copy()})


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
def test_support_vector_machines(kernel: str) -> None:
    shared = {"kernel_type": kernel, "kernel_params": [0.3, 0.5, 3.0], "support_vectors": floats(6, 4)}
    agree("SVMRegressor", [FLOAT], X, coefficients=floats(6), n_supports=6, rho=[0.7], **shared)
    agree("SVMRegressor", [FLOAT], X, coefficients=floats(6), n_supports=6, rho=[0.7], one_class=1, **shared)
    two = {"coefficients": floats(6, seed=3), "vectors_per_class": [2, 4], "rho": [0.3], "classlabels_ints": [4, 8], **shared}
    agree("SVMClassifier", [INT64, FLOAT], X, **two)
    agree("SVMClassifier", [INT64, FLOAT], X, prob_a=[-1.2], prob_b=[0.1], **two)
    three = {"coefficients": floats(12), "vectors_per_class": [2, 1, 3], "rho": [0.3, 0.1, -0.2], "classlabels_ints": [4, 8, 2], **shared}
    agree("SVMClassifier", [INT64, FLOAT], X, **three)
    agree("SVMClassifier", [INT64, FLOAT], X, prob_a=[-1.0, -2.0, -0.5], prob_b=[0.1, 0.2, 0.3], **three)


# -- trees

ALL_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def forest(modes: tuple[str, ...], missing: bool, trees: int = 6, depth: int = 4) -> tuple[dict[str, list[Any]], list[tuple[int, int]]]:
    """(attributes of random trees, (tree, node) of their leaves)."""
    rng = np.random.default_rng(5)
    nodes: list[list[Any]] = []

    def grow(tree: int, left: int) -> int:
        mine = [tree, sum(n[0] == tree for n in nodes), "LEAF", 0, 0.0, 0, 0, 0]
        nodes.append(mine)
        if left and rng.random() > 0.15:
            mine[2:5] = modes[rng.integers(len(modes))], int(rng.integers(4)), float(np.float32(rng.standard_normal()))
            mine[5:8] = grow(tree, left - 1), grow(tree, left - 1), int(missing and rng.integers(2))
        return mine[1]

    for tree in range(trees):
        grow(tree, depth)
    names = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids", "missing_value_tracks_true")
    columns = [list(column) for column in zip(*nodes, strict=True)]
    leaves = [(n[0], n[1]) for n in nodes if n[2] == "LEAF"]
    return {f"nodes_{name}": column for name, column in zip(names, columns, strict=True)}, leaves


def entries(prefix: str, leaves: list[tuple[int, int]], targets: list[int]) -> dict[str, list[Any]]:
    return {
        f"{prefix}_ids": targets,
        f"{prefix}_treeids": [t for t, _ in leaves],
        f"{prefix}_nodeids": [n for _, n in leaves],
        f"{prefix}_weights": floats(len(leaves), seed=7),
    }


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("modes", [ALL_MODES[:1], ALL_MODES])
@pytest.mark.parametrize("missing", [False, True])
def test_tree_regressors(modes: tuple[str, ...], missing: bool, aggregate: str) -> None:
    x = X.copy()
    x[::2, 1] = np.nan if missing else 0
    nodes, leaves = forest(modes, missing)
    nodes |= entries("target", leaves, [0] * len(leaves))
    for rows in (x, x[:3], np.concatenate([x] * 5)):  # which walk together, or each down many trees
        agree("TreeEnsembleRegressor", [FLOAT], rows, aggregate_function=aggregate, n_targets=1, base_values=[0.5], **nodes)


@pytest.mark.parametrize("how", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_tree_classifiers(how: str) -> None:
    nodes, leaves = forest(ALL_MODES[:1], False)
    three = entries("class", leaves, [k % 3 for k in range(len(leaves))])
    agree(
        "TreeEnsembleClassifier",
        [INT64, FLOAT],
        X,
        classlabels_int64s=[4, 5, 9],
        base_values=[0.1, 0.2, 0.3],
        post_transform=how,
        **nodes,
        **three,
    )
    if how != "SOFTMAX":  # which ONNX Runtime leaves out here
        one = entries("class", leaves, [0] * len(leaves))
        agree("TreeEnsembleClassifier", [INT64, FLOAT], X, classlabels_int64s=[4, 5], post_transform=how, **nodes, **one)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_votes_that_tie_tell_by_rounding(dtype: type) -> None:
    """Ten trees vote by tenths: what sums to a half either way is a tie only without rounding, and double inputs sum in double."""
    x = np.arange(2048, dtype=dtype).reshape(-1, 1)
    trees = range(10)
    leaves = [(t, n) for t in trees for n in (1, 2) for _ in range(2)]
    rng = np.random.default_rng(3)
    votes = [v for _ in trees for p in rng.choice([0.0, 0.03, 0.05, 0.07, 0.1], 2) for v in (p, 0.1 - p)]
    nodes = {
        "nodes_treeids": [t for t in trees for _ in range(3)],
        "nodes_nodeids": [0, 1, 2] * 10,
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"] * 10,
        "nodes_featureids": [0] * 30,
        "nodes_values": [float(v) for t in trees for v in (rng.integers(2048), 0, 0)],
        "nodes_truenodeids": [1, 0, 0] * 10,
        "nodes_falsenodeids": [2, 0, 0] * 10,
    }
    voted = {**entries("class", leaves, [0, 1] * 20), "class_weights": votes}
    agree("TreeEnsembleClassifier", [INT64, FLOAT], x, classlabels_int64s=[0, 1], **nodes, **voted)


def test_the_first_of_several_entries_of_a_leaf_counts() -> None:
    nodes, leaves = forest(ALL_MODES[:1], False)
    twice = [leaf for leaf in leaves for _ in range(2)]
    agree("TreeEnsembleRegressor", [FLOAT], X, n_targets=1, **nodes, **entries("target", twice, [0] * len(twice)))


def test_a_circle_of_nodes_is_refused() -> None:
    nodes = {
        "nodes_treeids": [0, 0],
        "nodes_nodeids": [0, 1],
        "nodes_modes": ["BRANCH_LEQ", "LEAF"],
        "nodes_featureids": [0, 0],
        "nodes_values": [0.0, 0.0],
        "nodes_truenodeids": [0, 0],
        "nodes_falsenodeids": [1, 0],
    }
    with pytest.raises(intaglio.IntaglioError, match="ITG2209"):
        run("TreeEnsembleRegressor", [FLOAT], X, n_targets=1, **nodes, **entries("target", [(0, 1)], [0]))


# -- strings and maps


def test_labels_that_are_strings():
    texts = np.array(["a", "zz", "b", ""], object)
    keys = {"keys_strings": ["a", "b"], "default_int64": -9, "values_int64s": [7, 8]}
    assert run("LabelEncoder", [INT64], texts, version=4, **keys)[0].tolist() == [7, -9, 8, -9]
    names = {"keys_int64s": [1, 2], "values_strings": ["one", "two"]}
    assert run("LabelEncoder", [TensorProto.STRING], np.array([2, 3]), version=4, **names)[0].tolist() == ["two", "_Unused"]
    assert run("CategoryMapper", [INT64], texts, cats_strings=["a", "b"], cats_int64s=[5, 6])[0].tolist() == [5, -1, 6, -1]
    hot = run("OneHotEncoder", [FLOAT], texts, cats_strings=["b", "a"])[0]
    np.testing.assert_array_equal(hot, np.float32([[0, 1], [0, 0], [1, 0], [0, 0]]))
    coefficients = {"coefficients": [1.0, -1, -1, 1, 0, 0, 0, 0], "intercepts": [0.0, 0.0], "classlabels_strings": ["neg", "pos"]}
    assert set(run("LinearClassifier", [TensorProto.STRING, FLOAT], X, **coefficients)[0].tolist()) == {"neg", "pos"}


@pytest.mark.parametrize(("kind", "labels"), [("strings", ["no", "yes", "maybe"]), ("int64s", [4, -1, 9])])
def test_rows_become_maps(kind, labels):
    node = helper.make_node("ZipMap", ["x"], ["z"], domain="ai.onnx.ml", **{f"classlabels_{kind}": labels})
    given = helper.make_tensor_value_info("x", FLOAT, ["N", 3])
    key = TensorProto.STRING if kind == "strings" else INT64
    type = helper.make_sequence_type_proto(helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, [])))
    graph = helper.make_graph([node], "g", [given], [helper.make_value_info("z", type)])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    session = intaglio.compile(helper.make_model(graph, opset_imports=opsets, ir_version=9)).session()
    for rows in (0, 1, 5):
        x = X[:rows, :3].copy()
        assert session.run(None, {"x": x})[0] == [dict(zip(labels, row, strict=True)) for row in x.tolist()]


@pytest.mark.parametrize(
    ("op", "key", "output", "attributes", "value", "expected"),
    [
        ("DictVectorizer", TensorProto.STRING, FLOAT, {"string_vocabulary": ["b", "c", "a"]}, {"a": 1.5, "z": 9, "b": 2.5}, [2.5, 0, 1.5]),
        ("DictVectorizer", INT64, FLOAT, {"int64_vocabulary": [7, -1]}, {-1: 3.0}, [0, 3]),
        ("CastMap", INT64, TensorProto.STRING, {"cast_to": "TO_STRING"}, {5: 1.5, 2: 2.5}, ["2.5", "1.5"]),
        ("CastMap", INT64, INT64, {"cast_to": "TO_INT64", "map_form": "SPARSE", "max_map": 4}, {3: 1.5, 0: 2.5}, [2, 0, 0, 1]),
    ],
)
def test_maps_become_rows(op, key, output, attributes, value, expected):
    type = helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, []))
    node = helper.make_node(op, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph([node], "g", [helper.make_value_info("x", type)], [helper.make_tensor_value_info("y", output, None)])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    (y,) = intaglio.compile(helper.make_model(graph, opset_imports=opsets, ir_version=9)).session().run(None, {"x": value})
    assert y.tolist() == [expected]
