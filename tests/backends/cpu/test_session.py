"""Sessions: ONNX Runtime's habits, and what they refuse."""

from __future__ import annotations

import ctypes
import threading

import ml_dtypes
import numpy as np
import pytest
from intaglio.backends.abi import TENSOR
from intaglio.backends.session import Session
from intaglio.errors import IntaglioError


@pytest.fixture
def session(compile_program, add_program) -> Session:
    return compile_program(add_program).session()


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_it_describes_inputs_and_outputs(session):
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [("x", "tensor(float)", ["N"]), ("y", "tensor(float)", ["N"])]
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [("z", "tensor(float)", ["N"])]


def test_outputs_are_chosen_by_name_and_are_fresh(session):
    feeds = {"x": floats(1), "y": floats(2)}
    first = session.run(["z"], feeds)[0]
    assert session.run([], feeds) == []
    both = session.run(["z", "z"], feeds)
    session.run(None, {"x": floats(5), "y": floats(5)})
    assert first == 3 and [float(z[0]) for z in both] == [3, 3]
    first[0] = 0  # writable


@pytest.mark.parametrize(
    ("feeds", "code", "words"),
    [
        ({"x": floats(1)}, "ITG5510", '"y"'),
        ({"x": floats(1), "y": floats(1), "w": floats(1)}, "ITG5509", '"w"'),
        ({"x": floats(1), "y": floats(1).astype(np.float64)}, "ITG5503", "float64[1] is given, the model takes float32[N]"),
        ({"x": floats(1), "y": floats(1).reshape(1, 1)}, "ITG5504", '"y"'),
        ({"x": floats(1), "y": np.float32(1)}, "ITG5504", '"y"'),
        ({"x": floats(1), "y": floats(1, 2)}, "ITG5506", 'it is 1 in input "x"'),
        ({"x": floats(1), "y": ["a"]}, "ITG5503", '"y"'),
        ({"x": floats(1), "y": np.array([object()])}, "ITG5503", '"y"'),
        ({"x": floats(1), "y": None}, "ITG550", '"y"'),
        ({"x": floats(1), "y": [[1], [2, 3]]}, "ITG5503", '"y"'),
        ({"x": floats(1), 5: floats(1)}, "ITG5509", '"5"'),
    ],
)
def test_feeds_that_do_not_fit_are_named(session, feeds, code, words):
    with pytest.raises(IntaglioError) as caught:
        session.run(None, feeds)
    assert caught.value.code.startswith(code) and words in str(caught.value)
    assert session.run(None, {"x": floats(1), "y": floats(1)})[0] == 2


def test_unknown_outputs_are_named(session):
    with pytest.raises(IntaglioError, match='ITG5511 output "q"'):
        session.run(["q"], {"x": floats(1), "y": floats(1)})


def test_feeds_of_any_layout_are_taken(session):
    x = np.arange(12, dtype=np.float32)
    swapped = x[::2].astype(">f4")
    unaligned = np.zeros(25, np.uint8)[1:].view(np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x[::2], "y": swapped})[0], x[::2] * 2)
    np.testing.assert_array_equal(session.run(None, {"x": x[::-1][:6], "y": unaligned})[0], x[::-1][:6])
    np.testing.assert_array_equal(session.run(None, {"x": [1, 2], "y": (3.0, 4)})[0], [4, 6])
    readonly = floats(1, 2)
    readonly.flags.writeable = False
    np.testing.assert_array_equal(session.run(None, {"x": readonly, "y": readonly})[0], [2, 4])


def test_no_elements_are_fine(session):
    assert session.run(None, {"x": floats(), "y": floats()})[0].shape == (0,)


@pytest.mark.parametrize(
    ("number", "dtype"),
    [(9, np.bool_), (16, ml_dtypes.bfloat16), (22, ml_dtypes.int4), (17, ml_dtypes.float8_e4m3fn), (14, np.complex64)],
)
def test_every_type_has_one_element_after_the_other(compile_program, number, dtype):
    port = f'{{name = "x", element = {number} : i64, dims = ["N"]}}'
    source = f"""
    func.func @main(%x: !hal.buffer, %n: index) -> (!hal.buffer, index)
        attributes {{"hal.inputs" = [{port}], "hal.outputs" = [{port}]}} {{
      func.return %x, %n : !hal.buffer, index
    }}"""
    x = np.array([0, 1, 1]).astype(dtype)
    (y,) = compile_program(source).session().run(None, {"x": x})
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y.astype(np.complex64), x.astype(np.complex64))


