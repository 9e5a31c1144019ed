"""Several threads: results that do not depend on how many, errors, sessions side by side, forks, a program's own pool."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import intaglio
import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

THREADS = (1, 2, 3, 7)

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


def model(text: str, **weights: np.ndarray) -> onnx.ModelProto:
    """A model from ONNX's text, its weights added."""
    parsed = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> {text}')
    parsed.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return parsed


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


MATMUL = model("m (float[B, M, K] a, float[B, K, N] b) => (float[B, M, N] y) { c = MatMul(a, b) y = Relu(c) }")
PACKED = model("m (float[M, 300] a) => (float[M, 210] y) { c = MatMul(a, w) y = Add(c, bias) }", w=normal(300, 210), bias=normal(210))
EXP = model("m (float[A, B] x) => (float[A, B] y) { e = Exp(x) t = Tanh(e) y = Mul(t, x) }")
TURN = model("m (float[A, B, C] x) => (float[C, B, A] y) { t = Transpose<perm = [2, 1, 0]>(x) y = Neg(t) }")
SOFTMAX = model("m (float[A, B, C] x) => (float[A, B, C] y) { y = Softmax<axis = -1>(x) }")
LAYERNORM = model("m (float[A, 96] x) => (float[A, 96] y) { y = LayerNormalization<axis = -1>(x, g) }", g=normal(96))
COLUMNS = model("m (float[A, B] x, int64[1] axes) => (float[B] y) { y = ReduceSum<keepdims = 0>(x, z) }", z=np.array([0]))
CONV = "m (float[{}] x) => (float[N, O, P, Q] y) {{ c = Conv<pads = [1, 1, 1, 1], strides = [{}, {}]>(x, w) y = Relu(c) }}"
RECURRENT = "m (float[S, N, 24] x) => (float[S, 1, N, 64] y) {{ y = {}<hidden_size = 64>(x, w, r) }}"
POOL = "m (float[N, 64, 60, 60] x) => (float[N, 64, P, Q] y) { y = MaxPool<kernel_shape = [3, 3]>(x) }"

CASES: dict[str, tuple[onnx.ModelProto, list[dict[str, np.ndarray]]]] = {
    "matmul": (
        MATMUL,
        [{"a": normal(b, m, k), "b": normal(b, k, n)} for b, m, k, n in [(1, 1, 2048, 700), (3, 129, 64, 65), (2, 0, 5, 6)]],
    ),
    "packed": (PACKED, [{"a": normal(m, 300)} for m in (1, 3, 500, 0)]),
    "elementwise": (EXP, [{"x": normal(a, b)} for a, b in [(1, 100_003), (3, 50_001), (2001, 37), (0, 5)]]),
    "transpose": (TURN, [{"x": normal(*s)} for s in [(40, 50, 60), (1, 300, 301), (70_001, 1, 2)]]),
    "softmax": (SOFTMAX, [{"x": normal(*s)} for s in [(4, 100, 197), (1, 1, 5000), (70, 3, 257), (3, 0, 4)]]),
    "layernorm": (LAYERNORM, [{"x": normal(a, 96)} for a in (1, 1001)]),
    "columns": (COLUMNS, [{"x": normal(a, b), "axes": np.array([0])} for a, b in [(500, 701), (3, 1)]]),
    "conv": (
        model(CONV.format("N, 16, H, W", 1, 1), w=normal(40, 16, 3, 3)),
        [{"x": normal(*s)} for s in [(2, 16, 33, 41), (1, 16, 5, 90)]],
    ),
    "fixed conv": (model(CONV.format("1, 64, 57, 57", 2, 2), w=normal(96, 64, 3, 3)), [{"x": normal(1, 64, 57, 57)}]),
    "Winograd": (model(CONV.format("1, 64, 56, 56", 1, 1), w=normal(64, 64, 3, 3)), [{"x": normal(1, 64, 56, 56)}]),
    "depthwise": (
        model("m (float[1, 64, 60, 60] x) => (float[N, O, P, Q] y) { y = Conv<group = 64>(x, w) }", w=normal(64, 1, 3, 3)),
        [{"x": normal(1, 64, 60, 60)}],
    ),
    "pointwise": (
        model("m (float[1, 64, 60, 60] x) => (float[N, O, P, Q] y) { y = Conv(x, w) }", w=normal(96, 64, 1, 1)),
        [{"x": normal(1, 64, 60, 60)}],
    ),
    "LSTM": (
        model(RECURRENT.format("LSTM"), w=normal(1, 256, 24), r=normal(1, 256, 64) / 4),
        [{"x": normal(s, n, 24)} for s, n in [(30, 1), (20, 9), (5, 0)]],
    ),
    "GRU": (model(RECURRENT.format("GRU"), w=normal(1, 192, 24), r=normal(1, 192, 64) / 4), [{"x": normal(20, 6, 24)}]),
    "top k": (
        model("m (float[A, B] x, int64[1] k) => (float[A, K] y) { y, i = TopK<axis = 0>(x, k) }"),
        [{"x": normal(a, b), "k": np.array([3])} for a, b in [(301, 400), (5, 1)]],
    ),
    "regions": (
        model(
            "m (float[1, 8, 40, 40] x, float[R, 4] r, int64[R] n) => (float[R, 8, 5, 5] y) { y = RoiAlign"
            '<output_height = 5, output_width = 5, sampling_ratio = 2, coordinate_transformation_mode = "half_pixel">(x, r, n) }'
        ),
        [{"x": normal(1, 8, 40, 40), "r": np.abs(normal(r, 4)) * 9, "n": np.zeros(r, np.int64)} for r in (30, 1)],
    ),
    "transforms": (
        model("m (float[B, 512, 1] x) => (float[B, 512, 2] y) { y = DFT<axis = 1>(x) }"),
        [{"x": normal(b, 512, 1)} for b in (37, 3)],
    ),
    "pool": (model(POOL), [{"x": normal(3, 64, 60, 60)}]),
}


