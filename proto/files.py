"""Model files: load, check, save, with their external data; the front door and the command line call it.

A file that is damaged, unsafe or no model at all raises ModelFileError here, before anything is compiled.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from google.protobuf.message import EncodeError

from .errors import ModelFileError
from .external import Folder, check_external, is_external, location_of, set_external
from .onnx_pb2 import AttributeProto, GraphProto, ModelProto, SparseTensorProto, TensorProto, Version
from .tensors import element_type, raw_bytes, to_array
from .wire import MAX_BYTES, M, parse, serialize, too_large

NEWEST_IR = Version.IR_VERSION
# Operator sets, and the import of them, came with this version.
_FIRST_IR_WITH_OPSETS = 3
# External tensors start on a page, so that they can be mapped alone.
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and where it came from.

    base_dir: the folder that external data is read from; None for a model that came without one.
    path: the file, or None. name: what messages call it.
    """

    model: ModelProto
    base_dir: Path | None
    path: Path | None

    @property
    def name(self) -> str:
        return self.path.name if self.path else "the model"


def load_model(source: Any, base_dir: Folder | None = None) -> LoadedModel:
    """Reads a model and checks that it is whole: graph, IR version, operator sets, and its external data in place.

    source: a path (str, PathLike), the bytes of a file (bytes, bytearray, memoryview), an open binary file, our
    ModelProto (taken, not copied), or any message with SerializeToString, such as the onnx package's.
    base_dir: the folder of external data; by default the file's own. Without one (bytes, messages) external data is not
    looked for here, and reading such a tensor fails with ITG0124.
    Raises ModelFileError. Names, types and the graph's structure are the importer's to check.
    """
    path = _path_of(source)
    name = str(path) if path else "model"
    if isinstance(source, ModelProto):
        model = source
    else:
        model = parse(ModelProto(), _bytes_of(source, name), name)
    _check_whole(model, name)
    folder = Path(base_dir) if base_dir is not None else path.parent if path else None
    if folder is not None:
        for tensor in tensors_of(model):
            if is_external(tensor):
                check_external(tensor, folder)
    return LoadedModel(model, folder, path)


def _path_of(source: Any) -> Path | None:
    if isinstance(source, str | os.PathLike):
        return Path(os.fsdecode(source))
    # An open file tells its path; a pipe or a descriptor opened by number has none.
    name = getattr(source, "name", None) if hasattr(source, "read") else None
    return Path(name) if isinstance(name, str) and os.path.isfile(name) else None


