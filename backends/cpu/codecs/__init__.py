"""How each C library decodes an image that lies in memory, in LLVM IR; `images` calls these with a picture and its data.

Offsets and sizes of the libraries' structs are those of their binary interfaces, which their sonames promise.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..libraries import Library
from .jpeg import JPEG
from .jpeg2000 import JPEG2000
from .png import PNG
from .tiff import TIFF
from .webp import WEBP


@dataclass(frozen=True)
class Codec:
    """A format: the function `@image.NAME`, how people call it, how its files begin (an offset and the bytes there), who decodes it."""

    name: str
    format: str
    signatures: tuple[tuple[int, bytes], ...]
    library: Library
    text: str


CODECS = (
    Codec(
        "jpeg",
        "JPEG",
        ((0, b"\xff\xd8\xff"),),
        Library(
            "jpeg",
            "libjpeg-turbo",
            ("libjpeg.so.62", "libjpeg.so.8"),
            (
                "jpeg_std_error", "jpeg_CreateDecompress", "jpeg_mem_src", "jpeg_read_header", "jpeg_start_decompress",
                "jpeg_read_scanlines", "jpeg_finish_decompress", "jpeg_destroy_decompress",
            ),
        ),
        JPEG,
    ),
    Codec(
        "png",
        "PNG",
        ((0, b"\x89PNG\r\n\x1a\n"),),
        Library(
            "png",
            "libpng",
            ("libpng16.so.16",),
            ("png_image_begin_read_from_memory", "png_image_finish_read", "png_image_free"),
        ),
        PNG,
    ),
    Codec(
        "tiff",
        "TIFF",
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        Library(
            "tiff",
            "libtiff",
            ("libtiff.so.6",),
            (
                "TIFFOpenOptionsAlloc", "TIFFOpenOptionsFree", "TIFFOpenOptionsSetMaxSingleMemAlloc",
                "TIFFOpenOptionsSetErrorHandlerExtR", "TIFFOpenOptionsSetWarningHandlerExtR", "TIFFClientOpenExt", "TIFFClose",
                "TIFFGetField", "TIFFRGBAImageOK", "TIFFReadRGBAImageOriented",
            ),
        ),
        TIFF,
    ),
    Codec(
        "webp",
        "WebP",
        ((8, b"WEBP"),),
        Library("webp", "libwebp", ("libwebp.so.7",), ("WebPGetInfo", "WebPDecodeRGBInto")),
        WEBP,
    ),
    Codec(
        "jpeg2000",
        "JPEG 2000",
        ((0, b"\0\0\0\x0cjP  \r\n\x87\n"), (0, b"\xff\x4f\xff\x51")),
        Library(
            "openjp2",
            "OpenJPEG",
            ("libopenjp2.so.7",),
            (
                "opj_stream_create", "opj_stream_destroy", "opj_stream_set_user_data", "opj_stream_set_user_data_length",
                "opj_stream_set_read_function", "opj_stream_set_skip_function", "opj_stream_set_seek_function",
                "opj_create_decompress", "opj_destroy_codec", "opj_set_default_decoder_parameters", "opj_setup_decoder",
                "opj_read_header", "opj_decode", "opj_end_decompress", "opj_image_destroy",
            ),
        ),
        JPEG2000,
    ),
)  # fmt: skip
"""In the order in which a file's first bytes are looked at."""
