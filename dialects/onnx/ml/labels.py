"""Mapping labels: table look-up between strings and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, f32, i64
from xdsl.ir import Attribute
from xdsl.irdl import operand_def, result_def

from ..base import (
    OnnxOp,
    WeightAttr,
    element_of,
    float_attr,
    floats_attr,
    int_attr,
    ints_attr,
    operator,
    str_attr,
    strs_attr,
    tensor,
    tensor_attr,
)
from ..dims import Shape
from ..shapes import Shapes
from ..types import BY_NAME, BY_NUMPY, F32, F64, I32, I64, STRING, STRINGS
from .common import LABELS, one_of

ENCODABLE = (*STRINGS, *I64, *F32, *I32, BY_NAME["int16"].ir, *F64)
KEYS = ("keys_strings", "keys_int64s", "keys_floats", "keys_tensor")
VALUES = ("values_strings", "values_int64s", "values_floats", "values_tensor")
ELEMENTS = {"strings": STRING, "int64s": i64, "floats": f32}


@operator(since=1)
class CategoryMapperOp(OnnxOp):
    """Strings to integers or back, by two parallel lists. https://onnx.ai/onnx/operators/onnx_aionnxml_CategoryMapper.html"""

    name = "onnx_ml.CategoryMapper"
    x = operand_def(tensor("T1", LABELS))
    y = result_def(tensor("T2", LABELS))
    cats_int64s = ints_attr()
    cats_strings = strs_attr()
    default_int64 = int_attr(-1)
    default_string = str_attr("_Unused")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        integers, strings = self.attr("cats_int64s") or (), self.attr("cats_strings") or ()
        if len(integers) != len(strings):
            raise self.fail("ITG2206", f"cats_int64s has {len(integers)} entries, cats_strings {len(strings)}")
        return (shapes.of(self.x),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (i64 if element_of(self.x) == STRING else STRING,)


@operator(since=4)
class LabelEncoderOp(OnnxOp):
    """Looks each element up among the keys and gives the value beside it, or the default.

    https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html
    Exactly one of the `keys_*` and one of the `values_*` is given; NaN is a key like any other.
    """

    name = "onnx_ml.LabelEncoder"
    x = operand_def(tensor("T1", ENCODABLE))
    y = result_def(tensor("T2", ENCODABLE))
    default_float = float_attr(-0.0)
    default_int64 = int_attr(-1)
    default_string = str_attr("_Unused")
    default_tensor = tensor_attr()
    keys_floats = floats_attr()
    keys_int64s = ints_attr()
    keys_strings = strs_attr()
    keys_tensor = tensor_attr()
    values_floats = floats_attr()
    values_int64s = ints_attr()
    values_strings = strs_attr()
    values_tensor = tensor_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        keys, values = self._table(shapes, KEYS), self._table(shapes, VALUES)
        if keys[0] != element_of(self.x):
            raise self.fail("ITG2204", f"keys of {keys[0]} cannot be looked up in a tensor of {element_of(self.x)}")
        if keys[1] != values[1]:
            raise self.fail("ITG2206", f"there are {keys[1]} keys, but {values[1]} values")
        return (shapes.of(self.x),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (self._table(shapes, VALUES)[0],)

    def _table(self, shapes: Shapes, names: tuple[str, ...]) -> tuple[Attribute, int]:
        """(element type, length) of the one list among `names` that is given."""
        name = one_of(self, *names)
        if not name.endswith("_tensor"):
            return ELEMENTS[name.split("_")[1]], len(self.attr(name))
        table = getattr(self, name)
        if isinstance(table, DenseIntOrFPElementsAttr):
            return table.get_element_type(), len(table)
        if isinstance(table, WeightAttr) and table.id.data in shapes.weights:
            array = shapes.weights[table.id.data]
            return BY_NUMPY[array.dtype].ir, array.size
        raise self.fail("ITG2207", f"{name} holds {table}, which is no tensor of this module")
