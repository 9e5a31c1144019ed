"""Builds the operations of graphs, subgraphs and expanded functions, one node at a time, with shapes inferred on the way.

`import_model` calls it. A fault is recorded and the node's outputs count as broken; what depends on them is left out without
another word, so one run reports every independent fault of a model.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import numpy as np
from xdsl.dialects.builtin import NameLoc, NoneAttr, NoneType, StringAttr, TensorType
from xdsl.ir import Attribute, Block, Region, SSAValue

from ...dialects.custom import CustomOperator
from ...dialects.onnx.base import OnnxOp, Typed, container_of
from ...dialects.onnx.control import IfOp, YieldOp
from ...dialects.onnx.registry import OPERATORS
from ...dialects.onnx.shapes import Shapes
from ...errors import IntaglioError, ShapeError
from ...proto.onnx_pb2 import SparseTensorProto, TensorProto
from .attributes import SEGMENTS, Signature, check_attributes, properties, segment_sizes, signature, tensor_attribute
from .branches import Broken, Failure, Postponed, build_if
from .custom import Operators, expand
from .functions import MAX_DEPTH, MAX_NODES, Function, Functions, Key
from .graph import CURRENT, Graph, GraphReader, Name, Node, initializer_name
from .opset import ADAPTERS, known_before
from .order import in_order
from .problems import ImportProblem, listed
from .ranks import declared_ranks
from .scope import Found, Missing, Scope
from .subgraphs import enter_arguments
from .tools import NodeTools
from .types import describe

_T = TypeVar("_T")

_UNTYPED = NoneType()
"""The type of a result until inference has told it."""

_CONSTANT_ATTRIBUTES: dict[str, tuple[type, Callable[[Any], np.ndarray]]] = {
    "value": (np.ndarray, lambda v: v),
    "sparse_value": (np.ndarray, lambda v: v),
    "value_int": (int, lambda v: np.array(v, np.int64)),
    "value_ints": (tuple, lambda v: np.array(v, np.int64)),
    "value_float": (float, lambda v: np.array(v, np.float32)),
    "value_floats": (tuple, lambda v: np.array(v, np.float32)),
    "value_string": (str, lambda v: np.array(v, object)),
    "value_strings": (tuple, lambda v: np.array(v, object)),
}
"""What holds a Constant's value: the Python type of the attribute, and its array."""


_WITHDRAWN_HINT = "export for a newer operator set, or for inference"


