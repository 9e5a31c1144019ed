"""The names that are visible in a graph, a subgraph or a function's body, and what they stand for; `build` keeps one for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from xdsl.ir import Block, SSAValue

from ...proto.onnx_pb2 import SparseTensorProto, TensorProto
from .functions import Key
from .graph import MAX_NESTING, Name, Node


class Missing(Enum):
    """What a name may stand for instead of a value."""

    UNDEFINED = "no definition in sight"
    BROKEN = "its definition is at fault, which is reported there"
    ABSENT = "an optional input that a function's caller left out"
    WITHDRAWN = "an output that only older operator sets had"


Found: TypeAlias = "SSAValue | Missing"


@dataclass(slots=True)
class Scope:
    """One level of names. A subgraph sees its parent's; a function body sees only its own.

    block: where operations go; pending: initialisers that nothing has used yet; chain: the functions being expanded;
    repeated: whether the block runs more than once, so that what is known of its values may be of the first time only;
    following: the nodes that wait; needed: names that are read when all are built;
    ranks: those that are declared of values that nodes make.
    """

    block: Block
    parent: Scope | None = None
    names: dict[Name, Found] = field(default_factory=dict)
    pending: dict[Name, TensorProto | SparseTensorProto] = field(default_factory=dict)
    ranks: dict[Name, int] = field(default_factory=dict)
    chain: tuple[Key, ...] = ()
    repeated: bool = False
    depth: int = 0
    following: deque[Node] = field(default_factory=deque)
    needed: Collection[Name] = ()

    def within(self, node: Node, block: Block, *, repeated: bool = False) -> Scope:
        """The scope of one of the node's subgraphs. Raises ImportProblem (ITG1010) where it is nested too deep."""
        if self.depth >= MAX_NESTING:
            raise node.problem("ITG1010", f"subgraphs are nested more than {MAX_NESTING} deep")
        return Scope(block, self, chain=self.chain, repeated=repeated, depth=self.depth + 1)

    def outward(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def home(self, name: Name) -> Scope | None:
        """The innermost scope that defines the name."""
        return next((s for s in self.outward() if name in s.names or name in s.pending), None)

    def define(self, name: Name, value: Found, node: Node | None = None) -> None:
        """Binds a name. Raises ImportProblem (ITG1003) where this very scope has it already."""
        if name in self.names or name in self.pending:
            assert node is not None  # graph inputs and initialisers are checked before they are bound
            raise node.problem(
                "ITG1003", f'output "{name}" is defined before, by a node, an input or an initialiser of this name',
                "names are given once: the model is damaged, or was edited wrongly",
            )  # fmt: skip
        self.names[name] = value

    def break_names(self, names: list[Name]) -> None:
        """Marks names as being at fault where nothing else defines them."""
        for name in names:
            if name and name not in self.names and name not in self.pending:
                self.names[name] = Missing.BROKEN
