"""Replaces Gradient by the operators that compute it: reverse-mode differentiation of the graph between its tensors.

The rules of operators stand in `gradients`, a family each. A Gradient that is fed other values than the tensors it names has that part
of the graph computed again on them. Of a y of several elements, the gradient is that of their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from typing_extensions import override
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.control import IfOp, YieldOp
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.training import GradientOp
from ...errors import UnsupportedError
from .analysis import OnnxPass
from .gradients import EXPANSIONS, RULES, Gradients, Term
from .gradients.builder import is_float
from .weights import Weights


class Differentiate(OnnxPass):
    """Replaces every Gradient by what computes it."""

    name = "differentiate"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return differentiate(block, shapes, weights)


def differentiate(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites a block and those nested in it, in order: a Gradient may name the result of another. Whether anything changed.

    Raises UnsupportedError (ITG3050), which names the operators that have no derivative.
    """
    changed = False
    for op in list(block.ops):
        for region in op.regions:
            for inner in region.blocks:
                changed |= differentiate(inner, shapes, weights)
        if isinstance(op, GradientOp):
            _replace(op, shapes, weights)
            changed = True
    return changed


def _replace(op: GradientOp, shapes: Shapes, weights: Weights) -> None:
    g = Gradients(op, shapes, weights)
    independent, y = op.independent, op.dependent
    path = _between(independent, y)
    replaced = {old: new for old, new in zip(independent, op.inputs, strict=True) if old is not new}
    if replaced:
        path, values = _again(g, path, replaced)
        y = values.get(y, y)
    xs = op.inputs[: len(op.attr("xs"))]
    found = _Reverse(g, xs).run(path, y)
    for x, result in zip(xs, op.outputs, strict=False):
        gradient = found.get(x) or g.full(g.term(x), 0)
        gradient.value.name_hint = result.name_hint
        result.replace_all_uses_with(gradient.value)
    op.detach()
    op.erase()


def _between(leaves: Sequence[SSAValue], y: SSAValue) -> list[OnnxOp]:
    """The operations by which y follows from the leaves and from what is constant here, each after those it reads."""
    ends, ordered = set(leaves), dict[Operation, None]()
    waiting: list[tuple[SSAValue, bool]] = [(y, False)]
    while waiting:
        value, read = waiting.pop()
        op = value.owner
        if value in ends or not isinstance(op, OnnxOp) or op in ordered:
            continue
        if read:
            ordered[op] = None
            continue
        waiting.append((value, True))
        waiting.extend((v, False) for v in _read_by(op))
    return [op for op in ordered if isinstance(op, OnnxOp)]


def _read_by(op: Operation) -> Iterator[SSAValue]:
    """The operands of an operation, and what its subgraphs read from outside."""
    yield from op.operands
    for region in op.regions:
        for inner in region.walk():
            yield from (v for v in inner.operands if not _is_inside(v, op))


def _is_inside(value: SSAValue, op: Operation) -> bool:
    owner = value.owner
    parent = owner if isinstance(owner, Block) else owner.parent
    return parent is not None and op.is_ancestor(parent)


def _again(g: Gradients, path: Sequence[OnnxOp], replaced: Mapping[SSAValue, SSAValue]) -> tuple[list[OnnxOp], dict[SSAValue, SSAValue]]:
    """The operations of a path with values replaced: a copy of each that depends on one, and what the old values became."""
    values, copied = dict(replaced), list[OnnxOp]()
    for op in path:
        if not any(v in values for v in _read_by(op)):
            copied.append(op)
            continue
        copy = op.clone(values)
        assert isinstance(copy, OnnxOp)
        g.insert(copy)
        copied.append(copy)
        values.update(zip(op.results, copy.results, strict=True))
    return copied, values


