"""Matrix products and what belongs to them: MatMul in its float, integer and quantised forms, Gemm, Einsum, Det."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, opt_operand_def, result_def, var_operand_def

from .base import OnnxOp, float_attr, int_attr, operator, str_attr, tensor
from .checks import of_rank, of_rank_at_least, require_broadcast_to, require_scalar, require_scalar_or_vector, show
from .dims import Dim, Shape
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC, BF16, BY_NAME, F32, FLOAT8, I32

_PRODUCT = (*ALL_FLOATS, *(BY_NAME[n].ir for n in ("int32", "int64", "uint32", "uint64")))
_BYTES = (BY_NAME["int8"].ir, BY_NAME["uint8"].ir)
_QUANTISED = (*_BYTES, *FLOAT8)
_SCALES = (BY_NAME["float16"].ir, *F32, *BF16)


def matmul_shape(op: OnnxOp, shapes: Shapes, a: Shape, b: Shape) -> Shape:
    """numpy.matmul's result: the last two axes multiply, those before broadcast, a missing one is left out of the result."""
    if not a or not b:
        raise op.fail("ITG2140", f"operands must have rank 1 or more, but are {show(a)} and {show(b)}")
    depth, *columns = b[-2:]
    shapes.require_equal(op, a[-1], depth, "the inner dimensions of A and B")
    return (*shapes.broadcast(op, a[:-2], b[:-2]), *a[-2:-1], *columns)


@operator(since=13)
class MatMulOp(OnnxOp):
    """Matrix product a b of (.., M, K) and (.., K, N), leading axes broadcast; 1-d operands are a row and a column.

    https://onnx.ai/onnx/operators/onnx__MatMul.html
    """

    name = "onnx.MatMul"
    a = operand_def(tensor("T", _PRODUCT))
    b = operand_def(tensor("T", _PRODUCT))
    y = result_def(tensor("T", _PRODUCT))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (matmul_shape(self, shapes, shapes.of(self.a), shapes.of(self.b)),)


@operator(since=10)
class MatMulIntegerOp(OnnxOp):
    """(a - a_zero_point) (b - b_zero_point) accumulated in int32; zero points for the whole, a row of a, or a column of b.

    https://onnx.ai/onnx/operators/onnx__MatMulInteger.html
    """

    name = "onnx.MatMulInteger"
    a = operand_def(tensor("T1", _BYTES))
    b = operand_def(tensor("T2", _BYTES))
    a_zero_point = opt_operand_def(tensor("T1", _BYTES))
    b_zero_point = opt_operand_def(tensor("T2", _BYTES))
    y = result_def(tensor("T3", I32))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        a, b = shapes.of(self.a), shapes.of(self.b)
        result = matmul_shape(self, shapes, a, b)
        if self.a_zero_point is not None:
            _check_quantisation(self, shapes, self.a_zero_point, a, -2, "a_zero_point")
        if self.b_zero_point is not None:
            _check_quantisation(self, shapes, self.b_zero_point, b, -1, "b_zero_point")
        return (result,)


@operator(since=21)
class QLinearMatMulOp(OnnxOp):
    """The product of dequantised a (.., M, K) and b (.., K, N), quantised with y_scale and y_zero_point.

    Scales and zero points are scalars, or one a row of a or a column of b. https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html
    """

    name = "onnx.QLinearMatMul"
    a = operand_def(tensor("T1", _QUANTISED))
    a_scale = operand_def(tensor("TS", _SCALES))
    a_zero_point = operand_def(tensor("T1", _QUANTISED))
    b = operand_def(tensor("T2", _QUANTISED))
    b_scale = operand_def(tensor("TS", _SCALES))
    b_zero_point = operand_def(tensor("T2", _QUANTISED))
    y_scale = operand_def(tensor("TS", _SCALES))
    y_zero_point = operand_def(tensor("T3", _QUANTISED))
    y = result_def(tensor("T3", _QUANTISED))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        a, b = shapes.of(self.a), shapes.of(self.b)
        result = matmul_shape(self, shapes, a, b)
        for value, what in ((self.a_scale, "a_scale"), (self.a_zero_point, "a_zero_point")):
            _check_quantisation(self, shapes, value, a, -2, what)
        for value, what in ((self.b_scale, "b_scale"), (self.b_zero_point, "b_zero_point")):
            _check_quantisation(self, shapes, value, b, -1, what)
        for value, what in ((self.y_scale, "y_scale"), (self.y_zero_point, "y_zero_point")):
            _check_quantisation(self, shapes, value, result, -2, what)
        return (result,)


def _check_quantisation(op: OnnxOp, shapes: Shapes, value: SSAValue, matrix: Shape, axis: int, what: str) -> None:
    """Scale or zero point of a matrix: one value, a vector along `axis`, or the matrix's own rank with 1 on the other axis."""
    shape = shapes.of(value)
    if not shape or shape == (1,):
        return
    if len(matrix) < 2:
        require_scalar(op, shapes, value, what)
        return
    if len(shape) == 1:
        require_scalar_or_vector(op, shapes, value, matrix[axis], what)
        return
    kept = (matrix[-2], 1) if axis == -2 else (1, matrix[-1])
    require_broadcast_to(op, shape, (*matrix[:-2], *kept), what)


