"""The operators of ai.onnx.ml: models of classical learning, and what prepares their features."""

from __future__ import annotations

import numpy as np

from .model import case, floats, ints, listed, positive, strings

X = floats(4, 3)
ML = "ai.onnx.ml"

case(f"{ML}.ArrayFeatureExtractor", "1", f"y = {ML}.ArrayFeatureExtractor(x, i)", x=X, i=ints(2, 0))
case(f"{ML}.Binarizer", "1", f"y = {ML}.Binarizer <threshold = 0.25> (x)", x=X)
CATEGORIES = 'cats_int64s = [3, 5], cats_strings = ["c", "e"], default_int64 = -1, default_string = "?"'
case(f"{ML}.CategoryMapper", "1", f"y = {ML}.CategoryMapper <{CATEGORIES}> (x)", x=strings("e", "x"))
case(f"{ML}.CategoryMapper", "1", f"y = {ML}.CategoryMapper <{CATEGORIES}> (x)", x=ints(5, 4))
case(f"{ML}.FeatureVectorizer", "1", f"y = {ML}.FeatureVectorizer <inputdimensions = [3, 2]> (a, b)", a=X, b=floats(4, 2))
case(
    f"{ML}.Imputer",
    "1",
    f"y = {ML}.Imputer <imputed_value_floats = [1.0, 2.0, 3.0], replaced_value_float = 0.0> (x)",
    x=X * np.float32(X > 0),
)
case(f"{ML}.Normalizer", "1", f'y = {ML}.Normalizer <norm = "L2"> (x) z = {ML}.Normalizer(x)', x=positive(4, 3))
case(f"{ML}.OneHotEncoder", "1", f"y = {ML}.OneHotEncoder <cats_int64s = [1, 2, 3]> (x)", x=ints(3, 1, 9))
case(f"{ML}.Scaler", "1", f"y = {ML}.Scaler <offset = [1.0, 2.0, 3.0], scale = [0.5, 2.0, 1.0]> (x)", x=X)
LINEAR = f"coefficients = {listed(floats(6))}, intercepts = [0.5, -0.5]"
case(f"{ML}.LinearRegressor", "1", f"y = {ML}.LinearRegressor <{LINEAR}, targets = 2> (x)", x=X)
case(
    f"{ML}.LinearClassifier",
    "1",
    f'y, z = {ML}.LinearClassifier <{LINEAR}, classlabels_ints = [4, 7], post_transform = "SOFTMAX"> (x)',
    x=X,
)
VECTORS = f'support_vectors = {listed(floats(12))}, kernel_type = "RBF", kernel_params = [0.5, 0.0, 3.0]'
case(
    f"{ML}.SVMRegressor",
    "1",
    f"y = {ML}.SVMRegressor <{VECTORS}, coefficients = {listed(floats(4))}, n_supports = 4, rho = [0.25]> (x)",
    x=X,
)
SVM = f"{VECTORS}, coefficients = {listed(floats(4))}, vectors_per_class = [2, 2], rho = [0.25], classlabels_ints = [0, 1]"
case(f"{ML}.SVMClassifier", "1", f"y, z = {ML}.SVMClassifier <{SVM}> (x)", x=X)

# -- labels: at version 1 one list of names stood for the numbers from 0 on, in the direction that the input's type told

NAMES = 'classes_strings = ["a", "b", "a"], default_int64 = -7, default_string = "?"'
case(f"{ML}.LabelEncoder", "1", f"y = {ML}.LabelEncoder <{NAMES}> (x)", x=strings("b", "x", "a"), want=lambda x: ints(1, -7, 0))
case(f"{ML}.LabelEncoder", "1", f"y = {ML}.LabelEncoder <{NAMES}> (x)", x=ints(1, 9, 0), want=lambda x: strings("b", "?", "a"))
PAIRS = "keys_int64s = [3, 5], values_floats = [0.5, 1.5], default_float = -2.0"
case(f"{ML}.LabelEncoder", "2-", f"y = {ML}.LabelEncoder <{PAIRS}> (x)", x=ints(5, 4, 3))
case(f"{ML}.LabelEncoder", "2-", f"y = {ML}.LabelEncoder <keys_floats = [0.5, 1.5], values_int64s = [3, 5]> (x)", x=np.float32([1.5, 9]))
case(f"{ML}.LabelEncoder", "2-", f'y = {ML}.LabelEncoder <keys_strings = ["a"], values_int64s = [3]> (x)', x=strings("b", "a"))
TENSORS = "keys_tensor = int64[2] {3, 5}, values_tensor = int16[2] {30, 50}, default_tensor = int16[1] {-1}"
case(f"{ML}.LabelEncoder", "4", f"y = {ML}.LabelEncoder <{TENSORS}> (x)", x=ints(5, 4, 3), want=lambda x: np.int16([50, -1, 30]))

