"""The operators of ai.onnx.preview."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.dialects.builtin import f32, f64
from xdsl.ir import Attribute
from xdsl.irdl import AttrSizedRegionSegments, operand_def, opt_region_def, result_def

from .base import element_of, float_attr, int_attr, operator, tensor
from .containers import kind_of
from .control import RegionOp, enter
from .dims import Shape, exact_div
from .shapes import Shapes
from .types import ALL_FLOATS, BY_NUMBER


@operator(since=1)
class FlexAttentionOp(RegionOp):
    """softmax(score_mod(q @ transpose(k) * scale)) @ v, with prob_mod applied to the softmax.

    https://onnx.ai/onnx/operators/onnx_aionnxpreview_FlexAttention.html
    q: (b, hq, l, e), k: (b, hkv, s, e), v: (b, hkv, s, ev), hq a multiple of hkv; y: (b, hq, l, ev). Both subgraphs take one
    (b, hq, l, s) tensor of the softmax's precision and give one of the same type.
    """

    name = "onnx_preview.FlexAttention"
    irdl_options = (AttrSizedRegionSegments(as_property=True),)
    q = operand_def(tensor("T1", ALL_FLOATS))
    k = operand_def(tensor("T1", ALL_FLOATS))
    v = operand_def(tensor("T1", ALL_FLOATS))
    y = result_def(tensor("T1", ALL_FLOATS))
    scale = float_attr()
    softmax_precision = int_attr()
    score_mod = opt_region_def()
    prob_mod = opt_region_def()

    @override
    def expected(self) -> Sequence[tuple[str, int, int]]:
        return [(name, 1, 1) for name in ("score_mod", "prob_mod") if getattr(self, name) is not None]

    def precision(self) -> Attribute:
        """The element type of scores and probabilities."""
        number = self.attr("softmax_precision")
        if number is None:
            return f64 if element_of(self.q) == f64 else f32
        if number not in BY_NUMBER or BY_NUMBER[number].ir not in ALL_FLOATS:
            raise self.fail("ITG2191", f"softmax_precision {number} is no floating-point type")
        return BY_NUMBER[number].ir

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        self.check()
        q, k, v = (shapes.of(operand) for operand in self.operands)
        if not len(q) == len(k) == len(v) == 4:
            raise self.fail("ITG2190", f"q, k and v must have rank 4, but have shapes {q}, {k} and {v}")
        for a, b, what in (
            (q[0], k[0], "batch sizes of q and k"),
            (k[0], v[0], "batch sizes of k and v"),
            (k[1], v[1], "heads of k and v"),
            (k[2], v[2], "sequence lengths of k and v"),
            (q[3], k[3], "head sizes of q and k"),
        ):
            shapes.require_equal(self, a, b, what)
        if isinstance(q[1], int) and isinstance(k[1], int) and exact_div(q[1], k[1]) is None:
            raise self.fail("ITG2190", f"q has {q[1]} heads, which is no multiple of k's {k[1]}")
        precision = self.precision()
        for name, *_ in self.expected():
            self._infer_modifier(shapes, name, precision, (q[0], q[1], q[2], k[2]))
        return ((q[0], q[1], q[2], v[3]),)

    def _infer_modifier(self, shapes: Shapes, name: str, precision: Attribute, shape: Shape) -> None:
        """Infers a subgraph, which must give what it takes."""
        block = self.block(name)
        enter(shapes, block.args[0], "tensor", precision, shape)
        shapes.infer_block(block)
        (out,) = self.yielded(name)
        if kind_of(out) != "tensor" or element_of(out) != precision or shapes.rank(out) != 4:
            raise self.fail("ITG2192", f"{name} must give a rank 4 tensor of {precision}, but gives {out.type}")
        for a, b in zip(shape, shapes.of(out), strict=True):
            shapes.require_equal(self, a, b, f"the dimensions {name} takes and gives")
