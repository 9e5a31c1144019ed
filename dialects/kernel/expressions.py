"""Compiles the expressions of a kernel; the second layer of the compiler, below statements."""

from __future__ import annotations

import ast
import builtins
import math
import types
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from xdsl.dialects import arith, memref, vector
from xdsl.dialects.builtin import MemRefType, i64
from xdsl.ir import Operation, SSAValue

from . import language
from .analysis import is_cheap
from .language import TypeWord, Word
from .parse import MISSING, Inline, Kernel, Source
from .scalars import Code
from .types import BOOL, INT, TYPES, ScalarType, common_type
from .values import ArrayRef, Cell, Const, Dims, FlatRef, Group, InlineRef, ModuleRef, Scalar, Thing, TypeRef, Value, WordRef

_PYTHON_WORDS: dict[Any, str] = {
    **{getattr(builtins, name): name for name in ("range", "len", "min", "max", "abs", "round", "int", "bool", "float")},
    **{value: name for name, value in vars(math).items() if isinstance(getattr(language, name, None), Word)},
    math.fabs: "abs",
}


@dataclass(eq=False)
class Loop:
    """A loop being compiled, or the function body itself. Flags are memory: `live` while this round goes on, `go` while the loop does."""

    live: SSAValue | None = None
    go: SSAValue | None = None


@dataclass(eq=False)
class Frame:
    """One function being compiled: the kernel, or an inline helper within its caller.

    names: what each local name stands for; assigned: those that have a value wherever control now stands; top: the operations of
    the function's own level; direct: what it returned there; results: memory of values returned from deeper.
    """

    source: Source
    counts: Counter[str]
    block_local: set[str]
    loop_names: set[str]
    top: list[Operation]
    names: dict[str, Thing | Cell] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    loops: list[Loop] = field(default_factory=list)
    reachable: bool = True
    direct: Thing | None = None
    results: list[Cell] | None = None


