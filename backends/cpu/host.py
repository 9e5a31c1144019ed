"""The host program to LLVM IR: `@host.main` reads its inputs from the instance, goes to the device by the steps, leaves its outputs there.

`program` emits kernels and the host program through one `HostEmitter`, so that they share a module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from typing_extensions import override
from xdsl.dialects import func
from xdsl.ir import Attribute, Operation, SSAValue

from ...dialects import hal
from ...dialects.dispatch import MAX_VALUES, PROFILE
from ...dialects.lists import ListType
from ...dialects.locations import nodes_of
from ...passes.verify import check_dominance
from ..abi import expand
from ..llvm import Emitter, TargetAttributes
from ..llvm.emit import HANDLERS as LOOPS
from ..llvm.types import element_bytes, storage
from .device import constant_text
from .host_ops import HOST_OPS, about
from .instance import MEMBERS_HERE, member_index

BUFFER = "{ ptr, i64 }"

PROFILED = (hal.DispatchOp, hal.CopyOp)
"""What a profile times; each such operation is a site."""


@dataclass(frozen=True)
class Site:
    """A site of the profile. counts: whether its arithmetic operations are known."""

    name: str
    nodes: tuple[str, ...]
    counts: bool


class HostEmitter(Emitter):
    """Emits one host program, and the kernels it dispatches.

    kernels: their names, in the order of the image; weights: the offset of each weight among all. A failing step returns its
    status from the program at once: structured control flow has nothing to clean up.
    """

    def __init__(self, target: TargetAttributes, kernels: Sequence[str], weights: Mapping[str, int]) -> None:
        super().__init__({**LOOPS, **HANDLERS}, target)
        self.kernels = {name: i for i, name in enumerate(kernels)}
        self.weights = weights
        self._texts: dict[str, str] = {}
        self._tables: dict[str, str] = {}
        self._buffers = 0
        self._constants = 0
        self.profiled = False
        self.sites: list[Site] = []

    @override
    def type(self, t: Attribute) -> str:
        return BUFFER if isinstance(t, hal.BufferType | ListType) else super().type(t)

    def text(self, text: str) -> str:
        """A constant with that text; returns its name."""
        if (name := self._texts.get(text)) is None:
            name = self._texts[text] = f"host.text.{len(self._texts)}"
            self.module_line(constant_text(name, text))
        return f"@{name}"

    def table(self, texts: Sequence[str]) -> str:
        """A constant array of the addresses of constants; returns its name."""
        elements = ", ".join(f"ptr {text}" for text in texts)
        if (name := self._tables.get(elements)) is None:
            name = self._tables[elements] = f"host.table.{len(self._tables)}"
            self.module_line(f"@{name} = private constant [{len(texts)} x ptr] [{elements}], align 8")
        return f"@{name}"

    def field(self, struct: str, pointer: str, member: str) -> str:
        """The address of a member of a struct."""
        return self.let(expand(f"FIELD({struct}, {pointer}, {member})", MEMBERS_HERE))

    def buffer(self, ssa: SSAValue) -> tuple[str, str]:
        """The handle and the offset of a buffer."""
        text = self.value(ssa)
        return self.let(f"extractvalue {BUFFER} {text}, 0"), self.let(f"extractvalue {BUFFER} {text}, 1")

    def bind_buffer(self, ssa: SSAValue, handle: str, offset: str) -> None:
        """Binds `ssa` to a handle and an offset, each a name or a constant."""
        half = self.let(f"insertvalue {BUFFER} poison, ptr {handle}, 0")
        self.assign(ssa, f"insertvalue {BUFFER} {half}, i64 {offset}, 1")

    def step(self, name: str, arguments: str) -> None:
        """Calls a step and leaves the program with its status unless that is 0."""
        self.expect(self.let(f"call i32 @rt.{name}(ptr %self{arguments})"))

    def expect(self, status: str) -> None:
        good, go, leave = self.let(f"icmp eq i32 {status}, 0"), self.fresh_label("go"), self.fresh_label("leave")
        self.line(f"br i1 {good}, label %{go}, label %{leave}")
        self.label(leave)
        self.line(f"ret i32 {status}")
        self.label(go)

    @contextmanager
    def timed(self, op: Operation, name: str, work: Sequence[str], *, counts: bool) -> Iterator[None]:
        """Times what is emitted inside, where the program keeps a profile. work: bytes and operations, as LLVM spells them."""
        if not self.profiled:
            yield
            return
        start = self.let("call i64 @rt.clock()")
        yield
        figures = ", ".join(f"i64 {size}" for size in (*work, "0")[:2])
        self.line(f"call void @rt.record(ptr %self, i32 {len(self.sites)}, i64 {start}, {figures})")
        self.sites.append(Site(name, nodes_of(op.location), counts))

    def arrays(self, buffers: int, constants: int) -> None:
        """Makes sure that the arrays `%buffers` and `%constants`, which all dispatches share, are that long."""
        self._buffers, self._constants = max(self._buffers, buffers), max(self._constants, constants)

    def emit_main(self, main: func.FuncOp) -> None:
        """Writes `i32 @host.main(ptr %self)`. Raises EmissionError (ITG4001) or IntaglioError (ITG4003) for what cannot be."""
        check_dominance(main)
        inputs, outputs = hal.ports(main)
        self.function = main
        self.profiled = PROFILE in main.attributes
        self._begin()
        self.line(expand("%weights.at = FIELD(instance, %self, weights)", MEMBERS_HERE))
        self.line("%weights = load ptr, ptr %weights.at, align 8")
        self._take(inputs, main.body.block.args)
        last = self.region(main.body, func.ReturnOp)
        self._give(outputs, last.operands)
        self.line("ret i32 0")
        arrays = [
            f"  %buffers = alloca %binding, i32 {max(self._buffers, 1)}, align 16",
            f"  %constants = alloca i64, i32 {max(self._constants, 1)}, align 16",
        ]
        head = "define internal i32 @host.main(ptr %self) #1 {\nentry:"
        self._sections.append("\n".join([head, *arrays, *self._allocas, *self.lines, "}"]))
        self.function = None

    def _take(self, inputs: Sequence[hal.Port], arguments: Sequence[SSAValue]) -> None:
        values = iter(arguments)
        for i, port in enumerate(inputs):
            place = self._element("arguments", i)
            handle = self.let(f"load ptr, ptr {place}, align 8")
            offset = self.let(f"load i64, ptr {self.field('argument', place, 'offset')}, align 8")
            self.bind_buffer(next(values), handle, offset)  # of a list the storage and the length
            dims = self.let(f"load ptr, ptr {self.field('argument', place, 'dims')}, align 8") if port.sizes else ""
            for d, size in enumerate(port.sizes):
                value = next(values)
                if isinstance(size, int):
                    self.bind(value, str(size))  # checked before the program starts
                else:
                    self.assign(value, f"load i64, ptr {self.offset(dims, 'i64', d)}, align 8")

    def _give(self, outputs: Sequence[hal.Port], results: Sequence[SSAValue]) -> None:
        values = iter(results)
        at = 0
        for i, port in enumerate(outputs):
            handle, offset = self.buffer(next(values))
            place = self._element("results", i)
            self.line(f"store ptr {handle}, ptr {place}, align 8")
            self.line(f"store i64 {offset}, ptr {self.field('result', place, 'offset')}, align 8")
            for _ in port.sizes:
                self.line(f"store i64 {self.value(next(values))}, ptr {self._element('result_dims', at)}, align 8")
                at += 1

    def _element(self, member: str, i: int) -> str:
        return self.let(f"getelementptr inbounds %instance, ptr %self, i32 0, i32 {member_index('instance', member)}, i32 {i}")


# Handlers


def weight(e: HostEmitter, op: hal.WeightOp) -> None:
    if op.id.data not in e.weights:
        e.fail(op, f'refers to weight "{op.id.data}", which is not in the store')
    e.bind_buffer(op.result, "%weights", str(e.weights[op.id.data]))


def slice_(e: HostEmitter, op: hal.SliceOp) -> None:
    handle, offset = e.buffer(op.buffer)
    e.bind_buffer(op.result, handle, str(e.add(offset, e.number(op.byte_offset))))


def _memory(step: str) -> Callable[[HostEmitter, Operation], None]:
    def emit(e: HostEmitter, op: Operation) -> None:
        place = e.alloca("ptr", 1, 8)
        e.step(step, f", {e.typed(op.operands[0])}, ptr {place}")
        e.bind_buffer(op.results[0], e.let(f"load ptr, ptr {place}, align 8"), "0")

    return emit


def lent(e: HostEmitter, op: hal.LentOp) -> None:
    handle, offset = e.buffer(op.buffer)
    over = -1 if op.over is None else op.over.value.data
    place = f"{e.typed(op.bytes)}, i32 {over}, ptr {handle}, i64 {offset}"
    e.assign(op.result, f"call {BUFFER} @rt.lent(ptr %self, i32 {op.output.value.data}, {place})")


def dispatch(e: HostEmitter, op: hal.DispatchOp) -> None:
    name = op.kernel.string_value()
    if name not in e.kernels:
        e.fail(op, f"dispatches @{name}, which is no kernel of the module")
    e.arrays(len(op.buffers), len(op.constants))
    for i, ssa in enumerate(op.buffers):
        handle, offset = e.buffer(ssa)
        place = e.let(f"getelementptr inbounds %binding, ptr %buffers, i32 {i}")
        e.line(f"store ptr {handle}, ptr {place}, align 8")
        e.line(f"store i64 {offset}, ptr {e.field('binding', place, 'offset')}, align 8")
    for i, ssa in enumerate(op.constants):
        e.line(f"store {e.typed(ssa)}, ptr {e.offset('%constants', 'i64', i)}, align 8")
    counts = f"ptr %buffers, i32 {len(op.buffers)}, ptr %constants, i32 {len(op.constants)}"
    cost = "i64 0" if op.cost is None else e.typed(op.cost)
    with e.timed(op, name, [e.value(size) for size in op.work], counts=len(op.work) > 1):
        e.step("dispatch", f", i32 {e.kernels[name]}, {e.typed(op.workgroups)}, {cost}, {counts}")


def copy(e: HostEmitter, op: hal.CopyOp) -> None:
    source, target = e.buffer(op.source), e.buffer(op.target)
    moved = [str(e.mul(e.number(op.bytes), 2))] if e.profiled else []  # read and written
    with e.timed(op, "copy", moved, counts=True):
        e.step("copy", f", ptr {source[0]}, i64 {source[1]}, ptr {target[0]}, i64 {target[1]}, {e.typed(op.bytes)}")


def read(e: HostEmitter, op: hal.ReadOp) -> None:
    t, size, place = _cell(e, op.result)
    e.step("read", f", {_element(e, op.buffer, op.element, size)}, ptr {place}, i64 {size}")
    text = f"load {storage(t)}, ptr {place}, align {size}"
    back = {"i1": "icmp ne i8 {}, 0", "bfloat": "bitcast i16 {} to bfloat"}.get(t)
    e.assign(op.result, text if back is None else back.format(e.let(text)))


def write(e: HostEmitter, op: hal.WriteOp) -> None:
    t, size, place = _cell(e, op.value)
    forth = {"i1": "zext i1 {} to i8", "bfloat": "bitcast bfloat {} to i16"}.get(t)
    value = e.value(op.value) if forth is None else e.let(forth.format(e.value(op.value)))
    e.line(f"store {storage(t)} {value}, ptr {place}, align {size}")
    e.step("write", f", {_element(e, op.buffer, op.element, size)}, ptr {place}, i64 {size}")


def _cell(e: HostEmitter, value: SSAValue) -> tuple[str, int, str]:
    """A value's LLVM type, its size in memory and a place on the stack that holds one."""
    t, size = e.type(value.type), element_bytes(value.type)
    return t, size, e.alloca(storage(t), 1, size)


