"""The dispatch dialect: what upstream's tensor level lacks, and the calls by which the host program runs kernels.

Made by passes/onnx_to_linalg and passes/dispatch, consumed by passes/codegen (inside kernels) and passes/dispatch/bufferize (host side).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from typing_extensions import override
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    I64,
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    StringAttr,
    SymbolRefAttr,
    TensorType,
    UnitAttr,
    VectorType,
    f32,
    f64,
    i1,
    i8,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, Dialect, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import IsTerminator, Pure
from xdsl.utils.exceptions import VerifyException

from .schedule import ScheduleAttr


def dynamic_count(types: Sequence[Attribute]) -> int:
    """How many dynamic dimensions the tensor types have together."""
    return sum(t.get_shape().count(DYNAMIC_INDEX) for t in types if isinstance(t, TensorType))


class HostOp(IRDLOperation):
    """Base of what the host program does itself, on tensors above bufferize and on buffers below it.

    Results that are tensors have memory of their own; their dimensions are told by a tie_shape.
    """


@irdl_op_definition
class WeightOp(IRDLOperation):
    """A tensor of the weight store, in row-major order."""

    name = "dispatch.weight"
    id = prop_def(StringAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, id: str, result_type: TensorType) -> None:
        super().__init__(properties={"id": StringAttr(id)}, result_types=[result_type])


@irdl_op_definition
class TieShapeOp(IRDLOperation):
    """The same tensor, with its dynamic dimensions named by index values (one for each, in order)."""

    name = "dispatch.tie_shape"
    source = operand_def(TensorType)
    dims = var_operand_def(IndexType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, source: SSAValue, dims: Sequence[SSAValue]) -> None:
        super().__init__(operands=[source, list(dims)], result_types=[source.type])

    @override
    def verify_(self) -> None:
        if self.source.type != self.result.type:
            raise VerifyException("tie_shape keeps the type")
        _verify_dims([self.result.type], self.dims)


@irdl_op_definition
class ReshapeOp(IRDLOperation):
    """The same elements in row-major order under another shape; `dims` are the result's dynamic dimensions. Free at run time."""

    name = "dispatch.reshape"
    source = operand_def(TensorType)
    dims = var_operand_def(IndexType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, source: SSAValue, dims: Sequence[SSAValue], result_type: TensorType) -> None:
        super().__init__(operands=[source, list(dims)], result_types=[result_type])

    @override
    def verify_(self) -> None:
        _verify_dims([self.result.type], self.dims)


@irdl_op_definition
class SlabOp(IRDLOperation):
    """The part of a tensor at one index of its leading axis; `dims` are the result's dynamic dimensions. Free at run time.

    Whoever builds it keeps the index in range.
    """

    name = "dispatch.slab"
    source = operand_def(TensorType)
    index = operand_def(IndexType)
    dims = var_operand_def(IndexType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, source: SSAValue, index: SSAValue, dims: Sequence[SSAValue], result_type: TensorType) -> None:
        super().__init__(operands=[source, index, list(dims)], result_types=[result_type])

    @override
    def verify_(self) -> None:
        _verify_dims([self.result.type], self.dims)


@irdl_op_definition
class InsertOp(IRDLOperation):
    """The tensor `target` with `part` at one index of its leading axis, in place: `target` is not read after.

    Whoever builds it keeps the index in range.
    """

    name = "dispatch.insert"
    part = operand_def(TensorType)
    target = operand_def(TensorType)
    index = operand_def(IndexType)
    result = result_def(TensorType)

    def __init__(self, part: SSAValue, target: SSAValue, index: SSAValue) -> None:
        super().__init__(operands=[part, target, index], result_types=[target.type])


@irdl_op_definition
class JoinOp(IRDLOperation):
    """The elements of one tensor after another, each in row-major order; `dims` are the result's dynamic dimensions.

    Free at run time for parts that can be computed where they belong, see `Liveness`; the others are copied.
    """

    name = "dispatch.join"
    parts = var_operand_def(TensorType)
    dims = var_operand_def(IndexType)
    result = result_def(TensorType)
    traits = traits_def(Pure())
    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())

    def __init__(self, parts: Sequence[SSAValue], dims: Sequence[SSAValue], result_type: TensorType) -> None:
        super().__init__(operands=[list(parts), list(dims)], result_types=[result_type])

    @override
    def verify_(self) -> None:
        _verify_dims([self.result.type], self.dims)


