"""TensorProto to numpy and back, for every ONNX element type; the importer, the exporter, sessions and tests call it.

https://github.com/onnx/onnx/blob/main/docs/IR.md#tensor-definition. Types that numpy lacks are those of ml_dtypes: one
element a byte in memory where the type has fewer than 8 bits, its unused high bits zero; packed on the wire.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from .errors import TensorError
from .external import Folder, external_bytes, is_external
from .onnx_pb2 import SparseTensorProto, TensorProto

# A sparse tensor's file says nothing of how large it unfolds; beyond this it is taken for a mistake or an attack.
MAX_DENSE_BYTES = 16 << 30
_MAX_RANK = 64  # numpy's own

_FIELDS = {
    "float_data": np.dtype(np.float32),
    "int32_data": np.dtype(np.int32),
    "int64_data": np.dtype(np.int64),
    "double_data": np.dtype(np.float64),
    "uint64_data": np.dtype(np.uint64),
    "string_data": np.dtype(object),
}


@dataclass(frozen=True, slots=True)
class ElementType:
    """One element type.

    number: TensorProto.DataType; name: as in the specification, upper case; dtype: of numpy or ml_dtypes, object for
    strings; bits: of one element in raw data (0 for strings); field: the TensorProto field used where raw_data is not.
    """

    number: int
    name: str
    dtype: np.dtype
    bits: int
    field: str

    @property
    def text(self) -> str:
        """The name in type strings: "tensor(float)" has "float"."""
        return self.name.lower()

    @property
    def is_packed(self) -> bool:
        """Whether an element takes less than a byte in raw data."""
        return 0 < self.bits < 8

    def raw_bytes(self, count: int) -> int:
        """The number of bytes that `count` elements take in raw data."""
        return (count * self.bits + 7) // 8


def _row(number: int, name: str, dtype: Any, bits: int, field: str) -> ElementType:
    return ElementType(number, name, np.dtype(dtype), bits, field)


ELEMENT_TYPES = (
    _row(1, "FLOAT", np.float32, 32, "float_data"),
    _row(2, "UINT8", np.uint8, 8, "int32_data"),
    _row(3, "INT8", np.int8, 8, "int32_data"),
    _row(4, "UINT16", np.uint16, 16, "int32_data"),
    _row(5, "INT16", np.int16, 16, "int32_data"),
    _row(6, "INT32", np.int32, 32, "int32_data"),
    _row(7, "INT64", np.int64, 64, "int64_data"),
    _row(8, "STRING", object, 0, "string_data"),
    _row(9, "BOOL", np.bool_, 8, "int32_data"),
    _row(10, "FLOAT16", np.float16, 16, "int32_data"),
    _row(11, "DOUBLE", np.float64, 64, "double_data"),
    _row(12, "UINT32", np.uint32, 32, "uint64_data"),
    _row(13, "UINT64", np.uint64, 64, "uint64_data"),
    _row(14, "COMPLEX64", np.complex64, 64, "float_data"),
    _row(15, "COMPLEX128", np.complex128, 128, "double_data"),
    _row(16, "BFLOAT16", ml_dtypes.bfloat16, 16, "int32_data"),
    _row(17, "FLOAT8E4M3FN", ml_dtypes.float8_e4m3fn, 8, "int32_data"),
    _row(18, "FLOAT8E4M3FNUZ", ml_dtypes.float8_e4m3fnuz, 8, "int32_data"),
    _row(19, "FLOAT8E5M2", ml_dtypes.float8_e5m2, 8, "int32_data"),
    _row(20, "FLOAT8E5M2FNUZ", ml_dtypes.float8_e5m2fnuz, 8, "int32_data"),
    _row(21, "UINT4", ml_dtypes.uint4, 4, "int32_data"),
    _row(22, "INT4", ml_dtypes.int4, 4, "int32_data"),
    _row(23, "FLOAT4E2M1", ml_dtypes.float4_e2m1fn, 4, "int32_data"),
    _row(24, "FLOAT8E8M0", ml_dtypes.float8_e8m0fnu, 8, "int32_data"),
    _row(25, "UINT2", ml_dtypes.uint2, 2, "int32_data"),
    _row(26, "INT2", ml_dtypes.int2, 2, "int32_data"),
    _row(27, "FLOAT6E2M3", ml_dtypes.float6_e2m3fn, 6, "int32_data"),
    _row(28, "FLOAT6E3M2", ml_dtypes.float6_e3m2fn, 6, "int32_data"),
)
_BY_NUMBER = {kind.number: kind for kind in ELEMENT_TYPES}
_BY_DTYPE = {kind.dtype: kind for kind in ELEMENT_TYPES}
_BY_TEXT = {kind.text: kind for kind in ELEMENT_TYPES}
_STRING = _BY_TEXT["string"]


def element_type(key: int | str | np.dtype | type, *, tensor: str = "") -> ElementType:
    """The element type with that DataType number, name ("float", "INT4") or dtype (strings: object, U, S and T kinds).

    tensor: whose type it is, for the message. Raises TensorError (ITG0201 for numbers and names, ITG0207 for dtypes).
    """
    if isinstance(key, int):
        found = _BY_NUMBER.get(key)
        shown = "UNDEFINED (0)" if key == 0 else str(key)
    elif isinstance(key, str):
        found = _BY_TEXT.get(key.lower())
        shown = f'"{key}"'
    else:
        return _of_dtype(np.dtype(key), tensor)
    if found is None:
        raise TensorError("ITG0201", f"element type {shown} is none that ONNX has", tensor=tensor)
    return found


def _of_dtype(dtype: np.dtype, tensor: str) -> ElementType:
    if dtype.kind in "OUST":
        return _STRING
    found = _BY_DTYPE.get(dtype.newbyteorder("=") if dtype.byteorder == ">" else dtype)
    if found is None:
        raise TensorError(
            "ITG0207", f"ONNX has no element type for arrays of {dtype}", tensor=tensor,
            hint="convert the array first, for example with .astype(numpy.float32)",
        )  # fmt: skip
    return found


def to_array(tensor: TensorProto, base_dir: Folder | None = None) -> np.ndarray:
    """The tensor's elements: shape as its dims, dtype as ELEMENT_TYPES says, C-contiguous, aligned, read-only.

    base_dir: the folder of the model, for elements that stand in an external file; these are mapped, not read, while
    their type and place allow it. Strings become an object array of str, decoded as UTF-8 with "surrogateescape", so
    that no byte is lost. The onnx package's own TensorProto will do as well.
    Sizes are checked before anything is allocated. Raises TensorError, and ModelFileError for the external file.
    """
    kind = element_type(tensor.data_type, tensor=tensor.name)
    shape = _shape(tensor.dims, kind, tensor.name)
    if tensor.HasField("segment"):
        raise TensorError("ITG0206", "it is stored in segments, which no ONNX release has defined", tensor=tensor.name)
    count = math.prod(shape)
    array = _elements(tensor, kind, count, base_dir).reshape(shape)
    array.setflags(write=False)
    return array


def _shape(dims: Any, kind: ElementType, name: str) -> tuple[int, ...]:
    shape = tuple(dims)
    if len(shape) > _MAX_RANK:
        raise TensorError("ITG0202", f"{len(shape)} dimensions, more than the {_MAX_RANK} there can be", tensor=name)
    if any(dim < 0 for dim in shape):
        raise TensorError("ITG0202", f"shape {_show(shape)} has a negative dimension", tensor=name)
    # numpy refuses by the product of the dimensions that are not 0.
    if math.prod(dim for dim in shape if dim) * kind.dtype.itemsize >= 1 << 63:
        raise TensorError("ITG0202", f"shape {_show(shape)} is larger than any memory", tensor=name)
    return shape


def _elements(tensor: TensorProto, kind: ElementType, count: int, base_dir: Folder | None) -> np.ndarray:
    """The elements, flat."""
    used = [field for field in _FIELDS if len(getattr(tensor, field))]
    external = is_external(tensor)
    raw = tensor.raw_data if not external and tensor.HasField("raw_data") else b""  # taken once: each look copies it
    sources = used + ["raw_data"] * bool(raw) + ["external_data"] * external
    if len(sources) > 1:
        raise _wrong_field(tensor, f"it has elements in {' and '.join(sources)} at once")
    if kind is _STRING:
        if raw or external:
            raise _wrong_field(tensor, f"strings cannot stand in {sources[0]}")
        return _strings(tensor, count)
    if external:
        return _from_raw(tensor, kind, count, external_bytes(tensor, base_dir, kind.raw_bytes(count)))
    if raw:
        return _from_raw(tensor, kind, count, np.frombuffer(raw, np.uint8))
    if used and used[0] != kind.field:
        raise _wrong_field(tensor, f"{kind.name} belongs in {kind.field} or raw_data, but it stands in {used[0]}")
    return _from_field(tensor, kind, count)


def _from_raw(tensor: TensorProto, kind: ElementType, count: int, data: np.ndarray) -> np.ndarray:
    _check_fill(tensor, kind, "bytes", len(data), kind.raw_bytes(count))
    if kind.is_packed:
        return _unpack(data, kind.bits, count).view(kind.dtype)
    return _as_bool(data) if kind.dtype == np.bool_ else _aligned(_swap_if_big(data, kind.dtype).view(kind.dtype))


def _from_field(tensor: TensorProto, kind: ElementType, count: int) -> np.ndarray:
    values = getattr(tensor, kind.field)
    # Two and four bits are packed into bytes here too; six bits are not.
    packed = kind.bits in (2, 4)
    needed = kind.raw_bytes(count) if packed else count * 2 if kind.dtype.kind == "c" else count
    _check_fill(tensor, kind, f"entries in {kind.field}", len(values), needed)
    wide = np.array(values, _FIELDS[kind.field])
    if kind.dtype.kind == "c":
        return wide.view(kind.dtype)
    if kind.dtype == wide.dtype:
        return wide
    narrow = _narrow(tensor, kind, wide)
    if packed:
        return _unpack(narrow, kind.bits, count).view(kind.dtype)
    return _as_bool(narrow) if kind.dtype == np.bool_ else narrow.view(kind.dtype)


def _narrow(tensor: TensorProto, kind: ElementType, wide: np.ndarray) -> np.ndarray:
    """Field entries cut to as many bits as the type has: numbers for the integers, bit patterns for the rest."""
    width = np.dtype(f"u{kind.dtype.itemsize}")
    bits = kind.bits if kind.bits == 6 else width.itemsize * 8
    # Some writers sign-extend bit patterns: let both readings of the top bit pass. Real integers have one reading only.
    low = 0 if kind.dtype.kind == "u" or kind.bits == 6 else -(1 << bits - 1)
    high = (1 << (bits - 1 if kind.dtype.kind == "i" else bits)) - 1
    if wide.size and (int(wide.min()) < low or int(wide.max()) > high):
        worst = int(wide.min()) if int(wide.min()) < low else int(wide.max())
        raise TensorError(
            "ITG0205", f"{worst} in {kind.field} is no {kind.name}: entries go from {low} to {high}", tensor=tensor.name
        )
    return wide.astype(width)


def _strings(tensor: TensorProto, count: int) -> np.ndarray:
    _check_fill(tensor, _STRING, "entries in string_data", len(tensor.string_data), count)
    array = np.empty(count, object)
    array[:] = [text.decode("utf-8", "surrogateescape") for text in tensor.string_data]
    return array


def _unpack(data: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Elements of 2, 4 or 6 bits from a stream of bytes, lowest bits first, one a byte."""
    if bits == 6:
        return _unpack6(data)[:count]
    each = 8 // bits
    spread = np.empty((len(data), each), np.uint8)
    for slot in range(each):
        spread[:, slot] = data >> (bits * slot) & ((1 << bits) - 1)
    return spread.reshape(-1)[:count]


