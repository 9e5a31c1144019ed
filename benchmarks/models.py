"""The models that are measured: made here, the onnx package's light ones with weights worth computing on, or files of a folder."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from graphs import Graph
from onnx import TensorProto, helper, numpy_helper

Feeds = dict[str, np.ndarray]

LIGHT = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512")


@dataclass(frozen=True)
class Model:
    """A file and its inputs, both under the work folder or where they were found."""

    name: str
    path: Path
    feeds: Path


def made(name: str, work: Path) -> Model:
    """One of our own or a light model, made in the work folder unless it is there. Raises KeyError for another name."""
    path, feeds = work / f"{name}.onnx", work / f"{name}.npz"
    if not (path.exists() and feeds.exists()):
        proto, arrays = BUILDERS[name]()
        work.mkdir(parents=True, exist_ok=True)
        onnx.save(proto, path)
        np.savez(feeds, **arrays)  # type: ignore[arg-type]
    return Model(name, path, feeds)


def found(folder: Path, names: list[str], work: Path) -> Iterator[Model]:
    """The models of a folder, all or those named. Inputs: the .npz of the same name, else random. Where a .json of that name gives the
    mean and the deviation of large weights, the file has none and they are drawn."""
    for path in sorted(folder.glob("*.onnx")):
        if names and path.stem not in names:
            continue
        if (scales := path.with_suffix(".json")).exists():
            path = _drawn(path, json.loads(scales.read_text()), work)
        feeds = (folder / path.name).with_suffix(".npz")
        yield Model(path.stem, path, feeds if feeds.exists() else _random_feeds(path, work))


def _drawn(path: Path, scales: dict[str, tuple[float, float]], work: Path) -> Path:
    """A copy of a model whose weights are normally distributed, each from a seed of its name's."""
    target = work / "drawn" / path.name
    if not target.exists():
        model = onnx.load(path)
        for tensor in model.graph.initializer:
            if tensor.name in scales:
                mean, deviation = scales[tensor.name]
                random = np.random.default_rng(zlib.crc32(tensor.name.encode()))
                data = random.standard_normal(list(tensor.dims), np.float32) * np.float32(deviation) + np.float32(mean)
                tensor.CopyFrom(numpy_helper.from_array(data.astype(np.float32), tensor.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, target)
    return target


def _random_feeds(path: Path, work: Path) -> Path:
    """Inputs from a fixed seed; open dimensions are 1."""
    target = work / f"{path.stem}.npz"
    graph = onnx.load(path, load_external_data=False).graph
    stored = {tensor.name for tensor in graph.initializer}
    random = np.random.default_rng(0)
    arrays = {}
    for value in (value for value in graph.input if value.name not in stored):
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        arrays[value.name] = (random.standard_normal(shape) if dtype.kind == "f" else random.integers(0, 2, shape)).astype(dtype)
    work.mkdir(parents=True, exist_ok=True)
    np.savez(target, **arrays)  # type: ignore[arg-type]
    return target


# The light models of the onnx package


def light(name: str) -> tuple[onnx.ModelProto, Feeds]:
    """A well-known architecture; its package gives every weight as 0.02 by ConstantOfShape, which would fold away and, a hundred layers
    on, leave numbers too large or too small to compute with. Filters and matrices are drawn instead, scaled by their fan-in."""
    file = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    model = onnx.load(file)
    graph = model.graph
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    filled = [node for node in graph.node if node.op_type == "ConstantOfShape" and node.input[0] in shapes]
    random = np.random.default_rng(zlib.crc32(name.encode()))
    for node in filled:
        array = _weight(random, [int(d) for d in shapes[node.input[0]]])
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    kept = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in shapes or value.name in kept]
    del graph.input[:]
    graph.input.extend(value for value in inputs if value.name not in kept)
    model.ir_version = max(model.ir_version, 4)  # from here on an initialiser need not be an input as well
    (data,) = graph.input
    return model, {data.name: random.standard_normal([d.dim_value for d in data.type.tensor_type.shape.dim], np.float32)}


def _weight(random: np.random.Generator, shape: list[int]) -> np.ndarray:
    """What has one value a channel, or one in all, is near 1: variances are among them, and must be positive."""
    if len(shape) < 2:
        return random.uniform(0.9, 1.1, shape).astype(np.float32)
    fan_in = int(np.prod(shape[1:]))
    return random.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / max(fan_in, 1)))


# Models of our own


