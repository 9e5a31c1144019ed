"""An operator class as the importer reads it, and Python attribute values turned into the class's properties; `build` calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    BytesAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    TensorType,
    f32,
    i32,
    i64,
)
from xdsl.ir import Attribute
from xdsl.irdl import AnyOf, AttrConstraint, BaseAttr, EqAttrConstraint, OptRegionDef, ParamAttrConstraint, PropertyDef

from ...dialects.onnx.base import OnnxOp, WeightAttr
from ...dialects.onnx.types import BY_NUMPY
from ...proto.onnx_pb2 import TypeProto
from .graph import Graph, Node
from .types import ir_type

_INLINE = 16
"""Integer tensors of at most this many elements stand in the IR itself: they are shapes and axes, which rewrites want to see."""

SEGMENTS = ("operandSegmentSizes", "resultSegmentSizes", "regionSegmentSizes")


@dataclass(frozen=True)
class Signature:
    """What the importer needs of an operator class.

    operands, results: (name, constraint, optional, variadic) of each; attributes: the type of each; required: attributes
    and subgraphs that must be given; regions: subgraphs; counts_regions: whether the class has optional ones.
    """

    operands: list[tuple[str, Any, bool, bool]]
    results: list[tuple[str, Any, bool, bool]]
    attributes: dict[str, str]
    required: frozenset[str]
    regions: tuple[str, ...]
    counts_regions: bool

    @property
    def attribute_names(self) -> list[str]:
        return sorted((*self.attributes, *self.regions))


@cache
def signature(cls: type[OnnxOp]) -> Signature:
    definition = cls.get_irdl_definition()
    properties = {name: p for name, p in definition.properties.items() if name not in SEGMENTS}
    return Signature(
        cls.operand_defs(),
        cls.result_defs(),
        {name: _kind_of_constraint(p.constr) for name, p in properties.items()},
        frozenset(
            (
                *(name for name, p in properties.items() if type(p) is PropertyDef),
                *(name for name, d in definition.regions if not isinstance(d, OptRegionDef)),
            )
        ),
        tuple(name for name, _ in definition.regions),
        SEGMENTS[2] in definition.properties,
    )


def _kind_of_constraint(constraint: AttrConstraint) -> str:
    """The specification's name of the attribute type that the helpers of dialects/onnx/base.py declare with it."""
    if isinstance(constraint, BaseAttr):
        return {IntegerAttr: "INT", FloatAttr: "FLOAT", StringAttr: "STRING", ArrayAttr: "TENSORS"}[constraint.attr]
    if isinstance(constraint, ParamAttrConstraint):
        element = constraint.param_constrs[0]
        return "FLOATS" if isinstance(element, EqAttrConstraint) and element.attr == f32 else "INTS"
    if isinstance(constraint, AnyOf):
        return "TENSOR"
    return "STRINGS" if hasattr(constraint, "elem_range_constraint") else "TYPE_PROTO"


def kind_of_value(value: Any) -> str:
    """The attribute type of a decoded value; an empty list fits every list type."""
    if isinstance(value, tuple):
        if not value:
            return "an empty list"
        return kind_of_value(value[0]) + "S"
    for python, kind in _KINDS:
        if isinstance(value, python):
            return kind
    raise TypeError(f"{type(value).__name__} is no attribute value")


_KINDS: tuple[tuple[type, str], ...] = (
    (int, "INT"),
    (float, "FLOAT"),
    (str, "STRING"),
    (np.ndarray, "TENSOR"),
    (Graph, "GRAPH"),
    (TypeProto, "TYPE_PROTO"),
)


def check_attributes(node: Node, sig: Signature) -> None:
    """Raises ImportProblem for the first attribute that the operator does not have, has with another type, or lacks."""
    for name, value in node.attributes.items():
        given = kind_of_value(value)
        if name in sig.regions:
            wanted = "GRAPH"
        elif name in sig.attributes:
            wanted = sig.attributes[name]
        else:
            known = ", ".join(sig.attribute_names) or "none"
            raise node.problem("ITG1101", f"there is no attribute {name}", f"its attributes: {known}")
        if given != wanted and not (given == "an empty list" and wanted.endswith("S")):
            shown = "" if given in ("GRAPH", "TENSOR", "TENSORS", "TYPE_PROTO") else f" ({str(value)[:60]})"
            raise node.problem("ITG1102", f"attribute {name} must be of type {wanted}, but is {given}{shown}")
    for name in sorted(sig.required):
        if name not in node.attributes:
            raise node.problem("ITG1103", f"attribute {name} is required and missing")


def properties(node: Node, sig: Signature, store: Callable[[str, np.ndarray], str]) -> dict[str, Attribute]:
    """The node's attributes as properties; `store` keeps an array under a name like the hint and returns its id."""
    found: dict[str, Attribute] = {}
    for name, value in node.attributes.items():
        if name not in sig.regions:
            found[name] = _TO_IR[sig.attributes[name]](value, lambda array, n=name: store(f"{node.label}.{n}", array))
    return found


def tensor_attribute(array: np.ndarray, store: Callable[[np.ndarray], str]) -> Attribute:
    """A tensor attribute: inline where it is small and of integers, else the id under which `store` keeps it."""
    if array.size <= _INLINE and array.dtype in (np.int64, np.int32):
        element = BY_NUMPY[array.dtype].ir
        # An empty list of elements would be taken for a splat of nothing.
        if array.size:
            integers = cast(TensorType[IntegerType], TensorType(element, array.shape))
            return DenseIntOrFPElementsAttr.from_list(integers, array.ravel().tolist())
    return WeightAttr(StringAttr(store(array)))


@cache
def int_property(value: int) -> IntegerAttr:
    return IntegerAttr(value, i64)


_string = lru_cache(maxsize=1024)(StringAttr)
"""The modes of a forest's nodes are the same few words a million times."""


@cache
def segment_sizes(sizes: tuple[int, ...]) -> DenseArrayBase:
    return DenseArrayBase.from_list(i32, sizes)


_TO_IR: Mapping[str, Callable[[Any, Callable[[np.ndarray], str]], Attribute]] = {
    "INT": lambda v, _: int_property(v),
    "FLOAT": lambda v, _: FloatAttr(v, f32),
    "STRING": lambda v, _: StringAttr(v),
    # Not from_list, which takes a microsecond an element: the lists of a forest have millions.
    "INTS": lambda v, _: DenseArrayBase(i64, BytesAttr(np.array(v, "<i8").tobytes())),
    "FLOATS": lambda v, _: DenseArrayBase(f32, BytesAttr(np.array(v, "<f4").tobytes())),
    "STRINGS": lambda v, _: ArrayAttr([_string(s) for s in v]),
    "TENSOR": tensor_attribute,
    "TENSORS": lambda v, store: ArrayAttr([tensor_attribute(a, store) for a in v]),
    "TYPE_PROTO": lambda v, _: ir_type(v),
}
