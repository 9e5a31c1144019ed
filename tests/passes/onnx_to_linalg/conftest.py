"""What the lowering tests share: an operator, or a small graph, compiled and run on arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import intaglio
import numpy as np
import onnx
import pytest
from onnx import helper


def run_operator(
    op: str,
    *inputs: np.ndarray | None,
    open_dims: bool | Sequence[int] = False,
    outputs: int = 1,
    constants: Sequence[int] = (),
    **attributes: Any,
) -> Any:
    """One operator compiled and run: its result, or a list of the first `outputs`.

    None is an input left out; open_dims leaves the dimensions of every input (or of those numbered) to the run; constants: the inputs
    that the model holds.
    """
    names = ["" if x is None else f"x{n}" for n, x in enumerate(inputs)]
    results = [f"y{n}" for n in range(outputs)]
    node = helper.make_node(op, names, results, **attributes)
    values, held, feeds = [], [], {}
    for n, (name, x) in enumerate(zip(names, inputs, strict=True)):
        if x is None:
            continue
        if n in constants:
            held.append(onnx.numpy_helper.from_array(np.asarray(x), name))
            continue
        is_open = open_dims if isinstance(open_dims, bool) else n in open_dims
        shape: Any = [f"{name}_{k}" for k in range(x.ndim)] if is_open else x.shape
        values.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), shape))
        feeds[name] = x
    graph = helper.make_graph([node], "g", values, [onnx.ValueInfoProto(name=r) for r in results], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=11)
    found = intaglio.compile(model, opt_level=1).session().run(None, feeds)
    return found[0] if outputs == 1 else found


@pytest.fixture
def run() -> Callable[..., Any]:
    """`run_operator`, see there."""
    return run_operator
