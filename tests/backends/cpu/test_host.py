"""What the operations of the hal dialect do on the CPU."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from intaglio.errors import IntaglioError


def attributes(inputs: str, outputs: str) -> str:
    return f'attributes {{"hal.inputs" = [{inputs}], "hal.outputs" = [{outputs}]}}'


X = '{name = "x", element = 1 : i64, dims = ["N"]}'
Y = '{name = "y", element = 1 : i64, dims = ["N"]}'
IN_OUT = f"(%x: !hal.buffer, %n: index) -> (!hal.buffer, index) {attributes(X, Y)}"


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def main(body: str, signature: str = IN_OUT) -> str:
    return f"""
    func.func @main{signature} {{
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      {body}
    }}"""


def test_weights_are_read_where_they_lie(compile_program, add_kernel):
    source = add_kernel + main("""
      %bytes = arith.muli %n, %four : index
      %w = hal.weight "w"
      %v = hal.weight "v"
      %t = hal.allocate %bytes
      hal.dispatch @add workgroups(%n) buffers(%x, %w, %t) constants(%n)
      %y = hal.allocate %bytes
      hal.dispatch @add workgroups(%n) buffers(%t, %v, %y) constants(%n)
      func.return %y, %n : !hal.buffer, index
    """)
    odd = np.arange(12, dtype=np.float32).reshape(3, 4).T  # not contiguous
    weights = {"w": floats(1, 2, 3), "v": odd, "unused": floats(9)}
    program = compile_program(source, weights)
    assert program.layout.bytes < 64 + 64, "what is not used is not kept"
    (y,) = program.session().run(None, {"x": floats(10, 20, 30)})
    np.testing.assert_array_equal(y, floats(10, 20, 30) + floats(1, 2, 3) + odd.reshape(-1)[:3])


def test_a_weight_that_is_missing_is_named(compile_program):
    with pytest.raises(IntaglioError, match=r"ITG4001 .*w0"):
        compile_program(main('%w = hal.weight "w0"\n func.return %w, %n : !hal.buffer, index'))


def test_slices_and_copies(compile_program):
    source = main("""
      %bytes = arith.muli %n, %four : index
      %twice = arith.addi %bytes, %bytes : index
      %y = hal.allocate %twice
      %high = hal.slice %y[%bytes]
      hal.copy %x, %y, %bytes
      %rest = arith.subi %bytes, %four : index
      %second = hal.slice %x[%four]
      hal.copy %second, %high, %rest
      hal.copy %x, %high, %zero
      func.return %high, %n : !hal.buffer, index
    """)
    (y,) = compile_program(source).session().run(None, {"x": floats(1, 2, 3)})
    np.testing.assert_array_equal(y[:2], floats(2, 3))


def test_the_arena_grows_and_lasts(compile_program, add_program):
    session = compile_program(add_program).session()
    for n in (3, 1000, 10, 100_000, 0, 1):
        x = np.arange(n, dtype=np.float32)
        np.testing.assert_array_equal(session.run(None, {"x": x, "y": x})[0], x + x)


def test_a_second_arena_leaves_the_first_alone(compile_program):
    source = main("""
      %bytes = arith.muli %n, %four : index
      %a = hal.arena %bytes
      hal.copy %x, %a, %bytes
      %large = arith.constant 1000000 : index
      %b = hal.arena %large
      %v = arith.constant 7.0 : f32
      hal.write %b[%zero], %v : f32
      func.return %a, %n : !hal.buffer, index
    """)
    session = compile_program(source).session()
    np.testing.assert_array_equal(session.run(None, {"x": floats(1, 2)})[0], floats(1, 2))


@pytest.mark.parametrize("op", ["arena", "allocate"])
@pytest.mark.parametrize("bytes", [-1, -(2**62), 2**62, 2**47])
def test_memory_that_cannot_be_is_an_error_and_the_session_goes_on(compile_program, op, bytes):
    source = main(f"""
      %absurd = arith.constant {bytes} : index
      %two = arith.constant 2 : index
      %bad = arith.cmpi slt, %n, %two : index
      scf.if %bad {{
        %b = hal.{op} %absurd
      }}
      func.return %x, %n : !hal.buffer, index
    """)
    session = compile_program(source).session()
    for _ in range(3):
        with pytest.raises(IntaglioError, match=rf"ITG5010 .*{bytes} bytes"):
            session.run(None, {"x": floats(1)})
        np.testing.assert_array_equal(session.run(None, {"x": floats(1, 2)})[0], floats(1, 2))


@pytest.mark.parametrize(
    ("t", "number", "value"),
    [
        ("f32", 1, np.float32(1.5)),
        ("i8", 3, np.int8(-3)),
        ("i16", 5, np.int16(-300)),
        ("i32", 6, np.int32(-70000)),
        ("i64", 7, np.int64(-(2**40))),
        ("index", 7, np.int64(2**40)),
        ("i1", 9, np.bool_(True)),
        ("i1", 9, np.bool_(False)),
        ("f16", 10, np.float16(0.1)),
        ("f64", 11, np.float64(0.1)),
        ("bf16", 16, ml_dtypes.bfloat16(3.0)),
    ],
)
def test_scalars_are_read_and_written(compile_program, t, number, value):
    port = '{{name = "{}", element = {} : i64, dims = [{}]}}'
    signature = (
        f"(%x: !hal.buffer, %n: index) -> (!hal.buffer) {attributes(port.format('x', number, '2 : i64'), port.format('y', number, ''))}"
    )
    source = main(
        f"""
        %s = hal.read %x[%one] : {t}
        %bytes = arith.constant 8 : index
        %y = hal.allocate %bytes
        hal.write %y[%zero], %s : {t}
        func.return %y : !hal.buffer
        """,
        signature,
    )
    (y,) = compile_program(source).session().run(None, {"x": np.array([0, value], value.dtype)})
    assert y.shape == () and y.dtype == value.dtype and y == value


def test_buffers_flow_through_control_flow(compile_program, add_kernel):
    """y = x * 2^k, k the first element of x: by a for, a while and an if that choose between buffers."""
    source = add_kernel + main("""
      %bytes = arith.muli %n, %four : index
      %a = hal.allocate %bytes
      %b = hal.allocate %bytes
      hal.copy %x, %a, %bytes
      %k = hal.read %x[%zero] : f32
      %times = arith.fptosi %k : f32 to i64
      %count = arith.index_cast %times : i64 to index
      %last, %other = scf.for %i = %zero to %count step %one iter_args(%p = %a, %q = %b) -> (!hal.buffer, !hal.buffer) {
        hal.dispatch @add workgroups(%n) buffers(%p, %p, %q) constants(%n)
        scf.yield %q, %p : !hal.buffer, !hal.buffer
      }
      %w, %j = scf.while (%p = %last, %i = %zero) : (!hal.buffer, index) -> (!hal.buffer, index) {
        %more = arith.cmpi slt, %i, %one : index
        scf.condition(%more) %p, %i : !hal.buffer, index
      } do {
      ^bb0(%p: !hal.buffer, %i: index):
        %fresh = hal.allocate %bytes
        hal.dispatch @add workgroups(%n) buffers(%p, %p, %fresh) constants(%n)
        %next = arith.addi %i, %one : index
        scf.yield %fresh, %next : !hal.buffer, index
      }
      %even = arith.cmpi eq, %count, %four : index
      %y = scf.if %even -> (!hal.buffer) {
        %fresh = hal.allocate %bytes
        hal.dispatch @add workgroups(%n) buffers(%w, %w, %fresh) constants(%n)
        scf.yield %fresh : !hal.buffer
      } else {
        scf.yield %w : !hal.buffer
      }
      func.return %y, %n : !hal.buffer, index
    """)
    session = compile_program(source).session()
    for k in (0, 1, 4, 5):
        (y,) = session.run(None, {"x": floats(k, 3)})
        np.testing.assert_array_equal(y, floats(k, 3) * 2.0 ** (k + 1 + (k == 4)))


def test_an_output_that_is_an_input_is_a_copy(compile_program):
    session = compile_program(main("func.return %x, %n : !hal.buffer, index")).session()
    x = floats(1, 2)
    (y,) = session.run(None, {"x": x})
    x[0] = 9
    np.testing.assert_array_equal(y, floats(1, 2))


def test_a_requirement_that_fails_names_node_and_code(compile_program):
    source = main("""
      %two = arith.constant 2 : index
      %ok = arith.cmpi eq, %n, %two : index
      hal.require %ok, "ITG2103", "cannot view \\22x\\22 at 100%d" loc("/enc/Reshape_4")
      func.return %x, %n : !hal.buffer, index
    """)
    session = compile_program(source).session()
    with pytest.raises(IntaglioError) as caught:
        session.run(None, {"x": floats(1)})
    assert (caught.value.code, caught.value.node) == ("ITG2103", "/enc/Reshape_4")
    assert caught.value.message == 'cannot view "x" at 100%d'
    assert len(session.run(None, {"x": floats(1, 2)})) == 1


CHECKED = """
func.func @checked(%x: memref<?xf32>, %status: memref<?xi64>, %begin: index, %end: index) attributes {"dispatch.kernel" = 1 : i64} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %limit = arith.constant 5.0 : f32
  %v = memref.load %x[%zero] : memref<?xf32>
  %bad = arith.cmpf ogt, %v, %limit : f32
  scf.if %bad {
    %code = arith.constant 5321 : i64
    %which = arith.constant 1 : i64
    %value = arith.constant -77 : i64
    memref.store %code, %status[%zero] : memref<?xi64>
    memref.store %which, %status[%one] : memref<?xi64>
    memref.store %value, %status[%two] : memref<?xi64>
  }
  func.return
}
"""


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ('["other", "{} is out of range, 100%"]', "-77 is out of range, 100%"),
        ('["other", ""]', "the values it was given are outside of what it is defined for"),
    ],
)
def test_the_status_fails_the_run_once(compile_program, messages, told):
    source = CHECKED + main(f"""
      %status = hal.status
      hal.dispatch @checked workgroups(%one) buffers(%x, %status) constants()
      hal.check {messages} loc("gather %d")
      func.return %x, %n : !hal.buffer, index
    """)
    session = compile_program(source).session()
    with pytest.raises(IntaglioError, match=rf'^ITG5321 "gather %d": {told}$'):
        session.run(None, {"x": floats(6)})
    assert session.run(None, {"x": floats(5)})[0] == 5


def test_a_requirement_tells_its_values(compile_program):
    source = main("""
      %few = arith.cmpi slt, %n, %two : index
      hal.require %few, "ITG5321", "{} is not below {}"(%n, %two) loc("node")
      func.return %x, %n : !hal.buffer, index
    """.replace("%few =", "%two = arith.constant 2 : index\n %few =", 1))
    session = compile_program(source).session()
    with pytest.raises(IntaglioError, match=r'^ITG5321 "node": 3 is not below 2$'):
        session.run(None, {"x": floats(1, 2, 3)})
    assert session.run(None, {"x": floats(5)})[0] == 5


def test_kernels_run_over_their_range_only(compile_program, add_kernel):
    source = add_kernel + main("""
      %bytes = arith.muli %n, %four : index
      %y = hal.allocate %bytes
      hal.copy %x, %y, %bytes
      hal.dispatch @add workgroups(%one) buffers(%x, %x, %y) constants(%n)
      hal.dispatch @add workgroups(%zero) buffers(%x, %x, %y) constants(%n)
      func.return %y, %n : !hal.buffer, index
    """)
    np.testing.assert_array_equal(compile_program(source).session().run(None, {"x": floats(1, 2)})[0], floats(2, 2))


def test_a_dispatch_of_no_kernel_is_an_error_of_the_compiler(compile_program):
    with pytest.raises(IntaglioError, match=r"ITG4001 .*@nothing"):
        compile_program(main("hal.dispatch @nothing workgroups(%n) buffers() constants()\n func.return %x, %n : !hal.buffer, index"))


def test_static_sizes_are_constants_of_the_program(compile_program):
    port = '{name = "x", element = 1 : i64, dims = [2 : i64, 3 : i64]}'
    out = '{name = "y", element = 7 : i64, dims = [2 : i64]}'
    signature = f"(%x: !hal.buffer, %n: index, %m: index) -> (!hal.buffer, index) {attributes(port, out)}"
    source = main(
        """
        %sixteen = arith.constant 16 : index
        %y = hal.allocate %sixteen
        hal.write %y[%zero], %n : index
        hal.write %y[%one], %m : index
        %two = arith.constant 2 : index
        func.return %y, %two : !hal.buffer, index
        """,
        signature,
    )
    session = compile_program(source).session()
    np.testing.assert_array_equal(session.run(None, {"x": np.zeros((2, 3), np.float32)})[0], [2, 3])
    with pytest.raises(IntaglioError, match=r'ITG5505 input "x": float32\[2, 4\] is given, the model takes float32\[2, 3\]'):
        session.run(None, {"x": np.zeros((2, 4), np.float32)})


def test_strings_need_a_pool(compile_program):
    port = '{name = "s", element = 8 : i64, dims = []}'
    with pytest.raises(IntaglioError, match=r"ITG3020 .*string"):
        compile_program(main("func.return", f"(%s: !hal.buffer) -> () {attributes(port, '')}"))
