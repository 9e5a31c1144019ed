"""The hal dialect: the host program's dealings with a device, whatever the device is.

Made by passes/dispatch/bufferize, consumed by the backends. A module at this level holds kernels (func.func with the attribute
`dispatch.kernel`) and one host program, `func.func @main`, whose signature `ports` describes: for each input a buffer and then its
dimensions as index values, or a list; the results are the same for each output. Offsets and sizes are in bytes, as index values; who builds
them keeps them from overflowing. Everything stays structured: scf.if, scf.for and scf.while carry buffers like any other value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from typing_extensions import override
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    StringAttr,
    SymbolRefAttr,
    i1,
    i64,
)
from xdsl.ir import Attribute, Dialect, Operation, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from .lists import LIST
from .locations import nodes_of
from .onnx.types import BY_NUMBER

INPUTS = "hal.inputs"
OUTPUTS = "hal.outputs"


@irdl_attr_definition
class BufferType(ParametrizedAttribute, TypeAttribute):
    """A place in a device's memory: a handle that the device gave and a byte offset from it. It carries no size."""

    name = "hal.buffer"


BUFFER = BufferType()


@irdl_op_definition
class WeightOp(IRDLOperation):
    """The bytes of one array of the weight store, row-major, read-only, aligned to 64 bytes."""

    name = "hal.weight"
    id = prop_def(StringAttr)
    result = result_def(BufferType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$id attr-dict"

    def __init__(self, id: str) -> None:
        super().__init__(properties={"id": StringAttr(id)}, result_types=[BUFFER])


@irdl_op_definition
class SliceOp(IRDLOperation):
    """The same memory from `byte_offset` on."""

    name = "hal.slice"
    buffer = operand_def(BufferType)
    byte_offset = operand_def(IndexType)
    result = result_def(BufferType)
    traits = traits_def(Pure())
    assembly_format = "$buffer `[` $byte_offset `]` attr-dict"

    def __init__(self, buffer: SSAValue, byte_offset: SSAValue) -> None:
        super().__init__(operands=[buffer, byte_offset], result_types=[BUFFER])


@irdl_op_definition
class ArenaOp(IRDLOperation):
    """The instance's arena, of at least `bytes` and aligned to 64; it is kept from run to run, its contents are not defined.

    A second arena in one run is the same memory if that is large enough, else memory of its own.
    """

    name = "hal.arena"
    bytes = operand_def(IndexType)
    result = result_def(BufferType)
    assembly_format = "$bytes attr-dict"

    def __init__(self, bytes: SSAValue) -> None:
        super().__init__(operands=[bytes], result_types=[BUFFER])


@irdl_op_definition
class AllocateOp(IRDLOperation):
    """Fresh memory of `bytes`, aligned to 64; given back when the run ends, or with the outputs if it holds one."""

    name = "hal.allocate"
    bytes = operand_def(IndexType)
    result = result_def(BufferType)
    assembly_format = "$bytes attr-dict"

    def __init__(self, bytes: SSAValue) -> None:
        super().__init__(operands=[bytes], result_types=[BUFFER])


@irdl_op_definition
class LentOp(IRDLOperation):
    """The memory that the caller lent for an output, where it holds `bytes`, the device reaches it, and no input lies there; else `buffer`.

    over: the input whose memory it may be all the same, from its first byte on: nothing reads this one any more but to copy it here.
    """

    name = "hal.lent"
    output = prop_def(IntegerAttr[IntegerType])
    over = opt_prop_def(IntegerAttr[IntegerType])
    bytes = operand_def(IndexType)
    buffer = operand_def(BufferType)
    result = result_def(BufferType)
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$output `,` $bytes `,` $buffer (`over` $over^)? attr-dict"

    def __init__(self, output: int, bytes: SSAValue, buffer: SSAValue, over: int | None = None) -> None:
        properties = {"output": IntegerAttr(output, i64), **({} if over is None else {"over": IntegerAttr(over, i64)})}
        super().__init__(operands=[bytes, buffer], properties=properties, result_types=[BUFFER])


@irdl_op_definition
class DispatchOp(IRDLOperation):
    """Runs a kernel over workgroups 0 to `workgroups`; the device may split the range. Dispatches take effect in order.

    cost: picoseconds that one workgroup takes on one thread, roughly; where it is not known, a device does better not to split.
    work: nothing, or what a profile tells rates by, see dispatch.call.
    """

    name = "hal.dispatch"
    kernel = prop_def(SymbolRefAttr)
    workgroups = operand_def(IndexType)
    cost = opt_operand_def(IndexType)
    buffers = var_operand_def(BufferType)
    constants = var_operand_def(IndexType)
    work = var_operand_def(IndexType)
    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())
    assembly_format = (
        "$kernel `workgroups` `(` $workgroups `)` (`cost` `(` $cost^ `)`)? `buffers` `(` $buffers `)` "
        "`constants` `(` $constants `)` (`work` `(` $work^ `)`)? attr-dict"
    )

    def __init__(
        self,
        kernel: str,
        workgroups: SSAValue,
        buffers: Sequence[SSAValue],
        constants: Sequence[SSAValue],
        work: Sequence[SSAValue] = (),
        cost: SSAValue | None = None,
    ) -> None:
        super().__init__(
            operands=[workgroups, [] if cost is None else [cost], list(buffers), list(constants), list(work)],
            properties={"kernel": SymbolRefAttr(kernel)},
        )


