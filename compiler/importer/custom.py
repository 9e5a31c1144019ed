"""Custom operators of one import: gathered from what the user gives, found for nodes, and decomposed into the graph being built.

`build` asks `Operators.find` for nodes that ONNX does not define, and calls `expand` where the operator is a decomposition.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...dialects.custom import CustomError, CustomOperator
from ...dialects.kernel.parse import MISSING
from ...dialects.onnx.base import Typed
from ...dialects.onnx.registry import OPERATORS
from ...dialects.onnx.types import ELEMENT_TYPES
from ...errors import IntaglioError
from .attributes import Signature, check_attributes
from .graph import Node
from .opset import NEWEST, known_before
from .scope import Scope
from .values import Graph, Value

if TYPE_CHECKING:
    from .build import GraphBuilder


class Operators:
    """The operators that an import knows besides ONNX's: those given, and those of com.microsoft that come with the compiler.

    given: a `CustomOperator`, a module or the path of a Python file that holds some, or any number of these. One that is given goes
    before one of its name that comes with the compiler. Raises CustomError: ITG1401 where two clash, ITG1406 for what holds none.
    """

    def __init__(self, given: Any = ()) -> None:
        self._given = _by_name(gathered(given))

    def knows(self, node: Node) -> bool:
        """Whether there is an operator of the node's name, in whatever version."""
        return bool(self._versions(node))

    def find(self, node: Node) -> CustomOperator | None:
        """The node's operator, as its version of the domain has it. Raises CustomError (ITG1407) where all are newer."""
        versions = self._versions(node)
        found = next((o for o in versions if o.since <= node.version), None)
        if versions and found is None:
            said = f"it is there from version {versions[-1].since} on, but the model uses version {node.version} of {node.domain}"
            raise CustomError("ITG1407", said, subject=node.op_type, node=node.label)
        return found

    def _versions(self, node: Node) -> list[CustomOperator]:
        key = node.domain, node.op_type
        return self._given.get(key) or bundled().get(key, [])


@cache
def bundled() -> dict[tuple[str, str], list[CustomOperator]]:
    """The operators that come with the compiler."""
    from . import contrib

    return _by_name(contrib.operators())


def gathered(given: Any) -> list[CustomOperator]:
    """The operators that a user's `operators=` names; see `Operators`."""
    if given is None:
        return []
    if isinstance(given, CustomOperator):
        return [given]
    if isinstance(given, str | os.PathLike):
        return _held(_load(Path(given)), str(given))
    if isinstance(given, ModuleType):
        return _held(given, given.__name__)
    if isinstance(given, Iterable):
        return list(dict.fromkeys(o for one in given for o in gathered(one)))
    hint = "Give what @operator or @decomposition made, a module or a Python file that holds some, or a list of these."
    raise CustomError("ITG1406", f"{given!r} is no operator", subject="operators", hint=hint)


def _held(module: ModuleType, shown: str) -> list[CustomOperator]:
    """The operators of a module, but for those of private names, which are parts of others."""
    found = list(dict.fromkeys(v for n, v in vars(module).items() if isinstance(v, CustomOperator) and not n.startswith("_")))
    if not found:
        raise CustomError("ITG1406", "it holds no operator", subject="operators", node=shown)
    return found


def _load(path: Path) -> ModuleType:
    """Runs a Python file as a module of its own. What it raises is an error of the file."""
    name = f"intaglio_operators_{path.stem}"
    if not path.is_file():
        raise CustomError("ITG1406", "there is no such file", subject="operators", node=str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CustomError("ITG1406", "it is no Python file", subject="operators", node=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and annotations look their module up there
    try:
        spec.loader.exec_module(module)
    except IntaglioError:
        raise
    except Exception as error:
        raise CustomError("ITG1406", f"it cannot be run: {type(error).__name__}: {error}", subject="operators", node=str(path)) from error
    return module


def _by_name(operators: Iterable[CustomOperator]) -> dict[tuple[str, str], list[CustomOperator]]:
    """The versions of each operator, the newest first."""
    found: dict[tuple[str, str], list[CustomOperator]] = {}
    for one in operators:
        domain = "" if one.domain == "ai.onnx" else one.domain
        key, subject = (domain, one.name), f"{one.domain or 'ai.onnx'}::{one.name}"
        if domain in NEWEST and (key in OPERATORS or known_before(*key)):
            raise CustomError("ITG1401", "ONNX defines this operator", subject=subject, hint="Give it a domain of your own.")
        versions = found.setdefault(key, [])
        if any(other.since == one.since for other in versions):
            raise CustomError("ITG1401", f"two operators have this name and are there since version {one.since}", subject=subject)
        versions.append(one)
        versions.sort(key=lambda o: -o.since)
    return found


# -- decompositions


def expand(builder: GraphBuilder, node: Node, operator: CustomOperator, scope: Scope) -> None:
    """Builds a node by its operator's decomposition. Raises IntaglioError as `GraphBuilder.emit` does, ITG1404 and ITG1405."""
    assert operator.decompose is not None
    key = node.domain, node.op_type, f"since {operator.since}"
    if key in scope.chain:
        raise CustomError("ITG1404", "the decomposition builds the operator itself", subject=node.op_type, node=node.label)
    sig = _signature(operator)
    check_attributes(node, sig)
    builder.operands(node, sig, scope)
    inner = replace(scope, chain=(*scope.chain, key))
    graph = Graph(builder, node, inner, operator)
    values = [graph.input(name) if name else None for name in node.inputs]
    values += [None] * (len([i for i in operator.inputs if not i.variadic]) - len(values))
    attributes = {name: _converted(a.default, node.attributes.get(name, MISSING)) for name, a in operator.attributes.items()}
    try:
        found = operator.decompose(graph, *values, **attributes)
    except IntaglioError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"its decomposition failed at {place.filename}:{place.lineno}: {type(error).__name__}: {error}"
        raise CustomError("ITG1404", said, subject=node.op_type, node=node.label) from error
    _define(builder, node, operator, scope, found)


def _converted(default: Any, given: Any) -> Any:
    if given is MISSING:
        return default
    return bool(given) if isinstance(default, bool) else given


def _define(builder: GraphBuilder, node: Node, operator: CustomOperator, scope: Scope, found: Any) -> None:
    """Binds the node's outputs to what the decomposition returned."""
    results = list(found) if isinstance(found, list | tuple) else [found]
    if len(results) > len(operator.outputs) or not all(r is None or isinstance(r, Value) for r in results):
        said = f"its decomposition returns {found!r}, expected a value for each of {', '.join(operator.outputs)}"
        raise CustomError("ITG1405", said, subject=node.op_type, node=node.label)
    for index, name in enumerate(node.outputs):
        value = results[index] if index < len(results) else None
        if not name:
            continue
        if value is None:
            raise CustomError("ITG1405", f"its decomposition gives no {operator.outputs[index]}", subject=node.op_type, node=node.label)
        scope.define(name, builder.lookup(value.name, scope), node)


@cache
def _signature(operator: CustomOperator) -> Signature:
    """A decomposition's declaration as the importer's checks read it."""
    anything = Typed("", frozenset(e.ir for e in ELEMENT_TYPES))
    return Signature(
        [(i.name, i.constraint, i.optional, i.variadic) for i in operator.inputs],
        [(name, anything, index > 0, False) for index, name in enumerate(operator.outputs)],
        {name: a.kind for name, a in operator.attributes.items()},
        frozenset(name for name, a in operator.attributes.items() if a.default is MISSING),
        (),
        False,
    )
