"""The strategy for products with weights of few bits: they become floats in registers, inside the register tile.

A code put into the highest bits of the mantissa of 2^bits is the float 2^bits + code: a shift and two logical operations. A tile of few
rows multiplies those and corrects the sums of each block by the scale and the zero point, so that a weight costs one more operation than
a float would; one of many rows makes true weights of them first, which costs two more, shared by its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import VectorType, f32, i32
from xdsl.ir import SSAValue

from ...dialects.dispatch import ContractOp
from ..dispatch.structure import Size
from .body import CONTRACT, splat, widen
from .contraction import Contraction
from .kernel import Buffer, KernelBuilder, unroll

WORD, MANTISSA, BIAS = 32, 23, 127

CHAINS = 4
"""So few sums wait for one another: odd and even codes are summed apart then."""

Rhs = Callable[[int, Sequence[SSAValue], SSAValue], SSAValue]


class FewBits(Contraction):
    """Emits one dispatch.contract of kind "few_bits"."""

    def __init__(self, k: KernelBuilder, op: ContractOp, buffers: dict[SSAValue, Buffer], rows: int, lanes32: int) -> None:
        super().__init__(k, op, buffers, rows, lanes32)
        self.bits, self.point = (int(n) for n in op.window.get_values())
        self.words = self.block * self.bits // WORD
        self.registers = 1 << (2 * rows + 2).bit_length()

    def emit(self) -> None:
        if 0 not in self.out.dims:
            self._emit_matmul()

    def _reduction(self) -> tuple[Size, Size]:
        return self.rhs.dims[1], 0

    def _micro(
        self,
        rows: int,
        vectors: int,
        taps: Sequence[Size],
        lhs: Rhs,
        rhs: Rhs,
        rest: Size = 0,
        start: Sequence[SSAValue] = (),
        block: int = 0,
        before: Callable[[Sequence[SSAValue]], None] = lambda taps: None,
    ) -> list[SSAValue]:
        k, zeros = self.k, [self._zero()] * (rows * vectors)
        by_blocks = rows * (2 * vectors + 1) + vectors + 2 <= self.registers
        step = self._sums_of_blocks if by_blocks else self._true_weights
        return k.loop(0, taps[0], 1, lambda g, *acc: step(rows, vectors, g, acc, lhs, rhs), zeros)

    def _sums_of_blocks(self, rows: int, vectors: int, g: SSAValue, acc: Sequence[SSAValue], lhs: Rhs, rhs: Rhs) -> Sequence[SSAValue]:
        """acc + scale (sum of a (2^bits + code) - (2^bits + point) sum of a)."""

        count = rows * (vectors + 1)
        chains = 1 + (count <= CHAINS)

        def word(at: SSAValue, *sums: SSAValue) -> list[SSAValue]:
            result = list(sums)
            words = [rhs(j, [g], at) for j in range(vectors)]
            for n in range(WORD // self.bits):
                weights = [self._raised(w, n) for w in words]
                for i in range(rows):
                    first = n % chains * count + i * (vectors + 1)
                    a = self._element(lhs, i, g, at, n)
                    for j, w in enumerate(weights):
                        result[first + j] = self._multiply_add(a, w, result[first + j])
                    result[first + vectors] = self._add(result[first + vectors], a)
            return result

        sums = self.k.loop(0, self.words, 1, word, [self._zero()] * (chains * count), **unroll(1))
        if chains > 1:
            sums = [self._add(a, b) for a, b in zip(sums[:count], sums[count:], strict=True)]
        result: list[SSAValue] = []
        for j in range(vectors):
            scale, point = self._scale(rhs, j, g), self._point(rhs, j, g)
            for i in range(rows):
                rest = self._subtract(sums[i * (vectors + 1) + j], self._times(point, sums[i * (vectors + 1) + vectors]))
                result.append(self._multiply_add(scale, rest, acc[i * vectors + j]))
        return [result[j * rows + i] for i in range(rows) for j in range(vectors)]

    def _true_weights(self, rows: int, vectors: int, g: SSAValue, acc: Sequence[SSAValue], lhs: Rhs, rhs: Rhs) -> Sequence[SSAValue]:
        """acc + sum of a ((2^bits + code) scale - (2^bits + point) scale)."""
        zero = self._zero()
        scales = [self._scale(rhs, j, g) for j in range(vectors)]
        terms = [self._subtract(zero, self._times(self._point(rhs, j, g), scale)) for j, scale in enumerate(scales)]

        def word(at: SSAValue, *sums: SSAValue) -> list[SSAValue]:
            result = list(sums)
            words = [rhs(j, [g], at) for j in range(vectors)]
            for n in range(WORD // self.bits):
                weights = [self._multiply_add(self._raised(w, n), scales[j], terms[j]) for j, w in enumerate(words)]
                for i in range(rows):
                    a = self._element(lhs, i, g, at, n)
                    for j, w in enumerate(weights):
                        result[i * vectors + j] = self._multiply_add(a, w, result[i * vectors + j])
            return result

        return self.k.loop(0, self.words, 1, word, acc, **unroll(1))

    # -- a block's rows

    def _element(self, lhs: Rhs, i: int, g: SSAValue, at: SSAValue, n: int) -> SSAValue:
        """The left operand's element that the n-th code of a word belongs to, in every lane."""
        k = self.k
        return self._in_lanes(lhs(i, [g], k.index(k.add(k.mul(at, WORD // self.bits), n))))

    def _load(self, source: SSAValue, at: Sequence[SSAValue], mask: SSAValue | None = None) -> SSAValue:
        return self.k.emit(vector.LoadOp(source, list(at), widen(i32, self.tiling.lanes)))

    def _scale(self, rhs: Rhs, j: int, g: SSAValue) -> SSAValue:
        return self._as_floats(rhs(j, [g], self.k.const(self.words)))

    def _point(self, rhs: Rhs, j: int, g: SSAValue) -> SSAValue:
        """2^bits + zero point."""
        if self.point < 0:
            return self._as_floats(rhs(j, [g], self.k.const(self.words + 1)))
        with self.k.inside(self.k.entry):
            return self.k.emit(splat(f32, self.tiling.lanes, float((1 << self.bits) + self.point)))

    def _raised(self, words: SSAValue, n: int) -> SSAValue:
        """2^bits + the n-th code of each word."""
        up = MANTISSA - self.bits - n * self.bits
        moved = words
        if up:
            moved = self.k.emit((arith.ShLIOp if up > 0 else arith.ShRUIOp)(words, self._integers(abs(up))))
        code = self.k.emit(arith.AndIOp(moved, self._integers(((1 << self.bits) - 1) << (MANTISSA - self.bits))))
        return self._as_floats(self.k.emit(arith.OrIOp(code, self._integers((BIAS + self.bits) << MANTISSA))))

    def _integers(self, number: int) -> SSAValue:
        with self.k.inside(self.k.entry):
            return self.k.emit(splat(i32, self.tiling.lanes, number))

    def _as_floats(self, value: SSAValue) -> SSAValue:
        return self.k.emit(arith.BitcastOp(value, VectorType(f32, cast(VectorType, value.type).get_shape())))

    def _add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.k.emit(arith.AddfOp(a, b))

    def _subtract(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.k.emit(arith.SubfOp(a, b, CONTRACT))

    def _times(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.k.emit(arith.MulfOp(a, b, CONTRACT))
