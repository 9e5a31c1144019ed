"""The dominance check: what it lets pass and what it names when it does not."""

from __future__ import annotations

import pytest
from intaglio.errors import IntaglioError
from intaglio.passes.verify import check_dominance
from xdsl.context import Context
from xdsl.dialects import arith, builtin, func, scf
from xdsl.dialects.builtin import i32
from xdsl.ir import Block, Region
from xdsl.parser import Parser

SOURCE = """
func.func @f(%n : index) {
  %one = arith.constant 1 : index
  scf.for %i = %one to %n step %one {
    %x = arith.addi %i, %one : index
    %y = arith.addi %x, %n : index
  }
  %z = arith.addi %n, %one : index
  func.return
}
"""


def function() -> func.FuncOp:
    context = Context()
    for dialect in (arith.Arith, builtin.Builtin, func.Func, scf.Scf):
        context.load_dialect(dialect)
    op = Parser(context, SOURCE).parse_module().body.block.first_op
    assert isinstance(op, func.FuncOp)
    return op


def test_passes():
    check_dominance(function())


def test_use_before_definition():
    op = function()
    _, loop, z, _ = op.body.block.ops
    z.operands[1] = loop.regions[0].block.ops.first.results[0]
    with pytest.raises(IntaglioError, match=r'ITG4003 arith.addi "f": operand 1, %x \(arith.addi : index\)'):
        check_dominance(op)


def test_later_definition():
    op = function()
    _, loop, z, _ = op.body.block.ops
    loop.operands[0] = z.results[0]
    with pytest.raises(IntaglioError, match=r"scf.for .*operand 0, %z"):
        check_dominance(op)


def test_sibling_block_argument_and_other_function():
    op, other = function(), function()
    _, loop, z, _ = op.body.block.ops
    z.operands[0] = loop.regions[0].block.args[0]
    with pytest.raises(IntaglioError, match=r"%i \(block argument"):
        check_dominance(op)
    z.operands[0] = other.body.block.args[0]
    with pytest.raises(IntaglioError, match="%n"):
        check_dominance(op)


def test_several_blocks():
    region = Region([Block(arg_types=[i32]), Block([func.ReturnOp()])])
    with pytest.raises(IntaglioError, match="several blocks"):
        check_dominance(func.FuncOp("g", ([i32], []), region))