def _unpack6(data: np.ndarray) -> np.ndarray:
    """Four elements from every three bytes."""
    groups = np.zeros((-(-len(data) // 3), 3), np.uint8)
    groups.reshape(-1)[: len(data)] = data
    a, b, c = groups.T
    spread = np.stack((a, a >> 6 | b << 2, b >> 4 | c << 4, c >> 2), axis=1)
    spread &= 63
    return spread.reshape(-1)


def _pack(data: np.ndarray, bits: int) -> np.ndarray:
    """The inverse of _unpack; the last byte is filled up with zeros."""
    size = (len(data) * bits + 7) // 8
    each = 4 if bits == 6 else 8 // bits
    slots = np.zeros((-(-len(data) // each), each), np.uint8)
    slots.reshape(-1)[: len(data)] = data & ((1 << bits) - 1)
    if bits == 6:
        a, b, c, d = slots.T
        return np.stack((a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2), axis=1).reshape(-1)[:size]
    slots <<= np.arange(0, 8, bits, dtype=np.uint8)
    return np.bitwise_or.reduce(slots, axis=1)


def _as_bool(data: np.ndarray) -> np.ndarray:
    # numpy takes a bool's byte to be 0 or 1 and computes nonsense from others.
    return (data != 0) if data.size and data.max() > 1 else data.view(np.bool_)


def _aligned(array: np.ndarray) -> np.ndarray:
    return array if array.flags.aligned else array.copy()


def _swap_if_big(data: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bytes in the other order on a big-endian machine; complex numbers are two floats."""
    width = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    return data if sys.byteorder == "little" or width == 1 else data.reshape(-1, width)[:, ::-1].reshape(-1)


def from_array(array: Any, name: str | None = None) -> TensorProto:
    """A tensor of the array's shape and elements, in raw_data; strings (str or bytes) in string_data.

    The array is copied. Raises TensorError (ITG0207) for a dtype that ONNX lacks.
    """
    array = np.asarray(array)
    kind = element_type(array.dtype, tensor=name or "")
    tensor = TensorProto(dims=array.shape, data_type=kind.number)
    if name is not None:
        tensor.name = name
    if kind is _STRING:
        tensor.string_data.extend(_encoded(item, name) for item in array.reshape(-1))
    else:
        tensor.raw_data = raw_bytes(array)
    return tensor


def raw_bytes(array: np.ndarray) -> bytes:
    """The elements as raw_data has them: row-major, little-endian, packed if under 8 bits. Not for strings."""
    kind = element_type(array.dtype)
    flat = np.ascontiguousarray(array, kind.dtype).reshape(-1)
    if kind.is_packed:
        return _pack(flat.view(np.uint8), kind.bits).tobytes()
    return _swap_if_big(flat.view(np.uint8), kind.dtype).tobytes()


def _encoded(item: Any, name: str | None) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogateescape")
    if isinstance(item, bytes):
        return item
    raise TensorError(
        "ITG0207", f"an object array may hold str and bytes, not {type(item).__name__}", tensor=name or "",
        hint="give numbers as an array of a numeric dtype",
    )  # fmt: skip


def sparse_to_dense(sparse: SparseTensorProto, base_dir: Folder | None = None) -> np.ndarray:
    """The dense array of shape sparse.dims: zero (empty for strings) but for the values at the indices.

    indices: INT64, [NNZ, rank] or linear [NNZ], in ascending order, none twice. Raises TensorError (ITG0208, or what
    its two tensors raise); a dense form over MAX_DENSE_BYTES is refused before it is allocated.
    """
    name = sparse.values.name
    values = to_array(sparse.values, base_dir)
    kind = element_type(sparse.values.data_type)
    shape = _shape(sparse.dims, kind, name)
    if values.ndim != 1:
        raise TensorError("ITG0208", f"sparse values have shape {_show(values.shape)}, not one dimension", tensor=name)
    size = math.prod(shape)
    if size * kind.dtype.itemsize > MAX_DENSE_BYTES:
        raise TensorError(
            "ITG0202", f"sparse shape {_show(shape)} unfolds to {size * kind.dtype.itemsize} bytes; "
            f"at most {MAX_DENSE_BYTES} are unfolded", tensor=name,
        )  # fmt: skip
    places = _linear_indices(to_array(sparse.indices, base_dir), shape, len(values), name)
    dense = np.full(size, "", object) if kind is _STRING else np.zeros(size, kind.dtype)
    dense[places] = values
    dense = dense.reshape(shape)
    dense.setflags(write=False)
    return dense


def _linear_indices(indices: np.ndarray, shape: tuple[int, ...], count: int, name: str) -> np.ndarray:
    if indices.dtype != np.int64:
        kind = element_type(indices.dtype)
        raise TensorError("ITG0208", f"sparse indices must be INT64, not {kind.name}", tensor=name)
    if indices.shape not in ((count,), (count, len(shape))):
        raise TensorError(
            "ITG0208", f"sparse indices have shape {_show(indices.shape)}; {count} values in {len(shape)} dimensions "
            f"need [{count}] or [{count}, {len(shape)}]", tensor=name,
        )  # fmt: skip
    bounds = np.array(shape if indices.ndim == 2 else (math.prod(shape),), np.int64)
    if indices.size and ((indices < 0) | (indices >= bounds)).any():
        raise TensorError("ITG0208", f"a sparse index is outside the shape {_show(shape)}", tensor=name)
    if indices.ndim == 2:
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        indices = indices @ np.array(strides, np.int64)
    if (indices[1:] <= indices[:-1]).any():
        raise TensorError("ITG0208", "sparse indices must ascend, none twice", tensor=name)
    return indices


def _check_fill(tensor: TensorProto, kind: ElementType, unit: str, given: int, needed: int) -> None:
    if given == needed:
        return
    hint = "the file is damaged, or its writer wrong: export the model again"
    if not given:
        hint = "its weights were left out of the file: give the model with its weights"
    raise TensorError(
        "ITG0203", f"{given or 'no'} {unit}, but {kind.name} of shape {_show(tensor.dims)} takes {needed}",
        tensor=tensor.name, hint=hint,
    )  # fmt: skip


def _wrong_field(tensor: TensorProto, message: str) -> TensorError:
    return TensorError("ITG0204", message, tensor=tensor.name, hint="its writer is wrong: export the model again")


def _show(shape: Any) -> str:
    return "[" + ", ".join(map(str, shape)) + "]" if len(shape) <= 16 else f"of {len(shape)} dimensions"
