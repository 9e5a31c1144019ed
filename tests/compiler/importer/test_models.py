"""Whole models: those exported from frameworks, the light ones of the onnx package, and its data sets of older operator sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import intaglio
import numpy as np
import onnx
import onnxruntime
import pytest
from intaglio.compiler.importer import ImportedModel, import_model
from intaglio.dialects.onnx.types import ElementType
from intaglio.proto.files import LoadedModel, load_model
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

SHARED = Path(intaglio.__file__).parent.parent / "shared" / "models"
DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
OLD = sorted(p.parent for folder in ("pytorch-operator", "pytorch-converted", "simple") for p in (DATA / folder).glob("*/model.onnx"))


def agrees(output: object, array: np.ndarray, dims: tuple[int | str, ...] | None) -> bool:
    assert isinstance(output, ElementType)
    fits = (
        dims is not None and len(dims) == array.ndim and all(d == s for d, s in zip(dims, array.shape, strict=True) if isinstance(d, int))
    )
    return fits and (output.numpy == array.dtype or output.name == "string")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the models are not there")
@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("bert_base_dyn", 2),
        ("efficientnet_b0", 1),
        ("gpt2_decode", None),
        ("llama_decode", None),
        ("lstm_tagger", 1),
        ("mobilenetv2", 1),
        ("swin_tiny", 1),
        ("vit_b16", 1),
        ("whisper_tiny_enc", 1),
        ("yolov8n", 1),
    ],
)
def test_exported_from_frameworks(name: str, outputs: int | None, weightless: Callable[[Path], LoadedModel]) -> None:
    loaded = weightless(SHARED / f"{name}.onnx")
    model = import_model(loaded)
    model.module.verify()
    assert [i.name for i in model.inputs] == [i.name for i in loaded.model.graph.input]
    assert [o.name for o in model.outputs] == [o.name for o in loaded.model.graph.output]
    assert outputs is None or len(model.outputs) == outputs
    # Weights are mapped from the file, never copied.
    large = [w for w in model.weights.values() if w.nbytes > 1 << 20 and w.dtype == np.float32]
    assert large and not any(w.flags.owndata for w in large)


@pytest.mark.parametrize("path", sorted((DATA / "light").glob("*.onnx")), ids=lambda p: p.stem)
def test_light(path: Path) -> None:
    model = import_model(load_model(path))
    model.module.verify()
    expected = onnx.shape_inference.infer_shapes(onnx.load(path)).graph.output
    for output, declared in zip(model.outputs, expected, strict=True):
        assert output.dims == tuple(d.dim_value for d in declared.type.tensor_type.shape.dim)
    # Before IR version 4, initialisers were listed as inputs; they are constants.
    assert len(model.inputs) == 1 and not model.defaults


def arrays(folder: Path, kind: str) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    while (path := folder / "test_data_set_0" / f"{kind}_{len(found)}.pb").exists():
        found.append(numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes())))
    return found


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    if any(node.op_type == "StringNormalizer" for node in model.graph.node):
        # ONNX Runtime wants a locale that few machines have.
        return ReferenceEvaluator(model).run(None, feeds)  # pyright: ignore[reportReturnType]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize("folder", OLD, ids=lambda p: p.name)
def test_old_models_compute_the_same(folder: Path, again: Callable[..., onnx.ModelProto], imported: Callable[..., ImportedModel]) -> None:
    """Imported, exported at a new operator set and run by ONNX Runtime, they give what their data sets say."""
    model = imported((folder / "model.onnx").read_bytes())
    if "ai.onnx.preview.training" in model.opsets:
        pytest.skip("no other runtime has these operators")
    inputs, outputs = arrays(folder, "input"), arrays(folder, "output")
    assert all(agrees(o.type, array, o.dims) for o, array in zip(model.outputs, outputs, strict=True))
    needed = [i.name for i in model.inputs if i.name not in model.defaults]
    exported, feeds = again((folder / "model.onnx").read_bytes()), dict(zip(needed, inputs, strict=False))
    for found, expected in zip(run(exported, feeds), outputs, strict=True):
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
        else:
            assert found.astype(str).tolist() == expected.astype(str).tolist()
