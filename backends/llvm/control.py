"""Handlers for functions' calls and structured control flow: func.call, scf.for, scf.if, scf.while, scf.index_switch."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import func, scf
from xdsl.dialects.builtin import IntegerAttr, MemRefType
from xdsl.ir import Operation, SSAValue

from .emitter import Emitter, Handler, quoted


def call(e: Emitter, op: func.CallOp) -> None:
    name = op.callee.string_value()
    arguments = [_argument(e, op, value) for value in op.arguments]
    types = [value.type for value in op.res]
    result = e.result_type(types)
    text = f"call {result} @{quoted(name)}({', '.join(arguments)})"
    if not types:
        e.line(text)
    elif len(types) == 1:
        e.assign(op.res[0], text)
    else:
        aggregate = e.let(text)
        for i, value in enumerate(op.res):
            e.assign(value, f"extractvalue {result} {aggregate}, {i}")


def _argument(e: Emitter, op: Operation, value: SSAValue) -> str:
    if not isinstance(value.type, MemRefType):
        return e.typed(value)
    memref = e.memref(value)
    if not memref.contiguous:
        e.fail(op, f"passes {value.type} with strides {memref.strides}; only contiguous memrefs cross a call")
    return f"ptr {memref.pointer}"


def for_(e: Emitter, op: scf.ForOp) -> None:
    """A rotated loop: the body, then the test. The guard before it is left out where the trip count is known."""
    t = e.type(op.lb.type)
    lower, upper, step = e.value(op.lb), e.value(op.ub), e.value(op.step)
    inits = [e.value(value) for value in op.iter_args]
    known = lower[0] != "%" and upper[0] != "%" and step[0] != "%"
    if step[0] != "%" and int(step) <= 0:
        e.fail(op, f"has step {step}; a step is positive")
    if known and int(lower) >= int(upper):
        for result, init in zip(op.res, inits, strict=True):
            e.bind(result, init)
        return
    body, done, before = e.fresh_label("for"), e.fresh_label("done"), e.block
    if known:
        e.line(f"br label %{body}")
    else:
        guard = e.let(f"icmp slt {t} {lower}, {upper}")
        e.line(f"br i1 {guard}, label %{body}, label %{done}")
    e.label(body)
    induction, *carried = op.body.block.args
    holes = [_phi_hole(e, argument) for argument in (induction, *carried)]
    last = e.region(op.body, scf.YieldOp)
    yields = [e.value(value) for value in last.operands]
    if len(yields) != len(inits):
        e.fail(op, f"yields {len(yields)} values and carries {len(inits)}")
    following = e.let(f"add nsw {t} {e.value(induction)}, {step}")
    again = e.let(f"icmp slt {t} {following}, {upper}")
    latch = e.block
    e.line(f"br i1 {again}, label %{body}, label %{done}, !llvm.loop {_loop_metadata(e, op)}")
    for hole, argument, init, next_ in zip(holes, (induction, *carried), (lower, *inits), (following, *yields), strict=True):
        e.fill(hole, f"{e.value(argument)} = phi {e.type(argument.type)} [ {init}, %{before} ], [ {next_}, %{latch} ]")
    e.label(done)
    for result, init, last_value in zip(op.res, inits, yields, strict=True):
        if known:
            e.bind(result, last_value)
        else:
            e.assign(result, f"phi {e.type(result.type)} [ {init}, %{before} ], [ {last_value}, %{latch} ]")


def if_(e: Emitter, op: scf.IfOp) -> None:
    then, done = e.fresh_label("then"), e.fresh_label("endif")
    has_else = op.false_region.first_block is not None and op.false_region.first_block.first_op is not None
    otherwise = e.fresh_label("else") if has_else else done
    if op.output and not has_else:
        e.fail(op, "has results and no else region")
    e.line(f"br i1 {e.value(op.cond)}, label %{then}, label %{otherwise}")
    incoming = []
    for label, region in ((then, op.true_region), (otherwise, op.false_region))[: 2 if has_else else 1]:
        e.label(label)
        last = e.region(region, scf.YieldOp)
        incoming.append((last.operands, e.block, [e.value(value) for value in last.operands]))
        e.line(f"br label %{done}")
    e.label(done)
    _join(e, op, op.output, [(texts, block) for _, block, texts in incoming])


def while_(e: Emitter, op: scf.WhileOp) -> None:
    before, after, done, entry = e.fresh_label("while"), e.fresh_label("do"), e.fresh_label("endwhile"), e.block
    inits = [e.value(value) for value in op.arguments]
    e.line(f"br label %{before}")
    e.label(before)
    arguments = op.before_region.block.args
    holes = [_phi_hole(e, argument) for argument in arguments]
    condition = e.region(op.before_region, scf.ConditionOp)
    cond, *passed = [e.value(value) for value in condition.operands]
    e.line(f"br i1 {cond}, label %{after}, label %{done}")
    e.label(after)
    for argument, text in zip(op.after_region.block.args, passed, strict=True):
        e.bind(argument, text)
    last = e.region(op.after_region, scf.YieldOp)
    yields = [e.value(value) for value in last.operands]
    latch = e.block
    e.line(f"br label %{before}, !llvm.loop {_loop_metadata(e, op)}")
    for hole, argument, init, next_ in zip(holes, arguments, inits, yields, strict=True):
        e.fill(hole, f"{e.value(argument)} = phi {e.type(argument.type)} [ {init}, %{entry} ], [ {next_}, %{latch} ]")
    e.label(done)
    for result, text in zip(op.res, passed, strict=True):
        e.bind(result, text)


def index_switch(e: Emitter, op: scf.IndexSwitchOp) -> None:
    done, default = e.fresh_label("endswitch"), e.fresh_label("default")
    labels = [e.fresh_label("case") for _ in op.case_regions]
    cases = " ".join(f"i64 {case}, label %{label}" for case, label in zip(op.cases.get_values(), labels, strict=True))
    e.line(f"switch i64 {e.value(op.arg)}, label %{default} [ {cases} ]")
    incoming = []
    for label, region in zip([*labels, default], [*op.case_regions, op.default_region], strict=True):
        e.label(label)
        last = e.region(region, scf.YieldOp)
        incoming.append(([e.value(value) for value in last.operands], e.block))
        e.line(f"br label %{done}")
    e.label(done)
    _join(e, op, op.output, incoming)


def _phi_hole(e: Emitter, argument: SSAValue) -> int:
    e.type(argument.type)  # a type that has no phi fails here, before the region is written
    e.bind(argument, e.fresh(argument.name_hint))
    return e.hole()


def _join(e: Emitter, op: Operation, results: Sequence[SSAValue], incoming: list[tuple[list[str], str]]) -> None:
    if any(len(texts) != len(results) for texts, _ in incoming):
        e.fail(op, f"has {len(results)} results, and a region that yields another number")
    for i, result in enumerate(results):
        edges = ", ".join(f"[ {texts[i]}, %{block} ]" for texts, block in incoming)
        e.assign(result, f"phi {e.type(result.type)} {edges}")


def _loop_metadata(e: Emitter, op: Operation) -> str:
    """The loop's own node, from its attributes: `unroll` (a count; UnitAttr or "full" for all of it), `no_unroll`, `vectorize` (a
    width, or UnitAttr), `no_vectorize`, `interleave` (a count). What they leave open is LLVM's choice."""
    hints = ['!"llvm.loop.mustprogress"']
    for name, spell in _LOOP_HINTS.items():
        if (attribute := op.attributes.get(name)) is not None:
            hints += spell(attribute.value.data if isinstance(attribute, IntegerAttr) else None)
    return e.distinct_metadata(*[e.metadata(hint) for hint in hints])


def _flag(name: str, value: bool) -> str:
    return f'!"llvm.loop.{name}", i1 {"true" if value else "false"}'


_LOOP_HINTS = {
    "unroll": lambda n: [f'!"llvm.loop.unroll.count", i32 {n}'] if n else ['!"llvm.loop.unroll.full"'],
    "no_unroll": lambda _: ['!"llvm.loop.unroll.disable"'],
    "vectorize": lambda n: [_flag("vectorize.enable", True), *([f'!"llvm.loop.vectorize.width", i32 {n}'] if n else [])],
    "no_vectorize": lambda _: [_flag("vectorize.enable", False), '!"llvm.loop.vectorize.width", i32 1'],
    "interleave": lambda n: [f'!"llvm.loop.interleave.count", i32 {n or 1}'],
}

HANDLERS: dict[type[Operation], Handler] = {
    func.CallOp: call,
    scf.ForOp: for_,
    scf.IfOp: if_,
    scf.WhileOp: while_,
    scf.IndexSwitchOp: index_switch,
}
