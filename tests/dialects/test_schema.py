"""Every operator definition against the specification: versions, inputs, outputs, types, attributes, subgraphs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx.defs
import onnx.helper
import pytest
from intaglio.dialects.onnx.base import (
    OnnxOp,
    Typed,
    float_attr,
    floats_attr,
    int_attr,
    ints_attr,
    str_attr,
    strs_attr,
    tensor_attr,
    tensors_attr,
    to_python,
    type_attr,
)
from intaglio.dialects.onnx.ml.features import MapTyped
from intaglio.dialects.onnx.registry import DOMAINS, ONNX, ONNX_ML, ONNX_PREVIEW, ONNX_TRAINING, OPERATORS
from intaglio.dialects.onnx.types import BY_IR
from xdsl.irdl import OptPropertyDef, OptRegionDef, irdl_op_definition

NEWEST = {(s.domain, s.name): s for s in onnx.defs.get_all_schemas()}

SPELLING = {
    "tensor": "tensor({})",
    "sequence": "seq(tensor({}))",
    "optional": "optional(tensor({}))",
    "optional_sequence": "optional(seq(tensor({})))",
    "map": "map({}, {})",
    "map_sequence": "seq(map({}, {}))",
}


@irdl_op_definition
class Probe(OnnxOp):
    """One attribute of each kind, named as the specification names the kind."""

    name = "test.probe"
    INT = int_attr()
    FLOAT = float_attr()
    STRING = str_attr()
    INTS = ints_attr()
    FLOATS = floats_attr()
    STRINGS = strs_attr()
    TENSOR = tensor_attr()
    TENSORS = tensors_attr()
    TYPE_PROTO = type_attr()


KINDS = {repr(p.constr): kind for kind, p in Probe.get_irdl_definition().properties.items() if kind.isupper()}


def test_all_operators_are_defined() -> None:
    assert len(NEWEST) == 227
    assert {key for key in OPERATORS if key[0] != "com.microsoft"} == set(NEWEST)


def test_dialects_hold_their_domains() -> None:
    counts = {d.name: sum(issubclass(op, OnnxOp) for op in d.operations) for d in (ONNX, ONNX_ML, ONNX_TRAINING, ONNX_PREVIEW)}
    assert counts == {name: sum(domain == key for key, _ in NEWEST) for name, domain in DOMAINS.items() if domain != "com.microsoft"}


@pytest.mark.parametrize("key", sorted(NEWEST), ids=lambda key: ".".join(filter(None, key)))
def test_definition(key: tuple[str, str]) -> None:
    if key not in OPERATORS:
        pytest.fail("not defined")
    cls, schema = OPERATORS[key], NEWEST[key]
    assert schema.since_version == cls.SINCE
    assert ports(cls.operand_defs()) == schema_ports(schema, schema.inputs)
    assert ports(cls.result_defs()) == schema_ports(schema, schema.outputs)
    assert shared([*cls.operand_defs(), *cls.result_defs()]) == schema_shared(schema)
    assert attributes(cls) == schema_attributes(schema)
    assert subgraphs(cls) == schema_subgraphs(schema)


@pytest.mark.parametrize("key", sorted(NEWEST), ids=lambda key: ".".join(filter(None, key)))
def test_documentation(key: tuple[str, str]) -> None:
    if key not in OPERATORS:
        pytest.fail("not defined")
    domain, op_type = key
    prefix = "onnx_" + domain.replace(".", "") if domain else "onnx_"
    assert f"https://onnx.ai/onnx/operators/{prefix}_{op_type}.html" in (OPERATORS[key].__doc__ or "")


# -- one form for both sides


def ports(definitions: Iterable[tuple[str, Any, bool, bool]]) -> list[tuple[str, set[str]]]:
    """("single" | "optional" | "variadic", allowed types) of each input or output."""
    return [("variadic" if v else "optional" if o else "single", types(c)) for _, c, o, v in definitions]


def schema_ports(schema: Any, parameters: Any) -> list[tuple[str, set[str]]]:
    return [(p.option.name.lower(), schema_types(schema, p)) for p in parameters]


def types(constraint: Typed) -> set[str]:
    if isinstance(constraint, MapTyped):
        spelling = SPELLING[constraint.containers[0]]
        return {spelling.format(BY_IR[key].name, BY_IR[value].name) for key, value in constraint.pairs}
    return {SPELLING[c].format(BY_IR[e].name) for c in constraint.containers for e in constraint.allowed(c)}


def schema_types(schema: Any, parameter: Any) -> set[str]:
    for constraint in schema.type_constraints:
        if constraint.type_param_str == parameter.type_str:
            return set(constraint.allowed_type_strs)
    return {parameter.type_str}


def shared(definitions: list[tuple[str, Any, bool, bool]]) -> set[tuple[int, ...]]:
    """Which inputs and outputs, counted together, must have equal element types; only where more than one type is allowed."""
    groups: dict[str, list[int]] = {}
    for index, (_, constraint, _, variadic) in enumerate(definitions):
        if constraint.var and len(types(constraint)) > 1:
            groups.setdefault(constraint.var, []).extend([index] * (1 + variadic))
    return {tuple(group) for group in groups.values() if len(group) > 1}


def schema_shared(schema: Any) -> set[tuple[int, ...]]:
    groups: dict[str, list[int]] = {}
    for index, p in enumerate((*schema.inputs, *schema.outputs)):
        variadic = p.option.name == "Variadic"
        if (p.is_homogeneous or not variadic) and len(schema_types(schema, p)) > 1:
            groups.setdefault(p.type_str, []).extend([index] * (1 + variadic))
    return {tuple(group) for group in groups.values() if len(group) > 1}


def attributes(cls: type[OnnxOp]) -> dict[str, tuple[str, bool, Any]]:
    """Name -> (kind, required, default)."""
    properties = cls.get_irdl_definition().properties
    return {
        name: (KINDS[repr(p.constr)], not isinstance(p, OptPropertyDef), to_python(p.default_value))
        for name, p in properties.items()
        if not name.endswith("SegmentSizes")
    }


def schema_attributes(schema: Any) -> dict[str, tuple[str, bool, Any]]:
    """A sparse tensor counts as a tensor: the importer unfolds it."""
    found = {name: (a.type.name, a.required, default_of(a)) for name, a in schema.attributes.items()}
    return {name: (kind.removeprefix("SPARSE_"), required, default) for name, (kind, required, default) in found.items() if kind != "GRAPH"}


def default_of(attribute: Any) -> Any:
    if attribute.default_value.type == onnx.AttributeProto.UNDEFINED:
        return None
    value = onnx.helper.get_attribute_value(attribute.default_value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return tuple(v.decode() if isinstance(v, bytes) else v for v in value)
    return pytest.approx(np.float32(value), rel=1e-6) if isinstance(value, float) else value


def subgraphs(cls: type[OnnxOp]) -> dict[str, bool]:
    """Name -> required."""
    return {name: not isinstance(region, OptRegionDef) for name, region in cls.get_irdl_definition().regions}


def schema_subgraphs(schema: Any) -> dict[str, bool]:
    return {name: a.required for name, a in schema.attributes.items() if a.type.name == "GRAPH"}
