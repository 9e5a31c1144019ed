"""Fixtures that carry a kernel written as text through emission, LLVM and the JIT, and call it on numpy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import ml_dtypes
import numpy as np
import pytest
from intaglio.backends.llvm import Library, Machine, emit_kernel
from intaglio.dialects.dispatch import DISPATCH
from xdsl.context import Context
from xdsl.dialects import arith, builtin, func, math, memref, scf, vector
from xdsl.parser import Parser

NUMPY = {
    "i1": np.bool_,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "index": np.int64,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
}


def parse(source: str) -> list[func.FuncOp]:
    context = Context()
    for dialect in (arith.Arith, builtin.Builtin, DISPATCH, func.Func, math.Math, memref.MemRef, scf.Scf, vector.Vector):
        context.load_dialect(dialect)
    return [op for op in Parser(context, source).parse_module().ops if isinstance(op, func.FuncOp)]


class Runner:
    """Compiles a kernel's text, with the kernel ABI, and calls it."""

    def __init__(self, source: str, machine: Machine) -> None:
        (kernel,) = parse(source)
        self.ir = emit_kernel(kernel, target=machine.attributes, export=True)
        self.library: Library = machine.load([machine.compile(self.ir)])
        address = self.library.address(kernel.sym_name.data)
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)

    def __call__(self, buffers: Sequence[np.ndarray], constants: Sequence[int] = (), begin: int = 0, end: int = 1) -> None:
        pointers = (ctypes.c_void_p * len(buffers))(*[buffer.ctypes.data for buffer in buffers])
        self.call(pointers, (ctypes.c_int64 * max(len(constants), 1))(*constants), begin, end)


@pytest.fixture(scope="session")
def host() -> Machine:
    return Machine(level=2)


@pytest.fixture
def compile_kernel(host: Machine) -> Callable[..., Runner]:
    def compile_(source: str, machine: Machine | None = None) -> Runner:
        return Runner(source, machine or host)

    return compile_


@pytest.fixture
def numpy_type() -> Callable[[str], type]:
    return NUMPY.__getitem__


@pytest.fixture
def functions() -> Callable[[str], list[func.FuncOp]]:
    return parse