@pytest.mark.parametrize("name", CASES)
def test_results_do_not_depend_on_the_number_of_threads(name):
    onnx_model, all_feeds = CASES[name]
    program = intaglio.compile(onnx_model)
    sessions = [program.session(num_threads=n) for n in THREADS]
    for feeds in all_feeds:
        first, *others = ([s.run(None, feeds)[0] for _ in range(3)] for s in sessions)
        for got in (*first, *(y for ys in others for y in ys)):
            np.testing.assert_array_equal(got, first[0])
        (expected,) = ReferenceEvaluator(onnx_model).run(None, feeds)
        np.testing.assert_allclose(first[0], expected, rtol=2e-4, atol=2e-5 * np.max(np.abs(expected), initial=1))


def test_work_goes_to_other_threads():
    """The pool starts with the first dispatch that is worth it: no test of results would notice if nothing ever was."""
    before = _threads()
    with intaglio.compile(EXP).session(num_threads=4) as session:
        session.run(None, {"x": normal(2, 3)})
        assert _threads() == before
        session.run(None, {"x": normal(1000, 1000)})
        assert _threads() == before + 3
    assert _threads() == before


def test_errors_come_through():
    gather = model("m (float[N, 512] x, int64[M] i) => (float[M, 512] y) { e = Exp(x) g = Gather(e, i) y = Neg(g) }")
    with intaglio.compile(gather).session(num_threads=3) as session:
        x, wrong = normal(1000, 512), np.arange(3000) % 1000
        wrong[[7, 2900]] = 5000, 6000
        for _ in range(3):
            with pytest.raises(intaglio.IntaglioError, match="5000"):
                session.run(None, {"x": x, "i": wrong})
            (y,) = session.run(None, {"x": x, "i": np.arange(1000)})
            np.testing.assert_allclose(y, -np.exp(x), rtol=1e-5)


def test_sessions_side_by_side():
    program = intaglio.compile(EXP)
    x = normal(300, 1000)
    expected = program.session(num_threads=1).run(None, {"x": x})[0]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(3):
            with program.session(num_threads=1 + k) as session:
                wrong.extend(k for _ in range(20) if not np.array_equal(session.run(None, {"x": x})[0], expected))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


