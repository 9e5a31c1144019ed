"""Dot products of bytes: exact, wrapping around, whatever the processor has for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from intaglio.backends.llvm import Machine, emit_kernel
from intaglio.backends.target import named_target

SOURCE = """
func.func @k(%a : memref<?xi8>, %b : memref<?xi8>, %c : memref<?xi32>, %begin : index, %end : index) attributes {{noalias}} {{
  %z = arith.constant 0 : index
  %x = vector.load %a[%z] : memref<?xi8>, vector<4xi8>
  %y = vector.load %b[%z] : memref<?xi8>, vector<{bytes}xi8>
  %s = vector.load %c[%z] : memref<?xi32>, vector<{lanes}xi32>
  %r = "dispatch.dot"(%s, %x, %y) {signed}: (vector<{lanes}xi32>, vector<4xi8>, vector<{bytes}xi8>) -> vector<{lanes}xi32>
  vector.store %r, %c[%z] : memref<?xi32>, vector<{lanes}xi32>
  func.return
}}
"""


def source(lanes: int, signed: bool) -> str:
    return SOURCE.format(lanes=lanes, bytes=4 * lanes, signed="<{signed}> " if signed else "")


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "plain"])
def test_exact(cpu: str, lanes: int, signed: bool, compile_kernel, host: Machine) -> None:
    machine = host if cpu in ("host", "plain") else Machine(cpu=cpu)
    if cpu == "x86-64-v3" and not host.attributes.triple.startswith("x86_64"):
        pytest.skip("for another architecture")
    if cpu == "plain":
        machine = replace(host)
        machine.__dict__["attributes"] = replace(host.attributes, dot={})
    kernel = compile_kernel(source(lanes, signed), machine)
    draw = np.random.default_rng(lanes)
    for n in range(8):
        a, b = (draw.choice([-128, 127] if n % 2 else np.arange(-128, 128), count).astype(np.int8) for count in (4, 4 * lanes))
        c = draw.integers(-(1 << 31), 1 << 31, lanes).astype(np.int32)
        left = a if signed else a.view(np.uint8)
        wanted = c.astype(np.int64) + b.reshape(lanes, 4).astype(np.int64) @ left.astype(np.int64)
        kernel([a, b, c])
        np.testing.assert_array_equal(c, wanted.astype(np.int32))


@pytest.mark.parametrize(
    ("cpu", "signed", "instruction"),
    [
        ("znver4", False, "vpdpbusd"),
        ("sapphirerapids", False, "vpdpbusd"),
        ("x86-64-v4", False, "vpmaddwd"),
        ("x86-64-v3", False, "vpmaddwd"),
        ("x86-64", False, "pmaddwd"),
        ("neoverse-n1", True, "sdot"),
        ("cortex-a72", False, "mul"),
    ],
)
def test_instructions(cpu: str, signed: bool, instruction: str, functions) -> None:
    target = named_target(cpu)
    assert target.signed_bytes == signed
    (kernel,) = functions(source(target.lanes(32), signed))
    machine = target.machine()
    assert instruction in machine.optimise(emit_kernel(kernel, target=machine.attributes)).assembly()