@operator(since=13)
class GemmOp(OnnxOp):
    """alpha A' B' + beta C with A' of (M, K), B' of (K, N), each transposed first if asked; C broadcasts to (M, N).

    https://onnx.ai/onnx/operators/onnx__Gemm.html
    """

    name = "onnx.Gemm"
    a = operand_def(tensor("T", _PRODUCT))
    b = operand_def(tensor("T", _PRODUCT))
    c = opt_operand_def(tensor("T", _PRODUCT))
    y = result_def(tensor("T", _PRODUCT))
    alpha = float_attr(1.0)
    beta = float_attr(1.0)
    transA = int_attr(0)
    transB = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        a, b = of_rank(self, shapes, self.a, "A", 2), of_rank(self, shapes, self.b, "B", 2)
        rows, inner = a[::-1] if self.attr("transA") else a
        depth, columns = b[::-1] if self.attr("transB") else b
        shapes.require_equal(self, inner, depth, "the inner dimensions of A and B")
        if self.c is not None:
            require_broadcast_to(self, shapes.of(self.c), (rows, columns), "C")
        return ((rows, columns),)


@operator(since=22)
class DetOp(OnnxOp):
    """Determinants of square matrices: (.., M, M) to (..). https://onnx.ai/onnx/operators/onnx__Det.html"""

    name = "onnx.Det"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        *batch, rows, columns = of_rank_at_least(self, shapes, self.x, "X", 2)
        shapes.require_equal(self, rows, columns, "the last two dimensions of X")
        return (tuple(batch),)


@dataclass(frozen=True)
class Equation:
    """A parsed Einsum equation: one label an axis. Letters are named axes; "0", "1", .. stand for the axes of the ellipsis."""

    inputs: tuple[tuple[str, ...], ...]
    output: tuple[str, ...]

    @property
    def summed(self) -> tuple[str, ...]:
        """Labels that the output lacks, in order of appearance."""
        seen = dict.fromkeys(label for term in self.inputs for label in term)
        return tuple(label for label in seen if label not in self.output)


@operator(since=28)
class EinsumOp(OnnxOp):
    """Einstein summation: products of the inputs' elements at equal labels, summed over the labels that the output lacks.

    https://onnx.ai/onnx/operators/onnx__Einsum.html
    """

    name = "onnx.Einsum"
    inputs = var_operand_def(tensor("T", ALL_NUMERIC))
    output = result_def(tensor("T", ALL_NUMERIC))
    equation = str_attr(required=True)

    def parsed(self, ranks: Sequence[int]) -> Equation:
        """The equation for inputs of these ranks. Raises ShapeError where it is malformed or does not fit them."""
        text = self.attr("equation").replace(" ", "")
        left, arrow, right = text.partition("->")
        terms = left.split(",")
        for term in (*terms, right):
            if not re.fullmatch(r"[A-Za-z]*(\.\.\.[A-Za-z]*)?", term):
                raise self.fail("ITG2146", f'cannot read the term "{term}" of equation "{text}"')
        if len(terms) != len(ranks):
            raise self.fail("ITG2146", f'equation "{text}" has {len(terms)} terms for {len(ranks)} inputs')
        ellipsis = self._ellipsis_rank(text, terms, ranks)
        inputs = tuple(_labels(term, ellipsis) for term in terms)
        output = _labels(right, ellipsis) if arrow else _implicit_output(inputs, ellipsis)
        known = {label for term in inputs for label in term}
        if len(set(output)) != len(output) or not known.issuperset(output):
            raise self.fail("ITG2146", f'the output of equation "{text}" repeats a label or has one that no input has')
        return Equation(inputs, output)

    def _ellipsis_rank(self, text: str, terms: Sequence[str], ranks: Sequence[int]) -> int:
        """How many axes the ellipsis stands for: the same number in every term."""
        found: set[int] = set()
        for term, rank in zip(terms, ranks, strict=True):
            named = len(term.replace("...", ""))
            if rank < named or ("..." not in term and rank != named):
                raise self.fail("ITG2146", f'the term "{term}" of equation "{text}" does not fit an input of rank {rank}')
            if "..." in term:
                found.add(rank - named)
        if len(found) > 1:
            raise self.fail("ITG2146", f'the ellipsis of equation "{text}" stands for {sorted(found)} axes in different terms')
        return found.pop() if found else 0

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        inputs = [shapes.of(v) for v in self.inputs]
        equation = self.parsed([len(s) for s in inputs])
        sizes: dict[str, Dim] = {}
        for labels, shape in zip(equation.inputs, inputs, strict=True):
            for label, size in zip(labels, shape, strict=True):
                if label not in sizes:
                    sizes[label] = size
                elif label.isdigit():
                    (sizes[label],) = shapes.broadcast(self, (sizes[label],), (size,))
                else:
                    sizes[label] = shapes.require_equal(self, sizes[label], size, f'the sizes of label "{label}"')
        return (tuple(sizes[label] for label in equation.output),)


def _labels(term: str, ellipsis: int) -> tuple[str, ...]:
    before, dots, after = term.partition("...")
    return (*before, *(str(i) for i in range(ellipsis if dots else 0)), *after)


def _implicit_output(inputs: Sequence[tuple[str, ...]], ellipsis: int) -> tuple[str, ...]:
    """The classical output: the ellipsis' axes, then the labels that appear once, in ASCII order."""
    named = [label for term in inputs for label in term if not label.isdigit()]
    once = sorted(label for label in set(named) if named.count(label) == 1)
    dots = {label for term in inputs for label in term if label.isdigit()}
    return (*(str(i) for i in range(ellipsis if dots else 0)), *once)
