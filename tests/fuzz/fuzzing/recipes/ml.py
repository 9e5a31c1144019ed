"""The operators of ai.onnx.ml: features, linear models, vector machines and trees."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from ..draw import Draw
from ..schemas import FLOATS, INT64, STRING, dtype
from .registry import recipe

_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO")


def _features(d: Draw, text: str, *, low: float | None = None, high: float | None = None) -> int:
    """A batch of features, whose number is returned."""
    count = d.between(1, 5)
    d.data(text, (d.size(1, 7), count), low, high)
    return count


def _reals(d: Draw, count: int, low: float = -2, high: float = 2) -> list[float]:
    return [round(float(x), 2) for x in d.choices.rng().uniform(low, high, count)]


@recipe("ArrayFeatureExtractor")
def array_feature_extractor(d: Draw) -> None:
    shape = d.shape(1, 3)
    if not shape[-1]:
        shape = (*shape[:-1], 1)
    d.data("T", shape)
    d.given(d.choices.rng().integers(0, shape[-1], d.between(1, 4)))


@recipe("Binarizer")
def binarizer(d: Draw) -> None:
    d.data("T", d.shape(1, 3))
    d.maybe("threshold", lambda: d.real(-1, 1))


@recipe("FeatureVectorizer")
def feature_vectorizer(d: Draw) -> None:
    batch = d.size(1, 4)
    widths = [d.between(1, 4) for _ in range(d.between(1, 3))]
    for width in widths:
        d.data("T1", (batch, width))
    d.attribute("inputdimensions", widths)


@recipe("Imputer")
def imputer(d: Draw) -> None:
    kind = d.type("T")
    suffix = "float" if kind in FLOATS else "int64"
    missing = d.maybe(f"replaced_value_{suffix}", lambda: d.pick([0.0, float("nan"), 2.0] if kind in FLOATS else [0, 3, 2]))
    count = d.between(1, 4)
    array = d.array(kind, (d.size(1, 5), count))
    with np.errstate(all="ignore"):
        d.given(np.where(d.choices.rng().random(array.shape) < 0.3, missing, array), type="T")
    values = [float(v) if kind in FLOATS else v for v in range(10, 10 + (count if d.flag() else 1))]
    d.attribute(f"imputed_value_{suffix}s", values)


@recipe("LabelEncoder")
def label_encoder(d: Draw) -> None:
    source, target = d.type("T1"), d.type("T2")
    keys, values = _labels(source, 5), _labels(target, 5)[::-1]
    given = d.choices.rng().choice(np.array([*keys, *_labels(source, 6)[5:]], dtype(source)), d.shape(0, 3))
    d.given(given, type=source)
    names = {STRING: "strings", INT64: "int64s", 1: "floats"}
    default = {STRING: "default_string", INT64: "default_int64", 1: "default_float"}
    if source in names and target in names and d.flag():
        d.attribute(f"keys_{names[source]}", keys)
        d.attribute(f"values_{names[target]}", values)
        if d.flag():
            d.attribute(default[target], _labels(target, 7)[6])
        return
    d.attribute("keys_tensor", _tensor(source, keys))
    d.attribute("values_tensor", _tensor(target, values))
    d.attribute("default_tensor", _tensor(target, [_labels(target, 7)[6]]))


def _labels(kind: int, count: int) -> list[Any]:
    if kind == STRING:
        return ["a", "b", "ab", "", "é", "q", "none"][:count]
    return [1.5, -2.0, 3.25, 0.5, 7.0, 8.0, -9.0][:count] if kind in FLOATS else [1, -2, 3, 0, 7, 8, -9][:count]


def _tensor(kind: int, values: list[Any]) -> Any:
    if kind == STRING:
        return helper.make_tensor("t", kind, [len(values)], [value.encode() for value in values])
    return numpy_helper.from_array(np.array(values, dtype(kind)))


def _classes(d: Draw, count: int, ints: str = "classlabels_ints") -> None:
    """Labels of classes; an integer each."""
    d.attribute(ints, [3 * i - 1 for i in range(count)])


@recipe("LinearClassifier")
def linear_classifier(d: Draw) -> None:
    features, classes = _features(d, "T1"), d.between(2, 4)
    _classes(d, classes)
    d.attribute("coefficients", _reals(d, classes * features))
    d.attribute("intercepts", _reals(d, classes))
    d.maybe("post_transform", lambda: d.pick(_TRANSFORMS))
    d.maybe("multi_class", lambda: d.between(0, 1))
    d.wanted = [True, True]


@recipe("LinearRegressor")
def linear_regressor(d: Draw) -> None:
    features, targets = _features(d, "T"), d.between(1, 3)
    if targets > 1 or d.flag():
        d.attribute("targets", targets)
    d.attribute("coefficients", _reals(d, targets * features))
    if d.flag():
        d.attribute("intercepts", _reals(d, targets))
    d.maybe("post_transform", lambda: d.pick(_TRANSFORMS))


@recipe("Normalizer")
def normalizer(d: Draw) -> None:
    _features(d, "T")
    d.maybe("norm", lambda: d.pick(["L1", "L2", "MAX"]))


@recipe("OneHotEncoder")
def one_hot_encoder(d: Draw) -> None:
    kind = d.type("T")
    if kind == STRING:
        d.data(kind, d.shape(1, 2))
        d.attribute("cats_strings", ["a", "same", "", "é"])
    else:
        zeros = d.maybe("zeros", lambda: d.between(0, 1))
        d.given(d.choices.rng().integers(0, 4 if not zeros else 6, d.shape(1, 2)), type=kind)
        d.attribute("cats_int64s", [0, 2, 1, 3])


@recipe("Scaler")
def scaler(d: Draw) -> None:
    features = _features(d, "T")
    d.attribute("offset", _reals(d, features if d.flag() else 1))
    d.attribute("scale", _reals(d, features if d.flag() else 1))


def _kernel(d: Draw) -> None:
    d.maybe("kernel_type", lambda: d.pick(["LINEAR", "RBF", "POLY", "SIGMOID"]))
    d.attribute("kernel_params", [d.real(0.1, 1), d.real(0, 1), float(d.between(1, 3))])


@recipe("SVMRegressor")
def svm_regressor(d: Draw) -> None:
    features = _features(d, "T", low=-1, high=1)
    supports = d.between(1, 4)
    _kernel(d)
    if d.flag(3):
        d.attribute("coefficients", _reals(d, features))
    else:
        d.attribute("n_supports", supports)
        d.attribute("support_vectors", _reals(d, supports * features))
        d.attribute("coefficients", _reals(d, supports))
    d.attribute("rho", _reals(d, 1))
    if d.flag(4):
        d.attribute("one_class", 1)
    d.maybe("post_transform", lambda: "NONE")


@recipe("SVMClassifier")
def svm_classifier(d: Draw) -> None:
    features, classes = _features(d, "T1", low=-1, high=1), d.between(2, 4)
    _classes(d, classes)
    _kernel(d)
    pairs = classes * (classes - 1) // 2
    per_class = [d.between(1, 3) for _ in range(classes)]
    d.attribute("vectors_per_class", per_class)
    d.attribute("support_vectors", _reals(d, sum(per_class) * features))
    d.attribute("coefficients", _reals(d, (classes - 1) * sum(per_class)))
    d.attribute("rho", _reals(d, pairs))
    if d.flag():
        d.attribute("prob_a", _reals(d, pairs, -2, -0.5))
        d.attribute("prob_b", _reals(d, pairs))
    d.maybe("post_transform", lambda: d.pick(_TRANSFORMS))
    d.wanted = [True, True]


_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def _trees(d: Draw, features: int) -> list[list[dict[str, Any]]]:
    """Trees as lists of nodes; a node is a leaf or splits, its children come after it."""
    return [_tree(d, features) for _ in range(d.between(1, 3))]


def _tree(d: Draw, features: int) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = [{}]
    splits = d.between(0, 5)
    leaves = [0]
    for _ in range(splits):
        node = nodes[leaves.pop(d.between(0, len(leaves) - 1))]
        node.update(
            feature=d.between(0, features - 1),
            mode=d.between(0, 5 if d.flag(3) else 0),
            value=d.real(-2, 2),
            true=len(nodes),
            false=len(nodes) + 1,
        )
        node["missing"] = d.between(0, 1)
        leaves += [len(nodes), len(nodes) + 1]
        nodes += [{}, {}]
    return nodes


@recipe("TreeEnsembleClassifier", "TreeEnsembleRegressor")
def tree_ensemble_old(d: Draw) -> None:
    classifies = d.operator.endswith("Classifier")
    features = _features(d, "T1" if classifies else "T")
    trees = _trees(d, features)
    flat = [(t, i, node) for t, nodes in enumerate(trees) for i, node in enumerate(nodes)]
    wide = (d.type("T1") if classifies else d.type("T")) == 11 and d.flag()
    d.attribute("nodes_treeids", [t for t, _, _ in flat])
    d.attribute("nodes_nodeids", [i for _, i, _ in flat])
    d.attribute("nodes_featureids", [node.get("feature", 0) for _, _, node in flat])
    d.attribute("nodes_modes", [_MODES[node["mode"]] if node else "LEAF" for _, _, node in flat])
    d.attribute("nodes_truenodeids", [node.get("true", 0) for _, _, node in flat])
    d.attribute("nodes_falsenodeids", [node.get("false", 0) for _, _, node in flat])
    if d.flag():
        d.attribute("nodes_missing_value_tracks_true", [node.get("missing", 0) for _, _, node in flat])
    _numbers(d, "nodes_values", [node.get("value", 0.0) for _, _, node in flat], wide)
    targets = d.between(2, 3) if classifies else d.between(1, 3)
    part = "class" if classifies else "target"
    leaves = [(t, i) for t, i, node in flat if not node]
    weighted = [(t, i, k) for t, i in leaves for k in range(targets) if (t, i) == leaves[0] or k == 0 or d.flag()]
    d.attribute(f"{part}_treeids", [t for t, _, _ in weighted])
    d.attribute(f"{part}_nodeids", [i for _, i, _ in weighted])
    d.attribute(f"{part}_ids", [k for _, _, k in weighted])
    _numbers(d, f"{part}_weights", _reals(d, len(weighted)), wide)
    if d.flag():
        _numbers(d, "base_values", _reals(d, targets), wide)
    if targets > 1:
        d.maybe("post_transform", lambda: d.pick(_TRANSFORMS))
    if classifies:
        _classes(d, targets, "classlabels_int64s")
        d.wanted = [True, True]
    else:
        d.attribute("n_targets", targets)
        d.maybe("aggregate_function", lambda: d.pick(["SUM", "AVERAGE", "MIN", "MAX"]))


def _numbers(d: Draw, name: str, values: list[float], wide: bool) -> None:
    if wide:
        d.attribute(f"{name}_as_tensor", numpy_helper.from_array(np.array(values, np.float64)))
    else:
        d.attribute(name, values)


@recipe("TreeEnsemble")
def tree_ensemble(d: Draw) -> None:
    kind = d.type("T")
    features = _features(d, "T")
    trees = [tree for tree in _trees(d, features) if len(tree) > 1] or [_stump()]
    targets = d.attribute("n_targets", d.between(1, 3))
    places: dict[tuple[int, int], tuple[bool, int]] = {}
    counts = [0, 0]
    for t, nodes in enumerate(trees):
        for i, node in enumerate(nodes):
            places[t, i] = (not node, counts[not node])
            counts[not node] += 1
    inner = [(t, node) for t, nodes in enumerate(trees) for node in nodes if node]
    modes = np.array([node["mode"] for _, node in inner], np.uint8)
    d.attribute("tree_roots", [places[t, 0][1] for t in range(len(trees))])
    d.attribute("nodes_featureids", [node["feature"] for _, node in inner])
    d.attribute("nodes_modes", numpy_helper.from_array(modes))
    d.attribute("nodes_splits", numpy_helper.from_array(np.array([node["value"] for _, node in inner]).astype(dtype(kind))))
    for way in ("true", "false"):
        d.attribute(f"nodes_{way}nodeids", [places[t, node[way]][1] for t, node in inner])
        d.attribute(f"nodes_{way}leafs", [int(places[t, node[way]][0]) for t, node in inner])
    if d.flag():
        d.attribute("nodes_missing_value_tracks_true", [node["missing"] for _, node in inner])
    d.attribute("leaf_targetids", [d.between(0, targets - 1) for _ in range(counts[1])])
    d.attribute("leaf_weights", numpy_helper.from_array(np.array(_reals(d, counts[1])).astype(dtype(kind))))
    d.maybe("aggregate_function", lambda: d.between(0, 3))
    if targets > 1:  # of a single one the references leave it as it is
        d.maybe("post_transform", lambda: d.between(0, 3))


def _stump() -> list[dict[str, Any]]:
    return [{"feature": 0, "mode": 0, "value": 0.5, "true": 1, "false": 2, "missing": 0}, {}, {}]