@irdl_op_definition
class AppendOp(IRDLOperation):
    """A tensor grown by `part` at the end of its leading axis, of which `count` entries are filled: `target` is not read after.

    There is room for `room` entries in `target`; the result has room for `new_room`, twice what is needed where it had to move.
    A target with no room is never touched. `dims` are the result's dynamic dimensions, the first of them being count + 1.
    """

    name = "dispatch.append"
    part = operand_def(TensorType)
    target = operand_def(TensorType)
    count = operand_def(IndexType)
    room = operand_def(IndexType)
    dims = var_operand_def(IndexType)
    result = result_def(TensorType)
    new_room = result_def(IndexType)

    def __init__(self, part: SSAValue, target: SSAValue, count: SSAValue, room: SSAValue, dims: Sequence[SSAValue]) -> None:
        super().__init__(operands=[part, target, count, room, list(dims)], result_types=[target.type, IndexType()])

    @override
    def verify_(self) -> None:
        _verify_dims([self.result.type], self.dims)


MOST_PIXELS = 1 << 28
"""No larger image is decoded, on the host or in a kernel: 768 MiB of pixels."""


@irdl_op_definition
class DecodeImageOp(IRDLOperation):
    """The pixels (height, width, 3) of an encoded image, red first, as the host decodes it; empty where it is none or has no host decoder.

    JPEG, JPEG 2000, PNG, TIFF and WebP are the host's. Ends the run where the format is known, but no decoder of it is installed.
    """

    name = "dispatch.decode_image"
    stream = operand_def(TensorType)
    image = result_def(TensorType)
    height = result_def(IndexType)
    width = result_def(IndexType)

    def __init__(self, stream: SSAValue) -> None:
        assert isinstance(stream.type, TensorType)
        image = TensorType(stream.type.element_type, [DYNAMIC_INDEX, DYNAMIC_INDEX, 3])
        super().__init__(operands=[stream], result_types=[image, IndexType(), IndexType()])


@irdl_op_definition
class CallOp(IRDLOperation):
    """Runs a kernel: tensors in, index constants in, fresh tensors out.

    starts: so many tensors, the last ones, the kernel does not read: the results, as many and the last ones, too, begin as these, each of
    its tensor's type, and the kernel changes them. Where nothing reads such a tensor any more, its memory is the result's.
    `workgroups` says into how many units its work may be split; `cost` how many picoseconds one takes, roughly, if that is known.
    `work`, where the program keeps a profile: the bytes it moves at least, and the arithmetic operations unless they are not known.
    """

    name = "dispatch.call"
    callee = prop_def(SymbolRefAttr)
    starts = opt_prop_def(IntegerAttr[IntegerType])
    tensors = var_operand_def(TensorType)
    constants = var_operand_def(IndexType)
    result_dims = var_operand_def(IndexType)
    workgroups = operand_def(IndexType)
    cost = opt_operand_def(IndexType)
    work = var_operand_def(IndexType)
    outs = var_result_def(TensorType)
    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())

    def __init__(
        self,
        callee: str,
        tensors: Sequence[SSAValue],
        constants: Sequence[SSAValue],
        result_dims: Sequence[SSAValue],
        workgroups: SSAValue,
        result_types: Sequence[Attribute],
        starts: int = 0,
    ) -> None:
        super().__init__(
            operands=[list(tensors), list(constants), list(result_dims), workgroups, [], []],
            properties={"callee": SymbolRefAttr(callee), **({"starts": IntegerAttr(starts, i64)} if starts else {})},
            result_types=[list(result_types)],
        )

    @property
    def read(self) -> Sequence[SSAValue]:
        """The tensors that the kernel reads."""
        return self.tensors[: len(self.tensors) - self._starts]

    @property
    def begun(self) -> dict[SSAValue, SSAValue]:
        """The results that begin as tensors, with these."""
        count = self._starts
        return dict(zip(self.outs[len(self.outs) - count :], self.tensors[len(self.tensors) - count :], strict=True))

    @property
    def _starts(self) -> int:
        return 0 if self.starts is None else self.starts.value.data

    def split(self, workgroups: SSAValue, cost: SSAValue) -> None:
        """Says what its work may be split into, in place of what was said before."""
        self._set(workgroups, [cost], self.work)

    def add_work(self, work: Sequence[SSAValue]) -> None:
        """Sets `work`, of which there is none yet."""
        self._set(self.workgroups, [] if self.cost is None else [self.cost], work)

    def _set(self, workgroups: SSAValue, cost: Sequence[SSAValue], work: Sequence[SSAValue]) -> None:
        segments = [self.tensors, self.constants, self.result_dims, [workgroups], cost, work]
        self.operands = [value for segment in segments for value in segment]
        self.properties["operandSegmentSizes"] = DenseArrayBase.from_list(i32, list(map(len, segments)))

    @override
    def verify_(self) -> None:
        _verify_dims(self.outs.types, self.result_dims)
        if not 0 <= self._starts <= min(len(self.tensors), len(self.outs)):
            raise VerifyException(f"{len(self.outs)} results cannot begin as {self._starts} of {len(self.tensors)} tensors")
        if any(result.type != start.type for result, start in self.begun.items()):
            raise VerifyException("a result that begins as a tensor is of its type")