@irdl_op_definition
class CopyOp(IRDLOperation):
    """Copies `bytes` from one buffer's start to another's; the ranges do not overlap, unless they are one, which is left as it is."""

    name = "hal.copy"
    source = operand_def(BufferType)
    target = operand_def(BufferType)
    bytes = operand_def(IndexType)
    assembly_format = "$source `,` $target `,` $bytes attr-dict"

    def __init__(self, source: SSAValue, target: SSAValue, bytes: SSAValue) -> None:
        super().__init__(operands=[source, target, bytes])


@irdl_op_definition
class ReadOp(IRDLOperation):
    """One element, read by the host once every dispatch before it is done; an i1 is a byte in memory."""

    name = "hal.read"
    buffer = operand_def(BufferType)
    element = operand_def(IndexType)
    result = result_def()
    assembly_format = "$buffer `[` $element `]` attr-dict `:` type($result)"

    def __init__(self, buffer: SSAValue, element: SSAValue, result_type: Attribute) -> None:
        super().__init__(operands=[buffer, element], result_types=[result_type])


@irdl_op_definition
class WriteOp(IRDLOperation):
    """Sets one element from the host; an i1 is a byte in memory."""

    name = "hal.write"
    buffer = operand_def(BufferType)
    element = operand_def(IndexType)
    value = operand_def()
    assembly_format = "$buffer `[` $element `]` `,` $value attr-dict `:` type($value)"

    def __init__(self, buffer: SSAValue, element: SSAValue, value: SSAValue) -> None:
        super().__init__(operands=[buffer, element, value])


@irdl_op_definition
class EntropyOp(IRDLOperation):
    """64 random bits from the system, new ones wherever the program comes by."""

    name = "hal.entropy"
    result = result_def(IndexType)
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])


@irdl_op_definition
class StatusOp(IRDLOperation):
    """The run's status cells, of i64: the number of an error, 0 when the run begins; which of its checks a kernel that refused its data
    tells; and up to three values."""

    name = "hal.status"
    result = result_def(BufferType)
    traits = traits_def(Pure())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[BUFFER])


@irdl_op_definition
class CheckOp(IRDLOperation):
    """Fails the run if the status is not 0: its number is the error's, the op's location names the node.

    messages: one a check of the kernel, in which the status' values take the places of {}; an empty one has a general text.
    """

    name = "hal.check"
    messages = prop_def(ArrayAttr[StringAttr])
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$messages attr-dict"

    def __init__(self, messages: Sequence[str] = ("",)) -> None:
        super().__init__(properties={"messages": ArrayAttr([StringAttr(m) for m in messages])})


@irdl_op_definition
class DecodeImageOp(IRDLOperation):
    """The pixels (height, width, 3) of an encoded image of `bytes`, red first, decoded by the host; 0 by 0 where it cannot be."""

    name = "hal.decode_image"
    stream = operand_def(BufferType)
    bytes = operand_def(IndexType)
    image = result_def(BufferType)
    height = result_def(IndexType)
    width = result_def(IndexType)
    assembly_format = "$stream `,` $bytes attr-dict"

    def __init__(self, stream: SSAValue, bytes: SSAValue) -> None:
        super().__init__(operands=[stream, bytes], result_types=[BUFFER, IndexType(), IndexType()])


@irdl_op_definition
class RequireOp(IRDLOperation):
    """Fails the run unless the condition holds. code: "ITG" and four digits; the op's location names the node.

    Values take the places of {} in the message.
    """

    name = "hal.require"
    condition = operand_def(i1)
    values = var_operand_def(IndexType)
    code = prop_def(StringAttr)
    message = prop_def(StringAttr)
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$condition `,` $code `,` $message (`(` $values^ `)`)? attr-dict"

    def __init__(self, condition: SSAValue, code: str, message: str, values: Sequence[SSAValue] = ()) -> None:
        properties = {"code": StringAttr(code), "message": StringAttr(message)}
        super().__init__(operands=[condition, list(values)], properties=properties)

    @override
    def verify_(self) -> None:
        error_number(self.code.data)


HAL = Dialect(
    "hal",
    [
        WeightOp,
        SliceOp,
        ArenaOp,
        AllocateOp,
        LentOp,
        DispatchOp,
        CopyOp,
        ReadOp,
        WriteOp,
        EntropyOp,
        StatusOp,
        CheckOp,
        DecodeImageOp,
        RequireOp,
    ],
    [BufferType],
)


