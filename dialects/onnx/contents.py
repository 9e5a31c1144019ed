"""Arithmetic on the symbolic contents of small tensors: what the `infer_contents` of several operator families share.

Contents are numpy object arrays of Dims. Float tensors take part as long as they hold whole numbers, since exporters like to compute
sizes in floats (Shape, Cast, Mul, Floor, Cast back).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, Float64Type, IntegerType
from xdsl.ir import Attribute, SSAValue

from .base import element_of
from .dims import Dim, Shape, SymDim, exact_div, floordiv, maximum, mod, non_negative
from .shapes import CONTENTS_LIMIT, Shapes
from .types import BY_IR

_WHOLE = {Float64Type(): 2**53, Float32Type(): 2**24, Float16Type(): 2**11, BFloat16Type(): 2**8}
"""Up to which magnitude every whole number is exact in a float type; beyond, arithmetic on Dims would not be that of the run."""


def known(shapes: Shapes, value: SSAValue | None) -> np.ndarray | None:
    """The value's contents, also those of a small float constant that holds whole numbers only."""
    contents = shapes.contents(value)
    if value is None or contents is not None:
        return contents
    array = shapes.constant(value)
    limit = _WHOLE.get(element_of(value))
    if array is None or limit is None or array.size > CONTENTS_LIMIT:
        return None
    wide = array.astype(np.float64)
    if not np.all(np.isfinite(wide) & (wide == np.floor(wide)) & (np.abs(wide) <= limit)):
        return None
    return object_array([int(x) for x in wide.ravel()], array.shape)


def object_array(elements: Sequence[Dim], shape: tuple[int, ...]) -> np.ndarray:
    """Contents of that shape from the elements in row-major order."""
    flat = np.empty(len(elements), dtype=object)
    for i, element in enumerate(elements):
        flat[i] = element
    return flat.reshape(shape)


def small(shape: Shape) -> tuple[int, ...] | None:
    """The shape where it is static and small enough for its contents to be tracked, else None."""
    size = 1
    static: list[int] = []
    for d in shape:
        if not isinstance(d, int) or d > CONTENTS_LIMIT:
            return None
        static.append(d)
        size *= d
    return tuple(static) if size <= CONTENTS_LIMIT else None


def fit(element: Dim, kind: Attribute) -> Dim | None:
    """The element as a tensor of that element type holds it: integers wrap around, a float that might round is unknown (None)."""
    if kind in _WHOLE:
        return element if isinstance(element, SymDim) or abs(element) <= _WHOLE[kind] else None
    if not isinstance(kind, IntegerType):
        return None
    if isinstance(element, SymDim) or kind.width.data == 1:
        return element
    width = kind.width.data
    low = -(1 << (width - 1)) if BY_IR[kind].is_signed else 0
    return (element - low) % (1 << width) + low


def fitted(contents: np.ndarray, kind: Attribute) -> np.ndarray | None:
    """`fit` on every element; None as soon as one is unknown."""
    elements = [fit(x, kind) for x in contents.ravel()]
    kept = [x for x in elements if x is not None]
    return object_array(kept, contents.shape) if len(kept) == len(elements) else None


def elementwise(
    shapes: Shapes, result: SSAValue, operands: Sequence[SSAValue], combine: Callable[..., Dim | None], kind: Attribute | None = None
) -> tuple[np.ndarray] | tuple[()]:
    """Contents of an elementwise operator with broadcasting, as `infer_contents` returns them: empty where anything is unknown.

    combine: one element per operand to one of the result, None where that is unknown; kind: the result's element type, where
    it is not the first operand's.
    """
    shape = small(shapes.of(result))
    if shape is None:
        return ()
    arrays: list[np.ndarray] = []
    for operand in operands:
        contents = known(shapes, operand)
        if contents is None:
            return ()
        arrays.append(np.broadcast_to(contents.reshape(()) if contents.size == 1 else contents, shape))
    elements: list[Dim] = []
    for index in np.ndindex(shape):
        element = combine(*(a[index] for a in arrays))
        if element is None:
            return ()
        elements.append(element)
    contents = fitted(object_array(elements, shape), kind or element_of(operands[0]))
    return () if contents is None else (contents,)


def moved(shapes: Shapes, source: SSAValue, move: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray] | tuple[()]:
    """Contents of an operator that only rearranges its operand's elements, which `move` does."""
    contents = known(shapes, source)
    return () if contents is None else (move(contents),)


def truncated_quotient(a: Dim, b: Dim) -> Dim | None:
    """Integer division as ONNX defines it, rounding towards zero; None where a sign that matters is unknown, and by zero."""
    if b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return floordiv(a, b) if non_negative(a) and non_negative(b) else exact_div(a, b)


def float_quotient(a: Dim, b: Dim) -> Dim | None:
    """Division of whole numbers in floats, None where the result may have a fraction."""
    return None if b == 0 else exact_div(a, b)


def floored_remainder(a: Dim, b: Dim) -> Dim | None:
    """The remainder that has the divisor's sign; None by zero."""
    return None if b == 0 else mod(a, b)


def truncated_remainder(a: Dim, b: Dim) -> Dim | None:
    """The remainder that has the dividend's sign; None by zero or where a sign that matters is unknown."""
    if b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) % abs(b) * (1 if a >= 0 else -1)
    return mod(a, b) if non_negative(a) and non_negative(b) else None


def magnitude(a: Dim) -> Dim:
    """The absolute value."""
    return maximum(a, -a)
