"""Tree ensembles: the current operator, and the two it replaces but models still carry."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase
from xdsl.ir import Attribute
from xdsl.irdl import operand_def, result_def

from ..base import OnnxOp, floats_attr, int_attr, ints_attr, operator, str_attr, strs_attr, tensor, tensor_attr
from ..dims import Shape
from ..shapes import Shapes
from ..types import F32, FLOATS
from .common import FEATURES, LABELS, POST_TRANSFORMS, batch, labels, require_choice


def check_lengths(op: OnnxOp, names: Sequence[str]) -> None:
    """Raises ShapeError where parallel lists, one entry a node or a leaf, differ in length; absent ones don't count."""
    # Not `op.attr`: the lists of a forest have millions of entries, and only the lowering reads them.
    given = {name: getattr(op, name) for name in names}
    lengths = {name: len(field) for name, field in given.items() if isinstance(field, DenseArrayBase | ArrayAttr) and len(field)}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise op.fail("ITG2209", f"parallel lists differ in length: {found}")


@operator(since=5)
class TreeEnsembleOp(OnnxOp):
    """The sum (or mean, least, greatest) over all trees of the leaves that a row reaches: (n, f) gives (n, n_targets).

    https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
    Interior nodes and leaves are numbered apart, in the lists `nodes_*` and `leaf_*`.
    """

    name = "onnx_ml.TreeEnsemble"
    x = operand_def(tensor("T", FLOATS))
    y = result_def(tensor("T", FLOATS))
    aggregate_function = int_attr(1)
    leaf_targetids = ints_attr(required=True)
    leaf_weights = tensor_attr(required=True)
    membership_values = tensor_attr()
    n_targets = int_attr()
    nodes_falseleafs = ints_attr(required=True)
    nodes_falsenodeids = ints_attr(required=True)
    nodes_featureids = ints_attr(required=True)
    nodes_hitrates = tensor_attr()
    nodes_missing_value_tracks_true = ints_attr()
    nodes_modes = tensor_attr(required=True)
    nodes_splits = tensor_attr(required=True)
    nodes_trueleafs = ints_attr(required=True)
    nodes_truenodeids = ints_attr(required=True)
    post_transform = int_attr(0)
    tree_roots = ints_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        check_lengths(self, [f"nodes_{name}" for name in ("falseleafs", "falsenodeids", "featureids", "trueleafs", "truenodeids")])
        for name, count in (("aggregate_function", 4), ("post_transform", 5)):
            if not 0 <= self.attr(name) < count:
                raise self.fail("ITG2202", f"{name} must be below {count}, but is {self.attr(name)}")
        rows, _ = batch(self, shapes, self.x)
        ids, targets = self.attr("leaf_targetids"), self.attr("n_targets")
        if targets is None:
            targets = max(ids, default=0) + 1
        if any(not 0 <= i < targets for i in ids):
            raise self.fail("ITG2209", f"leaf_targetids must be below n_targets, {targets}, but range from {min(ids)} to {max(ids)}")
        return ((rows, targets),)


NODE_LISTS = (
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
    "nodes_values",
)


@operator(since=5)
class TreeEnsembleClassifierOp(OnnxOp):
    """Votes of all trees for each class, and the best class: (n, f) gives labels (n,) and scores (n, classes). Deprecated.

    https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html
    """

    name = "onnx_ml.TreeEnsembleClassifier"
    x = operand_def(tensor("T1", FEATURES))
    y = result_def(tensor("T2", LABELS))
    z = result_def(tensor("", F32))
    base_values = floats_attr()
    base_values_as_tensor = tensor_attr()
    class_ids = ints_attr()
    class_nodeids = ints_attr()
    class_treeids = ints_attr()
    class_weights = floats_attr()
    class_weights_as_tensor = tensor_attr()
    classlabels_int64s = ints_attr()
    classlabels_strings = strs_attr()
    nodes_falsenodeids = ints_attr()
    nodes_featureids = ints_attr()
    nodes_hitrates = floats_attr()
    nodes_hitrates_as_tensor = tensor_attr()
    nodes_missing_value_tracks_true = ints_attr()
    nodes_modes = strs_attr()
    nodes_nodeids = ints_attr()
    nodes_treeids = ints_attr()
    nodes_truenodeids = ints_attr()
    nodes_values = floats_attr()
    nodes_values_as_tensor = tensor_attr()
    post_transform = str_attr("NONE")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "post_transform", POST_TRANSFORMS)
        check_lengths(self, NODE_LISTS)
        check_lengths(self, ("class_ids", "class_nodeids", "class_treeids", "class_weights"))
        rows, _ = batch(self, shapes, self.x)
        classes, _ = labels(self, "classlabels_int64s")
        return ((rows,), (rows, classes))

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (labels(self, "classlabels_int64s")[1],)


@operator(since=5)
class TreeEnsembleRegressorOp(OnnxOp):
    """The aggregate over all trees of the leaves that a row reaches: (n, f) gives (n, n_targets). Deprecated.

    https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
    """

    name = "onnx_ml.TreeEnsembleRegressor"
    x = operand_def(tensor("T", FEATURES))
    y = result_def(tensor("", F32))
    aggregate_function = str_attr("SUM")
    base_values = floats_attr()
    base_values_as_tensor = tensor_attr()
    n_targets = int_attr()
    nodes_falsenodeids = ints_attr()
    nodes_featureids = ints_attr()
    nodes_hitrates = floats_attr()
    nodes_hitrates_as_tensor = tensor_attr()
    nodes_missing_value_tracks_true = ints_attr()
    nodes_modes = strs_attr()
    nodes_nodeids = ints_attr()
    nodes_treeids = ints_attr()
    nodes_truenodeids = ints_attr()
    nodes_values = floats_attr()
    nodes_values_as_tensor = tensor_attr()
    post_transform = str_attr("NONE")
    target_ids = ints_attr()
    target_nodeids = ints_attr()
    target_treeids = ints_attr()
    target_weights = floats_attr()
    target_weights_as_tensor = tensor_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "aggregate_function", ("AVERAGE", "SUM", "MIN", "MAX"))
        require_choice(self, "post_transform", POST_TRANSFORMS)
        check_lengths(self, NODE_LISTS)
        check_lengths(self, ("target_ids", "target_nodeids", "target_treeids", "target_weights"))
        rows, _ = batch(self, shapes, self.x)
        targets = self.attr("n_targets")
        if targets is None:
            targets = max(self.attr("target_ids") or (0,)) + 1
        if targets < 1:
            raise self.fail("ITG2209", f"n_targets must be positive, but is {targets}")
        return ((rows, targets),)
