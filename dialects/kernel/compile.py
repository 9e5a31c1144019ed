"""From a kernel and the types of its arrays to a function at the loop level; passes/dispatch and the front door call `instantiate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, MemRefType, UnitAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from ..dispatch import kernel_attributes
from .errors import KernelError
from .expressions import is_constant
from .parse import MISSING, Kernel, Parameter, ParameterKind
from .scalars import linear_type
from .statements import Statements
from .types import INT, ScalarType, element_type
from .values import ArrayRef, Const, Scalar, Thing, Value

ArrayType = tuple[Attribute, int]
"""An array's element type, as dialects/onnx/types.py has it, and its rank."""


def instantiate(
    kernel: Kernel,
    name: str,
    arrays: Mapping[str, ArrayType | None],
    attrs: Mapping[str, Any] | None = None,
) -> func.FuncOp:
    """The kernel as a function `name` of the kernel ABI, for arrays of given types and given attributes.

    arrays: for each array parameter its element type (signedness included) and rank, or None where the operator leaves it out: it
    then is None in the kernel, and no argument of the function. attrs: values of the Attr parameters; those with a default may lack.
    The function takes a memref<?xT> for each array present (T signless, i1 a byte), then indices: the dimensions of each array in
    order, the Size parameters in order, `begin`, `end`. Without a parallel(..) it does its whole work where begin is 0 and none elsewhere.
    Raises KernelError: ITG6006 for wrong arguments, else as the kernel's source deserves.
    """
    return _Instance(kernel, arrays, attrs or {}).build(name)


class _Instance:
    """One instantiation."""

    def __init__(self, kernel: Kernel, arrays: Mapping[str, ArrayType | None], attrs: Mapping[str, Any]) -> None:
        self.kernel = kernel
        self.code = Statements(kernel.source)
        self.bound: dict[str, Thing] = {}
        _refuse_unknown(kernel, arrays, [p for p in kernel.parameters if p.kind.is_array], "array")
        _refuse_unknown(kernel, attrs, [p for p in kernel.parameters if p.kind is ParameterKind.ATTR], "attribute")
        self.arrays = [(p, *found) for p in kernel.parameters if p.kind.is_array and (found := _array(kernel, p, arrays)) is not None]
        self.bound = {p.name: Const(_attribute(kernel, p, attrs)) for p in kernel.parameters if p.kind is ParameterKind.ATTR}
        self.sizes = [p for p in kernel.parameters if p.kind is ParameterKind.SIZE]

    def build(self, name: str) -> func.FuncOp:
        code, entry = self.code, Block()
        pointers = [_argument(entry, linear_type(element), p.name) for p, element, _ in self.arrays]
        dims = [[_argument(entry, IndexType(), f"{p.name}_d{k}") for k in range(rank)] for p, _, rank in self.arrays]
        for parameter in self.kernel.parameters:
            if parameter.kind.is_array:
                self.bound[parameter.name] = Const(None)
        for (parameter, element, _), pointer, sizes in zip(self.arrays, pointers, dims, strict=True):
            self.bound[parameter.name] = self._view(parameter, element, pointer, sizes)
        for parameter in self.sizes:
            self.bound[parameter.name] = Value(_argument(entry, IndexType(), parameter.name), INT)
        begin, end = (_argument(entry, IndexType(), hint) for hint in ("begin", "end"))
        code.bounds = begin, end
        body: list[Operation] = []
        with code.region(body):
            code.function(self.kernel.source, {p.name: self.bound[p.name] for p in self.kernel.parameters})
        if not code.divided:
            with code.region(code.entry):
                first = code.emit(arith.CmpiOp(begin, code.index(0), "eq"))
            body = [scf.IfOp(first, [], Region(Block([*body, scf.YieldOp()])))]
        entry.add_ops([*code.entry, *body, func.ReturnOp()])
        function = func.FuncOp(name, ([argument.type for argument in entry.args], []), Region(entry))
        function.attributes.update(kernel_attributes())
        function.attributes["noalias"] = UnitAttr()
        return function

    def _view(self, parameter: Parameter, element: ScalarType, pointer: SSAValue, sizes: Sequence[SSAValue]) -> ArrayRef:
        """The array under its own dimensions, row-major."""
        code = self.code
        dims: tuple[Scalar, ...] = tuple(Value(size, INT) for size in sizes)
        strides = [s.value if isinstance(s, Const) else s.ssa for s in code.strides(dims, self.kernel.source.tree)]
        shape = MemRefType(element.storage, [DYNAMIC_INDEX] * len(sizes))
        view = memref.ReinterpretCastOp.from_dynamic(pointer, [0], sizes, strides, shape)
        with code.region(code.entry):
            code.emit(view)
        return ArrayRef(parameter.name, view.result, pointer, element, dims, parameter.kind.is_written)


def _argument(block: Block, type: Attribute, hint: str) -> SSAValue:
    argument = block.insert_arg(type, len(block.args))
    argument.name_hint = hint
    return argument


def _refuse_unknown(kernel: Kernel, given: Mapping[str, Any], known: Sequence[Parameter], what: str) -> None:
    names = [parameter.name for parameter in known]
    for name in given:
        if name not in names:
            raise _wrong(kernel, f"it has no {what} parameter {name}", f"It has {', '.join(names) or 'none'}.")


def _array(kernel: Kernel, parameter: Parameter, arrays: Mapping[str, ArrayType | None]) -> tuple[ScalarType, int] | None:
    given = arrays.get(parameter.name, parameter.default)
    if given is MISSING:
        raise _wrong(kernel, f"array {parameter.name} has no type", "Give (element type, rank), or None where it is left out.")
    if given is None:
        return None
    ir, rank = given
    element = element_type(ir)
    if element is None:
        raise _wrong(kernel, f"array {parameter.name} has elements of type {ir}", "Pass other elements as integers of their size.")
    if rank < 0:
        raise _wrong(kernel, f"array {parameter.name} has rank {rank}")
    return element, rank


def _attribute(kernel: Kernel, parameter: Parameter, attrs: Mapping[str, Any]) -> Any:
    value = attrs.get(parameter.name, parameter.default)
    if value is MISSING:
        raise _wrong(kernel, f"attribute {parameter.name} has no value")
    value = _plain(value)
    wanted = parameter.attr_type
    if wanted is float and type(value) is int:
        value = float(value)
    if not is_constant(value) or (wanted is not None and value is not None and type(value) is not wanted):
        said = f"a {wanted.__name__}" if wanted else "a bool, int, float, str, None or a tuple of them"
        raise _wrong(kernel, f"attribute {parameter.name} is {value!r}", f"It takes {said}.")
    return value


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple) else value


def _wrong(kernel: Kernel, message: str, hint: str = "") -> KernelError:
    return KernelError("ITG6006", message, kernel=kernel.name, file=kernel.source.file, hint=hint)
