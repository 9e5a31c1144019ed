"""Signals: Fourier transforms, windows, and the mel filter bank."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import Attribute
from xdsl.irdl import operand_def, opt_operand_def, result_def

from .base import OnnxOp, int_attr, operator, tensor
from .checks import axis_in, data_type_in, of_rank, of_rank_at_least, one_of, require_scalar, require_vector, scalar_dim, show
from .dims import Dim, Shape, equal, floordiv, product, select
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC, I32, I64

_LENGTHS = (*I32, *I64)


@operator(since=20)
class DFTOp(OnnxOp):
    """Discrete Fourier transform along an axis of (.., 1) real or (.., 2) complex elements, padded or cut to dft_length = n.

    Result along the axis: n, or n // 2 + 1 for a one-sided forward transform; last dimension 2, or 1 for a one-sided inverse.
    https://onnx.ai/onnx/operators/onnx__DFT.html
    """

    name = "onnx.DFT"
    input = operand_def(tensor("T1", ALL_FLOATS))
    dft_length = opt_operand_def(tensor("T2", _LENGTHS))
    axis = opt_operand_def(tensor("", I64))
    output = result_def(tensor("T1", ALL_FLOATS))
    inverse = int_attr(0)
    onesided = int_attr(0)

    def chosen(self, shapes: Shapes) -> tuple[Dim, ...]:
        """For each axis but the last, which holds the parts of complex numbers: 1 if it is the transformed one, else 0."""
        rank = shapes.rank(self.input)
        if self.axis is None:
            return tuple(int(k == rank - 2) for k in range(rank - 1))
        require_scalar(self, shapes, self.axis, "axis")
        (axis,) = shapes.elements(self.axis)
        if not isinstance(axis, int):
            found = tuple(equal(axis, k) + equal(axis, k - rank) for k in range(rank - 1))
            shapes.require_equal(self, sum(found), 1, "the number of axes that axis names and 1")
            return found
        place = axis_in(self, axis, rank)
        if place == rank - 1:
            raise self.fail("ITG2141", f"axis {axis} is the one of complex parts of an input of rank {rank}")
        return tuple(int(k == place) for k in range(rank - 1))

    def split(self, shapes: Shapes) -> tuple[Dim, Dim, Dim]:
        """(elements before, size of, elements after) the transformed axis."""
        x, chosen = shapes.of(self.input), self.chosen(shapes)
        size = sum(c * d for c, d in zip(chosen, x, strict=False))
        before = [select(sum(chosen[k + 1 :]), d, 1) for k, d in enumerate(x[:-1])]
        after = [select(sum(chosen[:k]), d, 1) for k, d in enumerate(x[:-1])]
        return product(before), size, product(after)

    def length(self, shapes: Shapes) -> Dim:
        """The length n of the transform."""
        if self.dft_length is not None:
            return scalar_dim(self, shapes, self.dft_length, "dft_length", least=1)
        size = self.split(shapes)[1]
        return (size - 1) * 2 if self.attr("inverse") and self.attr("onesided") else size

    def given(self, shapes: Shapes) -> tuple[Dim, int]:
        """What the result has along the transformed axis and along the last one."""
        inverse, onesided = self.attr("inverse"), self.attr("onesided")
        length = self.length(shapes)
        return (floordiv(length, 2) + 1 if onesided and not inverse else length), (1 if onesided and inverse else 2)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        inverse, onesided = one_of(self, "inverse", 0, 1), one_of(self, "onesided", 0, 1)
        x = of_rank_at_least(self, shapes, self.input, "the input", 2)
        if isinstance(x[-1], int) and x[-1] not in (1, 2):
            raise self.fail("ITG2144", f"the last dimension must be 1 (real) or 2 (complex), the input is {show(x)}")
        if onesided:
            kind = "complex" if inverse else "real"
            shapes.require_equal(self, x[-1], 2 if inverse else 1, f"the last dimension and that of a {kind} input, as onesided asks for")
        size, parts = self.given(shapes)
        return ((*(select(c, size, d) for c, d in zip(self.chosen(shapes), x, strict=False)), parts),)


@operator(since=17)
class STFTOp(OnnxOp):
    """Fourier transforms of frames of a signal: (B, L, 1 or 2) to (B, frames, bins, 2), n the length of a frame.

    frames = (L - n) // frame_step + 1, bins = n // 2 + 1 onesided, else n; n is frame_length, the window's length, or L.
    https://onnx.ai/onnx/operators/onnx__STFT.html
    """

    name = "onnx.STFT"
    signal = operand_def(tensor("T1", ALL_FLOATS))
    frame_step = operand_def(tensor("T2", _LENGTHS))
    window = opt_operand_def(tensor("T1", ALL_FLOATS))
    frame_length = opt_operand_def(tensor("T2", _LENGTHS))
    output = result_def(tensor("T1", ALL_FLOATS))
    onesided = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        batch, samples, parts = of_rank(self, shapes, self.signal, "signal", 3)
        if isinstance(parts, int) and parts not in (1, 2):
            raise self.fail("ITG2144", f"the last dimension of signal must be 1 (real) or 2 (complex), but is {parts}")
        onesided = one_of(self, "onesided", 0, 1)
        if onesided:
            shapes.require_equal(self, parts, 1, "the last dimension of signal and that of a real one, as onesided asks for")
        step = scalar_dim(self, shapes, self.frame_step, "frame_step", least=1)
        length = self.length(shapes)
        room = samples - length
        if isinstance(room, int) and room < 0:
            raise self.fail("ITG2144", f"a frame of {length} does not fit a signal of {samples}")
        return ((batch, floordiv(room, step) + 1, floordiv(length, 2) + 1 if onesided else length, 2),)

    def length(self, shapes: Shapes) -> Dim:
        """The length n of a frame."""
        if self.frame_length is not None:
            length = scalar_dim(self, shapes, self.frame_length, "frame_length", least=1)
            require_vector(self, shapes, self.window, length, "window")
            return length
        if self.window is not None:
            return of_rank(self, shapes, self.window, "window", 1)[0]
        return shapes.of(self.signal)[1]


@operator(since=17)
class MelWeightMatrixOp(OnnxOp):
    """Weights (dft_length // 2 + 1, num_mel_bins) that turn a spectrum into mel bins; the operands are scalars.

    https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html
    """

    name = "onnx.MelWeightMatrix"
    num_mel_bins = operand_def(tensor("T1", _LENGTHS))
    dft_length = operand_def(tensor("T1", _LENGTHS))
    sample_rate = operand_def(tensor("T1", _LENGTHS))
    lower_edge_hertz = operand_def(tensor("T2", ALL_FLOATS))
    upper_edge_hertz = operand_def(tensor("T2", ALL_FLOATS))
    output = result_def(tensor("T3", ALL_NUMERIC))
    output_datatype = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        scalars = (("sample_rate", self.sample_rate), ("lower_edge_hertz", self.lower_edge_hertz))
        for what, value in (*scalars, ("upper_edge_hertz", self.upper_edge_hertz)):
            require_scalar(self, shapes, value, what)
        bins = scalar_dim(self, shapes, self.num_mel_bins, "num_mel_bins")
        return ((floordiv(scalar_dim(self, shapes, self.dft_length, "dft_length"), 2) + 1, bins),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (data_type_in(self, "output_datatype", ALL_NUMERIC),)


class WindowFunctionOp(OnnxOp):
    """Base of window functions: a scalar size to (size), of element type output_datatype; periodic or else symmetric."""

    output_datatype = int_attr(1)
    periodic = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "periodic", 0, 1)
        return ((scalar_dim(self, shapes, self.operands[0], "size"),),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (data_type_in(self, "output_datatype", ALL_NUMERIC),)


@operator(since=17)
class HannWindowOp(WindowFunctionOp):
    """sin^2 of half a turn over the window. https://onnx.ai/onnx/operators/onnx__HannWindow.html"""

    name = "onnx.HannWindow"
    size = operand_def(tensor("T1", _LENGTHS))
    output = result_def(tensor("T2", ALL_NUMERIC))


@operator(since=17)
class HammingWindowOp(WindowFunctionOp):
    """25/46 of a raised cosine over the window. https://onnx.ai/onnx/operators/onnx__HammingWindow.html"""

    name = "onnx.HammingWindow"
    size = operand_def(tensor("T1", _LENGTHS))
    output = result_def(tensor("T2", ALL_NUMERIC))


@operator(since=17)
class BlackmanWindowOp(WindowFunctionOp):
    """0.42 - 0.5 cos + 0.08 cos of the double angle. https://onnx.ai/onnx/operators/onnx__BlackmanWindow.html"""

    name = "onnx.BlackmanWindow"
    size = operand_def(tensor("T1", _LENGTHS))
    output = result_def(tensor("T2", ALL_NUMERIC))
