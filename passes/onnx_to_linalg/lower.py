"""Carries a function of the onnx dialect to linalg on tensors, operator by operator through the registered lowerings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects import func, tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr, ModuleOp, TensorType, UnrankedTensorType, i64
from xdsl.ir import Attribute, Block, Region, SSAValue

from ...dialects import dispatch, texts
from ...dialects.lists import LIST, ListType
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import SymDim
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.types import MapType, OptionalType, SequenceType
from ...errors import IntaglioError, UnsupportedError
from ..scalar import INDEX, STRING, ScalarBuilder, storage
from .builder import List, Lowering, Tensor, element_type
from .contents import known_results
from .registry import lowering_of
from .sweep import sweep
from .unsupported import is_operator, lower_gathering, missing_lowerings, raise_problems


@dataclass
class Linalg:
    """The linalg level of a program: the module (`main` and kernels), the weights it names, and the defaults of inputs.

    Strings are numbers of the program's pool in both, which is among the weights where there are any.
    """

    module: ModuleOp
    weights: dict[str, np.ndarray]
    defaults: dict[str, np.ndarray]


def main_function(module: ModuleOp) -> func.FuncOp:
    """The function `main` of a module."""
    return next(op for op in module.ops if isinstance(op, func.FuncOp) and op.sym_name.data == "main")


def onnx_to_linalg(
    module: ModuleOp,
    shapes: Shapes,
    weights: Mapping[str, np.ndarray],
    target: Any = None,
    defaults: Mapping[str, np.ndarray] | None = None,
) -> Linalg:
    """Lowers `main`. Raises UnsupportedError, of several problems NotCompilable, with every operator and node that cannot be lowered."""
    source = main_function(module)
    problems = missing_lowerings(source)
    types = _argument_types(source.body.block, shapes, problems)
    body = Block(arg_types=types)
    lowered = ModuleOp([])
    b = Lowering(shapes, body, lowered.body.block, target)
    b.weights.update(weights)
    _bind_arguments(b, source.body.block, body)
    lower_gathering(source.body.block, problems, lambda op: lower_op(b, op))
    raise_problems(problems)
    returned = source.body.block.last_op
    assert returned is not None
    outputs = [b.values[v].value for v in returned.operands]
    body.add_op(func.ReturnOp(*outputs))
    sweep(lowered, body)
    main = func.FuncOp("main", (types, [o.type for o in outputs]), Region(body))
    main.attributes.update(source.attributes)
    if source.arg_attrs is not None:
        main.arg_attrs = source.arg_attrs
    if source.res_attrs is not None:
        main.res_attrs = source.res_attrs
    lowered.body.block.add_op(main)
    stored = {name: b.texts.numbers(array) if array.dtype.hasobject else array for name, array in (defaults or {}).items()}
    if _speaks_of_strings(source):
        b.weights |= b.texts.weights()
        main.attributes[texts.COUNT] = IntegerAttr(len(b.texts), i64)
    return Linalg(lowered, b.weights, stored)


def _speaks_of_strings(source: func.FuncOp) -> bool:
    """Whether any value holds strings."""
    values = (*source.body.block.args, *(r for op in source.walk() for r in op.results))
    return any(_holds_strings(t) for t in {v.type for v in values})


def _holds_strings(type: Attribute) -> bool:
    if isinstance(type, MapType):
        return STRING.ir == type.key or _holds_strings(type.value)
    if isinstance(type, SequenceType | OptionalType):
        return _holds_strings(type.element)
    return isinstance(type, TensorType | UnrankedTensorType) and type.element_type == STRING.ir


def lower_block(b: Lowering, block: Block) -> None:
    """Lowers every operator of an onnx-level block into the current scope; results are found in `b.values`."""
    for op in block.ops:
        if isinstance(op, OnnxOp) and is_operator(op):
            lower_op(b, op)


def lower_op(b: Lowering, op: OnnxOp) -> None:
    outer, b.op = b.op, op
    try:
        for relation in b.shapes.relations:
            if relation.op is op:
                _check_relation(b, relation)
        results = known_results(b, op) or _lowering(op)(b, op, *_operands(b, op))
    except IntaglioError as error:
        if error.node is None and error.subject == "":
            raise type(error)(error.code, error.message, subject=op.op_type, node=op.node, hint=error.hint) from error
        raise
    finally:
        b.op = outer
    _record(b, op, results)


def _lowering(op: OnnxOp) -> Callable[..., Any]:
    found = lowering_of(type(op))
    assert found is not None  # `missing_lowerings` has looked
    return found


def _record(b: Lowering, op: OnnxOp, results: Any) -> None:
    declared = list(results) if isinstance(results, tuple | list) else [results]
    names = op.result_defs()
    if any(variadic for *_, variadic in names):
        values = list(op.results)
    else:
        kept = [(d, getattr(op, name)) for d, (name, *_) in zip(declared, names, strict=False) if getattr(op, name) is not None]
        declared, values = [d for d, _ in kept], [v for _, v in kept]
    if len(declared) != len(values):
        raise UnsupportedError("ITG3002", f"the lowering gives {len(declared)} results for {len(values)}", subject=op.op_type, node=op.node)
    for value, lowered in zip(values, declared, strict=True):
        b.values[value] = lowered
        if isinstance(lowered, Tensor) and value.name_hint:
            lowered.value.name_hint = lowered.value.name_hint or value.name_hint


def _operands(b: Lowering, op: OnnxOp) -> list[Any]:
    operands: list[Any] = []
    for name, *_ in op.operand_defs():
        field = getattr(op, name)
        if field is None:
            operands.append(None)
        elif isinstance(field, SSAValue):
            operands.append(b.values[field])
        else:
            operands.append([b.values[v] for v in field])
    return operands


def _check_relation(b: Lowering, relation: Any) -> None:
    s = ScalarBuilder(b.block)
    first, second = (relation.b, relation.a) if isinstance(relation.a, int) else (relation.a, relation.b)
    found = b.dim(first), b.dim(second)
    same = s.wrap(found[0], INDEX).equals(s.wrap(found[1], INDEX))
    if isinstance(second, int):
        b.require(same.value, "ITG5002", f"{relation.what} must be equal, but {b.told(first)} and not {second}", found[0])
    else:
        b.require(same.value, "ITG5002", f"{relation.what} must be equal, but {b.told(first)} and {b.told(second)}", *found)


def _bind_arguments(b: Lowering, source: Block, body: Block) -> None:
    """Names the arguments' dynamic dimensions; a symbol that several arguments share is checked for equality."""
    for old, new in zip(source.args, body.args, strict=True):
        new.name_hint = old.name_hint
        if isinstance(new.type, ListType):
            b.values[old] = List(new)
            continue
        shape = b.shapes.of(old)
        tied = []
        for axis, d in enumerate(shape):
            if not isinstance(d, SymDim):
                continue
            here = b.emit(tensor.DimOp(new, b.dim(axis)))
            tied.append(here)
            _tie_symbol(b, d, here, old, axis)
        value = b.emit(dispatch.TieShapeOp(new, tied)) if tied else new
        b.values[old] = Tensor(b, value, shape, element_type(old))


