"""Two operators of a domain of our own: one is a kernel with a shape rule, one is built out of ONNX's operators.

    intaglio compile examples/custom/flowers.onnx --operators examples/custom/flower_operators.py -o flowers.so
"""

from __future__ import annotations

import intaglio
from intaglio.dialects.kernel import Array, Out, cast, sqrt

DOMAIN = "example.flowers"


def sizes(x: intaglio.Operand, centres: intaglio.Operand) -> list[intaglio.TensorSpec]:
    """One index and one distance a row of x, whose rows must be as long as those of the centres."""
    rows, width = x.shape
    centres.expect(None, width)
    return [intaglio.TensorSpec((rows,), "int64"), intaglio.TensorSpec((rows,), x.type)]


@intaglio.operator(DOMAIN, shapes=sizes, types={"x centres": ["float", "double"]})
@intaglio.kernel
def Nearest(x: Array, centres: Array, which: Out, distance: Out):
    """For each row of x the centre that is nearest to it, and how far that is."""
    for i in range(x.shape[0]):
        which[i] = 0
        for c in range(centres.shape[0]):
            total = cast(0, x)
            for j in range(x.shape[1]):
                total += (x[i, j] - centres[c, j]) ** 2
            if c == 0 or total < distance[i]:
                which[i], distance[i] = c, total
        distance[i] = sqrt(distance[i])


@intaglio.decomposition(DOMAIN, types={"x mean deviation": ["float", "double"]})
def Standardised(g: intaglio.Graph, x: intaglio.Value, mean: intaglio.Value, deviation: intaglio.Value, *, clip: float = 0.0):
    """(x - mean) / deviation, kept within -clip and clip where that is given."""
    y = (x - mean) / deviation
    return g.Clip(y, y.like(-clip), y.like(clip)) if clip else y
