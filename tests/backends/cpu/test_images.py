"""Images that the host decodes: by the C libraries, by Pillow, by a function of the caller's; and what is not there or goes wrong."""

from __future__ import annotations

import ctypes
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intaglio.backends import session as sessions
from intaglio.backends.abi import DEVICE, MODULE, MODULE_SYMBOL, OPTIONS, Function, ctypes_type
from intaglio.backends.cpu.codecs import CODECS
from intaglio.backends.session import Session
from intaglio.errors import IntaglioError
from PIL import Image

DECODE = """
func.func @main(%x: !hal.buffer, %n: index) -> (!hal.buffer, index, index, index) attributes {
    "hal.inputs" = [{name = "x", element = 2 : i64, dims = ["N"]}],
    "hal.outputs" = [{name = "y", element = 2 : i64, dims = ["H", "W", 3]}]} {
  %three = arith.constant 3 : index
  %y, %h, %w = hal.decode_image %x, %n loc("reader")
  func.return %y, %h, %w, %three : !hal.buffer, index, index, index
}
"""
RNG = np.random.default_rng(0)
PIXELS = np.kron(RNG.integers(0, 256, (4, 5, 3)), np.ones((4, 4, 1))).astype(np.uint8)
FORMATS = {"jpeg": "JPEG", "png": "PNG", "tiff": "TIFF", "webp": "WEBP", "jpeg2000": "JPEG2000"}


@pytest.fixture(scope="module")
def program(compile_program: Any, add_kernel: str) -> Any:
    return compile_program(add_kernel + DECODE)


@pytest.fixture(scope="module")
def session(program: Any) -> Session:
    return program.session()


