"""Ifs, and above all those whose branches decide on the ranks of what follows: exporters write `squeeze(axis)` of an open
dimension so. `build` gives it every If.

Only the run tells the condition, but the IR wants ranks. So what follows goes along into both branches, as far as the ranks differ
there. A branch in which what follows cannot be is left out, and the run refuses to take it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr
from xdsl.ir import Block, Region, SSAValue

from ...dialects.guard import RequireOp
from ...dialects.onnx.control import IfOp, YieldOp
from ...errors import IntaglioError, ShapeError
from .graph import CURRENT, Graph, Name, Node
from .scope import Scope
from .subgraphs import enter_arguments

if TYPE_CHECKING:
    from .build import GraphBuilder

_DIFFERS = "ITG2222"
"""The code of a rank that differs: more of what follows may settle it."""

_LIMITS = {"ITG2100", "ITG2101", "ITG2102", "ITG2103", "ITG2109"}
"""Codes of shapes that may well be, but that this compiler cannot tell."""


class Broken(Exception):
    """A node depends on something that is already reported."""


@dataclass(frozen=True)
class Failure:
    """What kept something from being built."""

    errors: Sequence[IntaglioError]
    unknown: Mapping[tuple[str, str], Sequence[Node]]
    unimported: Mapping[str, Sequence[Node]]

    @property
    def only_shapes(self) -> bool:
        """Whether shapes that do not fit are all that is wrong."""
        other = any(not isinstance(e, ShapeError) or e.code in _LIMITS for e in self.errors)
        return bool(self.errors) and not other and not self.unknown and not self.unimported

    @property
    def is_rank(self) -> bool:
        """Whether ranks of branches differ, which is no contradiction."""
        return any(error.code == _DIFFERS for error in self.errors)


class Postponed(Exception):
    """An If has gone back among the nodes that follow, behind those that do not depend on it."""


def build_if(builder: GraphBuilder, node: Node, cond: SSAValue, scope: Scope) -> None:
    """Builds an If at the end of the scope's block, with nodes of `scope.following` in its branches where their ranks ask for it.

    Raises Postponed; IntaglioError or `Broken` where it cannot be built.
    """
    sinking = _Sinking(builder, node, cond, scope)
    failures = sinking.run(reach=0)
    if not failures:
        return
    if all(failure.only_shapes for failure in failures):
        independent = _independent(node, scope.following)
        if independent:
            kept = {id(n) for n in independent}
            scope.following = deque((*independent, node, *(n for n in scope.following if id(n) not in kept)))
            raise Postponed
        if sinking.run_further():
            return
    for failure in failures:
        builder.report_all(failure)
    raise Broken


def _independent(node: Node, following: Collection[Node]) -> list[Node]:
    """The nodes that do not depend on a node: they can be built before it."""
    reached = set(node.outputs)
    found = []
    for other in following:
        if reached.isdisjoint(other.names_used()):
            found.append(other)
        else:
            reached.update(other.outputs)
    return found


_Built: TypeAlias = "tuple[Block, list[SSAValue]]"


class _Sinking:
    """Tries the branches of an If with more and more of what follows."""

    def __init__(self, builder: GraphBuilder, node: Node, cond: SSAValue, scope: Scope) -> None:
        self.builder, self.node, self.cond, self.scope = builder, node, cond, scope
        known = builder.shapes.constant(cond)
        names = ("then_branch", "else_branch")
        if known is not None and known.size == 1 and not scope.repeated:
            names = ("then_branch" if known.item() else "else_branch",)
        self.branches: dict[str, Graph] = {name: node.attributes[name] for name in names}
        for name, graph in self.branches.items():
            if len(graph.outputs) != len(node.outputs):
                raise node.problem("ITG2221", f"{name} must give {len(node.outputs)} outputs, but gives {len(graph.outputs)}")

    def run_further(self) -> bool:
        """Whether it can be built with what follows, all of which depends on it."""
        reach = 1
        while reach < 2 * len(self.scope.following):
            failures = self.run(reach)
            if not all(failure.only_shapes for failure in failures):
                return False
            if not failures:
                return True
            reach *= 2
        return False

    def run(self, reach: int) -> list[Failure]:
        """Builds the If with what follows within that many steps, which then follows no more; or tells why not."""
        following = self.scope.following
        sunk = _within(self.node.outputs, following, reach) if reach else []
        rest = deque(n for n in following if id(n) not in {id(s) for s in sunk}) if sunk else following
        given = self._given(sunk, rest)
        tried = {name: self.builder.attempted(lambda n=name: self._branch(n, sunk, given)) for name in self.branches}
        built = {name: found for name, found in tried.items() if not isinstance(found, Failure)}
        failed = {name: found for name, found in tried.items() if isinstance(found, Failure)}
        if not built or not all(f.only_shapes and not f.is_rank and not self.scope.repeated for f in failed.values()):
            return list(failed.values())
        if len(built) > 1:
            joined = self.builder.attempted(lambda: self._join(given, built))
            if isinstance(joined, Failure):
                return [joined]
        else:
            for name, failure in failed.items():
                self._refuse(name, failure)
            self._place(given, *next(iter(built.values())))
        self.scope.following = rest
        return []

    def _given(self, sunk: Iterable[Node], rest: Iterable[Node]) -> list[Name]:
        """What the If gives: values of its own and of the nodes in its branches that something else reads."""
        read = {*self.scope.needed, *(name for n in rest for name in n.names_used())}
        made = (name for n in (self.node, *sunk) for name in n.outputs)
        return [name for name in dict.fromkeys(made) if name and name in read]

    def _branch(self, name: str, sunk: Sequence[Node], given: Sequence[Name]) -> _Built:
        """A branch with nodes added, in a block of its own."""
        graph, block = self.branches[name], Block()
        inner = self.scope.within(self.node, block, repeated=self.scope.repeated)
        before = self.builder.faults
        enter_arguments(self.builder.shapes, self.node, graph, block, ())
        self.builder.open(graph, inner)
        inside = {outside: o.name for o, outside in zip(graph.outputs, self.node.outputs, strict=True)}
        if sunk:
            copies = [Node("Identity", "", [n], [outside], {}, CURRENT, self.node.label) for outside, n in inside.items() if outside != n]
            self.builder.nodes([*map(_copied, graph.nodes), *copies, *map(_copied, sunk)], graph.broken, inner, given)
            inside = {}
        else:
            self.builder.nodes([*map(_copied, graph.nodes)], graph.broken, inner, [o.name for o in graph.outputs])
            self.builder.outputs(graph, inner)  # reports those that nothing defines
        values = [self.builder.lookup(inside.get(each, each), inner) for each in given]
        found = [v for v in values if isinstance(v, SSAValue)]
        if len(found) < len(values) or self.builder.faults > before:
            raise Broken
        for each, value in zip(given, found, strict=True):
            self.builder.check_rank(self.node, each, value, inner)
        return block, found

    def _join(self, given: Sequence[Name], built: dict[str, _Built]) -> None:
        regions = []
        for block, values in built.values():
            block.add_op(YieldOp.create(operands=values))
            regions.append(Region(block))
        node = Node("If", "", [self.node.first], list(given), {}, CURRENT, self.node.label)
        results = self.builder.operation(IfOp, node, [self.cond], (1,), {}, regions, (len(given),), self.scope)
        self._define(given, results)

    def _place(self, given: Sequence[Name], block: Block, values: Sequence[SSAValue]) -> None:
        """Puts the only branch that there is in the If's place."""
        for op in list(block.ops):
            op.detach()
            self.scope.block.add_op(op)
        self._define(given, values)

    def _define(self, given: Sequence[Name], values: Sequence[SSAValue]) -> None:
        for name, value in zip(given, values, strict=True):
            self.scope.define(name, value, self.node)

    def _refuse(self, name: str, failure: Failure) -> None:
        """The run must not take a branch in which nothing fits."""
        error = failure.errors[0]
        where = f'{error.subject} "{error.node}": ' if error.node and error.node != self.node.label else ""
        what = "true" if name == "then_branch" else "false"
        message = f"its condition is {what} for these inputs, and then nothing fits: {where}{error.message}"
        op = RequireOp(self.cond, name == "else_branch", "ITG5060", message)
        op.location = NameLoc(StringAttr(self.node.label), NoneAttr())
        self.scope.block.add_op(op)


def _within(outputs: Iterable[Name], following: Iterable[Node], reach: int) -> list[Node]:
    """The nodes at most `reach` steps from the outputs, and those between that they depend on."""
    steps: dict[Name, int] = dict.fromkeys(outputs, 0)
    near: set[int] = set()
    for index, node in enumerate(following):
        step = 1 + min(steps[name] for name in node.names_used() if name in steps)
        steps.update(dict.fromkeys(node.outputs, step))
        if step <= reach:
            near.add(index)
    wanted: set[Name] = set()
    kept: list[Node] = []
    for index, node in reversed(list(enumerate(following))):
        if index in near or not wanted.isdisjoint(node.outputs):
            wanted.update(node.names_used())
            kept.append(node)
    return kept[::-1]


def _copied(node: Node) -> Node:
    """A node that can be built without a trace in this one: adapters rewrite what they are given."""
    return replace(node, inputs=list(node.inputs), outputs=list(node.outputs), attributes={k: _copy(v) for k, v in node.attributes.items()})


def _copy(value: Any) -> Any:
    return replace(value, nodes=list(map(_copied, value.nodes))) if isinstance(value, Graph) else value
