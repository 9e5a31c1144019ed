"""What the recording device writes down, and that host programs leave nothing behind on it."""

from __future__ import annotations

import numpy as np
import pytest
from intaglio.backends.null import NullDevice
from intaglio.errors import IntaglioError

TRANSIENTS = """
func.func @main(%x: !hal.buffer, %n: index) -> (!hal.buffer, index, !hal.buffer, index) attributes {
    "hal.inputs" = [{name = "x", element = 1 : i64, dims = ["N"]}],
    "hal.outputs" = [{name = "y", element = 1 : i64, dims = ["N"]}, {name = "z", element = 1 : i64, dims = ["N"]}]} {
  %zero = arith.constant 0 : index
  %four = arith.constant 4 : index
  %bytes = arith.muli %n, %four : index
  %w = hal.weight "w"
  %a = hal.allocate %bytes
  %b = hal.allocate %bytes
  %c = hal.allocate %bytes
  hal.dispatch @add workgroups(%n) buffers(%x, %w, %a) constants(%n)
  hal.dispatch @add workgroups(%n) buffers(%a, %a, %b) constants(%n)
  %three = arith.constant 3 : index
  %small = arith.cmpi sle, %n, %three : index
  hal.require %small, "ITG2103", "too many"
  func.return %b, %n, %x, %n : !hal.buffer, index, !hal.buffer, index
}
"""


@pytest.fixture
def program(compile_program, add_kernel):
    return compile_program(add_kernel + TRANSIENTS, {"w": np.ones(3, np.float32)})


def test_it_records_the_run(program):
    device = NullDevice()
    session = program.session(device=device)
    session.run(None, {"x": np.ones(3, np.float32)})
    first, second = device.log.dispatches
    assert (first.kernel, first.workgroups, first.constants) == ("add", 3, (3,))
    assert first.buffers[2] == second.buffers[0] == second.buffers[1]
    assert device.log.count("upload") == 2, "the weights once, the input once a run"
    assert device.log.count("load_executable") == 1
    assert device.log.peak_bytes == 64 + 12 + 4 * 12


def test_what_a_run_took_is_given_back_but_for_its_outputs(program):
    device = NullDevice()
    session = program.session(device=device)
    before = len(device.held)
    for _ in range(3):
        session.run(None, {"x": np.ones(3, np.float32)})
        assert len(device.held) == before + 2, "y, and x which is an output as well"
    with pytest.raises(IntaglioError, match="ITG2103"):
        session.run(None, {"x": np.ones(4, np.float32)})
    assert len(device.held) == before, "a run that failed keeps nothing"
    session.close()
    assert device.held == {} and device.faults == []


@pytest.mark.parametrize("limit", [0, 63, 64, 75, 76, 87, 88, 100, 123])
def test_memory_that_runs_out_anywhere_is_an_error(program, limit):
    device = NullDevice(limit_bytes=limit)
    with pytest.raises(IntaglioError, match="ITG5010"), program.session(device=device) as session:
        session.run(None, {"x": np.ones(3, np.float32)})
    assert device.held == {} and device.faults == []


def test_it_notices_nonsense():
    device = NullDevice()
    struct = device.struct
    struct.free(None, 12345)
    assert struct.fill(None, 12345, 0, 0, 4) != 0
    assert len(device.faults) == 2


def test_a_device_that_fails_is_named_with_the_kernel_and_its_words(program):
    class Broken(NullDevice):
        def _dispatch(self, *arguments: object) -> int:
            return self._fail("it caught fire", fault=False)

    device = Broken()
    with program.session(device=device) as session, pytest.raises(IntaglioError) as caught:
        session.run(None, {"x": np.ones(3, np.float32)})
    assert caught.value.code == "ITG5011"
    assert "device null failed in add: it caught fire" in str(caught.value)
    assert device.held == {}
