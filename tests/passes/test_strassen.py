"""Products by Strassen's algorithm: its numbers, which products take it, and results against float64 for odd, open and many rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.backends.target import host_target, named_target  # noqa: E402
from intaglio.compiler.lowering import lower_model  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from intaglio.passes.onnx import choose_strassen  # noqa: E402
from intaglio.passes.strassen import FEWEST_ROWS, LEFT, RESULT, RIGHT, STRETCH  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

node = helper.make_node

CPUS = [c for c in ("host", "x86-64-v3", "x86-64") if c == "host" or host_target().triple.startswith("x86_64")]
CPUS = [c for c in CPUS if named_target(c).vector_bytes <= host_target().vector_bytes]
"""16, 8 and 4 lanes, as far as this machine has them."""


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every product that can goes by the algorithm, whatever is faster."""
    monkeypatch.setattr(choose_strassen, "WORTH", 100.0)


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def network(nodes: Sequence[Any], x: Sequence[int | str], constants: dict[str, np.ndarray], outputs: Sequence[str] = ("y",)) -> bytes:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
    kept = [numpy_helper.from_array(a, n) for n, a in constants.items()]
    graph = helper.make_graph(list(nodes), "network", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)], values, kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def product(rows: Sequence[int | str], depth: int, columns: int) -> bytes:
    return network([node("MatMul", ["x", "w"], ["y"])], [*rows, depth], {"w": draw(depth, columns, seed=1)})


def fast(model: bytes, **options: Any) -> int:
    """How many products go by the algorithm."""
    found: list[int] = []

    def reached(level: str, module: Any) -> None:
        if level == "onnx":
            found.append(sum(op.name == "fused.strassen_matmul" for op in module.walk()))

    lower_model(model, Options(**options), observe=reached)
    return found[0]


def run(model: bytes, x: np.ndarray, *, cpu: str = "host", threads: int = 1) -> list[np.ndarray]:
    return intaglio.compile(model, cpu=cpu, opt_level=1, cache=False).session(num_threads=threads).run(None, {"x": x})


def near(got: np.ndarray, wanted: np.ndarray) -> bool:
    return got.shape == wanted.shape and bool(np.abs(got - wanted).max(initial=0) <= 4e-6 * np.abs(wanted).max(initial=1))


def test_seven_products_make_a_matrix_product() -> None:
    a, b = np.arange(1, 5), np.arange(7, 11)
    made = RESULT @ ((LEFT @ a) * (RIGHT @ b))
    assert np.array_equal(made.reshape(2, 2), a.reshape(2, 2) @ b.reshape(2, 2))


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(("rows", "depth"), [((96,), 96), ((3, 51), 64), ((2, 450), 32), ((102,), 1600)])
def test_rows(always: None, cpu: str, rows: tuple[int, ...], depth: int) -> None:
    """Whole tiles, an odd number of rows, several stretches of tiles, blocks of K that go by in several steps."""
    model, x = product(rows, depth, 128), draw(*rows, depth)
    assert fast(model, cpu=cpu) == 1
    assert near(run(model, x, cpu=cpu)[0], x.astype(np.float64) @ draw(depth, 128, seed=1))


@pytest.mark.parametrize("depth", [96, 1600])
def test_open_rows(always: None, depth: int) -> None:
    """Too few, none, and any number of rows left over by whole tiles."""
    session = intaglio.compile(product(["N"], depth, 64), opt_level=1, cache=False).session(num_threads=1)
    for rows in (0, 1, FEWEST_ROWS - 1, FEWEST_ROWS, 112, 113, 119, 127, 131, 2 * STRETCH + 1):
        x = draw(rows, depth)
        assert near(session.run(None, {"x": x})[0], x.astype(np.float64) @ draw(depth, 64, seed=1)), rows


@pytest.mark.parametrize("rows", [[2, 65], ["N", "S"]])
def test_epilogues_and_heads(always: None, rows: list[int | str]) -> None:
    """Bias, activation and residual in the kernel; a result that is split into heads where it is stored; sums made once for both."""
    constants = {"w": draw(64, 128, seed=1), "b": draw(128, seed=2), "v": draw(64, 64, seed=3), "s": np.array([0, 0, 4, 16])}
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Gelu", ["a"], ["y"]),
        node("MatMul", ["x", "v"], ["n"]),
        node("Add", ["n", "x"], ["r"]),
        node("Reshape", ["r", "s"], ["h"]),
        node("Transpose", ["h"], ["z"], perm=[0, 2, 1, 3]),
    ]
    model, x = network(nodes, [*rows, 64], constants, ["y", "z"]), draw(2, 65, 64)
    assert fast(model) == 2
    y, z = run(model, x)
    wide = x.astype(np.float64)
    a = wide @ constants["w"] + constants["b"]
    erf = np.vectorize(__import__("math").erf)
    assert near(y, a * (1 + erf(a / np.sqrt(2))) / 2)
    assert near(z, (wide @ constants["v"] + wide).reshape(2, 65, 4, 16).transpose(0, 2, 1, 3))


def test_threads_agree() -> None:
    model, x = product([256], 768, 768), draw(256, 768)
    assert fast(model) == 1
    one, two = (run(model, x, threads=n)[0] for n in (1, 2))
    assert np.array_equal(one, two)


def test_infinite_rows_spoil_no_more_than_their_pair(always: None) -> None:
    x = draw(120, 64)
    x[7, 3], x[40, 0] = np.inf, np.nan
    (got,) = run(product([120], 64, 64), x)
    clean = [n for n in range(120) if n not in (6, 7, 40, 41)]
    assert near(got[clean], x[clean].astype(np.float64) @ draw(64, 64, seed=1))
    assert not np.isfinite(got[[7, 40]]).any()


@pytest.mark.parametrize(
    ("rows", "depth", "columns", "taken"),
    [([256], 768, 3072, 1), ([197], 768, 2304, 1), (["N", "S"], 768, 768, 1), ([1500], 384, 384, 0), ([49], 768, 3072, 0)],
)
def test_what_is_chosen(rows: list[int | str], depth: int, columns: int, taken: int) -> None:
    model = network([node("MatMul", ["x", "w"], ["y"])], [*rows, depth], {"w": np.zeros((depth, columns), np.float32)})
    assert fast(model, cpu="x86-64-v4") == taken


def test_shorter_vectors_choose_it_too() -> None:
    assert fast(product([256], 768, 1536), cpu="x86-64-v3") == 1


def test_it_can_be_turned_off() -> None:
    assert fast(product([256], 768, 768)) == 1
    assert fast(product([256], 768, 768), winograd=False) == 0
