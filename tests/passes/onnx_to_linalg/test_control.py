"""Control flow on numbers: what the official cases leave out. Models are in ONNX's text form."""

from __future__ import annotations

import intaglio
import numpy as np
import onnx.parser
import pytest

HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'


def run(text: str, **feeds: object) -> list[np.ndarray]:
    return session(text).run(None, feeds)


def session(text: str) -> intaglio.Session:
    return intaglio.compile(onnx.parser.parse_model(HEAD + text)).session()


def f32(*values: object) -> np.ndarray:
    return np.array(values, np.float32)


def i64(*values: object) -> np.ndarray:
    return np.array(values, np.int64)


IF_OF_SIZES = """
g (bool c, float[N] x) => (float[M] y, float[M] z) {
    y = If (c) <then_branch = a () => (float[P] p) { p = Concat <axis = 0> (x, x) },
                else_branch = b () => (float[Q] q) { q = Neg (x) }>
    z = Add (y, y)
}"""


@pytest.mark.parametrize("n", [3, 1, 0])
@pytest.mark.parametrize("c", [True, False])
def test_if_gives_another_size_in_each_branch(c: bool, n: int) -> None:
    x = np.arange(n, dtype=np.float32)
    y, z = run(IF_OF_SIZES, c=np.array(c), x=x)
    expected = np.concatenate([x, x]) if c else -x
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(z, 2 * expected)


def test_if_in_if_reads_what_stands_around() -> None:
    s = session("""
        g (bool c, bool d, float[2] x) => (float[2] y) {
            w = Add (x, x)
            y = If (c) <then_branch = a () => (float[2] p) {
                p = If (d) <then_branch = aa () => (float[2] pp) { pp = Mul (w, x) },
                            else_branch = ab () => (float[2] pq) { pq = Identity (w) }>
            }, else_branch = b () => (float[2] q) { q = Sub (x, w) }>
        }""")
    x = f32(3, 5)
    for c, d, expected in ((True, True, 2 * x * x), (True, False, 2 * x), (False, True, -x)):
        (y,) = s.run(None, {"c": np.array(c), "d": np.array(d), "x": x})
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("c", [True, False])
def test_if_passes_an_input_or_a_weight_through(c: bool) -> None:
    x = f32(3, 5)
    (y,) = run(
        """g (bool c, float[2] x) => (float[2] y) <float[2] w = {7, 8}> {
            y = If (c) <then_branch = a () => (float[2] p) { p = Identity (x) }, else_branch = b () => (float[2] q) { q = Identity (w) }>
        }""",
        c=np.array(c),
        x=x,
    )
    np.testing.assert_array_equal(y, x if c else f32(7, 8))


def test_if_known_at_compile_time_leaves_the_size_of_its_branch() -> None:
    (y,) = run(
        """g (float[N] x) => (float[M] y) <bool c = {1}> {
            y = If (c) <then_branch = a () => (float[P] p) { p = Concat <axis = 0> (x, x) },
                else_branch = b () => (float[Q] q) { q = Neg (x) }>
        }""",
        x=f32(1, 2),
    )
    np.testing.assert_array_equal(y, [1, 2, 1, 2])


@pytest.mark.parametrize("trips", [0, 1, 5])
def test_loop_swaps_what_it_carries(trips: int) -> None:
    a, b = run(
        """g (int64 m, float[N] a, float[N] b) => (float[N] p, float[N] q) <bool t = {1}> {
            p, q = Loop (m, t, a, b) <body = l (int64 i, bool c, float[N] x, float[N] y) => (bool d, float[N] u, float[N] v) {
                d = Identity (c) u = Identity (y) v = Identity (x) }>
        }""",
        m=np.array(trips),
        a=f32(1, 2),
        b=f32(3, 4),
    )
    expected = (f32(3, 4), f32(1, 2)) if trips % 2 else (f32(1, 2), f32(3, 4))
    np.testing.assert_array_equal((a, b), expected)


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_loop_grows_what_it_carries(trips: int) -> None:
    (y,) = run(
        """g (int64 m, float[N] x) => (float[P] y) <bool t = {1}> {
            y = Loop (m, t, x) <body = l (int64 i, bool c, float[A] a) => (bool d, float[B] b) {
                d = Identity (c) f = Cast <to = 1> (i) ax = Constant <value_ints = [0]> ()
                    g = Unsqueeze (f, ax) b = Concat <axis = 0> (a, g) }>
        }""",
        m=np.array(trips),
        x=f32(9, 9),
    )
    np.testing.assert_array_equal(y, [9, 9, *range(trips)])


STOPPED = """
g (int64 m, bool t, float[N] x, float limit) => (float[N] y, float[K, N] all, float total) {
    zero = Constant <value_float = 0.0> ()
    y, total, all = Loop (m, t, x, zero) <body = l (int64 i, bool c, float[N] a, float s) => (bool d, float[N] b, float u, float[N] o) {
        b = Add (a, a) r = ReduceSum <keepdims = 0> (b) u = Identity (r) d = Less (u, limit) o = Identity (a) }>
}"""


