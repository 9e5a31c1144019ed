"""Recognises GELU as exporters spell it out, x (1 + erf(x / sqrt 2)) / 2 in any order, and makes it one operator."""

from __future__ import annotations

from math import isclose, sqrt

from typing_extensions import override
from xdsl.dialects.builtin import f32
from xdsl.ir import Block, Operation, SSAValue

from ...dialects import locations
from ...dialects.onnx.activation import GeluOp
from ...dialects.onnx.elementwise import AddOp, DivOp, ErfOp, MulOp
from ...dialects.onnx.shapes import Shapes
from .analysis import OnnxPass
from .scaling import scaled
from .weights import Weights

SAME = 1e-6
"""How far factors may be from those of the formula, relatively: a few units in the last place of float32, in which they are written."""


class FuseGelu(OnnxPass):
    """Fuses the operators around an error function."""

    name = "fuse-gelu"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return fuse_gelu(block, shapes)


def fuse_gelu(block: Block, shapes: Shapes) -> bool:
    """Rewrites a block; whether anything changed."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, ErfOp) and op.y.type.element_type == f32:  # type: ignore[union-attr]
            changed |= _fuse(op, block, shapes)
    return changed


def _fuse(erf: ErfOp, block: Block, shapes: Shapes) -> bool:
    x, factor = scaled(erf.x, shapes)
    one_more = _only_user(erf.y)
    if not isinstance(one_more, AddOp) or not isclose(factor, sqrt(0.5), rel_tol=SAME):
        return False
    one = shapes.constant(one_more.b if one_more.a is erf.y else one_more.a)
    if one is None or one.size != 1 or one.item() != 1:
        return False
    above = _product(one_more, x, shapes)
    if above is None or shapes.of(above[-1].results[0]) != shapes.of(x):
        return False
    last = above[-1]
    new = GeluOp.build(operands=[x], result_types=[last.results[0].type])
    gone = [*reversed(above), one_more, erf]
    new.location = locations.fused(*(op.location for op in gone))
    block.insert_op_before(new, last)
    shapes.infer_op(new)
    new.y.name_hint = last.results[0].name_hint
    last.results[0].replace_all_uses_with(new.y)
    for op in gone:
        op.detach()
        op.erase()
    return True


def _product(one_more: AddOp, x: SSAValue, shapes: Shapes) -> list[MulOp | DivOp] | None:
    """The products that make x (1 + erf) / 2 of 1 + erf, the last one last; None if that is not what becomes of it."""
    made: list[MulOp | DivOp] = []
    value, factor, with_x = one_more.results[0], 1.0, False
    while not with_x or not isclose(factor, 0.5, rel_tol=SAME):
        user = _only_user(value)
        if not isinstance(user, MulOp | DivOp) or (other := _other(user, value)) is None:
            return None
        base, number = (x, 1.0) if other is x else scaled(other, shapes)
        constant = shapes.constant(other)
        if constant is not None and constant.size == 1:
            factor = factor * constant.item() if isinstance(user, MulOp) else factor / (constant.item() or 1.0)
        elif base is x and not with_x and isinstance(user, MulOp):
            factor, with_x = factor * number, True
        else:
            return None
        made.append(user)
        value = user.results[0]
    return made


def _other(user: MulOp | DivOp, value: SSAValue) -> SSAValue | None:
    """What a value is multiplied with or divided by."""
    if user.a is value:
        return user.b
    return user.a if isinstance(user, MulOp) else None


def _only_user(value: SSAValue) -> Operation | None:
    uses = list(value.uses)
    return uses[0].operation if len(uses) == 1 else None
