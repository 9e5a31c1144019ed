"""Operators that read or write elements at indices, and those that find indices: Gather, Scatter, NonZero, Unique, TopK and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.irdl import operand_def, opt_operand_def, opt_result_def, result_def

from .base import OnnxOp, int_attr, operator, str_attr, tensor
from .checks import axis_in, of_rank, of_rank_at_least, one_of, require_vector, same_shape, scalar_dim, show
from .contents import known
from .dims import Shape, product
from .shapes import Shapes
from .types import ALL_IR12, ALL_NUMERIC, ALL_TENSOR, ALL_TENSOR_BF16, BOOL, I32, I64

# -- reading at indices ------------------------------------------------------------------------------------------------------


@operator(since=13)
class GatherOp(OnnxOp):
    """The slices of `data` along `axis` that the indices name; negative indices count from the end.

    data: (d0, .., dn), indices: (i0, .., im); output: (d0, .., d_(axis-1), i0, .., im, d_(axis+1), .., dn).
    https://onnx.ai/onnx/operators/onnx__Gather.html
    """

    name = "onnx.Gather"
    data = operand_def(tensor("T", ALL_TENSOR_BF16))
    indices = operand_def(tensor("Tind", (*I32, *I64)))
    output = result_def(tensor("T", ALL_TENSOR_BF16))
    axis = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        data = of_rank_at_least(self, shapes, self.data, "data", 1)
        axis = axis_in(self, self.attr("axis"), len(data))
        size, indices = data[axis], shapes.contents(self.indices)
        if indices is not None and isinstance(size, int):
            self._check(indices, axis, size)
        return ((*data[:axis], *shapes.of(self.indices), *data[axis + 1 :]),)

    def _check(self, indices: np.ndarray, axis: int, size: int) -> None:
        wrong = next((i for i in indices.flat if isinstance(i, int) and not -size <= i < size), None)
        if wrong is not None:
            raise self.fail("ITG2152", f"index {wrong} is out of range for dimension {axis} of size {size}")

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        data, indices = known(shapes, self.data), shapes.contents(self.indices)
        if data is None or indices is None or any(not isinstance(i, int) for i in indices.flat):
            return ()
        return (np.take(data, indices.astype(np.int64), axis=self.attr("axis")),)


@operator(since=13)
class GatherElementsOp(OnnxOp):
    """One element of `data` for each index, which replaces its own position along `axis`.

    data, indices: of one rank; output: the shape of indices.
    https://onnx.ai/onnx/operators/onnx__GatherElements.html
    """

    name = "onnx.GatherElements"
    data = operand_def(tensor("T", ALL_TENSOR_BF16))
    indices = operand_def(tensor("Tind", (*I32, *I64)))
    output = result_def(tensor("T", ALL_TENSOR_BF16))
    axis = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        data = of_rank_at_least(self, shapes, self.data, "data", 1)
        indices = of_rank(self, shapes, self.indices, "indices", len(data))
        require_within(self, indices, data, axis_in(self, self.attr("axis"), len(data)))
        return (indices,)


def require_within(op: OnnxOp, indices: Shape, data: Shape, axis: int) -> None:
    """Checks that the indices reach no further than `data` in every dimension but `axis`, as far as sizes are known."""
    for k, (i, d) in enumerate(zip(indices, data, strict=True)):
        if k != axis and isinstance(i, int) and isinstance(d, int) and i > d:
            raise op.fail("ITG2144", f"indices of {show(indices)} reach beyond data of {show(data)} in dimension {k}")


def index_depth(op: OnnxOp, shapes: Shapes, indices: Shape, data: Shape, slices: int | None, batch_dims: int = 0) -> int:
    """How many dimensions of `data` an index tuple names: the last dimension of `indices`.

    slices: the rank of the slices of all tuples together, which tells it where that dimension is not known.
    """
    depth = indices[-1] if isinstance(indices[-1], int) else None
    if depth is None and slices is not None:
        depth = len(indices) + len(data) - 1 - batch_dims - slices
        shapes.require_equal(op, indices[-1], depth, "the last dimension of indices and the number of dimensions that they name")
    depth = op.require(depth, "the last dimension of indices")
    if not 1 <= depth <= len(data) - batch_dims:
        left = f"{len(data)}" if not batch_dims else f"{len(data)} with {batch_dims} batch dimensions"
        raise op.fail("ITG2144", f"indices of {show(indices)} name {depth} dimensions of a tensor of rank {left}")
    return depth


@operator(since=13)
class GatherNDOp(OnnxOp):
    """The slices of `data` that index tuples name, batch by batch.

    data: (b.., d0, .., dn), indices: (b.., i0, .., im, k); output: (b.., i0, .., im, d_k, .., dn).
    https://onnx.ai/onnx/operators/onnx__GatherND.html
    """

    name = "onnx.GatherND"
    data = operand_def(tensor("T", ALL_TENSOR_BF16))
    indices = operand_def(tensor("", I64))
    output = result_def(tensor("T", ALL_TENSOR_BF16))
    batch_dims = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        data = of_rank_at_least(self, shapes, self.data, "data", 1)
        indices = of_rank_at_least(self, shapes, self.indices, "indices", 1)
        batch = self.attr("batch_dims")
        if not 0 <= batch < min(len(data), len(indices)):
            raise self.fail("ITG2142", f"batch_dims is {batch} for data of rank {len(data)} and indices of rank {len(indices)}")
        shared = [shapes.require_equal(self, data[i], indices[i], f"batch dimensions {i} of data and indices") for i in range(batch)]
        return ((*shared, *indices[batch:-1], *data[batch + self.depth(shapes) :]),)

    def depth(self, shapes: Shapes) -> int:
        """How many dimensions of `data` an index tuple names. The lowering asks here, too."""
        rank = shapes.declared_rank(self.output)
        return index_depth(self, shapes, shapes.of(self.indices), shapes.of(self.data), rank, self.attr("batch_dims"))


# -- writing at indices ------------------------------------------------------------------------------------------------------

_REDUCTIONS = ("none", "add", "mul", "max", "min")


class _ScatterElementsOp(OnnxOp):
    """Copies `data` and overwrites the elements that the indices name along `axis`. Subclasses declare the types."""

    axis = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        data_in, indices_in, updates_in = self.operands
        data = of_rank_at_least(self, shapes, data_in, "data", 1)
        indices = of_rank(self, shapes, indices_in, "indices", len(data))
        same_shape(self, shapes, indices, shapes.of(updates_in), "indices and updates")
        require_within(self, indices, data, axis_in(self, self.attr("axis"), len(data)))
        return (data,)


@operator(since=11)
class ScatterOp(_ScatterElementsOp):
    """The deprecated form of ScatterElements, without reductions. https://onnx.ai/onnx/operators/onnx__Scatter.html"""

    name = "onnx.Scatter"
    data = operand_def(tensor("T", ALL_TENSOR))
    indices = operand_def(tensor("Tind", (*I32, *I64)))
    updates = operand_def(tensor("T", ALL_TENSOR))
    output = result_def(tensor("T", ALL_TENSOR))