# -- trees: one of depth two; from version 3 on its numbers may be doubles

NODES = (
    "nodes_treeids = [0, 0, 0, 0, 0], nodes_nodeids = [0, 1, 2, 3, 4], nodes_featureids = [0, 1, 0, 0, 0], "
    'nodes_modes = ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"], nodes_truenodeids = [1, 3, 0, 0, 0], '
    "nodes_falsenodeids = [2, 4, 0, 0, 0]"
)
VALUES = "nodes_values = [0.25, -0.25, 0.0, 0.0, 0.0]"
DOUBLES = "nodes_values_as_tensor = double[5] {0.25, -0.25, 0.0, 0.0, 0.0}"
LEAVES = "target_treeids = [0, 0, 0], target_nodeids = [2, 3, 4], target_ids = [0, 0, 0]"


def regressed(x: np.ndarray) -> np.ndarray:
    return np.where(x[:, :1] > 0.25, 1, np.where(x[:, 1:2] <= -0.25, 2, 3)).astype(x.dtype)


WEIGHTS = "target_weights = [1.0, 2.0, 3.0]"
case(
    f"{ML}.TreeEnsembleRegressor",
    "1-",
    f"y = {ML}.TreeEnsembleRegressor <{NODES}, {VALUES}, {LEAVES}, {WEIGHTS}, n_targets = 1> (x)",
    x=X,
    want=regressed,
)
WEIGHTS = "target_weights_as_tensor = double[3] {1.0, 2.0, 3.0}"
text = f"y = {ML}.TreeEnsembleRegressor <{NODES}, {DOUBLES}, {LEAVES}, {WEIGHTS}, n_targets = 1> (x)"
case(f"{ML}.TreeEnsembleRegressor", "3-", text, x=X.astype(np.float64), want=lambda x: regressed(x).astype(np.float32))
LEAVES = "class_treeids = [0, 0, 0], class_nodeids = [2, 3, 4], class_ids = [0, 1, 1], classlabels_int64s = [5, 6]"


def classified(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weight = regressed(x)[:, 0]
    scores = np.where((weight == 1)[:, None], np.float32([1, 0]), np.stack([0 * weight, weight], -1)).astype(np.float32)
    return np.where(weight == 1, 5, 6), scores


WEIGHTS = "class_weights = [1.0, 2.0, 3.0]"
case(
    f"{ML}.TreeEnsembleClassifier",
    "1-",
    f"y, z = {ML}.TreeEnsembleClassifier <{NODES}, {VALUES}, {LEAVES}, {WEIGHTS}> (x)",
    x=X,
    want=classified,
)
WEIGHTS = "class_weights_as_tensor = double[3] {1.0, 2.0, 3.0}"
text = f"y, z = {ML}.TreeEnsembleClassifier <{NODES}, {DOUBLES}, {LEAVES}, {WEIGHTS}> (x)"
case(f"{ML}.TreeEnsembleClassifier", "3-", text, x=X.astype(np.float64), want=classified)
TREE = (
    "tree_roots = [0], n_targets = 1, nodes_featureids = [0, 1], nodes_modes = uint8[2] {0, 0}, nodes_splits = float[2] {0.25, -0.25}, "
    "nodes_truenodeids = [1, 1], nodes_trueleafs = [0, 1], nodes_falsenodeids = [0, 2], nodes_falseleafs = [1, 1], "
    "leaf_targetids = [0, 0, 0], leaf_weights = float[3] {1.0, 2.0, 3.0}"
)
case(f"{ML}.TreeEnsemble", "5", f"y = {ML}.TreeEnsemble <{TREE}> (x)", x=X, want=regressed)

# -- maps

case(
    f"{ML}.CastMap",
    "1",
    f'y = {ML}.CastMap <map_form = "SPARSE", max_map = 4> (x)',
    x={1: 0.5, 3: 2.0},
    want=lambda x: np.float32([[0, 0.5, 0, 2]]),
)
case(
    f"{ML}.DictVectorizer",
    "1",
    f"y = {ML}.DictVectorizer <int64_vocabulary = [3, 5, 1]> (x)",
    x={1: 0.5, 3: 2.0},
    want=lambda x: np.float32([[2, 0, 0.5]]),
)

case(
    f"{ML}.ZipMap",
    "1",
    f"y = {ML}.ZipMap <classlabels_int64s = [4, 7]> (x)",
    x=floats(2, 2),
    want=lambda x: [dict(zip((4, 7), row.tolist(), strict=True)) for row in x],
)
