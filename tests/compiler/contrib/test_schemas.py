"""Every declaration of com.microsoft's operators against the schema that ONNX Runtime has of it: inputs, outputs, attributes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from intaglio.compiler.importer.contrib import operators
from intaglio.dialects.custom import CustomOperator
from intaglio.dialects.kernel.parse import MISSING
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

SCHEMAS = {(s.domain, s.name): s for s in runtime.get_all_operator_schema()}
OPERATORS = list(operators())


@pytest.mark.parametrize("one", OPERATORS, ids=lambda o: f"{o.domain}.{o.name}")
def test_declaration(one: CustomOperator) -> None:
    # ONNX Runtime has this one in ONNX's domain only.
    domain = "" if one.name == "SimplifiedLayerNormalization" else one.domain
    schema = SCHEMAS[domain, one.name]
    kinds = ["variadic" if i.variadic else "optional" if i.optional else "single" for i in one.inputs]
    assert kinds == [option(i) for i in schema.inputs]
    assert [i.name.lower() for i in one.inputs] == [i.name.lower() for i in schema.inputs]
    assert [i.lower() for i in one.outputs] == [o.name.lower() for o in schema.outputs]
    assert {n: a.kind for n, a in one.attributes.items()} == {n: str(a.type).split(".")[-1] for n, a in schema.attributes.items()}
    assert {n for n, a in one.attributes.items() if a.default is MISSING} == {n for n, a in schema.attributes.items() if a.required}
    for name, attribute in schema.attributes.items():
        if attribute._default_value:
            default = onnx.helper.get_attribute_value(onnx.AttributeProto.FromString(attribute._default_value))
            default = default.decode() if isinstance(default, bytes) else default
            ours = one.attributes[name].default
            assert np.float32(ours) == np.float32(default) if isinstance(default, float) else ours == default, name


def test_each_is_declared_once() -> None:
    names = [(o.domain, o.name) for o in OPERATORS]
    assert len(names) == len(set(names))


def option(port: object) -> str:
    return str(port.option).split(".")[-1].lower()  # type: ignore[attr-defined]
