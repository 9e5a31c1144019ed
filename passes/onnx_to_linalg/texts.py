"""Strings in lowerings: the pool of texts that the model names, and tensors of strings as bytes. See dialects/texts for what they are.

`Bytes` is what kernels that look into strings take and give: where each text begins, and the bytes of them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from xdsl.ir import SSAValue

from ...dialects import texts
from ...dialects.dispatch import ReshapeOp
from ...dialects.onnx.dims import Dim, Shape, product
from ...dialects.onnx.types import BY_NAME, ElementType
from ..scalar import INT64, STRING

if TYPE_CHECKING:
    from .builder import Lowering, Tensor

UINT8 = BY_NAME["uint8"]


class TextPool:
    """The numbers of the texts that a model names; "" is 0."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def numbers(self, strings: np.ndarray | Iterable[str]) -> np.ndarray:
        """The numbers of an array's strings, int64 of its shape."""
        array = strings if isinstance(strings, np.ndarray) else np.array(list(strings), object)
        flat = [self.number(s if isinstance(s, str) else bytes(s).decode("utf-8", "surrogateescape")) for s in array.flat]
        return np.array(flat, np.int64).reshape(array.shape)

    def weights(self) -> dict[str, np.ndarray]:
        """The texts as the weights that a program with a pool has."""
        packed = texts.pack(list(self._numbers))
        return {texts.OFFSETS: packed.offsets, texts.BYTES: packed.bytes}


@dataclass(frozen=True)
class Bytes:
    """Texts one after the other. offsets: (n + 1,) int64; bytes: (total,) uint8."""

    offsets: Tensor
    bytes: Tensor


def bytes_of(b: Lowering, x: Tensor) -> Bytes:
    """The strings of a tensor, in row-major order."""
    count = x.size
    op = texts.BytesOp(flat(b, x).value, b.dim(count))
    b.emit(op)
    total = b.new_dim(op.total)
    return Bytes(tied(b, op.offsets, count + 1, INT64), tied(b, op.bytes, total, UINT8))


def enter(b: Lowering, text: Bytes, shape: Shape) -> Tensor:
    """A tensor of strings from their bytes, in row-major order."""
    count = product(shape)
    op = texts.EnterOp(text.offsets.value, text.bytes.value, b.dim(count), b.dim(text.bytes.shape[0]))
    b.emit(op)
    return b.reshape(tied(b, op.numbers, count, STRING), shape)


def flat(b: Lowering, x: Tensor) -> Tensor:
    return b.reshape(x, (x.size,))


def tied(b: Lowering, value: SSAValue, size: Dim, type: ElementType) -> Tensor:
    """A row that the host program made, of a size that is known."""
    from .builder import Tensor

    return Tensor(b, b.emit(ReshapeOp(value, b.dims((size,)), b.tensor_type((size,), type))), (size,), type)