@pytest.fixture(scope="module")
def bare(program: Any) -> Session:
    """A session that is given no decoder, as a plain C program gives none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "decode_image", callback_type())
        return program.session()


def encoded(format: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, format, **options)
    return file.getvalue()


def decode(session: Session, data: bytes) -> np.ndarray:
    return session.run(None, {"x": np.frombuffer(data, np.uint8)})[0]


def installed(name: str) -> bool:
    codec = next(c for c in CODECS if c.name == name)
    for soname in codec.library.sonames:
        try:
            library = ctypes.CDLL(soname)
        except OSError:
            continue
        if all(hasattr(library, function) for function in codec.library.functions):
            return True
    return False


@pytest.mark.skipif(shutil.which("cc") is None or shutil.which("nm") is None, reason="no C compiler")
def test_nothing_is_linked(program: Any, tmp_path: Path):
    path = program.save(tmp_path / "m.so")
    symbols = subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=True).stdout
    undefined = {row.split()[-1].split("@")[0] for row in symbols.splitlines() if row.split()[-2] in "Uw"}
    assert not [name for name in undefined if re.match("jpeg|png|TIFF|WebP|opj", name)]
    assert {"dlopen", "dlsym"} <= undefined


VARIANTS = [
    ("jpeg", "RGB", {}),
    ("jpeg", "RGB", {"progressive": True, "quality": 60}),
    ("jpeg", "L", {}),
    ("jpeg", "CMYK", {}),
    ("png", "RGB", {}),
    ("png", "RGBA", {}),
    ("png", "P", {}),
    ("png", "1", {}),
    ("tiff", "RGB", {}),
    ("tiff", "L", {"compression": "tiff_lzw"}),
    ("tiff", "RGB", {"compression": "jpeg"}),
    ("webp", "RGB", {}),
    ("webp", "RGBA", {"lossless": True}),
    ("jpeg2000", "RGB", {}),
    ("jpeg2000", "L", {"no_jp2": True}),
    ("jpeg2000", "RGBA", {}),
]


@pytest.mark.parametrize(("name", "mode", "options"), VARIANTS)
def test_libraries_agree_with_pillow(bare: Session, name: str, mode: str, options: dict[str, Any]):
    data = encoded(FORMATS[name], mode, **options)
    if not installed(name):
        with pytest.raises(IntaglioError, match=r'ITG5070 "reader": this .* image takes .*, which is not installed'):
            decode(bare, data)
        return
    np.testing.assert_array_equal(decode(bare, data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("name", FORMATS)
def test_broken_files_do_no_harm(bare: Session, name: str):
    if not installed(name):
        pytest.skip(f"the library of {name} is not installed")
    rng = np.random.default_rng(7)
    source = encoded(FORMATS[name])
    for n in range(60):
        data = bytearray(source)
        if n % 3 == 0:
            del data[int(rng.integers(0, len(data))) :]
        for _ in range(n % 4):
            data[rng.integers(0, len(data))] ^= 1 << int(rng.integers(0, 8)) if data else 0
        try:
            assert decode(bare, bytes(data)).shape[2] == 3
        except IntaglioError as error:
            assert error.code in ("ITG5071", "ITG5010")
    assert decode(bare, source).shape == PIXELS.shape


def test_what_the_host_does_not_decode_is_left_empty(session: Session):
    for data in (b"", b"P6 1 1 255 abc", encoded("BMP"), b"GIF89a", b"\x89PNG\r\n\x1a\n"):
        assert decode(session, data).shape == (0, 0, 3)


def test_pillow_decodes_where_it_is_installed(session: Session, monkeypatch: pytest.MonkeyPatch):
    opened: list[object] = []

    def opener(*arguments: Any, **options: Any) -> Any:
        opened.append(options["formats"])
        return real(*arguments, **options)

    real = Image.open
    monkeypatch.setattr(Image, "open", opener)
    assert decode(session, encoded("PNG")).shape == PIXELS.shape
    assert len(opened) == 2  # for the size, then for the pixels


def test_without_pillow_images_are_left_to_the_libraries(session: Session, monkeypatch: pytest.MonkeyPatch):
    data = encoded("PNG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    if installed("png"):
        assert decode(session, data).shape == PIXELS.shape
    else:
        with pytest.raises(IntaglioError, match="ITG5070"):
            decode(session, data)


Caller = Callable[[Any, int, int, int, int, int | None], int]


def given(program: Any, monkeypatch: pytest.MonkeyPatch, function: Caller, **options: Any) -> Session:
    """A session whose images a Python function decodes, as one in C would."""
    callback = callback_type()(function)
    monkeypatch.setattr(sessions, "decode_image", lambda: callback)
    session = program.session(**options)
    session.callback = callback  # it must last as long
    return session


def callback_type() -> Any:
    member = OPTIONS.members[OPTIONS.index("decode_image")]
    assert isinstance(member, Function)
    return ctypes_type(member)


def grey(height: int, width: int, *, size_status: int = 0, pixel_status: int = 0) -> Caller:
    """A decoder of grey images of that size."""

    def decode(_: Any, data: int, size: int, height_at: int, width_at: int, pixels: int | None) -> int:
        if pixels is None:
            ctypes.c_int64.from_address(height_at).value = height
            ctypes.c_int64.from_address(width_at).value = width
            return size_status
        ctypes.memset(pixels, 128, height * width * 3)
        return pixel_status

    return decode


def test_the_caller_may_decode(program: Any, monkeypatch: pytest.MonkeyPatch):
    found = decode(given(program, monkeypatch, grey(3, 5)), encoded("PNG"))
    np.testing.assert_array_equal(found, np.full((3, 5, 3), 128, np.uint8))


@pytest.mark.parametrize("height, width", [(0, 5), (-1, 5), (-(2**63), -(2**63))])
def test_a_size_that_is_none_is_no_image(program: Any, monkeypatch: pytest.MonkeyPatch, height: int, width: int):
    assert decode(given(program, monkeypatch, grey(height, width)), encoded("PNG")).size == 0


@pytest.mark.parametrize("size", [(1 << 28, 2), (1 << 40, 1 << 40), (1 << 62, 4)])
def test_an_absurd_size_is_refused_before_memory_is_taken(program: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]):
    with pytest.raises(IntaglioError, match=f'ITG5071 "reader": the image is of {size[1]} by {size[0]} pixels'):
        decode(given(program, monkeypatch, grey(*size)), encoded("PNG"))


def test_the_callers_failures(program: Any, monkeypatch: pytest.MonkeyPatch):
    for statuses in ({"size_status": 1}, {"pixel_status": 1}):
        assert decode(given(program, monkeypatch, grey(3, 5, **statuses)), encoded("PNG")).size == 0
    for statuses in ({"size_status": 7}, {"pixel_status": 7}):
        with pytest.raises(IntaglioError, match='ITG5072 "reader": the decoder that the caller gave failed with 7'):
            decode(given(program, monkeypatch, grey(3, 5, **statuses)), encoded("PNG"))


def test_a_device_whose_memory_the_host_cannot_reach(program: Any, monkeypatch: pytest.MonkeyPatch):
    """The stream comes by way of the host, and the pixels go back by it."""
    library = program.machine.load([program.object])
    table = MODULE.ctypes().from_address(library.address(MODULE_SYMBOL))
    far = Far(table.device, library)
    found = decode(given(program, monkeypatch, grey(3, 5), device=far), encoded("PNG"))
    np.testing.assert_array_equal(found, np.full((3, 5, 3), 128, np.uint8))


class Far:
    """The CPU as a device that maps nothing."""

    def __init__(self, cpu: int, library: Any) -> None:
        struct = DEVICE.ctypes()
        self.library = library
        self.struct = struct.from_buffer_copy(struct.from_address(cpu))
        member = DEVICE.members[DEVICE.index("map")]
        self.map = ctypes_type(member)(lambda *_: None)
        self.struct.map = self.map
