"""Operators on sizes as models have them, one case a row: a graph of a node or a few, and what is fed to it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from graphs import Graph
from onnx import TensorProto, helper

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
Feeds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """family: what its figures are gathered under; name: what is computed, and on what; build: makes the model and its inputs."""

    family: str
    name: str
    build: Callable[[], tuple[onnx.ModelProto, Feeds]]


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return _random(str(shape)).standard_normal(shape, np.float32).astype(dtype)


def _plain(family: str, name: str, op: str, *arrays: np.ndarray, weights: int = 0, outputs: int = 1, **attributes: Any) -> Case:
    """One node on arrays, the last `weights` of which are constants of the model."""

    def build() -> tuple[onnx.ModelProto, Feeds]:
        g = Graph()
        feeds: Feeds = {}
        names = []
        for i, array in enumerate(arrays):
            if i >= len(arrays) - weights:
                names.append(g.constant(array))
            else:
                names.append(g.input(f"x{i}", helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
                feeds[f"x{i}"] = array
        return g.model(*g.many(op, outputs, *names, **attributes)), feeds

    return Case(family, name, build)


def _matmul(m: int, k: int, n: int, *, constant: bool = True, batch: tuple[int, ...] = (), dtype: Any = np.float32) -> Case:
    shown = "x".join(map(str, (*batch, m, k, n))) + (" half" if dtype == np.float16 else "") + ("" if constant else ", no weights")
    right = _normal(*(batch if not constant else ()), k, n, dtype=dtype)
    family = "half" if dtype == np.float16 else "matmul"
    return _plain(family, f"MatMul {shown}", "MatMul", _normal(*batch, m, k, dtype=dtype), right, weights=int(constant))


def _conv(channels: int, out: int, size: int, kernel: int, stride: int = 1, group: int = 1, *, half: bool = False) -> Case:
    dtype = np.float16 if half else np.float32
    filters = _normal(out, channels // group, kernel, kernel, dtype=dtype)
    depthwise = group == channels
    more = f" /{stride}" * (stride > 1) + f" in {group} groups" * (group > 1 and not depthwise) + " half" * half
    family = "half" if half else "depthwise" if depthwise else "conv"
    name = f"{'Depthwise' if depthwise else 'Conv'} {channels}>{out} {kernel}x{kernel} on {size}x{size}{more}"
    attributes = {"strides": [stride] * 2, "pads": [kernel // 2] * 4, "group": group}
    return _plain(family, name, "Conv", _normal(1, channels, size, size, dtype=dtype), filters, weights=1, **attributes)


def _recurrent(op: str, gates: int, tokens: int, width: int, hidden: int, *, both: bool = False) -> Case:
    ways = 2 if both else 1
    w, r = _normal(ways, gates * hidden, width) * 0.1, _normal(ways, gates * hidden, hidden) * 0.1
    name = f"{op} {tokens} tokens, {width}>{hidden}" + ", both ways" * both
    direction = "bidirectional" if both else "forward"
    x = _normal(tokens, 1, width)
    return _plain("recurrent", name, op, x, w.astype(np.float32), r.astype(np.float32), weights=2, hidden_size=hidden, direction=direction)


def _trees(trees: int, depth: int, rows: int, features: int) -> Case:
    """A forest of full trees with random questions, as gradient boosting leaves it; ai.onnx.ml's TreeEnsembleRegressor."""

    def build() -> tuple[onnx.ModelProto, Feeds]:
        random = _random("trees")
        inner, total = 2**depth - 1, 2 ** (depth + 1) - 1
        ids, leaf_ids = np.arange(total), np.arange(inner, total)
        questions = [random.integers(0, features, total) for _ in range(trees)]
        values = [np.where(ids < inner, random.standard_normal(total), 0).astype(np.float32) for _ in range(trees)]
        children = [np.where(ids < inner, 2 * ids + side, 0) for side in (1, 2)]
        g = Graph(20, ai_onnx_ml=3)
        y = g(
            "TreeEnsembleRegressor",
            g.input("x", FLOAT, (rows, features)),
            domain="ai.onnx.ml",
            n_targets=1,
            nodes_treeids=np.repeat(np.arange(trees), total).tolist(),
            nodes_nodeids=np.tile(ids, trees).tolist(),
            nodes_featureids=np.concatenate(questions).tolist(),
            nodes_values=np.concatenate(values).tolist(),
            nodes_modes=(["BRANCH_LEQ"] * inner + ["LEAF"] * (total - inner)) * trees,
            nodes_truenodeids=np.tile(children[0], trees).tolist(),
            nodes_falsenodeids=np.tile(children[1], trees).tolist(),
            target_treeids=np.repeat(np.arange(trees), len(leaf_ids)).tolist(),
            target_nodeids=np.tile(leaf_ids, trees).tolist(),
            target_ids=[0] * (trees * len(leaf_ids)),
            target_weights=random.standard_normal(trees * len(leaf_ids)).astype(np.float32).tolist(),
        )
        return g.model(y), {"x": _normal(rows, features)}

    return Case("ml", f"{trees} trees of depth {depth}, {rows} rows", build)


