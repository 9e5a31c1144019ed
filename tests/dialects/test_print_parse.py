"""An example of every operator verifies, prints, and parses back equal: once with everything optional, once without."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from intaglio.dialects.onnx.base import DYNAMIC, OnnxOp, Typed, WeightAttr
from intaglio.dialects.onnx.containers import type_of
from intaglio.dialects.onnx.control import YieldOp
from intaglio.dialects.onnx.ml.features import MapTyped
from intaglio.dialects.onnx.registry import ONNX, ONNX_MICROSOFT, ONNX_ML, ONNX_PREVIEW, ONNX_TRAINING, OPERATORS
from intaglio.dialects.onnx.types import ELEMENT_TYPES, MapType, OptionalType, SequenceType
from xdsl.context import Context
from xdsl.dialects.builtin import (
    ArrayAttr,
    Builtin,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    f32,
    i64,
)
from xdsl.dialects.test import Test, TestOp
from xdsl.ir import Attribute, Block, Region
from xdsl.irdl import OptPropertyDef
from xdsl.parser import Parser
from xdsl.printer import Printer

SAMPLES: dict[str, Attribute] = {
    "value_int": IntegerAttr(1, i64),
    "value_float": FloatAttr(0.5, f32),
    "value_string": StringAttr('a "quoted"\n text'),
    "value_ints": DenseArrayBase.from_list(i64, [1]),
    "value_floats": DenseArrayBase.from_list(f32, [0.5, -1.0]),
    "value_strings": ArrayAttr([StringAttr("x"), StringAttr("")]),
    "value": DenseIntOrFPElementsAttr.from_list(TensorType(f32, [2]), [1.0, 2.0]),
}
"""A value of each kind of attribute, by the attribute of Constant that has this kind."""


@pytest.mark.parametrize("full", [True, False], ids=["full", "minimal"])
@pytest.mark.parametrize("key", sorted(OPERATORS), ids=lambda key: ".".join(filter(None, key)))
def test_example(key: tuple[str, str], full: bool) -> None:
    module = ModuleOp(example(OPERATORS[key], full))
    module.verify()
    text = StringIO()
    Printer(text).print_op(module)
    parsed = Parser(context(), text.getvalue()).parse_module()
    parsed.verify()
    assert module.is_structurally_equivalent(parsed)
    assert OPERATORS[key] in {type(op) for op in parsed.walk()}


@pytest.mark.parametrize(
    "attribute",
    [
        WeightAttr(StringAttr("w/0")),
        OptionalType(SequenceType(TensorType(f32, [2, DYNAMIC]))),
        SequenceType(MapType(i64, f32)),
        *(type_of("sequence", e.ir, "empty") for e in ELEMENT_TYPES),
        *(TensorType(e.ir, [3]) for e in ELEMENT_TYPES),
    ],
    ids=str,
)
def test_attribute(attribute: Attribute) -> None:
    assert Parser(context(), str(attribute)).parse_attribute() == attribute


def context() -> Context:
    ctx = Context()
    for dialect in (Builtin, Test, ONNX, ONNX_ML, ONNX_TRAINING, ONNX_PREVIEW, ONNX_MICROSOFT):
        ctx.load_dialect(dialect)
    return ctx


def example(cls: type[OnnxOp], full: bool) -> list[Any]:
    """The operation, after the operations that make its operands."""
    chosen = variables(cls)
    operands = [[sample_type(c, chosen) for _ in range(count(o, v, full))] for _, c, o, v in cls.operand_defs()]
    operands += [[]] * (len(cls.get_irdl_definition().operands) - len(operands))  # what the importer adds
    results = [[sample_type(c, chosen) for _ in range(count(o, v, full))] for _, c, o, v in cls.result_defs()]
    source = TestOp(result_types=[t for group in operands for t in group])
    values = iter(source.results)
    regions = cls.get_irdl_definition().regions
    empty: list[Any] = (
        [[Region()] if full else [] for _ in regions] if "regionSegmentSizes" in properties(cls) else [Region() for _ in regions]
    )
    op = cls.build(
        operands=[[next(values) for _ in group] for group in operands],
        result_types=results,
        properties={name: value for name, (required, value) in properties(cls).items() if value is not None and (required or full)},
        regions=empty,
    )
    fill_regions(op)
    return [source, op]


def count(optional: bool, variadic: bool, full: bool) -> int:
    """Two for a variadic operand, so that Scan has a state and a scan input."""
    return 2 if variadic else int(full or not optional)


def variables(cls: type[OnnxOp]) -> dict[str, Attribute]:
    """An element type for each type variable."""
    allowed: dict[str, set[Attribute]] = {}
    for _, constraint, _, _ in (*cls.operand_defs(), *cls.result_defs()):
        allowed.setdefault(constraint.var, set(constraint.elements)).intersection_update(constraint.elements)
    return {var: pick(elements) for var, elements in allowed.items() if var}


def pick(elements: Any) -> Attribute:
    """float32 if allowed, else the first in the table: operators whose variables must agree then do."""
    return next(e.ir for e in ELEMENT_TYPES if e.ir in elements)


def sample_type(constraint: Typed, chosen: dict[str, Attribute]) -> Attribute:
    kind, element = constraint.containers[0], chosen.get(constraint.var) or pick(constraint.elements)
    if isinstance(constraint, MapTyped):
        found = MapType(next(k for k, v in sorted(constraint.pairs, key=str) if v == element), element)
        return SequenceType(found) if kind == "map_sequence" else found
    return type_of(kind, element, (2, None))


def properties(cls: type[OnnxOp]) -> dict[str, tuple[bool, Attribute | None]]:
    """Name -> (required, a value of its kind)."""
    found: dict[str, tuple[bool, Attribute | None]] = {}
    for name, p in cls.get_irdl_definition().properties.items():
        value = None if name.endswith("SegmentSizes") else sample_attribute(p.constr)
        found[name] = (not isinstance(p, OptPropertyDef), value)
    return found


def sample_attribute(constraint: Any) -> Attribute:
    kinds = OPERATORS["", "Constant"].get_irdl_definition().properties
    samples = {repr(kinds[name].constr): value for name, value in SAMPLES.items()}
    return samples.get(repr(constraint), TensorType(f32, [2]))


def fill_regions(op: OnnxOp) -> None:
    """Gives each subgraph its arguments and results."""
    for name, arguments, results in op.expected() if op.regions else ():  # pyright: ignore[reportAttributeAccessIssue]
        block = Block(arg_types=[TensorType(f32, [])] * arguments)
        inner = TestOp(result_types=[TensorType(f32, [])] * results)
        block.add_ops([inner, YieldOp(operands=[inner.results])])
        getattr(op, name).add_block(block)
