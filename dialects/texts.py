"""The text dialect: what the host program does with strings. Everywhere else a string is a number, int64, in the run's pool of texts.

Equal strings have equal numbers, "" is 0, and those that the model names have theirs before the run: so comparing, moving and looking
up strings is work on integers. What looks inside them takes their bytes apart, and enters new ones. The operations stand on every
level from linalg down to hal, where their tensors become buffers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, IntegerAttr, IntegerType, TensorType, f64, i32, i64
from xdsl.ir import Attribute, Dialect, SSAValue
from xdsl.irdl import AnyAttr, ParsePropInAttrDict, irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from .dispatch import HostOp

COUNT = "hal.texts"
"""The attribute of @main with the number of texts that the model names, where there is a pool."""

OFFSETS, BYTES = "texts.offsets", "texts.bytes"
"""The weights that hold these texts: where each begins in the bytes (int64, one more than there are texts), and the bytes in UTF-8."""


@dataclass(frozen=True)
class Packed:
    """Texts as arrays: see OFFSETS and BYTES."""

    offsets: np.ndarray
    bytes: np.ndarray


def pack(texts: Sequence[str]) -> Packed:
    """Texts one after the other."""
    encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return Packed(offsets, np.frombuffer(b"".join(encoded), np.uint8))


def _row(element: Attribute) -> TensorType:
    return TensorType(element, [DYNAMIC_INDEX])


@irdl_op_definition
class BytesOp(HostOp):
    """The bytes of `count` texts one after the other, and where each begins: offsets has count + 1 entries, bytes `total`."""

    name = "text.bytes"
    numbers = operand_def(AnyAttr())
    count = operand_def(IndexType)
    offsets = result_def(AnyAttr())
    bytes = result_def(AnyAttr())
    total = result_def(IndexType)
    traits = traits_def(Pure())

    def __init__(self, numbers: SSAValue, count: SSAValue) -> None:
        super().__init__(operands=[numbers, count], result_types=[_row(i64), _row(IntegerType(8)), IndexType()])


@irdl_op_definition
class EnterOp(HostOp):
    """The numbers of `count` texts, given as `text.bytes` gives them; those that are new enter the pool.

    Fails the run (ITG5063) for offsets that are not ascending from 0 to at most `total`.
    """

    name = "text.enter"
    offsets = operand_def(AnyAttr())
    bytes = operand_def(AnyAttr())
    count = operand_def(IndexType)
    total = operand_def(IndexType)
    numbers = result_def(AnyAttr())
    traits = traits_def(Pure())

    def __init__(self, offsets: SSAValue, bytes: SSAValue, count: SSAValue, total: SSAValue) -> None:
        super().__init__(operands=[offsets, bytes, count, total], result_types=[_row(i64)])


@irdl_op_definition
class DecimalOp(HostOp):
    """The fewest decimal digits that tell `count` finite float64 values apart from their neighbours.

    precision: 8, 11, 24 or 53, the bits of the significand of the type that the values came from. |value| = digits * 10^exponent,
    with digits an integer of at most 17 places without trailing zeros, 0 for zero and for what is not finite.
    """

    name = "text.decimal"
    values = operand_def(AnyAttr())
    count = operand_def(IndexType)
    precision = prop_def(IntegerAttr)
    digits = result_def(AnyAttr())
    exponents = result_def(AnyAttr())
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, values: SSAValue, count: SSAValue, precision: int) -> None:
        properties = {"precision": IntegerAttr(precision, i64)}
        super().__init__(operands=[values, count], properties=properties, result_types=[_row(i64), _row(i32)])


@irdl_op_definition
class NumberOp(HostOp):
    """`count` texts, given as `text.bytes` gives them, as float64, correctly rounded.

    Each is a sign, digits, the letter e and an exponent, and ends with a zero byte. Fails the run as `text.enter` does.
    """

    name = "text.number"
    offsets = operand_def(AnyAttr())
    bytes = operand_def(AnyAttr())
    count = operand_def(IndexType)
    total = operand_def(IndexType)
    values = result_def(AnyAttr())
    traits = traits_def(Pure())

    def __init__(self, offsets: SSAValue, bytes: SSAValue, count: SSAValue, total: SSAValue) -> None:
        super().__init__(operands=[offsets, bytes, count, total], result_types=[_row(f64)])


TEXTS = Dialect("text", [BytesOp, EnterOp, DecimalOp, NumberOp], [])
