"""The hal dialect prints, parses back, and refuses what does not fit."""

from __future__ import annotations

import pytest
from intaglio.dialects.hal import CheckOp, Port, error_number, node_name, ports, ports_attribute
from xdsl.dialects import func
from xdsl.utils.exceptions import VerifyException

SOURCE = """
func.func @main(%x: !hal.buffer, %n: index) -> (!hal.buffer, index) attributes {
    "hal.inputs" = [{name = "x", element = 1 : i64, dims = ["N"]}],
    "hal.outputs" = [{name = "y", element = 1 : i64, dims = [4 : i64]}]} {
  %one = arith.constant 1 : index
  %w = hal.weight "w0"
  %s = hal.slice %w[%one]
  %arena = hal.arena %n
  %t = hal.allocate %n
  %lent = hal.lent 0 : i64, %n, %t
  %status = hal.status
  hal.dispatch @k workgroups(%n) buffers(%x, %t, %status) constants(%n)
  hal.dispatch @k workgroups(%n) buffers() constants()
  hal.dispatch @k workgroups(%n) cost(%one) buffers(%x) constants() work(%n)
  hal.copy %s, %arena, %n
  %v = hal.read %t[%one] : f32
  hal.write %t[%one], %v : f32
  hal.check [""] loc("node")
  hal.check ["m", "{} and {}"]
  %image, %height, %width = hal.decode_image %x, %n
  %ok = arith.constant true
  hal.require %ok, "ITG2103", "no"
  hal.require %ok, "ITG2103", "not {}"(%one)
  func.return %t, %n : !hal.buffer, index
}
"""


def test_it_prints_and_parses_back(parse_module):
    module = parse_module(SOURCE)
    assert parse_module(str(module)).is_structurally_equivalent(module)


def test_locations_name_nodes(parse_module):
    assert [node_name(op) for op in parse_module(SOURCE).walk() if isinstance(op, CheckOp)] == ["node", ""]


def test_ports_are_read_and_written(parse_module):
    (main,) = parse_module(SOURCE).ops
    assert isinstance(main, func.FuncOp)
    inputs, outputs = ports(main)
    assert (inputs, outputs) == ((Port("x", 1, ("N",)),), (Port("y", 1, (4,)),))
    assert ports_attribute(inputs) == main.attributes["hal.inputs"]


@pytest.mark.parametrize(
    "inputs",
    [
        '{name = "x", element = 1 : i64, dims = []}',
        '{name = "x", element = 1 : i64, dims = ["N", "M"]}',
        '{name = "x", dims = ["N"]}',
        '{name = "x", element = 1 : i64, dims = [-1 : i64]}',
        "",
    ],
)
def test_ports_that_do_not_fit_the_signature_are_refused(parse_module, inputs):
    source = SOURCE.replace('{name = "x", element = 1 : i64, dims = ["N"]}', inputs)
    (main,) = parse_module(source).ops
    with pytest.raises(VerifyException):
        ports(main)


@pytest.mark.parametrize("code", ["ITG0000", "ITG123", "2103", "ITG21030", "ITGabcd"])
def test_codes_that_are_none_are_refused(code):
    with pytest.raises(VerifyException):
        error_number(code)


def test_require_verifies_its_code(parse_module):
    with pytest.raises(VerifyException):
        parse_module(SOURCE.replace("ITG2103", "oops"))
