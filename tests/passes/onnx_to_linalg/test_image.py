"""Resampling and grids: against the reference evaluator, with scales and sizes that only the run tells."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(0)


def reference(op, *inputs, **attributes):
    names = ["" if x is None else f"x{n}" for n, x in enumerate(inputs)]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names if n]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(op, names, ["y"], **attributes)], "g", values, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return ReferenceEvaluator(model).run(None, {n: x for n, x in zip(names, inputs, strict=True) if n})[0]


MODES = [
    {"mode": "nearest"},
    {"mode": "nearest", "nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"},
    {"mode": "linear"},
    {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    {"mode": "linear", "antialias": 1},
    {"mode": "cubic", "coordinate_transformation_mode": "pytorch_half_pixel"},
    {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5},
    {"mode": "cubic", "antialias": 1},
    {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"},
]


@pytest.mark.parametrize("attributes", MODES)
@pytest.mark.parametrize("scale", [[1, 1, 1.6, 2], [1, 1, 0.45, 0.7]])
@pytest.mark.parametrize("known", [True, False])
def test_scales(run, attributes, scale, known):
    x, scales = rng.standard_normal((1, 2, 6, 5)).astype(np.float32), np.array(scale, np.float32)
    y = run("Resize", x, None, scales, constants=(2,) if known else (), **attributes)
    np.testing.assert_allclose(y, reference("Resize", x, None, scales, **attributes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("known", [True, False])
def test_sizes(run, policy, known):
    x, sizes = rng.standard_normal((1, 1, 4, 6)).astype(np.float32), np.array([7, 8], np.int64)
    attributes = {"axes": [2, 3], "keep_aspect_ratio_policy": policy, "mode": "linear"}
    y = run("Resize", x, None, None, sizes, constants=(3,) if known else (), **attributes)
    np.testing.assert_allclose(y, reference("Resize", x, None, None, sizes, **attributes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_crop(run, known):
    x, roi = rng.standard_normal((1, 1, 4, 4)).astype(np.float32), np.array([0, 0, 0.4, 0.6, 1, 1, 0.9, 1.4], np.float32)
    sizes = np.array([1, 1, 3, 5], np.int64)
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear", "extrapolation_value": 10.0}
    y = run("Resize", x, roi, None, sizes, constants=(1,) if known else (), **attributes)
    np.testing.assert_allclose(y, reference("Resize", x, roi, None, sizes, **attributes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.bool_])
def test_types(run, dtype):
    x = rng.integers(0, 2, (1, 1, 3, 3)).astype(dtype)
    y = run("Resize", x, None, np.array([1, 1, 2, 2], np.float32), constants=(2,), open_dims=True)
    np.testing.assert_array_equal(y, x.repeat(2, axis=2).repeat(2, axis=3))


def test_nothing_to_resize(run):
    x = rng.standard_normal((2, 3)).astype(np.float32)
    np.testing.assert_array_equal(run("Resize", x, None, np.ones(2, np.float32), constants=(2,)), x)
    assert run("Resize", np.empty((0, 3), np.float32), None, np.array([1, 2], np.float32), constants=(2,)).shape == (0, 6)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [0, 1])
def test_grid(run, mode, padding, corners):
    x, grid = rng.standard_normal((2, 2, 4, 5)).astype(np.float32), rng.uniform(-2.2, 2.2, (2, 3, 3, 2)).astype(np.float32)
    attributes = {"mode": mode, "padding_mode": padding, "align_corners": corners}
    y = run("GridSample", x, grid, open_dims=True, **attributes)
    np.testing.assert_allclose(y, reference("GridSample", x, grid, **attributes), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("mode", "plane"), [("linear", (4, 5)), ("cubic", (4, 5)), ("linear", (3, 2, 4))])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_grid_of_many_channels(run, mode, plane, padding):
    x = rng.standard_normal((2, 9, *plane)).astype(np.float32)
    grid = rng.uniform(-2.2, 2.2, (2, *plane[::-1], len(plane))).astype(np.float32)
    y = run("GridSample", x, grid, open_dims=(0, 2), mode=mode, padding_mode=padding)
    np.testing.assert_allclose(y, reference("GridSample", x, grid, mode=mode, padding_mode=padding), rtol=1e-3, atol=1e-4)


def test_grid_far_outside(run):
    x, grid = np.ones((1, 1, 1, 3), np.float32), np.array([[[[np.inf, 0], [np.nan, -np.inf], [1e30, 5]]]], np.float32)
    for padding in ("zeros", "border", "reflection"):
        assert run("GridSample", x, grid, padding_mode=padding, align_corners=1, mode="nearest").shape == (1, 1, 1, 3)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("size", [(2, 1, 3, 4), (2, 1, 2, 3, 4)])
def test_affine_grid(run, corners, size):
    spatial = len(size) - 2
    theta = rng.standard_normal((2, spatial, spatial + 1)).astype(np.float32)
    sizes = np.array(size, np.int64)
    grid = run("AffineGrid", theta, sizes, align_corners=corners)
    np.testing.assert_allclose(grid, reference("AffineGrid", theta, sizes, align_corners=corners), rtol=1e-4, atol=1e-5)
