"""Fourier transforms against numpy's, windows, and the mel filter bank."""

import numpy as np
import pytest

rng = np.random.default_rng(0)


def parts(x):
    return np.stack([x.real, x.imag], axis=-1)


@pytest.mark.parametrize("length", [1, 2, 7, 8, 12, 30, 49, 101])
@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize("open_dims", [False, True])
def test_any_length(run, length, inverse, open_dims):
    x = rng.standard_normal((2, length, 2)).astype(np.float32)
    whole = x[..., 0] + 1j * x[..., 1]
    y = run("DFT", x, None, np.int64(1), constants=(2,), inverse=inverse, open_dims=open_dims)
    np.testing.assert_allclose(y, parts((np.fft.ifft if inverse else np.fft.fft)(whole)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, -2, -4])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("length", [None, 3, 9])
def test_axes_and_lengths(run, axis, known, length):
    x = rng.standard_normal((4, 5, 6, 1)).astype(np.float64)
    asked = None if length is None else np.int64(length)
    y = run("DFT", x, asked, np.int64(axis), constants=(2,) if known else (), onesided=1)
    np.testing.assert_allclose(y, parts(np.fft.rfft(x[..., 0], length, axis=axis if axis >= 0 else axis + 1)), atol=1e-9)


@pytest.mark.parametrize("length", [8, 9])
def test_one_sided_and_back(run, length):
    x = rng.standard_normal((3, length, 1)).astype(np.float32)
    spectrum = run("DFT", x, None, np.int64(1), constants=(2,), onesided=1)
    back = run("DFT", spectrum, np.int64(length), np.int64(1), constants=(1, 2), onesided=1, inverse=1)
    np.testing.assert_allclose(back, x, atol=1e-5)


@pytest.mark.parametrize("onesided", [0, 1])
def test_frames(run, onesided):
    x, window = rng.standard_normal((2, 50, 1)).astype(np.float32), np.hanning(12).astype(np.float32)
    y = run("STFT", x, np.int64(5), window, onesided=onesided, open_dims=True)
    frames = np.stack([x[:, s : s + 12, 0] * window for s in range(0, 39, 5)], axis=1)
    np.testing.assert_allclose(y, parts((np.fft.rfft if onesided else np.fft.fft)(frames)), atol=1e-4)


WINDOWS = {
    "HannWindow": lambda a: 0.5 - 0.5 * np.cos(a),
    "HammingWindow": lambda a: 25 / 46 - 21 / 46 * np.cos(a),
    "BlackmanWindow": lambda a: 0.42 - 0.5 * np.cos(a) + 0.08 * np.cos(2 * a),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("known", [True, False])
def test_windows(run, name, periodic, known):
    angles = 2 * np.pi * np.arange(10) / (10 if periodic else 9)
    y = run(name, np.int32(10), periodic=periodic, constants=(0,) if known else (), output_datatype=11)
    np.testing.assert_allclose(y, WINDOWS[name](angles), atol=1e-12)
    assert run(name, np.int32(0), periodic=periodic).shape == (0,)


def test_mel(run):
    y = run("MelWeightMatrix", np.int64(4), np.int64(64), np.int64(8000), np.float32(100), np.float32(4000))
    assert y.shape == (33, 4) and y.max() == 1
    assert (np.diff(y.argmax(axis=0)) > 0).all()
