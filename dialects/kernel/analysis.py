"""Questions about a function's syntax that the compiler asks before it writes code: names, jumps, cheap expressions."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef
_CHEAP = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Load, ast.operator, ast.unaryop, ast.cmpop, ast.Attribute)


def assignments(function: Function) -> Counter[str]:
    """How often each local name is bound: by parameters, assignments and loops."""
    counts = Counter(argument.arg for argument in (*function.args.posonlyargs, *function.args.args))
    counts.update(node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return counts


def loop_names(function: Function) -> set[str]:
    """Names that a for statement counts with."""
    targets = [node.target for node in ast.walk(function) if isinstance(node, ast.For)]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def block_local_names(function: Function) -> set[str]:
    """Names assigned once whose reads all follow in the same list of statements (or inside those): they need no memory."""
    counts = assignments(function)
    reads = _reads([function])
    local: set[str] = set()
    for block in _blocks(function):
        for position, statement in enumerate(block):
            if not isinstance(statement, ast.Assign):
                continue
            names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and counts[n.id] == 1}
            if names:
                after = _reads(block[position + 1 :])
                local |= {name for name in names if reads[name] == after[name]}
    return local


def binds_names_only(statement: ast.stmt) -> bool:
    """Whether a statement is an assignment to names, or a text."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Assign) and not any(isinstance(part, ast.Subscript) for t in statement.targets for part in ast.walk(t))


def may_break(body: Sequence[ast.stmt]) -> bool:
    """Whether a break of this loop body's own loop, or a return, is in it."""
    return any(isinstance(jump, ast.Break | ast.Return) for jump in jumps(body))


def may_jump(statements: Sequence[ast.stmt]) -> bool:
    """Whether control may leave these statements other than at their end."""
    return next(jumps(statements), None) is not None


def jumps(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The jumps in the statements that lead out of them."""
    for statement in statements:
        if isinstance(statement, ast.Break | ast.Continue | ast.Return):
            yield statement
        elif isinstance(statement, ast.If):
            yield from jumps([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.For | ast.While):
            yield from (jump for jump in jumps(statement.body) if isinstance(jump, ast.Return))


def is_cheap(node: ast.expr) -> bool:
    """Whether an expression can be computed where it is not needed: it loads no element, divides nothing, calls nothing."""
    return all(isinstance(part, _CHEAP) and not isinstance(part, ast.FloorDiv | ast.Mod | ast.Pow) for part in ast.walk(node))


def _reads(nodes: Iterable[ast.AST]) -> Counter[str]:
    """Reads of each name; an augmented assignment reads its target."""
    counts: Counter[str] = Counter()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                counts[part.id] += 1
            elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                counts[part.target.id] += 1
    return counts


def _blocks(function: Function) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(function):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield block
