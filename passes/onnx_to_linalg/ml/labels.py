"""Mapping labels: look-up in sorted tables, of numbers and of the numbers that strings have."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....dialects.kernel import Array, Out, kernel
from ....dialects.onnx.base import WeightAttr
from ....dialects.onnx.ml.labels import KEYS, VALUES, CategoryMapperOp, LabelEncoderOp
from ....dialects.onnx.types import BY_NUMPY, ElementType
from ...scalar import INT64, STRING
from ..builder import Lowering, Tensor, element_type
from ..registry import lower


@kernel
def look_up(x: Array, keys: Array, values: Array, otherwise: Array, y: Out):
    """values[k] where keys[k] is the element, keys sorted; otherwise[0] where none is, otherwise[1] for NaN."""
    for i in range(x.size):
        y[i] = otherwise[0]
        low = 0
        high = keys.size
        while low < high:
            middle = (low + high) // 2
            if keys[middle] < x[i]:
                low = middle + 1
            else:
                high = middle
        if low < keys.size and keys[low] == x[i]:
            y[i] = values[low]
        if x[i] != x[i]:
            y[i] = otherwise[1]


@lower(LabelEncoderOp)
def label_encoder(b: Lowering, op: LabelEncoderOp, x: Tensor) -> Tensor:
    result = element_type(op.y)
    keys = _list(b, op, KEYS, x.type)
    values = _list(b, op, VALUES, result)
    return _looked_up(b, x, keys, values, _default(b, op, result), result)


@lower(CategoryMapperOp)
def category_mapper(b: Lowering, op: CategoryMapperOp, x: Tensor) -> Tensor:
    integers, strings = np.asarray(op.attr("cats_int64s") or (), np.int64), b.texts.numbers(op.attr("cats_strings") or ())
    if x.type is STRING:
        return _looked_up(b, x, strings, integers, op.attr("default_int64"), INT64)
    return _looked_up(b, x, integers, strings, b.texts.number(op.attr("default_string")), STRING)


def _looked_up(b: Lowering, x: Tensor, keys: np.ndarray, values: np.ndarray, default: Any, result: ElementType) -> Tensor:
    """values[k] where keys[k] is the element, else the default; strings go by their numbers."""
    if result is STRING:
        return b.retype(_looked_up(b, x, keys, values, default, INT64), STRING)
    if x.type is STRING:
        x = b.retype(x, INT64)
    sorted_keys, first = np.unique(keys, return_index=True)  # NaN is sorted last, and is one key
    unknown = sorted_keys != sorted_keys
    nan = values[first[unknown]] if unknown.any() else default
    otherwise = np.array([default, nan[0] if unknown.any() else default], result.stored)
    table, found = sorted_keys[~unknown], values[first[~unknown]]
    arrays: dict[str, Any] = {
        "x": b.reshape(x, (x.size,)),
        "keys": b.constant(table, x.type),
        "values": b.constant(found, result),
        "otherwise": b.constant(otherwise, result),
        "y": ((x.size,), result),
    }
    return b.reshape(b.kernel(look_up, arrays)[0], x.shape)


def _list(b: Lowering, op: LabelEncoderOp, names: tuple[str, ...], type: ElementType) -> np.ndarray:
    """The one list among `names` that is given; strings as their numbers."""
    name = next(n for n in names if getattr(op, n) is not None and (n.endswith("_tensor") or op.attr(n)))
    given = np.asarray(tensor_of(b, op, name) if name.endswith("_tensor") else op.attr(name), type.numpy).reshape(-1)
    return b.texts.numbers(given) if type is STRING else given


def tensor_of(b: Lowering, op: Any, name: str) -> np.ndarray | None:
    """A tensor attribute as an array; None where it is absent."""
    attribute = getattr(op, name)
    if attribute is None:
        return None
    if isinstance(attribute, WeightAttr):
        return np.asarray(b.weights[attribute.id.data])
    return np.array(attribute.get_values()).astype(_dtype(attribute)).reshape(attribute.get_shape())


def _dtype(attribute: Any) -> np.dtype:
    element = attribute.get_element_type()
    return next(dtype for dtype, known in BY_NUMPY.items() if known.ir == element)


def _default(b: Lowering, op: LabelEncoderOp, type: ElementType) -> Any:
    given = tensor_of(b, op, "default_tensor")
    kind = "string" if type is STRING else "float" if type.is_float else "int64"
    value = op.attr(f"default_{kind}") if given is None else np.asarray(given, type.numpy).reshape(-1)[0]
    return b.texts.number(value) if type is STRING else np.asarray(value).astype(type.numpy)
