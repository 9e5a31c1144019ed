"""ImageDecoder: BMP and PNM by kernels, the other formats by a step of the host program, all laid out by one kernel."""

from __future__ import annotations

from ...dialects import dispatch
from ...dialects.onnx.image import ImageDecoderOp
from ...dialects.onnx.types import BY_NAME
from ..scalar import INDEX, INT64, ScalarBuilder
from .bitmaps import HEAD, HEIGHT, WIDTH, paint, probe
from .builder import Lowering, Tensor
from .registry import lower


@lower(ImageDecoderOp)
def image_decoder(b: Lowering, op: ImageDecoderOp, stream: Tensor) -> Tensor:
    decode = dispatch.DecodeImageOp(stream.value)
    b.emit(decode)
    (head,) = b.kernel(probe, {"data": stream, "head": ((HEAD,), INT64)})
    s = ScalarBuilder(b.block)
    # One of the two finds the image, the other gives 0.
    height = s.wrap(decode.height, INDEX) + b.host_scalar(head, HEIGHT)
    width = s.wrap(decode.width, INDEX) + b.host_scalar(head, WIDTH)
    b.require((height * width <= dispatch.MOST_PIXELS).value, "ITG5071", "the image is of more than the 2^28 pixels that are decoded")
    b.define_result_dim(op.image, 0, height.value)
    b.define_result_dim(op.image, 1, width.value)
    decoded = b.tensor(decode.image, (b.new_dim(decode.height), b.new_dim(decode.width), 3), stream.type)
    arrays = {"data": stream, "decoded": decoded, "head": head, "image": (b.shapes.of(op.image), BY_NAME["uint8"])}
    return b.kernel(paint, arrays, {"layout": op.attr("pixel_format")})[0]
