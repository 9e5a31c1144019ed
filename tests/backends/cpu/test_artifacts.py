"""Shared libraries, objects, archives and headers: what they hold, who can use them, what stops them."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from intaglio.backends.abi import device_header
from intaglio.backends.cpu import build, c_prefix, link, weights
from intaglio.backends.llvm import Machine
from intaglio.backends.session import Session
from intaglio.errors import IntaglioError

EXAMPLE = Path(__file__).parents[3] / "examples" / "c" / "run.c"
HEADER = Path(__file__).parents[3] / "backends" / "cpu" / "intaglio_device.h"
CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler")

WEIGHTED = """
func.func @main(%x: !hal.buffer, %n: index) -> (!hal.buffer, index, !hal.buffer) attributes {
    "hal.inputs" = [{name = "x", element = 1 : i64, dims = ["N"]}],
    "hal.outputs" = [{name = "z", element = 1 : i64, dims = ["N"]}, {name = "w", element = 3 : i64, dims = []}]} {
  %four = arith.constant 4 : index
  %bytes = arith.muli %n, %four : index
  %z = hal.arena %bytes
  %w = hal.weight "w"
  %odd = hal.weight "odd"
  hal.dispatch @add workgroups(%n) buffers(%x, %w, %z) constants(%n)
  func.return %z, %n, %odd : !hal.buffer, index, !hal.buffer
}
"""
WEIGHTS = {"odd": np.array(-5, np.int8), "w": np.arange(1, 1001, dtype=np.float32)}


@pytest.fixture
def weighted(compile_program, add_kernel):
    return lambda **options: compile_program(add_kernel + WEIGHTED, WEIGHTS, **options)


def check(session: Session) -> None:
    x = np.arange(1000, dtype=np.float32)
    z, odd = session.run(None, {"x": x})
    np.testing.assert_array_equal(z, x + WEIGHTS["w"])
    assert odd == -5


def run(*arguments: object) -> str:
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_cc
def test_a_shared_library_comes_back_as_a_session(weighted, tmp_path):
    path = weighted(prefix="model").save(tmp_path / "m.so")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.h", "m.so"]
    session = Session.load(path)
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("x", ["N"])]
    check(session)


@needs_cc
def test_two_libraries_of_one_prefix_do_not_mix(weighted, compile_program, add_program, tmp_path):
    first = Session.load(weighted().save(tmp_path / "a.so"))
    second = Session.load(compile_program(add_program).save(tmp_path / "b.so"))
    check(first)
    assert second.run(None, {"x": [1], "y": [2]})[0] == 3


@needs_cc
def test_a_library_needs_libc_only_and_shows_the_api_only(weighted, tmp_path):
    path = weighted(prefix="model").save(tmp_path / "m.so")
    symbols = [line.split() for line in run("nm", "-D", path).splitlines()]
    undefined = {row[-1].split("@")[0] for row in symbols if row[-2] == "U"}
    threads = {name for name in undefined if name.startswith(("pthread_", "sched_"))} | {"getenv", "getpid", "sigfillset"}
    files = {"fopen", "fgets", "fclose", "strncmp", "strcspn", "strrchr", "strtol"}
    memory = {"aligned_alloc", "calloc", "free", "malloc", "memcpy", "memset"}
    assert undefined <= {*threads, *files, *memory, "snprintf", "strcmp", "__stack_chk_fail"}
    names = ("create", "destroy", "input", "last_error", "num_inputs", "num_outputs", "output", "run", "run_into")
    assert {row[-1] for row in symbols if len(row) == 3} == {*(f"model_{name}" for name in names), "intaglio_module"}
    needed = [line.split()[0] for line in run("ldd", path).splitlines()]
    assert all(name.startswith(("linux-vdso", "libc.", "libm.", "/lib")) for name in needed), needed


@needs_cc
@pytest.mark.parametrize("suffix", [".so", ".o", ".a"])
def test_the_example_runs_with_each_kind_of_file(weighted, tmp_path, suffix):
    library = weighted(prefix="model").save(tmp_path / f"model{suffix}")
    program = tmp_path / "run"
    run(
        CC,
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-I",
        tmp_path,
        EXAMPLE,
        library,
        "-o",
        program,
        "-lm",
        "-lpthread",
        "-Wl,-rpath,$ORIGIN",
    )
    assert run(program).splitlines() == [
        "input x: float[N]",
        "output z: float[N]",
        "output w: int8[]",
        "z = 1 3 (2 elements)",
        "w = (1 elements)",
    ]
    assert run(program, 8).splitlines()[-1] == "8 threads, 0 failed"


@needs_cc
def test_several_models_link_into_one_program(weighted, compile_program, add_program, tmp_path):
    weighted(prefix="one").save(tmp_path / "one.a")
    compile_program(add_program, prefix="two").save(tmp_path / "two.o")
    source = tmp_path / "both.c"
    source.write_text(
        '#include <stdio.h>\n#include "one.h"\n#include "two.h"\n'
        'int main(void) { printf("%d %d\\n", one_num_inputs(), two_num_inputs()); return 0; }\n'
    )
    run(CC, "-Wall", "-Werror", source, tmp_path / "one.a", tmp_path / "two.o", "-o", tmp_path / "both", "-lm")
    assert run(tmp_path / "both") == "1 2\n"


@needs_cc
def test_headers_are_c_and_cxx(weighted, tmp_path):
    weighted(prefix="model").save(tmp_path / "model.o")
    (tmp_path / "intaglio_device.h").write_text(device_header())
    for name, flags in (("a.c", ["-std=c11"]), ("a.cpp", ["-xc++", "-std=c++17"])):
        (tmp_path / name).write_text('#include "model.h"\n#include "intaglio_device.h"\n')
        run(CC, *flags, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", tmp_path / name)


def test_the_device_header_in_the_tree_is_the_one_generated():
    assert HEADER.read_text() == device_header(), "write it again: python -m intaglio.backends.abi > backends/cpu/intaglio_device.h"


@needs_cc
def test_names_from_the_model_do_not_escape_into_the_header(compile_program, add_program, tmp_path):
    nasty = add_program.replace('name = "x"', 'name = "*/ int evil; \\0A#error"')
    compile_program(nasty, prefix="model").save(tmp_path / "model.o")
    run(CC, "-fsyntax-only", "-xc", "-Werror", tmp_path / "model.h")


@pytest.mark.parametrize(("name", "prefix"), [("resnet50-v1.5", "resnet50_v1_5"), ("3d", "m_3d"), ("", "intaglio"), ("日本", "intaglio")])
def test_prefixes_are_identifiers(name, prefix):
    assert c_prefix(name) == prefix


def test_an_unknown_suffix_is_refused(weighted, tmp_path):
    with pytest.raises(IntaglioError, match=r"ITG7004 .*\.dll"):
        weighted().save(tmp_path / "m.dll")


def test_a_folder_that_is_not_there_is_an_error(weighted, tmp_path):
    with pytest.raises(IntaglioError, match=r"ITG7012"):
        weighted().save(tmp_path / "nowhere" / "m.o")


def test_without_a_linker_the_error_says_what_to_install(weighted, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(link.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(IntaglioError, match=r"ITG7010 .*x86_64|ITG7010 .*aarch64"):
        weighted().save(tmp_path / "m.so")
    assert list(tmp_path.iterdir()) == []
    weighted().save(tmp_path / "m.a")


def test_linkers_are_looked_for_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(link.importlib.util, "find_spec", lambda name: object())
    zig = [sys.executable, "-m", "ziglang", "ld.lld", "-m", "aarch64linux", "-shared"]
    assert link.linker("aarch64-unknown-linux-gnu") == zig
    for name in ("cc", "ld.lld"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert link.linker("riscv64-unknown-linux-gnu")[1:] == ["-m", "elf64lriscv", "-shared"]
    assert link.linker(Machine().attributes.triple) == [str(tmp_path / "cc")]


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="no ziglang")
def test_ziglang_links_without_anything_else(weighted, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    check(Session.load(weighted().save(tmp_path / "m.so")))


@needs_cc
def test_a_linker_that_fails_is_quoted(weighted, tmp_path, monkeypatch):
    monkeypatch.setattr(link, "linker", lambda triple: [CC, "-fuse-ld=nothing-of-the-kind"])
    with pytest.raises(IntaglioError, match=r"ITG7011 .*nothing-of-the-kind"):
        weighted().save(tmp_path / "m.so")


@needs_cc
def test_large_weights_go_to_a_section_of_their_own(weighted, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "LARGE_BYTES", 100)
    program = weighted()
    check(program.session())
    path = program.save(tmp_path / "m.so")
    if program.machine.attributes.triple.startswith("x86_64"):
        assert ".lrodata" in run("readelf", "-SW", path)
    check(Session.load(path))


def test_weights_are_streamed():
    array = np.broadcast_to(np.float32(1), (64, 1 << 20)).T  # 256 MB if it were copied
    layout = weights.lay_out([("w", array)])
    assert layout.bytes == 256 << 20
    total = largest = 0
    for chunk in layout.chunks():
        total += len(chunk)
        largest = max(largest, len(chunk))
    assert total == layout.bytes and largest <= 1 << 24


def test_objects_that_are_not_elf_are_refused(add_kernel, parse_module, tmp_path):
    machine = Machine("x86_64-apple-macosx", "x86-64", level=1)
    program = build(parse_module(add_kernel + WEIGHTED), WEIGHTS, machine=machine)
    with pytest.raises(IntaglioError, match="ITG7002"):
        program.save(tmp_path / "m.o")


def test_other_processors_get_objects(add_kernel, parse_module, tmp_path):
    for triple, cpu, number in (("aarch64-unknown-linux-gnu", "cortex-a72", 183), ("riscv64-unknown-linux-gnu", "generic-rv64", 243)):
        program = build(parse_module(add_kernel + WEIGHTED), WEIGHTS, machine=Machine(triple, cpu, level=1))
        image = program.save(tmp_path / "m.o").read_bytes()
        assert int.from_bytes(image[18:20], "little") == number
        assert WEIGHTS["w"].tobytes() in image


def test_an_instance_for_each_of_several_threads(weighted):
    """Instances of one module share nothing that changes."""
    program = weighted()
    sessions = [program.session() for _ in range(4)]
    failures = []

    def work(session: Session) -> None:
        try:
            for _ in range(50):
                check(session)
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_library_that_is_none_is_refused(tmp_path):
    (tmp_path / "m.so").write_bytes(b"not a library")
    with pytest.raises(IntaglioError, match="ITG7020"):
        Session.load(tmp_path / "m.so")


@needs_cc
def test_a_library_of_another_kind_is_refused(tmp_path):
    (tmp_path / "m.c").write_text("int f(void) { return 1; }\n")
    run(CC, "-shared", "-fPIC", tmp_path / "m.c", "-o", tmp_path / "m.so")
    with pytest.raises(IntaglioError, match="ITG7021"):
        Session.load(tmp_path / "m.so")
