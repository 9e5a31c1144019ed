"""Convolutions by Winograd's algorithm: the transforms, the error that is estimated and found, which layers take it, and its edges."""

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
from intaglio.passes.onnx import choose_winograd  # noqa: E402
from intaglio.passes.onnx_to_linalg.winograd import Machine, block_of_tiles  # noqa: E402
from intaglio.passes.winograd import POINTS, Axis, Tile, estimated_error, tiles, transform_weights, transforms  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

node = helper.make_node

CPUS = [c for c in ("host", "x86-64-v3", "x86-64") if c == "host" or host_target().triple.startswith("x86_64")]
CPUS = [c for c in CPUS if named_target(c).vector_bytes <= host_target().vector_bytes]
"""16, 8 and 4 lanes, as far as this machine has them."""


@pytest.fixture(params=[(4, 4), (2, 3), (5, 1)], ids=str)
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Every convolution that can goes by tiles of so many outputs down and across, whatever is faster."""
    possible = choose_winograd.is_possible
    monkeypatch.setattr(choose_winograd, "chosen", lambda op, shapes, machine: request.param if possible(op, shapes) else ())
    return request.param


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def convolved(x: np.ndarray, w: np.ndarray, pads: Sequence[int], strides: Sequence[int] = (1, 1)) -> np.ndarray:
    """In float64; pads: top, left, bottom, right."""
    top, left, bottom, right = pads
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))[:, :, :: strides[0], :: strides[1]]
    return np.einsum("nchwij,kcij->nkhw", windows, w, optimize=True)


def network(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[int | str], constants: dict[str, np.ndarray], more: Sequence[Any] = ()
) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(list(nodes), "network", [x, *more], [y], [numpy_helper.from_array(a, n) for n, a in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def algorithms(model: onnx.ModelProto, **options: Any) -> list[tuple[int, ...]]:
    """What each blocked convolution goes by."""
    found: list[tuple[int, ...]] = []

    def reached(level: str, module: Any) -> None:
        if level == "onnx":
            found.extend(op.attr("winograd") for op in module.walk() if op.name == "blocked.conv")

    lower_model(model.SerializeToString(), Options(**options), observe=reached)
    return found


def layer(
    images: int | str,
    channels: int,
    filters: int,
    height: int,
    width: int,
    pads: Sequence[int] = (1, 1, 1, 1),
    taps: Sequence[int] = (3, 3),
    strides: Sequence[int] = (1, 1),
) -> onnx.ModelProto:
    w = draw(filters, channels, *taps, seed=1)
    return network([node("Conv", ["x", "w"], ["y"], pads=pads, strides=strides)], [images, channels, height, width], {"w": w})


def worst(got: np.ndarray, wanted: np.ndarray) -> float:
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


FILTERS = [((3, 3), (1, 1)), ((3, 3), (2, 2)), ((1, 3), (1, 1)), ((3, 2), (2, 1)), ((5, 5), (1, 1)), ((5, 4), (2, 3)), ((7, 1), (1, 1))]
"""Taps and strides."""


@pytest.mark.parametrize(("taps", "strides"), FILTERS)
def test_transforms_convolve(taps: tuple[int, int], strides: tuple[int, int]) -> None:
    g = draw(2, 3, *taps)
    for tile in tiles(taps, strides):
        t, u, d = transforms(tile.down), transforms(tile.across), draw(tile.down.size, tile.across.size)
        transformed = transform_weights(g, tile)[:, 1, 2].reshape(d.shape)
        y = t.output @ (transformed * (t.input @ d @ u.input.T)) @ u.output.T
        wanted = convolved(d[None, None], g[1:, 2:], (0, 0, 0, 0), strides)[0, 0]
        assert y.shape == wanted.shape == (tile.down.outputs, tile.across.outputs)
        np.testing.assert_allclose(y, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("points", POINTS.values())
def test_points_are_exact(points: tuple[float, ...]) -> None:
    for number in (*transforms(Axis(2, len(points), 1)).input.flat, *points):
        assert float(np.float32(number)) == number


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    ("shape", "filters", "pads"),
    [
        ((1, 16, 8, 8), 16, (1, 1, 1, 1)),
        ((1, 32, 9, 11), 48, (1, 1, 1, 1)),  # a panel that is not full
        ((2, 20, 7, 13), 17, (2, 0, 1, 3)),  # channels that fill no block
        ((3, 40, 5, 5), 33, (0, 0, 0, 0)),
        ((1, 16, 1, 1), 16, (1, 1, 1, 1)),  # smaller than a tile
        ((1, 16, 3, 70), 16, (0, 1, 2, 0)),  # several blocks of tiles
        ((1, 16, 2, 3), 16, (3, 3, 3, 3)),  # outputs of nothing but padding
    ],
)
def test_planes(tile: tuple[int, int], cpu: str, shape: tuple[int, ...], filters: int, pads: Sequence[int]) -> None:
    model = layer(*shape[:2], filters, *shape[2:], pads)  # type: ignore[arg-type]
    assert algorithms(model, cpu=cpu) == [tile]
    x = draw(*shape)
    (y,) = intaglio.InferenceSession(model, cpu=cpu, opt_level=1).run(None, {"x": x})
    assert worst(y, convolved(x, draw(filters, shape[1], 3, 3, seed=1), pads)) < 5e-6


@pytest.mark.parametrize(
    ("shape", "pads", "taps", "strides", "outputs"),
    [
        ((1, 32, 13, 10), (1, 1, 1, 1), (3, 3), (2, 2), (2, 3)),
        ((2, 20, 9, 9), (0, 1, 1, 0), (3, 3), (2, 2), (4, 1)),
        ((1, 16, 8, 11), (0, 1, 0, 1), (3, 3), (1, 2), (4, 2)),
        ((1, 16, 5, 17), (0, 1, 0, 1), (1, 3), (1, 1), (1, 4)),
        ((1, 16, 17, 3), (3, 0, 3, 0), (7, 1), (1, 1), (3, 1)),
        ((1, 24, 9, 8), (2, 2, 2, 2), (5, 5), (1, 1), (2, 2)),
        ((1, 16, 12, 9), (1, 1, 1, 1), (4, 3), (3, 1), (3, 2)),
        ((1, 16, 2, 2), (1, 1, 1, 1), (3, 3), (2, 2), (5, 5)),
    ],
)
def test_filters(monkeypatch: pytest.MonkeyPatch, shape, pads, taps, strides, outputs) -> None:  # type: ignore[no-untyped-def]
    """Strides, and kernels of other sizes than 3 x 3."""
    monkeypatch.setattr(choose_winograd, "chosen", lambda op, shapes, machine: outputs)
    model, x = layer(*shape[:2], 24, *shape[2:], pads, taps, strides), draw(*shape)
    assert algorithms(model) == [outputs]
    (y,) = intaglio.InferenceSession(model, opt_level=1).run(None, {"x": x})
    assert worst(y, convolved(x, draw(24, shape[1], *taps, seed=1), pads, strides)) < 1e-5


@pytest.mark.parametrize("cpu", CPUS)
def test_epilogues(tile: tuple[int, int], cpu: str) -> None:
    """Bias, residual and activation are computed before the one store, at edges too."""
    constants = {"a": draw(24, 24, 3, 3), "b": draw(24, seed=2), "low": np.float32(-0.5), "high": np.float32(0.75)}
    nodes = [
        node("Conv", ["x", "a", "b"], ["c"], pads=[1, 1, 1, 1]),
        node("Add", ["c", "x"], ["s"]),
        node("Relu", ["s"], ["r"]),
        node("Conv", ["r", "a"], ["d"], pads=[1, 1, 1, 1]),
        node("Clip", ["d", "low", "high"], ["y"]),
    ]
    model, x = network(nodes, [2, 24, 10, 7], constants), draw(2, 24, 10, 7, seed=3)
    assert algorithms(model, cpu=cpu) == [tile, tile]
    (y,) = intaglio.InferenceSession(model, cpu=cpu, opt_level=1).run(None, {"x": x})
    hidden = np.maximum(convolved(x, constants["a"], (1, 1, 1, 1)) + constants["b"][:, None, None] + x, 0)
    assert np.abs(y - np.clip(convolved(hidden, constants["a"], (1, 1, 1, 1)), -0.5, 0.75)).max() < 1e-3


def test_no_images() -> None:
    (y,) = intaglio.InferenceSession(layer(0, 16, 16, 9, 6), opt_level=1).run(None, {"x": draw(0, 16, 9, 6)})
    assert y.shape == (0, 16, 9, 6)


def test_open_batch(tile: tuple[int, int]) -> None:
    model = layer("N", 16, 16, 9, 6)
    assert algorithms(model) == [tile]
    session = intaglio.InferenceSession(model, opt_level=1)
    for images in (0, 1, 3):
        x = draw(images, 16, 9, 6)
        (y,) = session.run(None, {"x": x})
        assert y.shape == x.shape
        assert not images or worst(y, convolved(x, draw(16, 16, 3, 3, seed=1), (1, 1, 1, 1))) < 5e-6


@pytest.mark.parametrize(("images", "channels", "height"), [(1, 32, 200), (2, 160, 16), ("N", 32, 90)])
def test_threads_agree(images: int | str, channels: int, height: int) -> None:
    """Units of many blocks, of panels, and of open batches."""
    program = intaglio.compile(layer(images, channels, channels, height, height))
    x = draw(3 if images == "N" else int(images), channels, height, height)
    one, more = (program.session(num_threads=n).run(None, {"x": x})[0] for n in (1, 3))
    np.testing.assert_array_equal(one, more)
    assert worst(one, convolved(x, draw(channels, channels, 3, 3, seed=1), (1, 1, 1, 1))) < 2e-5


@pytest.mark.parametrize(
    ("tiles", "channels", "filters", "block"),
    [
        (2, 16, 16, 2),  # too few to divide
        (16, 256, 256, 8),  # a half for each of two threads
        (49, 128, 128, 13),
        (196, 128, 32, 14),  # whole register tiles
        (784, 512, 512, 28),  # large weights: as seldom fetched as others
    ],
)
def test_blocks_of_tiles(tiles: int, channels: int, filters: int, block: int) -> None:
    assert block_of_tiles(tiles, 36, channels, filters, min(filters, 32), Machine()) == block


def test_open_planes_go_directly(tile: tuple[int, int]) -> None:
    w = draw(16, 16, 3, 3, seed=1)
    model = network([node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], [1, 16, "H", "W"], {"w": w})
    assert algorithms(model) == [()]


@pytest.mark.parametrize(
    ("layer", "outputs"),
    [
        (layer(1, 64, 64, 56, 56), (4, 7)),
        (layer(1, 256, 256, 14, 14), (4, 7)),
        (layer(1, 512, 512, 7, 7), (2, 3)),  # weights of large tiles take longer to read than products are saved
        (layer(8, 512, 512, 7, 7), (3, 7)),
        (layer(1, 64, 64, 1, 1), ()),
        (layer(1, 3, 64, 56, 56), ()),  # three channels are no block
        (layer(1, 128, 128, 56, 56, strides=(2, 2)), (4, 7)),
        (layer(1, 128, 128, 17, 17, (0, 1, 0, 1), (1, 3)), (1, 6)),
        (layer(1, 128, 128, 17, 17, (3, 0, 3, 0), (7, 1)), (3, 1)),
        (layer(1, 64, 64, 28, 28, (2, 2, 2, 2), (5, 5)), (4, 5)),
    ],
)
def test_what_is_chosen(layer: onnx.ModelProto, outputs: tuple[int, ...]) -> None:
    assert algorithms(layer, cpu="znver4") == [outputs]


def test_weights_from_memory_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose_winograd, "LAST_CACHE", 0)
    assert algorithms(layer(1, 256, 256, 14, 14), cpu="znver4") == [(2, 7)]


def test_fast_cores_read_fewer_weights() -> None:
    chosen = [algorithms(layer(1, 512, 512, 7, 7), cpu=cpu)[0] for cpu in ("znver4", "znver5")]
    assert chosen == [(2, 3), (1, 2)]


def test_it_can_be_turned_off() -> None:
    model, x = layer(1, 64, 64, 16, 16), draw(1, 64, 16, 16)
    assert algorithms(model) != [()]
    assert algorithms(model, winograd=False) == [()]
    wanted = convolved(x, draw(64, 64, 3, 3, seed=1), (1, 1, 1, 1))
    errors = [worst(intaglio.InferenceSession(model, opt_level=1, winograd=on).run(None, {"x": x})[0], wanted) for on in (True, False)]
    assert errors[1] < errors[0] < 5e-6


@pytest.mark.parametrize("channels", [16, 256])
def test_errors_are_as_estimated(tile: tuple[int, int], channels: int) -> None:
    x, w = draw(1, channels, 16, 16), draw(16, channels, 3, 3, seed=1)
    (y,) = intaglio.InferenceSession(layer(1, channels, 16, 16, 16), opt_level=1).run(None, {"x": x})
    wanted = convolved(x, w, (1, 1, 1, 1))
    found = np.sqrt(np.mean((y - wanted) ** 2) / np.mean(wanted**2))
    assert 0.3 < found / estimated_error(w, Tile.of(tile, (3, 3), (1, 1))) < 1.5


@pytest.mark.parametrize(("most", "outputs"), [(5e-5, (4, 7)), (3e-6, (2, 4)), (1e-8, ())])
def test_precision_is_a_condition(monkeypatch: pytest.MonkeyPatch, most: float, outputs: tuple[int, ...]) -> None:
    monkeypatch.setattr(choose_winograd, "MOST_ERROR", most)
    assert algorithms(layer(1, 64, 64, 56, 56), cpu="znver4") == [outputs]


def test_odd_weights() -> None:
    tile = Tile.of((4, 4), (3, 3), (1, 1))
    assert estimated_error(np.zeros((4, 4, 3, 3), np.float32), tile) == 0
    assert not estimated_error(np.full((4, 4, 3, 3), np.inf, np.float32), tile) <= 1
    w = draw(64, 64, 3, 3)
    w[0, 0, 0, 0] = np.nan
    model = network([node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], [1, 64, 56, 56], {"w": w})
    assert algorithms(model) == [()]
