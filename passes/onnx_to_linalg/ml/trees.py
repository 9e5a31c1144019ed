"""Tree ensembles: the three operators become one table of nodes and leaves, which a kernel walks row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....dialects.kernel import Array, Attr, Out, cast, isnan, kernel
from ....dialects.onnx.ml.trees import TreeEnsembleClassifierOp, TreeEnsembleOp, TreeEnsembleRegressorOp
from ....dialects.onnx.types import BY_NUMPY
from ...scalar import FLOAT
from ..builder import Lowering, Tensor, element_type
from ..registry import lower
from .labels import tensor_of
from .scoring import (
    Labels,
    beside_its_negative,
    best_label,
    class_labels,
    label_where,
    only_label,
    precision,
    require_features,
    transformed,
)

LEQ, LT, GTE, GT, EQ, NEQ, MEMBER = range(7)
MODES = {"BRANCH_LEQ": LEQ, "BRANCH_LT": LT, "BRANCH_GTE": GTE, "BRANCH_GT": GT, "BRANCH_EQ": EQ, "BRANCH_NEQ": NEQ}
MIXED = -1
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


@dataclass
class Ensemble:
    """All trees in one table. A child at or above 0 is a node, one below 0 is leaf -1 - child; roots are children too.

    members: the values of all set-membership nodes, member_start where a node's begin (nodes + 1 entries). leaf_start: where the
    entries (target, weight) of each leaf begin (leaves + 1 entries).
    """

    roots: np.ndarray
    features: np.ndarray
    modes: np.ndarray
    splits: np.ndarray
    missing: np.ndarray
    yes: np.ndarray
    no: np.ndarray
    member_start: np.ndarray
    members: np.ndarray
    leaf_start: np.ndarray
    leaf_targets: np.ndarray
    leaf_weights: np.ndarray

    def check(self, op: Any) -> None:
        """Raises ShapeError unless children are in range and no walk can go on for ever."""
        nodes, leaves = len(self.features), len(self.leaf_start) - 1
        children = np.concatenate([self.roots, self.yes, self.no])
        if children.size and (children.min() < -leaves or children.max() >= nodes):
            raise op.fail("ITG2209", "a node's child is no node or leaf of the ensemble")
        reached = np.zeros(nodes, bool)
        level = self.roots[self.roots >= 0]
        while level.size:
            again = level[reached[level]] if reached[level].any() else _repeated(level)
            if again.size:
                raise op.fail("ITG2209", f"node {again[0]} is reached in more than one way, which is no tree")
            reached[level] = True
            level = np.concatenate([self.yes[level], self.no[level]])
            level = level[level >= 0]


def _repeated(values: np.ndarray) -> np.ndarray:
    """Those that stand more than once."""
    found, counts = np.unique(values, return_counts=True)
    return found[counts > 1]


@kernel
def walk(
    x: Array,
    roots: Array,
    features: Array,
    modes: Array,
    splits: Array,
    missing: Array,
    yes: Array,
    no: Array,
    member_start: Array,
    members: Array,
    leaf_start: Array,
    leaf_targets: Array,
    leaf_weights: Array,
    y: Out,
    total: Out,
    touched: Out,
    aggregate: str,
    mode: Attr,
):
    """y[row, t] = the aggregate of what the leaves that x[row] reaches say of target t, 0 where none does.

    mode: of all nodes, -1 where they differ. total and touched are scratch, an entry a target.
    """
    for row in range(x.shape[0]):
        for t in range(total.size):
            total[t] = 0
            touched[t] = False
        for tree in range(roots.size):
            node = roots[tree]
            while node >= 0:
                v = x[row, features[node]]
                split = splits[node]
                how = mode if mode >= 0 else modes[node]
                hit = False
                if how == 0:
                    hit = v <= split
                elif how == 1:
                    hit = v < split
                elif how == 2:
                    hit = v >= split
                elif how == 3:
                    hit = v > split
                elif how == 4:
                    hit = v == split
                elif how == 5:
                    hit = v != split
                else:
                    for m in range(member_start[node], member_start[node + 1]):
                        hit = hit or members[m] == v
                if missing[node] and isnan(v):
                    hit = True
                node = yes[node] if hit else no[node]
            leaf = -1 - node
            for e in range(leaf_start[leaf], leaf_start[leaf + 1]):
                target = leaf_targets[e]
                weight = leaf_weights[e]
                if aggregate == "MIN":
                    total[target] = min(total[target], weight) if touched[target] else weight
                elif aggregate == "MAX":
                    total[target] = max(total[target], weight) if touched[target] else weight
                else:
                    total[target] += weight
                touched[target] = True
        for t in range(total.size):
            if aggregate == "AVERAGE":
                total[t] /= cast(roots.size, total)
            y[row, t] = total[t]


def _run(b: Lowering, op: Any, x: Tensor, ensemble: Ensemble, targets: int, aggregate: str) -> Tensor:
    """The aggregates (n, targets) in the type of the computation."""
    ensemble.check(op)
    type = precision(x)
    width = x.shape[-1]
    needed = int(ensemble.features.max()) + 1 if ensemble.features.size else 0
    if ensemble.features.size and ensemble.features.min() < 0:
        raise op.fail("ITG2209", "a node looks at a feature below 0")
    if not isinstance(width, int) or width < needed:
        require_features(b, x, needed, exactly=False)
    rows = x.shape[0] if x.rank == 2 else 1
    kinds = set(ensemble.modes.tolist())
    table = {
        name: _constant(b, getattr(ensemble, name), type.numpy if name in ("splits", "members", "leaf_weights") else None)
        for name in Ensemble.__dataclass_fields__
    }
    arrays: dict[str, Any] = {
        "x": b.cast(b.reshape(x, (rows, width)), type),
        **table,
        "y": ((rows, targets), type),
        # Sums are kept in the inputs' precision, as scikit-learn's converters and ONNX Runtime have it: votes that tie tell by rounding.
        "total": ((targets,), type),
        "touched": ((targets,), BY_NUMPY[np.dtype(bool)]),
    }
    attrs = {"aggregate": aggregate, "mode": kinds.pop() if len(kinds) == 1 else MIXED}
    return b.kernel(walk, arrays, attrs)[0]


def _constant(b: Lowering, array: np.ndarray, dtype: Any) -> Tensor:
    array = np.ascontiguousarray(array if dtype is None else array.astype(dtype))
    # An empty list still needs a buffer, of which nothing is read.
    array = array if array.size else np.zeros(1, array.dtype)
    return b.constant(array, BY_NUMPY[array.dtype])


# -- the current operator ----------------------------------------------------------------------------------------------------


@lower(TreeEnsembleOp)
def tree_ensemble(b: Lowering, op: TreeEnsembleOp, x: Tensor) -> Tensor:
    targets = b.shapes.of(op.y)[1]
    assert isinstance(targets, int)
    if x.type.name not in ("float", "double"):
        x = b.cast(x, FLOAT)
    y = _run(b, op, x, _current(b, op), targets, AGGREGATES[op.attr("aggregate_function")])
    how = TRANSFORMS[op.attr("post_transform")]
    return b.cast(y if how == "NONE" else transformed(b, y, how), element_type(op.y))


def _current(b: Lowering, op: TreeEnsembleOp) -> Ensemble:
    def ints(name: str) -> np.ndarray:
        return np.asarray(op.attr(name) or (), np.int64)

    def child(node: np.ndarray, is_leaf: np.ndarray) -> np.ndarray:
        return np.where(is_leaf != 0, -1 - node, node)

    modes, splits, weights = (tensor_of(b, op, name) for name in ("nodes_modes", "nodes_splits", "leaf_weights"))
    assert modes is not None and splits is not None and weights is not None  # required attributes
    nodes, modes = len(modes), modes.astype(np.int64)
    lists = [ints(f"nodes_{name}") for name in ("truenodeids", "trueleafs", "falsenodeids", "falseleafs", "featureids")]
    if any(len(each) != nodes for each in (*lists, splits)):
        raise op.fail("ITG2209", f"there are {nodes} modes, but the other lists of nodes differ in length")
    roots = ints("tree_roots")
    if roots.size and (roots.min() < 0 or roots.max() >= nodes):
        raise op.fail("ITG2209", f"tree_roots must be nodes below {nodes}")
    start, members = _members(b, op, modes)
    targets = ints("leaf_targetids")
    if len(targets) != weights.size:
        raise op.fail("ITG2209", f"there are {len(targets)} leaf_targetids, but {weights.size} leaf_weights")
    yes, no = child(lists[0], lists[1]), child(lists[2], lists[3])
    # A tree of one leaf is a node whose children are the same leaf; two equal nodes below one would look like a circle.
    missing = ints("nodes_missing_value_tracks_true")
    return Ensemble(
        roots=roots,
        features=lists[4],
        modes=modes,
        splits=splits,
        missing=(missing if missing.size else np.zeros(nodes, np.int64)) != 0,
        yes=yes,
        no=no,
        member_start=start,
        members=members,
        leaf_start=np.arange(len(targets) + 1, dtype=np.int64),
        leaf_targets=targets,
        leaf_weights=weights.reshape(-1),
    )


def _members(b: Lowering, op: TreeEnsembleOp, modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(where each node's values begin, all values); the attribute lists them by node, each list ended by NaN."""
    given = tensor_of(b, op, "membership_values")
    values = np.zeros(0) if given is None else given.reshape(-1)
    ends = np.flatnonzero(np.isnan(values))
    nodes = np.flatnonzero(modes == MEMBER)
    if len(ends) != len(nodes):
        raise op.fail("ITG2209", f"membership_values has {len(ends)} lists for {len(nodes)} membership nodes")
    counts = np.zeros(len(modes), np.int64)
    counts[nodes] = np.diff(ends, prepend=-1) - 1
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), values[~np.isnan(values)]