def _tie_symbol(b: Lowering, d: SymDim, here: SSAValue, argument: SSAValue, axis: int) -> None:
    source = b.shapes.sources.get(str(d))
    first = source is not None and source.value is argument and source.index == axis
    if first:
        b.define_symbol(str(d), here)
        return
    s = ScalarBuilder(b.block)
    expected = b.dim(d)
    same = s.wrap(here, INDEX).equals(s.wrap(expected, INDEX))
    name = str(d).replace("{}", "{ }")
    b.require(same.value, "ITG5003", f"dimension {axis} of input {argument.name_hint} is {{}}, but must equal {name}, {{}}", here, expected)


def _argument_types(block: Block, shapes: Shapes, problems: list[IntaglioError]) -> list[TensorType | ListType]:
    """The arguments' types. Without them nothing can be lowered: one that has none ends it here, with the problems known."""
    types: list[TensorType | ListType] = []
    for argument in block.args:
        try:
            types.append(_storage_type(argument, shapes))
        except UnsupportedError as error:
            problems.append(error)
    if len(types) < len(block.args):
        raise_problems(problems)
    return types


def _storage_type(value: SSAValue, shapes: Shapes) -> TensorType | ListType:
    if not isinstance(value.type, TensorType):
        return LIST
    dims = [d if isinstance(d, int) else DYNAMIC_INDEX for d in shapes.of(value)]
    return TensorType(storage(element_type(value)), dims)
