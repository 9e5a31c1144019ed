"""The register of adapters, and what an adapter may ask and add; the family modules of this folder and `build` use it.

An adapter rewrites an `OldNode` of a version before `before` to mean the same at version `before`, in place. An operator's
adapters run in ascending order, so each knows one step. `node.become(...)` ends the chain: the node is then an operator of the
newest version. Nodes that adapters add through `Tools` have the newest meaning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from ....dialects.onnx.types import ElementType
from ..graph import CURRENT, Name
from ..graph import Node as OldNode

__all__ = ["ADAPTERS", "CURRENT", "Adapter", "Name", "OldNode", "Tools", "adapter", "known_before", "refuse"]


class Tools(Protocol):
    """What `build` lends an adapter while it rewrites one node."""

    def constant(self, values: Any, dtype: Any = np.int64) -> Name:
        """A constant; plain lists become int64."""
        ...

    def node(self, op_type: str, inputs: Sequence[Name], **attributes: Any) -> Name:
        """Adds an operator before the old node and returns its first output."""
        ...

    def after(self, op_type: str, inputs: Sequence[Name], output: Name, **attributes: Any) -> None:
        """Adds an operator behind the old node that defines `output`."""
        ...

    def withdraw(self, output: Name) -> None:
        """Says that an output has no newer form: what uses it cannot be imported (ITG1202)."""
        ...

    def fresh(self, like: Name) -> Name:
        """A new name."""
        ...

    def rank(self, name: Name) -> int:
        """The rank of a value. Raises ImportProblem (ITG1204) where it is not known."""
        ...

    def size(self, name: Name, axis: int) -> int | None:
        """A dimension of a value, if it is known to be the same in every run."""
        ...

    def element(self, name: Name) -> ElementType:
        """The element type of a tensor. Raises ImportProblem (ITG1204) where it is not known."""
        ...

    def known(self, name: Name) -> np.ndarray | None:
        """The value, if it is a constant."""
        ...


Adapter: TypeAlias = Callable[[OldNode, Tools], None]

ADAPTERS: defaultdict[tuple[str, str], list[tuple[int, Adapter]]] = defaultdict(list)
"""(version that an adapter leads to, adapter) of each (domain, operator), ascending."""


def adapter(*op_types: str, before: int, domain: str = "") -> Callable[[Adapter], Adapter]:
    """Registers an adapter for nodes of these operators whose operator set is older than `before`."""

    def register(function: Adapter) -> Adapter:
        for op_type in op_types:
            ADAPTERS[domain, op_type].append((before, function))
            ADAPTERS[domain, op_type].sort(key=lambda entry: entry[0])
        return function

    return register


def refuse(*op_types: str, before: int, why: str, hint: str, domain: str = "") -> None:
    """Registers that older meanings of these operators cannot be had."""

    def reject(node: OldNode, tools: Tools) -> None:
        raise node.problem("ITG1202", f"at operator set {node.version}, {why}", hint)

    reject.__doc__ = f"Refused: {why}."
    adapter(*op_types, before=before, domain=domain)(reject)


def known_before(domain: str, op_type: str) -> bool:
    """Whether the operator existed once and is spoken of by an adapter."""
    return (domain, op_type) in ADAPTERS
