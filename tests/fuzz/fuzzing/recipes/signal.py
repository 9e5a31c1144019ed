"""Fourier transforms, windows, and random numbers."""

from __future__ import annotations

from ..draw import Draw
from ..schemas import INT64
from .registry import recipe


@recipe("BlackmanWindow", "HammingWindow", "HannWindow")
def windows(d: Draw) -> None:
    d.given(d.size(1, 33), "shape", "T1")
    d.maybe("periodic", lambda: d.between(0, 1))
    if d.flag():
        d.attribute("output_datatype", d.type("T2", only=[1, 10, 11]))


@recipe("MelWeightMatrix")
def mel(d: Draw) -> None:
    for value in (d.between(1, 8), d.pick([16, 32, 9]), d.pick([8192, 16000])):
        d.given(value, "shape", "T1")
    for value in (0.0, 4000.0):
        d.given(value, type="T2")
    if d.flag():
        d.attribute("output_datatype", d.type("T3", only=[1, 10, 11]))


@recipe("DFT")
def dft(d: Draw) -> None:
    d.plain()
    inverse = d.maybe("inverse", lambda: d.between(0, 1))
    real = not inverse and d.flag()
    onesided = d.maybe("onesided", lambda: 1) if real else 0
    shape = [d.size(1, 9) for _ in range(d.between(2, 3))]
    axis = d.between(0, len(shape) - 1)
    d.data("T1", [*shape, 1 if real else 2])
    if d.flag():
        d.given(d.between(1, 12), "shape", "T2")
    else:
        d.skip()
    d.given(axis - len(shape) - 1 if d.flag() else axis, "constant", INT64)
    assert onesided in (0, 1)


@recipe("STFT")
def stft(d: Draw) -> None:
    d.plain()
    length, frame = d.size(8, 33), d.pick([4, 8, 3])
    real = d.flag()
    d.data("T1", [d.size(1, 2), length, 1 if real else 2])
    d.given(d.between(1, 4), "shape", "T2")
    if d.flag():
        d.data("T1", [frame])
        if d.flag():
            d.given(frame, "shape", "T2")
    else:
        d.skip()
        d.given(frame, "shape", "T2")
    if not real or d.flag():
        d.attribute("onesided", 1 if real and d.flag() else 0)


@recipe("RandomNormal", "RandomUniform")
def random(d: Draw) -> None:
    """What comes is of the right type and shape, no more can be asked."""
    d.random = True
    d.attribute("shape", list(d.shape(1, 3)))
    _random_attributes(d, "T")


@recipe("RandomNormalLike", "RandomUniformLike")
def random_like(d: Draw) -> None:
    d.random = True
    kinds = [1, 10, 11]
    d.data(d.type("T1", only=kinds), d.shape(0, 3))
    _random_attributes(d, "T2")


def _random_attributes(d: Draw, text: str) -> None:
    if d.flag():
        d.attribute("dtype", d.type(text))
    d.maybe("seed", lambda: d.real(0, 9))
    for name in ("mean", "scale") if "Normal" in d.operator else ("low", "high"):
        d.maybe(name, lambda name=name: d.real(1, 3) if name in ("scale", "high") else d.real(-1, 0))


@recipe("Multinomial")
def multinomial(d: Draw) -> None:
    d.random = True
    d.data("T1", [d.size(1, 3), d.size(2, 5)])
    d.maybe("sample_size", lambda: d.between(1, 5))
    d.maybe("dtype", lambda: d.pick([6, 7]))
    d.maybe("seed", lambda: d.real(0, 9))
