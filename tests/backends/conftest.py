"""Small programs at the hal level, written as text, and their compilation at a low level of optimisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from intaglio.backends.cpu import CpuProgram, build
from intaglio.backends.llvm import Machine
from intaglio.dialects.hal import HAL
from xdsl.context import Context
from xdsl.dialects import arith, builtin, func, math, memref, scf, vector
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

ADD = """
func.func @add(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %n: index, %begin: index, %end: index)
    attributes {"dispatch.kernel" = 1 : i64} {
  %one = arith.constant 1 : index
  scf.for %i = %begin to %end step %one {
    %x = memref.load %a[%i] : memref<?xf32>
    %y = memref.load %b[%i] : memref<?xf32>
    %z = arith.addf %x, %y : f32
    memref.store %z, %c[%i] : memref<?xf32>
  }
  func.return
}
"""

ADD_PROGRAM = (
    ADD
    + """
func.func @main(%x: !hal.buffer, %n: index, %y: !hal.buffer, %m: index) -> (!hal.buffer, index) attributes {
    "hal.inputs" = [{name = "x", element = 1 : i64, dims = ["N"]}, {name = "y", element = 1 : i64, dims = ["N"]}],
    "hal.outputs" = [{name = "z", element = 1 : i64, dims = ["N"]}]} {
  %four = arith.constant 4 : index
  %bytes = arith.muli %n, %four : index
  %z = hal.arena %bytes
  hal.dispatch @add workgroups(%n) buffers(%x, %y, %z) constants(%n)
  func.return %z, %n : !hal.buffer, index
}
"""
)


def _parse(source: str) -> ModuleOp:
    context = Context()
    for dialect in (arith.Arith, builtin.Builtin, func.Func, math.Math, memref.MemRef, scf.Scf, vector.Vector, HAL):
        context.load_dialect(dialect)
    module = Parser(context, source).parse_module()
    module.verify()
    return module


Compile = Callable[..., CpuProgram]


@pytest.fixture(scope="session")
def machine() -> Machine:
    return Machine(level=1)


@pytest.fixture(scope="session")
def compile_program(machine: Machine) -> Compile:
    def compile_(source: str, weights: Mapping[str, np.ndarray] | None = None, **options: object) -> CpuProgram:
        return build(_parse(source), weights or {}, machine=machine, **options)  # pyright: ignore[reportArgumentType]

    return compile_


@pytest.fixture
def add_program() -> str:
    """z = x + y, of N floats."""
    return ADD_PROGRAM


@pytest.fixture(scope="session")
def add_kernel() -> str:
    return ADD


@pytest.fixture
def parse_module() -> Callable[[str], ModuleOp]:
    return _parse
