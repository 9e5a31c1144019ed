"""Runs one case with every reference and with the compiler, and says whether what was compiled is right.

Right is what both references say. Where they disagree with each other either of them is, and where only one can run the model, that one:
`exceptions` names the operators whose reference contradicts the specification. A reference run once more on inputs that differ in
their last bits says how far rounding may carry.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from .arrays import is_float
from .exceptions import distrusted, refusals
from .models import Case

# Relative, of one operation's result; sums over an axis carry on from it.
_TOLERANCES = {"float64": 1e-9, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2, "complex64": 2e-5, "complex128": 1e-9}
# Their attributes are float32, or so is what they compute in: a double is right to that.
_SINGLE = frozenset(
    (
        *("Attention", "BatchNormalization", "BlackmanWindow", "Celu", "Elu", "Gemm", "GroupNormalization", "HammingWindow", "HannWindow"),
        *("HardSigmoid", "HardSwish", "InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu", "LpNormalization"),
        *("MelWeightMatrix", "RMSNormalization", "Range", "Resize", "Selu", "Shrink", "SwiGLU", "Swish", "ThresholdedRelu"),
    )
)
_NARROW = 0.26  # of the types under 16 bits: one of their steps
_OLDER_OPSETS = (23, 21, 18, 15)


@dataclass
class Verdict:
    """status: right, wrong, refused (by the compiler), failed (an exception of no code, or an internal one), invalid (no reference
    takes the case), unjudged (the references contradict each other, or chance decides); detail: in words."""

    status: str
    detail: str = ""
    judges: str = ""


Results = list[Any] | Exception


def judge(case: Case, stage: Callable[[str], None], skip: frozenset[str] = frozenset()) -> Verdict:
    """stage: told what is about to run, as it may end the process. skip: the stages that did."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    model = onnx.ModelProto.FromString(case.model)
    references: dict[str, list[Results]] = {}
    for name, run in (("reference", _reference), ("ort", _ort)):
        if name in skip or name in {who for operator in case.operators for who in distrusted(operator, model)}:
            continue
        stage(name)
        references[name] = run(model, case.feeds)
    known = {name: results for name, results in references.items() if not isinstance(results[0], Exception)}
    stage("intaglio")
    mine = _intaglio(case)
    if isinstance(mine, _Refused):
        return _refused(case, mine, bool(known), references)
    verdicts = [_judge_run(case, model, i, mine[i], {name: results[i] for name, results in known.items()}) for i in range(len(case.feeds))]
    worst = min(verdicts, key=lambda v: ("wrong", "failed", "refused", "invalid", "unjudged", "right").index(v.status))
    worst.judges = "+".join(known) or "none"
    if not known and worst.status == "invalid":
        worst.detail = "; ".join(f"{name}: {results[0]}"[:200] for name, results in references.items())
    return worst


def _reference(model: onnx.ModelProto, feeds: list[dict[str, np.ndarray]]) -> list[Results]:
    try:
        evaluator = ReferenceEvaluator(model)
    except Exception as error:
        return [error] * len(feeds)
    return [_attempt(lambda feed=feed: evaluator.run(None, feed)) for feed in feeds]


def _ort(model: onnx.ModelProto, feeds: list[dict[str, np.ndarray]]) -> list[Results]:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session: Any = ValueError("types that numpy has not")
    if all(array.dtype.kind in "fiubOc" for feed in feeds for array in feed.values()):
        for opset in (model.opset_import[0].version, *_OLDER_OPSETS):
            older = onnx.ModelProto.FromString(model.SerializeToString())
            older.opset_import[0].version = opset
            older.ir_version = 10
            if opset != model.opset_import[0].version:
                next(i for i in older.opset_import if i.domain == "ai.onnx.ml").version = 3
            try:
                session = onnxruntime.InferenceSession(older.SerializeToString(), options)
                break
            except Exception as error:  # its own exceptions are of no common class
                session = error
                if not any(word in str(error) for word in ("NOT_IMPLEMENTED", "implementation", "deprecated")):
                    break
    if isinstance(session, Exception):
        return [session] * len(feeds)
    return [_attempt(lambda feed=feed: session.run(None, feed)) for feed in feeds]