def _linear_classifier(rows: int, features: int, classes: int) -> Case:
    def build() -> tuple[onnx.ModelProto, Feeds]:
        g = Graph(20, ai_onnx_ml=3)
        label, scores = g.many(
            "LinearClassifier",
            2,
            g.input("x", FLOAT, (rows, features)),
            domain="ai.onnx.ml",
            classlabels_ints=list(range(classes)),
            coefficients=_normal(classes * features).tolist(),
            intercepts=_normal(classes).tolist(),
            post_transform="SOFTMAX",
        )
        return g.model(label, scores), {"x": _normal(rows, features)}

    return Case("ml", f"LinearClassifier {features}>{classes}, {rows} rows", build)


def _dynamic_quantised(rows: int, k: int, n: int) -> Case:
    def build() -> tuple[onnx.ModelProto, Feeds]:
        g = Graph()
        quantised, scale, zero = g.many("DynamicQuantizeLinear", 3, g.input("x", FLOAT, (rows, k)))
        whole = g("MatMulInteger", quantised, g.constant(_bytes(np.int8, k, n)), zero)
        return g.model(g("Mul", g("Cast", whole, to=FLOAT), scale)), {"x": _normal(rows, k)}

    return Case("quantised", f"dynamically quantised MatMul {rows}x{k}x{n}", build)


