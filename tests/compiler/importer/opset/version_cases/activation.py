"""Activations, and softmax of a flattened input and of one axis."""

from __future__ import annotations

import numpy as np

from .model import case, floats

X = floats(2, 3, 4)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


case("Relu", "1", "y = Relu <consumed_inputs = [0]> (x)", x=X, want=lambda x: np.maximum(x, 0))
case("Sigmoid", "1", "y = Sigmoid <consumed_inputs = [0]> (x)", x=X, want=sigmoid)
case("Tanh", "1", "y = Tanh <consumed_inputs = [0]> (x)", x=X, want=np.tanh)
case("Relu Sigmoid Tanh", "6-", "y = {op}(x)", x=X)
case("Softplus Softsign", "1-", "y = {op}(x)", x=X)
case("Elu", "1", "y = Elu <alpha = 2.0, consumed_inputs = [0]> (x)", x=X, want=lambda x: np.where(x < 0, 2 * np.expm1(x), x))
case("Elu", "1-", "y = Elu(x)", x=X, want=lambda x: np.where(x < 0, np.expm1(x), x))
case("Elu", "6-", "y = Elu <alpha = 2.0> (x)", x=X)
case(
    "LeakyRelu", "1", "y = LeakyRelu <alpha = 0.1, consumed_inputs = [0]> (x)", x=X, want=lambda x: np.where(x < 0, np.float32(0.1) * x, x)
)
case("LeakyRelu", "1-", "y = LeakyRelu(x)", x=X, want=lambda x: np.where(x < 0, np.float32(0.01) * x, x))
case("LeakyRelu", "6-", "y = LeakyRelu <alpha = 0.1> (x)", x=X)
case(
    "HardSigmoid",
    "1",
    "y = HardSigmoid <consumed_inputs = [0]> (x)",
    x=X,
    want=lambda x: np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1),
)
case("HardSigmoid", "6-", "y = HardSigmoid(x)", x=X)
case("HardSigmoid", "6-", "y = HardSigmoid <alpha = 0.5, beta = 0.25> (x)", x=X)


def selu(x: np.ndarray, alpha: float, gamma: float) -> np.ndarray:
    return (gamma * np.where(x > 0, x, alpha * np.expm1(x))).astype(np.float32)


# Operator set 1 rounded the constants to five digits.
case("Selu", "1", "y = Selu <consumed_inputs = [0]> (x)", x=X, want=lambda x: selu(x, 1.6732, 1.0507), near=1e-6)
case("Selu", "6-", "y = Selu(x)", x=X, want=lambda x: selu(x, 1.6732631921768188, 1.0507010221481323), near=1e-6)
case("Selu", "1-", "y = Selu <alpha = 2.0, gamma = 3.0> (x)", x=X, want=lambda x: selu(x, 2, 3))
case(
    "PRelu", "1", "y = PRelu <consumed_inputs = [0]> (x, slope)", x=X, slope=floats(1), want=lambda x, slope: np.where(x < 0, slope * x, x)
)
case("PRelu", "1-6", "y = PRelu(x, slope)", x=X, slope=floats(3), want=lambda x, slope: np.where(x < 0, slope[:, None] * x, x))
case("PRelu", "1-6", "y = PRelu(x, slope)", x=floats(2, 3), slope=floats(3), want=lambda x, slope: np.where(x < 0, slope * x, x))
case("PRelu", "7-", "y = PRelu(x, slope)", x=X, slope=floats(3, 1))
case("PRelu", "7-", "y = PRelu(x, slope)", x=X, slope=floats(4))
case("ThresholdedRelu", "10-", "y = ThresholdedRelu <alpha = 0.5> (x)", x=X)
case("Celu", "12-", "y = Celu <alpha = 2.0> (x)", x=X)
case("HardSwish", "14-", "y = HardSwish(x)", x=X)
case("Mish", "18-", "y = Mish(x)", x=X)
case("Gelu", "20", 'y = Gelu(x) z = Gelu <approximate = "tanh"> (x)', x=X)
case("Swish", "24", "y = Swish <alpha = 0.5> (x)", x=X)
case("SwiGLU", "28", "y = SwiGLU(a, b)", a=X, b=floats(2, 3, 4))
case("Shrink", "9", "y = Shrink <lambd = 0.5, bias = 0.25> (x)", x=X)

# -- up to operator set 12 the input was flattened to two dimensions at `axis`, 1 by default, and all of the second one normalised


def flattened(x: np.ndarray, axis: int) -> np.ndarray:
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def hardmax(x: np.ndarray) -> np.ndarray:
    return (np.arange(x.shape[-1]) == x.argmax(-1)[..., None]).astype(x.dtype)


OF_ROWS = {"Softmax": softmax, "LogSoftmax": lambda x: np.log(softmax(x)), "Hardmax": hardmax}
for name, compute in OF_ROWS.items():
    for axis in range(3):
        case(name, "1-11", f"y = {name} <axis = {axis}> (x)", x=X, want=lambda x, k=axis, f=compute: f(flattened(x, k)).reshape(x.shape))
    case(name, "1-11", f"y = {name}(x)", x=X, want=lambda x, f=compute: f(flattened(x, 1)).reshape(x.shape))
    case(name, "1-11", f"y = {name}(x)", x=floats(3, 4))
    case(name, "11", f"y = {name} <axis = -2> (x)", x=X, want=lambda x, f=compute: f(flattened(x, 1)).reshape(x.shape))
    case(name, "13", f"y = {name}(x)", x=X)
    case(name, "13", f"y = {name} <axis = 1> (x)", x=X)
