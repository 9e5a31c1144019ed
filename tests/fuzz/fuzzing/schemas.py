"""What the operators' schemas say of themselves: the newest version of each, and the element types that its parameters take."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.defs import OpSchema

DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.preview")
VERSIONS = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview.training": 1, "ai.onnx.preview": 1}
STRING = TensorProto.STRING
FLOATS = (TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BFLOAT16)
INT64, INT32, BOOL, FLOAT, UINT8, INT8 = (getattr(TensorProto, name) for name in ("INT64", "INT32", "BOOL", "FLOAT", "UINT8", "INT8"))


@cache
def schemas() -> dict[str, OpSchema]:
    """The newest version of every operator by its name; no two domains share one."""
    found: dict[str, OpSchema] = {}
    for schema in onnx.defs.get_all_schemas():
        known = found.get(schema.name)
        if schema.domain in DOMAINS and (known is None or schema.since_version > known.since_version):
            found[schema.name] = schema
    return dict(sorted(found.items()))


@cache
def types(operator: str, text: str) -> tuple[int, ...]:
    """The element types of the tensors that a type parameter ("T"), or a type ("tensor(int64)"), of an operator allows."""
    allowed = next((c.allowed_type_strs for c in schemas()[operator].type_constraints if c.type_param_str == text), [text])
    names = (re.fullmatch(r"tensor\((\w+)\)", one) for one in allowed)
    return tuple(sorted(getattr(TensorProto, name[1].upper()) for name in names if name))


@cache
def dtype(type: int) -> np.dtype:
    return np.dtype(object) if type == STRING else helper.tensor_dtype_to_np_dtype(type)


@cache
def type_of(dtype: np.dtype) -> int:
    return STRING if dtype.kind in "OUST" else helper.np_dtype_to_tensor_dtype(dtype)
