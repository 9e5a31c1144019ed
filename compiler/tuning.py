"""Choices by measurement, of algorithms and of schedules: what there is to choose for is compiled alone for each candidate, and timed here.

What was measured is kept beside the cached programs, a small file a layer, and read again by whoever compiles the same layer: choices are
the same from then on. A file is moved to its place whole; one that is damaged counts as not there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import DenseArrayBase, ModuleOp, TensorType, f32, i64
from xdsl.ir import Block, Region

from ..backends.cpu import build
from ..backends.llvm import host_cpu
from ..backends.session import Session
from ..backends.target import Target, runs_here
from ..dialects import blocked
from ..dialects.hal import Port
from ..dialects.onnx.shapes import Shapes
from ..errors import IntaglioError
from ..passes.dispatch.bufferize import port_attributes
from ..passes.onnx.choose_winograd import LAST_CACHE, Outputs
from ..passes.onnx.weights import Weights
from ..passes.onnx_to_linalg import main_function, onnx_to_linalg
from .cache import Cache, cache_of, compiler_digest
from .options import Options
from .pipeline import Lowered, dispatch_level, loops_level
from .tune_schedules import Tuned, tune_schedules

log = logging.getLogger("intaglio.tuning")
"""Told what was found for each kernel."""

ROUNDS = 9
"""Timed runs of each candidate, in turns; the shortest counts."""

SUFFIX, MOST_FILES = ".tuned", 10_000

COLD = 64 << 20
"""Bytes that go through the caches between runs where a model's weights do not stay in the last one: twice the largest of one die."""

Clock = Callable[[], float]

Run = Callable[[], float]
"""Runs a candidate once, and says how many seconds that took."""


@dataclass
class Tuner:
    """Measures the layers of one compilation; new measurements end when `seconds` are spent, stored ones are always read.

    store: where results are kept, None for nowhere. clock: in seconds.
    """

    target: Target
    level: int
    seconds: float
    store: Cache | None = None
    clock: Clock = time.perf_counter
    spent: float = 0
    known: dict[str, dict[str, float]] = field(default_factory=dict)

    def convolution(self, op: blocked.ConvOp, shapes: Shapes, candidates: Sequence[Outputs]) -> Outputs | None:
        """Which of the candidates, values of `winograd`, is fastest; None where that is not known and there is no time to find out."""
        weights, (batch, *rest) = shapes.constant(op.w), shapes.of(op.x)
        assert weights is not None
        shape = (batch if isinstance(batch, int) else 1, *rest)
        layer = ("convolution", shape, weights.shape, tuple(op.attr("strides")), tuple(op.attr("pads")), tuple(candidates))
        times = self._times(layer, list(map(_text, candidates)), lambda: self._runs(op, weights, shape, candidates), self._beside)
        return min(candidates, key=lambda m: times[_text(m)]) if times is not None else None

    @property
    def _beside(self) -> int:
        """Bytes that leave nothing in a core's own caches."""
        return 2 * self.target.l2_bytes

    def schedules(self, program: Lowered) -> list[Tuned]:
        """Takes schedules that are faster than the cost model's, and says what was found."""
        total = sum(array.nbytes for array in program.weights.values())
        cold = COLD if total > LAST_CACHE else self._beside
        found = tune_schedules(program, self.target, lambda key, names, runs: self._times(("schedule", cold, key), names, runs, cold))
        for one in found:
            log.info("%s", one)
        return found

    def _times(self, of: tuple[Any, ...], names: Sequence[str], runs: Callable[[], dict[str, Run]], cold: int) -> dict[str, float] | None:
        """The least seconds of each candidate, stored or measured; None where they are not known and there is no time to find out."""
        key = self._key(of)
        times = self.known.get(key) or self._read(key, names)
        if times is None:
            if self.spent >= self.seconds:
                return None
            begin = self.clock()
            times = self._timed(runs(), cold)
            self.spent += self.clock() - begin
            self._write(key, times)
        self.known[key] = times
        return times

    def _runs(self, op: blocked.ConvOp, weights: np.ndarray, shape: tuple[Any, ...], candidates: Sequence[Outputs]) -> dict[str, Run]:
        feeds = {"x": np.random.default_rng(0).standard_normal(shape, np.float32)}

        def run(session: Session) -> float:
            begin = self.clock()
            session.run(None, feeds)
            return self.clock() - begin

        return {_text(m): partial(run, _convolution(op, weights, shape, m, self.target, self.level)) for m in candidates}

    def _timed(self, runs: dict[str, Run], cold: int) -> dict[str, float]:
        """The shortest time of each. Before a run so many bytes of something else go through the caches, as they do between layers."""
        other = np.zeros(cold // 4, np.float32)
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(ROUNDS):
            for name, run in runs.items():
                other.sum()
                best[name] = min(best[name], run())
        return best

    def _key(self, layer: tuple[Any, ...]) -> str:
        made_of = (layer, self.target, host_cpu(), self.level, compiler_digest())
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

    def _read(self, key: str, names: Sequence[str]) -> dict[str, float] | None:
        if self.store is None:
            return None
        path = self.store.folder / f"{key}{SUFFIX}"
        try:
            text = path.read_text()
            times = {name: float(seconds) for name, seconds in json.loads(text).items()}
            if set(times) != set(names) or not all(0 < seconds < float("inf") for seconds in times.values()):
                raise ValueError("these are other candidates")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError):
            with suppress(OSError):
                path.unlink()
            return None
        return times

    def _write(self, key: str, times: dict[str, float]) -> None:
        if self.store is None:
            return
        folder = self.store.folder
        temporary = folder / f".{secrets.token_hex(8)}.tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps(times))
            os.replace(temporary, folder / f"{key}{SUFFIX}")
            _shrink(folder)
        except OSError:
            with suppress(OSError):
                temporary.unlink()


