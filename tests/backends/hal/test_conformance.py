"""One suite for every device: what the struct of function pointers promises. Devices that compute are held to values as well."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from intaglio.backends.abi import BINDING, DEVICE, IMAGE, MODULE, MODULE_SYMBOL, Function
from intaglio.backends.null import NullDevice

ABSURD = [-1, -(2**63), 2**62]


@dataclass
class Subject:
    """A device under test; `owner` keeps it alive."""

    name: str
    struct: Any
    image: int
    computes: bool
    owner: Any

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.struct, name)
        return lambda *arguments: function(ctypes.addressof(self.struct), *arguments)

    def take(self, size: int) -> int:
        place = ctypes.c_void_p()
        assert self.allocate(size, ctypes.addressof(place)) == 0
        assert place.value
        return place.value

    def put(self, array: np.ndarray) -> int:
        buffer = self.take(array.nbytes)
        assert self.upload(buffer, 0, array.ctypes.data, array.nbytes) == 0
        return buffer

    def get(self, buffer: int, offset: int, like: np.ndarray) -> np.ndarray:
        result = np.full_like(like, 77)
        assert self.download(buffer, offset, result.ctypes.data, result.nbytes) == 0
        return result

    def holds(self, buffer: int, offset: int, expected: np.ndarray) -> None:
        found = self.get(buffer, offset, expected)
        np.testing.assert_array_equal(found, expected if self.computes else np.zeros_like(expected))


@pytest.fixture
def module(compile_program, add_program):
    """A compiled module's table, for its device and its image."""
    program = compile_program(add_program)
    library = program.machine.load([program.object])
    table = MODULE.ctypes().from_address(library.address(MODULE_SYMBOL))
    table.library = library
    return table


@pytest.fixture(params=["cpu", "null"])
def device(request, module):
    if request.param == "cpu":
        yield Subject("cpu", DEVICE.ctypes().from_address(module.device), module.image, True, module)
        return
    null = NullDevice()
    yield Subject("null", null.struct, module.image, False, (null, module))
    assert null.faults == []
    assert null.held == {}, "every test gives back what it took"


def test_it_says_what_it_is(device):
    assert device.struct.size >= ctypes.sizeof(DEVICE.ctypes())
    assert device.struct.name.decode() == device.name


@pytest.mark.parametrize("size", [0, 1, 63, 64, 100_000])
def test_memory_is_aligned_and_apart(device, size):
    buffers = [device.take(size) for _ in range(4)]
    assert len(set(buffers)) == 4
    host = [device.map(buffer, 0) for buffer in buffers]
    assert all(address is None or address % 64 == 0 for address in host)
    for buffer in buffers:
        device.free(buffer)


@pytest.mark.parametrize("size", ABSURD)
def test_absurd_sizes_fail_with_a_text(device, size):
    place = ctypes.c_void_p()
    assert device.allocate(size, ctypes.addressof(place)) != 0
    assert ctypes.string_at(device.last_error())


def test_free_takes_null(device):
    device.free(None)


def test_upload_and_download_at_offsets(device):
    data = np.arange(16, dtype=np.int32)
    buffer = device.put(data)
    device.holds(buffer, 0, data)
    device.holds(buffer, 12, data[3:7])
    assert device.upload(buffer, 4, data[:2].ctypes.data, 8) == 0
    device.holds(buffer, 0, np.array([0, 0, 1, 3], np.int32))
    device.free(buffer)


def test_copy_between_offsets(device):
    data = np.arange(16, dtype=np.int32)
    source, target = device.put(data), device.put(np.zeros(16, np.int32))
    assert device.copy(source, 8, target, 20, 12) == 0
    device.holds(target, 0, np.array([0, 0, 0, 0, 0, 2, 3, 4, *[0] * 8], np.int32))
    assert device.copy(source, 0, target, 0, 0) == 0
    device.free(source)
    device.free(target)


def test_fill_sets_bytes(device):
    buffer = device.put(np.ones(16, np.uint8))
    assert device.fill(buffer, 3, 0x1FF, 5) == 0
    device.holds(buffer, 0, np.array([1, 1, 1, *[255] * 5, *[1] * 8], np.uint8))
    device.free(buffer)


def test_wrapped_memory_is_the_hosts(device):
    data = np.arange(4, dtype=np.int32)
    buffer = device.wrap(data.ctypes.data, data.nbytes)
    if buffer is None:
        return  # it says that it cannot: programs upload then
    data[1] = 9
    device.holds(buffer, 0, data)


def test_mapped_memory_is_the_buffers(device):
    data = np.arange(4, dtype=np.int32)
    buffer = device.put(data)
    address = device.map(buffer, 4)
    if address is not None:
        assert list((ctypes.c_int32 * 3).from_address(address)) == [1, 2, 3]
    device.free(buffer)


@pytest.fixture
def executable(device):
    place = ctypes.c_void_p()
    assert device.load_executable(device.image, ctypes.addressof(place)) == 0
    yield place
    device.unload_executable(place)


def _add(device, executable, buffers, offsets, n) -> int:
    bindings = (BINDING.ctypes() * 3)(*zip(buffers, offsets, strict=True))
    constants = (ctypes.c_int64 * 1)(n)
    return device.dispatch(executable, 0, n, 0, ctypes.addressof(bindings), 3, ctypes.addressof(constants), 1)


def test_dispatches_take_effect_in_order(device, executable):
    x = np.array([1, 2, 3, 4], np.float32)
    a, b = device.put(x), device.put(np.zeros(4, np.float32))
    assert _add(device, executable, (a, a, b), (0, 0, 0), 4) == 0
    assert _add(device, executable, (b, a, b), (0, 0, 0), 4) == 0
    device.holds(b, 0, x * 3)
    assert _add(device, executable, (a, a, b), (4, 8, 0), 2) == 0
    assert device.synchronise() == 0
    device.holds(b, 0, np.array([5, 7, 9, 12], np.float32))
    device.free(a)
    device.free(b)


def test_unload_takes_null(device):
    device.unload_executable(None)


def test_an_image_for_another_device_is_refused(device):
    if not device.computes:
        pytest.skip("it loads whatever it is given")
    image = IMAGE.ctypes()(format=b"vendor-1")
    place = ctypes.c_void_p()
    assert device.load_executable(ctypes.addressof(image), ctypes.addressof(place)) != 0
    assert ctypes.string_at(device.last_error())


def test_a_session_runs_on_it(device, compile_program, add_program):
    program = compile_program(add_program)
    null = device.owner[0] if device.name == "null" else None
    session = program.session(device=null)
    x = np.arange(5, dtype=np.float32)
    for _ in range(2):
        (z,) = session.run(None, {"x": x, "y": x})
        np.testing.assert_array_equal(z, x + x if device.computes else 0 * x)
    session.close()


def test_every_function_of_the_table_is_there(device):
    for member in DEVICE.members:
        if isinstance(member, Function):
            assert ctypes.cast(getattr(device.struct, member.name), ctypes.c_void_p).value, member.name