def _element(e: HostEmitter, buffer: SSAValue, index: SSAValue, size: int) -> str:
    handle, offset = e.buffer(buffer)
    return f"ptr {handle}, i64 {e.add(offset, e.mul(e.number(index), size))}"


def entropy(e: HostEmitter, op: hal.EntropyOp) -> None:
    place = e.alloca("i64", 1, 8)
    e.step("entropy", f", ptr {place}")
    e.assign(op.result, f"load i64, ptr {place}, align 8")


def status(e: HostEmitter, op: hal.StatusOp) -> None:
    e.bind_buffer(op.result, e.let(f"load ptr, ptr {e.field('instance', '%self', 'status')}, align 8"), "0")


def check(e: HostEmitter, op: hal.CheckOp) -> None:
    general = "the values it was given are outside of what it is defined for"
    texts = [e.text(f"ITG%04d {_template(op, message.data or general)}") for message in op.messages]
    e.step("check", f", ptr {e.table(texts)}")


def decode_image(e: HostEmitter, op: hal.DecodeImageOp) -> None:
    handle, offset = e.buffer(op.stream)
    place, dims = e.alloca("ptr", 1, 8), e.alloca("i64", 2, 8)
    subject = e.text(about(op, ""))
    e.step("decode_image", f", ptr {handle}, i64 {offset}, {e.typed(op.bytes)}, ptr {subject}, ptr {place}, ptr {dims}")
    e.bind_buffer(op.image, e.let(f"load ptr, ptr {place}, align 8"), "0")
    e.assign(op.height, f"load i64, ptr {dims}, align 8")
    e.assign(op.width, f"load i64, ptr {e.offset(dims, 'i64', 1)}, align 8")


