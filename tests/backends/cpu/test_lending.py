"""Memory lent for outputs: results lie in it, keep it while anyone looks at them, and nothing is written beside it."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np
import pytest
from intaglio import IntaglioError
from intaglio.backends.abi import TENSOR
from intaglio.backends.null import NullDevice
from intaglio.backends.session import Session

FIXED = """
func.func @main(%x: !hal.buffer, %d: index, %y: !hal.buffer, %e: index) -> (!hal.buffer, index, !hal.buffer, index) attributes {
    "hal.inputs" = [{name = "x", element = 1 : i64, dims = [4096 : i64]}, {name = "y", element = 1 : i64, dims = [4096 : i64]}],
    "hal.outputs" = [{name = "z", element = 1 : i64, dims = [4096 : i64]}, {name = "s", element = 1 : i64, dims = [4096 : i64]}]} {
  %n = arith.constant 4096 : index
  %bytes = arith.constant 16384 : index
  %place = hal.arena %bytes
  %z = hal.lent 0, %bytes, %place
  hal.dispatch @add workgroups(%n) buffers(%x, %y, %z) constants(%n)
  func.return %z, %n, %z, %n : !hal.buffer, index, !hal.buffer, index
}
"""


OPEN = """
func.func @main(%x: !hal.buffer, %n: index, %y: !hal.buffer, %m: index) -> (!hal.buffer, index) attributes {
    "hal.inputs" = [{name = "x", element = 1 : i64, dims = ["N"]}, {name = "y", element = 1 : i64, dims = ["N"]}],
    "hal.outputs" = [{name = "z", element = 1 : i64, dims = ["N"]}]} {
  %four = arith.constant 4 : index
  %bytes = arith.muli %n, %four : index
  %place = hal.arena %bytes
  %z = hal.lent 0, %bytes, %place
  hal.dispatch @add workgroups(%n) buffers(%x, %y, %z) constants(%n)
  func.return %z, %n : !hal.buffer, index
}
"""


@pytest.fixture(scope="module")
def twice(compile_program, add_kernel) -> Session:
    """z = x + y of 4096 floats, and s, which is z."""
    return compile_program(add_kernel + FIXED).session()


@pytest.fixture(scope="module")
def program(compile_program, add_kernel) -> Any:
    """z = x + y of N floats."""
    return compile_program(add_kernel + OPEN)


def at(array: np.ndarray) -> int:
    return array.ctypes.data


def feeds(value: float, size: int = 4096) -> dict[str, np.ndarray]:
    return {"x": np.full(size, value, np.float32), "y": np.zeros(size, np.float32)}


def test_memory_of_results_that_are_gone_is_used_again(twice):
    seen = {at(twice.run(["z"], feeds(k))[0]) for k in range(6)}
    assert len(seen) == 1
    result, seen = None, set()
    for k in range(6):
        (result,) = twice.run(["z"], feeds(k))
        seen.add(at(result))
    assert len(seen) == 2 and all(address % 64 == 0 for address in seen)


@pytest.mark.parametrize("look", [lambda z: z, lambda z: z[1:], lambda z: z.reshape(64, 64).T, memoryview, lambda z: np.asarray(z.data)])
def test_results_stay_while_anyone_looks_at_them(twice, look):
    kept = []
    for k in range(6):
        kept.append(look(twice.run(["z"], feeds(k))[0]))
    assert [np.asarray(one).ravel()[-1] for one in kept] == list(range(6))


def test_one_value_that_is_two_outputs_is_two_arrays(twice):
    z, s, again = twice.run(["z", "s", "z"], feeds(3))
    z[:], s[:] = 1, 2
    assert (z[0], s[0], again[0]) == (1, 2, 3)


def test_results_outlive_their_session(program):
    with program.session() as session:
        results = [session.run(None, feeds(k))[0] for k in range(3)]
    del session
    assert [z[-1] for z in results] == [0, 1, 2]


def test_open_sizes_are_learnt(program):
    session = program.session()
    for size in (5, 5, 6, 0, 0, 4000, 4001, 4002, 1, 1, 4000):
        (z,) = session.run(None, feeds(size, size))
        assert z.shape == (size,) and (z == size).all()
    # What stays the same, or grows as a decoder's past does, lies where it was made.
    lender = session._lenders[0]
    assert lender is not None
    for size in range(4000, 4010):
        (z,) = session.run(None, feeds(size, size))
        assert size == 4000 or any(at(z) == place.address for place in lender._places)
    # A small result keeps no large place.
    (z,) = session.run(None, feeds(1, 8))
    assert z.base is None or z.base.nbytes < 4096


def test_threads_do_not_share_results(twice):
    wrong = []

    def work(k: int) -> None:
        for _ in range(50):
            z, s = twice.run(None, feeds(k))
            if not (z == k).all() or not (s == k).all():
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_device_of_its_own_memory_downloads_to_what_is_lent(program):
    device = NullDevice()
    with program.session(device=device) as session:
        for _ in range(3):
            (z,) = session.run(None, feeds(1, 7))
            assert z.tolist() == [0] * 7
        assert device.log.count("download") == 3
    assert device.faults == [] and device.held == {}


@pytest.mark.parametrize(
    ("type", "rank", "dims", "used"),
    [
        (1, 1, [5], True),
        (1, 1, [6], True),
        (1, 1, [4], False),
        (1, 1, [0], False),
        (1, 1, [-1], False),
        (1, 1, [2**62], False),
        (1, 1, None, False),
        (1, 2, [5, 1], False),
        (1, 0, [], False),
        (11, 1, [5], False),
        (0, 0, None, False),
    ],
)
def test_what_c_lends_is_used_where_it_fits(program, type, rank, dims, used):
    session = program.session()
    tensor = TENSOR.ctypes()
    x, size = np.arange(5, dtype=np.float32), (ctypes.c_int64 * 1)(5)
    inputs = (tensor * 2)(*[tensor(data=at(x), type=1, rank=1, dims=ctypes.addressof(size))] * 2)
    memory = np.full(16, 77, np.float32)
    sizes = None if dims is None else (ctypes.c_int64 * 2)(*dims)
    output = tensor(data=at(memory[4:]), type=type, rank=rank, dims=None if sizes is None else ctypes.addressof(sizes))
    outputs = (tensor * 1)(output)
    assert session._module.run_into(session._instance, inputs, 2, outputs, 1) == 0
    result = outputs[0]
    assert (result.data == at(memory[4:])) == used
    assert (result.type, result.rank, ctypes.c_int64.from_address(result.dims).value) == (1, 1, 5)
    assert (ctypes.c_float * 5).from_address(result.data)[:] == [0, 2, 4, 6, 8]
    assert (memory[:4] == 77).all() and (memory[9:] == 77).all() and (used or (memory == 77).all())
    # Without `into` nothing is lent, whatever stands there.
    outputs[0] = output
    assert session._module.run(session._instance, inputs, 2, outputs, 1) == 0
    assert outputs[0].data != at(memory[4:])


UPDATE = """
func.func @main(%x: !hal.buffer, %n: index, %y: !hal.buffer, %m: index) -> (!hal.buffer, index, !hal.buffer, index) attributes {
    "hal.inputs" = [{name = "x", element = 1 : i64, dims = ["N"]}, {name = "y", element = 1 : i64, dims = ["N"]}],
    "hal.outputs" = [{name = "z", element = 1 : i64, dims = ["N"]}, {name = "s", element = 1 : i64, dims = ["N"]}]} {
  %four = arith.constant 4 : index
  %bytes = arith.muli %n, %four : index
  %twice = arith.addi %bytes, %bytes : index
  %arena = hal.arena %twice
  %s = hal.lent 1, %bytes, %arena
  hal.dispatch @add workgroups(%n) buffers(%x, %y, %s) constants(%n)
  %place = hal.slice %arena[%bytes]
  %z = hal.lent 0, %bytes, %place over 0 : i64
  hal.copy %x, %z, %bytes
  hal.dispatch @increment workgroups(%n) buffers(%z) constants(%n)
  func.return %z, %n, %s, %n : !hal.buffer, index, !hal.buffer, index
}
func.func @increment(%z: memref<?xf32>, %n: index, %begin: index, %end: index) attributes {"dispatch.kernel" = 1 : i64} {
  %one = arith.constant 1 : index
  %more = arith.constant 1.0 : f32
  scf.for %i = %begin to %end step %one {
    %before = memref.load %z[%i] : memref<?xf32>
    %after = arith.addf %before, %more : f32
    memref.store %after, %z[%i] : memref<?xf32>
  }
  func.return
}
"""


@pytest.fixture(scope="module")
def updating(compile_program, add_kernel) -> Session:
    """z = x + 1, which may lie where x does; and before, s = x + y."""
    return compile_program(add_kernel + UPDATE).session()


@pytest.mark.parametrize("shift", [0, 1, 5, 7, 100])
@pytest.mark.parametrize("of", ["x", "y"])
@pytest.mark.parametrize("output", ["z", "s"])
def test_outputs_may_lie_where_inputs_do(updating, output, of, shift):
    memory = np.arange(200, dtype=np.float32)
    given = {"x": np.arange(7, dtype=np.float32), "y": np.arange(7, dtype=np.float32) * 3} | {of: memory[:7]}
    expected = {"z": given["x"] + 1, "s": given["x"] + given["y"]}
    place = memory[shift : shift + 7]
    found = dict(zip("zs", updating.run(None, given, into={output: place}), strict=True))
    assert found[output] is place
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert (memory[shift + 7 :] == np.arange(200)[shift + 7 :]).all()


def test_what_lies_over_its_input_is_not_copied(updating):
    x, y = np.zeros(5, np.float32), np.zeros(5, np.float32)
    for round in range(3):
        z, s = updating.run(None, {"x": x, "y": y}, into={"z": x})
        assert z is x and (x == round + 1).all() and (s == round).all()
    # One memory as both inputs: the other one is still read, as far as the run knows.
    z, s = updating.run(None, {"x": x, "y": x}, into={"z": x})
    assert (x == 4).all() and (s == 6).all()


def test_two_outputs_in_one_memory_are_refused(updating):
    memory = np.zeros(12, np.float32)
    for second in (memory[:8], memory[4:]):
        with pytest.raises(IntaglioError, match=r'ITG5512 output "s": .*another output'):
            updating.run(None, feeds(1, 8), into={"z": memory[:8], "s": second})
    z, s = updating.run(None, feeds(1, 4), into={"z": memory[:4], "s": memory[4:8]})
    assert (z == 2).all() and (s == 1).all()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ([0.0] * 4, "not list"),
        (np.zeros(4), "not float64"),
        (np.zeros((4, 1), np.float32), "that of the array"),
        (np.zeros(8, np.float32)[::2], "side by side"),
        (np.broadcast_to(np.float32(0), 4), "read-only"),
        (np.zeros(5, np.float32), "in this run"),
        (np.zeros(3, np.float32), "in this run"),
    ],
)
def test_arrays_that_cannot_take_an_output(updating, place, told):
    with pytest.raises(IntaglioError, match=f'ITG5512 output "z": .*{told}'):
        updating.run(None, feeds(1, 4), into={"z": place})
    with pytest.raises(IntaglioError, match="ITG5511"):
        updating.run(None, feeds(1, 4), into={"nothing": place})
    assert updating.run(["z"], feeds(1, 4))[0].tolist() == [2] * 4


def test_outputs_that_nobody_asked_for_are_left_in_arrays_too(updating):
    place = np.zeros(4, np.float32)
    assert updating.run(["s"], feeds(1, 4), into={"z": place})[0].tolist() == [1] * 4
    assert place.tolist() == [2] * 4


def test_a_device_of_its_own_memory_updates_no_input(compile_program, add_kernel):
    device = NullDevice()
    with compile_program(add_kernel + UPDATE).session(device=device) as session:
        x = np.ones(4, np.float32)
        session.run(None, {"x": x, "y": x}, into={"z": x})
        assert x.tolist() == [0] * 4 and device.log.count("copy") == 1
    assert device.faults == [] and device.held == {}
