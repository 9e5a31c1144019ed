"""What every operator class shares: type constraints by variable, attribute helpers, and the contract for shape inference.

An operator family module writes one class per operator on `OnnxOp` and decorates it with `@operator(since=VERSION)`. Operands and
results are declared in the order of the specification with `tensor(VAR, TYPES)` constraints, attributes with `int_attr` and the
like, subgraphs with `region_def()` under the attribute's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from typing_extensions import override
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    NoneAttr,
    StringAttr,
    TensorType,
    UnrankedTensorType,
    f32,
    i64,
)
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue
from xdsl.irdl import (
    AnyOf,
    AttrConstraint,
    AttrSizedOperandSegments,
    AttrSizedResultSegments,
    BaseAttr,
    IRDLOperation,
    OptOperandDef,
    OptResultDef,
    ParsePropInAttrDict,
    VarOperandDef,
    VarResultDef,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    param_def,
    prop_def,
)
from xdsl.irdl import VerificationContext as _Context
from xdsl.utils.exceptions import VerifyException

from ...errors import ShapeError
from ..locations import nodes_of
from .types import BY_IR, MapType, OptionalType, SequenceType

if TYPE_CHECKING:
    from .dims import Shape
    from .shapes import Shapes

DYNAMIC = DYNAMIC_INDEX
"""How a tensor type spells a dimension that only the run knows."""


@irdl_attr_definition
class WeightAttr(ParametrizedAttribute):
    """Names an array of the module's weight store; weights never stand in the IR themselves."""

    name = "onnx.weight"
    id: StringAttr = param_def()


@dataclass(frozen=True)
class Typed(AttrConstraint):
    """Constrains a value's type: its container kind and its element type, which all values of one variable share.

    var: the specification's type variable, "" for a fixed type; elements: element types allowed; containers: "tensor",
    "sequence" (of tensors), "optional", "optional_sequence", "map_sequence"; narrower: containers that allow fewer elements.
    """

    var: str
    elements: frozenset[Attribute]
    containers: tuple[str, ...] = ("tensor",)
    narrower: tuple[tuple[str, frozenset[Attribute]], ...] = ()

    def allowed(self, container: str) -> frozenset[Attribute]:
        """The element types that one of the container kinds may hold."""
        return dict(self.narrower).get(container, self.elements)

    @override
    def verify(self, attr: Attribute, constraint_context: _Context) -> None:
        kind, element = container_of(attr)
        if kind not in self.containers:
            raise VerifyException(f"{attr} is a {kind}, expected one of: {', '.join(self.containers)}")
        if element not in self.allowed(kind):
            raise VerifyException(f"element type {element} of {attr} is not allowed for {self.var or 'this value'}")
        if self.var:
            constraint_context.set_attr_variable(self.var, element)

    @override
    def mapping_type_vars(self, type_var_mapping: Any) -> AttrConstraint:
        return self


def container_of(attr: Attribute) -> tuple[str, Attribute]:
    """("tensor", element type), ("sequence", ...) and so on; a bare element type counts as a "scalar"."""
    if isinstance(attr, TensorType | UnrankedTensorType):
        return "tensor", attr.element_type
    if isinstance(attr, SequenceType):
        kind, element = container_of(attr.element)
        return ("sequence" if kind == "tensor" else f"{kind}_sequence"), element
    if isinstance(attr, OptionalType):
        kind, element = container_of(attr.element)
        return ("optional" if kind == "tensor" else f"optional_{kind}"), element
    if isinstance(attr, MapType):
        return "map", container_of(attr.value)[1]
    return "scalar", attr


def tensor(var: str, elements: Sequence[Attribute]) -> Any:
    """A tensor whose element type is one of `elements` and the same for every value of `var`."""
    return Typed(var, frozenset(elements))


def value(var: str, elements: Sequence[Attribute], *containers: str) -> Any:
    """A value of one of the container kinds; see `Typed`."""
    return Typed(var, frozenset(elements), containers)


# -- attributes --------------------------------------------------------------------------------------------------------------


# Each kind of attribute has a constraint of its own: the importer tells them apart by it.
_INTS = DenseArrayBase.constr(i64)
_FLOATS = DenseArrayBase.constr(f32)
_TENSOR = AnyOf((BaseAttr(WeightAttr), BaseAttr(DenseIntOrFPElementsAttr)))


def int_attr(default: int | None = None, *, required: bool = False) -> Any:
    """A 64-bit integer attribute."""
    if required:
        return prop_def(IntegerAttr)
    return opt_prop_def(IntegerAttr, None if default is None else IntegerAttr(default, i64))


def float_attr(default: float | None = None, *, required: bool = False) -> Any:
    """A float32 attribute."""
    if required:
        return prop_def(FloatAttr)
    return opt_prop_def(FloatAttr, None if default is None else FloatAttr(default, f32))


def str_attr(default: str | None = None, *, required: bool = False) -> Any:
    if required:
        return prop_def(StringAttr)
    return opt_prop_def(StringAttr, None if default is None else StringAttr(default))


def ints_attr(default: Sequence[int] | None = None, *, required: bool = False) -> Any:
    """A list of 64-bit integers, as `array<i64: ...>`."""
    if required:
        return prop_def(_INTS)
    return opt_prop_def(_INTS, None if default is None else DenseArrayBase.from_list(i64, list(default)))


def floats_attr(*, required: bool = False) -> Any:
    """A list of float32, as `array<f32: ...>`."""
    return prop_def(_FLOATS) if required else opt_prop_def(_FLOATS)


