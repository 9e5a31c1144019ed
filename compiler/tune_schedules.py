"""The search for better schedules than the cost model's: each contraction alone, in each of the ways next to the one that was chosen.

Works on the dispatch level, where a kernel has all that is fused into it, and equal ones are there once. Sizes have to be known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from xdsl.context import Context
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, TensorType
from xdsl.ir import Block, Region
from xdsl.utils.exceptions import VerifyException

from ..backends.cpu import build
from ..backends.session import Session
from ..backends.target import Target
from ..dialects.dispatch import BLOCK, CallOp, ContractOp, WeightOp, dynamic_count
from ..dialects.hal import Port
from ..dialects.onnx.types import BY_IR
from ..dialects.schedule import Schedule, ScheduleAttr
from ..passes.codegen.panels import columns_of, packed_weights, set_panel_width
from ..passes.codegen.schedules import AHEAD, Registers, chosen_schedule, panel_width, registers_of
from ..passes.dispatch.bufferize import port_attributes
from ..passes.dispatch.measure_work import MeasureWork
from .pipeline import Lowered, loops_level

SMALL = 500_000
"""Contractions of fewer products are over before a choice matters."""

GAIN = 0.03
"""What a choice has to save of the time, twice: measurements of the same kernel differ by up to as much."""

WIDEST = 4
"""Vectors of a panel that are tried, at most."""


@dataclass(frozen=True)
class Choice:
    """A panel's columns and a schedule."""

    width: int
    schedule: Schedule

    def __str__(self) -> str:
        return f"{self.width} columns, {ScheduleAttr(self.schedule)}"


@dataclass(frozen=True)
class Tuned:
    """What the search found for one kernel, which the program runs at `places`; seconds: of one run."""

    kernel: str
    places: int
    before: Choice
    after: Choice
    seconds_before: float
    seconds_after: float

    def __str__(self) -> str:
        times = f"{self.kernel} (x{self.places}): {1e6 * self.seconds_before:.1f} us"
        if self.after == self.before:
            return f"{times} by {self.before}"
        gain = 100 * (1 - self.seconds_after / self.seconds_before)
        return f"{times} -> {1e6 * self.seconds_after:.1f} us ({gain:.1f} % less) by {self.after} in place of {self.before}"


@dataclass(frozen=True)
class _Kernel:
    """An executable that is one contraction, and who calls it."""

    exe: func.FuncOp
    contract: ContractOp
    calls: tuple[CallOp, ...]
    weights: dict[str, np.ndarray]

    @property
    def name(self) -> str:
        return self.exe.sym_name.data

    @property
    def text(self) -> str:
        """What it computes and how, whatever it is called."""
        return str(self.exe).replace(f"@{self.name}(", "@(", 1)

    @property
    def choice(self) -> Choice:
        return Choice(panel_width(self.contract), cast(ScheduleAttr, self.contract.schedule).data)

    @property
    def products(self) -> int:
        """Of numbers, roughly, in all places."""
        right = self.contract.rhs.type
        assert isinstance(right, TensorType)
        return len(self.calls) * math.prod(self.contract.result.type.get_shape()) * math.prod(right.get_shape()[1:-1])

    def choose(self, choice: Choice) -> None:
        if choice.width != panel_width(self.contract):
            set_panel_width(self.exe, self.contract, self.calls, self.weights, choice.width)
        self.contract.schedule = ScheduleAttr(choice.schedule)


Times = Callable[[str, Sequence[str], Callable[[], "dict[str, Callable[[], float]]"]], "dict[str, float] | None"]
"""The least seconds of each of the candidates for a key: stored ones, else measured by what the function gives, once each in turns; None
where there is no time."""


def tune_schedules(program: Lowered, target: Target, times: Times) -> list[Tuned]:
    """Changes the choices of contractions that are faster by others; what was found for each kernel whose times are known."""
    found: list[Tuned] = []
    for kernel in sorted(_kernels(program), key=lambda k: -k.products):
        registers = registers_of(kernel.contract, target)
        before = kernel.choice
        candidates = {str(c): c for c in (before, *_neighbours(kernel, registers))}
        runs = times(kernel.text, list(candidates), lambda k=kernel, c=candidates: _measures(k, c, target))
        if runs is None or len(candidates) < 2:
            continue
        best = min(runs, key=runs.__getitem__)
        after = candidates[best] if runs[best] < (1 - GAIN) * runs[str(before)] else before
        if after != before:
            two = {str(before): before, best: after}
            again = times(f"again {kernel.text}", list(two), lambda k=kernel, c=two: _measures(k, c, target))
            runs = runs if again is None else again
            if again is None or again[best] >= (1 - GAIN) * again[str(before)]:
                after = before
        kernel.choose(after)
        found.append(Tuned(kernel.name, len(kernel.calls), before, after, runs[str(before)], runs[str(after)]))
    return found