class GraphBuilder:
    """Turns decoded nodes into operations. `weights` takes the arrays that the IR refers to by id; `ranks` are those that the model
    declares of its outputs."""

    def __init__(
        self,
        reader: GraphReader,
        functions: Functions,
        shapes: Shapes,
        weights: dict[str, np.ndarray],
        report: Callable[[IntaglioError], None],
        operators: Operators | None = None,
    ) -> None:
        self.reader = reader
        self.functions = functions
        self.operators = operators or Operators()
        self.shapes = shapes
        self.weights = weights
        self._report = report
        self.faults = 0
        self.unknown: dict[tuple[str, str], list[Node]] = {}
        self.unimported: dict[str, list[Node]] = {}
        self._budget = MAX_NODES
        self._scanned: set[Key] = set()
        self.ranks: dict[Name, int] = {}

    def report(self, error: IntaglioError) -> None:
        self.faults += 1
        self._report(error)

    # -- graphs

    def open(self, graph: Graph, scope: Scope, constants: Sequence[str] = ()) -> None:
        """Makes a graph's initialisers visible, but for those named in `constants`, which are bound already, and its ranks."""
        scope.ranks = declared_ranks(graph)
        for tensor in graph.initializers:
            name = initializer_name(tensor)
            if name in constants:
                continue
            if not name or name in scope.pending or name in scope.names:
                what = "is defined twice" if name else "has no name"
                self.report(ImportProblem("ITG1003", what, subject=f'initialiser "{name}" of graph "{graph.name}"'))
                continue
            scope.pending[name] = tensor

    def nodes(self, nodes: Sequence[Node], broken: Sequence[Name], scope: Scope, needed: Collection[Name]) -> None:
        """Builds the nodes of one graph or function body in an order that works; the names `needed` are read afterwards."""
        ordered, stuck, cycle = in_order(nodes, {*scope.names, *scope.pending})
        if cycle is not None:
            self.report(cycle)
        scope.break_names([*broken, *(o for node in stuck for o in node.outputs)])
        for node in stuck:
            self._scan(node)
        scope.following, scope.needed = deque(ordered), needed
        while scope.following:
            self.node(scope.following.popleft(), scope)

    def outputs(self, graph: Graph, scope: Scope) -> list[SSAValue] | None:
        """The values of a graph's outputs, or None where some are broken; undefined ones are reported."""
        values = [self.lookup(info.name, scope) for info in graph.outputs]
        undefined = [info.name for info, v in zip(graph.outputs, values, strict=True) if v is Missing.UNDEFINED]
        if undefined:
            self.report(
                ImportProblem(
                    "ITG1002",
                    f"nothing defines {listed(undefined)}",
                    subject=f'outputs of graph "{graph.name}"',
                    hint="an output must be a node's output, an input or an initialiser",
                )
            )
        withdrawn = [info.name for info, v in zip(graph.outputs, values, strict=True) if v is Missing.WITHDRAWN]
        if withdrawn:
            message, subject = f"only older operator sets had {listed(withdrawn)}", f'outputs of graph "{graph.name}"'
            self.report(ImportProblem("ITG1202", message, subject=subject, hint=_WITHDRAWN_HINT))
        found = [v for v in values if isinstance(v, SSAValue)]
        return found if len(found) == len(values) else None

    def lookup(self, name: Name, scope: Scope) -> Found:
        """What a name stands for; an initialiser becomes a constant of its own graph when it is first used."""
        home = scope.home(name)
        if home is None:
            return Missing.UNDEFINED
        if name not in home.names:
            home.names[name] = self._initializer(home.pending.pop(name), home)
        return home.names[name]

    def _initializer(self, tensor: TensorProto | SparseTensorProto, scope: Scope) -> Found:
        try:
            return self.constant(self.reader.array(tensor), initializer_name(tensor), scope)
        except IntaglioError as error:
            self.report(error)
        except Exception as error:
            self.report(_internal(error, "initialiser", initializer_name(tensor)))
        return Missing.BROKEN

    def constant(self, array: np.ndarray, name: str, scope: Scope) -> SSAValue:
        """A Constant at the end of the scope's block."""
        node = Node("Constant", "", [], [name], {"value": array}, CURRENT, name)
        stored = {"value": tensor_attribute(array, lambda a: self.store(name, a))}
        (value,) = self.operation(OPERATORS["", "Constant"], node, [], (), stored, [], (1,), scope)
        return value

    def store(self, hint: str, array: np.ndarray) -> str:
        """Keeps an array as a weight and returns its id."""
        found, count = hint, 1
        while found in self.weights:
            count += 1
            found = f"{hint}#{count}"
        self.weights[found] = array
        return found

    # -- nodes

    def node(self, node: Node, scope: Scope) -> None:
        """Builds one node; whatever is wrong with it is reported and its outputs are broken."""
        try:
            self.build(node, scope)
        except Postponed:
            return
        except Broken:
            pass
        except IntaglioError as error:
            self.report(_named(error, node))
        except Exception as error:  # a defect of ours must still name the node that met it
            self.report(_internal(error, node.op_type, node.label))
        scope.break_names(node.outputs)

    def build(self, node: Node, scope: Scope) -> None:
        """Builds one node, a call of a function or an operator. Raises IntaglioError, or Broken for what is reported already."""
        function = self.functions.find(node)
        if function is not None:
            self._call(node, function, scope)
        else:
            self._operator(node, scope)

    def values(self, node: Node, scope: Scope) -> None:
        """Checks that every name the node uses is defined. Raises Broken where one is at fault."""
        found = {name: self.lookup(name, scope) for name in node.names_used()}
        undefined = [name for name, value in found.items() if value is Missing.UNDEFINED]
        if undefined:
            self._scan(node)
            raise node.problem(
                "ITG1002", f"nothing defines {listed(undefined)}", "an input must be a node's output, a graph input or an initialiser"
            )
        withdrawn = [name for name, value in found.items() if value is Missing.WITHDRAWN]
        if withdrawn:
            raise node.problem("ITG1202", f"it uses {listed(withdrawn)}, which only older operator sets had", _WITHDRAWN_HINT)
        if Missing.BROKEN in found.values():
            self._scan(node)
            raise Broken

    def _operator(self, node: Node, scope: Scope) -> None:
        if not self._is_known(node):
            self._scan_below(node, None)
            raise Broken
        self.values(node, scope)
        node.inputs = [name if name and self.lookup(name, scope) is not Missing.ABSENT else "" for name in node.inputs]
        tools = NodeTools(self, node, scope)
        for before, adapt in ADAPTERS.get((node.domain, node.op_type), ()):
            if node.version < before:
                adapt(node, tools)
        if (own := self.operators.find(node)) is not None:
            self.custom(node, own, scope)
            return
        if (node.domain, node.op_type) not in OPERATORS:
            raise node.problem("ITG1004", f"the operator was withdrawn before operator set {node.version}", "export the model again")
        self.emit(node, scope)
        for late in tools.later:
            self.emit(late, scope)

    def custom(self, node: Node, operator: CustomOperator, scope: Scope) -> None:
        """Builds a node of an operator that is not ONNX's. Raises IntaglioError, or _Broken."""
        if operator.kernel_op is not None:
            self.emit(node, scope, operator.kernel_op)
        else:
            expand(self, node, operator, scope)

    def _is_known(self, node: Node) -> bool:
        """Notes a node whose operator, or whose operator set's version, is not known."""
        key = node.domain, node.op_type
        if key not in OPERATORS and not known_before(*key) and not self.operators.knows(node):
            self.unknown.setdefault(key, []).append(node)
            return False
        if node.version < 1:
            self.unimported.setdefault(node.domain, []).append(node)
            return False
        return True

    def _scan(self, node: Node) -> None:
        """Notes unknown operators in and below a node that is not built."""
        try:
            function = self.functions.find(node)
        except IntaglioError:
            return
        if function is None:
            self._is_known(node)
        self._scan_below(node, function)

    def _scan_below(self, node: Node, function: Function | None) -> None:
        below = [v.nodes for v in node.attributes.values() if isinstance(v, Graph)]
        if function is not None and function.key not in self._scanned and len(self._scanned) < MAX_DEPTH:
            self._scanned.add(function.key)
            below.append(function.nodes)
        for inner in below:
            for each in inner:
                self._scan(each)

    def emit(self, node: Node, scope: Scope, own: type[OnnxOp] | None = None) -> None:
        """Builds a node of the newest meaning. Raises IntaglioError, or Broken where a subgraph is at fault.

        own: the class of an operator that is not ONNX's.
        """
        if node.op_type == "Constant" and not node.domain:
            _settle_constant(node)
        cls = own or OPERATORS[node.domain, node.op_type]
        sig = signature(cls)
        check_attributes(node, sig)
        operands, sizes = self.operands(node, sig, scope)
        if cls is IfOp:
            return build_if(self, node, operands[0], scope)
        relations = len(self.shapes.relations)
        regions = [self._region(node, name, operands, scope) for name in sig.regions if name in node.attributes]
        if sig.regions:
            # The operator infers its subgraphs again, for every iteration; what was noted on the way holds for the first only.
            del self.shapes.relations[relations:]
        props = properties(node, sig, self.store)
        if sig.counts_regions:
            props[SEGMENTS[2]] = segment_sizes(tuple(int(name in node.attributes) for name in sig.regions))
        counts = _result_counts(node, sig)
        results = self.operation(cls, node, operands, sizes, props, regions, counts, scope)
        names = _result_names(node, sig)
        for name, value in zip(names, results, strict=True):
            if name:
                scope.define(name, value, node)

    def operation(
        self,
        cls: type[OnnxOp],
        node: Node,
        operands: Sequence[SSAValue],
        sizes: tuple[int, ...],
        props: dict[str, Attribute],
        regions: list[Region],
        counts: tuple[int, ...],
        scope: Scope,
    ) -> Sequence[SSAValue]:
        """Appends an operation to the scope's block and infers its results; it is gone again where that fails."""
        op = cls.create(
            operands=operands,
            result_types=[_UNTYPED] * sum(counts),
            properties={**props, SEGMENTS[0]: segment_sizes(sizes), SEGMENTS[1]: segment_sizes(counts)},
            location=NameLoc(StringAttr(node.label), NoneAttr()),
            regions=regions,
        )
        for result, name in zip(op.results, _result_names(node, signature(cls)), strict=True):
            result.name_hint = value_hint(name)
            if name in scope.ranks:
                self.shapes.declare_rank(result, scope.ranks[name])
        scope.block.add_op(op)
        try:
            self.shapes.infer_op(op)
            for result in op.results:
                if result.type == _UNTYPED:
                    raise node.problem("ITG1013", f"the type of output {result.name_hint or ''} cannot be told")
        except BaseException:
            op.detach()
            op.drop_all_references()
            raise
        return op.results

    def operands(self, node: Node, sig: Signature, scope: Scope) -> tuple[list[SSAValue], tuple[int, ...]]:
        """The operands in order and how many there are for each declared input."""
        _check_counts(node, sig)
        values: list[SSAValue] = []
        sizes: list[int] = []
        bound: dict[str, tuple[Attribute, str]] = {}
        for index, (what, constraint, optional, variadic) in enumerate(sig.operands):
            names = node.inputs[index:] if variadic else node.inputs[index : index + 1]
            found = [self.lookup(name, scope) for name in names if name]
            if len(found) < len(names) and variadic:
                raise node.problem("ITG1006", f"one of its inputs {what} has no name, and none may be left out")
            if not found and not optional and not variadic:
                raise node.problem("ITG1006", f"input {what} (number {index + 1}) is missing")
            for name, value in zip((n for n in names if n), found, strict=True):
                if not isinstance(value, SSAValue):
                    raise Broken
                _check_type(node, what, name, value.type, constraint, bound)
                values.append(value)
            sizes.append(len(found))
        if named := [self.lookup(name, scope) for name in node.names_in_attributes()]:
            values += (v for v in named if isinstance(v, SSAValue))
            sizes.append(len(named))
        return values, tuple(sizes)

    def attempted(self, build: Callable[[], _T]) -> _T | Failure:
        """What `build` makes; or, if that fails, why: then nothing is reported, and what it noted is gone."""
        outer, faults, relations = self._report, self.faults, len(self.shapes.relations)
        unknown, unimported = self.unknown, self.unimported
        errors: list[IntaglioError] = []
        self._report, self.unknown, self.unimported = errors.append, {}, {}
        try:
            return build()
        except Broken:
            pass
        except IntaglioError as error:
            errors.append(error)
        finally:
            failure = Failure(errors, self.unknown, self.unimported)
            self._report, self.faults, self.unknown, self.unimported = outer, faults, unknown, unimported
        del self.shapes.relations[relations:]
        return failure

    def report_all(self, failure: Failure) -> None:
        """Reports what kept something from being built, once nothing else is left to try."""
        for error in failure.errors:
            self.report(error)
        for key, nodes in failure.unknown.items():
            self.unknown.setdefault(key, []).extend(nodes)
        for domain, nodes in failure.unimported.items():
            self.unimported.setdefault(domain, []).extend(nodes)

    def check_rank(self, node: Node, name: Name, value: SSAValue, scope: Scope) -> None:
        """Raises ShapeError where a value that is an output of the model is not of the rank that it is declared of."""
        shape, declared = self.shapes.get(value), self.ranks.get(name) if not scope.chain else None
        if shape is not None and declared is not None and len(shape) != declared:
            message = f'output "{name}" has rank {len(shape)}, and is declared with rank {declared}'
            raise ShapeError("ITG2140", message, subject=node.op_type, node=node.label)

    # -- subgraphs and functions

    def _region(self, node: Node, name: str, operands: Sequence[SSAValue], scope: Scope) -> Region:
        graph: Graph = node.attributes[name]
        block = Block()
        inner = scope.within(node, block, repeated=scope.repeated or node.op_type != "If")
        before = self.faults
        enter_arguments(self.shapes, node, graph, block, operands)
        for info, argument in zip(graph.inputs, block.args, strict=True):
            if not info.name or info.name in inner.names:
                raise node.problem("ITG1003", f'input "{info.name}" of {name} is unnamed or defined twice')
            argument.name_hint = value_hint(info.name)
            inner.names[info.name] = argument
        self.open(graph, inner)
        self.nodes(graph.nodes, graph.broken, inner, [o.name for o in graph.outputs])
        values = self.outputs(graph, inner)
        if values is None or self.faults > before:
            raise Broken
        block.add_op(YieldOp.create(operands=values))
        return Region(block)

    def _call(self, call: Node, function: Function, scope: Scope) -> None:
        """Expands a call in place: the function's names live in a scope of their own."""
        if function.key in scope.chain:
            raise call.problem("ITG1011", "the function calls itself", "ONNX functions cannot be recursive")
        self.values(call, scope)
        nodes = function.called(call)
        if not scope.chain:
            self._budget -= self.functions.size(function)
        if self._budget < 0:
            raise call.problem("ITG1010", f"function calls expand to more than {MAX_NODES} nodes")
        inner = Scope(scope.block, chain=(*scope.chain, function.key), repeated=scope.repeated, depth=scope.depth)
        for index, name in enumerate(function.inputs):
            given = call.inputs[index] if index < len(call.inputs) else ""
            inner.names[name] = self.lookup(given, scope) if given else Missing.ABSENT
        for name, inside in zip(call.outputs, function.outputs, strict=False):
            if name in scope.ranks:
                inner.ranks[inside] = scope.ranks[name]
        before = self.faults
        self.nodes(nodes, function.broken, inner, function.outputs)
        for name, inside in zip(call.outputs, function.outputs, strict=False):
            found = self.lookup(inside, inner)
            if found is Missing.UNDEFINED or found is Missing.ABSENT:
                raise call.problem("ITG1002", f'nothing in the function defines its output "{inside}"')
            if name:
                scope.define(name, found, call)
        if self.faults > before:
            raise Broken


