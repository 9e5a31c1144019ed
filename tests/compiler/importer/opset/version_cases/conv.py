"""Convolutions and pools."""

from __future__ import annotations

import numpy as np

from .model import case, floats, ints, positive

IMAGE = floats(1, 2, 5, 6)
W = floats(4, 1, 3, 2)

case("Conv", "1-", "y = Conv <group = 2, pads = [1, 0, 0, 1], strides = [2, 1]> (x, w, b)", x=IMAGE, w=W, b=floats(4))
case("Conv", "1-", 'y = Conv <group = 2, auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)', x=IMAGE, w=W)
case("Conv", "1-", "y = Conv <group = 2, dilations = [2, 2]> (x, w)", x=IMAGE, w=W)
case(
    "ConvTranspose", "1-", "y = ConvTranspose <strides = [2, 1], pads = [1, 0, 0, 1]> (x, w, b)", x=IMAGE, w=floats(2, 3, 3, 2), b=floats(3)
)
case("ConvTranspose", "1-", "y = ConvTranspose <strides = [2, 2], output_shape = [10, 12]> (x, w)", x=IMAGE, w=floats(2, 1, 3, 2))
case("ConvTranspose", "1-", 'y = ConvTranspose <strides = [2, 2], auto_pad = "SAME_UPPER"> (x, w)', x=IMAGE, w=floats(2, 1, 3, 3))
case("ConvInteger", "10", "y = ConvInteger(x, w, z)", x=np.uint8([[[[1, 2, 3], [4, 5, 6]]]]), w=np.uint8([[[[1, 2]]]]), z=np.uint8(1))
DEFORM = {"x": floats(1, 2, 4, 4), "w": floats(2, 2, 2, 2), "o": floats(1, 8, 3, 3), "b": floats(2), "m": positive(1, 4, 3, 3)}
case("DeformConv", "19-", "y = DeformConv <kernel_shape = [2, 2]> (x, w, o, b, m)", **DEFORM)

# -- pools


def averages(x: np.ndarray, before: tuple[int, int], after: tuple[int, int], strides: tuple[int, int]) -> np.ndarray:
    """Means of windows of 3 x 2 elements, of which those in the padding do not count."""
    padded = np.pad(x, ((0, 0), (0, 0), *zip(before, after, strict=True)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), (2, 3))
    return np.nanmean(windows, (-1, -2))[:, :, :: strides[0], :: strides[1]]


POOL = "kernel_shape = [3, 2], strides = [2, 1], pads = [1, 0, 1, 1]"
LOWER = 'kernel_shape = [3, 2], strides = [2, 2], auto_pad = "SAME_LOWER"'
case("AveragePool", "1", f"y = AveragePool <{POOL}> (x)", x=IMAGE, want=lambda x: averages(x, (1, 0), (1, 1), (2, 1)))
case("AveragePool", "1", f"y = AveragePool <{LOWER}> (x)", x=IMAGE, want=lambda x: averages(x, (1, 0), (1, 0), (2, 2)))
for name, versions in (("AveragePool", "7-"), ("MaxPool", "1-")):
    case(name, versions, f"y = {name} <{POOL}> (x)", x=IMAGE)
    case(name, versions, f"y = {name} <{LOWER}> (x)", x=IMAGE)
case("AveragePool MaxPool", "1-", "y = {op} <kernel_shape = [2], strides = [2]> (x)", x=floats(1, 2, 5))
case("AveragePool", "7-", "y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1> (x)", x=IMAGE)
case("AveragePool MaxPool", "10-", "y = {op} <kernel_shape = [2, 2], strides = [2, 4], ceil_mode = 1> (x)", x=IMAGE)
# A last window that would lie in the padding alone is left out, as the text says since operator set 22; nothing was ever read there.
case("AveragePool MaxPool", "10-", "y = {op} <kernel_shape = [2], strides = [2], pads = [0, 1], ceil_mode = 1> (x)", x=floats(1, 1, 4))
case("AveragePool", "19-", "y = AveragePool <kernel_shape = [2, 2], dilations = [2, 2]> (x)", x=IMAGE)
case("MaxPool", "8-", "y, i = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)", x=IMAGE)
case("MaxPool", "8-", "y, i = MaxPool <kernel_shape = [2, 2], storage_order = 1> (x)", x=IMAGE)
case("MaxPool", "10-", "y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x)", x=IMAGE)
case("MaxPool", "12-", "y = MaxPool <kernel_shape = [2, 2]> (x)", x=np.int8([[[[1, -2, 3], [4, 5, -6]]]]))
case(
    "MaxUnpool",
    "9-",
    "y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (x, i)",
    x=floats(1, 1, 2, 2),
    i=np.int64([[[[0, 3], [8, 14]]]]),
)
MORE = {"x": floats(1, 1, 2, 2), "i": np.int64([[[[5, 7], [13, 15]]]]), "shape": ints(1, 1, 5, 5)}
# ONNX Runtime takes the places for those of the larger output.
case("MaxUnpool", "9-", "y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (x, i, shape)", **MORE, held="shape", by="reference")
case("GlobalAveragePool GlobalMaxPool", "1-", "y = {op}(x)", x=IMAGE)


def norm_of_windows(x: np.ndarray, p: float) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(x), (2, 2), (2, 3))
    return (windows.astype(np.float64) ** p).sum((-1, -2)).astype(np.float32) ** np.float32(1 / p)


# At operator set 1 the exponent could be any float.
for p in (1.0, 2.0, 2.5):
    case("LpPool", "1", f"y = LpPool <kernel_shape = [2, 2], p = {p}> (x)", x=IMAGE, want=lambda x, p=p: norm_of_windows(x, p))
    case("GlobalLpPool", "1", f"y = GlobalLpPool <p = {p}> (x)", x=IMAGE, want=lambda x, p=p: norm_of_all(x, p))


def norm_of_all(x: np.ndarray, p: float) -> np.ndarray:
    return (np.abs(x).astype(np.float64) ** p).sum((2, 3), keepdims=True).astype(np.float32) ** np.float32(1 / p)


case("LpPool", "1-", "y = LpPool <kernel_shape = [2, 2]> (x)", x=IMAGE, want=lambda x: norm_of_windows(x, 2))
case("GlobalLpPool", "1-", "y = GlobalLpPool(x)", x=IMAGE, want=lambda x: norm_of_all(x, 2))
case("LpPool", "2-", "y = LpPool <kernel_shape = [2, 2], p = 1, strides = [2, 2], pads = [1, 1, 0, 0]> (x)", x=IMAGE)
case("LpPool", "18-", "y = LpPool <kernel_shape = [2, 2], p = 3, dilations = [2, 2], ceil_mode = 1> (x)", x=positive(1, 2, 5, 6))
case("GlobalLpPool", "2-", "y = GlobalLpPool <p = 1> (x)", x=IMAGE, want=lambda x: norm_of_all(x, 1))
