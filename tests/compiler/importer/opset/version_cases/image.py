"""Resizing and sampling of images, and regions of them."""

from __future__ import annotations

import numpy as np

from .model import case, floats, ints, positive

X = floats(1, 2, 3, 4)


def repeated(x: np.ndarray, height: int, width: int) -> np.ndarray:
    return x.repeat(height, 2).repeat(width, 3)


def linear(x: np.ndarray, scales: tuple[float, ...]) -> np.ndarray:
    """Linear along every axis, output x read at x / scale."""
    for axis, scale in enumerate(scales):
        size = x.shape[axis]
        places = np.arange(int(size * scale)) / scale
        low = np.minimum(places.astype(int), size - 1)
        high = np.minimum(low + 1, size - 1)
        part = (places - low).reshape([-1 if k == axis else 1 for k in range(x.ndim)])
        x = (x.take(low, axis) * (1 - part) + x.take(high, axis) * part).astype(np.float32)
    return x


SCALES = np.float32([1, 1, 2, 3])
case("Upsample", "1", "y = Upsample <height_scale = 2.0, width_scale = 3.0> (x)", x=X, want=lambda x: repeated(x, 2, 3))
case(
    "Upsample",
    "1",
    'y = Upsample <height_scale = 2.0, width_scale = 3.0, mode = "bilinear"> (x)',
    x=X,
    want=lambda x: linear(x, (1, 1, 2, 3)),
)
case("Upsample", "7", "y = Upsample <scales = [1.0, 1.0, 2.0, 3.0]> (x)", x=X)
case("Upsample", "7", 'y = Upsample <scales = [1.0, 1.0, 2.0, 1.5], mode = "linear"> (x)', x=X)
for held in ("", "s"):
    # Deprecated at operator set 10, with its meaning kept.
    case("Upsample", "9-10", "y = Upsample(x, s)", x=X, s=SCALES, held=held, want=lambda x, s: repeated(x, 2, 3))
    case("Upsample", "9-10", 'y = Upsample <mode = "linear"> (x, s)', x=X, s=SCALES, held=held, want=lambda x, s: linear(x, tuple(s)))
    # At operator set 10 output x was read at x / scale, rounded down where the axis grew and up where it shrank.
    for scales in ([1, 1, 0.5, 0.6], [1, 1, 2, 3], [1, 1, 2, 0.5], [1, 1, 1.5, 0.75]):
        case("Resize", "10", "y = Resize(x, s)", x=floats(1, 2, 4, 6), s=np.float32(scales), held=held)
    case("Resize", "10", 'y = Resize <mode = "linear"> (x, s)', x=X, s=np.float32([1, 1, 1.5, 2]), held=held)
NOTHING = np.zeros(0, np.float32)
case("Resize", "11-", 'y = Resize <mode = "linear"> (x, roi, s)', x=X, roi=NOTHING, s=SCALES, held="roi s")
case("Resize", "11-", "y = Resize(x, roi, s, sizes)", x=X, roi=NOTHING, s=NOTHING, sizes=ints(1, 2, 5, 7), held="roi s sizes")
MODES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
text = " ".join(f'{mode} = Resize <coordinate_transformation_mode = "{mode}", mode = "cubic"> (x, roi, s)' for mode in MODES)
case("Resize", "11-", text, x=X, roi=NOTHING, s=SCALES, held="roi s")
MODES = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
text = " ".join(f'{mode} = Resize <nearest_mode = "{mode}"> (x, roi, s)' for mode in MODES)
case("Resize", "11-", text, x=X, roi=NOTHING, s=np.float32([1, 1, 2, 0.5]), held="roi s")
CROP = 'y = Resize <coordinate_transformation_mode = "tf_crop_and_resize", mode = "linear", extrapolation_value = 9.0> (x, roi, s, sizes)'
ROI = np.float32([0, 0, 0.25, -0.25, 1, 1, 0.75, 1.25])
case("Resize", "11-", CROP, x=X, roi=ROI, s=NOTHING, sizes=ints(1, 2, 4, 5), held="roi s sizes", near=1e-4)
# Withdrawn at operator set 13: output x is read at (x + 0.5) / scale.
NEAREST = 'Resize <coordinate_transformation_mode = "tf_half_pixel_for_nn", nearest_mode ='
text = f'y = {NEAREST} "floor"> (x, roi, s) z = {NEAREST} "round_prefer_floor"> (x, roi, s)'
for scales in ([1, 1, 2, 1.5], [1, 1, 0.5, 0.75]):
    case("Resize", "11", text, x=floats(1, 2, 4, 6), roi=NOTHING, s=np.float32(scales), held="roi s", by="runtime")