def _attempt(run: Callable[[], list[Any]]) -> Results:
    try:
        return run()
    except Exception as error:
        return error


@dataclass
class _Refused:
    status: str
    text: str


def _intaglio(case: Case) -> list[Results] | _Refused:
    import intaglio

    try:
        session = intaglio.compile(case.model, opt_level=case.opt_level).session()
    except intaglio.IntaglioError as error:
        text = str(error)
        return _Refused("failed" if "ITG9001" in text or "ITG1090" in text else "refused", text)
    except Exception as error:
        return _Refused("failed", f"{type(error).__name__}: {error}")
    return [_attempt(lambda feed=feed: session.run(None, feed)) for feed in case.feeds]


def _refused(case: Case, mine: _Refused, valid: bool, references: dict[str, list[Results]]) -> Verdict:
    if mine.status == "failed":
        return Verdict("failed", mine.text)
    if not valid:
        return Verdict("invalid", f"{mine.text[:300]}; " + "; ".join(f"{name}: {r[0]}"[:200] for name, r in references.items()))
    named = [reason for operator in case.operators for code, reason in refusals(operator) if code in mine.text]
    return Verdict("unjudged", f"may be refused: {named[0]}") if named else Verdict("refused", mine.text)


def _judge_run(case: Case, model: onnx.ModelProto, index: int, mine: Results, known: dict[str, Results]) -> Verdict:
    answers = {name: results for name, results in known.items() if not isinstance(results, Exception)}
    if isinstance(mine, Exception):
        if not answers:
            return Verdict("invalid")
        coded = "ITG" in str(mine)
        named = [reason for operator in case.operators for code, reason in refusals(operator) if code in str(mine)]
        return (
            Verdict("unjudged", f"may be refused: {named[0]}")
            if named
            else Verdict("refused" if coded else "failed", f"run {index}: {mine}")
        )
    if not answers:
        return Verdict("invalid")
    moved: list[list[Any]] | None = None
    complaints = {}
    for name, expected in answers.items():
        said = _differences(case, mine, expected, list(answers.values()), None)
        if said and not case.random:
            moved = moved if moved is not None else _moved(model, case.feeds[index])
            said = _differences(case, mine, expected, list(answers.values()), moved)
        if not said:
            return Verdict("right")
        complaints[name] = said
    return Verdict("wrong", f"run {index}: " + "; ".join(f"{name}: {said}" for name, said in complaints.items()))