# -- the operators it replaces -----------------------------------------------------------------------------------------------


def _floats(b: Lowering, op: Any, name: str) -> np.ndarray:
    """A list that may be given as floats or as a tensor."""
    given = tensor_of(b, op, f"{name}_as_tensor")
    return np.asarray(op.attr(name) or (), np.float32) if given is None else given.reshape(-1)


def _replaced(b: Lowering, op: Any, prefix: str) -> Ensemble:
    """The table of a TreeEnsembleClassifier or TreeEnsembleRegressor, whose leaves are nodes; entries are lists by `prefix`."""

    def ints(name: str) -> np.ndarray:
        return np.asarray(op.attr(name) or (), np.int64)

    trees, ids, names = ints("nodes_treeids"), ints("nodes_nodeids"), op.attr("nodes_modes") or ()
    unknown = {name for name in names if name != "LEAF" and name not in MODES}
    if unknown:
        raise op.fail("ITG2209", f"nodes_modes has {sorted(unknown)}")
    is_leaf = np.array([name == "LEAF" for name in names], bool)
    place = np.where(is_leaf, -np.cumsum(is_leaf), np.cumsum(~is_leaf) - 1)
    places = _Places(trees, ids)
    inner = np.flatnonzero(~is_leaf)

    def children(name: str) -> np.ndarray:
        return place[places.of(op, name, trees[inner], ints(name)[inner])]

    values, missing = _floats(b, op, "nodes_values"), ints("nodes_missing_value_tracks_true")
    start, targets, weights = _entries(b, op, prefix, places, place, int(is_leaf.sum()))
    return Ensemble(
        roots=np.array([place[k] for k in _first_of_each(trees)], np.int64),
        features=ints("nodes_featureids")[inner],
        modes=np.array([MODES[names[k]] for k in inner], np.int64),
        splits=values[inner],
        missing=(missing[inner] if missing.size else np.zeros(len(inner))) != 0,
        yes=children("nodes_truenodeids"),
        no=children("nodes_falsenodeids"),
        member_start=np.zeros(len(inner) + 1, np.int64),
        members=np.zeros(0),
        leaf_start=start,
        leaf_targets=targets,
        leaf_weights=weights,
    )


