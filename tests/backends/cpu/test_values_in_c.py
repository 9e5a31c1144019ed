"""Strings, sequences and maps through the C API, by a C program; under valgrind where it is installed, since C sees what Python hides."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import intaglio
import pytest
from onnx import TensorProto, helper

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include "m.h"

static void show(const char *what, const intaglio_string *s, int64_t n)
{
    printf("%s", what);
    for (int64_t i = 0; i < n; ++i)
        printf(" %.*s(%lld)", (int)s[i].bytes, s[i].data, (long long)s[i].bytes);
    puts("");
}

int main(void)
{
    m_instance *instance = NULL;
    if (m_create(NULL, &instance))
        return 1;
    intaglio_string words[] = {{"one", 3}, {NULL, 0}, {"two words", 9}};
    float a[] = {1, 2}, b[] = {3, 4, 5, 6};
    int64_t three[] = {3}, two[] = {2}, pair[] = {1, 2}, pairs[] = {2, 2};
    intaglio_tensor members[] = {{a, 1, 2, pair}, {b, 1, 2, pairs}};
    for (int round = 0; round < 3; ++round) {
        intaglio_tensor inputs[] = {{words, 8, 1, three}, {members, 0, 1, two}};
        intaglio_tensor outputs[4];
        members[1].type = round == 1 ? 7 : 1;
        int32_t status = m_run(instance, inputs, 2, outputs, 4);
        if (status) {
            printf("%s\n", m_last_error(instance));
            continue;
        }
        show("twice", outputs[0].data, outputs[0].dims[0]);
        show("pieces", outputs[1].data, outputs[1].dims[0] * outputs[1].dims[1]);
        const intaglio_tensor *longer = outputs[2].data;
        for (int64_t i = 0; i < outputs[2].dims[0]; ++i)
            printf("member %lld: %lldx%lld %g\n", (long long)i, (long long)longer[i].dims[0], (long long)longer[i].dims[1],
                   ((const float *)longer[i].data)[0]);
        const intaglio_tensor *maps = outputs[3].data;
        for (int64_t i = 0; i < outputs[3].dims[0]; ++i) {
            const intaglio_tensor *map = maps[i].data;
            show("keys", map[0].data, map[0].dims[0]);
            printf("values %g %g\n", ((const float *)map[1].data)[0], ((const float *)map[1].data)[1]);
        }
    }
    m_destroy(instance);
    return 0;
}
"""

EXPECTED = """\
twice oneone(6) (0) two wordstwo words(18)
pieces one(3) (0) (0) (0) two(3) words(5)
member 0: 1x2 1
member 1: 2x2 3
member 2: 3x2 1
keys no(2) yes(3)
values 1 2
keys no(2) yes(3)
values 3 4
keys no(2) yes(3)
values 5 6
"""


def model() -> Any:
    sequence = helper.make_tensor_sequence_value_info
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    nodes = [
        helper.make_node("StringConcat", ["words", "words"], ["twice"]),
        helper.make_node("StringSplit", ["words"], ["pieces", "counts"]),
        helper.make_node("ConcatFromSequence", ["parts"], ["all"], axis=0),
        helper.make_node("SequenceInsert", ["parts", "all"], ["longer"]),
        helper.make_node("ZipMap", ["all"], ["maps"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"]),
    ]
    inputs = [helper.make_tensor_value_info("words", TensorProto.STRING, ["N"]), sequence("parts", TensorProto.FLOAT, ["M", 2])]
    outputs = [
        helper.make_tensor_value_info("twice", TensorProto.STRING, None),
        helper.make_tensor_value_info("pieces", TensorProto.STRING, None),
        sequence("longer", TensorProto.FLOAT, None),
        helper.make_value_info("maps", maps),
    ]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=opsets, ir_version=10)


@needs_compiler
def test_strings_sequences_and_maps(tmp_path: Path):
    checked = shutil.which("valgrind") is not None and platform.machine() == "x86_64"
    # valgrind knows no AVX-512.
    intaglio.compile(model(), cpu="x86-64-v3" if checked else "host", name="m").save(tmp_path / "m.so")
    (tmp_path / "main.c").write_text(PROGRAM)
    subprocess.run(["cc", "-Wall", "-Werror", "-O1", "main.c", "./m.so", "-o", "main", "-Wl,-rpath,$ORIGIN"], cwd=tmp_path, check=True)
    run: list[str] = ["./main"]
    if checked:
        run = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all", *run]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, _, rest = done.stdout.partition("ITG5503")
    assert first == EXPECTED
    assert rest == ' input "parts": element type 7 is given, the model takes 1 (float)\n' + EXPECTED