def _moved(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> list[list[Any]]:
    """What the reference makes of inputs that differ in their last bits."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3):
        changed = onnx.ModelProto.FromString(model.SerializeToString())
        for tensor in changed.graph.initializer:
            array = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(_nudged(rng, array), tensor.name))
        results = _reference(changed, [{name: _nudged(rng, array) for name, array in feed.items()}])[0]
        if not isinstance(results, Exception):
            found.append(results)
    return found


def _nudged(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    if not is_float(array.dtype) or array.dtype.itemsize < 2:
        return array
    step = {2: 2.0**-10, 4: 2.0**-22, 8: 2.0**-51}[array.dtype.itemsize] if array.dtype.name != "bfloat16" else 2.0**-7
    return np.asarray(array.astype(np.float64) * (1 + step * rng.choice([-1, 0, 1], array.shape))).astype(array.dtype)


def _differences(case: Case, mine: list[Any], expected: list[Any], answers: list[list[Any]], moved: list[list[Any]] | None) -> str:
    if len(mine) != len(expected):
        return f"{len(mine)} outputs instead of {len(expected)}"
    for i, (got, want) in enumerate(zip(mine, expected, strict=True)):
        if isinstance(want, np.ndarray | np.generic) and want.dtype != np.asarray(got).dtype == case.output_dtypes[i]:
            want = np.asarray(want).astype(case.output_dtypes[i])
        others = [answer[i] for answer in answers if answer is not expected]
        said = _difference(case, got, want, others, [m[i] for m in moved or [] if len(m) == len(expected)])
        if said:
            return f"output {i}: {said}"
    return ""


def _difference(case: Case, got: Any, want: Any, others: list[Any], moved: list[Any]) -> str:
    if isinstance(want, list) or isinstance(got, list):
        return _list_difference(case, got, want)
    if isinstance(want, dict):
        same = isinstance(got, dict) and got.keys() == want.keys()
        same = same and np.array_equal([got[key] for key in want], list(want.values()), equal_nan=True)
        return "" if same else f"{got} instead of {want}"
    if want is None or got is None:
        return "" if want is got else f"{got} instead of {want}"
    got, want = np.asarray(got), np.asarray(want)
    if got.dtype.kind in "OUST" or want.dtype.kind in "OUST":
        same = got.shape == want.shape and got.astype(str).tolist() == want.astype(str).tolist()
        return "" if same else f"{got.tolist()} instead of {want.tolist()}"
    if got.dtype != want.dtype:
        return f"{got.dtype} instead of {want.dtype}"
    if got.shape != want.shape:
        return f"shape {got.shape} instead of {want.shape}"
    if case.random or not got.size:
        return ""
    wrong = ~_close(case, got, want)
    for other in others if case.extreme else []:
        wrong &= np.asarray(other).shape == want.shape and _close(case, np.asarray(other), want)
    if not wrong.any():
        return ""
    wrong &= ~_excused(got, want, moved)
    if not wrong.any():
        return ""
    at = tuple(int(x) for x in np.argwhere(wrong)[0])
    return f"{got[at]} instead of {want[at]} at {at}, {int(wrong.sum())} of {wrong.size} ({want.dtype})"


def _list_difference(case: Case, got: Any, want: Any) -> str:
    if not isinstance(got, list) or not isinstance(want, list) or len(got) != len(want):
        return f"{got} instead of {want}"
    said = (_difference(case, g, w, [], []) for g, w in zip(got, want, strict=True))
    return next((f"element {i}: {text}" for i, text in enumerate(said) if text), "")


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _close(case: Case, got: np.ndarray, want: np.ndarray) -> np.ndarray:
    if not is_float(want.dtype) and want.dtype.kind != "c":
        return np.asarray(got == want)
    relative = _TOLERANCES.get(want.dtype.name, _NARROW)
    if want.dtype == np.float32:  # which a reference may have got through a shorter type
        relative = max([relative, *(_TOLERANCES[name] for name in ("float16", "bfloat16") if name in case.dtypes)])
    if want.dtype == np.float64 and not _SINGLE.isdisjoint(case.operators):
        relative = _TOLERANCES["float32"]
    mine, theirs = _wide(got), _wide(want)
    finite = np.isfinite(theirs)
    largest = float(np.max(np.abs(theirs[finite]), initial=0.0))
    exact = case.pointwise and want.dtype.name in ("float32", "float64")  # of shorter types a reference rounds each step
    bound = relative * np.abs(theirs) + (relative * min(largest, 1.0) * 0.01 if exact else relative * max(largest, 1e-3))
    close = np.abs(mine - theirs) <= bound
    return close | (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))


def _excused(got: np.ndarray, want: np.ndarray, moved: list[Any]) -> np.ndarray:
    """Where inputs' last bits decide: integers that change with them, and numbers that move as far."""
    excused = np.zeros(want.shape, bool)
    theirs = _wide(want)
    for array in map(np.asarray, moved):
        if array.shape != want.shape:
            return np.ones(want.shape, bool)
        if not is_float(want.dtype) and want.dtype.kind != "c":
            excused |= array != want
        else:
            distance = np.abs(_wide(array) - theirs)
            excused |= (np.abs(_wide(got) - theirs) <= 16 * distance) | (np.isnan(_wide(array)) != np.isnan(theirs))
    return excused
