"""Sequences, maps and optionals to lists, dicts and None, and back; sessions and test data go through it.

A value is an array, a list of values, a dict from int or str to values, or None (an optional that is empty).
https://github.com/onnx/onnx/blob/main/docs/IR.md#optional-sequence-and-map-types
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .errors import TensorError
from .external import Folder
from .files import load_message
from .onnx_data_pb2 import MapProto, OptionalProto, SequenceProto
from .onnx_pb2 import SparseTensorProto, TensorProto
from .tensors import ElementType, element_type, from_array, sparse_to_dense, to_array

ValueProto = TensorProto | SparseTensorProto | SequenceProto | MapProto | OptionalProto

# Below protobuf's limit of 100 messages, at two messages a level: what is written here can be read again.
_MAX_DEPTH = 48

# Kind number (of SequenceProto and OptionalProto alike) to: field of a sequence, field of an optional, message.
_KINDS: dict[int, tuple[str, str, type]] = {
    SequenceProto.TENSOR: ("tensor_values", "tensor_value", TensorProto),
    SequenceProto.SPARSE_TENSOR: ("sparse_tensor_values", "sparse_tensor_value", SparseTensorProto),
    SequenceProto.SEQUENCE: ("sequence_values", "sequence_value", SequenceProto),
    SequenceProto.MAP: ("map_values", "map_value", MapProto),
    SequenceProto.OPTIONAL: ("optional_values", "optional_value", OptionalProto),
}
_KIND_OF = {message.DESCRIPTOR.name: kind for kind, (_, _, message) in _KINDS.items()}
# A value's kind as the fields of TypeProto name it.
_MESSAGES: dict[str, type] = {
    "tensor_type": TensorProto,
    "sparse_tensor_type": SparseTensorProto,
    "sequence_type": SequenceProto,
    "map_type": MapProto,
    "optional_type": OptionalProto,
}


def load_value(source: str | os.PathLike[str] | bytes, kind: str = "tensor_type") -> Any:
    """The value in a .pb file or its bytes.

    kind: what it holds, as TypeProto's oneof names it: "tensor_type", "sparse_tensor_type", "sequence_type", "map_type"
    or "optional_type"; the file does not say. Raises ModelFileError and TensorError.
    """
    message = _MESSAGES.get(kind)
    if message is None:
        raise TensorError("ITG0209", f"{kind!r} is no kind of value; there are {', '.join(_MESSAGES)}")
    return to_value(load_message(message(), source))


def to_value(proto: ValueProto, base_dir: Folder | None = None) -> Any:
    """The value of any of the value messages; sparse tensors come dense. base_dir: as for to_array.

    The onnx package's own messages will do as well. Raises TensorError, and ModelFileError for external data.
    """
    return _value(proto, base_dir, 0)


def from_value(value: Any, name: str | None = None) -> TensorProto | SequenceProto | MapProto | OptionalProto:
    """The message for a value: a list is a sequence, a dict a map, None an empty optional, all else a tensor.

    An optional that is not empty is not to be told from what it holds: ask for it with optional_of.
    Raises TensorError: elements of several kinds, keys of several kinds, no ONNX element type, nested too deep.
    """
    return _message(value, name, 0)


def optional_of(value: Any, name: str | None = None) -> OptionalProto:
    """An optional that holds the value, or nothing for None."""
    proto = OptionalProto()
    if name is not None:
        proto.name = name
    if value is None:
        proto.elem_type = OptionalProto.UNDEFINED
        return proto
    held = from_value(value)
    proto.elem_type = _KIND_OF[held.DESCRIPTOR.name]
    getattr(proto, _KINDS[proto.elem_type][1]).CopyFrom(held)
    return proto


def _value(proto: Any, base_dir: Folder | None, depth: int) -> Any:
    _check_depth(depth, proto)
    # By name: the onnx package's classes are others, and its names are the same.
    match proto.DESCRIPTOR.name:
        case "TensorProto":
            return to_array(proto, base_dir)
        case "SparseTensorProto":
            return sparse_to_dense(proto, base_dir)
        case "SequenceProto":
            return _list(proto, base_dir, depth)
        case "MapProto":
            return _dict(proto, base_dir, depth)
        case "OptionalProto":
            return _optional(proto, base_dir, depth)
        case other:
            raise TensorError("ITG0209", f"{other} is no value")


def _list(proto: SequenceProto, base_dir: Folder | None, depth: int) -> list[Any]:
    used = {kind: field for kind, (field, _, _) in _KINDS.items() if len(getattr(proto, field))}
    # The onnx package writes an empty sequence without a type.
    if proto.elem_type not in _KINDS and proto.elem_type != SequenceProto.UNDEFINED:
        raise TensorError("ITG0209", f"there is no sequence of element type {proto.elem_type}", tensor=proto.name)
    if set(used) - {proto.elem_type}:
        raise TensorError(
            "ITG0209", f"a sequence of element type {proto.elem_type} has elements in {', '.join(used.values())}",
            tensor=proto.name,
        )  # fmt: skip
    if not used:
        return []
    return [_value(item, base_dir, depth + 1) for item in getattr(proto, used[proto.elem_type])]


def _dict(proto: MapProto, base_dir: Folder | None, depth: int) -> dict[int | str, Any]:
    kind = element_type(proto.key_type, tensor=proto.name)
    if kind.name == "STRING":
        keys: list[Any] = [key.decode("utf-8", "surrogateescape") for key in proto.string_keys]
    elif _is_key(kind):
        keys = list(proto.keys)
    else:
        raise TensorError("ITG0209", f"a map's keys are integers or strings, not {kind.name}", tensor=proto.name)
    values = _value(proto.values, base_dir, depth + 1)
    if len(proto.keys) + len(proto.string_keys) != len(keys) or len(keys) != len(values):
        raise TensorError(
            "ITG0209", f"a map of {kind.name} keys has {len(proto.keys)} integer keys, {len(proto.string_keys)} string "
            f"keys and {len(values)} values", tensor=proto.name,
        )  # fmt: skip
    if len(set(keys)) != len(keys):
        raise TensorError("ITG0209", "a map has a key twice", tensor=proto.name)
    return dict(zip(keys, values, strict=True))


def _is_key(kind: ElementType) -> bool:
    return kind.dtype.kind in "iu" and kind.bits >= 8


def _optional(proto: OptionalProto, base_dir: Folder | None, depth: int) -> Any:
    used = {kind: field for kind, (_, field, _) in _KINDS.items() if proto.HasField(field)}
    if proto.elem_type not in _KINDS and proto.elem_type != OptionalProto.UNDEFINED:
        raise TensorError("ITG0209", f"there is no optional of element type {proto.elem_type}", tensor=proto.name)
    if set(used) - {proto.elem_type}:
        raise TensorError(
            "ITG0209", f"an optional of element type {proto.elem_type} has a value in {', '.join(used.values())}",
            tensor=proto.name,
        )  # fmt: skip
    return _value(getattr(proto, used[proto.elem_type]), base_dir, depth + 1) if used else None


def _message(value: Any, name: str | None, depth: int) -> Any:
    _check_depth(depth, value)
    if value is None:
        return optional_of(None, name)
    if isinstance(value, list | tuple):
        return _sequence(list(value), name, depth)
    if isinstance(value, dict):
        return _map(value, name, depth)
    return from_array(value, name)


def _sequence(items: list[Any], name: str | None, depth: int) -> SequenceProto:
    held = [_message(item, None, depth + 1) for item in items]
    kinds = {message.DESCRIPTOR.name for message in held} or {"TensorProto"}
    if len(kinds) > 1:
        raise TensorError(
            "ITG0209", f"a sequence holds {' and '.join(sorted(kinds))}; its elements must be of one kind",
            tensor=name or "",
        )  # fmt: skip
    proto = SequenceProto(elem_type=_KIND_OF[kinds.pop()])
    if name is not None:
        proto.name = name
    getattr(proto, _KINDS[proto.elem_type][0]).extend(held)
    return proto


def _map(items: dict[Any, Any], name: str | None, depth: int) -> MapProto:
    keys = list(items)
    proto = MapProto(values=_sequence(list(items.values()), None, depth + 1))
    if name is not None:
        proto.name = name
    if keys and all(isinstance(key, str | bytes) for key in keys):
        proto.key_type = TensorProto.STRING
        proto.string_keys.extend(
            key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key for key in keys
        )
        return proto
    if not all(isinstance(key, int | np.integer) and -(1 << 63) <= key < 1 << 63 for key in keys):
        raise TensorError("ITG0209", "a map's keys must all be strings, or all 64-bit integers", tensor=name or "")
    widths = {key.dtype for key in keys if isinstance(key, np.integer)}
    proto.key_type = element_type(widths.pop() if len(widths) == 1 else np.dtype(np.int64)).number
    proto.keys.extend(int(key) for key in keys)
    return proto


def _check_depth(depth: int, value: Any) -> None:
    if depth > _MAX_DEPTH:
        raise TensorError(
            "ITG0209", f"values are nested more than {_MAX_DEPTH} deep", context=f"down to a {type(value).__name__}"
        )
