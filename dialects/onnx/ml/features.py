"""Preparing features: scaling, imputing, selecting, concatenating, one-hot encoding, and maps to tensors and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override
from xdsl.dialects.builtin import f32, i64
from xdsl.ir import Attribute
from xdsl.irdl import VerificationContext, operand_def, result_def, var_operand_def
from xdsl.utils.exceptions import VerifyException

from ..base import (
    OnnxOp,
    Typed,
    container_of,
    element_of,
    float_attr,
    floats_attr,
    int_attr,
    ints_attr,
    operator,
    str_attr,
    strs_attr,
    tensor,
)
from ..dims import Dim, Shape, product
from ..shapes import Shapes
from ..types import F32, F64, I64, STRING, STRINGS, MapType, SequenceType
from .common import FEATURES, FEATURES_OR_TEXT, batch, one_of, require_choice


@dataclass(frozen=True)
class MapTyped(Typed):
    """Constrains a map, or a sequence of maps, to pairs of key and value element types."""

    pairs: frozenset[tuple[Attribute, Attribute]] = frozenset()

    @override
    def verify(self, attr: Attribute, constraint_context: VerificationContext) -> None:
        super().verify(attr, constraint_context)
        found = attr.element if isinstance(attr, SequenceType) else attr
        if isinstance(found, MapType) and (found.key, container_of(found.value)[1]) not in self.pairs:
            raise VerifyException(f"{attr} is not a map from and to element types allowed here")


def maps(var: str, *pairs: tuple[Attribute, Attribute], container: str = "map") -> MapTyped:
    """A map (or "map_sequence") of one of the pairs (key, value)."""
    return MapTyped(var, frozenset(v for _, v in pairs), (container,), pairs=frozenset(pairs))


class SameShapeOp(OnnxOp):
    """One result of the operand's shape."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.of(self.operands[0]),)


@operator(since=1)
class ArrayFeatureExtractorOp(OnnxOp):
    """Picks positions along the last axis. https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html

    x: (d0, .., f), y: k indices of any shape; z: (d0, .., k), with (f,) giving (1, k).
    """

    name = "onnx_ml.ArrayFeatureExtractor"
    x = operand_def(tensor("T", FEATURES_OR_TEXT))
    y = operand_def(tensor("", I64))
    z = result_def(tensor("T", FEATURES_OR_TEXT))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        if not shape:
            raise self.fail("ITG2200", "x must have at least one dimension, but is a scalar")
        return ((*(shape[:-1] or (1,)), product(shapes.of(self.y))),)


@operator(since=1)
class BinarizerOp(SameShapeOp):
    """1 where x > threshold, else 0. https://onnx.ai/onnx/operators/onnx_aionnxml_Binarizer.html"""

    name = "onnx_ml.Binarizer"
    x = operand_def(tensor("T", FEATURES))
    y = result_def(tensor("T", FEATURES))
    threshold = float_attr(0.0)


@operator(since=1)
class ImputerOp(SameShapeOp):
    """Replaces one value (or NaN) by another, per feature. https://onnx.ai/onnx/operators/onnx_aionnxml_Imputer.html"""

    name = "onnx_ml.Imputer"
    x = operand_def(tensor("T", FEATURES))
    y = result_def(tensor("T", FEATURES))
    imputed_value_floats = floats_attr()
    imputed_value_int64s = ints_attr()
    replaced_value_float = float_attr(0.0)
    replaced_value_int64 = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        count = len(self.attr(one_of(self, "imputed_value_floats", "imputed_value_int64s")))
        if count != 1 and (not shape or (isinstance(shape[-1], int) and shape[-1] != count)):
            raise self.fail("ITG2203", f"there are {count} imputed values for x of shape {shape}", "give one, or one a feature")
        return (shape,)


@operator(since=1)
class NormalizerOp(SameShapeOp):
    """Divides each row by its MAX, L1 or L2 norm. https://onnx.ai/onnx/operators/onnx_aionnxml_Normalizer.html"""

    name = "onnx_ml.Normalizer"
    x = operand_def(tensor("T", FEATURES))
    y = result_def(tensor("", F32))
    norm = str_attr("MAX")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "norm", ("MAX", "L1", "L2"))
        batch(self, shapes, self.x)
        return (shapes.of(self.x),)


@operator(since=1)
class ScalerOp(SameShapeOp):
    """(x - offset) * scale, per feature. https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html"""

    name = "onnx_ml.Scaler"
    x = operand_def(tensor("T", FEATURES))
    y = result_def(tensor("", F32))
    offset = floats_attr()
    scale = floats_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        for name in ("offset", "scale"):
            count = len(self.attr(name) or (0,))
            if count != 1 and (not shape or (isinstance(shape[-1], int) and shape[-1] != count)):
                raise self.fail("ITG2203", f"{name} has {count} entries for x of shape {shape}", "give one, or one a feature")
        return (shape,)