class Expressions(Code):
    """Compiles expressions into things (see values.py)."""

    frame: Frame

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._spilled: dict[tuple[int, str], SSAValue] = {}
        self._kept: list[object] = []  # what `_spilled` knows by id

    @abstractmethod
    def call_inline(self, inline: Inline, arguments: Sequence[Thing], node: ast.AST) -> Thing: ...

    @abstractmethod
    def call_word(self, name: str, node: ast.Call, arguments: Sequence[Thing]) -> Thing: ...

    def expression(self, node: ast.expr) -> Thing:
        """What an expression stands for; writes the operations that compute it. Raises KernelError."""
        handler = self._EXPRESSIONS.get(type(node))
        if handler is None:
            hint = "Kernels have names, numbers, arithmetic, comparisons, and/or/not, a if c else b, x[i, j], x.shape and calls."
            self.fail("ITG6003", node, f"{type(node).__name__} expressions are not in the language", hint)
        return handler(self, node)

    def condition(self, node: ast.expr) -> SSAValue | bool:
        """A truth value; a Python bool if it is known while compiling."""
        thing = self.expression(node)
        if isinstance(thing, Const):
            return bool(thing.value)
        return self.truth(self.value(thing, node))

    def scalar(self, node: ast.expr) -> Scalar:
        thing = self.expression(node)
        if isinstance(thing, Const) and isinstance(thing.value, bool | int | float):
            return thing
        return self.value(thing, node)

    # Names

    def _constant_expression(self, node: ast.Constant) -> Thing:
        if node.value is not None and not isinstance(node.value, bool | int | float | str):
            self.fail("ITG6003", node, f"constants of type {type(node.value).__name__} are not in the language")
        return Const(node.value)

    def _name(self, node: ast.Name) -> Thing:
        frame = self.frame
        if node.id in frame.counts:
            if node.id not in frame.assigned:
                hint = "Assign it before, on every path. A loop's counter ends with its loop."
                self.fail("ITG6004", node, f"{node.id} may have no value here", hint)
            bound = frame.names[node.id]
            if isinstance(bound, Cell):
                return Value(self.emit(memref.LoadOp.get(bound.memref, [])), bound.type)
            return bound
        found = frame.source.lookup(node.id)
        if found is MISSING:
            self.fail("ITG6004", node, f"{node.id} is not defined", "Words of the language are imported from the kernel package.")
        return self.classify(found, node.id, node)

    def classify(self, found: Any, name: str, node: ast.AST) -> Thing:
        """What a Python object that is not of the kernel stands for in it."""
        if is_constant(found):
            return Const(found)
        if isinstance(found, TypeWord):
            return TypeRef(TYPES[found.name])
        if isinstance(found, Word):
            return WordRef(found.name)
        if isinstance(found, Inline):
            return InlineRef(found)
        if isinstance(found, types.ModuleType):
            return ModuleRef(found)
        if isinstance(found, types.BuiltinFunctionType | type) and found in _PYTHON_WORDS:
            return WordRef(_PYTHON_WORDS[found])
        hint = "Kernels see constants, words of the language and @inline functions."
        if isinstance(found, Kernel):
            hint = "A kernel cannot call another: share code as an @inline function."
        elif isinstance(found, types.FunctionType):
            hint = "Decorate it with @inline to use it in kernels."
        self.fail("ITG6004", node, f"{name} is a Python {type(found).__name__}, which kernels cannot use", hint)

    def _attribute(self, node: ast.Attribute) -> Thing:
        base = self.expression(node.value)
        if isinstance(base, ModuleRef):
            found = getattr(base.module, node.attr, MISSING)
            if found is MISSING:
                self.fail("ITG6004", node, f"module {base.module.__name__} has no {node.attr}")
            return self.classify(found, node.attr, node)
        if not isinstance(base, ArrayRef):
            self.fail("ITG6003", node, f"{base} has no attribute {node.attr}", "Only arrays have attributes.")
        match node.attr:
            case "shape":
                return Dims(base, "shape", base.dims)
            case "strides":
                return Dims(base, "strides", self.strides(base.dims, node))
            case "size":
                return self._size(base, node)
            case "rank" | "ndim":
                return Const(len(base.dims))
            case "flat":
                return FlatRef(base)
            case "dtype":
                return TypeRef(base.element)
        self.fail("ITG6003", node, f"{base} has no attribute {node.attr}", "Arrays have shape, strides, size, rank, flat and dtype.")

    def strides(self, dims: Sequence[Scalar], node: ast.AST) -> tuple[Scalar, ...]:
        """Row-major strides in elements, computed once at the function's entry."""
        strides: list[Scalar] = []
        step: Scalar = Const(1)
        with self.region(self.entry):
            for position in reversed(range(len(dims))):
                strides.append(step)
                if position:
                    step = self._product(step, dims[position], node)
        return tuple(reversed(strides))

    def _size(self, array: ArrayRef, node: ast.AST) -> Scalar:
        size: Scalar = Const(1)
        with self.region(self.entry):
            for dim in array.dims:
                size = self._product(size, dim, node)
        return size

    def _product(self, a: Scalar, b: Scalar, node: ast.AST) -> Scalar:
        return b if isinstance(a, Const) and a.value == 1 else self.binary(ast.Mult(), a, b, node)

    # Arrays

    def _subscript(self, node: ast.Subscript) -> Thing:
        base = self.expression(node.value)
        if isinstance(base, ArrayRef | FlatRef):
            return self.load(*self.place(base, node.slice))
        if isinstance(node.slice, ast.Slice):
            self.fail("ITG6003", node, "slices are not in the language", "Loop over the elements.")
        key = self.expression(node.slice)
        items = self.items(base)
        if items is None:
            self.fail("ITG6003", node, f"{base} cannot be indexed")
        if isinstance(key, Const) and isinstance(key.value, int):
            if not -len(items) <= key.value < len(items):
                self.fail("ITG6008", node, f"index {key.value} is outside of {len(items)} items")
            return items[key.value]
        return self._spilled_item(base, items, key, node)

    def items(self, thing: Thing) -> tuple[Thing, ...] | None:
        """The members of a tuple or a shape; None of anything else."""
        if isinstance(thing, Const) and isinstance(thing.value, tuple):
            return tuple(Const(item) for item in thing.value)
        if isinstance(thing, Dims):
            return thing.dims
        return thing.items if isinstance(thing, Group) else None

    def _spilled_item(self, base: Thing, items: Sequence[Thing], key: Thing, node: ast.Subscript) -> Value:
        """One of a tuple of integers, chosen at run time: the tuple is put into memory at the function's entry."""
        if not isinstance(base, Dims) and not (isinstance(base, Const) and all(type(item) is int for item in base.value)):
            self.fail(
                "ITG6008",
                node,
                "the index of such a tuple must be known while compiling",
                "Only tuples of constant integers are indexed at run time.",
            )
        identity = (id(base.array), base.what) if isinstance(base, Dims) else (0, repr(items))
        if identity not in self._spilled:
            self._kept.append(base.array if isinstance(base, Dims) else base)
            alloca = memref.AllocaOp.get(i64, shape=(max(1, len(items)),))
            with self.region(self.entry):
                self.emit(alloca)
                for position, item in enumerate(items):
                    word = self._to_word(self.value(item, node, INT).ssa, INT)
                    self.ops.append(memref.StoreOp.get(word, alloca.memref, [self.index(position)]))
            self._spilled[identity] = alloca.memref
        return self.load(self._spilled[identity], [self.coerce(key, INT, node, "an index").ssa], INT)

    def place(self, base: ArrayRef | FlatRef, key: ast.expr) -> tuple[SSAValue, list[SSAValue], ScalarType]:
        """The memref, the indices and the element type of `base[key]`."""
        keys = key.elts if isinstance(key, ast.Tuple) else [key]
        things: list[Thing] = []
        for k in keys:
            if isinstance(k, ast.Slice | ast.Starred):
                self.fail("ITG6003", k, "slices are not in the language", "Loop over the elements.")
            thing = self.expression(k)
            things.extend(self.items(thing) or ([thing] if self.items(thing) is None else []))
        return self.place_at(base, things, key)

    def place_at(self, base: ArrayRef | FlatRef, things: Sequence[Thing], node: ast.expr) -> tuple[SSAValue, list[SSAValue], ScalarType]:
        """The same for indices that are compiled already."""
        array, rank = (base.array, 1) if isinstance(base, FlatRef) else (base, len(base.dims))
        if len(things) != rank:
            hint = "Index every dimension, or use .flat for row-major order."
            self.fail("ITG6005", node, f"{array} has {rank} dimensions and is indexed with {len(things)}", hint)
        indices = [self._index(thing, node) for thing in things]
        return (array.linear if isinstance(base, FlatRef) else array.memref), indices, array.element

    def _index(self, thing: Thing, node: ast.AST) -> SSAValue:
        if isinstance(thing, Const) and isinstance(thing.value, int) and thing.value < 0:
            self.fail("ITG6008", node, f"index {thing.value} is negative", "Indices do not wrap: count from x.shape[k].")
        if (isinstance(thing, Value) and not thing.type.is_integer) or (isinstance(thing, Const) and type(thing.value) is not int):
            self.fail("ITG6005", node, f"{thing} is not an index", "Convert it with i64(..).")
        if isinstance(thing, Value) and thing.type.name == "u64":
            return self.convert(thing, INT).ssa
        return self.coerce(thing, INT, node, "an index").ssa

    def load(self, ref: SSAValue, indices: Sequence[SSAValue], element: ScalarType) -> Value:
        return Value(self._from_word(self.emit(memref.LoadOp.get(ref, indices)), element), element)

    def store(self, value: Value, ref: SSAValue, indices: Sequence[SSAValue]) -> None:
        if value.type.lanes:
            self.ops.append(vector.StoreOp(value.ssa, ref, indices))
            return
        self.ops.append(memref.StoreOp.get(self._to_word(value.ssa, value.type), ref, indices))

    def local_array(self, element: ScalarType, sizes: Sequence[int], name: str) -> ArrayRef:
        """Scratch memory on the stack, for the whole function."""
        count = math.prod(sizes)
        alloca = memref.AllocaOp.get(element.storage, shape=(count,))
        self.entry.append(alloca)
        strides = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        view = memref.ReinterpretCastOp.from_dynamic(alloca.memref, [0], sizes, strides, MemRefType(element.storage, sizes))
        self.entry.append(view)
        return ArrayRef(name, view.result, alloca.memref, element, tuple(Const(n) for n in sizes), True)

    # Operators

    def _binary_operator(self, node: ast.BinOp) -> Thing:
        left, right = self.expression(node.left), self.expression(node.right)
        return self.binary(node.op, left, right, node)

    def _unary_operator(self, node: ast.UnaryOp) -> Thing:
        if isinstance(node.op, ast.Not):
            condition = self.condition(node.operand)
            if isinstance(condition, bool):
                return Const(not condition)
            return Value(self.emit(arith.XOrIOp(condition, self.flag(True))), BOOL)
        operand = self.expression(node.operand)
        if isinstance(node.op, ast.USub):
            return self.negate(operand, node)
        return self.invert(operand, node) if isinstance(node.op, ast.Invert) else operand

    def _and_or(self, node: ast.BoolOp) -> Thing:
        parts: list[Callable[[], Thing]] = [lambda part=part: self.expression(part) for part in node.values]
        cheap = [is_cheap(part) for part in node.values]
        return self._lazy(isinstance(node.op, ast.And), parts, cheap, node)

    def _lazy(self, conjunction: bool, parts: Sequence[Callable[[], Thing]], cheap: Sequence[bool], node: ast.AST) -> Scalar:
        """and, or: what follows a part that decides is not computed, unless that is harmless."""
        first = parts[0]()
        if isinstance(first, Const):
            if bool(first.value) != conjunction or len(parts) == 1:
                return Const(bool(first.value))
            return self._lazy(conjunction, parts[1:], cheap[1:], node)
        left = Value(self.truth(self.value(first, node)), BOOL)
        if len(parts) == 1:
            return left
        ops: list[Operation] = self.ops if all(cheap[1:]) else []
        with self.region(ops):
            rest = self.value(self._lazy(conjunction, parts[1:], cheap[1:], node), node)
        if ops is self.ops:
            return Value(self.emit((arith.AndIOp if conjunction else arith.OrIOp)(left.ssa, rest.ssa)), BOOL)
        decided = Value(self.flag(not conjunction), BOOL)
        if conjunction:
            return self.choose(left.ssa, ops, rest, [], decided)
        return self.choose(left.ssa, [], decided, ops, rest)

    def _comparison(self, node: ast.Compare) -> Thing:
        left: list[Thing] = [self.expression(node.left)]

        def part(op: ast.cmpop, right: ast.expr) -> Thing:
            a, b = left[0], self.expression(right)
            left[0] = b
            return self._compare_pair(op, a, b, node)

        parts = [lambda op=op, right=right: part(op, right) for op, right in zip(node.ops, node.comparators, strict=True)]
        if len(parts) == 1:
            return parts[0]()
        return self._lazy(True, parts, [is_cheap(right) for right in node.comparators], node)

    def _compare_pair(self, op: ast.cmpop, a: Thing, b: Thing, node: ast.AST) -> Thing:
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(b, Const) and (b.value is None or isinstance(b.value, bool))):
                self.fail("ITG6003", node, "is compares with None only", "Use == for values.")
            same = isinstance(a, Const) and a.value is b.value
            return Const(same == isinstance(op, ast.Is))
        if isinstance(op, ast.In | ast.NotIn):
            if not (isinstance(a, Const) and isinstance(b, Const) and isinstance(b.value, tuple | str)):
                self.fail("ITG6003", node, "in is for constants only")
            return Const((a.value in b.value) == isinstance(op, ast.In))
        if isinstance(a, TypeRef) and isinstance(b, TypeRef) and isinstance(op, ast.Eq | ast.NotEq):
            return Const((a.type == b.type) == isinstance(op, ast.Eq))
        return self.compare(op, a, b, node)

    def _ternary(self, node: ast.IfExp) -> Thing:
        condition = self.condition(node.test)
        if isinstance(condition, bool):
            return self.expression(node.body if condition else node.orelse)
        if is_cheap(node.body) and is_cheap(node.orelse):
            a, b = self.agree(self.expression(node.body), self.expression(node.orelse), node, "a if c else b")
            return Value(self.emit(arith.SelectOp(condition, a.ssa, b.ssa)), a.type)
        branches: list[tuple[list[Operation], Scalar]] = []
        for part in (node.body, node.orelse):
            ops: list[Operation] = []
            with self.region(ops):
                branches.append((ops, self.scalar(part)))
        (then, x), (otherwise, y) = branches
        wanted = self._common(x, y, node)
        with self.region(then):
            a = self.coerce(x, wanted, node, "a if c else b")
        with self.region(otherwise):
            b = self.coerce(y, wanted, node, "a if c else b")
        return self.choose(condition, then, a, otherwise, b)

    def _common(self, x: Scalar, y: Scalar, node: ast.AST) -> ScalarType:
        if isinstance(x, Const) or isinstance(y, Const):
            known = x if isinstance(x, Value) else y
            return self.value(known, node).type
        found = common_type(x.type, y.type)
        if found is None:
            self.fail("ITG6005", node, f"a if c else b on {x.type.name} and {y.type.name}", "Convert one of them.")
        return found

    def _tuple(self, node: ast.Tuple) -> Thing:
        items = tuple(self.expression(item) for item in node.elts)
        if all(isinstance(item, Const) for item in items):
            return Const(tuple(item.value for item in items if isinstance(item, Const)))
        return Group(items)

    def _call(self, node: ast.Call) -> Thing:
        function = self.expression(node.func)
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            self.fail("ITG6007", node, "calls take plain arguments only", "Drop keywords and *.")
        arguments = [self.expression(argument) for argument in node.args]
        if isinstance(function, InlineRef):
            return self.call_inline(function.inline, arguments, node)
        if isinstance(function, WordRef):
            return self.call_word(function.name, node, arguments)
        if isinstance(function, TypeRef):
            return self.conversion(function.type, node, arguments)
        self.fail("ITG6007", node, f"{function} cannot be called")

    def conversion(self, to: ScalarType, node: ast.Call, arguments: Sequence[Thing]) -> Value:
        """`f32(v)`: any number or bool in another type; constants must fit, floats that are whole become integers."""
        if len(arguments) != 1:
            self.fail("ITG6007", node, f"{to.name}(..) takes one argument, not {len(arguments)}")
        (thing,) = arguments
        if isinstance(thing, Const) and isinstance(thing.value, float) and to.is_integer and thing.value.is_integer():
            thing = Const(int(thing.value))
        value = self.value(thing, node, to)
        if value.type != to and "bits" in (value.type.kind, to.kind):
            self.fail("ITG6005", node, f"{value.type.name} does not convert to {to.name}", "Kernels can only move such elements.")
        return self.convert(value, to)

    _EXPRESSIONS: ClassVar[dict[type, Callable[[Any, Any], Thing]]] = {
        ast.Constant: _constant_expression,
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.BinOp: _binary_operator,
        ast.UnaryOp: _unary_operator,
        ast.BoolOp: _and_or,
        ast.Compare: _comparison,
        ast.IfExp: _ternary,
        ast.Tuple: _tuple,
        ast.Call: _call,
    }


def is_constant(value: Any) -> bool:
    """Whether a Python value can be a constant of a kernel."""
    if isinstance(value, tuple):
        return all(is_constant(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)
