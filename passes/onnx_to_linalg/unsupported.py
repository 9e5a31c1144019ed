"""Gathers everything in a model that cannot be compiled yet, so that one report names it all; `lower` goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xdsl.dialects import func
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.onnx.base import OnnxOp
from ...errors import IntaglioError, UnsupportedError
from .registry import lowering_of

# A size that is missing because its operator was refused is no news.
_FOLLOWS = {"ITG3010", "ITG3011"}


class NotCompilable(UnsupportedError):
    """A model holds what cannot be compiled yet (ITG3000); `problems` has an error for each operator or node."""

    def __init__(self, problems: Iterable[IntaglioError]) -> None:
        self.problems = list(problems)
        lines = [str(p).splitlines()[0].removeprefix("ITG3000 ") for p in self.problems]
        super().__init__("ITG3000", "\n    ".join(["the model uses what cannot be compiled yet:", *lines]))


def missing_lowerings(main: func.FuncOp) -> list[IntaglioError]:
    """An error for each operator without a lowering, which names one of its nodes."""
    missing: dict[str, list[str]] = {}
    for op in main.walk():
        if is_operator(op) and isinstance(op, OnnxOp) and lowering_of(type(op)) is None:
            missing.setdefault(op.name, []).append(getattr(op, "node", None) or "?")
    return [UnsupportedError("ITG3000", _without_lowering(nodes), subject=name) for name, nodes in missing.items()]


def lower_gathering(block: Block, problems: list[IntaglioError], lower: Callable[[OnnxOp], None]) -> None:
    """Calls `lower` for each operator of a block; one that it refuses goes into `problems`, and what reads its results is left out.

    problems: those known already. Errors other than UnsupportedError are raised as they come, while nothing is refused.
    """
    broken: set[SSAValue] = set()
    for op in block.ops:
        if not isinstance(op, OnnxOp) or not is_operator(op):
            continue
        if problems and (_lacks_lowering(op) or _reads(op, broken)):
            broken.update(op.results)
            continue
        try:
            lower(op)
        except IntaglioError as error:
            if not (problems or isinstance(error, UnsupportedError)):
                raise
            if error.code not in _FOLLOWS or not problems:
                problems.append(error)
            broken.update(op.results)
        except Exception:
            if not problems:
                raise
            return  # it may be a consequence of what was left out: what is known is reported


def raise_problems(problems: list[IntaglioError]) -> None:
    """Raises what was gathered: a single refusal as itself, several, or operators without a lowering, as one report."""
    if len(problems) == 1 and problems[0].code != "ITG3000":
        raise problems[0]
    if problems:
        raise NotCompilable(problems)


def is_operator(op: Operation) -> bool:
    """Whether an operation is computed, and does not just end a subgraph."""
    return isinstance(op, OnnxOp) and not op.name.endswith(".yield")


def _without_lowering(nodes: list[str]) -> str:
    return f"no lowering yet (node {nodes[0]}{f' and {len(nodes) - 1} more' if len(nodes) > 1 else ''})"


def _lacks_lowering(op: OnnxOp) -> bool:
    return any(isinstance(inner, OnnxOp) and is_operator(inner) and lowering_of(type(inner)) is None for inner in op.walk())


def _reads(op: OnnxOp, broken: set[SSAValue]) -> bool:
    return any(operand in broken for inner in op.walk() for operand in inner.operands)