@operator(since=1)
class OneHotEncoderOp(OnnxOp):
    """One position a category: (d0, .., dn) gives (d0, .., dn, categories).

    https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html
    """

    name = "onnx_ml.OneHotEncoder"
    x = operand_def(tensor("T", FEATURES_OR_TEXT))
    y = result_def(tensor("", F32))
    cats_int64s = ints_attr()
    cats_strings = strs_attr()
    zeros = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        name = one_of(self, "cats_int64s", "cats_strings")
        if (name == "cats_strings") != (element_of(self.x) == STRING):
            raise self.fail("ITG2204", f"{name} cannot be looked up in a tensor of {element_of(self.x)}")
        return ((*shapes.of(self.x), len(self.attr(name))),)


@operator(since=1)
class FeatureVectorizerOp(OnnxOp):
    """Joins (n, f_i), or (f_i,) as one row, to (n, sum f_i). https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html

    `inputdimensions` holds the f_i.
    """

    name = "onnx_ml.FeatureVectorizer"
    x = var_operand_def(tensor("T1", FEATURES))
    y = result_def(tensor("", F32))
    inputdimensions = ints_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        rows: Dim | None = None
        features: list[Dim] = []
        for x in self.x:
            n, f = batch(self, shapes, x)
            rows = n if rows is None else shapes.require_equal(self, rows, n, "the numbers of rows")
            features.append(f)
        sizes = self.attr("inputdimensions")
        if rows is None or (sizes is not None and (len(sizes) != len(features) or any(s < 0 for s in sizes))):
            raise self.fail("ITG2205", f"inputdimensions is {sizes} for {len(features)} inputs")
        width: Dim = 0
        for size in sizes if sizes is not None else features:
            width = width + size
        return ((rows, width),)


@operator(since=1)
class CastMapOp(OnnxOp):
    """The values of a map from integers as a (1, k) tensor. https://onnx.ai/onnx/operators/onnx_aionnxml_CastMap.html

    DENSE packs the values in the order of their keys (k = their number); SPARSE puts each at its key (k = max_map).
    """

    name = "onnx_ml.CastMap"
    x = operand_def(maps("T1", (i64, STRING), (i64, f32)))
    y = result_def(tensor("T2", (*STRINGS, *F32, *I64)))
    cast_to = str_attr("TO_FLOAT")
    map_form = str_attr("DENSE")
    max_map = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_choice(self, "map_form", ("DENSE", "SPARSE"))
        if self.attr("map_form") == "DENSE":
            return ((1, shapes.result_symbol(self.y, 1)),)
        if self.attr("max_map") < 1:
            raise self.fail("ITG2205", f"max_map must be positive, but is {self.attr('max_map')}")
        return ((1, self.attr("max_map")),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        require_choice(self, "cast_to", ("TO_FLOAT", "TO_STRING", "TO_INT64"))
        return ({"TO_FLOAT": f32, "TO_STRING": STRING, "TO_INT64": i64}[self.attr("cast_to")],)


@operator(since=1)
class DictVectorizerOp(OnnxOp):
    """A map's values in the order of a vocabulary of its keys, 0 or "" for a missing key, as (1, len(vocabulary)).

    https://onnx.ai/onnx/operators/onnx_aionnxml_DictVectorizer.html
    """

    name = "onnx_ml.DictVectorizer"
    x = operand_def(maps("T1", (STRING, i64), (i64, STRING), *((key, value) for key in (i64, STRING) for value in (*F32, *F64))))
    y = result_def(tensor("T2", (*I64, *F32, *F64, *STRINGS)))
    int64_vocabulary = ints_attr()
    string_vocabulary = strs_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        name = one_of(self, "int64_vocabulary", "string_vocabulary")
        if isinstance(self.x.type, MapType) and (name == "string_vocabulary") != (self.x.type.key == STRING):
            raise self.fail("ITG2204", f"{name} cannot be looked up in a map from {self.x.type.key}")
        return ((1, len(self.attr(name))),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (container_of(self.x.type)[1],)


@operator(since=1)
class ZipMapOp(OnnxOp):
    """Turns each row of (n, classes) into a map from class label to value; a sequence of n maps.

    https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
    """

    name = "onnx_ml.ZipMap"
    x = operand_def(tensor("", F32))
    z = result_def(maps("T", (STRING, f32), (i64, f32), container="map_sequence"))
    classlabels_int64s = ints_attr()
    classlabels_strings = strs_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        count = len(self.attr(one_of(self, "classlabels_strings", "classlabels_int64s")))
        shapes.require_equal(self, batch(self, shapes, self.x)[1], count, "the columns of x and the class labels")
        return (None,)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        name = one_of(self, "classlabels_strings", "classlabels_int64s")
        return (SequenceType(MapType(STRING if name == "classlabels_strings" else i64, f32)),)
