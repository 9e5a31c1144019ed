"""Operators that a kernel computes: one operation class each, made from the kernel's parameters and the author's shape rule.

`definition` makes the classes; the importer builds them like any operator, and passes/onnx_to_linalg/custom.py lowers them all.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import operand_def, opt_operand_def, opt_result_def, result_def

from ...errors import IntaglioError
from ..kernel.parse import MISSING, Kernel, Parameter, ParameterKind
from ..onnx.base import OnnxOp, Typed, element_name, float_attr, floats_attr, int_attr, ints_attr, str_attr, strs_attr
from ..onnx.base import operator as define
from ..onnx.checks import show
from ..onnx.dims import Dim, Shape, SymDim
from ..onnx.shapes import Shapes
from ..onnx.types import BY_NAME, ELEMENT_TYPES

if TYPE_CHECKING:
    from .definition import Attribute as AttributeDeclaration
    from .definition import Input


@dataclass(frozen=True)
class TensorSpec:
    """The shape and element type ("float", "int64", ..) of a result, as a shape rule gives it."""

    shape: Shape
    type: str


class Operand:
    """An input as a shape rule sees it.

    shape: its dimensions, an int where a size is known and else an expression that can be calculated with (`+ - * // %`);
    type: its element type, such as "float".
    """

    def __init__(self, op: KernelOp, shapes: Shapes, name: str, value: SSAValue) -> None:
        self._op, self._shapes, self._name, self._value = op, shapes, name, value
        self.shape: Shape = shapes.of(value)
        self.type: str = element_name(value)

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def constant(self) -> np.ndarray | None:
        """The elements, where the model holds them."""
        return self._shapes.constant(self._value)

    def elements(self) -> tuple[Dim, ...]:
        """The elements of a short list of integers, as sizes: known ones, or expressions that the run reads."""
        return self._shapes.elements(self._value)

    def expect(self, *dims: Dim | None) -> Operand:
        """Itself, with the given number of dimensions and each as given (None for any). What is only known in a run is checked there.

        Raises ShapeError: ITG2140 for another rank, ITG2104 for another size.
        """
        if len(dims) != len(self.shape):
            raise self._op.fail("ITG2140", f"{self._name} must have rank {len(dims)}, but has rank {self.rank} ({show(self.shape)})")
        for axis, (found, wanted) in enumerate(zip(self.shape, dims, strict=True)):
            if wanted is not None:
                self._shapes.require_equal(self._op, found, wanted, f"dimension {axis} of {self._name} and what goes with it")
        return self


class KernelOp(OnnxOp):
    """Base of the operators that kernels compute. Its subclasses are made, one for each declaration."""

    DOMAIN: ClassVar[str] = ""
    OP_TYPE: ClassVar[str] = ""
    KERNEL: ClassVar[Kernel]
    RULE: ClassVar[Callable[..., Any]]
    INPUTS: ClassVar[tuple[str, ...]] = ()
    RESULTS: ClassVar[tuple[str, ...]] = ()
    OUTS: ClassVar[tuple[str, ...]] = ()

    @property
    @override
    def op_type(self) -> str:
        return self.OP_TYPE

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        specs = self.specs(shapes)
        return [specs[name].shape for name in self.RESULTS]

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        specs = self.specs(shapes)
        return [BY_NAME[specs[name].type].ir for name in self.RESULTS]

    def constants(self) -> dict[str, Any]:
        """The kernel's constants: the node's attributes, else their defaults."""
        return {p.name: self._constant(p) for p in self.KERNEL.parameters if p.kind is ParameterKind.ATTR}

    def specs(self, shapes: Shapes) -> dict[str, TensorSpec]:
        """What the rule says of each array that the kernel writes. Raises IntaglioError: ITG1404 if it fails, ITG1405 for nonsense."""
        operands: list[Operand | None] = []
        for name in self.INPUTS:
            value = getattr(self, name)
            operands.append(None if value is None else Operand(self, shapes, name, value))
        try:
            found = self.RULE(*operands, **self._named())
        except IntaglioError:
            raise
        except Exception as error:
            raise self._rule_fault("ITG1404", f"the shape rule failed: {type(error).__name__}: {error}") from error
        first = next((o.type for o in operands if o is not None), "float")
        parts = [found] if len(self.OUTS) == 1 and (isinstance(found, TensorSpec) or _is_shape(found)) else found
        if not isinstance(parts, list | tuple) or len(parts) != len(self.OUTS):
            raise self._rule_fault("ITG1405", f"the shape rule gives {found!r}, expected a shape for each of {', '.join(self.OUTS)}")
        return {name: self._spec(name, part, first) for name, part in zip(self.OUTS, parts, strict=True)}

    def _constant(self, parameter: Parameter) -> Any:
        found = self.attr(parameter.name)
        if found is None:
            return parameter.default
        return bool(found) if parameter.attr_type is bool else found

    def _named(self) -> dict[str, Any]:
        """The attributes that the rule has parameters for."""
        parameters = inspect.signature(type(self).RULE).parameters
        constants = self.constants()
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return constants
        return {name: value for name, value in constants.items() if name in parameters}

    def _spec(self, name: str, part: Any, first: str) -> TensorSpec:
        spec = part if isinstance(part, TensorSpec) else TensorSpec(part, first)
        if not _is_shape(spec.shape) or spec.type not in BY_NAME:
            raise self._rule_fault("ITG1405", f"the shape rule gives {part!r} for {name}, which is no shape and element type")
        return TensorSpec(tuple(spec.shape), spec.type)

    def _rule_fault(self, code: str, message: str) -> IntaglioError:
        return IntaglioError(code, message, subject=f"{self.DOMAIN}::{self.OP_TYPE}", node=self.node)


def make_class(
    domain: str,
    name: str,
    since: int,
    kernel: Kernel,
    rule: Callable[..., Any],
    inputs: Sequence[Input],
    results: Sequence[str],
    attributes: Mapping[str, AttributeDeclaration],
) -> type[KernelOp]:
    """The operation class of one declaration."""
    fields: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": kernel.__doc__,
        "name": f"onnx_custom.{re.sub(r'[^A-Za-z0-9_.]', '_', domain)}.{name}",
    }
    for i in inputs:
        fields[i.name] = opt_operand_def(i.constraint) if i.optional else operand_def(i.constraint)
    anything = Typed("", frozenset(e.ir for e in ELEMENT_TYPES))
    for index, result in enumerate(results):
        fields[result] = opt_result_def(anything) if index else result_def(anything)
    for attribute, said in attributes.items():
        # A default is the kernel's own; what the node leaves out stays out of the IR.
        fields[attribute] = _PROPERTIES[said.kind](required=said.default is MISSING)
    made = define(since=since)(type(name, (KernelOp,), fields))
    made.DOMAIN, made.OP_TYPE, made.KERNEL, made.RULE = domain, name, kernel, staticmethod(rule)
    made.INPUTS, made.RESULTS = tuple(i.name for i in inputs), tuple(results)
    made.OUTS = tuple(p.name for p in kernel.parameters if p.kind.is_written)
    return made


RESERVED = frozenset(name for name in dir(OnnxOp) if not name.startswith("_")) | {"name"}
"""Names that parameters of an operator's kernel cannot have: every operation has them."""

_PROPERTIES: dict[str, Callable[..., Any]] = {
    "INT": int_attr,
    "FLOAT": float_attr,
    "STRING": str_attr,
    "INTS": ints_attr,
    "FLOATS": floats_attr,
    "STRINGS": strs_attr,
}


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(d, int | np.integer | SymDim) for d in value)
