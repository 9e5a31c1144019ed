"""How the host program's own operations, on lists and on texts, become calls of steps. `host` takes the handlers from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from xdsl.ir import Operation, SSAValue

from ...dialects import hal, lists, texts

if TYPE_CHECKING:
    from .host import HostEmitter


def about(op: Operation, message: str) -> str:
    """A message about the node that the operation came from."""
    node = hal.node_name(op)
    return f'"{node}": {message}' if node else message


def _subject(e: HostEmitter, op: Operation) -> str:
    """A text that names the node, for messages that a step completes."""
    return e.text(f'"{hal.node_name(op)}"')


def _placed(e: HostEmitter, ssa: SSAValue) -> str:
    """A buffer, or a list, as two arguments of a step."""
    handle, offset = e.buffer(ssa)
    return f"ptr {handle}, i64 {offset}"


def _new(e: HostEmitter, result: SSAValue, place: str) -> None:
    e.bind_buffer(result, e.let(f"load ptr, ptr {place}, align 8"), "0")


def _cells(e: HostEmitter, values: Sequence[SSAValue]) -> str:
    """An array on the stack that holds index values."""
    place = e.alloca("i64", max(len(values), 1), 8)
    for i, value in enumerate(values):
        e.line(f"store {e.typed(value)}, ptr {e.offset(place, 'i64', i)}, align 8")
    return place


def _load_each(e: HostEmitter, results: Sequence[SSAValue], place: str) -> None:
    for i, result in enumerate(results):
        e.assign(result, f"load i64, ptr {e.offset(place, 'i64', i)}, align 8")


# -- lists


def empty(e: HostEmitter, op: lists.EmptyOp) -> None:
    e.bind_buffer(op.result, "null", "0")


def length(e: HostEmitter, op: lists.LengthOp) -> None:
    e.bind(op.result, e.buffer(op.list)[1])


def erase(e: HostEmitter, op: lists.EraseOp) -> None:
    place = e.alloca("ptr", 1, 8)
    e.step("list.erase", f", {_placed(e, op.list)}, {e.typed(op.position)}, ptr {place}")
    _resized(e, op.result, op.list, place, -1)


def insert(e: HostEmitter, op: lists.InsertOp) -> None:
    item = e.alloca("%item", 1, 8)
    width, rank = op.width.value.data, len(op.dims)
    e.step("list.item", f", {_placed(e, op.value)}, i64 {width}, i32 {rank}, ptr {_cells(e, op.dims)}, ptr {item}")
    _inserted(e, op, item)


def nest(e: HostEmitter, op: lists.NestOp) -> None:
    item = e.alloca("%item", 1, 8)
    storage, count = e.buffer(op.value)
    e.line(f"store ptr {storage}, ptr {item}, align 8")
    e.line(f"store i64 {count}, ptr {e.field('item', item, 'offset')}, align 8")
    e.line(f"store i32 -1, ptr {e.field('item', item, 'rank')}, align 4")
    _inserted(e, op, item)


def _inserted(e: HostEmitter, op: lists.InsertOp | lists.NestOp, item: str) -> None:
    place = e.alloca("ptr", 1, 8)
    e.step("list.insert", f", {_placed(e, op.list)}, {e.typed(op.position)}, ptr {item}, ptr {place}")
    _resized(e, op.result, op.list, place, 1)


def _resized(e: HostEmitter, result: SSAValue, before: SSAValue, place: str, by: int) -> None:
    storage, count = e.let(f"load ptr, ptr {place}, align 8"), e.buffer(before)[1]
    e.bind_buffer(result, storage, e.let(f"add i64 {count}, {by}"))


def at(e: HostEmitter, op: lists.AtOp) -> None:
    item = _item(e, op, len(op.dims))
    handle, offset = e.let(f"load ptr, ptr {item}, align 8"), e.let(f"load i64, ptr {e.field('item', item, 'offset')}, align 8")
    e.bind_buffer(op.value, handle, offset)
    _load_each(e, op.dims, e.let(f"load ptr, ptr {e.field('item', item, 'dims')}, align 8"))


def unnest(e: HostEmitter, op: lists.UnnestOp) -> None:
    item = _item(e, op, -1)
    storage, count = e.let(f"load ptr, ptr {item}, align 8"), e.let(f"load i64, ptr {e.field('item', item, 'offset')}, align 8")
    e.bind_buffer(op.result, storage, count)


def _item(e: HostEmitter, op: lists.AtOp | lists.UnnestOp, rank: int) -> str:
    item = e.alloca("%item", 1, 8)
    storage, _ = e.buffer(op.list)
    e.step("list.at", f", ptr {storage}, {e.typed(op.position)}, i32 {rank}, ptr {_subject(e, op)}, ptr {item}")
    return item


def join(e: HostEmitter, op: lists.JoinOp) -> None:
    flat, lengths, dims = e.alloca("ptr", 1, 8), e.alloca("ptr", 1, 8), e.alloca("i64", max(len(op.dims), 1), 8)
    sizes = f"i32 {op.axis.value.data}, i64 {op.width.value.data}, i32 {len(op.dims)}"
    e.step("list.join", f", {_placed(e, op.list)}, {sizes}, ptr {_subject(e, op)}, ptr {flat}, ptr {lengths}, ptr {dims}")
    _new(e, op.flat, flat)
    _new(e, op.lengths, lengths)
    _load_each(e, op.dims, dims)


# -- texts


def text_bytes(e: HostEmitter, op: texts.BytesOp) -> None:
    offsets, blob, total = e.alloca("ptr", 1, 8), e.alloca("ptr", 1, 8), e.alloca("i64", 1, 8)
    e.step("texts.bytes", f", {_placed(e, op.numbers)}, {e.typed(op.count)}, ptr {offsets}, ptr {blob}, ptr {total}")
    _new(e, op.offsets, offsets)
    _new(e, op.bytes, blob)
    _load_each(e, [op.total], total)


def enter(e: HostEmitter, op: texts.EnterOp) -> None:
    place = e.alloca("ptr", 1, 8)
    e.step("texts.enter", f", {_written(e, op)}, ptr {place}")
    _new(e, op.numbers, place)


def number(e: HostEmitter, op: texts.NumberOp) -> None:
    place = e.alloca("ptr", 1, 8)
    e.step("texts.values", f", {_written(e, op)}, ptr {place}")
    _new(e, op.values, place)


def _written(e: HostEmitter, op: texts.EnterOp | texts.NumberOp) -> str:
    return f"{_placed(e, op.offsets)}, {_placed(e, op.bytes)}, {e.typed(op.count)}, {e.typed(op.total)}, ptr {_subject(e, op)}"


def decimal(e: HostEmitter, op: texts.DecimalOp) -> None:
    digits, exponents = e.alloca("ptr", 1, 8), e.alloca("ptr", 1, 8)
    counts = f"{e.typed(op.count)}, i64 {op.precision.value.data}"
    e.step("texts.decimal", f", {_placed(e, op.values)}, {counts}, ptr {digits}, ptr {exponents}")
    _new(e, op.digits, digits)
    _new(e, op.exponents, exponents)


HOST_OPS: dict[type[Operation], Callable[[Any, Any], None]] = {
    lists.EmptyOp: empty,
    lists.LengthOp: length,
    lists.EraseOp: erase,
    lists.InsertOp: insert,
    lists.NestOp: nest,
    lists.AtOp: at,
    lists.UnnestOp: unnest,
    lists.JoinOp: join,
    texts.BytesOp: text_bytes,
    texts.EnterOp: enter,
    texts.NumberOp: number,
    texts.DecimalOp: decimal,
}
