"""The interface of onnx.backend.base over our sessions: the official test suite, and tools that know that interface, come in here.

Needs the onnx package, which compiling itself does not (`pip install intaglio[test]`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from .backends.session import Session
from .compiler.driver import compile
from .errors import IntaglioError

try:
    from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
    from onnx.backend.base import Backend, BackendRep, Device, DeviceType, namedtupledict
except ImportError as _error:
    raise IntaglioError(
        "ITG7201", f"needs the onnx package: {_error}", subject="intaglio.backend", hint='Install it: pip install "intaglio[test]".'
    ) from _error


class IntaglioRep(BackendRep):
    """A compiled model as the interface wants it."""

    def __init__(self, session: Session, required: Sequence[str]) -> None:
        self.session = session
        self._required = required
        self._names = [port.name for port in session.get_inputs()]

    @override
    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The outputs in the model's order, as a named tuple.

        inputs: an array, one a model input in order (those with a default may be left off, or all of them), or a mapping by name.
        """
        outputs = self.session.run(None, self._feeds(inputs))
        return namedtupledict("Outputs", [port.name for port in self.session.get_outputs()])(*outputs)

    def _feeds(self, inputs: Any) -> dict[str, Any]:
        if isinstance(inputs, Mapping):
            return dict(inputs)
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        arrays = [numpy_helper.to_array(x) if isinstance(x, TensorProto) else x for x in inputs]
        names = self._required if len(arrays) == len(self._required) else self._names
        if len(arrays) > len(names):
            raise IntaglioError("ITG5502", f"{len(arrays)} inputs are given, it takes {len(names)}", subject="model")
        return dict(zip(names, arrays, strict=False))


class IntaglioBackend(Backend):
    """Compiles for this machine's CPU."""

    @override
    @classmethod
    def is_compatible(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether the device is there. Of the model nothing is known before it is compiled: `prepare` says what is missing."""
        return cls.supports_device(device)

    @override
    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> IntaglioRep:
        """Compiles a model. kwargs: options of `intaglio.compile`. Raises IntaglioError (ITG7202 for another device)."""
        if not cls.supports_device(device):
            raise IntaglioError("ITG7202", f'there is no device "{device}", only CPU', subject="intaglio.backend")
        initial = {tensor.name for tensor in model.graph.initializer}
        required = [info.name for info in model.graph.input if info.name not in initial]
        return IntaglioRep(compile(model, **kwargs).session(), required)

    @override
    @classmethod
    def run_node(cls, node: NodeProto, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any) -> tuple[Any, ...]:
        """Runs one operator. opset_version: of the default operator set, the newest known by default.

        outputs_info: (dtype, shape) of each output, as the interface has it; where it is left out the types are inferred.
        """
        opset = kwargs.pop("opset_version", None)
        arrays = [np.asarray(x) for x in inputs]
        names = list(dict.fromkeys(name for name in node.input if name))
        if len(names) != len(arrays):
            raise IntaglioError("ITG5502", f"{len(arrays)} inputs are given, it takes {len(names)}", subject=node.op_type, node=node.name)
        feeds = dict(zip(names, arrays, strict=True))
        model = _model_of(node, feeds, outputs_info, opset)
        return cls.run_model(model, feeds, device, **kwargs)

    @override
    @classmethod
    def supports_device(cls, device: str) -> bool:
        try:
            return Device(device).type == DeviceType.CPU
        except (AttributeError, ValueError):
            return False


def _model_of(node: NodeProto, feeds: Mapping[str, np.ndarray], outputs_info: Any, opset: int | None) -> ModelProto:
    inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()]
    given = [name for name in node.output if name]
    if outputs_info is None:
        outputs = [helper.make_empty_tensor_value_info(name) for name in given]
    else:
        outputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in zip(given, outputs_info, strict=True)
        ]
    graph = helper.make_graph([node], node.op_type or "node", inputs, outputs)
    opsets = [helper.make_opsetid(node.domain, opset)] if opset is not None else None
    return helper.make_model(graph, opset_imports=opsets) if opsets else helper.make_model(graph)


is_compatible = IntaglioBackend.is_compatible
prepare = IntaglioBackend.prepare
run_model = IntaglioBackend.run_model
run_node = IntaglioBackend.run_node
supports_device = IntaglioBackend.supports_device
