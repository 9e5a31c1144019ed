"""Bytes to messages and back, with an account of what is wrong with the bytes; `files` calls it.

protobuf says only that something was wrong. Then this walks the bytes again, by descriptor, and names the first fault.
https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from .errors import ModelFileError

M = TypeVar("M", bound=Message)

# protobuf's own limit: deeper messages are refused, whatever the implementation, lest they exhaust the stack.
MAX_DEPTH = 100
# ... and its limit on one message's bytes.
MAX_BYTES = (1 << 31) - 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# What people hand to an ONNX reader by mistake: where the mark stands, the mark, what it means.
_STRANGERS = (
    (0, b"version https://git-lfs", "it is a Git LFS pointer, not the model: run git lfs pull"),
    (0, b"PK\x03\x04", "it is a zip archive (a PyTorch checkpoint?): unpack it, or export it to ONNX"),
    (0, b"\x1f\x8b", "it is gzip-compressed: unpack it first"),
    (0, b"\x89HDF", "it is an HDF5 file (Keras?): convert it with tf2onnx"),
    (4, b"TFL3", "it is a TensorFlow Lite model: convert it with tf2onnx"),
    (4, b"ORTM", "it is in ONNX Runtime's own format: give the .onnx file it was made from"),
    (0, b"\x80\x02", "it is a Python pickle: export the model to ONNX"),
    (0, b"<", "it is a text in HTML or XML (a download page?): download the model itself"),
    (0, b"{", "it is JSON text: give the binary .onnx form"),
)


class _Fault(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse(message: M, data: bytes, source: str) -> M:
    """Fills the message from the bytes and returns it.

    source: what the bytes are called in messages. Raises ModelFileError: empty, truncated, damaged, nested too deep,
    not UTF-8 where it must be, or not this kind of message at all.
    """
    if not data:
        raise ModelFileError("ITG0103", "it is empty", subject=source, hint="download or export it again")
    if len(data) > MAX_BYTES:
        raise too_large(source, len(data))
    try:
        message.ParseFromString(data)
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:  # the last two: its pure Python form
        raise _explain(message.DESCRIPTOR, data, source, str(error)) from error
    return message


def too_large(source: str, size: int) -> ModelFileError:
    """The error for a message that protobuf cannot hold."""
    return ModelFileError(
        "ITG0109", f"{size} bytes; one protobuf message holds at most {MAX_BYTES}", subject=source,
        hint='keep the weights beside the model: save_model(..., external_data="model.onnx.data")',
    )  # fmt: skip


def _stranger(data: bytes) -> str:
    """What the bytes seem to be instead of an ONNX message, and what to do; empty if nothing known."""
    head = data[:64]
    return next((hint for at, mark, hint in _STRANGERS if head.startswith(mark, at)), "")


def _explain(descriptor: Any, data: bytes, source: str, said: str) -> ModelFileError:
    try:
        _walk(descriptor, memoryview(data))
        fault = _Fault("ITG0104", said)
    except _Fault as found:
        fault = found
    hint = _stranger(data) or {
        "ITG0105": "it is only a part of the file: download or copy it again",
        "ITG0106": f"at most {MAX_DEPTH} messages may stand in each other: flatten the nested subgraphs",
        "ITG0112": "its writer broke it: names and texts must be UTF-8",
    }.get(fault.code, f"is it a {descriptor.name} at all? If so, download or export it again")
    return ModelFileError(fault.code, fault.message, subject=source, hint=hint)


def _walk(descriptor: Any, data: memoryview) -> None:
    """Raises _Fault at the first byte that does not fit; returns if there is none."""
    open_messages: list[tuple[Any, int, str]] = [(descriptor, len(data), descriptor.name)]
    at = 0
    while open_messages:
        message, end, path = open_messages[-1]
        if at == end:
            open_messages.pop()
            continue
        start = at
        tag, at = _varint(data, at, end, path)
        number, wire = tag >> 3, tag & 7
        field = message.fields_by_number.get(number)
        where = f"{path}.{field.name}" if field else f"{path}.{number}"
        if number == 0 or wire not in (_VARINT, _FIXED64, _BYTES, _FIXED32):
            raise _Fault("ITG0104", f"byte {start}, in {path}, starts no field")
        if wire == _VARINT:
            _, at = _varint(data, at, end, where)
            continue
        length, at = _varint(data, at, end, where) if wire == _BYTES else (8 if wire == _FIXED64 else 4, at)
        _check_room(length, at, end, len(data), where)
        if field is not None and wire == _BYTES and field.message_type is not None:
            open_messages.append((field.message_type, at + length, where))
            if len(open_messages) > MAX_DEPTH:
                raise _Fault("ITG0106", f"messages are nested more than {MAX_DEPTH} deep, at byte {at}")
            continue
        if field is not None and wire == _BYTES and field.type == FieldDescriptor.TYPE_STRING:
            _check_text(data[at : at + length], at, where)
        at += length


def _varint(data: memoryview, at: int, end: int, where: str) -> tuple[int, int]:
    value = 0
    for count in range(10):
        if at + count >= end:
            raise _ended(at, end, len(data), where)
        byte = data[at + count]
        value |= (byte & 127) << (7 * count)
        if byte < 128:
            return value, at + count + 1
    raise _Fault("ITG0104", f"byte {at}, in {where}, starts no number")


def _check_room(length: int, at: int, end: int, size: int, where: str) -> None:
    if length <= end - at:
        return
    if end == size:
        raise _Fault("ITG0105", f"{where} takes {length} bytes from byte {at}, but only {size - at} follow")
    raise _Fault("ITG0104", f"{where}, at byte {at}, claims {length} bytes where {end - at} are left")


def _check_text(text: memoryview, at: int, where: str) -> None:
    try:
        str(text, "utf-8")
    except UnicodeDecodeError as error:
        raise _Fault("ITG0112", f"{where}, at byte {at}, is not UTF-8: {bytes(text[:60])!r}") from error


def _ended(at: int, end: int, size: int, where: str) -> _Fault:
    if end == size:
        return _Fault("ITG0105", f"the bytes end at {size}, in the middle of {where}")
    return _Fault("ITG0104", f"byte {at}: {where} ends in the middle of a number")


def serialize(message: Any, source: str) -> bytes:
    """The message's bytes. Raises ModelFileError where protobuf cannot hold them all."""
    size = message.ByteSize()
    if size > MAX_BYTES:
        raise too_large(source, size)
    return message.SerializeToString()