def strs_attr(default: Sequence[str] | None = None, *, required: bool = False) -> Any:
    if required:
        return prop_def(ArrayAttr[StringAttr])
    return opt_prop_def(ArrayAttr[StringAttr], None if default is None else ArrayAttr([StringAttr(s) for s in default]))


def tensor_attr(*, required: bool = False) -> Any:
    """A tensor attribute: a weight-store id, or small dense elements inline."""
    return prop_def(_TENSOR) if required else opt_prop_def(_TENSOR)


def tensors_attr(*, required: bool = False) -> Any:
    """A list of tensor attributes."""
    return prop_def(ArrayAttr) if required else opt_prop_def(ArrayAttr)


def type_attr() -> Any:
    """A type attribute (TypeProto)."""
    return opt_prop_def(Attribute)


def to_python(attribute: Attribute | None) -> Any:
    """The Python value of a scalar, string or list attribute; None stays None."""
    if attribute is None or isinstance(attribute, NoneAttr):
        return None
    if isinstance(attribute, IntegerAttr | FloatAttr):
        return attribute.value.data
    if isinstance(attribute, StringAttr):
        return attribute.data
    if isinstance(attribute, DenseArrayBase):
        return tuple(attribute.get_values())
    if isinstance(attribute, ArrayAttr):
        return tuple(to_python(a) for a in attribute.data)
    return attribute


# -- operators ---------------------------------------------------------------------------------------------------------------

_T = TypeVar("_T")
_Op = TypeVar("_Op", bound="OnnxOp")


def operator(*, since: int) -> Callable[[type[_Op]], type[_Op]]:
    """Class decorator of every operator: defines it to xDSL; `since` is the operator-set version it speaks (its newest)."""

    def define(cls: type[_Op]) -> type[_Op]:
        defined = irdl_op_definition(cls)
        defined.SINCE = since
        return defined

    return define


class OnnxOp(IRDLOperation):
    """Base of every operator of every ONNX domain.

    Subclasses override `infer_shapes`, and
    `infer_elements` where a result's element type follows from an attribute instead of a type variable.
    """

    SINCE: ClassVar[int] = 1
    irdl_options = (
        AttrSizedOperandSegments(as_property=True),
        AttrSizedResultSegments(as_property=True),
        ParsePropInAttrDict(),
    )

    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        """Result shapes from operand shapes, on symbolic dimensions; pure.

        One entry per declared output in order (entries of absent optional outputs are dropped by the caller, trailing ones may
        be left away); a variadic output contributes one entry per result. None for what is not a tensor.
        Raises `ShapeError` where the operands contradict each other.
        """
        raise ShapeError("ITG2100", "shape inference is not implemented for this operator yet", subject=self.op_type, node=self.node)

    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        """Symbolic contents of small integer results (numpy object arrays of Dims), same layout as `infer_shapes`; None: unknown."""
        return ()

    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        """Result element types (or whole types for non-tensors) that type variables do not determine; None: take the variable's."""
        return ()

    @property
    def op_type(self) -> str:
        """The operator's ONNX name, without the dialect."""
        return self.name.split(".", 1)[1]

    @property
    def node(self) -> str | None:
        """The model's node name, carried as location; of a node that took others in, its own."""
        return next(iter(nodes_of(self.location)), None)

    def fail(self, code: str, message: str, hint: str = "") -> ShapeError:
        """A ShapeError that names this node; the caller raises it."""
        return ShapeError(code, message, subject=self.op_type, node=self.node, hint=hint)

    def attr(self, name: str) -> Any:
        """The attribute as a Python value (int, float, str, tuple), its default if absent, None if it has none."""
        return to_python(getattr(self, name))

    def require(self, found: _T | None, what: str) -> _T:
        """`found`, or a ShapeError saying that `what` must be known at compile time."""
        if found is None:
            raise self.fail("ITG2101", f"{what} must be known at compile time", "make it an initialiser or a constant")
        return found

    # -- reading the definition generically: the importer, the exporter, docs and the schema test use these

    @classmethod
    def operand_defs(cls) -> list[tuple[str, Any, bool, bool]]:
        """(name, constraint, optional, variadic) per declared input."""
        return [
            (n, _base_constraint(d.constr), isinstance(d, OptOperandDef), isinstance(d, VarOperandDef) and not isinstance(d, OptOperandDef))
            for n, d in cls.get_irdl_definition().operands
        ]

    @classmethod
    def result_defs(cls) -> list[tuple[str, Any, bool, bool]]:
        """(name, constraint, optional, variadic) per declared output."""
        return [
            (n, _base_constraint(d.constr), isinstance(d, OptResultDef), isinstance(d, VarResultDef) and not isinstance(d, OptResultDef))
            for n, d in cls.get_irdl_definition().results
        ]


def _base_constraint(constraint: Any) -> Any:
    """The `Typed` inside the range constraints that optional and variadic definitions wrap around it."""
    while not isinstance(constraint, Typed):
        constraint = constraint.constraint if hasattr(constraint, "constraint") else constraint.constr
    return constraint


def element_of(v: SSAValue) -> Attribute:
    """The element type of a tensor value."""
    return cast(TensorType, v.type).element_type


def element_name(v: SSAValue) -> str:
    """The ONNX name of a tensor value's element type, for messages."""
    element = element_of(v)
    return BY_IR[element].name if element in BY_IR else str(element)
