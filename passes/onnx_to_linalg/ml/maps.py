"""Maps: a list of two rows, the keys and the values. Rows of scores become maps, and maps become rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import DYNAMIC_INDEX, TensorType
from xdsl.ir import Attribute, SSAValue

from ....dialects import lists
from ....dialects.kernel import Array, Out, cast, check, kernel
from ....dialects.onnx.ml.features import CastMapOp, DictVectorizerOp, ZipMapOp
from ....dialects.onnx.types import BY_IR, ElementType, MapType
from ...scalar import INT64, STRING, storage
from ..builder import List, Lowering, Tensor, element_type
from ..lists import append, empty
from ..registry import lower
from ..rounds import Rounds
from ..tensor import converted
from ..texts import tied
from .scoring import class_labels


@lower(ZipMapOp)
def zip_map(b: Lowering, op: ZipMapOp, x: Tensor) -> List:
    labels = class_labels(b, op, "classlabels_int64s")
    rows = x if x.rank == 2 else b.reshape(x, (1, x.shape[0]))
    keys = b.retype(b.constant(np.asarray(labels.values, np.int64), INT64), labels.type)
    count = b.dim(rows.shape[0])
    rounds = Rounds(b)
    found = rounds.carry(empty(b).value)

    def body(state: Sequence[SSAValue]) -> dict[int, SSAValue]:
        values = b.slab(rows, state[Rounds.COUNT])
        row = append(b, append(b, empty(b), keys), values)
        return {found: append(b, List(state[found]), row).value}

    state = rounds.run(lambda state: b.emit(arith.CmpiOp(state[Rounds.COUNT], count, "slt")), body)
    return List(state[found])


def _rows(b: Lowering, x: List, type: Attribute) -> tuple[Tensor, Tensor]:
    """The keys and the values of a map, of one length."""
    assert isinstance(type, MapType)
    value = type.value if type.value in BY_IR else type.value.element_type  # pyright: ignore[reportAttributeAccessIssue]
    keys, count = _row(b, x, 0, BY_IR[type.key])
    values, _ = _row(b, x, 1, BY_IR[value])
    size = b.new_dim(count)
    return tied(b, keys, size, BY_IR[type.key]), tied(b, values, size, BY_IR[value])


def _row(b: Lowering, x: List, position: int, type: ElementType) -> tuple[SSAValue, SSAValue]:
    op = lists.AtOp(x.value, b.dim(position), TensorType(storage(type), [DYNAMIC_INDEX]), 1)
    b.emit(op)
    return op.value, op.dims[0]


@kernel
def by_key(keys: Array, values: Array, y: Out):
    """The values in the order of their keys, which are distinct."""
    for i in range(keys.size):
        place = 0
        for k in range(keys.size):
            if keys[k] < keys[i] or (keys[k] == keys[i] and k < i):
                place += 1
        y[place] = values[i]


@kernel
def at_key(keys: Array, values: Array, y: Out):
    """Each value at the place that its key says; elsewhere what y was filled with."""
    for i in range(y.size):
        y[i] = cast(0, y)
    for i in range(keys.size):
        inside = keys[i] >= 0 and keys[i] < y.size
        check(inside, "ITG5050")
        if inside:
            y[int(keys[i])] = values[i]


@lower(CastMapOp)
def cast_map(b: Lowering, op: CastMapOp, x: List) -> Tensor:
    keys, values = _rows(b, x, op.x.type)
    values = converted(b, values, element_type(op.y))
    if op.attr("map_form") == "DENSE":
        b.define_result_dim(op.y, 1, b.dim(keys.shape[0]))
        (row,) = b.kernel(by_key, {"keys": keys, "values": values, "y": (values.shape, values.type)})
    else:
        (row,) = b.kernel(at_key, {"keys": keys, "values": values, "y": ((op.attr("max_map"),), values.type)})
    return b.reshape(row, b.shapes.of(op.y))


@kernel
def in_vocabulary(keys: Array, values: Array, words: Array, places: Array, y: Out):
    """Each value at the place of its key in the vocabulary, whose words ascend; a key that is not there counts for nothing."""
    for i in range(y.size):
        y[i] = cast(0, y)
    for i in range(keys.size):
        low = 0
        high = words.size
        while low < high:
            middle = (low + high) // 2
            if words[middle] < keys[i]:
                low = middle + 1
            else:
                high = middle
        if low < words.size and words[low] == keys[i]:
            y[int(places[low])] = values[i]


@lower(DictVectorizerOp)
def dict_vectorizer(b: Lowering, op: DictVectorizerOp, x: List) -> Tensor:
    keys, values = _rows(b, x, op.x.type)
    strings = op.attr("string_vocabulary")
    words = b.texts.numbers(strings) if strings else np.asarray(op.attr("int64_vocabulary"), np.int64)
    order = np.argsort(words, kind="stable")
    arrays: dict[str, Any] = {
        "keys": b.retype(keys, INT64) if keys.type is STRING else keys,
        "values": values,
        "words": b.constant(words[order], INT64),
        "places": b.constant(order.astype(np.int64), INT64),
        "y": ((len(words),), values.type),
    }
    return b.reshape(b.kernel(in_vocabulary, arrays)[0], b.shapes.of(op.y))