def _bytes_of(source: Any, name: str) -> bytes:
    if isinstance(source, str | os.PathLike):
        return _read(Path(os.fsdecode(source)))
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if hasattr(source, "SerializeToString"):
        return _serialized(source, name)
    if hasattr(source, "read"):
        return _read_from(source, name)
    raise ModelFileError(
        "ITG0111", f"a model cannot be read from {type(source).__name__}",
        hint="give a path, bytes, an open binary file or a ModelProto",
    )  # fmt: skip


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise ModelFileError("ITG0102", f"it is {what}", subject=str(path), hint="give the path of the .onnx file")
        if status.st_size > MAX_BYTES:
            raise too_large(str(path), status.st_size)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError("ITG0101", "there is no such file", subject=str(path), hint="check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ModelFileError("ITG0102", str(error), subject=repr(str(path)), hint="check the path") from error


def _read_from(file: BinaryIO, name: str) -> bytes:
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError: a closed file, or text that does not decode
        raise ModelFileError("ITG0102", str(error), subject=name, hint='open the file with mode "rb"') from error
    if not isinstance(data, bytes | bytearray):
        raise ModelFileError("ITG0111", "the file is open as text", subject=name, hint='open it with mode "rb"')
    return bytes(data)


def _serialized(message: Any, name: str) -> bytes:
    try:
        return message.SerializeToString()
    except (ValueError, EncodeError) as error:  # over 2 GiB
        raise ModelFileError(
            "ITG0109", f"the {type(message).__name__} has no serialised form: {error}", subject=name,
            hint="save it with external data, then load it by its path",
        ) from error  # fmt: skip


def _check_whole(model: ModelProto, name: str) -> None:
    version = model.ir_version
    missing = ""
    if not model.HasField("graph"):
        missing = "it has no graph"
    elif version < 1:
        missing = f"its ir_version is {version}" if model.HasField("ir_version") else "it has no ir_version"
    elif version >= _FIRST_IR_WITH_OPSETS and not model.opset_import:
        missing = "it imports no operator set, so its operators have no meaning"
    if missing:
        raise ModelFileError(
            "ITG0107", missing, subject=name, hint="is it an ONNX model at all? If so, export it again"
        )  # fmt: skip
    if version > NEWEST_IR:
        raise ModelFileError(
            "ITG0108", f"its IR version is {version}; this release reads up to {NEWEST_IR}", subject=name,
            hint="update intaglio, or export the model for an older IR version",
        )  # fmt: skip


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """Every dense tensor in the model, subgraphs, functions, training graphs and the halves of sparse ones included."""
    pending: list[Any] = [model.graph, *model.functions]
    for training in model.training_info:
        pending += (training.initialization, training.algorithm)
    while pending:
        part = pending.pop()
        if isinstance(part, GraphProto):
            yield from part.initializer
            yield from _halves(part.sparse_initializer)
        else:
            pending += _tensors_and_graphs(part.attribute_proto)[1]
            yield from _tensors_and_graphs(part.attribute_proto)[0]
        for node in part.node:
            tensors, graphs = _tensors_and_graphs(node.attribute)
            yield from tensors
            pending += graphs


def external_files(loaded: LoadedModel) -> list[Path]:
    """The files that hold external data of a model, each once; none where it came without a folder."""
    if loaded.base_dir is None:
        return []
    locations = dict.fromkeys(location_of(tensor) for tensor in tensors_of(loaded.model) if is_external(tensor))
    return [loaded.base_dir / location for location in locations]


def _tensors_and_graphs(attributes: Any) -> tuple[list[TensorProto], list[GraphProto]]:
    tensors: list[TensorProto] = []
    graphs: list[GraphProto] = []
    for attribute in attributes:
        _gather(attribute, tensors, graphs)
    return tensors, graphs


def _gather(attribute: AttributeProto, tensors: list[TensorProto], graphs: list[GraphProto]) -> None:
    tensors += attribute.tensors
    graphs += attribute.graphs
    tensors += _halves(attribute.sparse_tensors)
    if attribute.HasField("t"):
        tensors.append(attribute.t)
    if attribute.HasField("g"):
        graphs.append(attribute.g)
    if attribute.HasField("sparse_tensor"):
        tensors += _halves([attribute.sparse_tensor])


def _halves(sparse: Any) -> list[TensorProto]:
    tensors: list[SparseTensorProto] = list(sparse)
    return [half for tensor in tensors for half in (tensor.values, tensor.indices)]


def save_model(
    model: ModelProto | LoadedModel,
    path: str | os.PathLike[str],
    *,
    base_dir: Folder | None = None,
    external_data: str | None = None,
    threshold: int = 1024,
) -> None:
    """Writes a model to `path`; the model itself is left as it is.

    base_dir: where the tensors that already are external stand (a LoadedModel knows).
    external_data: name of a file beside `path` for the elements of every tensor of at least `threshold` bytes. Tensors
    that are external already are copied there in any case; then it defaults to the model's file name plus ".data".
    Each file appears whole or not at all. Raises ModelFileError: not writable, over 2 GiB without external_data, or
    external tensors that cannot be read; TensorError for a tensor that contradicts itself.
    """
    if isinstance(model, LoadedModel):
        base_dir = model.base_dir if base_dir is None else base_dir
        model = model.model
    path = Path(path)
    if not path.name:
        raise ModelFileError("ITG0110", "it is no file name", subject=repr(str(path)), hint="give the path of a file")
    if external_data is not None and (external_data in ("", "..") or Path(external_data).name != external_data):
        raise ModelFileError(
            "ITG0110", f"{external_data!r} is no plain file name", subject=str(path),
            hint="external data stands beside the model: give a name without folders",
        )  # fmt: skip
    moving = external_data is not None or any(map(is_external, tensors_of(model)))
    if not moving:
        _write(path, lambda file: file.write(serialize(model, str(path))))
        return
    data_path = path.with_name(external_data or path.name + ".data")
    if data_path == path:
        raise ModelFileError(
            "ITG0110", "the model and its data cannot be one file", subject=str(path),
            hint="give the data file another name",
        )  # fmt: skip
    limit = threshold if external_data is not None else None
    moved = ModelProto()
    moved.CopyFrom(model)
    _write(data_path, lambda file: _move_out(moved, file, data_path.name, base_dir, limit))
    _write(path, lambda file: file.write(serialize(moved, str(path))))


def _move_out(model: ModelProto, file: BinaryIO, location: str, base_dir: Folder | None, limit: int | None) -> None:
    """Appends the tensors' elements to the file and refers to them there. limit: None moves only what is external."""
    for tensor in tensors_of(model):
        if not is_external(tensor) and (limit is None or not _is_large(tensor, limit)):
            continue
        data = raw_bytes(to_array(tensor, base_dir))
        file.write(b"\0" * (-file.tell() % _PAGE))
        set_external(tensor, location, file.tell(), len(data))
        file.write(data)


def _is_large(tensor: TensorProto, limit: int) -> bool:
    kind = element_type(tensor.data_type, tensor=tensor.name)
    if not kind.bits:
        return False  # strings cannot be external
    count = 1
    for dim in tensor.dims:
        count *= dim
    return kind.raw_bytes(count) >= limit


def _write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Writes beside the path first, then moves over it: readers, and maps of the old file, never see half of one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        # Not tempfile: its files are readable by their owner alone.
        file = open(temporary, "xb")  # noqa: SIM115 - filled, and taken away on failure, below
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    try:
        with file:
            fill(file)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: Path, error: Exception) -> ModelFileError:
    return ModelFileError("ITG0110", str(error), subject=str(path), hint="check the folder, its rights and free space")


def load_message(message: M, source: str | os.PathLike[str] | bytes) -> M:
    """Fills any message (a TensorProto in a .pb file, say) from a path or bytes. Raises ModelFileError."""
    path = _path_of(source)
    name = str(path) if path else message.DESCRIPTOR.name
    return parse(message, _bytes_of(source, name), name)