def error_number(code: str) -> int:
    """1 to 9999 for "ITG0001" to "ITG9999", which is how a run's status says it. Raises VerifyException for any other text."""
    digits = code.removeprefix("ITG")
    if not (code.startswith("ITG") and len(digits) == 4 and digits.isascii() and digits.isdigit() and int(digits)):
        raise VerifyException(f'an error code is "ITG" and four digits, not {code!r}')
    return int(digits)


def node_name(op: Operation) -> str:
    """The name of the model's node that `op` came from, empty where it is unknown."""
    return next(iter(nodes_of(op.location)), "")


# What the program takes and gives


@dataclass(frozen=True)
class Port:
    """One input or output of the host program: `element` is the TensorProto number, a dimension is a size or a symbol's name.

    What is no tensor is a list: its `kind` is "sequence", "optional" or "map", its `items` are described by a port (a map's by two,
    keys and values), its element is 0. Within items dims may be None, for any rank, and the name of an open dimension binds nothing.
    """

    name: str
    element: int
    dims: tuple[int | str, ...] | None
    kind: str = "tensor"
    items: tuple[Port, ...] = ()

    @property
    def is_list(self) -> bool:
        return self.kind != "tensor"

    @property
    def sizes(self) -> tuple[int | str, ...]:
        """The dimensions that stand in the host program's signature."""
        return self.dims or ()

    @property
    def type_name(self) -> str:
        """The type as the specification writes it: tensor(float), seq(map(string, tensor(float)))."""
        if self.kind == "map":
            keys, values = self.items
            return f"map({BY_NUMBER[keys.element].name}, {values.type_name})"
        if self.kind == "tensor":
            return f"tensor({BY_NUMBER[self.element].name})"
        return f"{_SHORT[self.kind]}({self.items[0].type_name})"


_SHORT = {"sequence": "seq", "optional": "optional"}


def ports_attribute(ports: Iterable[Port]) -> ArrayAttr:
    """The attribute `hal.inputs` or `hal.outputs` of @main."""
    return ArrayAttr([_port_attribute(port) for port in ports])


def _port_attribute(port: Port) -> DictionaryAttr:
    described: dict[str, Attribute] = {"name": StringAttr(port.name)}
    if port.is_list:
        described |= {"kind": StringAttr(port.kind), "items": ArrayAttr(map(_port_attribute, port.items))}
        return DictionaryAttr(described)
    described["element"] = IntegerAttr(port.element, i64)
    if port.dims is not None:
        described["dims"] = ArrayAttr(StringAttr(d) if isinstance(d, str) else IntegerAttr(d, i64) for d in port.dims)
    return DictionaryAttr(described)


def ports(main: func.FuncOp) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and outputs of the host program. Raises VerifyException unless its attributes are there and fit its signature."""
    inputs, outputs = (_read_ports(main, attribute) for attribute in (INPUTS, OUTPUTS))
    signature = main.function_type
    for kind, described, types in (("inputs", inputs, signature.inputs.data), ("outputs", outputs, signature.outputs.data)):
        expected = [t for port in described for t in (LIST if port.is_list else BUFFER, *([IndexType()] * len(port.sizes)))]
        if list(types) != expected:
            raise VerifyException(f"@{main.sym_name.data}: its {kind} are {list(map(str, types))}, hal.{kind} describes {described}")
    return inputs, outputs


def _read_ports(main: func.FuncOp, attribute: str) -> tuple[Port, ...]:
    array = main.attributes.get(attribute)
    if not isinstance(array, ArrayAttr):
        raise VerifyException(f"@{main.sym_name.data} has no {attribute}")
    return tuple(_read_port(entry, attribute) for entry in array)


def _read_port(entry: Attribute, attribute: str) -> Port:
    if isinstance(entry, DictionaryAttr):
        name, element, dims, kind, items = (entry.data.get(key) for key in ("name", "element", "dims", "kind", "items"))
        if isinstance(name, StringAttr) and isinstance(kind, StringAttr) and isinstance(items, ArrayAttr):
            return Port(name.data, 0, (), kind.data, tuple(_read_port(item, attribute) for item in items))
        if isinstance(name, StringAttr) and isinstance(element, IntegerAttr):
            return Port(name.data, element.value.data, _read_dims(dims, attribute))
    raise VerifyException(f"{attribute} has an entry without name, element and dims: {entry}")


def _read_dims(dims: Attribute | None, attribute: str) -> tuple[int | str, ...] | None:
    return tuple(_read_dim(d, attribute) for d in dims) if isinstance(dims, ArrayAttr) else None


def _read_dim(dim: Attribute, attribute: str) -> int | str:
    if isinstance(dim, StringAttr):
        return dim.data
    if isinstance(dim, IntegerAttr) and dim.value.data >= 0:
        return dim.value.data
    raise VerifyException(f"{attribute}: a dimension is a size or a name, not {dim}")
