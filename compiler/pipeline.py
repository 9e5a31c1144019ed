"""The way of a program down the levels: one readable function a level, each saying why its passes stand in that order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ..backends.target import Target
from ..dialects.onnx.base import OnnxOp
from ..dialects.onnx.training import GradientOp
from ..passes.codegen.choose_schedules import ChooseSchedules
from ..passes.codegen.lower_asserts import LowerAsserts
from ..passes.codegen.lower_executables import LowerExecutables
from ..passes.dispatch.bufferize import Bufferize, port_attributes
from ..passes.dispatch.fold_moves import FoldMoves
from ..passes.dispatch.fold_reciprocals import FoldReciprocals
from ..passes.dispatch.form_dispatches import FormDispatches
from ..passes.dispatch.fuse_elementwise import FuseElementwise
from ..passes.dispatch.fuse_epilogue import FuseEpilogue
from ..passes.dispatch.measure_work import MeasureWork
from ..passes.onnx.choose_layouts import choose_layouts
from ..passes.onnx.choose_strassen import choose_strassen
from ..passes.onnx.choose_winograd import Measure, choose_winograd
from ..passes.onnx.differentiate import differentiate
from ..passes.onnx.fold_constants import fold_constants
from ..passes.onnx.fuse_attention import fuse_attention
from ..passes.onnx.fuse_batch_norm import fuse_batch_norm
from ..passes.onnx.fuse_few_bits import fuse_few_bits
from ..passes.onnx.fuse_gelu import fuse_gelu
from ..passes.onnx.lift_conv1d import lift_conv1d
from ..passes.onnx.split_groups import split_groups
from ..passes.onnx.weights import Weights
from ..passes.onnx.widen_short_floats import widen_short_floats
from ..passes.onnx_to_linalg import main_function, onnx_to_linalg
from ..passes.onnx_to_linalg.registry import lowering_of
from .importer import ImportedModel
from .ports import ports_of


@dataclass
class Lowered:
    """A program on one of its levels: `module` and the weights it names. `inputs`/`outputs` are described by `main`'s attributes."""

    module: ModuleOp
    weights: dict[str, np.ndarray]
    defaults: dict[str, np.ndarray] = field(default_factory=dict)


def is_compiled(cls: type[OnnxOp]) -> bool:
    """Whether operators of a class have a way down: a lowering, or a pass that replaces them by others."""
    return lowering_of(cls) is not None or cls is GradientOp


Observer = Callable[[str, ModuleOp], None]
"""Called with each level's name and module once the level is reached: dumps, verification, progress displays."""


def run_passes(module: ModuleOp, passes: list[ModulePass]) -> None:
    """Runs passes over a module in order."""
    context = Context()
    for one in passes:
        one.apply(context, module)


def onnx_level(imported: ImportedModel, target: Target, *, winograd: bool = True, measure: Measure | None = None) -> None:
    """Simplifies the graph in its own terms and chooses layouts and algorithms."""
    block, shapes, weights = main_function(imported.module).body.block, imported.shapes, Weights(imported.weights)
    differentiate(block, shapes, weights)  # first: passes may not change what a Gradient names, and simplify what comes of it
    fuse_few_bits(block, shapes, weights)  # before folding, which makes floats of constant weights
    fold_constants(block, shapes, weights)  # before what asks for constant weights
    fuse_attention(block, shapes, weights)  # after folding, which tells the scale
    fuse_gelu(block, shapes)  # likewise
    fuse_batch_norm(block, shapes, weights)  # before layouts, which pack the folded filters
    widen_short_floats(block, shapes, weights)  # after batch norms, which only fold next to their convolutions; before layouts
    lift_conv1d(block, shapes, weights)
    split_groups(block, shapes, weights)  # before layouts, which know dense and depthwise convolutions
    choose_layouts(block, shapes, weights)
    if winograd:
        choose_strassen(block, shapes, target)
        choose_winograd(block, shapes, target, measure)  # after layouts: it is for convolutions on blocks of channels
    fold_constants(block, shapes, weights)  # layouts leave unpacks that nobody reads


def linalg_level(imported: ImportedModel, target: Target) -> Lowered:
    """Says what is computed, per element."""
    lowered = onnx_to_linalg(imported.module, imported.shapes, imported.weights, target, imported.defaults)
    inputs, outputs = ports_of(imported)
    main_function(lowered.module).attributes.update(port_attributes(inputs, outputs))
    return Lowered(lowered.module, lowered.weights, lowered.defaults)


def dispatch_level(program: Lowered, target: Target, *, profile: bool = False) -> None:
    """Decides what runs as one kernel."""
    run_passes(
        program.module,
        [
            FuseElementwise(),  # first: a chain becomes one generic, which then is one epilogue or one member of a group
            FuseEpilogue(),  # before grouping: what a contraction takes with it is not left for others
            FoldReciprocals(),  # after fusion, which brings x and its sigmoid together
            FoldMoves(),  # after epilogues, which stand between a product and the copy of its result
            FormDispatches(),
            *([MeasureWork()] if profile else []),  # while executables still say what they compute
            ChooseSchedules(target),  # last: a schedule is of all that a dispatch computes
        ],
    )


def loops_level(program: Lowered, target: Target) -> None:
    """Decides how each kernel is computed on this target, and where every tensor lies."""
    run_passes(
        program.module,
        [
            LowerExecutables(target),
            LowerAsserts(),  # before buffers: a kernel that checks its data takes the status cell as one more buffer
            Bufferize(),
        ],
    )


def lower_to_loops(
    imported: ImportedModel,
    target: Target,
    observe: Observer = lambda level, module: None,
    *,
    profile: bool = False,
    winograd: bool = True,
    measure: Measure | None = None,
    schedule: Callable[[Lowered], object] = lambda program: None,
) -> Lowered:
    """The whole way from the onnx dialect to the loop level. profile: the program shall keep one. winograd: see `Options`.
    measure: tells which algorithm of a layer is fastest; schedule: may better the schedules of contractions."""
    onnx_level(imported, target, winograd=winograd, measure=measure)
    observe("onnx", imported.module)
    program = linalg_level(imported, target)
    observe("linalg", program.module)
    dispatch_level(program, target, profile=profile)
    schedule(program)
    observe("dispatch", program.module)
    loops_level(program, target)
    observe("loops", program.module)
    return program
