"""What the tests of com.microsoft's operators share: one node in ONNX Runtime and compiled, over fixed and over open sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import intaglio
import numpy as np
import onnx
import onnxruntime
import pytest
from intaglio.compiler.importer import ImportFailed
from onnx import helper

DOMAIN = "com.microsoft"


def model_of(
    op: str,
    inputs: Sequence[np.ndarray | None],
    outputs: Sequence[str] | int,
    attributes: dict[str, Any],
    *,
    open_dims: bool = False,
    domain: str = DOMAIN,
    constants: Sequence[int] = (),
    types: Sequence[int] = (),
    dims: dict[int, Sequence[str]] | None = None,
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model of one node and what to feed it. Open dimensions have names of their own, or those of `dims`; types: of the outputs."""
    results = [f"y{n}" for n in range(outputs)] if isinstance(outputs, int) else list(outputs)
    names = ["" if x is None else f"x{n}" for n, x in enumerate(inputs)]
    node = helper.make_node(op, names, results, domain=domain, **attributes)
    values, held, feeds = [], [], {}
    for n, (name, x) in enumerate(zip(names, inputs, strict=True)):
        if x is None:
            continue
        if n in constants:
            held.append(onnx.numpy_helper.from_array(x, name))
            continue
        shape: Any = [f"{name}_{k}" for k in range(x.ndim)] if open_dims else x.shape
        if open_dims and dims and n in dims:
            shape = [int(d) if d.isdigit() else d for d in dims[n]]
        values.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), shape))
        feeds[name] = x
    found = [onnx.ValueInfoProto(name=r) for r in results if r]
    for info, kind in zip(found, types, strict=False):
        info.type.tensor_type.elem_type = kind
    graph = helper.make_graph([node], "g", values, found, held)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feeds


def reference_of(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def check_close(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], rtol: float, atol: float, quanta: int) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if ours.dtype.kind in "iu" and quanta:
            assert np.abs(ours.astype(np.int64) - theirs.astype(np.int64)).max(initial=0) <= quanta
        elif ours.dtype.kind in "iubO":
            np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_allclose(ours.astype(np.float64), theirs.astype(np.float64), rtol=rtol, atol=atol)


@pytest.fixture
def agrees() -> Callable[..., list[np.ndarray]]:
    """Runs an operator with fixed and with open sizes and compares both with ONNX Runtime, or with `expected`; gives the results."""

    def run(
        op: str,
        *inputs: np.ndarray | None,
        outputs: Sequence[str] | int = 1,
        rtol: float = 1e-4,
        atol: float = 1e-5,
        quanta: int = 0,
        expected: Sequence[np.ndarray] | None = None,
        domain: str = DOMAIN,
        constants: Sequence[int] = (),
        dims: dict[int, Sequence[str]] | None = None,
        sizes: Sequence[bool] = (False, True),
        types: Sequence[int] = (),
        **attributes: Any,
    ) -> list[np.ndarray]:
        for open_dims in sizes:
            model, feeds = model_of(
                op, inputs, outputs, attributes, open_dims=open_dims, domain=domain, constants=constants, dims=dims, types=types
            )
            if expected is None:
                expected = reference_of(model, feeds)
            found = intaglio.InferenceSession(model, opt_level=0).run(None, feeds)
            check_close(found, expected, rtol, atol, quanta)
        assert expected is not None
        return list(expected)

    return run


@pytest.fixture
def codes() -> Callable[..., list[str]]:
    """The codes of the problems that an operator's node has, with their messages for the test to look into."""

    def run(
        op: str,
        *inputs: np.ndarray | None,
        outputs: Sequence[str] | int = 1,
        domain: str = DOMAIN,
        constants: Sequence[int] = (),
        **attributes: Any,
    ) -> list[str]:
        model, _ = model_of(op, inputs, outputs, attributes, domain=domain, constants=constants)
        with pytest.raises(ImportFailed) as failed:
            intaglio.compile(model)
        return [f"{p.code} {p.message}" for p in failed.value.problems]

    return run
