"""How flowers.onnx was made: the mean measurements of three species of iris (Fisher, 1936), in centimetres. Needs the onnx package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

DOMAIN = "example.flowers"
MEAN = np.array([5.84, 3.06, 3.76, 1.20], np.float32)
DEVIATION = np.array([0.83, 0.44, 1.77, 0.76], np.float32)
CENTRES = np.array([[5.006, 3.428, 1.462, 0.246], [5.936, 2.770, 4.260, 1.326], [6.588, 2.974, 5.552, 2.026]], np.float32)


def main() -> None:
    held = {"mean": MEAN, "deviation": DEVIATION, "centres": (CENTRES - MEAN) / DEVIATION}
    graph = helper.make_graph(
        [
            helper.make_node("Standardised", ["flowers", "mean", "deviation"], ["scaled"], domain=DOMAIN, clip=4.0),
            helper.make_node("Nearest", ["scaled", "centres"], ["species", "distance"], domain=DOMAIN),
        ],
        "flowers",
        [helper.make_tensor_value_info("flowers", TensorProto.FLOAT, ["n", 4])],
        [
            helper.make_tensor_value_info("species", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["n"]),
        ],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="examples/custom")
    save(model, Path(__file__).with_name("flowers.onnx"))


if __name__ == "__main__":
    main()
