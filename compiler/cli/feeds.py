"""Inputs for `run` and `bench`: read from files, random where none is given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...backends.session import NodeArg
from ...dialects.onnx.types import BY_NAME, ElementType
from ...errors import IntaglioError, UnsupportedError
from ...proto.files import load_message
from ...proto.onnx_pb2 import TensorProto
from ...proto.tensors import to_array

Feeds = dict[str, np.ndarray]


def gather(ports: Sequence[NodeArg], given: Sequence[str], *, seed: int, sizes: Mapping[str, int]) -> tuple[Feeds, list[str]]:
    """An array for every port, and the names of those that are random.

    given: files as the command line has them. Raises IntaglioError: ITG7403 for a file that cannot be read, ITG7404 for a name or a
    number of inputs that the model has not.
    """
    feeds: Feeds = {}
    order = iter(ports)
    for text in given:
        name, path = _split(text, {port.name for port in ports})
        if path.suffix == ".npz" and name is None:
            feeds.update(_archive(path))
            continue
        if name is None:
            port = next((p for p in order if p.name not in feeds), None)
            if port is None:
                raise IntaglioError("ITG7404", f"is one input more than the model's {len(ports)}", subject=str(path))
            name = port.name
        feeds[name] = _array(path)
    if unknown := [name for name in feeds if name not in {port.name for port in ports}]:
        takes = ", ".join(port.name for port in ports)
        raise IntaglioError("ITG7404", "the model has no such input", subject="input", node=unknown[0], hint=f"It takes: {takes}.")
    missing = [port for port in ports if port.name not in feeds]
    random = np.random.default_rng(seed)
    known = {**_known_sizes(ports, feeds), **sizes}
    for port in missing:
        feeds[port.name] = _random(port, random, known)
    return feeds, [port.name for port in missing]


def _split(text: str, names: set[str]) -> tuple[str | None, Path]:
    """NAME=FILE or FILE; a file's name may itself hold an equals sign."""
    name, equals, path = text.partition("=")
    while equals and name not in names:
        more, equals, path = path.partition("=")
        name = f"{name}={more}"
    return (name, Path(path)) if equals else (None, Path(text))


def _archive(path: Path) -> Feeds:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(path, error) from error


def _array(path: Path) -> np.ndarray:
    if path.suffix == ".pb":
        return to_array(load_message(TensorProto(), path))
    if path.suffix != ".npy":
        raise IntaglioError("ITG7403", "is of no kind that is read", subject="input file", node=str(path), hint="Give .npz, .npy or .pb.")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(array, np.ndarray):
        raise _unreadable(path, "it holds an archive")
    return array


def _unreadable(path: Path, error: object) -> IntaglioError:
    return IntaglioError("ITG7403", f"cannot be read: {error}", subject="input file", node=str(path))


def _known_sizes(ports: Sequence[NodeArg], feeds: Feeds) -> dict[str, int]:
    """Open dimensions that the arrays given settle."""
    found: dict[str, int] = {}
    for port in ports:
        if port.name in feeds and feeds[port.name].ndim == len(port.shape):
            found.update((d, n) for d, n in zip(port.shape, feeds[port.name].shape, strict=True) if isinstance(d, str))
    return found


def _random(port: NodeArg, random: np.random.Generator, sizes: Mapping[str, int]) -> np.ndarray:
    """Floats are normally distributed, bytes uniform; wider integers are 0 or 1, valid as an index, a length or a mask alike."""
    shape = [sizes.get(d, 1) if isinstance(d, str) else d for d in port.shape]
    kind = _element(port)
    dtype = kind.numpy
    if dtype.kind in "OSU":
        raise UnsupportedError("ITG7404", f"{port.type} cannot be made up", subject="input", node=port.name, hint="Give it in a file.")
    if dtype == np.bool_ or (dtype.kind in "iu" and dtype.itemsize > 1):
        return random.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        return random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)
    if kind.name.startswith(("int", "uint")):
        return random.integers(0, 2, shape).astype(dtype)  # the narrow integers of ml_dtypes
    return random.standard_normal(shape).astype(dtype)


def _element(port: NodeArg) -> ElementType:
    match = re.fullmatch(r"tensor\((\w+)\)", port.type)
    if match is None or match.group(1) not in BY_NAME:
        raise UnsupportedError("ITG7404", f"{port.type} cannot be made up", subject="input", node=port.name, hint="Give it in a file.")
    return BY_NAME[match.group(1)]