def _settle_constant(node: Node) -> None:
    """Gives a Constant its value as one array, whichever attribute holds it."""
    given = [name for name in node.attributes if name in _CONSTANT_ATTRIBUTES]
    if len(node.attributes) != 1 or not given:
        raise node.problem("ITG1103", f"it must have exactly one value, but has attributes: {', '.join(node.attributes) or 'none'}")
    wanted, to_array_of = _CONSTANT_ATTRIBUTES[given[0]]
    value = node.attributes[given[0]]
    if not isinstance(value, wanted):
        raise node.problem("ITG1102", f"attribute {given[0]} cannot hold {type(value).__name__} {str(value)[:60]}")
    try:
        node.attributes = {"value": to_array_of(value)}
    except (TypeError, ValueError, OverflowError) as error:
        raise node.problem("ITG1102", f"attribute {given[0]}: {error}") from error


def _check_counts(node: Node, sig: Signature) -> None:
    for what, names, defs in (("inputs", node.inputs, sig.operands), ("outputs", node.outputs, sig.results)):
        variadic = any(entry[3] for entry in defs)
        if len(names) > len(defs) and not variadic:
            raise node.problem("ITG1006", f"it has {len(names)} {what}, but takes at most {len(defs)}: {', '.join(d[0] for d in defs)}")
        if variadic and len(defs) == 1 and not names:
            raise node.problem("ITG1006", f"it has no {what}, but needs at least one")