class _Places:
    """Where each node stands in the lists, by its tree's number and its own; of several alike the last."""

    def __init__(self, trees: np.ndarray, nodes: np.ndarray) -> None:
        self.trees, self.nodes = np.unique(trees), np.unique(nodes)
        keys = self._keys(trees, nodes)
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]

    def _keys(self, trees: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.trees, trees) * (len(self.nodes) + 1) + np.searchsorted(self.nodes, nodes)

    def of(self, op: Any, what: str, trees: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """The places of nodes. Raises ShapeError where one is not there."""
        known = np.isin(trees, self.trees) & np.isin(nodes, self.nodes)
        keys = self._keys(trees, nodes)
        found = np.searchsorted(self.keys, keys, side="right") - 1
        known &= (found >= 0) & (self.keys[found] == keys) if self.keys.size else False
        if not known.all():
            first = int(np.argmin(known))
            raise op.fail("ITG2209", f"{what} names node {nodes[first]} of tree {trees[first]}, which is not there")
        return self.order[found]


def _first_of_each(trees: np.ndarray) -> np.ndarray:
    """The position of each tree's first node, its root."""
    return np.sort(np.unique(trees, return_index=True)[1])


def _entries(
    b: Lowering, op: Any, prefix: str, places: _Places, place: np.ndarray, leaves: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(where each leaf's entries begin, their targets, their weights)."""
    trees, nodes, targets = (np.asarray(op.attr(f"{prefix}_{name}") or (), np.int64) for name in ("treeids", "nodeids", "ids"))
    weights = _floats(b, op, f"{prefix}_weights")
    if not len(trees) == len(nodes) == len(targets) == len(weights):
        raise op.fail("ITG2209", f"{prefix}_ids, _nodeids, _treeids and _weights differ in length")
    owner = place[places.of(op, f"{prefix}_nodeids", trees, nodes)]
    on_leaf = owner < 0  # weights of inner nodes are never reached
    leaf = -1 - owner[on_leaf]
    order = np.argsort(leaf, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(leaf, minlength=leaves))]).astype(np.int64)
    return start, targets[on_leaf][order], weights[on_leaf][order]


@lower(TreeEnsembleRegressorOp)
def tree_ensemble_regressor(b: Lowering, op: TreeEnsembleRegressorOp, x: Tensor) -> Tensor:
    targets = b.shapes.of(op.y)[1]
    assert isinstance(targets, int)
    ensemble = _replaced(b, op, "target")
    if targets == 1:
        _keep_first(ensemble)
    _require_targets(op, ensemble, targets)
    y = _based(b, op, _run(b, op, x, ensemble, targets, op.attr("aggregate_function")))
    return transformed(b, y, op.attr("post_transform"))


def _keep_first(ensemble: Ensemble) -> None:
    """Leaves one entry a leaf: of several for the one target converters mean the first, and ONNX Runtime takes it."""
    filled = np.diff(ensemble.leaf_start) > 0
    first = ensemble.leaf_start[:-1][filled]
    ensemble.leaf_targets, ensemble.leaf_weights = ensemble.leaf_targets[first], ensemble.leaf_weights[first]
    ensemble.leaf_start = np.concatenate([[0], np.cumsum(filled)]).astype(np.int64)


def _require_targets(op: Any, ensemble: Ensemble, targets: int) -> None:
    ids = ensemble.leaf_targets
    if ids.size and (ids.min() < 0 or ids.max() >= targets):
        raise op.fail("ITG2209", f"targets must be below {targets}, but range from {ids.min()} to {ids.max()}")


def _based(b: Lowering, op: Any, scores: Tensor) -> Tensor:
    """Scores plus base_values, one for all or one a column."""
    base = _floats(b, op, "base_values")
    if not base.size:
        return scores
    if base.size not in (1, scores.shape[1]):
        raise op.fail("ITG2209", f"there are {base.size} base_values for {scores.shape[1]} scores")
    shift = b.constant(np.broadcast_to(base.astype(scores.type.numpy), (int(scores.shape[1]),)).copy(), scores.type)  # type: ignore[arg-type]
    return b.compute(scores.shape, scores.type, lambda i, j: scores[i, j] + shift[j])


@lower(TreeEnsembleClassifierOp)
def tree_ensemble_classifier(b: Lowering, op: TreeEnsembleClassifierOp, x: Tensor) -> tuple[Tensor, Tensor]:
    labels, how = class_labels(b, op, "classlabels_int64s"), op.attr("post_transform")
    ensemble = _replaced(b, op, "class")
    _require_targets(op, ensemble, len(labels))
    used = sorted(set(ensemble.leaf_targets.tolist()))
    if len(labels) == 2 and len(used) == 1:
        return _binary(b, op, x, ensemble, labels)
    exact = _based(b, op, _run(b, op, x, ensemble, len(labels), "SUM"))
    scores = b.cast(exact, FLOAT)
    if len(labels) == 1:
        return only_label(b, scores.shape[0], lambda i: scores[i, 0] > 0, labels), transformed(b, scores, how)
    final = transformed(b, scores, how)
    # SOFTMAX_ZERO alone can change the order: a class that no leaf speaks of stays at 0.
    return best_label(b, final if how == "SOFTMAX_ZERO" else exact, labels), final


def _binary(b: Lowering, op: TreeEnsembleClassifierOp, x: Tensor, ensemble: Ensemble, labels: Labels) -> tuple[Tensor, Tensor]:
    """Weights for one of two classes only: a probability where none is negative, else a score around 0."""
    how, positive = op.attr("post_transform"), bool((ensemble.leaf_weights >= 0).all())
    ensemble.leaf_targets = np.zeros_like(ensemble.leaf_targets)
    base = _floats(b, op, "base_values")
    score = _run(b, op, x, ensemble, 1, "SUM")
    if base.size:
        shift, bare = float(base[-1]), score
        score = b.compute(bare.shape, bare.type, lambda i, j: bare[i, j] + shift)
    exact = score
    no, yes = labels.values
    label = label_where(b, exact.shape[0], lambda i: exact[i, 0] > (0.5 if positive else 0.0), yes, no, labels.type)
    score = b.cast(exact, FLOAT)
    if how == "PROBIT" or (how == "NONE" and positive):
        plain = score
        score = b.compute((plain.shape[0], 2), FLOAT, lambda i, j: b.s.select(j.equals(0), 1.0 - plain[i, 0], plain[i, 0]))
    else:
        score = beside_its_negative(b, score)
    return label, transformed(b, score, how)