@operator(since=18)
class ScatterElementsOp(_ScatterElementsOp):
    """A copy of `data` in which each update is put, or reduced into, where its index replaces its position along `axis`.

    data, indices, updates: of one rank, the latter two of one shape; output: the shape of data.
    https://onnx.ai/onnx/operators/onnx__ScatterElements.html
    """

    name = "onnx.ScatterElements"
    data = operand_def(tensor("T", ALL_TENSOR_BF16))
    indices = operand_def(tensor("Tind", (*I32, *I64)))
    updates = operand_def(tensor("T", ALL_TENSOR_BF16))
    output = result_def(tensor("T", ALL_TENSOR_BF16))
    reduction = str_attr("none")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "reduction", *_REDUCTIONS)
        return super().infer_shapes(shapes)


@operator(since=18)
class ScatterNDOp(OnnxOp):
    """A copy of `data` in which the slices that index tuples name are replaced by, or reduced with, the updates.

    data: (d0, .., dn), indices: (i0, .., im, k), updates: (i0, .., im, d_k, .., dn); output: the shape of data.
    https://onnx.ai/onnx/operators/onnx__ScatterND.html
    """

    name = "onnx.ScatterND"
    data = operand_def(tensor("T", ALL_TENSOR_BF16))
    indices = operand_def(tensor("", I64))
    updates = operand_def(tensor("T", ALL_TENSOR_BF16))
    output = result_def(tensor("T", ALL_TENSOR_BF16))
    reduction = str_attr("none")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "reduction", *_REDUCTIONS)
        data = of_rank_at_least(self, shapes, self.data, "data", 1)
        indices = of_rank_at_least(self, shapes, self.indices, "indices", 1)
        slices = (*indices[:-1], *data[self.depth(shapes) :])
        same_shape(self, shapes, slices, shapes.of(self.updates), "the slices that indices name and updates")
        return (data,)

    def depth(self, shapes: Shapes) -> int:
        """How many dimensions of `data` an index tuple names. The lowering asks here, too."""
        return index_depth(self, shapes, shapes.of(self.indices), shapes.of(self.data), shapes.rank(self.updates))


