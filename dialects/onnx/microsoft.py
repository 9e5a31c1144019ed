"""Operators of com.microsoft that need a lowering of their own; the others are declared in compiler/importer/contrib."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.irdl import operand_def, result_def

from .base import OnnxOp, int_attr, operator, str_attr, strs_attr, tensor
from .dims import Shape
from .shapes import Shapes
from .types import STRINGS


@operator(since=1)
class TokenizerOp(OnnxOp):
    """Cuts each string into tokens: its characters (`separators` is [""]), what lies between separators, else what `tokenexp` matches.

    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Tokenizer
    (c,) gives (c, d) and (n, c) gives (n, c, d), with d the most tokens of any string; shorter rows are filled with `pad_value`. With
    `mark` a row begins with "\\x02" and its tokens end with "\\x03", but d is 0 where no string has a token. Separators and `tokenexp` are
    patterns in RE2's syntax of which the leftmost longest match counts; where one matches nothing at all, a character is passed over.
    """

    name = "onnx_microsoft.Tokenizer"
    X = operand_def(tensor("T", STRINGS))
    Y = result_def(tensor("T", STRINGS))
    mark = int_attr(required=True)
    mincharnum = int_attr(required=True)
    pad_value = str_attr(required=True)
    separators = strs_attr()
    tokenexp = str_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.X)
        if len(shape) not in (1, 2):
            raise self.fail("ITG2170", f"X must have shape (c,) or (n, c), but has rank {len(shape)}")
        separators, tokenexp = self.attr("separators"), self.attr("tokenexp")
        if not separators and not tokenexp:
            raise self.fail("ITG2171", "separators or tokenexp must be given")
        if "" in (separators or ()) and len(separators) > 1:
            raise self.fail("ITG2171", 'separators must be patterns, or "" alone for characters')
        least = self.attr("mincharnum")
        if least < 1 or (least > 1 and list(separators or ()) == [""]):
            raise self.fail("ITG2171", f"mincharnum must be at least 1, and 1 for characters, but is {least}")
        return ((*shape, shapes.result_symbol(self.Y, len(shape))),)
