"""What a case computes at one version, by what was written when: ONNX Runtime, the reference of ONNX, or the case's own function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from version_cases.model import Case


def expected(case: Case, model: onnx.ModelProto, types: Sequence[int]) -> tuple[str, list[Any]]:
    """Who tells, and the outputs. types: the outputs' element types. Raises AssertionError where nobody can tell."""
    if case.want is not None:
        found = case.want(*case.feeds.values())
        return "case", list(found) if isinstance(found, tuple) else [found]
    refused: list[str] = []
    for name, run in _ORACLES.items():
        if case.by in ("", name):
            try:
                return name, run(case, model, types)
            except Exception as error:
                refused.append(f"{name}: {str(error)[:200]}")
    raise AssertionError(f"nobody runs {case.op}; give the case a function `want`:\n" + "\n".join(refused))


def _by_runtime(case: Case, model: onnx.ModelProto, types: Sequence[int]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    for info, number in zip(typed.graph.output, types, strict=True):
        info.type.tensor_type.elem_type = number
    return list(onnxruntime.InferenceSession(typed.SerializeToString(), options).run(None, case.fed()))


def _by_reference(case: Case, model: onnx.ModelProto, types: Sequence[int]) -> list[Any]:
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(model).run(None, case.fed()))  # pyright: ignore[reportArgumentType]


_ORACLES = {"runtime": _by_runtime, "reference": _by_reference}


def same(found: Sequence[Any], wanted: Sequence[Any], near: float) -> None:
    """Raises AssertionError where outputs differ in number, type, shape or value."""
    assert len(found) == len(wanted), f"{len(found)} outputs, not {len(wanted)}"
    for a, b in zip(map(np.asarray, found), map(np.asarray, wanted), strict=True):
        assert a.shape == b.shape, f"shape {a.shape}, not {b.shape}"
        if a.dtype == object or b.dtype.kind in "OUS":
            assert a.tolist() == b.tolist()
            continue
        assert a.dtype == b.dtype, f"{a.dtype}, not {b.dtype}"
        if a.dtype.kind in "biu":
            np.testing.assert_array_equal(a, b)
        else:
            wide = np.complex128 if a.dtype.kind == "c" else np.float64
            np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=near, atol=near)
