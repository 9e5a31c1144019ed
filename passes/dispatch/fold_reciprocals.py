"""Divides once where a value is multiplied by the reciprocal of something that it makes itself: x (1 / (1 + e^-x)) is x / (1 + e^-x)."""

from __future__ import annotations

from typing_extensions import override
from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass


class FoldReciprocals(ModulePass):
    """Turns products by reciprocals into quotients in the bodies of generics and epilogues. The reciprocal of what the other factor has no
    part in stays: a loop may have it once for many elements."""

    name = "fold-reciprocals"

    @override
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for product in [o for o in op.walk() if isinstance(o, arith.MulfOp)]:
            for x, factor in ((product.lhs, product.rhs), (product.rhs, product.lhs)):
                if (division := _reciprocal(factor, product)) is not None and _reads(division, x):
                    _divide(product, x, division)
                    break


def _reciprocal(value: SSAValue, reader: Operation) -> arith.DivfOp | None:
    """The division that makes the value, if that is 1 / y for this reader alone."""
    division = value.owner
    if not isinstance(division, arith.DivfOp) or not value.has_one_use() or division.parent is not reader.parent:
        return None
    one = division.lhs.owner
    number = one.value if isinstance(one, arith.ConstantOp) else None
    return division if isinstance(number, FloatAttr) and number.value.data == 1.0 else None


def _reads(op: Operation, x: SSAValue) -> bool:
    """Whether an operation has to do with x, itself or by others of its block."""
    pending, seen = [op], {op}
    while pending:
        for value in pending.pop().operands:
            if value is x:
                return True
            owner = value.owner
            if isinstance(owner, Operation) and owner.parent is op.parent and owner not in seen:
                pending.append(owner)
                seen.add(owner)
    return False


def _divide(product: arith.MulfOp, x: SSAValue, division: arith.DivfOp) -> None:
    quotient = arith.DivfOp(x, division.rhs)
    block = product.parent
    assert block is not None
    block.insert_op_before(quotient, product)
    product.result.replace_all_uses_with(quotient.result)
    block.erase_op(product)
    block.erase_op(division)
