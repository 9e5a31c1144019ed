"""LLVM as a tool: errors with their line, several targets, repeated emission, libraries that outlive what made them."""

from __future__ import annotations

import ctypes
import gc

import pytest
from intaglio.backends.llvm import Machine, TargetAttributes, emit_module, host_cpu
from intaglio.backends.llvm.machine import LlvmError

TEN = "define i64 @ten() { ret i64 10 }"


def test_invalid_text_names_the_line(host):
    with pytest.raises(LlvmError, match=r"ITG4002 .*use of undefined value '%x', line 2: ret i64 %x"):
        host.optimise("define i64 @f() {\n  ret i64 %x\n}")


def test_invalid_module(host):
    with pytest.raises(LlvmError, match="ITG4002"):
        host.optimise("define i64 @f(i64 %a) {\n  %c = add i64 %b, 1\n  %b = add i64 %a, 1\n  ret i64 %c\n}")


def test_unknown_triple():
    with pytest.raises(LlvmError, match="nonsense"):
        Machine("nonsense-unknown-unknown", cpu="generic").optimise(TEN)


def test_host_cpu_is_for_the_host():
    with pytest.raises(LlvmError, match='cpu "host"'):
        Machine("aarch64-unknown-linux-gnu" if "x86" in host_triple() else "x86_64-unknown-linux-gnu").optimise(TEN)


def host_triple() -> str:
    import llvmlite.binding as llvm

    return llvm.get_default_triple()


def test_emits_twice(host):
    optimised = host.optimise(TEN)
    assert optimised.object() == optimised.object()
    assert "ten" in optimised.assembly() and "ret i64 10" in optimised.ir


@pytest.mark.parametrize(
    ("triple", "cpu", "magic"),
    [
        ("x86_64-unknown-linux-gnu", "x86-64-v3", b"\x7fELF"),
        ("aarch64-unknown-linux-gnu", "cortex-a76", b"\x7fELF"),
        ("riscv64-unknown-linux-gnu", "generic-rv64", b"\x7fELF"),
        ("x86_64-pc-windows-msvc", "x86-64-v3", b"\x64\x86"),
        ("arm64-apple-macosx14", "apple-m1", b"\xcf\xfa\xed\xfe"),
    ],
)
def test_other_targets(triple, cpu, magic, functions):
    machine = Machine(triple, cpu, "+m,+a,+f,+d,+c" if triple.startswith("riscv") else "")
    source = "func.func @f(%x : vector<16xf16>) -> vector<16xbf16> { %y = arith.extf %x : vector<16xf16> to vector<16xf32> "
    source += "%z = arith.truncf %y : vector<16xf32> to vector<16xbf16> func.return %z : vector<16xbf16> }"
    assert machine.compile(emit_module(functions(source), target=machine.attributes)).startswith(magic)


def test_wide_vectors_only_where_they_are():
    assert Machine(cpu="x86-64-v4").vector_width == 512
    assert Machine(cpu="x86-64-v3").vector_width == 0
    assert '"prefer-vector-width"="512"' in TargetAttributes(vector_width=512).function_attributes()
    name, features = host_cpu()
    assert name and isinstance(features, str)


def test_library_outlives_its_maker(host):
    def make(n: int):
        return host.load([host.compile(f"define i64 @f() {{ ret i64 {n} }}")])

    libraries = [make(n) for n in range(5)]
    gc.collect()
    call = ctypes.CFUNCTYPE(ctypes.c_int64)
    assert [call(library.address("f"))() for library in libraries] == list(range(5))
    with pytest.raises(LlvmError, match="nothing"):
        libraries[0].address("nothing")


def test_objects_are_linked_together(host):
    caller = host.compile("declare i64 @ten()\ndefine i64 @f() { %r = call i64 @ten() ret i64 %r }")
    library = host.load([caller, host.compile(TEN)])
    assert ctypes.CFUNCTYPE(ctypes.c_int64)(library.address("f"))() == 10


def test_undefined_symbol_is_named(host):
    library = host.load([host.compile("declare i64 @missing()\ndefine i64 @f() { %r = call i64 @missing() ret i64 %r }")])
    with pytest.raises(LlvmError, match="symbol 'f'"):
        library.address("f")
