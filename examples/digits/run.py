"""Reads a handwritten digit: compiles digits.onnx for this machine, runs it on an image, and says which digit it sees.

    python examples/digits/run.py [IMAGE.png]

The image is 8x8 pixels in grey, white on black; 0.png to 9.png beside this file are some that the network was not trained on.
"""

from __future__ import annotations

import struct
import sys
import time
import zlib
from pathlib import Path

import intaglio
import numpy as np

HERE = Path(__file__).parent
SHADES = " ░▒▓█"


def main(path: Path) -> None:
    grey = read_png(path)
    for row in grey:
        print("    " + "".join(2 * SHADES[int(pixel) * (len(SHADES) - 1) // 255] for pixel in row))
    start = time.perf_counter()
    session = intaglio.InferenceSession(HERE / "digits.onnx")
    compiled = time.perf_counter()
    (probabilities,) = session.run(None, {"image": grey.astype(np.float32)[None, None] / 255})
    ran = time.perf_counter()
    digit = int(probabilities[0].argmax())
    print(f"this is a {digit} ({probabilities[0, digit]:.1%} sure)")
    print(f"compiled in {compiled - start:.2f} s, ran in {(ran - compiled) * 1e6:.0f} µs")


def read_png(path: Path) -> np.ndarray:
    """The pixels of an 8x8 PNG in eight-bit grey, 0 to 255."""
    data = path.read_bytes()
    body, at = b"", 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at + 8 : at + 8 + size]
        if kind == b"IHDR" and struct.unpack(">IIBBBBB", chunk) != (8, 8, 8, 0, 0, 0, 0):
            sys.exit(f"{path} is no 8x8 PNG in eight-bit grey")
        if kind == b"IDAT":
            body += chunk
        at += size + 12
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(8, 9)
    above = np.zeros(8, np.uint8)
    found = [above := unfiltered(row[0], row[1:], above) for row in rows]
    return np.stack(found)


def unfiltered(kind: int, row: np.ndarray, above: np.ndarray) -> np.ndarray:
    """A row with its PNG filter undone; https://www.w3.org/TR/png/#9Filters"""
    pixels = [0] * (len(row) + 1)
    for x, value in enumerate(map(int, row)):
        left, up, corner = pixels[x], int(above[x]), int(above[x - 1]) if x else 0
        nearest = min((left, up, corner), key=lambda p: abs(left + up - corner - p))
        pixels[x + 1] = (value + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
    return np.array(pixels[1:], np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "7.png")
