"""Tree ensembles: the three operators become one table of nodes and leaves, which a kernel walks row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....dialects.kernel import Array, Attr, Out, cast, i64, inline, isnan, kernel, local, parallel
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
FEATURE, NO, MODE = 0, 1, 3
"""Columns of links; after NO stands yes."""
TRACKS = 8
MOST_FEATURES = 1 << 30
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

    @property
    def links(self) -> np.ndarray:
        """What a step of a walk looks up: (feature, no, yes, mode) of each node, TRACKS more where NaN goes the way of yes."""
        return np.stack([self.features, self.no, self.yes, self.modes + TRACKS * self.missing], 1).astype(np.int32)


def _repeated(values: np.ndarray) -> np.ndarray:
    """Those that stand more than once."""
    found, counts = np.unique(values, return_counts=True)
    return found[counts > 1]


ABREAST = 32
"""Walks that go on side by side, each a step in turn: a step waits for three loads, one after the other."""

WALK = 10_000
"""Picoseconds of a walk down one tree, roughly."""

FEW = 4
"""Rows up to which each walks down many trees at once."""


@kernel
def walk(
    x: Array,
    roots: Array,
    links: Array,
    member_start: Array,
    leaf_start: Array,
    leaf_targets: Array,
    splits: Array,
    members: Array,
    leaf_weights: Array,
    y: Out,
    touched: Out,
    aggregate: str,
    mode: Attr,
    missing: bool,
):
    """y[row, t] = the aggregate of what the leaves that x[row] reaches say of target t, 0 where none does.

    links: see `Ensemble.links`. mode: of all nodes, -1 where they differ; missing: whether NaN goes the way of yes at some. touched is
    scratch. Many rows walk down one tree together, a few rows one by one down many trees.
    """
    at, begins, waiting = local(i64, ABREAST), local(i64, ABREAST), local(i64, ABREAST)
    rows, trees = x.shape[0], roots.size
    for part in parallel((rows + ABREAST - 1) // ABREAST, ABREAST * (trees * WALK + y.shape[1] * WALK)):
        first = part * ABREAST
        count = min(ABREAST, rows - first)
        for row in range(first, first + count):
            for t in range(y.shape[1]):
                y[row, t], touched[row, t] = 0, False
        if rows > FEW:
            for lane in range(count):
                begins[lane] = (first + lane) * x.shape[1]
            for tree in range(trees):
                for lane in range(count):
                    at[lane] = roots[tree]
                descend(x, begins, at, waiting, count, links, splits, member_start, members, mode, missing)
                for lane in range(count):
                    add_leaf(-1 - at[lane], leaf_start, leaf_targets, leaf_weights, y, touched, first + lane, aggregate)
        else:
            for row in range(rows):
                for lane in range(ABREAST):
                    begins[lane] = row * x.shape[1]
                for tree in range(0, trees, ABREAST):
                    together = min(ABREAST, trees - tree)
                    for lane in range(together):
                        at[lane] = roots[tree + lane]
                    descend(x, begins, at, waiting, together, links, splits, member_start, members, mode, missing)
                    for lane in range(together):
                        add_leaf(-1 - at[lane], leaf_start, leaf_targets, leaf_weights, y, touched, row, aggregate)
        if aggregate == "AVERAGE":
            for row in range(first, first + count):
                for t in range(y.shape[1]):
                    y[row, t] /= cast(trees, y)


@inline
def descend(x, begins, at, waiting, count, links, splits, member_start, members, mode, missing):
    """Walks from the nodes in `at` to leaves. begins: where the row of each lies in x; waiting: scratch for those on their way."""
    left = 0
    for start in range(count):
        waiting[left] = start
        left += i64(at[start] >= 0)
    while left > 0:
        among, left = left, 0
        for n in range(among):
            lane = waiting[n]
            node = at[lane]
            v = x.flat[begins[lane] + links[node, FEATURE]]
            how = mode if mode >= 0 else links[node, MODE] % TRACKS
            hit = says_yes(v, splits[node], how, node, member_start, members)
            if missing:
                hit = hit | ((links[node, MODE] >= TRACKS) & isnan(v))
            # The child is looked up, and who waits is written always: a branch would be foretold wrongly half of the time.
            child = i64(links[node, NO + i64(hit)])
            at[lane], waiting[left] = child, lane
            left += i64(child >= 0)


@inline
def says_yes(v, split, how, node, member_start, members):
    if how == LEQ:
        return v <= split
    if how == LT:
        return v < split
    if how == GTE:
        return v >= split
    if how == GT:
        return v > split
    if how == EQ:
        return v == split
    if how == NEQ:
        return v != split
    hit = False
    for m in range(member_start[node], member_start[node + 1]):
        hit = hit or members[m] == v
    return hit


@inline
def add_leaf(leaf, leaf_start, leaf_targets, leaf_weights, y, touched, row, aggregate):
    """Adds what a leaf says to a row of y; touched[row, t] tells whether any leaf has spoken of target t."""
    for e in range(leaf_start[leaf], leaf_start[leaf + 1]):
        target, weight = leaf_targets[e], leaf_weights[e]
        if aggregate == "MIN":
            y[row, target] = min(y[row, target], weight) if touched[row, target] else weight
        elif aggregate == "MAX":
            y[row, target] = max(y[row, target], weight) if touched[row, target] else weight
        else:
            y[row, target] += weight
        if aggregate in ("MIN", "MAX"):
            touched[row, target] = True


def _run(b: Lowering, op: Any, x: Tensor, ensemble: Ensemble, targets: int, aggregate: str) -> Tensor:
    """The aggregates (n, targets) in the type of the computation."""
    ensemble.check(op)
    type = precision(x)
    width = x.shape[-1]
    needed = int(ensemble.features.max()) + 1 if ensemble.features.size else 0
    if ensemble.features.size and ensemble.features.min() < 0:
        raise op.fail("ITG2209", "a node looks at a feature below 0")
    if needed > MOST_FEATURES:
        raise op.fail("ITG2209", f"a node looks at feature {needed - 1}, of {MOST_FEATURES} at most")
    if not isinstance(width, int) or width < needed:
        require_features(b, x, needed, exactly=False)
    rows = x.shape[0] if x.rank == 2 else 1
    kinds = set(ensemble.modes.tolist())
    arrays: dict[str, Any] = {
        "x": b.cast(b.reshape(x, (rows, width)), type),
        **{name: _constant(b, getattr(ensemble, name)) for name in ("roots", "links", "member_start", "leaf_start", "leaf_targets")},
        **{name: _constant(b, getattr(ensemble, name).astype(type.numpy)) for name in ("splits", "members", "leaf_weights")},
        # Sums are kept in the inputs' precision, as scikit-learn's converters and ONNX Runtime have it: votes that tie tell by rounding.
        "y": ((rows, targets), type),
        "touched": ((rows, targets), BY_NUMPY[np.dtype(bool)]),
    }
    attrs = {"aggregate": aggregate, "mode": kinds.pop() if len(kinds) == 1 else MIXED, "missing": bool(ensemble.missing.any())}
    return b.kernel(walk, arrays, attrs)[0]


def _constant(b: Lowering, array: np.ndarray) -> Tensor:
    # An empty list still needs a buffer, of which nothing is read.
    array = array if array.size else np.zeros((1, *array.shape[1:]), array.dtype)
    return b.constant(np.ascontiguousarray(array), BY_NUMPY[array.dtype])


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
