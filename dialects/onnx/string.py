"""Operators on text: joining, splitting, normalising, matching, counting n-grams."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.irdl import operand_def, result_def

from .base import OnnxOp, element_of, floats_attr, int_attr, ints_attr, operator, str_attr, strs_attr, tensor
from .dims import Shape
from .shapes import Shapes
from .types import BOOL, F32, I32, I64, STRINGS


@operator(since=20)
class StringConcatOp(OnnxOp):
    """x followed by y, elementwise with broadcasting. https://onnx.ai/onnx/operators/onnx__StringConcat.html"""

    name = "onnx.StringConcat"
    x = operand_def(tensor("T", STRINGS))
    y = operand_def(tensor("T", STRINGS))
    z = result_def(tensor("T", STRINGS))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.broadcast(self, shapes.of(self.x), shapes.of(self.y)),)


@operator(since=20)
class StringSplitOp(OnnxOp):
    """Cuts each string at `delimiter`, or at white space if that is absent or empty.

    https://onnx.ai/onnx/operators/onnx__StringSplit.html
    (d0, .., dn) gives the pieces as (d0, .., dn, most pieces of any string), padded with "", and the counts as (d0, .., dn).
    """

    name = "onnx.StringSplit"
    x = operand_def(tensor("T1", STRINGS))
    y = result_def(tensor("T2", STRINGS))
    z = result_def(tensor("T3", I64))
    delimiter = str_attr()
    maxsplit = int_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        return ((*shape, shapes.result_symbol(self.y, len(shape))), shape)


@operator(since=10)
class StringNormalizerOp(OnnxOp):
    """Drops stop words, then changes case. https://onnx.ai/onnx/operators/onnx__StringNormalizer.html

    (c,) gives (k,) and (1, c) gives (1, k), where k words are left; where none is, k = 1 and the word is "".
    """

    name = "onnx.StringNormalizer"
    x = operand_def(tensor("", STRINGS))
    y = result_def(tensor("", STRINGS))
    case_change_action = str_attr("NONE")
    is_case_sensitive = int_attr(0)
    locale = str_attr()
    stopwords = strs_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        if len(shape) not in (1, 2):
            raise self.fail("ITG2170", f"x must have shape (c,) or (1, c), but has rank {len(shape)}")
        if self.attr("case_change_action") not in ("LOWER", "UPPER", "NONE"):
            raise self.fail("ITG2171", f"case_change_action must be LOWER, UPPER or NONE, but is {self.attr('case_change_action')!r}")
        if len(shape) == 2:
            shapes.require_equal(self, shape[0], 1, "the first dimension of x and 1")
        return ((*(1,) * (len(shape) - 1), shapes.result_symbol(self.y, len(shape) - 1)),)


@operator(since=20)
class RegexFullMatchOp(OnnxOp):
    """Whether each whole string matches `pattern`, in RE2's syntax. https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html"""

    name = "onnx.RegexFullMatch"
    x = operand_def(tensor("T1", STRINGS))
    y = result_def(tensor("T2", BOOL))
    pattern = str_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.of(self.x),)


@operator(since=9)
class TfIdfVectorizerOp(OnnxOp):
    """Counts a pool's n-grams in each row and weighs the counts. https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html

    (c,) gives (n,) and (b, c) gives (b, n), with n one more than the largest of `ngram_indexes`.
    """

    name = "onnx.TfIdfVectorizer"
    x = operand_def(tensor("T", (*STRINGS, *I32, *I64)))
    y = result_def(tensor("T1", F32))
    max_gram_length = int_attr(required=True)
    max_skip_count = int_attr(required=True)
    min_gram_length = int_attr(required=True)
    mode = str_attr(required=True)
    ngram_counts = ints_attr(required=True)
    ngram_indexes = ints_attr(required=True)
    pool_int64s = ints_attr()
    pool_strings = strs_attr()
    weights = floats_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        if len(shape) not in (1, 2):
            raise self.fail("ITG2170", f"x must have shape (c,) or (n, c), but has rank {len(shape)}")
        self._check_pool()
        return ((*shape[:-1], max(self.attr("ngram_indexes")) + 1),)

    def _check_pool(self) -> None:
        indexes, weights = self.attr("ngram_indexes"), self.attr("weights")
        if not indexes or min(indexes) < 0:
            raise self.fail("ITG2171", f"ngram_indexes must be one or more non-negative numbers, but are {list(indexes)[:8]}")
        if self.attr("mode") not in ("TF", "IDF", "TFIDF"):
            raise self.fail("ITG2171", f"mode must be TF, IDF or TFIDF, but is {self.attr('mode')!r}")
        if weights is not None and len(weights) != len(indexes):
            raise self.fail("ITG2171", f"there are {len(weights)} weights for {len(indexes)} n-grams")
        if (self.attr("pool_strings") is None) == (self.attr("pool_int64s") is None):
            raise self.fail("ITG2171", "exactly one of pool_strings and pool_int64s must be given")
        if (self.attr("pool_strings") is not None) != (element_of(self.x) in STRINGS):
            raise self.fail("ITG2171", "the pool must hold strings where x does, integers where x does")
        lengths = self.attr("min_gram_length"), self.attr("max_gram_length")
        if not 0 < lengths[0] <= lengths[1]:
            raise self.fail("ITG2171", "gram lengths must be positive, least first, but are {} and {}".format(*lengths))
