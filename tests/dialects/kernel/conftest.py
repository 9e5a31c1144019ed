"""A fixture that instantiates a kernel for numpy arrays, compiles it through LLVM and runs it on them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from intaglio.backends.llvm import Machine, emit_kernel
from intaglio.dialects.kernel import Kernel, ParameterKind, instantiate
from intaglio.dialects.onnx.types import BY_NUMPY
from intaglio.passes.codegen.lower_executables import take_units
from intaglio.passes.verify import check_dominance
from xdsl.dialects import func


def types_of(kernel: Kernel, values: dict[str, Any]) -> dict[str, Any]:
    names = [p.name for p in kernel.parameters if p.kind.is_array]
    given = {name: values[name] for name in names if name in values}
    return {name: None if a is None else (BY_NUMPY[a.dtype].ir, a.ndim) for name, a in given.items()}


def compile_kernel(kernel: Kernel, values: dict[str, Any]) -> func.FuncOp:
    attrs = {p.name: values[p.name] for p in kernel.parameters if p.kind is ParameterKind.ATTR and p.name in values}
    function = instantiate(kernel, kernel.name, types_of(kernel, values), attrs)
    function.verify()
    check_dominance(function)
    return function


@pytest.fixture(scope="session")
def machine() -> Machine:
    return Machine(level=2)


@pytest.fixture
def run(machine: Machine) -> Callable[..., None]:
    """run(kernel, name=value, ..): arrays are contiguous and updated in place; begin, end: the units to do."""

    def run_(kernel: Kernel, *, begin: int = 0, end: int = 1, **values: Any) -> None:
        function = compile_kernel(kernel, values)
        take_units(function)
        library = machine.load([machine.compile(emit_kernel(function, target=machine.attributes, export=True))])
        arrays = [values[p.name] for p in kernel.parameters if p.kind.is_array and values.get(p.name) is not None]
        assert all(a.flags["C_CONTIGUOUS"] for a in arrays)
        sizes = [values[p.name] for p in kernel.parameters if p.kind is ParameterKind.SIZE]
        constants = [d for a in arrays for d in a.shape] + sizes
        pointers = (ctypes.c_void_p * max(1, len(arrays)))(*[a.ctypes.data for a in arrays])
        call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        call(library.address(kernel.name))(pointers, (ctypes.c_int64 * max(1, len(constants)))(*constants), begin, end)

    return run_


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def compile_for() -> Callable[[Kernel, dict[str, Any]], func.FuncOp]:
    return compile_kernel