@irdl_op_definition
class UnitsOp(IRDLOperation):
    """At the top of a kernel: into how many units its work is cut, and how many picoseconds one takes, roughly.

    The kernel does those from its `begin` to its `end`. Both values are made of the kernel's constants by arithmetic alone.
    """

    name = "dispatch.units"
    count = operand_def(IndexType)
    cost = operand_def(IndexType)

    def __init__(self, count: SSAValue, cost: SSAValue) -> None:
        super().__init__(operands=[count, cost])


@irdl_op_definition
class EntropyOp(IRDLOperation):
    """64 random bits, new ones wherever the host program comes by; not pure, since no two of them may become one."""

    name = "dispatch.entropy"
    result = result_def(IndexType)

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])


MAX_VALUES = 3
"""An error's message tells no more values than this."""


@irdl_op_definition
class RequireOp(IRDLOperation):
    """Ends the run with an error unless the condition holds; stands in the host program. Values take the places of {} in the message."""

    name = "dispatch.require"
    condition = operand_def(i1)
    values = var_operand_def(IndexType)
    code = prop_def(StringAttr)
    message = prop_def(StringAttr)
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, condition: SSAValue, code: str, message: str, values: Sequence[SSAValue] = ()) -> None:
        properties = {"code": StringAttr(code), "message": StringAttr(message)}
        super().__init__(operands=[condition, list(values)], properties=properties)

    @override
    def verify_(self) -> None:
        _verify_message(self.message, self.values)