def require(e: HostEmitter, op: hal.RequireOp) -> None:
    go, leave = e.fresh_label("go"), e.fresh_label("leave")
    e.line(f"br i1 {e.value(op.condition)}, label %{go}, label %{leave}")
    e.label(leave)
    text = e.text(f"{op.code.data} {_template(op, op.message.data)}")
    values = [f"i64 {e.value(v)}" for v in op.values] + ["i64 0"] * (MAX_VALUES - len(op.values))
    failed = e.let(f"call i32 @rt.fail(ptr %self, i32 {hal.error_number(op.code.data)}, ptr {text}, {', '.join(values)})")
    e.line(f"ret i32 {failed}")
    e.label(go)


def _template(op: Operation, message: str) -> str:
    """The node and a message as snprintf takes them: with places for 64-bit numbers."""
    node = hal.node_name(op).replace("%", "%%")
    text = message.replace("%", "%%").replace("{}", "%lld")
    return f'"{node}": {text}' if node else text


HANDLERS: dict[type[Operation], Callable[[Any, Any], None]] = {
    hal.WeightOp: weight,
    hal.SliceOp: slice_,
    hal.ArenaOp: _memory("arena"),
    hal.AllocateOp: _memory("allocate"),
    hal.LentOp: lent,
    hal.DispatchOp: dispatch,
    hal.CopyOp: copy,
    hal.ReadOp: read,
    hal.WriteOp: write,
    hal.EntropyOp: entropy,
    hal.StatusOp: status,
    hal.CheckOp: check,
    hal.DecodeImageOp: decode_image,
    hal.RequireOp: require,
    **HOST_OPS,
}