def transformer(layers: int = 6, width: int = 384, heads: int = 6, tokens: int = 128) -> tuple[onnx.ModelProto, Feeds]:
    """A transformer encoder on embedded tokens: attention and a feed-forward of four times the width, each with its residual and norm."""
    g = Graph(20)
    x = g.input("x", TensorProto.FLOAT, (1, tokens, width))
    for _ in range(layers):
        q, k, v = (g.heads(g.dense(x, width, width), (1, tokens), heads, width) for _ in range(3))
        attended = g.merge(g.attention(q, k, v, width // heads), (1, tokens), width)
        x = g.norm(g("Add", x, g.dense(attended, width, width)), width)
        x = g.norm(g("Add", x, g.dense(g("Gelu", g.dense(x, width, 4 * width)), 4 * width, width)), width)
    return g.model(x), {"x": g.random.standard_normal((1, tokens, width), np.float32)}


def decode(layers: int = 6, width: int = 512, heads: int = 8, past: int = 256, words: int = 8192) -> tuple[onnx.ModelProto, Feeds]:
    """One step of a decoder: a token in, keys and values of those before it kept from step to step, the next token's scores out."""
    g = Graph(20)
    token = g.input("token", TensorProto.INT64, (1, 1))
    each = width // heads
    x = g("Gather", g.weight(words, width), token)
    feeds: Feeds = {"token": np.array([[17]])}
    outputs = []
    for layer in range(layers):
        normed = g.norm(x, width)
        q, k, v = (g.heads(g.dense(normed, width, width), (1, 1), heads, width) for _ in range(3))
        kept = []
        for name, new in (("keys", k), ("values", v)):
            before = g.input(f"{name}{layer}", TensorProto.FLOAT, (1, heads, "past", each))
            feeds[before] = g.random.standard_normal((1, heads, past, each), np.float32)
            kept.append(g("Concat", before, new, axis=2))
        outputs += kept
        x = g("Add", x, g.dense(g.merge(g.attention(q, *kept, each), (1, 1), width), width, width))
        x = g("Add", x, g.dense(g("Gelu", g.dense(g.norm(x, width), width, 4 * width)), 4 * width, width))
    return g.model(g.dense(g.norm(x, width), width, words), *outputs), feeds


def lstm_tagger(words: int = 5000, width: int = 128, hidden: int = 192, tags: int = 32, tokens: int = 64) -> tuple[onnx.ModelProto, Feeds]:
    """Words to tags by two layers of LSTM that read both ways."""
    g = Graph(20)
    sentence = g.input("sentence", TensorProto.INT64, (tokens, 1))
    x = g("Gather", g.weight(words, width), sentence)
    for size in (width, 2 * hidden):
        weights = (g.weight(2, 4 * hidden, size), g.weight(2, 4 * hidden, hidden), g.constant(np.zeros((2, 8 * hidden), np.float32)))
        both = g("LSTM", x, *weights, hidden_size=hidden, direction="bidirectional")
        x = g("Reshape", g("Transpose", both, perm=(0, 2, 1, 3)), g.ints(tokens, 1, 2 * hidden))
    return g.model(g("LogSoftmax", g.dense(x, 2 * hidden, tags))), {"sentence": g.random.integers(0, words, (tokens, 1))}


def mobilenet(size: int = 160) -> tuple[onnx.ModelProto, Feeds]:
    """Inverted residuals of depthwise convolutions on a picture, as MobileNetV2 has them, half as deep."""
    g = Graph(20)
    x = g.input("picture", TensorProto.FLOAT, (1, 3, size, size))
    x, channels = g("Clip", g.conv(x, 3, 32, 3, stride=2), *g.six()), 32
    for out, stride, times in ((16, 1, 1), (24, 2, 2), (32, 2, 2), (64, 2, 2), (96, 1, 1), (160, 2, 1)):
        for i in range(times):
            wide = g("Clip", g.conv(x, channels, 6 * channels, 1), *g.six())
            deep = g("Clip", g.conv(wide, 6 * channels, 6 * channels, 3, stride=stride if i == 0 else 1, group=6 * channels), *g.six())
            y = g.conv(deep, 6 * channels, out, 1)
            x, channels = (g("Add", x, y) if channels == out and i else y), out
    pooled = g("Flatten", g("GlobalAveragePool", g("Clip", g.conv(x, channels, 640, 1), *g.six())))
    return g.model(g.dense(pooled, 640, 1000)), {"picture": g.random.standard_normal((1, 3, size, size), np.float32)}


def quantised_mlp(layers: int = 4, width: int = 1024, rows: int = 32) -> tuple[onnx.ModelProto, Feeds]:
    """Products of bytes: each layer quantises its input and multiplies by whole numbers, as dynamic quantisation leaves a model."""
    g = Graph(20)
    x = g.input("x", TensorProto.FLOAT, (rows, width))
    for _ in range(layers):
        quantised, scale, zero = g.many("DynamicQuantizeLinear", 3, x)
        weights = g.constant(g.random.integers(-100, 100, (width, width)).astype(np.int8))
        whole = g("Cast", g("MatMulInteger", quantised, weights, zero), to=TensorProto.FLOAT)
        x = g("Relu", g("Mul", whole, g("Mul", scale, g.constant(np.float32(0.0003)))))
    return g.model(x), {"x": g.random.standard_normal((rows, width), np.float32)}


Builder = Callable[[], tuple[onnx.ModelProto, Feeds]]

OWN: dict[str, Builder] = {
    "transformer": transformer,
    "decode": decode,
    "lstm_tagger": lstm_tagger,
    "mobilenet": mobilenet,
    "quantised_mlp": quantised_mlp,
}

BUILDERS: dict[str, Builder] = {**OWN, **{f"light_{name}": lambda name=name: light(name) for name in LIGHT}}  # type: ignore[misc]