@operator(since=24)
class TensorScatterOp(OnnxOp):
    """A key-value cache in which each sample's update is written from its write index on along the sequence axis.

    past_cache: (batch, .., max_sequence, ..), update: the same but for a shorter sequence, write_indices: (batch,), 0 by default;
    present_cache: the shape of past_cache. Positions wrap around in mode "circular".
    https://onnx.ai/onnx/operators/onnx__TensorScatter.html
    """

    name = "onnx.TensorScatter"
    past_cache = operand_def(tensor("T", ALL_IR12))
    update = operand_def(tensor("T", ALL_IR12))
    write_indices = opt_operand_def(tensor("", I64))
    present_cache = result_def(tensor("T", ALL_IR12))
    axis = int_attr(-2)
    mode = str_attr("linear")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "mode", "linear", "circular")
        cache = of_rank_at_least(self, shapes, self.past_cache, "past_cache", 2)
        update = of_rank(self, shapes, self.update, "update", len(cache))
        axis = axis_in(self, self.attr("axis"), len(cache))
        if axis == 0:
            raise self.fail("ITG2141", "axis is 0, which is the batch dimension")
        for i, (c, u) in enumerate(zip(cache, update, strict=True)):
            if i != axis:
                shapes.require_equal(self, c, u, f"dimensions {i} of past_cache and update")
            elif isinstance(c, int) and isinstance(u, int) and u > c:
                raise self.fail("ITG2144", f"an update of {u} positions does not fit into a cache of {c}")
        require_vector(self, shapes, self.write_indices, cache[0], "write_indices")
        return (cache,)


# -- finding -----------------------------------------------------------------------------------------------------------------


@operator(since=13)
class NonZeroOp(OnnxOp):
    """The indices of all elements that are not zero, in row-major order.

    x: of rank r; output: (r, count), one row a dimension.
    https://onnx.ai/onnx/operators/onnx__NonZero.html
    """

    name = "onnx.NonZero"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    y = result_def(tensor("", I64))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        rank = shapes.rank(self.x)
        found = self._found(shapes)
        return ((rank, shapes.result_symbol(self.y) if found is None else found.shape[1]),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        found = self._found(shapes)
        return () if found is None else (found.astype(object),)

    def _found(self, shapes: Shapes) -> np.ndarray | None:
        """The result where the operand's elements are known at compile time."""
        contents = known(shapes, self.x)
        if contents is None or any(not isinstance(x, int) for x in contents.flat):
            return None
        return np.argwhere(contents != 0).T if contents.ndim else np.zeros((0, int(contents.item() != 0)), int)


@operator(since=28)
class UniqueOp(OnnxOp):
    """The distinct elements, or slices along `axis`, in ascending order or (sorted=0) in that of their first occurrence.

    y: (count,), or x's shape with count along the axis; indices: (count,), where each occurs first; inverse_indices: for each
    element or slice of x its place in y; counts: (count,), how often each occurs.
    https://onnx.ai/onnx/operators/onnx__Unique.html
    """

    name = "onnx.Unique"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    y = result_def(tensor("T", ALL_TENSOR_BF16))
    indices = opt_result_def(tensor("", I64))
    inverse_indices = opt_result_def(tensor("", I64))
    counts = opt_result_def(tensor("", I64))
    axis = int_attr()
    sorted = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        count = shapes.result_symbol(self.y)
        if self.axis is None:
            return (count,), (count,), (product(shape),), (count,)
        axis = axis_in(self, self.attr("axis"), len(shape))
        return (*shape[:axis], count, *shape[axis + 1 :]), (count,), (shape[axis],), (count,)


@operator(since=28)
class CompressOp(OnnxOp):
    """The slices along `axis`, or the elements in row-major order, where the condition holds; beyond its end it does not.

    x: (d0, .., dn), condition: (m,); output: x's shape with count along the axis, or (count,).
    https://onnx.ai/onnx/operators/onnx__Compress.html
    """

    name = "onnx.Compress"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    condition = operand_def(tensor("T1", BOOL))
    output = result_def(tensor("T", ALL_TENSOR_BF16))
    axis = int_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = of_rank_at_least(self, shapes, self.x, "the input", 1)
        of_rank(self, shapes, self.condition, "the condition", 1)
        keep = shapes.constant(self.condition)
        axis = None if self.axis is None else axis_in(self, self.attr("axis"), len(shape))
        size = product(shape) if axis is None else shape[axis]
        if keep is not None and isinstance(size, int):
            count = int(np.count_nonzero(keep[:size]))
        else:
            count = shapes.result_symbol(self.output)
        return ((count,),) if axis is None else ((*shape[:axis], count, *shape[axis + 1 :]),)


@operator(since=24)
class TopKOp(OnnxOp):
    """The k largest or smallest elements along `axis`, in that order if sorted, and their int64 indices; equals by lower index.

    x: (d0, .., dn), k: one element; values, indices: x's shape with k along the axis.
    https://onnx.ai/onnx/operators/onnx__TopK.html
    """

    name = "onnx.TopK"
    x = operand_def(tensor("T", ALL_NUMERIC))
    k = operand_def(tensor("", I64))
    values = result_def(tensor("T", ALL_NUMERIC))
    indices = result_def(tensor("I", I64))
    axis = int_attr(-1)
    largest = int_attr(1)
    sorted = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        axis = axis_in(self, self.attr("axis"), len(shape))
        k, size = scalar_dim(self, shapes, self.k, "k"), shape[axis]
        if isinstance(k, int) and isinstance(size, int) and k > size:
            raise self.fail("ITG2144", f"k is {k}, but dimension {axis} has only {size} elements")
        result = (*shape[:axis], k, *shape[axis + 1 :])
        return result, result
