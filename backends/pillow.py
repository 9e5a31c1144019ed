"""Images decoded by Pillow, where it is installed, for the programs that a session runs; it is imported when the first image comes.

A session passes `decode_image` to its instance, as the C header describes it. Without Pillow it leaves images to the C libraries.
"""

from __future__ import annotations

import ctypes
import io
from functools import lru_cache
from typing import Any

import numpy as np

from .abi import OPTIONS, Function, ctypes_type

_FORMATS = ("JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")

_DECODED, _NO_IMAGE, _LEFT, _FAILED = range(4)


@lru_cache(maxsize=1)
def decode_image() -> Any:
    """The function as ctypes takes it, one for the process: it keeps nothing from call to call."""
    member = OPTIONS.members[OPTIONS.index("decode_image")]
    assert isinstance(member, Function)
    return ctypes_type(member)(_decode)


def _decode(_: Any, data: int, size: int, height: int, width: int, pixels: int | None) -> int:
    try:
        from PIL import Image
    except ImportError:
        return _LEFT
    try:
        with Image.open(io.BytesIO(ctypes.string_at(data, size)), formats=_FORMATS) as image:
            if pixels is None:
                ctypes.c_int64.from_address(height).value = image.height
                ctypes.c_int64.from_address(width).value = image.width
                return _DECODED
            found = _colours(image)
    except Image.DecompressionBombError:
        return _FAILED
    except (MemoryError, KeyboardInterrupt):
        return _FAILED
    except BaseException:
        # A broken file makes its plugins raise nearly anything; nothing may be raised through the caller, which is not Python.
        return _NO_IMAGE
    shape = ctypes.c_int64.from_address(height).value, ctypes.c_int64.from_address(width).value, 3
    if found.shape != shape:
        return _NO_IMAGE
    ctypes.memmove(pixels, found.ctypes.data, found.nbytes)
    return _DECODED


def _colours(image: Any) -> np.ndarray:
    """Red, green and blue, a byte each."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.ascontiguousarray(image.convert("RGB"), dtype=np.uint8)
