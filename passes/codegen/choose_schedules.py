"""Writes into the IR how each contraction will be carried out, where nothing is said yet: the cost model's choice."""

from __future__ import annotations

from typing import Any

from typing_extensions import override
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ...dialects.dispatch import ContractOp
from ...dialects.schedule import SCHEDULED, ScheduleAttr
from .schedules import chosen_schedule, registers_of


class ChooseSchedules(ModulePass):
    """Gives contractions a schedule; `target` says vector lanes of 32 bits and rows of a register tile."""

    name = "choose-schedules"

    def __init__(self, target: Any = None) -> None:
        self.target = target

    @override
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for contract in (o for o in op.walk() if isinstance(o, ContractOp)):
            if contract.schedule is None and contract.kind.data in SCHEDULED:
                contract.schedule = ScheduleAttr(chosen_schedule(contract, registers_of(contract, self.target)))