def _check_type(node: Node, what: str, name: Name, found: Attribute, constraint: object, bound: dict[str, tuple[Attribute, str]]) -> None:
    """Raises ImportProblem where an operand is not of a type that the operator takes, or not of the type of its sisters."""
    if not isinstance(constraint, Typed):
        return
    kind, element = container_of(found)
    if kind not in constraint.containers or element not in constraint.allowed(kind):
        raise node.problem("ITG1007", f'input {what} ("{name}") is {describe(found)}, which the operator does not take')
    if not constraint.var:
        return
    other, sister = bound.setdefault(constraint.var, (element, what))
    if other != element:
        shown = describe(TensorType(other, []))
        raise node.problem("ITG1007", f'input {what} ("{name}") is {describe(found)}, but must have the element type of {sister}, {shown}')


def _result_counts(node: Node, sig: Signature) -> tuple[int, ...]:
    """How many results each declared output has: an optional one only where the node names it."""
    counts: list[int] = []
    for index, (_, _, optional, variadic) in enumerate(sig.results):
        named = index < len(node.outputs) and bool(node.outputs[index])
        counts.append(max(0, len(node.outputs) - index) if variadic else int(named or not optional))
    return tuple(counts)


def _result_names(node: Node, sig: Signature) -> list[Name]:
    """The name of each result that there is, "" for unnamed ones."""
    names: list[Name] = []
    for index, count in enumerate(_result_counts(node, sig)):
        given = node.outputs[index : index + count]
        names += [*given, *[""] * (count - len(given))]
    return names


_HINT = re.compile(r"[^A-Za-z0-9_$.-]")


def value_hint(name: Name) -> str | None:
    """A value's name as the textual form can spell it."""
    text = _HINT.sub("_", str(name))
    if not text:
        return None
    # xDSL cuts a number after an underscore off: nothing would be left of "_0".
    return text if text[0].isalpha() else f"v{text}"


def _named(error: IntaglioError, node: Node) -> IntaglioError:
    """The error, made to name the node it arose at where it does not."""
    if error.node is None and type(error).__init__ is IntaglioError.__init__:
        named = type(error)(error.code, error.message, subject=error.subject or node.op_type, node=node.label, hint=error.hint)
        named.__cause__ = error
        return named
    return error


def _internal(error: Exception, subject: str, name: str) -> ImportProblem:
    problem = ImportProblem(
        "ITG1090",
        f"{type(error).__name__}: {error}",
        subject=subject,
        node=name,
        hint="this is a defect of the compiler: please report it with the model",
    )
    problem.__cause__ = error
    return problem