def test_inputs_with_defaults_may_be_left_out(compile_program, add_program):
    program = compile_program(add_program, defaults={"y": floats(10, 20)})
    session = program.session()
    np.testing.assert_array_equal(session.run(None, {"x": floats(1, 2)})[0], [11, 22])
    np.testing.assert_array_equal(session.run(None, {"x": floats(1), "y": floats(1)})[0], [2])
    np.testing.assert_array_equal(session.run(None, {"x": floats(1, 2)})[0], [11, 22])
    np.testing.assert_array_equal(session.run(None, {"x": floats(1), "y": floats(3)})[0], [4])
    with pytest.raises(IntaglioError, match="ITG5506"):
        session.run(None, {"x": floats(1)})
    with pytest.raises(IntaglioError, match="ITG5510"):
        session.run(None, {"y": floats(1)})


@pytest.mark.parametrize("defaults", [{"q": floats(1)}, {"y": np.zeros(2)}, {"y": np.zeros((1, 2), np.float32)}])
def test_defaults_that_do_not_fit_are_refused(compile_program, add_program, defaults):
    with pytest.raises(IntaglioError, match="ITG7003"):
        compile_program(add_program, defaults=defaults)


def test_threads_share_a_session(session):
    x = np.arange(20_000, dtype=np.float32)
    wrong = []

    def work(k: int) -> None:
        for _ in range(30):
            (z,) = session.run(None, {"x": x, "y": x * k})
            if not np.array_equal(z, x * (k + 1)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_closed_session_says_so(session):
    with session:
        pass
    session.close()
    with pytest.raises(IntaglioError, match="ITG5501"):
        session.run(None, {"x": floats(1), "y": floats(1)})


def test_the_c_api_checks_for_itself(compile_program, add_program):
    """What the session would have caught, given straight to `run`."""
    session = compile_program(add_program).session()
    tensor = TENSOR.ctypes()
    data, one, minus, huge = ctypes.c_float(1), ctypes.c_int64(1), ctypes.c_int64(-1), ctypes.c_int64(2**62)
    outputs = (tensor * 1)()

    def run(y, count: int = 2) -> str:
        good = tensor(data=ctypes.addressof(data), type=1, rank=1, dims=ctypes.addressof(one))
        inputs = (tensor * 2)(good, y)
        status = session._module.run(session._instance, inputs, count, outputs, 1)
        text = ctypes.string_at(session._module.last_error(session._instance)).decode()
        assert text.startswith(f"ITG{status:04d} ") if status else text == ""
        return text

    at = ctypes.addressof
    assert "ITG5502" in run(tensor(), count=1)
    assert "ITG5503" in run(tensor(data=at(data), type=11, rank=1, dims=at(one)))
    assert "ITG5504" in run(tensor(data=at(data), type=1, rank=2, dims=at(one)))
    assert "ITG5504" in run(tensor(data=at(data), type=1, rank=1, dims=None))
    assert "ITG5505" in run(tensor(data=at(data), type=1, rank=1, dims=at(minus)))
    assert "ITG5506" in run(tensor(data=at(data), type=1, rank=1, dims=at(huge)))
    assert "ITG5507" in run(tensor(data=None, type=1, rank=1, dims=at(one)))
    assert run(tensor(data=at(data), type=1, rank=1, dims=at(one))) == ""
    assert session._module.run(None, None, 0, None, 0) == 5501
    assert "ITG5010" in ctypes.string_at(session._module.last_error(None)).decode()


def test_sizes_that_overflow_are_refused(compile_program):
    port = '{name = "x", element = 1 : i64, dims = ["N", "M", "K"]}'
    source = f"""
    func.func @main(%x: !hal.buffer, %n: index, %m: index, %k: index) -> ()
        attributes {{"hal.inputs" = [{port}], "hal.outputs" = []}} {{
      func.return
    }}"""
    session = compile_program(source).session()
    data, dims = ctypes.c_float(), (ctypes.c_int64 * 3)(2**40, 0, 2**40)
    tensor = TENSOR.ctypes()(data=ctypes.addressof(data), type=1, rank=3, dims=ctypes.addressof(dims))
    assert session._module.run(session._instance, ctypes.addressof(tensor), 1, None, 0) == 5508
    assert session.run(None, {"x": np.zeros((3, 0, 5), np.float32)}) == []
