"""GELU in its forms, fused products and convolutions, padding, unique elements and inverses, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

rng = np.random.default_rng(0)


def normal(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(3, 7), (2, 0, 4), (5,)])
def test_gelu(agrees, shape):
    agrees("Gelu", normal(*shape))
    agrees("QuickGelu", normal(*shape), alpha=1.3)


def test_gelu_of_half(agrees):
    agrees("FastGelu", normal(3, 8, dtype=np.float16), normal(8, dtype=np.float16), rtol=5e-3, atol=2e-3)


def test_gelu_with_bias(agrees):
    agrees("BiasGelu", normal(2, 3, 5), normal(5))
    agrees("FastGelu", normal(2, 3, 5), normal(5))
    agrees("FastGelu", normal(2, 3, 5))
    agrees("QuickGelu", normal(2, 3, 5))


@pytest.mark.parametrize("transA", [0, 1])
@pytest.mark.parametrize("transB", [0, 1])
@pytest.mark.parametrize("batch", [0, 1])
def test_fused_matmul(agrees, transA, transB, batch):
    def operand(rows, columns, swap, batch):
        shape = [columns, rows] if swap else [rows, columns]
        return normal(shape[0], 2, shape[1]) if batch else normal(2, *shape)

    a, b = operand(3, 4, transA, batch), operand(4, 5, transB, batch)
    agrees("FusedMatMul", a, b, alpha=0.5, transA=transA, transB=transB, transBatchA=batch, transBatchB=batch, sizes=(bool(transA),))


def test_fused_matmul_broadcasts(agrees):
    agrees("FusedMatMul", normal(2, 3, 4), normal(4, 5))
    agrees("FusedMatMul", normal(3, 4), normal(2, 1, 5, 4), transB=1)
    agrees("FusedMatMul", normal(0, 3, 4), normal(4, 5))


ACTIVATIONS = [("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.3}), ("HardSigmoid", {"activation_alpha": 0.3, "activation_beta": 0.4})]


@pytest.mark.parametrize(("name", "parameters"), [*ACTIVATIONS, ("Tanh", {}), ("Sigmoid", {})])
def test_fused_gemm(agrees, name, parameters):
    agrees("FusedGemm", normal(3, 4), normal(5, 4), normal(5), transB=1, alpha=0.7, beta=0.3, activation=name, sizes=(True,), **parameters)


@pytest.mark.parametrize(
    ("name", "parameters"), [("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.75]), ("HardSigmoid", [0.3, 0.4]), ("Tanh", [])]
)
def test_fused_conv(agrees, name, parameters):
    parameters = {"activation_params": parameters} if parameters else {}
    x, w, b = normal(1, 4, 6, 5), normal(6, 2, 3, 3), normal(6)
    agrees("FusedConv", x, w, b, group=2, pads=[1, 1, 1, 1], activation=name, constants=(1,), sizes=(False,), **parameters)


def test_fused_conv_with_a_sum(agrees):
    x, w, b, z = normal(2, 3, 6, 5), normal(4, 3, 3, 3), normal(4), normal(2, 4, 3, 3)
    agrees("FusedConv", x, w, b, z, strides=[2, 2], pads=[1, 1, 1, 1], activation="Relu")


def test_conv_with_channels_last(agrees):
    x, w, b = normal(2, 6, 5, 3), normal(4, 3, 3, 2), normal(4)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), axis=(1, 2))
    expected = np.einsum("nhwcij,mcij->nhwm", windows, w) + b
    agrees("NhwcConv", x, w, b, expected=[expected.astype(np.float32)])


def test_refused(codes):
    assert codes("FusedGemm", normal(2, 2), normal(2, 2), activation="Swish") == ["ITG3001 activation 'Swish'"]
    assert codes("Pad", normal(2), np.array([1, 1]), mode="wrap") == ["ITG3001 mode 'wrap'"]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize("flat", [True, False])
def test_pad(agrees, mode, flat):
    pads = np.array([1, 0, 2, 1])
    value = np.array([2.5], np.float32) if flat else np.array(2.5, np.float32)
    x = normal(3, 4)
    agrees("Pad", x, pads if flat else pads[None], value if mode == "constant" else None, mode=mode, constants=(1,))


def test_pad_by_a_run(agrees):
    agrees("Pad", normal(3, 4), np.array([1, -1, 2, 1]), sizes=(False,))


def test_unique(agrees):
    agrees("Unique", np.array([2, 1, 1, 3, 4, 3], np.float32), outputs=3)
    agrees("Unique", np.zeros(0, np.float32), outputs=3)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize(("m", "n", "k"), [(3, 5, 4), (1, 1, 1), (17, 9, 33), (0, 2, 3)])
def test_distances(agrees, m, n, k, metric):
    expected = None if m else [np.zeros((m, n), np.float32)]
    agrees("CDist", normal(m, k), normal(n, k), metric=metric, outputs=["C"], expected=expected)
    agrees("CDist", normal(n, k, dtype=np.float64), normal(n, k, dtype=np.float64), metric=metric, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 5, 5), (1, 1), (0, 3, 3)])
def test_inverse(agrees, shape):
    agrees("Inverse", normal(*shape), rtol=1e-3, atol=1e-4)


def test_inverse_of_other_floats(agrees):
    agrees("Inverse", normal(3, 3, dtype=np.float64), rtol=1e-9, atol=1e-9)
    x = (np.eye(4) * 3 + normal(4, 4)).astype(np.float16)
    agrees("Inverse", x, rtol=1e-2, atol=1e-2)
