"""Mapping labels: look-up of numbers in sorted tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....dialects.kernel import Array, Out, kernel
from ....dialects.onnx.base import WeightAttr
from ....dialects.onnx.ml.labels import KEYS, VALUES, LabelEncoderOp
from ....dialects.onnx.types import BY_NUMPY
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
    if "string" in (x.type.name, result.name):
        raise b.unsupported("labels that are strings cannot be compiled yet")
    keys = _list(b, op, KEYS, x.type.numpy)
    values = _list(b, op, VALUES, result.numpy)
    default = _default(b, op, result.numpy)
    sorted_keys, first = np.unique(keys, return_index=True)  # NaN is sorted last, and is one key
    unknown = sorted_keys != sorted_keys
    nan = values[first[unknown]] if unknown.any() else default
    otherwise = np.array([default, nan[0] if unknown.any() else default], result.numpy)
    table, found = sorted_keys[~unknown], values[first[~unknown]]
    arrays: dict[str, Any] = {
        "x": b.reshape(x, (x.size,)),
        "keys": b.constant(table, x.type),
        "values": b.constant(found, result),
        "otherwise": b.constant(otherwise, result),
        "y": ((x.size,), result),
    }
    return b.reshape(b.kernel(look_up, arrays)[0], x.shape)


def _list(b: Lowering, op: LabelEncoderOp, names: tuple[str, ...], dtype: np.dtype) -> np.ndarray:
    """The one list among `names` that is given."""
    name = next(n for n in names if getattr(op, n) is not None and (n.endswith("_tensor") or op.attr(n)))
    return np.asarray(tensor_of(b, op, name) if name.endswith("_tensor") else op.attr(name), dtype).reshape(-1)


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


def _default(b: Lowering, op: LabelEncoderOp, dtype: np.dtype) -> Any:
    given = tensor_of(b, op, "default_tensor")
    if given is not None:
        return np.asarray(given, dtype).reshape(-1)[0]
    return np.asarray(op.attr("default_float" if dtype.kind == "f" else "default_int64")).astype(dtype)