@irdl_op_definition
class AssertOp(IRDLOperation):
    """Inside a kernel: notes an error in the run's status unless the condition holds; the kernel goes on, so what follows must stay
    in bounds all the same. Values take the places of {} in the message."""

    name = "dispatch.assert"
    condition = operand_def(i1)
    values = var_operand_def(IndexType)
    code = prop_def(StringAttr)
    message = opt_prop_def(StringAttr)
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, condition: SSAValue, code: str, message: str = "", values: Sequence[SSAValue] = ()) -> None:
        properties = {"code": StringAttr(code), **({"message": StringAttr(message)} if message else {})}
        super().__init__(operands=[condition, list(values)], properties=properties)

    @override
    def verify_(self) -> None:
        _verify_message(self.message, self.values)


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends an epilogue region with the value to store."""

    name = "dispatch.yield"
    values = var_operand_def()
    traits = traits_def(IsTerminator())

    def __init__(self, *values: SSAValue) -> None:
        super().__init__(operands=[list(values)])


@irdl_op_definition
class ContractOp(IRDLOperation):
    """A contraction on packed operands with an elementwise epilogue: matmul, batched matmul and convolution alike.

    kind "matmul": lhs [batch.., K/c, M, c], rhs [batch.., N/w, K/c, c, w], result [batch.., rows.., N] where the rows' product is M;
    `batch` says how many leading dimensions are batch, and operands of batch size 1 repeat.
    kind "conv": lhs [n, C/c, H, W, c] (padding applied), rhs [K/w, C/c, kh, kw, c, w], result [n, K/16, OH, OW, 16].
    kind "winograd": a convolution by Winograd's algorithm, tiles of m x m' outputs: lhs [n, C/c, H, W, c] (padding not applied), rhs
    [K/w, products of a tile, C/c, c, w] (weights transformed), result as of a convolution. `scratch` are two more results, which
    nobody reads: for each unit of work, rows of c values for the transformed inputs of a block of tiles and their products with a panel.
    kind "depthwise": lhs [n, C/16, H, W, 16] (padding not applied), rhs [C/16, kh, kw, 16], result [n, C/16, OH, OW, 16].
    kinds "max_pool" and "sum_pool": the largest and the sum of what lies under each window, lhs and result as of kind "depthwise", rhs
    [1, kh, kw, 1], of which only the shape counts.
    kind "planar": a convolution of k axes in G groups on ONNX's layout: lhs [n, C, s1, D1, .., sk, Dk] (padding applied, position p of
    axis i at phase p mod si, place p div si), rhs [G, T, t1, .., tk, C/G, r] (T tiles of r filters cover those of a group, the last tile
    overlaps the one before), result [n, M, O1, .., Ok].
    kind "planar_depthwise": lhs [n, C, H, W] (padding not applied), rhs [C, kh, kw], result [n, C, OH, OW].
    kind "attention": softmax(score) values, of lhs (queries) [batch.., M, K], rhs (keys, turned) [batch.., N/w, K/c, c, w] and values
    [batch.., N, F], result [batch.., M, F]. The region and `extra_maps` are of the scores (batch.., M, N), not of the result. `reads` say
    where elements lie in the operands: maps from (batch.., m, k) for lhs, (batch.., n, k) for rhs that is not packed, (batch.., n, f).
    kind "strassen": a matmul of lhs [M, K] as it stands and rhs packed, of an even number of panels and of blocks, by the sums of the left
    operand's quarters (passes/strassen.py), values [(M + 1)/2, 7, K/2]; of fewer rows than pay, by lhs, and there are no sums.
    kind "few_bits": lhs [M, K] of float32, rhs [N/w, K/c, r, w] of int32, result [M, N]: of a column's c elements of a block, r - 1 words
    or r - 2 of codes, the first in the lowest bits, then the scale's bits, and those of 2^bits plus the zero point unless all have one.
    Of bytes, summed in int32, the kinds "matmul" and "conv" take groups of 4 of the reduced elements at once: rhs [.., c/4, w, 4] in
    place of [.., c, w], packed always, and signed; `signed` says that lhs is, too.
    c is the reduction block, w the panel width; packed operands are zero beyond the true K and N. A matmul's operands may also stand
    as they are, (batch.., M, K) and (batch.., K, N): `layout` says [lhs packed, rhs packed, c, w], the first two as 0 or 1.
    window: of kind "conv" strides, dilations and how many channels of lhs count [sh, sw, dh, dw, C]; of kind "winograd" [m, m', kh, kw,
    sh, sw, tiles in a block, padding above, padding on the left]; of both depthwise kinds and of pools strides, dilations and the padding
    [top, left]; of kind "planar" strides and dilations of all axes; of kind "attention" [0] where rows without any score but minus infinity
    give NaN, [1] where zeros, [2] where rows of NaN give zeros, too.
    place: of a matmul or of attention, where elements lie in the result, a map from (batch.., m, column's block, place in the block), the
    blocks being of `column_block`; the rows of a matmul are one there. Then `shape` lists the dimensions that the result would have
    without it, (batch.., rows.., N), and `sizes` those of them that are -1 there; of attention always, as (batch.., M, N, K, F).
    The region maps the accumulator and one element of each extra (indexed by `extra_maps` over the result's dimensions) to the element
    stored. products: of a convolution, how many products make the channels of one place, padding not counted; for profiles.
    schedule: how it is carried out, of the kinds that obey one; chosen when it is lowered where it is not said.
    """

    name = "dispatch.contract"
    KINDS: ClassVar = (
        "matmul", "conv", "winograd", "depthwise", "max_pool", "sum_pool", "planar", "planar_depthwise", "attention", "few_bits",
        "strassen",
    )  # fmt: skip
    kind = prop_def(StringAttr)
    window = prop_def(DenseArrayBase[I64])
    batch = prop_def(IntegerAttr)
    layout = prop_def(DenseArrayBase[I64])
    extra_maps = prop_def(ArrayAttr[AffineMapAttr])
    products = opt_prop_def(IntegerAttr)
    signed = opt_prop_def(UnitAttr)
    reads = opt_prop_def(ArrayAttr[AffineMapAttr])
    place = opt_prop_def(AffineMapAttr)
    shape = opt_prop_def(DenseArrayBase[I64])
    schedule = opt_prop_def(ScheduleAttr)
    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    extras = var_operand_def(TensorType)
    values = opt_operand_def(TensorType)
    result_dims = var_operand_def(IndexType)
    sizes = var_operand_def(IndexType)
    result = result_def(TensorType)
    scratch = var_result_def(TensorType)
    epilogue = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())

    def __init__(
        self,
        kind: str,
        lhs: SSAValue,
        rhs: SSAValue,
        result_type: TensorType,
        result_dims: Sequence[SSAValue],
        *,
        window: Sequence[int] = (1, 1, 1, 1),
        batch: int = 0,
        layout: Sequence[int] = (1, 1, 0, 0),
        extras: Sequence[SSAValue] = (),
        extra_maps: Sequence[AffineMapAttr] = (),
        epilogue: Region | None = None,
        accumulator: Attribute | None = None,
        scratch: Sequence[Attribute] = (),
        values: SSAValue | None = None,
        shape: Sequence[int] | None = None,
        sizes: Sequence[SSAValue] = (),
    ) -> None:
        if epilogue is None:
            block = Block(arg_types=[accumulator or result_type.element_type])
            block.add_op(YieldOp(block.args[0]))
            epilogue = Region(block)
        super().__init__(
            operands=[lhs, rhs, list(extras), [] if values is None else [values], list(result_dims), list(sizes)],
            properties={
                "kind": StringAttr(kind),
                "window": DenseArrayBase.from_list(i64, list(window)),
                "batch": IntegerAttr(batch, i64),
                "layout": DenseArrayBase.from_list(i64, list(layout)),
                "extra_maps": ArrayAttr(extra_maps),
                **({} if shape is None else {"shape": DenseArrayBase.from_list(i64, list(shape))}),
            },
            result_types=[result_type, list(scratch)],
            regions=[epilogue],
        )

    @override
    def verify_(self) -> None:
        if self.kind.data not in self.KINDS:
            raise VerifyException(f"unknown kind of contraction {self.kind}")
        if len(self.extras) != len(self.extra_maps.data) or len(self.epilogue.block.args) != len(self.extras) + 1:
            raise VerifyException("an epilogue takes the accumulator and one element of each extra")
        if len(self.scratch) != (2 if self.kind.data == "winograd" else 0):
            raise VerifyException("a contraction by Winograd's algorithm has two scratch results, any other none")
        if (self.values is not None) != (self.kind.data in ("attention", "strassen")):
            raise VerifyException("attention and products by Strassen's algorithm have values, any other contraction none")
        if len(self.sizes) != (0 if self.shape is None else list(self.shape.get_values()).count(-1)):
            raise VerifyException("sizes are those that the shape leaves open")
        _verify_dims([self.result.type], self.result_dims)
        if self.schedule is not None:
            shape = self.result.type.get_shape() if self.shape is None else self.shape.get_values()
            self.schedule.data.check(self.kind.data, self.batch.value.data, [int(d) for d in shape])


BLOCK = 16
"""Elements of a block: one cache line of float32."""


def column_block(columns: int) -> int:
    """Columns of a block of those that results of so many are placed by."""
    return BLOCK if columns % BLOCK == 0 else columns


GROUP = 4
"""Bytes whose products a dot product adds up."""


@irdl_op_definition
class DotOp(IRDLOperation):
    """Inside a kernel: to each of L sums of int32 the products of 4 bytes a and 4 bytes of b, acc[l] + sum over t of a[t] b[4 l + t].

    The bytes of b are signed, those of a where `signed` says so. Sums wrap around.
    """

    name = "dispatch.dot"
    acc = operand_def(VectorType)
    a = operand_def(VectorType)
    b = operand_def(VectorType)
    signed = opt_prop_def(UnitAttr)
    result = result_def(VectorType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, acc: SSAValue, a: SSAValue, b: SSAValue, *, signed: bool = False) -> None:
        super().__init__(operands=[acc, a, b], properties={"signed": UnitAttr()} if signed else {}, result_types=[acc.type])

    @override
    def verify_(self) -> None:
        assert isinstance(self.acc.type, VectorType)
        (lanes,) = self.acc.type.get_shape()
        expected = VectorType(i32, [lanes]), VectorType(i8, [GROUP]), VectorType(i8, [GROUP * lanes]), VectorType(i32, [lanes])
        if (self.acc.type, self.a.type, self.b.type, self.result.type) != expected:
            raise VerifyException(f"a dot product into {lanes} sums takes {GROUP} bytes and {GROUP * lanes} bytes")


@irdl_op_definition
class ScaleOp(IRDLOperation):
    """Inside a kernel: x 2^n, rounded once where that is subnormal, infinite where it is too large; NaN stays. x is in [0.7, 1.5].

    bits: those of the float n + 1.5 * 2^m, where m are the bits of its mantissa; |n| is at most 2^8 for f32, 2^11 for f64.
    """

    name = "dispatch.scale"
    x = operand_def()
    bits = operand_def()
    result = result_def()
    traits = traits_def(Pure())

    @override
    def verify_(self) -> None:
        floats, integers = (getattr(v.type, "element_type", v.type) for v in (self.x, self.bits))
        if self.result.type != self.x.type or (floats, integers) not in ((f32, i32), (f64, i64)):
            raise VerifyException(f"a power of two scales f32 by i32 or f64 by i64, not {self.x.type} by {self.bits.type}")


@irdl_op_definition
class PrefetchOp(IRDLOperation):
    """Inside a kernel: asks for the memory `ahead` bytes behind an element of a buffer, which soon is read, or written where `write` says
    so; it may lie beyond the end."""

    name = "dispatch.prefetch"
    buffer = operand_def(MemRefType)
    indices = var_operand_def(IndexType)
    ahead = prop_def(IntegerAttr)
    write = opt_prop_def(UnitAttr)
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, buffer: SSAValue, indices: Sequence[SSAValue], ahead: int = 0, *, write: bool = False) -> None:
        properties: dict[str, Attribute] = {"ahead": IntegerAttr(ahead, i64)}
        if write:
            properties["write"] = UnitAttr()
        super().__init__(operands=[buffer, list(indices)], properties=properties)


def _verify_message(message: StringAttr | None, values: Sequence[SSAValue]) -> None:
    """A message has a place for each value, and there are not too many."""
    places = message.data.count("{}") if message is not None else 0
    if places != len(values) or places > MAX_VALUES:
        raise VerifyException(f"a message with {places} places for {len(values)} values; there may be {MAX_VALUES}")


def _verify_dims(types: Sequence[Attribute], dims: Sequence[SSAValue]) -> None:
    if dynamic_count(types) != len(dims):
        raise VerifyException(f"{dynamic_count(types)} dynamic dimensions, but {len(dims)} index values")


PROFILE = "dispatch.profile"
"""Marks a program that keeps a profile: how often each of its dispatches ran, how long, and on what work."""


def kernel_attributes() -> dict[str, Attribute]:
    """Attributes that mark a func.func as a kernel at the loop level."""
    return {"dispatch.kernel": IntegerAttr(1, i64)}


DISPATCH = Dialect(
    "dispatch",
    [
        WeightOp,
        TieShapeOp,
        ReshapeOp,
        SlabOp,
        InsertOp,
        JoinOp,
        AppendOp,
        DecodeImageOp,
        CallOp,
        UnitsOp,
        EntropyOp,
        RequireOp,
        AssertOp,
        YieldOp,
        ContractOp,
        DotOp,
        ScaleOp,
        PrefetchOp,
    ],
    [ScheduleAttr],
)