FORK = """
import os, sys, numpy as np, intaglio
program = intaglio.compile(sys.argv[1])
x = np.ones((1000, 1000), np.float32)
session = program.session(num_threads=3)
expected = session.run(None, {"x": x})[0]
child = os.fork()
again = session.run(None, {"x": x})[0]
with program.session(num_threads=3) as other:
    third = other.run(None, {"x": x})[0]
session.close()
assert np.array_equal(again, expected) and np.array_equal(third, expected)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_child_process_runs_on(tmp_path):
    onnx.save(EXP, tmp_path / "m.onnx")
    subprocess.run([sys.executable, "-c", FORK, str(tmp_path / "m.onnx")], check=True, timeout=120)


COUNT = """
import sys, numpy as np, intaglio
tasks = lambda: len(__import__("os").listdir("/proc/self/task"))
x = np.ones((1000, 1000), np.float32)
before = tasks()
session = intaglio.load(sys.argv[1])
session.run(None, {"x": x})
print(tasks() - before + 1)
"""


@needs_compiler
def test_as_many_threads_as_the_process_may_use(tmp_path):
    library = intaglio.compile(EXP).save(tmp_path / "m.so")

    def threads(**environment: str) -> int:
        command = [sys.executable, "-c", COUNT, str(library)]
        done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment}, timeout=120)
        return int(done.stdout)

    os_cores = os.sched_getaffinity(0)
    assert threads(INTAGLIO_NUM_THREADS="5") == 5
    assert 1 <= threads(INTAGLIO_NUM_THREADS="") <= len(os_cores)
    os.sched_setaffinity(0, {min(os_cores)})  # children inherit it
    try:
        assert threads(INTAGLIO_NUM_THREADS="nonsense") == 1
    finally:
        os.sched_setaffinity(0, os_cores)


PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "m.h"

struct part { intaglio_task task; void *context; int64_t begin, end; };

static void *run_part(void *argument)
{
    struct part *part = argument;
    part->task(part->context, part->begin, part->end);
    return NULL;
}

/* Two threads, the later half of the work first. */
static void halves(void *context, intaglio_task task, void *task_context, int64_t count, int64_t grain)
{
    struct part late = {task, task_context, count / 2, count}, early = {task, task_context, 0, count / 2};
    pthread_t thread;
    ++*(int *)context;
    if (grain < 1 || count < 2 * grain)
        abort();
    if (pthread_create(&thread, NULL, run_part, &late))
        abort();
    run_part(&early);
    pthread_join(thread, NULL);
}

static void run(const intaglio_options *options, float *x, float *y)
{
    int64_t dims[] = {300, 1000};
    intaglio_tensor input = {x, 1, 2, dims}, output = {0};
    m_instance *instance = NULL;
    if (m_create(options, &instance))
        abort();
    for (int i = 0; i < 3; ++i)
        if (m_run(instance, &input, 1, &output, 1)) {
            puts(m_last_error(instance));
            exit(1);
        }
    memcpy(y, output.data, 300000 * sizeof(float));
    m_destroy(instance);
}

int main(void)
{
    static float x[300000], whole[300000], lent[300000], own[300000], old[300000];
    int calls = 0;
    for (int i = 0; i < 300000; ++i)
        x[i] = (float)(i % 1000) / 500 - 1;
    intaglio_options one = {.size = sizeof one, .num_threads = 1}, four = {.size = sizeof four, .num_threads = 4};
    intaglio_options host = {.size = sizeof host, .parallel_for = halves, .parallel_context = &calls};
    run(&one, x, whole);
    run(&four, x, own);
    run(&host, x, lent);
    int used = calls;
    /* A caller whose header ends before the threads: what lies beyond is not looked at. */
    host.size = (char *)&host.num_threads - (char *)&host;
    run(&host, x, old);
    printf("%d %d %d %d %d\n", memcmp(whole, own, sizeof own), memcmp(whole, lent, sizeof lent), memcmp(whole, old, sizeof old), used,
           calls - used);
    return 0;
}
"""