def tuner_of(options: Options, target: Target) -> Tuner | None:
    """The tuner that the options ask for. Raises IntaglioError (ITG7108) for a processor that this machine is not."""
    if not options.tune:
        return None
    if not runs_here(target):
        hint = "Compile on such a machine, or without tuning."
        raise IntaglioError("ITG7108", "cannot be measured on this machine", subject="target", node=target.name, hint=hint)
    return Tuner(target, options.opt_level, options.tune, cache_of(options))


def _text(outputs: Outputs) -> str:
    """How a file names a candidate."""
    return "x".join(map(str, outputs)) or "direct"


def _shrink(folder: Path) -> None:
    """Keeps the newest results."""
    files = [path for path in folder.iterdir() if path.suffix == SUFFIX]
    for path in sorted(files, key=lambda path: path.stat().st_mtime)[: max(0, len(files) - MOST_FILES)]:
        path.unlink(missing_ok=True)


def _convolution(op: blocked.ConvOp, weights: np.ndarray, shape: tuple[Any, ...], outputs: Outputs, target: Target, level: int) -> Session:
    """A session of the convolution alone, by one of its algorithms."""
    store = Weights({})
    shapes = Shapes(store.arrays)
    block = Block(arg_types=[TensorType(f32, shape)])
    (x,) = block.args
    constant = store.constant(weights)
    properties = dict(op.properties) | {"winograd": DenseArrayBase.from_list(i64, outputs)}
    properties = {name: value for name, value in properties.items() if not name.endswith("SegmentSizes")}
    conv = blocked.ConvOp.build(operands=[x, constant.output, [], []], result_types=[TensorType(f32, [])], properties=properties)
    block.add_ops([constant, conv])
    shapes.declare_argument(x, shape)
    shapes.infer_block(block)
    block.add_op(func.ReturnOp(conv.y))
    main = func.FuncOp("main", ((x.type,), (conv.y.type,)), Region(block))
    lowered = onnx_to_linalg(ModuleOp([main]), shapes, store.arrays, target)
    number = 1  # float
    ports = [Port("x", number, shape)], [Port("y", number, tuple(shapes.of(conv.y)))]  # type: ignore[arg-type]
    main_function(lowered.module).attributes.update(port_attributes(*ports))
    program = Lowered(lowered.module, lowered.weights)
    dispatch_level(program, target)
    loops_level(program, target)
    return build(program.module, program.weights, machine=target.machine(level)).session(num_threads=1)
