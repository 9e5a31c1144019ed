"""Every strategy's code on every kind of processor: in this process where the processor has what it takes, AArch64 under an emulator."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from cases import CASES, prefer_winograd  # noqa: E402
from intaglio.backends.target import host_target, named_target  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

NATIVE = ("x86-64-v4", "x86-64-v3", "x86-64")
"""AVX-512, AVX2 and SSE2."""

NEON = [("cortex-a72", name) for name in CASES] + [
    ("cortex-a76", name) for name in CASES if any(w in name for w in ("half", "brain", "integer"))
]
"""The second computes on halves, and has dot products of bytes."""


@pytest.fixture(autouse=True)
def winograd_where_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    prefer_winograd(monkeypatch.setattr)


@cache
def expected(name: str) -> list[np.ndarray]:
    case = CASES[name]
    return ReferenceEvaluator(case.model()).run(None, {"x": case.x})  # type: ignore[return-value]


def check(name: str, found: list[np.ndarray]) -> None:
    case = CASES[name]
    for got, wanted in zip(found, expected(name), strict=True):
        wanted = np.asarray(wanted)
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        if wanted.dtype.kind in "iub":
            # Quantising may round the other way where a sum lies on the border.
            assert np.abs(got.astype(np.int64) - wanted.astype(np.int64)).max(initial=0) <= (got.dtype.itemsize == 1)
        else:
            wanted, got = wanted.astype(np.float64), got.astype(np.float64)
            np.testing.assert_allclose(got, wanted, rtol=case.tolerance, atol=case.tolerance * np.abs(wanted).max())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("cpu", NATIVE)
def test_natively(cpu: str, name: str) -> None:
    host, target = host_target(), named_target(cpu)
    if not host.triple.startswith("x86_64") or target.vector_bytes > host.vector_bytes:
        pytest.skip(f"this machine is no {cpu}")
    case = CASES[name]
    check(name, intaglio.compile(case.model(), cpu=cpu, opt_level=2).session(num_threads=1).run(None, {"x": case.x}))


@cache
def emulated(cpu: str) -> dict[str, list[np.ndarray] | str]:
    """What all cases of a processor give, or what went wrong."""
    command = [sys.executable, Path(__file__).with_name("run_emulated.py"), cpu, *(name for other, name in NEON if other == cpu)]
    return pickle.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600).stdout)


@pytest.mark.parametrize(("cpu", "name"), NEON)
def test_on_aarch64(cpu: str, name: str) -> None:
    pytest.importorskip("unicorn", reason="AArch64 code runs under unicorn, of the extra [test]")
    found = emulated(cpu)[name]
    assert not isinstance(found, str), found
    check(name, found)
