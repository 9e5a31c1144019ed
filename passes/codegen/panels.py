"""Other panels for constant weights that are packed already: a schedule's other half, which the search changes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import DenseArrayBase, FunctionType, TensorType, i64
from xdsl.ir import BlockArgument

from ...dialects.dispatch import BLOCK, CallOp, ContractOp, WeightOp
from .schedules import is_of_bytes, panel_width

Weights = dict[str, np.ndarray]


def packed_weights(contract: ContractOp, calls: Sequence[CallOp]) -> list[WeightOp]:
    """The weights that the calls of a contraction's executable give as its right operand, in panels; none where one of them is no weight,
    or lies otherwise."""
    if contract.kind.data not in ("matmul", "conv") or is_of_bytes(contract) or not contract.layout.get_values()[1]:
        return []
    if not isinstance(contract.rhs, BlockArgument):
        return []
    owners = [call.tensors[contract.rhs.index].owner for call in calls]
    return [o for o in owners if isinstance(o, WeightOp)] if all(isinstance(o, WeightOp) for o in owners) else []


def columns_of(contract: ContractOp) -> int | None:
    """Columns of the result, filled up to whole blocks in a convolution; None where they are not known."""
    shape = contract.result.type.get_shape() if contract.shape is None else contract.shape.get_values()
    columns = int(shape[1]) * BLOCK if contract.kind.data == "conv" else int(shape[-1])
    return columns if columns >= 0 else None


def set_panel_width(exe: func.FuncOp, contract: ContractOp, calls: Sequence[CallOp], weights: Weights, width: int) -> None:
    """Has panels of `width` columns in the executable, and its calls' weights packed so; they are such as `packed_weights` finds."""
    columns, number = columns_of(contract), cast(BlockArgument, contract.rhs).index
    assert columns is not None
    if panel_width(contract) == width:
        return
    for call, weight in zip(calls, packed_weights(contract, calls), strict=True):
        id = f"{weight.id.data}:panels{width}"
        if id not in weights:
            weights[id] = repacked(weights[weight.id.data], columns, width)
        packed = WeightOp(id, TensorType(weight.result.type.element_type, weights[id].shape))
        packed.location = weight.location
        assert call.parent is not None
        call.parent.insert_op_before(packed, call)
        call.operands[number] = packed.result
    old = exe.body.block.args[number]
    new = exe.body.block.insert_arg(calls[0].tensors[number].type, number)
    old.replace_all_uses_with(new)
    exe.body.block.erase_arg(old)
    exe.function_type = FunctionType.from_lists([a.type for a in exe.body.block.args], list(exe.function_type.outputs.data))
    if contract.kind.data == "matmul":
        contract.layout = DenseArrayBase.from_list(i64, [*(int(n) for n in contract.layout.get_values()[:3]), width])


def repacked(array: np.ndarray, columns: int, width: int) -> np.ndarray:
    """Panels (P, .., w) of so many columns as (P', .., width), zero beyond the columns."""
    whole = np.moveaxis(array, 0, -2)
    whole = whole.reshape(*whole.shape[:-2], -1)[..., :columns]
    whole = np.pad(whole, [(0, 0)] * (whole.ndim - 1) + [(0, -columns % width)])
    return np.ascontiguousarray(np.moveaxis(whole.reshape(*whole.shape[:-1], -1, width), -2, 0))
