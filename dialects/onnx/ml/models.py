"""Linear models and support vector machines."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import Attribute
from xdsl.irdl import operand_def, result_def

from ..base import OnnxOp, floats_attr, int_attr, ints_attr, operator, str_attr, strs_attr, tensor
from ..dims import Dim, Shape
from ..shapes import Shapes
from ..types import F32
from .common import FEATURES, LABELS, POST_TRANSFORMS, batch, labels, require_choice

KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


@operator(since=1)
class LinearClassifierOp(OnnxOp):
    """Scores x @ coefficients + intercepts and the label of the best. https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html

    x: (n, f) or (f,); y: (n,) labels; z: (n, classes) scores. One row of coefficients for two labels makes two scores.
    """

    name = "onnx_ml.LinearClassifier"
    x = operand_def(tensor("T1", FEATURES))
    y = result_def(tensor("T2", LABELS))
    z = result_def(tensor("", F32))
    classlabels_ints = ints_attr()
    classlabels_strings = strs_attr()
    coefficients = floats_attr(required=True)
    intercepts = floats_attr()
    multi_class = int_attr(0)
    post_transform = str_attr("NONE")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "post_transform", POST_TRANSFORMS)
        rows, features = batch(self, shapes, self.x)
        classes, _ = labels(self, "classlabels_ints")
        scores = self._rows_of_coefficients(features, classes)
        if scores != classes and (scores, classes) != (1, 2):
            raise self.fail("ITG2208", f"{scores} rows of coefficients do not score {classes} classes")
        return ((rows,), (rows, classes))

    def _rows_of_coefficients(self, features: Dim, classes: int) -> int:
        given = len(self.attr("coefficients"))
        if not isinstance(features, int):
            return len(self.attr("intercepts") or ()) or classes
        if features == 0 or given == 0 or given % features:
            raise self.fail("ITG2208", f"{given} coefficients do not make rows of {features} features")
        return given // features

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (labels(self, "classlabels_ints")[1],)


@operator(since=1)
class LinearRegressorOp(OnnxOp):
    """x @ coefficients + intercepts: (n, f) gives (n, targets). https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html"""

    name = "onnx_ml.LinearRegressor"
    x = operand_def(tensor("T", FEATURES))
    y = result_def(tensor("", F32))
    coefficients = floats_attr()
    intercepts = floats_attr()
    post_transform = str_attr("NONE")
    targets = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "post_transform", POST_TRANSFORMS)
        rows, features = batch(self, shapes, self.x)
        targets, given = self.attr("targets"), len(self.attr("coefficients") or ())
        if targets < 1:
            raise self.fail("ITG2208", f"targets must be positive, but is {targets}")
        if isinstance(features, int) and features * targets != given:
            raise self.fail("ITG2208", f"{given} coefficients do not fit {targets} targets of {features} features")
        return ((rows, targets),)


@operator(since=1)
class SVMClassifierOp(OnnxOp):
    """A support vector machine that votes between pairs of classes. https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html

    x: (n, f) or (f,); y: (n,) labels; z: (n, c), a probability a class where prob_a is given, a score a class without support
    vectors, else a score for each pair of classes (for two classes: two).
    """

    name = "onnx_ml.SVMClassifier"
    x = operand_def(tensor("T1", FEATURES))
    y = result_def(tensor("T2", LABELS))
    z = result_def(tensor("", F32))
    classlabels_ints = ints_attr()
    classlabels_strings = strs_attr()
    coefficients = floats_attr()
    kernel_params = floats_attr()
    kernel_type = str_attr("LINEAR")
    post_transform = str_attr("NONE")
    prob_a = floats_attr()
    prob_b = floats_attr()
    rho = floats_attr()
    support_vectors = floats_attr()
    vectors_per_class = ints_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "post_transform", POST_TRANSFORMS)
        require_choice(self, "kernel_type", KERNELS)
        rows, _ = batch(self, shapes, self.x)
        classes, _ = labels(self, "classlabels_ints")
        pairs = sum(self.attr("vectors_per_class") or ()) > 0 and not self.attr("prob_a") and classes > 2
        return ((rows,), (rows, classes * (classes - 1) // 2 if pairs else classes))

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (labels(self, "classlabels_ints")[1],)


@operator(since=1)
class SVMRegressorOp(OnnxOp):
    """Support vector regression, or one-class anomaly detection: (n, f) gives (n, 1).

    https://onnx.ai/onnx/operators/onnx_aionnxml_SVMRegressor.html
    """

    name = "onnx_ml.SVMRegressor"
    x = operand_def(tensor("T", FEATURES))
    y = result_def(tensor("", F32))
    coefficients = floats_attr()
    kernel_params = floats_attr()
    kernel_type = str_attr("LINEAR")
    n_supports = int_attr(0)
    one_class = int_attr(0)
    post_transform = str_attr("NONE")
    rho = floats_attr()
    support_vectors = floats_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "post_transform", POST_TRANSFORMS)
        require_choice(self, "kernel_type", KERNELS)
        return ((batch(self, shapes, self.x)[0], 1),)
