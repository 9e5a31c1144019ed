"""Vectors in xDSL's arith dialect as in MLIR's: comparisons, selects, and constants of bits; dialects/__init__ calls it once.

xDSL 0.74 declares the result of arith.cmpi and arith.cmpf and the condition of arith.select as a plain i1, whatever the operands: valid
vector code failed verification, and its text did not parse back. It also prints floats such as inf in dense constants as their bits,
and reads those as a number. Both are mended here, scalars staying as they were, until xDSL does the same.
"""

from __future__ import annotations

from typing import Any

from xdsl.dialects.arith import CmpfOp, CmpiOp, SelectOp
from xdsl.dialects.builtin import AnyFloat, VectorType, container_of, i1
from xdsl.ir import Attribute
from xdsl.irdl import operand_def, result_def
from xdsl.parser import AttrParser, Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

_number_to_type = AttrParser._TensorLiteralElement.to_type


def mask_of(type: Attribute) -> Attribute:
    """The type of a comparison of values of `type`: i1, or as many of them as a vector has elements."""
    return VectorType(i1, type.shape, type.scalable_dims) if isinstance(type, VectorType) else i1


def accept_vectors() -> None:
    """Widens the three operations, and the parser of dense constants. Called again, changes nothing."""
    for comparison in (CmpiOp, CmpfOp):
        _declare(comparison.get_irdl_definition().results, "result", result_def(container_of(i1)))
        _set(comparison, verify_=_verify_comparison)
    _set(CmpiOp, parse=_parser_of(CmpiOp))
    _set(CmpfOp, parse=_parser_of(CmpfOp))
    _declare(SelectOp.get_irdl_definition().operands, "cond", operand_def(container_of(i1)))
    _set(SelectOp, verify_=_verify_select, parse=classmethod(_parse_select), print=_print_select)
    _set(AttrParser._TensorLiteralElement, to_type=_element_to_type)


def _declare(fields: Any, name: str, declared: object) -> None:
    """Replaces one field's declaration: a ResultDef or OperandDef, which `result_def` and `operand_def` give under another type."""
    fields[[known for known, _ in fields].index(name)] = (name, declared)


def _set(cls: type, **methods: object) -> None:
    for name, method in methods.items():
        setattr(cls, name, method)


def _parser_of(comparison: type[CmpiOp] | type[CmpfOp]) -> classmethod:
    upstream = getattr(comparison.parse, "upstream", comparison.parse)

    def parse(cls: type[CmpiOp] | type[CmpfOp], parser: Parser) -> CmpiOp | CmpfOp:
        scalar = upstream(parser)
        operands, properties = list(scalar.operands), scalar.properties
        scalar.drop_all_references()
        return cls.create(operands=operands, result_types=[mask_of(operands[0].type)], properties=properties)

    parse.upstream = upstream  # type: ignore[attr-defined]
    return classmethod(parse)


def _verify_comparison(op: CmpiOp | CmpfOp) -> None:
    if op.lhs.type != op.rhs.type:
        raise VerifyException(f"{op.lhs.type} and {op.rhs.type} cannot be compared")
    if op.result.type != mask_of(op.lhs.type):
        raise VerifyException(f"a comparison of {op.lhs.type} gives {mask_of(op.lhs.type)}, not {op.result.type}")


def _verify_select(op: SelectOp) -> None:
    if op.cond.type not in (i1, mask_of(op.result.type)):
        raise VerifyException(f"a condition of type {op.cond.type} cannot choose between values of {op.result.type}")


def _parse_select(cls: type[SelectOp], parser: Parser) -> SelectOp:
    """%c, %a, %b {attributes} : type, or : condition type, type."""
    names: list[UnresolvedOperand] = [parser.parse_unresolved_operand()]
    for _ in range(2):
        parser.parse_punctuation(",")
        names.append(parser.parse_unresolved_operand())
    attributes = parser.parse_optional_attr_dict()
    parser.parse_punctuation(":")
    condition, value = i1, parser.parse_type()
    if parser.parse_optional_punctuation(","):
        condition, value = value, parser.parse_type()
    operands = parser.resolve_operands(names, [condition, value, value], parser.pos)
    op = cls(*operands)
    op.attributes.update(attributes)
    return op


def _print_select(op: SelectOp, printer: Printer) -> None:
    printer.print_string(" ")
    printer.print_list(op.operands, printer.print_operand)
    printer.print_op_attributes(op.attributes)
    printer.print_string(" : ")
    if op.cond.type != i1:
        printer.print_attribute(op.cond.type)
        printer.print_string(", ")
    printer.print_attribute(op.result.type)


def _element_to_type(element: AttrParser._TensorLiteralElement, parser: AttrParser, type: Any) -> object:
    """The value of one element of a dense constant; a hexadecimal one of a float type is its bits."""
    if not isinstance(type, AnyFloat) or element.span.text[:2] not in ("0x", "0X"):
        return _number_to_type(element, parser, type)
    assert isinstance(element.value, int)
    return type.unpack(element.value.to_bytes(type.compile_time_size, "little"), 1)[0]