class _Reverse:
    """One walk back from y: the gradients that have arrived at each value."""

    def __init__(self, g: Gradients, xs: Sequence[SSAValue]) -> None:
        self.g = g
        self.active = {x for x in xs if is_float(x)}
        self.found: dict[SSAValue, Term] = {}

    def run(self, path: Sequence[OnnxOp], y: SSAValue) -> dict[SSAValue, Term]:
        self._spread_activity(path)
        self._require_rules(path)
        if y in self.active:
            self.found[y] = self.g.full(self.g.term(y), 1)
        self._back(path)
        return self.found

    def _spread_activity(self, path: Sequence[OnnxOp]) -> None:
        for op in path:
            if any(v in self.active for v in _read_by(op)):
                self.active.update(r for r in op.results if is_float(r))

    def _is_active(self, op: OnnxOp) -> bool:
        return any(r in self.active for r in op.results) and any(v in self.active for v in _read_by(op))

    def _require_rules(self, path: Sequence[OnnxOp]) -> None:
        missing: dict[str, list[str]] = {}
        for op in path:
            if self._is_active(op) and not (type(op) in RULES or type(op) in EXPANSIONS or isinstance(op, IfOp)):
                missing.setdefault(op.op_type, []).append(f'"{op.node or "?"}"')
        if missing:
            shown = "; ".join(f"{name} (node {', '.join(nodes[:3])})" for name, nodes in missing.items())
            at = self.g.at
            node = at.node if isinstance(at, OnnxOp) else None
            raise UnsupportedError("ITG3050", f"there is no derivative yet of {shown}", subject="Gradient", node=node)

    def _back(self, path: Sequence[OnnxOp]) -> None:
        for op in reversed(path):
            arrived = [self.found.get(r) for r in op.results]
            if not self._is_active(op) or not any(arrived):
                continue
            if isinstance(op, IfOp):
                self._back_through_branches(op, arrived)
            elif (rule := RULES.get(type(op))) is not None:
                self._arrive(op, rule(self.g, op, *_declared(op, arrived)))
            else:
                self._through(op, arrived)

    def _arrive(self, op: OnnxOp, gradients: Sequence[object]) -> None:
        """Adds the gradients of the declared inputs to what has arrived at them."""
        for (name, *_), gradient in zip(op.operand_defs(), gradients, strict=False):
            values = getattr(op, name)
            listed = [(values, gradient)] if isinstance(values, SSAValue) else zip(values or (), gradient or (), strict=True)  # type: ignore[arg-type]
            for value, term in listed:
                if isinstance(term, Term):
                    self._add(value, term)

    def _add(self, value: SSAValue, term: Term) -> None:
        if value in self.active:
            self.found[value] = self.found[value] + term if value in self.found else term

    def _through(self, op: OnnxOp, arrived: Sequence[Term | None]) -> None:
        """Back through an operator's expansion, whose own values are as active as what they read."""
        start = len(self.g.made)
        results = EXPANSIONS[type(op)](self.g, op)
        path = self.g.made[start:]
        self._spread_activity(path)
        for term, dy in zip(results, _declared(op, arrived), strict=False):
            if term is not None and dy is not None:
                self._add(term.value, dy)
        self._require_rules(path)
        self._back(path)


    def _back_through_branches(self, op: IfOp, arrived: Sequence[Term | None]) -> None:
        """Back through whichever branch the run takes, which is computed again there: an If whose results are the gradients."""
        reached = [v for v in dict.fromkeys(_read_by(op)) if v in self.active]
        branches = [partial(self._back_through_branch, op.block(name), reached, arrived) for name in ("then_branch", "else_branch")]
        for value, gradient in zip(reached, self.g.choose(self.g.term(op.cond), *branches), strict=True):
            self._add(value, gradient)

    def _back_through_branch(self, branch: Block, reached: Sequence[SSAValue], arrived: Sequence[Term | None]) -> list[Term]:
        g, values, path = self.g, dict[SSAValue, SSAValue](), list[OnnxOp]()
        yielded: Sequence[SSAValue] = ()
        for op in branch.ops:
            if isinstance(op, YieldOp):
                yielded = [values.get(v, v) for v in op.operands]
                continue
            copy = op.clone(values)
            assert isinstance(copy, OnnxOp)
            g.insert(copy)
            path.append(copy)
            values.update(zip(op.results, copy.results, strict=True))
        inner = _Reverse(g, reached)
        inner._spread_activity(path)
        inner._require_rules(path)
        for value, dy in zip(yielded, arrived, strict=True):
            if dy is not None and value in inner.active:
                inner._add(value, g.reshape_like(dy, g.term(value)))
        inner._back(path)
        return [inner.found.get(v) or g.full(g.term(v), 0) for v in reached]


def _declared(op: OnnxOp, arrived: Sequence[Term | None]) -> list[Term | None]:
    """One gradient a declared result, None for one that is absent; those of a variadic result stand for themselves."""
    defs = op.result_defs()
    if any(variadic for *_, variadic in defs):
        return list(arrived)
    rest = iter(arrived)
    return [None if getattr(op, name) is None else next(rest) for name, *_ in defs]