def _quantised_conv(channels: int, out: int, size: int, kernel: int) -> Case:
    def build() -> tuple[onnx.ModelProto, Feeds]:
        g = Graph()
        scale, zero, level = g.constant(np.float32(0.02)), g.constant(np.uint8(128)), g.constant(np.int8(0))
        x = g.input("x", TensorProto.UINT8, (1, channels, size, size))
        filters = g.constant(_bytes(np.int8, out, channels, kernel, kernel))
        y = g("QLinearConv", x, scale, zero, filters, scale, level, g.constant(np.float32(0.5)), zero, pads=[kernel // 2] * 4)
        return g.model(y), {"x": _bytes(np.uint8, 1, channels, size, size)}

    return Case("quantised", f"QLinearConv {channels}>{out} {kernel}x{kernel} on {size}x{size}", build)


def _bytes(dtype: Any, *shape: int) -> np.ndarray:
    limits = np.iinfo(dtype)
    return _random(str(shape)).integers(limits.min // 2, limits.max // 2, shape).astype(dtype)


def _whole(high: int, *shape: int, dtype: Any = np.int64) -> np.ndarray:
    return _random(str(shape)).integers(0, high, shape).astype(dtype)


def _attention(tokens: int, heads: int, each: int) -> Case:
    def build() -> tuple[onnx.ModelProto, Feeds]:
        g = Graph()
        shape = (1, heads, tokens, each)
        q, k, v = (g.input(name, FLOAT, shape) for name in "qkv")
        return g.model(g.attention(q, k, v, each)), dict.fromkeys("qkv", _normal(*shape))

    return Case("attention", f"attention, {heads} heads, {tokens} tokens of {each}", build)


def _chain(name: str, shape: tuple[int, ...], *ops: str) -> Case:
    """Elementwise operators one after the other."""

    def build() -> tuple[onnx.ModelProto, Feeds]:
        g = Graph()
        x = g.input("x", FLOAT, shape)
        y = x
        for op in ops:
            y = g(op, y, x) if op in ("Add", "Mul", "Sub") else g(op, y)
        return g.model(y), {"x": _normal(*shape)}

    return Case("elementwise", name, build)


def _suppression(boxes: int) -> Case:
    corners = np.sort(_random("boxes").uniform(0, 640, (1, boxes, 2, 2)), axis=2).reshape(1, boxes, 4).astype(np.float32)
    scores = _random("scores").uniform(0, 1, (1, 4, boxes)).astype(np.float32)
    limits = (np.array([100]), np.array([0.5], np.float32), np.array([0.3], np.float32))
    return _plain("selection", f"NonMaxSuppression, {boxes} boxes of 4 classes", "NonMaxSuppression", corners, scores, *limits, weights=3)


_PICTURE = _normal(1, 64, 56, 56)
_ROWS = _normal(128, 768)
_SEQUENCE = _normal(1, 128, 768)
_ONES, _SMALL = np.ones(768, np.float32), _normal(768)

CASES: tuple[Case, ...] = (
    _matmul(1024, 1024, 1024),
    _matmul(128, 768, 768),
    _matmul(128, 768, 3072),
    _matmul(128, 3072, 768),
    _matmul(1, 768, 3072),
    _matmul(1, 1024, 32000),
    _matmul(8, 1024, 1024),
    _matmul(197, 768, 2304),
    _matmul(100, 300, 50),
    _matmul(256, 256, 256, constant=False),
    _matmul(128, 64, 128, constant=False, batch=(12,)),
    _plain("matmul", "Gemm 64x2048x1000, transposed", "Gemm", _normal(64, 2048), _normal(1000, 2048), _normal(1000), weights=2, transB=1),
    _plain("matmul", "Einsum bhid,bhjd->bhij", "Einsum", _normal(1, 12, 128, 64), _normal(1, 12, 128, 64), equation="bhid,bhjd->bhij"),
    _conv(64, 64, 56, 3),
    _conv(128, 128, 28, 3),
    _conv(512, 512, 7, 3),
    _conv(64, 256, 56, 1),
    _conv(1024, 256, 14, 1),
    _conv(3, 64, 224, 7, 2),
    _conv(128, 256, 28, 3, 2),
    _conv(16, 32, 80, 5),
    _conv(128, 128, 28, 3, 1, 32),
    _plain("conv", "Conv of one dimension 80>384, 3 on 3000", "Conv", _normal(1, 80, 3000), _normal(384, 80, 3), weights=1, pads=[1, 1]),
    _plain("conv", "Conv of three dimensions 16>32 3x3x3 on 16x32x32", "Conv", _normal(1, 16, 16, 32, 32), _normal(32, 16, 3, 3, 3),
           weights=1, pads=[1] * 6),
    _plain("conv", "ConvTranspose 64>32 4x4 /2 on 32x32", "ConvTranspose", _normal(1, 64, 32, 32), _normal(64, 32, 4, 4), weights=1,
           strides=[2, 2], pads=[1] * 4),
    _conv(96, 96, 112, 3, 2, 96),
    _conv(192, 192, 28, 3, 1, 192),
    _conv(480, 480, 14, 5, 1, 480),
    _plain("pooling", "MaxPool 3x3 /2 on 64x112x112", "MaxPool", _normal(1, 64, 112, 112), kernel_shape=[3, 3], strides=[2, 2],
           pads=[1] * 4),
    _plain("pooling", "AveragePool 2x2 /2 on 128x56x56", "AveragePool", _normal(1, 128, 56, 56), kernel_shape=[2, 2], strides=[2, 2]),
    _plain("pooling", "GlobalAveragePool of 2048x7x7", "GlobalAveragePool", _normal(1, 2048, 7, 7)),
    _plain("elementwise", "Add of 1M", "Add", _normal(1024, 1024), _normal(1024, 1024)),
    _plain("elementwise", "Mul by a row", "Mul", _normal(1024, 1024), _normal(1024)),
    _plain("elementwise", "Relu of 64x56x56", "Relu", _PICTURE),
    _plain("elementwise", "Sigmoid of 1M", "Sigmoid", _normal(1024, 1024)),
    _plain("elementwise", "Tanh of 1M", "Tanh", _normal(1024, 1024)),
    _plain("elementwise", "Exp of 1M", "Exp", _normal(1024, 1024)),
    _plain("elementwise", "Erf of 1M", "Erf", _normal(1024, 1024)),
    _plain("elementwise", "Gelu of 128x3072", "Gelu", _normal(128, 3072)),
    _plain("elementwise", "Pow of 1M", "Pow", np.abs(_normal(1024, 1024)), np.float32(2.5), weights=1),
    _plain("elementwise", "Where of 1M", "Where", _normal(1024, 1024) > 0, _normal(1024, 1024), _normal(1024, 1024)),
    _plain("elementwise", "Cast of 1M to int64", "Cast", _normal(1024, 1024), to=TensorProto.INT64),
    _chain("a chain of seven on 128x3072", (128, 3072), "Mul", "Add", "Tanh", "Add", "Mul", "Relu", "Sub"),
    _plain("softmax", "Softmax of 12x128x128", "Softmax", _normal(12, 128, 128)),
    _plain("softmax", "Softmax of 1x32000", "Softmax", _normal(1, 32000)),
    _plain("softmax", "LogSoftmax of 64x1000", "LogSoftmax", _normal(64, 1000)),
    _plain("softmax", "Softmax of 64x256x64 on axis 1", "Softmax", _normal(64, 256, 64), axis=1),
    _plain("norm", "LayerNormalization of 128x768", "LayerNormalization", _ROWS, _ONES, _SMALL, weights=2),
    _plain("norm", "BatchNormalization of 64x56x56", "BatchNormalization", _PICTURE, *([_ONES[:64]] * 4), weights=4),
    _plain("norm", "InstanceNormalization of 64x56x56", "InstanceNormalization", _PICTURE, _ONES[:64], _SMALL[:64], weights=2),
    _plain("norm", "LRN of 64x56x56", "LRN", _PICTURE, size=5),
    _plain("reduction", "ReduceSum of 1M by rows", "ReduceSum", _normal(1024, 1024), np.array([1]), weights=1),
    _plain("reduction", "ReduceMean of 1M by columns", "ReduceMean", _normal(1024, 1024), np.array([0]), weights=1),
    _plain("reduction", "ReduceMax of 1M", "ReduceMax", _normal(1024, 1024)),
    _plain("reduction", "ArgMax of 128x32000", "ArgMax", _normal(128, 32000), axis=1),
    _plain("reduction", "CumSum of 128x1024", "CumSum", _normal(128, 1024), np.array(1), weights=1),
    _plain("layout", "Transpose of a matrix 1024x1024", "Transpose", _normal(1024, 1024)),
    _plain("layout", "Transpose of heads 128x12x64", "Transpose", _normal(1, 128, 12, 64), perm=[0, 2, 1, 3]),
    _plain("layout", "Transpose of channels to last", "Transpose", _PICTURE, perm=[0, 2, 3, 1]),
    _plain("layout", "Concat of channels", "Concat", _PICTURE, _PICTURE, axis=1),
    _plain("layout", "Split of 128x2304 in three", "Split", _normal(128, 2304), outputs=3, axis=1, num_outputs=3),
    _plain("layout", "Slice of every other column", "Slice", _normal(512, 1024), *map(np.array, ([0], [1024], [1], [2])), weights=4),
    _plain("layout", "Pad of 64x56x56", "Pad", _PICTURE, np.array([0, 0, 1, 1, 0, 0, 1, 1]), weights=1),
    _plain("layout", "Expand of a row to 1024x1024", "Expand", _normal(1, 1024), np.array([1024, 1024]), weights=1),
    _plain("layout", "Tile of 256x256 by 4x4", "Tile", _normal(256, 256), np.array([4, 4]), weights=1),
    _plain("layout", "DepthToSpace of 64x56x56", "DepthToSpace", _PICTURE, blocksize=2),
    _plain("indexing", "Gather of 128 rows of 768", "Gather", _normal(30000, 768), _whole(30000, 1, 128)),
    _plain("indexing", "GatherElements of 512x512", "GatherElements", _normal(512, 512), _whole(512, 512, 512), axis=1),
    _plain("indexing", "GatherND of 1000 rows", "GatherND", _normal(64, 64, 256), _whole(64, 1000, 2)),
    _plain("indexing", "ScatterND of 1000 rows", "ScatterND", _normal(64, 64, 256), _whole(64, 1000, 2), _normal(1000, 256)),
    _plain("indexing", "ScatterElements of 512x512", "ScatterElements", _normal(512, 512), _whole(512, 512, 512), _normal(512, 512),
           axis=1),
    _plain("indexing", "OneHot of 1024 to 256", "OneHot", _whole(256, 1024), np.array(256), np.array([0, 1], np.float32), weights=2),
    _plain("selection", "TopK, 10 of 64x1000", "TopK", _normal(64, 1000), np.array([10]), weights=1, outputs=2),
    _plain("selection", "TopK, 100 of 1x100000", "TopK", _normal(1, 100000), np.array([100]), weights=1, outputs=2),
    _plain("selection", "NonZero of 512x512", "NonZero", (_normal(512, 512) > 0).astype(np.float32)),
    _plain("selection", "Unique of 10000", "Unique", _whole(1000, 10000), outputs=1),
    _suppression(1000),
    _plain("image", "Resize, nearest, to twice 64x56x56", "Resize", _PICTURE, np.array([], np.float32), np.array([1, 1, 2, 2], np.float32),
           weights=2, mode="nearest"),
    _plain("image", "Resize, linear, to twice 64x56x56", "Resize", _PICTURE, np.array([], np.float32), np.array([1, 1, 2, 2], np.float32),
           weights=2, mode="linear"),
    _plain("image", "GridSample of 32x64x64", "GridSample", _normal(1, 32, 64, 64), np.tanh(_normal(1, 64, 64, 2))),
    _recurrent("LSTM", 4, 64, 128, 192),
    _recurrent("LSTM", 4, 32, 256, 256, both=True),
    _recurrent("GRU", 3, 64, 128, 192),
    _recurrent("RNN", 1, 64, 128, 256),
    _attention(128, 12, 64),
    _attention(512, 8, 64),
    _dynamic_quantised(128, 768, 768),
    _dynamic_quantised(1, 1024, 4096),
    _plain("quantised", "MatMulInteger 256x256x256", "MatMulInteger", _bytes(np.uint8, 256, 256), _bytes(np.int8, 256, 256), weights=1),
    _quantised_conv(64, 64, 28, 3),
    _plain("quantised", "QuantizeLinear of 1M", "QuantizeLinear", _normal(1024, 1024), np.float32(0.02), np.uint8(128), weights=2),
    _plain("quantised", "DequantizeLinear of 1M", "DequantizeLinear", _bytes(np.uint8, 1024, 1024), np.float32(0.02), np.uint8(128),
           weights=2),
    _matmul(128, 768, 768, dtype=np.float16),
    _conv(64, 64, 28, 3, half=True),
    _plain("half", "Softmax of 12x128x128 half", "Softmax", _normal(12, 128, 128, dtype=np.float16)),
    _trees(100, 6, 1, 32),
    _trees(100, 6, 1000, 32),
    _linear_classifier(1000, 64, 10),
)  # fmt: skip
