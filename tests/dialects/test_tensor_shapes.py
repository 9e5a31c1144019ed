"""Shapes and contents of constants, reshaping, slicing and indexing; the official node tests hold the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intaglio.dialects.onnx import elementwise, indexing, logical, reshaping, slicing, tensor
from intaglio.dialects.onnx.base import OnnxOp, WeightAttr
from intaglio.dialects.onnx.dims import floordiv, minimum, product, substitute, symbol
from intaglio.dialects.onnx.shapes import Shapes
from intaglio.dialects.onnx.slicing import _cut
from intaglio.errors import ShapeError
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IntegerAttr, StringAttr, TensorType, bf16, f32, i1, i64
from xdsl.dialects.test import TestOp

N, M = symbol("N"), symbol("M")
TestOp.__test__ = False  # pyright: ignore[reportAttributeAccessIssue]  # xDSL's operation, not a test class


def f(*dims):
    return ("float", dims)


def ints(*values):
    return np.array(values, np.int64)


def _int(value):
    return IntegerAttr(value, i64)


# -- reshaping ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "target", "allowzero"),
    [
        ((2, 3), (3, 2), 0),
        ((2, 3), (-1,), 0),
        ((2, 3, 4), (0, -1), 0),
        ((2, 0), (0, 5), 1),
        ((), (1, 1), 0),
        ((1,), (), 0),
        ((0, 3), (-1, 3), 0),
    ],
)
def test_reshape(agrees, shape, target, allowzero):
    agrees(reshaping.ReshapeOp, [f(*shape), ints(*target)], allowzero=allowzero)


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        (("N", 6), (-1, 3), (N * 2, 3)),
        (("N", 6), (0, 2, 3), (N, 2, 3)),
        (("N", "M", 12), (0, 0, 3, -1), (N, M, 3, 4)),
        (("N", "M"), (-1,), (N * M,)),
        (("N", 3), (-1, 2), (floordiv(N * 3, 2), 2)),
    ],
)
def test_reshape_unknown_sizes(infer, shape, target, expected):
    assert infer(reshaping.ReshapeOp, [f(*shape), ints(*target)]).results[0][1] == expected


@pytest.mark.parametrize(
    ("shape", "target", "allowzero", "says"),
    [
        ((2, 3, 4), (5, -1), 0, "cannot view 2x3x4 (24 elements) as 5x-1"),
        ((2, 3), (4,), 0, "cannot view 2x3 (6 elements) as 4"),
        ((2, 3), (-1, -1), 0, "at most one -1"),
        ((2, 3), (-2, 3), 0, "-2"),
        ((2,), (2, 0), 0, "position 1"),
        ((0, 2), (0, -1), 0, "-1"),
        ((2,), (0, -1), 1, "allowzero"),
    ],
)
def test_reshape_refuses(infer, shape, target, allowzero, says):
    with pytest.raises(ShapeError) as error:
        infer(reshaping.ReshapeOp, [f(*shape), ints(*target)], allowzero=allowzero)
    assert says in str(error.value)


def test_reshape_notes_what_the_run_must_check(infer):
    found = infer(reshaping.ReshapeOp, [f("N", 3), ints(-1, 2)])
    (relation,) = found.shapes.relations
    assert substitute(relation.a, {"N": 4}) == relation.b
    assert substitute(relation.a, {"N": 5}) != relation.b


@pytest.mark.parametrize("target", [(2, 12), (-1, 4), (0, 6), (4, 0), (0, -1)])
def test_reshape_to_a_shape_of_the_run(infer, target):
    shape = (4, 6)
    found = infer(reshaping.ReshapeOp, [f(*shape), ("int64", (2,))])
    run = {name: target[source.index] for name, source in found.shapes.sources.items()}
    expected = [shape[i] if d == 0 else d for i, d in enumerate(target)]
    if -1 in expected:
        expected[expected.index(-1)] = 24 // -int(np.prod(expected))
    assert [substitute(d, run) for d in found.results[0][1]] == expected


def test_squeeze_and_unsqueeze(agrees, infer):
    agrees(reshaping.SqueezeOp, [f(1, 2, 1), ints(-1)])
    agrees(reshaping.SqueezeOp, [f(1, 2, 1)])
    agrees(reshaping.UnsqueezeOp, [f(2), ints(-1, 0)])
    assert infer(reshaping.SqueezeOp, [f("N", 1), ints(1)]).results[0][1] == (N,)
    assert infer(reshaping.SqueezeOp, [f("N", 1)]).results[0][1] == (N,)
    assert len(infer(reshaping.SqueezeOp, [f(2, 1), ("int64", (1,))]).results[0][1]) == 1
    assert len(infer(reshaping.UnsqueezeOp, [f(2, 1), ("int64", (2,))]).results[0][1]) == 4
    for cls, operands in (
        (reshaping.SqueezeOp, [f(2, 1), ints(0)]),
        (reshaping.UnsqueezeOp, [f(2), ints(0, 0)]),
        (reshaping.UnsqueezeOp, [f(2), ints(2, 3)]),
        (reshaping.TransposeOp, [f(2, 3)]),
    ):
        with pytest.raises(ShapeError):
            infer(cls, operands, **({"perm": (0, 0)} if cls is reshaping.TransposeOp else {}))


# -- slicing -----------------------------------------------------------------------------------------------------------------

POSITIONS = st.one_of(st.integers(-7, 7), st.sampled_from([2**63 - 1, 2**31 - 1, -(2**63), -(2**63) + 1, -(2**31)]))


def expected_slice(size, start, end, step):
    """What the specification says, position by position."""
    start += size if start < 0 else 0
    end += size if end < 0 else 0
    if step > 0:
        start, end = min(max(start, 0), size), min(max(end, 0), size)
    else:
        start, end = min(max(start, 0), size - 1), min(max(end, -1), size - 1)
    return range(start, end, step)


@settings(max_examples=400, deadline=None)
@given(size=st.integers(0, 6), start=POSITIONS, end=POSITIONS, step=st.sampled_from([1, 2, 3, -1, -2, -3]))
def test_slice_counts(size, start, end, step):
    expected = expected_slice(size, start, end, step)
    run = {"N": size, "s": start, "e": end, "t": step}
    unknown = {name: symbol(name, size=False) for name in ("s", "e", "t")}
    for cut in (
        _cut(0, size, start, end, step),
        _cut(0, N, start, end, step),
        _cut(0, N, unknown["s"], unknown["e"], step),
        _cut(0, N, unknown["s"], unknown["e"], unknown["t"]),
    ):
        assert substitute(cut.count, run) == len(expected)
        if cut.start is not None and expected:
            assert substitute(cut.start, run) == expected[0]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 2**63 - 1, N), (-1, 2**63 - 1, minimum(1, N)), (-3, 2**31 - 1, minimum(3, N)), (0, 0, 0), (3, 2, 0), (0, 4, minimum(4, N))],
)
def test_slice_of_unknown_size_stays_simple(start, end, expected):
    assert _cut(0, N, start, end, 1).count == expected


def test_neighbours_have_one_size():
    assert _cut(0, N, 1, 2**63 - 1, 1).count == _cut(0, N, 0, -1, 1).count


def test_slice(agrees, infer):
    agrees(slicing.SliceOp, [f(5, 6), ints(1, -1), ints(100, -100), ints(0, 1), ints(2, -1)])
    for operands in ([f(5), ints(0), ints(1), ints(1)], [f(5), ints(0), ints(1), ints(0), ints(0)], [f(5), ints(0, 0), ints(1, 1)]):
        with pytest.raises(ShapeError):
            infer(slicing.SliceOp, operands)


def test_split_parts():
    def parts(size, count, **given):
        value = TestOp(result_types=[TensorType(f32, [4])]).results[0]
        shapes = Shapes()
        shapes.set(value, (size,))
        split = []
        if "split" in given:
            split = [TestOp(result_types=[TensorType(i64, [len(given["split"])])]).results[0]]
            shapes.set_constant(split[0], ints(*given["split"]))
        properties = {"num_outputs": _int(given["num_outputs"])} if "num_outputs" in given else {}
        op = slicing.SplitOp.build(operands=[value, split], result_types=[[TensorType(f32, [1])] * count], properties=properties)
        shapes.infer_op(op)
        return [shapes.of(r)[0] for r in op.results]

    assert parts(7, 3, num_outputs=3) == [3, 3, 1]
    assert parts(N * 2, 2, num_outputs=2) == [N, N]
    assert parts(6, 2, split=(2, 4)) == [2, 4]
    for wrong in (
        lambda: parts(5, 4, num_outputs=4),
        lambda: parts(6, 2, split=(2, 3)),
        lambda: parts(6, 2),
        lambda: parts(6, 2, num_outputs=3),
    ):
        with pytest.raises(ShapeError):
            wrong()


def test_concat_pad_and_tile(agrees, infer):
    agrees(slicing.ConcatOp, [f(2, 3), f(2, 0), f(2, 4)], axis=-1)
    agrees(slicing.PadOp, [f(2, 3), ints(0, -1, 1, 2)])
    agrees(slicing.TileOp, [f(2, 3), ints(0, 4)])
    assert infer(slicing.ConcatOp, [f("N", 2), f("M", 2)], axis=0).results[0][1] == (N + M, 2)
    assert infer(slicing.PadOp, [f(1, "N"), ints(3, 4), None, ints(-1)]).results[0][1] == (1, N + 7)
    for cls, operands, attributes in (
        (slicing.ConcatOp, [f(2), f(2, 2)], {"axis": 0}),
        (slicing.ConcatOp, [f(2, 3), f(3, 3)], {"axis": 1}),
        (slicing.ConcatOp, [], {"axis": 0}),
        (slicing.PadOp, [f(2), ints(-3, 0)], {}),
        (slicing.PadOp, [f(2), ints(1)], {}),
        (slicing.PadOp, [f(0), ints(1, 0)], {"mode": "edge"}),
        (slicing.TileOp, [f(2), ints(2, 2)], {}),
        (slicing.TileOp, [f(2), ints(-1)], {}),
        (slicing.TileOp, [f(2**40), ints(2**40)], {}),
        (slicing.DepthToSpaceOp, [f(1, 6, 2, 2)], {"blocksize": 2}),
        (slicing.DepthToSpaceOp, [f(1, 4, 2, 2)], {"blocksize": 0}),
        (slicing.ReverseSequenceOp, [f(3, 2), ints(4, 1)], {}),
    ):
        with pytest.raises(ShapeError):
            infer(cls, operands, **attributes)


# -- indexing ----------------------------------------------------------------------------------------------------------------


def test_indexing(agrees, infer):
    agrees(indexing.GatherOp, [f(2, 3, 4), ("int64", (5, 6))], axis=-2)
    agrees(indexing.GatherNDOp, [f(2, 3, 4), ("int64", (2, 5, 1))], batch_dims=1)
    agrees(indexing.TopKOp, [f(2, 5), ints(3)])
    assert infer(indexing.NonZeroOp, [np.array([[0, 1], [1, 1]])]).results[0][1] == (2, 3)
    assert infer(indexing.CompressOp, [f("N", 4), np.array([True, False, True])], axis=1).results[0][1] == (N, 2)
    for cls, operands, attributes in (
        (indexing.GatherOp, [f(2), ints(2)], {}),
        (indexing.GatherOp, [f(), ints(0)], {}),
        (indexing.GatherNDOp, [f(2), ("int64", (1, 2))], {}),
        (indexing.GatherNDOp, [f(2), ("int64", (1, "N"))], {}),
        (indexing.GatherNDOp, [f(2, 2), ("int64", (2, 1))], {"batch_dims": 2}),
        (indexing.ScatterElementsOp, [f(2, 2), ("int64", (1, 1)), f(1, 2)], {}),
        (indexing.ScatterElementsOp, [f(2), ("int64", (1,)), f(1)], {"reduction": "sub"}),
        (indexing.ScatterNDOp, [f(2, 3), ("int64", (4, 1)), f(4, 2)], {}),
        (indexing.TensorScatterOp, [f(1, 4, 2), f(1, 5, 2)], {}),
        (indexing.TopKOp, [f(2), ints(3)], {}),
        (indexing.TopKOp, [f(2), ints(-1)], {}),
    ):
        with pytest.raises(ShapeError):
            infer(cls, operands, **attributes)


def test_unique_shares_one_count(infer):
    found = infer(indexing.UniqueOp, [f(2, "N")], axis=1)
    y, indices, inverse, counts = (shape for _, shape in found.results)
    assert (y[0], y[1], inverse) == (2, indices[0], (N,)) and indices == counts


# -- constants and conversions -----------------------------------------------------------------------------------------------


def constant(value, **weights):
    shapes = Shapes(weights)
    op = tensor.ConstantOp.build(result_types=[TensorType(f32, [])], properties={"value": value})
    shapes.infer_op(op)
    op.verify()
    return op.output.type, shapes.constant(op.output)


@pytest.mark.parametrize(("element", "values"), [(i64, [1, -2, 3]), (f32, [0.5, 1.0, 2.0]), (bf16, [1.0, -2.0, 0.5]), (i1, [1, 0, 1])])
def test_dense_constants(element, values):
    found, array = constant(DenseIntOrFPElementsAttr.from_list(TensorType(element, [3]), values))
    assert found == TensorType(element, [3])
    assert array.astype(float).tolist() == values


def test_stored_constants_are_not_copied():
    weight = np.zeros((2, 3), np.float32)
    found, array = constant(WeightAttr(StringAttr("w")), w=weight)
    assert found == TensorType(f32, [2, 3])
    assert array is weight
    with pytest.raises(ShapeError):
        constant(WeightAttr(StringAttr("missing")))


@pytest.mark.parametrize(
    ("bounds", "count"), [((3, 9, 3), 2), ((10, 4, -2), 3), ((0, -1, 1), 0), ((0, 5, -1), 0), ((0, 7, 2), 4), ((0, 2**43, 1), 2**43)]
)
def test_range(infer, bounds, count):
    assert infer(tensor.RangeOp, [np.array(b) for b in bounds]).results == (("int64", (count,)),)
    found = infer(tensor.RangeOp, [("int64", ())] * 3)
    run = {name: bounds[int(source.value.name_hint[1:])] for name, source in found.shapes.sources.items()}
    assert substitute(found.results[0][1][0], run) == count


def test_float_range(infer):
    assert infer(tensor.RangeOp, [np.array(b, np.float32) for b in (0, 1, 0.3)]).results[0][1] == (4,)
    for bounds in ((0, 1, 0), (0, np.inf, 1), (np.nan, 1, 1)):
        with pytest.raises(ShapeError):
            infer(tensor.RangeOp, [np.array(b, np.float32) for b in bounds])


def test_casts(infer):
    assert infer(tensor.CastOp, [f(2, "N")], to=7).results == (("int64", (2, N)),)
    assert infer(tensor.CastLikeOp, [f(2), ("bfloat16", ())]).results == (("bfloat16", (2,)),)
    for cls, operands, attributes in (
        (tensor.CastOp, [f(2)], {"to": 0}),
        (tensor.CastOp, [f(2)], {"to": 99}),
        (tensor.BitCastOp, [f(2)], {"to": 7}),
        (tensor.EyeLikeOp, [f(2)], {}),
        (tensor.OneHotOp, [f(2), np.array(0), f(2)], {}),
        (tensor.OneHotOp, [f(2), np.array(3), f(3)], {}),
        (tensor.ConstantOfShapeOp, [ints(2, -1)], {}),
    ):
        with pytest.raises(ShapeError):
            infer(cls, operands, **attributes)


# -- shape arithmetic --------------------------------------------------------------------------------------------------------


class Graph:
    """A chain of nodes on an argument x of shape Nx8xHxM, as exporters write shape arithmetic."""

    def __init__(self):
        self.shapes = Shapes()
        self.x = TestOp(result_types=[TensorType(f32, [-1, 8, -1, -1])]).results[0]
        self.shapes.declare_argument(self.x, ["N", 8, "H", "M"])

    def constant(self, *values, dtype=np.int64, scalar=False):
        array = np.array(values[0] if scalar else values, dtype)
        value = TestOp(result_types=[TensorType(tensor.BY_NUMPY[array.dtype].ir, array.shape)]).results[0]
        self.shapes.set_constant(value, array)
        return value

    def op(self, cls: type[OnnxOp], *operands, **attributes):
        built = []
        for i, (_, _, optional, variadic) in enumerate(cls.operand_defs()):
            given = list(operands[i:]) if variadic else list(operands[i : i + 1])
            built.append(given if optional or variadic else given[0])
        op = cls.build(operands=built, result_types=[TensorType(f32, [])], properties={k: _int(v) for k, v in attributes.items()})
        self.shapes.infer_op(op)
        op.verify()
        return op.results[0]

    def dim(self, index):
        shape = self.op(reshaping.ShapeOp, self.x)
        return self.op(indexing.GatherOp, shape, self.constant(index, scalar=True))

    def vector(self, *dims):
        parts = [self.op(reshaping.UnsqueezeOp, d, self.constant(0)) for d in dims]
        return self.op(slicing.ConcatOp, *parts, axis=0)


def test_flatten_as_exporters_write_it():
    g = Graph()
    target = g.vector(g.dim(0), g.constant(-1, scalar=True))
    assert g.shapes.of(g.op(reshaping.ReshapeOp, g.x, target)) == (N, symbol("H") * M * 8)


def test_sizes_computed_in_floats():
    g = Graph()
    height = g.op(tensor.CastOp, g.dim(2), to=1)
    doubled = g.op(elementwise.FloorOp, g.op(elementwise.MulOp, height, g.constant(2.0, dtype=np.float32, scalar=True)))
    size = g.op(tensor.CastOp, doubled, to=7)
    filled = g.op(tensor.ConstantOfShapeOp, g.vector(size, g.dim(3)))
    assert g.shapes.of(filled) == (symbol("H") * 2, M)


def test_expand_with_where_as_exporters_write_it():
    g = Graph()
    wanted = g.vector(g.dim(0), g.constant(-1, scalar=True))
    ones = g.op(tensor.ConstantOfShapeOp, g.op(reshaping.ShapeOp, wanted))
    ones = g.op(tensor.CastOp, ones, to=7)
    ones = g.op(elementwise.AddOp, ones, g.constant(1, scalar=True))
    target = g.op(logical.WhereOp, g.op(logical.EqualOp, wanted, g.constant(-1)), ones, wanted)
    found = g.op(reshaping.ExpandOp, g.constant(0.0, dtype=np.float32), target)
    assert g.shapes.of(found) == (N, 1)


def test_positions_from_a_range():
    g = Graph()
    count = g.op(elementwise.DivOp, g.dim(3), g.constant(2, scalar=True))
    found = g.op(tensor.RangeOp, g.constant(0, scalar=True), count, g.constant(1, scalar=True))
    assert g.shapes.of(found) == (floordiv(M, 2),)


def test_a_slice_up_to_a_computed_end():
    g = Graph()
    end = g.op(elementwise.SubOp, g.dim(2), g.constant(0, scalar=True))
    end = g.op(reshaping.UnsqueezeOp, end, g.constant(0))
    assert g.shapes.of(g.op(slicing.SliceOp, g.x, g.constant(0), end, g.constant(2))) == (N, 8, symbol("H"), M)


def test_size_is_the_product():
    g = Graph()
    found = g.op(reshaping.SizeOp, g.x)
    assert g.shapes.contents(found).tolist() == product(g.shapes.of(g.x))


def test_growth_is_bounded():
    g = Graph()
    grown = g.op(elementwise.AddOp, g.dim(0), g.dim(2))
    with pytest.raises(ShapeError) as error:
        for _ in range(64):
            grown = g.op(elementwise.MulOp, grown, grown)
    assert error.value.code == "ITG2109"