@pytest.mark.parametrize(
    ("m", "start", "limit", "trips"), [(10, True, 50, 5), (3, True, 1e9, 3), (2**63 - 1, True, 1e5, 16), (5, False, 9, 0)]
)
def test_loop_stops_by_its_condition(m: int, start: bool, limit: float, trips: int) -> None:
    x = f32(1, 2)
    y, every, total = run(STOPPED, m=np.array(m), t=np.array(start), x=x, limit=np.array(limit, np.float32))
    np.testing.assert_array_equal(y, x * 2**trips)
    np.testing.assert_array_equal(every, np.array([x * 2**k for k in range(trips)], np.float32).reshape(trips, 2))
    assert total == (y.sum() if trips else 0)


def test_loop_without_a_bound_ends_by_its_own_condition() -> None:
    (y,) = run("""
        g () => (int64 y) <int64 z = {0}, int64 top = {40}, int64 one = {3}> {
            y = Loop ("", "", z) <body = l (int64 i, bool c, int64 a) => (bool d, int64 b) { b = Add (a, one) d = Less (b, top) }>
        }""")
    assert y == 42


@pytest.mark.parametrize("trips", [0, 3])
def test_loop_collects_parts_whose_size_it_only_learns_inside(trips: int) -> None:
    (y,) = run(
        """g (int64 m, float[N] x, bool[N] keep) => (float[K, P] y) <bool t = {1}> {
            y = Loop (m, t) <body = l (int64 i, bool c) => (bool d, float[Q] o) {
                d = Identity (c)
                n = Cast <to = 7> (keep) count = ReduceSum <keepdims = 1> (n)
                z = Constant <value_ints = [0]> () s = Slice (x, z, count) f = Cast <to = 1> (i) o = Add (s, f) }>
        }""",
        m=np.array(trips),
        x=f32(1, 2, 3),
        keep=np.array([True, False, True]),
    )
    if trips:
        np.testing.assert_array_equal(y, [[1, 2], [2, 3], [3, 4]])
    else:
        assert y.shape[0] == 0


def test_nested_loops_read_the_outer_iteration() -> None:
    (y,) = run(
        """g (int64 n, int64 m) => (int64[P, Q] y) <bool t = {1}> {
            y = Loop (n, t) <body = outer (int64 i, bool c) => (bool d, int64[R] row) {
                d = Identity (c)
                row = Loop (m, t) <body = inner (int64 j, bool e) => (bool f, int64 o) {
                    f = Identity (e) ten = Constant <value_int = 10> () ij = Mul (i, ten) o = Add (ij, j) }>
            }>
        }""",
        n=np.array(3),
        m=np.array(2),
    )
    np.testing.assert_array_equal(y, [[0, 1], [10, 11], [20, 21]])


def test_a_loop_runs_as_often_as_the_iteration_around_it_says() -> None:
    (y,) = run(
        """g (int64 n, int64 start) => (int64 y) <bool t = {1}> {
            y = Loop (n, t, start) <body = outer (int64 i, bool c, int64 a) => (bool d, int64 b) {
                d = Identity (c)
                b = Loop (i, t, a) <body = inner (int64 j, bool e, int64 p) => (bool f, int64 q) {
                    f = Identity (e) one = Constant <value_int = 1> () q = Add (p, one) }>
            }>
        }""",
        n=np.array(5),
        start=np.array(100),
    )
    assert y == 110


def test_loop_carries_a_branch_that_may_be_another_carried_value() -> None:
    (a, b) = run(
        """g (int64 m, float[2] a, float[2] b) => (float[2] p, float[2] q) <bool t = {1}, int64 one = {1}> {
            p, q = Loop (m, t, a, b) <body = l (int64 i, bool c, float[2] x, float[2] y) => (bool d, float[2] u, float[2] v) {
                d = Identity (c) first = Less (i, one)
                u = If (first) <then_branch = a () => (float[2] r) { r = Identity (y) },
                    else_branch = b () => (float[2] s) { s = Identity (x) }>
                v = If (first) <then_branch = c () => (float[2] r2) { r2 = Identity (x) },
                    else_branch = d () => (float[2] s2) { s2 = Add (x, y) }>
            }>
        }""",
        m=np.array(2),
        a=f32(1, 2),
        b=f32(3, 4),
    )
    np.testing.assert_array_equal((a, b), (f32(3, 4), f32(4, 6)))


def test_loop_uses_its_iteration_as_a_size() -> None:
    (y,) = run(
        """g (int64 m) => (float[K] y) <bool t = {1}, float[0] none = {}> {
            y = Loop (m, t, none) <body = l (int64 i, bool c, float[A] a) => (bool d, float[B] b) {
                d = Identity (c) ax = Constant <value_ints = [0]> () s = Unsqueeze (i, ax) z = ConstantOfShape (s) f = Cast <to = 1> (i)
                g = Add (z, f) b = Concat <axis = 0> (a, g) }>
        }""",
        m=np.array(4),
    )
    np.testing.assert_array_equal(y, [1, 2, 2, 3, 3, 3])


