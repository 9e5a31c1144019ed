"""Our .proto text against the onnx package's: same messages, fields, numbers, kinds and packing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from google.protobuf import descriptor_pb2
from intaglio.proto import errors, onnx_data_pb2, onnx_pb2
from onnx import onnx_data_pb2 as their_data
from onnx import onnx_ml_pb2 as their_onnx

_PACKABLE = set(range(1, 19)) - {9, 10, 11, 12}  # FieldDescriptorProto.Type without strings, groups, messages, bytes


def _file(module) -> descriptor_pb2.FileDescriptorProto:
    proto = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(proto)
    return proto


def _messages(parent, prefix=""):
    for message in getattr(parent, "message_type", None) or getattr(parent, "nested_type", ()):
        yield prefix + message.name, message
        yield from _messages(message, f"{prefix}{message.name}.")


def _enums(proto):
    for enum in proto.enum_type:
        yield enum.name, {value.name: value.number for value in enum.value}
    for name, message in _messages(proto):
        for enum in message.enum_type:
            yield f"{name}.{enum.name}", {value.name: value.number for value in enum.value}


def _fields(message, package, packed_by_default):
    def facts(field):
        packs = field.type in _PACKABLE and field.label == field.LABEL_REPEATED
        packed = field.options.packed if field.options.HasField("packed") else packed_by_default
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
        kind = field.type_name.removeprefix(f".{package}.") or field.type
        repeated = field.label == field.LABEL_REPEATED
        return field.name, kind, repeated, packs and packed, "" if oneof.startswith("_") else oneof

    return {field.number: facts(field) for field in message.field}


@pytest.mark.parametrize("ours, theirs", [(onnx_pb2, their_onnx), (onnx_data_pb2, their_data)])
def test_messages_and_enums_are_onnx(ours, theirs):
    ours, theirs = _file(ours), _file(theirs)
    assert dict(_enums(ours)) == dict(_enums(theirs))
    mine = {name: _fields(message, ours.package, True) for name, message in _messages(ours)}
    other = {name: _fields(message, theirs.package, False) for name, message in _messages(theirs)}
    assert mine == other


def test_every_single_field_has_presence():
    for _, message in _messages(_file(onnx_pb2)):
        for field in message.field:
            assert field.label == field.LABEL_REPEATED or field.HasField("oneof_index")


def test_a_whole_model_keeps_its_bytes():
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=[1, 2], alpha=[0.5, 1.5], name="c", mode=b"\xff")
    info = onnx.helper.make_tensor_value_info("x", 1, ["N", 3, None])
    graph = onnx.helper.make_graph([node], "g", [info], [info])
    data = onnx.helper.make_model(graph).SerializeToString()
    ours = onnx_pb2.ModelProto.FromString(data)
    assert ours.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize("order", ["import onnx, intaglio.proto.onnx_pb2", "import intaglio.proto.onnx_data_pb2, onnx"])
def test_stands_beside_the_onnx_package(order):
    subprocess.run([sys.executable, "-c", order], check=True)


def test_error_codes_are_listed_and_print():
    error = errors.TensorError("ITG0203", "what", tensor="w", context="where", hint="do")
    assert str(error) == 'ITG0203 tensor "w": what\n  where\n  do'
    assert (error.code, error.message, error.hint, error.node) == ("ITG0203", "what", "do", None)
    assert isinstance(error, errors.IntaglioError)


def test_every_code_raised_is_in_the_table():
    folder = Path(errors.__file__).parent
    used = {code for path in folder.glob("*.py") if path.name != "errors.py"
            for code in re.findall(r'"(ITG\d{4})"', path.read_text())}  # fmt: skip
    assert used <= set(errors.CODES)
    assert set(errors.CODES) <= used
