"""ImageDecoder against Pillow: every form of BMP and PNM, all pixel formats, and files that are none."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import intaglio
import numpy as np
import onnx
import pytest
from intaglio.errors import IntaglioError
from onnx import TensorProto, helper
from PIL import Image

RNG = np.random.default_rng(0)
PIXELS = np.kron(RNG.integers(0, 256, (4, 5, 3)), np.ones((4, 4, 1))).astype(np.uint8)

Decode = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def decode() -> Decode:
    """The pixels of an encoded image, in a pixel format."""
    sessions: dict[str, Any] = {}

    def run(data: bytes, pixel_format: str = "RGB") -> np.ndarray:
        if pixel_format not in sessions:
            node = helper.make_node("ImageDecoder", ["data"], ["image"], name="decoder", pixel_format=pixel_format)
            inputs = [helper.make_tensor_value_info("data", TensorProto.UINT8, ["n"])]
            graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name="image")])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=11)
            sessions[pixel_format] = intaglio.compile(model, opt_level=1).session()
        return sessions[pixel_format].run(None, {"data": np.frombuffer(data, np.uint8)})[0]

    return run


def encoded(format: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, format, **options)
    return file.getvalue()


def expected(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def bitmap(
    width: int,
    height: int,
    bits: int,
    *,
    header: int = 40,
    colours: int = 0,
    packing: int = 0,
    masks: tuple[int, ...] = (),
    data: bytes = b"",
) -> bytes:
    """A BMP file of random colours and pixels; a negative height is of one whose rows begin at the top."""
    row = (width * bits + 31) // 32 * 4
    data = data or RNG.integers(0, min(colours or 256, 256), row * abs(height), dtype=np.uint8).tobytes()
    entries = RNG.integers(0, 256, ((colours or 1 << bits) * (3 if header == 12 else 4) if bits <= 8 else 0), dtype=np.uint8).tobytes()
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, packing, len(data), 0, 0, colours, 0)
        head = (head + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    start = 14 + len(head) + len(entries)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + entries + data


RUNS = {
    "rle8": (8, 1, bytes([5, 1, 2, 2, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 2, 9, 0, 0, 0, 2, 2, 0, 3, 7, 0, 0, 9, 3, 0, 1])),
    "rle4": (4, 2, bytes([5, 0x12, 2, 0x34, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 2, 0x99, 0, 0, 7, 0x21, 0, 0, 7, 3, 0, 1])),
}
RGB565, RGBX = (0xF800, 0x7E0, 0x1F), (0xFF000000, 0xFF0000, 0xFF00)


def bitmaps() -> Iterator[bytes]:
    for width, height in ((1, 1), (7, 5), (13, -3)):
        yield from (bitmap(width, height, bits) for bits in (1, 4, 8, 16, 24, 32))
        yield from (bitmap(width, abs(height), bits, header=12) for bits in (1, 4, 8, 24))
        for header in (40, 52, 56, 108, 124):
            yield bitmap(width, height, 16, header=header, packing=3, masks=RGB565)
            yield bitmap(width, height, 32, header=header, packing=3, masks=RGBX)
        yield bitmap(width, height, 8, colours=200)
    for bits, packing, data in RUNS.values():
        yield bitmap(7, 4, bits, packing=packing, data=data)
    yield from (encoded("BMP", mode) for mode in ("1", "L", "P", "RGB"))


ANYMAPS = [
    b"P1 # a comment\n5 3\n10101\n0 1 0 1 #x\n1\n11111\n",
    b"P2\n3 2\n# another\n15\n0 1 2\n 7 14 15\n",
    b"P3 2 2 200 0 1 2 3 4 5 6 7 8 200 199 100",
    b"P4 11 2\n\xaa\xbb\xcc\xdd",
    b"P5\n#a\n2 2\n#b\n3\n\0\1\2\3",
    b"P5 3 1 255 abc",
    b"P6 2 1 100\n\0\1\2\3\x32\x64",
    b"P6 2 1 65535\n" + bytes(range(90, 102)),
]


def test_bitmaps(decode: Decode):
    for data in bitmaps():
        np.testing.assert_array_equal(decode(data), expected(data))


@pytest.mark.parametrize("data", ANYMAPS)
def test_anymaps(decode: Decode, data: bytes):
    np.testing.assert_array_equal(decode(data), expected(data))


def test_values_of_two_bytes_are_scaled(decode: Decode):
    assert decode(b"P5 3 1 65535\n\xff\xff\x80\0\0\0")[0, :, 0].tolist() == [255, 128, 0]
    assert decode(b"P2 3 1 1000 1000 500 1")[0, :, 1].tolist() == [255, 128, 0]


@pytest.mark.parametrize("format", ["BMP", "PPM", "PNG", "JPEG", "TIFF", "WEBP", "JPEG2000"])
def test_formats(decode: Decode, format: str):
    data = encoded(format)
    found = expected(data)
    np.testing.assert_array_equal(decode(data), found)
    np.testing.assert_array_equal(decode(data, "BGR"), found[:, :, ::-1])
    np.testing.assert_array_equal(decode(data, "Grayscale")[:, :, 0], np.array(Image.open(io.BytesIO(data)).convert("L")))


@pytest.mark.parametrize(("format", "mode"), [("PNG", "P"), ("PNG", "LA"), ("PNG", "1"), ("JPEG", "L"), ("JPEG", "CMYK"), ("TIFF", "L")])
def test_colours_of_other_kinds(decode: Decode, format: str, mode: str):
    data = encoded(format, mode)
    np.testing.assert_array_equal(decode(data), expected(data))


def test_sixteen_bits_of_grey_are_cut_to_eight(decode: Decode):
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 0x8000, 0xFFFF]], np.uint16)).save(file, "PNG")
    assert decode(file.getvalue())[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    "data", [b"", b"B", b"BM", b"P6", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"P5 0 3 255 ", b"P6 2 2 70000 " + bytes(24)]
)
def test_what_is_no_image_gives_an_empty_one(decode: Decode, data: bytes):
    assert decode(data).shape == (0, 0, 3)
    assert decode(data, "Grayscale").shape == (0, 0, 1)


def test_files_cut_short_give_an_empty_image(decode: Decode):
    for data in (encoded("BMP"), encoded("PPM"), bitmap(7, 4, 8, packing=1, data=RUNS["rle8"][2]), b"P2 2 2 9 1 2 3 4", encoded("PNG")):
        for size in (5, len(data) // 2, len(data) * 3 // 4):
            assert decode(data[:size]).size == 0


def test_absurd_sizes_are_refused(decode: Decode):
    huge = bytearray(bitmap(7, 4, 8, packing=1, data=RUNS["rle8"][2]))
    huge[18:26] = struct.pack("<ii", 1 << 20, 1 << 20)
    with pytest.raises(IntaglioError, match=r'ITG5071 "decoder": the image is of more than the 2\^28 pixels'):
        decode(bytes(huge))
    assert decode(b"P5 99999999999 99999999999 255 ").size == 0
    assert decode(bitmap(1, 1, 24)).shape == (1, 1, 3)


def test_broken_bitmaps_and_anymaps_do_no_harm(decode: Decode):
    """Some give an image all the same; none crashes, and the session goes on."""
    rng = np.random.default_rng(1)
    runs = [bitmap(7, 4, bits, packing=packing, data=data) for bits, packing, data in RUNS.values()]
    sources = [*runs, encoded("BMP", "P"), *ANYMAPS]
    for n in range(300):
        data = bytearray(sources[n % len(sources)])
        # The size of run lengths is left alone: they may well be of a large image, which takes long.
        first = 26 if n % len(sources) < len(runs) else 0
        for _ in range(1 + n % 3):
            data[rng.integers(first, min(len(data), 80))] = rng.integers(0, 256)
        try:
            assert decode(bytes(data)).shape[2] == 3
        except IntaglioError as error:
            assert error.code in ("ITG5071", "ITG5010")
