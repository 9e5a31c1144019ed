"""Products with powers of two: rounded once at both ends of the range, by the processor's instruction and in two steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from intaglio.backends.llvm import Machine

SOURCE = """
func.func @k(%x : memref<?x{float}>, %b : memref<?x{int}>, %y : memref<?x{float}>, %begin : index, %end : index) attributes {{noalias}} {{
  %z = arith.constant 0 : index
  %c = arith.constant 1 : index
  %n = arith.constant {count} : index
  scf.for %i = %z to %n step %c {{
    %a = memref.load %x[%i] : memref<?x{float}>
    %k = memref.load %b[%i] : memref<?x{int}>
    %r = "dispatch.scale"(%a, %k) : ({float}, {int}) -> {float}
    memref.store %r, %y[%i] : memref<?x{float}>
  }}
  func.return
}}
"""


@pytest.mark.parametrize("cpu", ["host", "plain"])
@pytest.mark.parametrize(("dtype", "integer", "least", "most"), [(np.float32, "i32", -151, 129), (np.float64, "i64", -1080, 1026)])
def test_rounded_once(dtype: type, integer: str, least: int, most: int, cpu: str, compile_kernel, host: Machine) -> None:
    machine = replace(host)
    if cpu == "plain":
        machine.__dict__["attributes"] = replace(host.attributes, vector_width=0)
    powers = np.arange(least, most).repeat(3)
    x = np.random.default_rng(0).uniform(0.7, 1.5, powers.size).astype(dtype)
    x[::7] = np.nan
    bits = (powers + 1.5 * 2.0 ** np.finfo(dtype).nmant).astype(dtype).view(f"i{np.dtype(dtype).itemsize}")
    y = np.zeros_like(x)
    kernel = compile_kernel(SOURCE.format(float=f"f{8 * y.itemsize}", int=integer, count=y.size), machine)
    kernel([x, bits, y])
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_array_equal(y, np.ldexp(x, powers))
