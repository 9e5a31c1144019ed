"""Spectra and windows."""

from __future__ import annotations

import numpy as np

from .model import case, floats, scalar

X = floats(2, 4, 3, 1)


def transform(x: np.ndarray, axis: int, length: int | None = None) -> np.ndarray:
    found = np.fft.fft(x[..., 0], length, axis)
    return np.stack([found.real, found.imag], -1).astype(np.float32)


case("DFT", "17", "y = DFT(x)", x=X, want=lambda x: transform(x, 1))
case("DFT", "17", "y = DFT <axis = 2> (x, n)", x=X, n=scalar(5), held="n", want=lambda x, n: transform(x, 2, 5))
case("DFT", "17", "y = DFT <axis = -2, onesided = 1> (x)", x=X, want=lambda x: transform(x, 2)[:, :, :2])
case("DFT", "20", "y = DFT(x)", x=X, want=lambda x: transform(x, 2))
case("DFT", "20", "y = DFT(x, n, axis)", x=X, n=scalar(5), axis=scalar(1), held="n axis", want=lambda x, n, axis: transform(x, 1, 5))
case("STFT", "17", "y = STFT(x, step, w)", x=floats(1, 16, 1), step=scalar(4), w=np.hanning(8).astype(np.float32), held="step", near=1e-4)
case("BlackmanWindow HammingWindow HannWindow", "17", "y = {op}(n) z = {op} <periodic = 0> (n)", n=scalar(7), held="n")
MEL = {"bins": scalar(4), "length": scalar(16), "rate": scalar(8000), "low": scalar(0, np.float32), "high": scalar(4000, np.float32)}
case("MelWeightMatrix", "17", "y = MelWeightMatrix(bins, length, rate, low, high)", **MEL, held="bins length rate low high")
