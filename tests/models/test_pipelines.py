"""Pipelines trained here with scikit-learn, LightGBM and XGBoost, as skl2onnx and onnxmltools convert them, against ONNX Runtime.

`make models` installs what they need (the extra `models`) and runs this. A converter that refuses an estimator, or writes a model
that ONNX Runtime refuses, is no concern of this test: it skips.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("skl2onnx")

from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn import calibration, cluster, decomposition, ensemble, impute, multiclass, multioutput, naive_bayes, neighbors, svm, tree
from sklearn import discriminant_analysis as discriminant
from sklearn import feature_selection as selection
from sklearn import gaussian_process as gaussian
from sklearn import linear_model as linear
from sklearn import mixture as mixtures
from sklearn import neural_network as neural
from sklearn import preprocessing as prepare
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]

OPSETS = {"": 21, "ai.onnx.ml": 3}
X, CLASSES = load_iris(return_X_y=True)
IS_FIRST = (CLASSES == 1).astype(int)
NAMES = np.array(["setosa", "versicolor", "virginica"])[CLASSES]
TWO_LABELS = np.stack([IS_FIRST, CLASSES == 2], 1).astype(int)
XR, YR = (a[:120] for a in load_diabetes(return_X_y=True))
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
PLAIN = {"zipmap": False}
LOGISTIC, TREE = linear.LogisticRegression(max_iter=300), tree.DecisionTreeClassifier(max_depth=3, random_state=0)

CLASSIFIERS: dict[str, tuple[Any, np.ndarray, np.ndarray, dict[str, Any]]] = {
    "logistic": (LOGISTIC, X, CLASSES, {}),
    "logistic-of-two": (linear.LogisticRegression(), X, IS_FIRST, {}),
    "logistic-raw": (LOGISTIC, X, CLASSES, {"raw_scores": True}),
    "logistic-of-names": (LOGISTIC, X, NAMES, {}),
    "logistic-maps": (LOGISTIC, X, CLASSES, {"zipmap": True}),
    "logistic-maps-of-names": (LOGISTIC, X, NAMES, {"zipmap": True}),
    "logistic-columns": (LOGISTIC, X, CLASSES, {"zipmap": "columns"}),
    "sgd": (linear.SGDClassifier(loss="modified_huber"), X, CLASSES, {}),
    "perceptron": (linear.Perceptron(), X, CLASSES, {}),
    "svc": (svm.SVC(), X, CLASSES, {}),
    "svc-linear": (svm.SVC(kernel="linear"), X, CLASSES, {}),
    "svc-poly": (svm.SVC(kernel="poly"), X, CLASSES, {}),
    "svc-probability": (svm.SVC(probability=True), X, CLASSES, {}),
    "svc-of-names": (svm.SVC(probability=True), X, NAMES, {}),
    "nusvc-of-two": (svm.NuSVC(probability=True), X, IS_FIRST, {}),
    "tree": (TREE, X, CLASSES, {}),
    "tree-of-labels": (TREE, X, TWO_LABELS, {}),
    "tree-leaf": (TREE, X, CLASSES, {"decision_leaf": True}),
    "tree-path": (TREE, X, CLASSES, {"decision_path": True}),
    "forest": (ensemble.RandomForestClassifier(20), X, CLASSES, {}),
    "forest-of-two": (ensemble.RandomForestClassifier(10), X, IS_FIRST, {}),
    "forest-of-names": (ensemble.RandomForestClassifier(5), X, NAMES, {}),
    "extra-trees": (ensemble.ExtraTreesClassifier(10), X, CLASSES, {}),
    "gradient-boosting": (ensemble.GradientBoostingClassifier(n_estimators=10), X, CLASSES, {}),
    "gradient-boosting-of-two": (ensemble.GradientBoostingClassifier(n_estimators=10), X, IS_FIRST, {}),
    "hist-gradient-boosting": (ensemble.HistGradientBoostingClassifier(max_iter=10), GAPS, CLASSES, {}),
    "ada": (ensemble.AdaBoostClassifier(n_estimators=5), X, CLASSES, {}),
    "bagging": (ensemble.BaggingClassifier(TREE, n_estimators=4), X, CLASSES, {}),
    "voting": (ensemble.VotingClassifier([("a", LOGISTIC), ("b", TREE)], voting="soft"), X, CLASSES, {}),
    "voting-hard": (ensemble.VotingClassifier([("a", LOGISTIC), ("b", TREE)]), X, CLASSES, {}),
    "stacking": (ensemble.StackingClassifier([("a", LOGISTIC), ("b", TREE)]), X, CLASSES, {}),
    "neighbours": (neighbors.KNeighborsClassifier(3), X + XR[:1, :1] * np.arange(600).reshape(X.shape), CLASSES, {}),
    "gaussian-bayes": (naive_bayes.GaussianNB(), X, CLASSES, {}),
    "multinomial-bayes": (naive_bayes.MultinomialNB(), X, CLASSES, {}),
    "bernoulli-bayes": (naive_bayes.BernoulliNB(binarize=2.0), X, CLASSES, {}),
    "gaussian-process": (gaussian.GaussianProcessClassifier(), X[::5], IS_FIRST[::5], {}),
    "mlp": (neural.MLPClassifier((10, 5), max_iter=50), X, CLASSES, {}),
    "lda": (discriminant.LinearDiscriminantAnalysis(), X, CLASSES, {}),
    "qda": (discriminant.QuadraticDiscriminantAnalysis(), X, CLASSES, {}),
    "calibrated": (calibration.CalibratedClassifierCV(linear.SGDClassifier(), cv=2), X, CLASSES, {}),
    "one-vs-rest": (multiclass.OneVsRestClassifier(linear.LogisticRegression()), X, CLASSES, {}),
    "one-vs-one": (multiclass.OneVsOneClassifier(linear.LogisticRegression()), X, CLASSES, {}),
    "multi-output": (multioutput.MultiOutputClassifier(linear.LogisticRegression()), X, TWO_LABELS, {}),
    "pipeline": (make_pipeline(impute.SimpleImputer(), prepare.StandardScaler(), decomposition.PCA(3), LOGISTIC), GAPS, CLASSES, {}),
    "union": (make_pipeline(FeatureUnion([("p", decomposition.PCA(2)), ("s", prepare.StandardScaler())]), svm.SVC()), X, CLASSES, {}),
    "columns": (
        make_pipeline(ColumnTransformer([("a", prepare.StandardScaler(), [0, 1]), ("b", prepare.MinMaxScaler(), [2, 3])]), TREE),
        X,
        CLASSES,
        {},
    ),
}

REGRESSORS: dict[str, Any] = {
    "linear": linear.LinearRegression(),
    "lasso": linear.Lasso(0.01),
    "bayesian-ridge": linear.BayesianRidge(),
    "poisson": linear.PoissonRegressor(),
    "svr": svm.SVR(C=10),
    "nusvr-linear": svm.NuSVR(kernel="linear"),
    "tree": tree.DecisionTreeRegressor(max_depth=6),
    "forest": ensemble.RandomForestRegressor(20, max_depth=5),
    "extra-trees": ensemble.ExtraTreesRegressor(10, max_depth=5),
    "gradient-boosting": ensemble.GradientBoostingRegressor(n_estimators=20),
    "hist-gradient-boosting": ensemble.HistGradientBoostingRegressor(max_iter=10),
    "ada": ensemble.AdaBoostRegressor(n_estimators=5),
    "bagging": ensemble.BaggingRegressor(n_estimators=4),
    "voting": ensemble.VotingRegressor([("a", linear.LinearRegression()), ("b", tree.DecisionTreeRegressor(max_depth=3))]),
    "neighbours": neighbors.KNeighborsRegressor(4),
    "gaussian-process": gaussian.GaussianProcessRegressor(gaussian.kernels.RBF() + gaussian.kernels.WhiteKernel()),
    "mlp": neural.MLPRegressor(hidden_layer_sizes=(10,), max_iter=50),
}

TRANSFORMERS: dict[str, tuple[Any, np.ndarray]] = {
    "one-class": (svm.OneClassSVM(), X),
    "isolation-forest": (ensemble.IsolationForest(n_estimators=10), X),
    "kmeans": (cluster.KMeans(3, n_init=2), X),
    "gaussian-mixture": (mixtures.GaussianMixture(n_components=3), X),
    "pca": (decomposition.PCA(2, whiten=True), X),
    "svd": (decomposition.TruncatedSVD(2), X),
    "kernel-pca": (decomposition.KernelPCA(2, kernel="rbf"), X),
    "standard": (prepare.StandardScaler(), X),
    "robust": (prepare.RobustScaler(), X),
    "normalise": (prepare.Normalizer("l1"), X),
    "binarise": (prepare.Binarizer(threshold=2.0), X),
    "polynomial": (prepare.PolynomialFeatures(2), X),
    "power": (prepare.PowerTransformer(), X),
    "bins": (prepare.KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform"), X),
    "impute": (impute.SimpleImputer(), GAPS),
    "one-hot": (prepare.OneHotEncoder(sparse_output=False, handle_unknown="ignore"), np.round(X).astype(np.int64)),
    "ordinal": (prepare.OrdinalEncoder(), np.round(X).astype(np.int64)),
    "variance": (selection.VarianceThreshold(0.3), X),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name: str, dtype: type, both: Callable[..., Any]) -> None:
    estimator, x, y, options = CLASSIFIERS[name]
    if options.get("zipmap") != "columns" and "zipmap" not in options:
        options = {**PLAIN, **options}
    _agree(both, estimator, x.astype(dtype), y, options=options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str, dtype: type, both: Callable[..., Any]) -> None:
    _agree(both, REGRESSORS[name], XR.astype(dtype), YR)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers(name: str, dtype: type, both: Callable[..., Any]) -> None:
    estimator, x = TRANSFORMERS[name]
    _agree(both, estimator, x if x.dtype.kind == "i" else x.astype(dtype), None)


TEXTS = np.array([["The cat sat on the mat"], ["the dog, the cat and I"], ["A mat for dogs! Dogs."], ["cats and dogs"]] * 3)


@pytest.mark.parametrize(
    "vectoriser",
    [
        TfidfVectorizer(),
        TfidfVectorizer(ngram_range=(1, 2), norm=None, token_pattern=r"\b\w+\b"),
        CountVectorizer(stop_words=["the"], lowercase=True),
        CountVectorizer(analyzer="char", ngram_range=(1, 2)),
    ],
    ids=["tfidf", "tfidf-pairs", "counts", "characters"],
)
def test_texts(vectoriser: Any, both: Callable[..., Any]) -> None:
    model = make_pipeline(ColumnTransformer([("t", vectoriser, 0)]), linear.LogisticRegression())
    # ONNX Runtime has only the locales that the machine has.
    options = {linear.LogisticRegression: PLAIN, type(vectoriser): {"locale": "C"}}
    _compare(both, model.fit(TEXTS, [0, 1, 0, 1] * 3), TEXTS, [("x", StringTensorType([None, 1]))], options=options)


def test_columns_of_texts(both: Callable[..., Any]) -> None:
    words = np.array([["red", "small"], ["green", "large"], ["blue", "small"], ["red", "large"]] * 3)
    encode = ColumnTransformer([("one", prepare.OneHotEncoder(), [0]), ("other", prepare.OrdinalEncoder(), [1])])
    model = make_pipeline(encode, LOGISTIC).fit(words, np.array(["no", "yes", "no", "yes"] * 3))
    _compare(both, model, words, [("x", StringTensorType([None, 2]))], options={"zipmap": True})


@pytest.mark.parametrize("kind", ["of-two", "classes", "regression", "gaps", "maps"])
@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_boosters(library: str, kind: str, both: Callable[..., Any]) -> None:
    booster, tools = pytest.importorskip(library), pytest.importorskip("onnxmltools")
    from onnxmltools.convert.common.data_types import FloatTensorType as Floats

    x, y = {"of-two": (X, IS_FIRST), "regression": (XR, YR), "gaps": (GAPS, CLASSES)}.get(kind, (X, CLASSES))
    prefix, how = ("LGBM", {"verbose": -1, "num_threads": 1}) if library == "lightgbm" else ("XGB", {"max_depth": 4, "n_jobs": 1})
    estimator = getattr(booster, prefix + ("Regressor" if kind == "regression" else "Classifier"))(n_estimators=10, **how).fit(x, y)
    options = {"zipmap": kind == "maps"} if library == "lightgbm" else {}
    convert = getattr(tools, f"convert_{library}")
    model = convert(estimator, initial_types=[("x", Floats([None, x.shape[1]]))], target_opset=15, **options)
    _rows(both, model, x.astype(np.float32))


def _agree(both: Callable[..., Any], estimator: Any, x: np.ndarray, y: np.ndarray | None, **how: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = estimator.fit(x) if y is None else estimator.fit(x, y)
    _compare(both, fitted, x, None, **how)


def _compare(both: Callable[..., Any], fitted: Any, x: np.ndarray, types: Any, **how: Any) -> None:
    try:
        model = to_onnx(fitted, x[:1] if types is None else None, initial_types=types, target_opset=OPSETS, **how)
    except Exception as error:
        pytest.skip(f"skl2onnx: {error}"[:200])
    _rows(both, model, x)


def _rows(both: Callable[..., Any], model: Any, x: np.ndarray) -> None:
    ort = pytest.importorskip("onnxruntime")
    try:
        ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        pytest.skip(f"ONNX Runtime: {error}"[:200])
    pair = both(model.SerializeToString())
    (given,) = pair.reference.get_inputs()
    for rows in (1, 7, len(x)):
        pair.agree({given.name: x[:rows].astype(object) if x.dtype.kind == "U" else x[:rows]})