case("Resize", "13-", "y = Resize(x, , s)", x=X, s=SCALES)
case(
    "Resize",
    "18-",
    'y = Resize <mode = "linear", antialias = 1> (x, , s)',
    x=floats(1, 1, 6, 8),
    s=np.float32([1, 1, 0.5, 0.6]),
    held="s",
    near=1e-4,
)
case("Resize", "18-", 'y = Resize <axes = [3, 2], keep_aspect_ratio_policy = "not_larger"> (x, , , n)', x=X, n=ints(8, 8), held="n")
SYMMETRIC = 'y = Resize <coordinate_transformation_mode = "half_pixel_symmetric", mode = "linear"> (x, , s)'
case("Resize", "19", SYMMETRIC, x=X, s=np.float32([1, 1, 1.7, 0.6]), held="s", by="reference")

GRID = np.float32(np.linspace(-1.2, 1.1, 12)).reshape(1, 2, 3, 2)
for old, new in (("bilinear", "linear"), ("bicubic", "cubic"), ("nearest", "nearest")):
    case("GridSample", "16", f'y = GridSample <mode = "{old}", align_corners = 1> (x, g)', x=X, g=GRID, near=1e-4)
    case("GridSample", "20-", f'y = GridSample <mode = "{new}", align_corners = 1> (x, g)', x=X, g=GRID, near=1e-4)
case("GridSample", "16-", 'y = GridSample <padding_mode = "reflection"> (x, g)', x=X, g=GRID, near=1e-4)
case("GridSample", "20-", "y = GridSample(x, g)", x=floats(1, 1, 2, 3, 4), g=GRID.reshape(1, 1, 2, 2, 3), near=1e-4)
case("AffineGrid", "20", "y = AffineGrid(theta, size)", theta=floats(1, 2, 3), size=ints(1, 1, 2, 3), held="size")
case("Col2Im", "18", "y = Col2Im(x, image, block)", x=floats(1, 4, 6), image=ints(3, 4), block=ints(2, 2), held="image block")

ROIS = {"x": positive(1, 2, 8, 8), "rois": np.float32([[0, 0, 6, 5], [1, 2, 3, 7]]), "i": ints(0, 0)}
SIZE = "output_height = 2, output_width = 3, sampling_ratio = 2, spatial_scale = 0.75"
# Up to operator set 15 coordinates were not shifted by half a pixel.
case("RoiAlign", "10-", f"y = RoiAlign <{SIZE}> (x, rois, i)", **ROIS)
case("RoiAlign", "16-", f'y = RoiAlign <{SIZE}, coordinate_transformation_mode = "output_half_pixel"> (x, rois, i)', **ROIS)
POOLED = {"x": positive(2, 1, 6, 6), "rois": np.float32([[0, 0, 0, 4, 3], [1, 1, 2, 5, 5]])}


def pooled(x: np.ndarray, rois: np.ndarray) -> np.ndarray:
    """The largest of each quarter of the regions, borders included."""
    found = np.zeros((len(rois), x.shape[1], 2, 2), np.float32)
    for n, (batch, left, top, right, bottom) in enumerate(rois.astype(int)):
        for row in range(2):
            for column in range(2):
                rows = slice(*_part(top, bottom, row))
                columns = slice(*_part(left, right, column))
                found[n, :, row, column] = x[batch, :, rows, columns].max((1, 2))
    return found


def _part(first: int, last: int, index: int) -> tuple[int, int]:
    size = (last - first + 1) / 2
    return first + int(np.floor(index * size)), first + int(np.ceil((index + 1) * size))


case("MaxRoiPool", "1-", "y = MaxRoiPool <pooled_shape = [2, 2]> (x, rois)", **POOLED, want=pooled)
BOXES = np.float32([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3], [0, 2, 1, 2.9]]])
SCORES = np.float32([[[0.9, 0.75, 0.6, 0.95]]])
NMS = {"boxes": BOXES, "scores": SCORES, "n": ints(3), "iou": np.float32([0.5]), "low": np.float32([0.1])}
case("NonMaxSuppression", "10-", "y = NonMaxSuppression(boxes, scores, n, iou, low)", **NMS)
PIXELS = np.frombuffer(b"P6\n2 1\n255\n\x01\x02\x03\xf0\x80\x00", np.uint8)
case("ImageDecoder", "20", 'y = ImageDecoder <pixel_format = "RGB"> (x)', x=PIXELS, want=lambda x: np.uint8([[[1, 2, 3], [240, 128, 0]]]))
