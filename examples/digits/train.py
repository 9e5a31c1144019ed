"""How digits.onnx was made: trains a small convolutional network on 8x8 images of handwritten digits, with numpy alone.

    python examples/digits/train.py digits.csv.gz

The file is the one that scikit-learn ships (sklearn/datasets/data): the test part of "Optical Recognition of Handwritten Digits",
E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0. A fifth of it is held out; of that, training
for some seconds gets 97.5 % right. Writes digits.onnx and the first held-out image of each digit, as PNG. Needs the onnx package.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

HERE = Path(__file__).parent
EPOCHS, BATCH, RATE = 30, 32, 2e-3
Parameters = dict[str, np.ndarray]


def main(path: str) -> None:
    random = np.random.default_rng(0)
    rows = np.loadtxt(path, delimiter=",", dtype=np.int64)
    # Counts 0 to 16 become the grey of a PNG, and that a number from 0 to 1: what is trained on is what is read later.
    grey = np.round(rows[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    images, labels = grey.astype(np.float32) / 255, rows[:, -1]
    order = random.permutation(len(rows))
    held, kept = order[: len(rows) // 5], order[len(rows) // 5 :]
    p = train(images[kept], labels[kept], random)
    right = np.mean(forward(p, images[held])[-1].argmax(1) == labels[held])
    print(f"{right:.1%} of {len(held)} held-out images right")
    export(p, HERE / "digits.onnx")
    for digit in range(10):
        write_png(HERE / f"{digit}.png", grey[held[labels[held] == digit][0], 0])


def train(images: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> Parameters:
    """Adam on the cross entropy, each image shifted by up to a pixel."""
    p = {
        "conv1.weight": random.standard_normal((16, 1, 3, 3)) * (2 / 9) ** 0.5,
        "conv1.bias": np.zeros(16),
        "conv2.weight": random.standard_normal((32, 16, 3, 3)) * (2 / 144) ** 0.5,
        "conv2.bias": np.zeros(32),
        "dense.weight": random.standard_normal((10, 512)) * (2 / 512) ** 0.5,
        "dense.bias": np.zeros(10),
    }
    p = {name: value.astype(np.float32) for name, value in p.items()}
    mean, square = ({name: np.zeros_like(value) for name, value in p.items()} for _ in range(2))
    step = 0
    for _ in range(EPOCHS):
        for batch in np.array_split(random.permutation(len(images)), len(images) // BATCH):
            step += 1
            x = np.roll(images[batch], random.integers(-1, 2, 2), axis=(2, 3))
            for name, g in gradients(p, x, labels[batch]).items():
                mean[name] += 0.1 * (g - mean[name])
                square[name] += 0.001 * (g * g - square[name])
                p[name] -= RATE * (mean[name] / (1 - 0.9**step)) / (np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8)
    return p


def forward(p: Parameters, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """What each layer gives: patches and result of both convolutions, the pooled plane, the probabilities."""
    patches1 = patches(x)
    a = np.maximum(convolve(patches1, p["conv1.weight"], p["conv1.bias"]), 0)
    pooled = a.reshape(len(x), 16, 4, 2, 4, 2).max((3, 5))
    patches2 = patches(pooled)
    b = np.maximum(convolve(patches2, p["conv2.weight"], p["conv2.bias"]), 0)
    scores = b.reshape(len(x), 512) @ p["dense.weight"].T + p["dense.bias"]
    e = np.exp(scores - scores.max(1, keepdims=True))
    return patches1, a, pooled, patches2, b, e / e.sum(1, keepdims=True)


def gradients(p: Parameters, x: np.ndarray, labels: np.ndarray) -> Parameters:
    patches1, a, pooled, patches2, b, probabilities = forward(p, x)
    n = len(x)
    scores = (probabilities - np.eye(10, dtype=np.float32)[labels]) / n
    db = (scores @ p["dense.weight"]).reshape(b.shape) * (b > 0)
    dpooled = spread(np.einsum("nohw,oc->nchw", db, p["conv2.weight"].reshape(32, -1)), 16)
    winners = a.reshape(n, 16, 4, 2, 4, 2) == pooled[:, :, :, None, :, None]
    da = (winners * dpooled[:, :, :, None, :, None]).reshape(a.shape) * (a > 0)
    return {
        "conv1.weight": np.einsum("nohw,nchw->oc", da, patches1).reshape(16, 1, 3, 3),
        "conv1.bias": da.sum((0, 2, 3)),
        "conv2.weight": np.einsum("nohw,nchw->oc", db, patches2).reshape(32, 16, 3, 3),
        "conv2.bias": db.sum((0, 2, 3)),
        "dense.weight": scores.T @ b.reshape(n, 512),
        "dense.bias": scores.sum(0),
    }


def patches(x: np.ndarray) -> np.ndarray:
    """Each pixel's 3x3 neighbourhood, as channels: (N, C, H, W) to (N, 9 C, H, W), the taps innermost."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = [padded[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return np.stack(taps, 2).reshape(n, 9 * c, h, w)


def spread(gradient: np.ndarray, channels: int) -> np.ndarray:
    """The transpose of `patches`."""
    n, _, h, w = gradient.shape
    taps = gradient.reshape(n, channels, 9, h, w)
    padded = np.zeros((n, channels, h + 2, w + 2), gradient.dtype)
    for tap in range(9):
        i, j = divmod(tap, 3)
        padded[:, :, i : i + h, j : j + w] += taps[:, :, tap]
    return padded[:, :, 1:-1, 1:-1]


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.einsum("nchw,oc->nohw", x, weight.reshape(len(weight), -1), optimize=True) + bias[:, None, None]


def export(p: Parameters, path: Path) -> None:
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["a"], "conv1", **same),
        helper.make_node("Relu", ["a"], ["b"], "relu1"),
        helper.make_node("MaxPool", ["b"], ["c"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["c", "conv2.weight", "conv2.bias"], ["d"], "conv2", **same),
        helper.make_node("Relu", ["d"], ["e"], "relu2"),
        helper.make_node("Flatten", ["e"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "dense.weight", "dense.bias"], ["g"], "dense", transB=1),
        helper.make_node("Softmax", ["g"], ["probabilities"], "softmax"),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(value, name) for name, value in p.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10, producer_name="examples/digits"), path)


def write_png(path: Path, grey: np.ndarray) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


if __name__ == "__main__":
    main(sys.argv[1])
