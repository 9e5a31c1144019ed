"""Products of floats and powers of two that may leave the range: by the processor's instruction for them, or in two steps."""

from __future__ import annotations

from ...dialects.dispatch import ScaleOp
from .arith import element, splat
from .emitter import Emitter, mangled

_MANTISSA = {"float": (23, 127), "double": (52, 1023)}
"""Bits of the mantissa, and the exponent of 1."""


def scale(e: Emitter, op: ScaleOp) -> None:
    t, integers = e.type(op.x.type), e.type(op.bits.type)
    x, bits = e.value(op.x), e.value(op.bits)
    mantissa, bias = _MANTISSA[element(t)]
    if e.target.vector_width == 512 and element(t) == "float":  # AVX-512 has vscalefps
        whole = e.binary("sub", integers, bits, splat(integers, str((bias + mantissa) << mantissa | 1 << (mantissa - 1))))
        name = e.declare(t, f"llvm.ldexp.{mangled(t)}.{mangled(integers)}", [t, integers])
        e.assign(op.result, f"call {t} {name}({t} {x}, {integers} {whole})")
        return
    # Two factors of about 2^(n/2), so that neither leaves the range by itself. What stands above n vanishes in the shifts.
    half = e.binary("lshr", integers, bits, splat(integers, "1"))
    for part in (half, e.binary("sub", integers, bits, half)):
        exponent = e.binary("shl", integers, part, splat(integers, str(mantissa)))
        power = e.convert("bitcast", integers, e.binary("add", integers, exponent, splat(integers, str(bias << mantissa))), t)
        x = e.binary("fmul", t, x, power)
    e.bind(op.result, x)


HANDLERS = {ScaleOp: scale}
