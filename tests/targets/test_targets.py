"""Every strategy's code on every kind of processor: in this process where the processor has what it takes, AArch64 under an emulator."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from cases import CASES  # noqa: E402
from intaglio.backends.target import host_target, named_target  # noqa: E402
from intaglio.passes.onnx import choose_winograd  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

NATIVE = ("x86-64-v4", "x86-64-v3", "x86-64")
"""AVX-512, AVX2 and SSE2."""

NEON = [("cortex-a72", name) for name in CASES] + [
    ("cortex-a76", name) for name in CASES if any(w in name for w in ("half", "brain", "integer"))
]
"""The second computes on halves, and has dot products of bytes."""


@pytest.fixture(autouse=True)
def winograd_where_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    """By tiles of four, however small the layer."""
    possible = choose_winograd.is_possible
    monkeypatch.setattr(choose_winograd, "chosen", lambda op, shapes, machine: 4 if possible(op, shapes) else 0)


@cache
def expected(name: str) -> list[np.ndarray]:
    case = CASES[name]
    return ReferenceEvaluator(case.model()).run(None, {"x": case.x})  # type: ignore[return-value]


def check(name: str, session: intaglio.InferenceSession) -> None:
    case = CASES[name]
    found = session.run(None, {"x": case.x})
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
    check(name, intaglio.compile(CASES[name].model(), cpu=cpu, opt_level=2).session(num_threads=1))


@pytest.mark.parametrize(("cpu", "name"), NEON)
def test_on_aarch64(cpu: str, name: str) -> None:
    pytest.importorskip("unicorn", reason="AArch64 code runs under unicorn, of the extra [test]")
    from emulator import emulated

    check(name, emulated(intaglio.compile(CASES[name].model(), cpu=cpu, opt_level=2).core))
