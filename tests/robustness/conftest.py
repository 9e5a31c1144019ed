"""What the tests of wrong files share: models made of one node, and the checks that every error has to pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import intaglio
import numpy as np
import onnx
import pytest
from intaglio.compiler.importer import ImportFailed
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
Dims = Sequence[int | str | None] | None


@pytest.fixture
def graph() -> Callable[..., onnx.ModelProto]:
    """Makes a model of nodes, float inputs by name with their dims, and arrays by name."""

    def make(
        nodes: Sequence[onnx.NodeProto],
        inputs: dict[str, Dims | tuple[int, Dims]],
        arrays: dict[str, np.ndarray] | None = None,
        outputs: Sequence[str] = ("y",),
        opsets: dict[str, int] | None = None,
    ) -> onnx.ModelProto:
        typed = [(name, dims if isinstance(dims, tuple) else (FLOAT, dims)) for name, dims in inputs.items()]
        infos = [helper.make_tensor_value_info(name, kind, dims) for name, (kind, dims) in typed]
        weights = [numpy_helper.from_array(array, name) for name, array in (arrays or {}).items()]
        made = helper.make_graph(list(nodes), "g", infos, [onnx.ValueInfoProto(name=name) for name in outputs], initializer=weights)
        imports = [helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 20}).items()]
        return helper.make_model(made, opset_imports=imports, ir_version=9)

    return make


@pytest.fixture
def refused() -> Callable[..., list[intaglio.IntaglioError]]:
    """Compiles what must not compile; returns what is wrong with it, after checking that each fault says enough."""

    def check(model: Any, *codes: str, node: str | None = None) -> list[intaglio.IntaglioError]:
        with pytest.raises(intaglio.IntaglioError) as caught:
            intaglio.compile(model)
        problems = caught.value.problems if isinstance(caught.value, ImportFailed) else [caught.value]
        told = str(caught.value)
        assert "ITG90" not in told, f"an internal error: {told}"
        if codes:
            assert {problem.code for problem in problems} == set(codes), told
        for problem in problems:
            assert problem.hint or getattr(problem, "context", ""), f"says nothing of what to do: {problem}"
        assert node is None or f'"{node}"' in told, told
        return problems

    return check


@pytest.fixture
def session() -> Callable[[onnx.ModelProto], intaglio.InferenceSession]:
    return lambda model: intaglio.InferenceSession(model, opt_level=1)