@pytest.mark.parametrize("n", [4, 1, 0])
def test_scan_goes_both_ways_along_any_axis(n: int) -> None:
    x = np.arange(2 * n * 3, dtype=np.float32).reshape(2, n, 3)
    w = np.arange(n, dtype=np.float32)
    total, last, parts = run(
        """g (float[2, N, 3] x, float[N] w) => (float[2, 3] total, float last, float[2, 3, N] parts) {
            zero = Constant <value = float[2, 3] {0, 0, 0, 0, 0, 0}> () none = Constant <value_float = -1.0> ()
            total, last, parts = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0], scan_input_directions = [1, 0],
                scan_output_axes = [-1], scan_output_directions = [1],
                body = b (float[2, 3] s, float p, float[2, 3] a, float v) => (float[2, 3] t, float q, float[2, 3] o) {
                    av = Mul (a, v) t = Add (s, av) q = Identity (v) o = Identity (t) }> (zero, none, x, w)
        }""",
        x=x,
        w=w,
    )
    state, expected = np.zeros((2, 3), np.float32), np.zeros((2, 3, n), np.float32)
    for k in range(n):
        state = state + x[:, n - 1 - k] * w[k]
        expected[..., n - 1 - k] = state
    np.testing.assert_array_equal(total, state)
    np.testing.assert_array_equal(parts, expected)
    assert last == (w[-1] if n else -1)


def test_a_loop_of_dynamic_size_can_run_again_at_another() -> None:
    s = session(STOPPED)
    for n in (2, 5, 1):
        x = np.ones(n, np.float32)
        y, every, _ = s.run(None, {"m": np.array(3), "t": np.array(True), "x": x, "limit": np.array(1e9, np.float32)})
        np.testing.assert_array_equal(y, x * 8)
        assert every.shape == (3, n)


@pytest.mark.parametrize("limit", [0, 2, 9])
def test_scan_outputs_of_a_loop_that_stops_have_its_length_each(limit: int) -> None:
    text = """g (int64 m, int64 limit, float[N] x) => (float[N] y, float[K, N] every, int64[K] counts) <bool t = {1}> {
        y, every, counts = Loop (m, t, x) <body = l (int64 i, bool c, float[N] v) => (bool d, float[N] w, float[N] o, int64 n) {
            d = Less (i, limit) w = Add (v, v) o = Neg (v) n = Identity (i) }>
    }"""
    y, every, counts = run(text, m=np.array(4), limit=np.array(limit), x=f32(1, 3))
    rounds = min(4, limit + 1)
    np.testing.assert_array_equal(y, f32(1, 3) * 2**rounds)
    np.testing.assert_array_equal(every, [-f32(1, 3) * 2**k for k in range(rounds)])
    np.testing.assert_array_equal(counts, np.arange(rounds))


def test_parts_of_a_scan_output_must_agree() -> None:
    text = """g (int64 m) => (float[K, P] y) <bool t = {1}> {
        y = Loop (m, t) <body = l (int64 i, bool c) => (bool d, float[Q] o) {
            d = Identity (c) ax = Constant <value_ints = [0]> () s = Unsqueeze (i, ax) o = ConstantOfShape (s) }>
    }"""
    with pytest.raises(intaglio.IntaglioError, match="ITG5040"):
        run(text, m=np.array(3))


def test_values_of_every_size_of_element_are_carried() -> None:
    for kind, dtype in (("double", np.float64), ("float16", np.float16), ("uint8", np.uint8), ("bool", np.bool_), ("int32", np.int32)):
        x = np.array([1, 0, 1], dtype)
        p, every = run(
            f"""g (int64 m, {kind}[3] x, {kind}[3] z) => ({kind}[3] p, {kind}[K, 3] every) <bool t = {{1}}> {{
                p, r, every = Loop (m, t, x, z) <body = l (int64 i, bool c, {kind}[3] a, {kind}[3] b)
                        => (bool d, {kind}[3] u, {kind}[3] v, {kind}[3] o) {{
                    d = Identity (c) u = Identity (b) v = Identity (a) o = Identity (a) }}>
            }}""",
            m=np.array(3),
            x=x,
            z=np.zeros(3, dtype),
        )
        np.testing.assert_array_equal(p, np.zeros(3, dtype))
        np.testing.assert_array_equal(every, np.array([x, 0 * x, x], dtype))


def test_a_branch_not_taken_may_have_sizes_that_make_no_sense() -> None:
    s = session("""
        g (bool c, float[1, 1, N] x, float[1, 1, 5] w) => (float[1, 1, K] y) {
            y = If (c) <then_branch = a () => (float[1, 1, P] p) { p = Conv (x, w) },
                        else_branch = b () => (float[1, 1, Q] q) { q = Neg (x) }>
        }""")
    w = np.ones((1, 1, 5), np.float32)
    for n, c in ((7, True), (7, False), (2, False)):
        x = np.ones((1, 1, n), np.float32)
        (y,) = s.run(None, {"c": np.array(c), "x": x, "w": w})
        np.testing.assert_allclose(y, np.full((1, 1, n - 4), 5) if c else -x)
    with pytest.raises(intaglio.IntaglioError):
        s.run(None, {"c": np.array(True), "x": np.ones((1, 1, 2), np.float32), "w": w})