def _kernels(program: Lowered) -> Iterator[_Kernel]:
    """The executables of one contraction with a schedule, all sizes known, that are worth it."""
    functions = [f for f in program.module.ops if isinstance(f, func.FuncOp)]
    calls: dict[str, list[CallOp]] = {}
    for call in (o for f in functions for o in f.walk() if isinstance(o, CallOp)):
        calls.setdefault(call.callee.root_reference.data, []).append(call)
    for exe in functions:
        contracts = [op for op in exe.body.block.ops if isinstance(op, ContractOp)]
        callers = calls.get(exe.sym_name.data, [])
        types = [*exe.function_type.inputs, *exe.function_type.outputs]
        if len(contracts) != 1 or contracts[0].schedule is None or not callers:
            continue
        if all(isinstance(t, TensorType) for t in types) and not dynamic_count(types):
            kernel = _Kernel(exe, contracts[0], tuple(callers), program.weights)
            if kernel.products >= SMALL:
                yield kernel


def _neighbours(kernel: _Kernel, registers: Registers) -> Iterator[Choice]:
    """Choices that differ from the kernel's own in one thing, as far as registers hold them."""
    contract, own = kernel.contract, kernel.choice
    s = own.schedule
    tiles = [replace(s, across=s.across + n) for n in (-2, -1, 1, 2)]
    tiles += [replace(s, down=s.across, across=s.down)] if s.down > 1 else [replace(s, even=1 - s.even)]
    orders = [replace(s, part=n) for n in (0, 1, 4, 16)]
    steps = [replace(s, ahead=AHEAD - s.ahead if s.ahead in (0, AHEAD) else 0), *(replace(s, unroll=n) for n in (1, 4))]
    for one in dict.fromkeys((*tiles, *orders, *steps)):
        choice = Choice(own.width, one)
        if one != s and _fits(contract, choice, registers):
            yield choice
    if not packed_weights(contract, kernel.calls) or (columns := columns_of(contract)) is None:
        return
    for width in range(registers.lanes, (WIDEST + 1) * registers.lanes, registers.lanes):
        whole = width % BLOCK == 0 or contract.kind.data == "matmul"
        if width != own.width and whole and width < columns + registers.lanes:
            yield Choice(width, chosen_schedule(contract, registers, width))


def _fits(contract: ContractOp, choice: Choice, registers: Registers) -> bool:
    vectors = choice.width // registers.lanes if contract.kind.data in ("matmul", "conv") else 1
    s = choice.schedule
    if s.rows * vectors + vectors + 1 > registers.count:
        return False
    shape = contract.result.type.get_shape() if contract.shape is None else contract.shape.get_values()
    try:
        ScheduleAttr(s).verify()
        s.check(contract.kind.data, contract.batch.value.data, [int(d) for d in shape])
    except VerifyException:
        return False
    # Whether tiles may run across the ends of a plane's rows is not asked here: none grows beyond one.
    return not (contract.kind.data == "conv" and s.down == 1 and s.across > max(int(shape[3]), _across(contract)))


def _across(contract: ContractOp) -> int:
    return cast(ScheduleAttr, contract.schedule).data.across


def _measures(kernel: _Kernel, candidates: Mapping[str, Choice], target: Target) -> dict[str, Callable[[], float]]:
    """For each candidate what runs the kernel once, inputs just written as in the program, and says how many seconds it took."""
    return {name: _measure(_session(kernel, choice, target)) for name, choice in candidates.items()}


def _measure(opened: tuple[Session, dict[str, np.ndarray]]) -> Callable[[], float]:
    session, feeds = opened

    def run() -> float:
        for array in feeds.values():
            array.sum()  # what the kernel before has just written
        session.run([], feeds)
        (one,) = session.profile(reset=True)[:1]
        return one.nanoseconds * 1e-9

    return run


def _session(kernel: _Kernel, choice: Choice, target: Target) -> tuple[Session, dict[str, np.ndarray]]:
    """A program of the kernel alone, with the weights of its first place, and inputs for it."""
    exe = kernel.exe.clone()
    block, weights, tensors, ports = Block(), {}, [], []
    feeds: dict[str, np.ndarray] = {}
    draw = np.random.default_rng(0)
    for n, value in enumerate(kernel.calls[0].tensors):
        type = cast(TensorType, value.type)
        if isinstance(value.owner, WeightOp):
            weights[f"w{n}"] = kernel.weights[value.owner.id.data]
            block.add_op(op := WeightOp(f"w{n}", type))
            tensors.append(op.result)
            continue
        element = BY_IR[type.element_type]
        tensors.append(block.insert_arg(type, len(block.args)))
        ports.append(Port(f"x{n}", element.number, tuple(type.get_shape())))
        feeds[f"x{n}"] = draw.standard_normal(type.get_shape(), np.float32).astype(element.stored)
    one = arith.ConstantOp(IntegerAttr(1, IndexType()))
    types = list(exe.function_type.outputs.data)
    call = CallOp(kernel.name, tensors, [], [], one.result, types)
    block.add_ops([one, call, func.ReturnOp(*call.outs)])
    outputs = [Port(f"y{n}", BY_IR[t.element_type].number, tuple(t.get_shape())) for n, t in enumerate(types) if isinstance(t, TensorType)]
    main = func.FuncOp("main", ([a.type for a in block.args], types), Region(block))
    main.attributes.update(port_attributes(ports, outputs))
    module = ModuleOp([main, exe])
    contract = next(op for op in exe.body.block.ops if isinstance(op, ContractOp))
    _Kernel(exe, contract, (call,), weights).choose(choice)
    MeasureWork().apply(Context(), module)
    lowered = Lowered(module, weights)
    loops_level(lowered, target)
    return build(module, weights, machine=target.machine()).session(num_threads=1), feeds