@needs_compiler
def test_a_program_lends_its_threads(tmp_path: Path):
    checked = shutil.which("valgrind") is not None and platform.machine() == "x86_64"
    # valgrind knows no AVX-512.
    intaglio.compile(EXP, cpu="x86-64-v3" if checked else "host", name="m").save(tmp_path / "m.a")
    assert _run_c(tmp_path, PROGRAM, under_valgrind=checked) == "0 0 0 3 0\n"


QUOTAS = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "m.h"

/* The files of control groups, as the test makes them up: pairs of a path and a text. */
static char **files;

FILE *fopen(const char *path, const char *mode)
{
    (void)mode;
    for (char **file = files; *file; file += 2)
        if (!strcmp(path, file[0]))
            return fmemopen(file[1], strlen(file[1]), "r");
    return NULL;
}

static int tasks(void)
{
    DIR *folder = opendir("/proc/self/task");
    int count = -2;
    while (readdir(folder))
        ++count;
    closedir(folder);
    return count;
}

int main(int count, char **arguments)
{
    static float x[300000];
    int64_t dims[] = {300, 1000};
    intaglio_tensor input = {x, 1, 2, dims}, output = {0};
    m_instance *instance = NULL;
    files = arguments + 1;
    if (count % 2 == 0 || m_create(NULL, &instance) || m_run(instance, &input, 1, &output, 1))
        return 1;
    printf("%d\n", tasks());
    m_destroy(instance);
    return 0;
}
"""

ROOT = "/sys/fs/cgroup"
V1 = [f"{ROOT}/cpu/cpu.cfs_quota_us", f"{ROOT}/cpu/cpu.cfs_period_us"]
# What the files say, and how many threads that allows; None for all there are.
LIMITS: list[tuple[dict[str, str], int | None]] = [
    ({}, None),
    ({f"{ROOT}/cpu.max": "max 100000\n"}, None),
    ({f"{ROOT}/cpu.max": "100000 100000\n"}, 1),
    ({f"{ROOT}/cpu.max": "50000 100000\n"}, 1),
    ({f"{ROOT}/cpu.max": "100001 100000\n"}, 2),
    ({f"{ROOT}/cpu.max": "nonsense\n"}, None),
    ({f"{ROOT}/cpu.max": ""}, None),
    # A group's own limit, and that of a group above it.
    ({"/proc/self/cgroup": "1:cpu:/a\n0::/a/b\n", f"{ROOT}/a/b/cpu.max": "10000 100000\n"}, 1),
    ({"/proc/self/cgroup": "0::/a/b\n", f"{ROOT}/a/b/cpu.max": "max 100000\n", f"{ROOT}/a/cpu.max": "10000 100000\n"}, 1),
    ({"/proc/self/cgroup": "0::/\n", f"{ROOT}/cpu.max": "10000 100000\n"}, 1),
    ({V1[0]: "100000\n", V1[1]: "100000\n"}, 1),
    ({V1[0]: "-1\n", V1[1]: "100000\n"}, None),
]


@needs_compiler
def test_quotas_of_control_groups(tmp_path: Path):
    intaglio.compile(EXP, name="m").save(tmp_path / "m.a")
    cores = len(os.sched_getaffinity(0))
    for files, allowed in LIMITS:
        told = _run_c(tmp_path, QUOTAS, *(text for pair in files.items() for text in pair))
        assert int(told) == min(cores, allowed or cores), files


def _run_c(folder: Path, program: str, *arguments: str, under_valgrind: bool = False) -> str:
    """What a C program prints that is linked with the folder's m.a."""
    main = folder / "main"
    if not main.exists():
        (folder / "main.c").write_text(program)
        build = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", "main", "main.c", "m.a", "-pthread", "-lm"]
        subprocess.run(build, cwd=folder, check=True)
    run = [str(main), *arguments]
    if under_valgrind:
        run = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all", *run]
    environment = {name: text for name, text in os.environ.items() if name != "INTAGLIO_NUM_THREADS"}
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))
