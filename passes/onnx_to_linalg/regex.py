"""RegexFullMatch: the pattern becomes an automaton while compiling, a kernel runs the strings' bytes through it."""

from __future__ import annotations

from ...dialects.kernel import Array, Out, kernel
from ...dialects.onnx.string import RegexFullMatchOp
from ...dialects.onnx.types import BY_NAME
from ..regex import Automaton, PatternError, compile_pattern
from ..scalar import BOOL, INT64
from .builder import Lowering, Tensor
from .registry import lower
from .texts import bytes_of

UINT8, INT32 = BY_NAME["uint8"], BY_NAME["int32"]


@kernel
def follow_states(offsets: Array, bytes: Array, classes: Array, steps: Array, accepts: Array, y: Out):
    """Whether each text leads from state 1 to one that accepts; state 0 is never left."""
    for i in range(y.size):
        state = 1
        for at in range(offsets[i], offsets[i + 1]):
            state = int(steps[state, int(classes[int(bytes[at])])])
            if state == 0:
                break
        y[i] = accepts[state] != 0


@kernel
def follow_sets(
    offsets: Array, bytes: Array, kinds: Array, rows: Array, edges: Array, accepts: Array, here: Out, there: Out, seen: Out, y: Out
):
    """The same through sets of states, from state 0; `seen` holds the step in which each was last reached."""
    states = here.size
    for s in range(states):
        seen[s] = 0
    step = 0
    for i in range(y.size):
        here[0] = 0
        count, before = 1, 0
        for at in range(offsets[i], offsets[i + 1]):
            byte = int(bytes[at])
            after = int(kinds[byte])
            found = 0
            step += 1
            for k in range(count):
                row = (4 * before + after) * states + here[k]
                for e in range(rows[row], rows[row + 1]):
                    target = int(edges[e, 2])
                    if byte >= int(edges[e, 0]) and byte <= int(edges[e, 1]) and seen[target] != step:
                        seen[target] = step
                        there[found] = target
                        found += 1
            for k in range(found):
                here[k] = there[k]
            count = found
            before = after
            if count == 0:
                break
        accepted = False
        for k in range(count):
            if accepts[before * states + here[k]] != 0:
                accepted = True
        y[i] = accepted


@lower(RegexFullMatchOp)
def regex_full_match(b: Lowering, op: RegexFullMatchOp, x: Tensor) -> Tensor:
    try:
        found = compile_pattern(op.attr("pattern") or "")
    except PatternError as error:
        raise op.fail(
            "ITG2172", str(error), hint="The pattern is read as RE2 reads it: https://github.com/google/re2/wiki/Syntax"
        ) from error
    text = bytes_of(b, x)
    arrays = {"offsets": text.offsets, "bytes": text.bytes}
    y = {"y": ((x.size,), BOOL)}
    if isinstance(found, Automaton):
        tables = {
            "classes": b.constant(found.classes, UINT8),
            "steps": b.constant(found.steps, INT32),
            "accepts": b.constant(found.accepts, UINT8),
        }
        return b.reshape(b.kernel(follow_states, {**arrays, **tables, **y})[0], x.shape)
    tables = {
        "kinds": b.constant(found.kinds, UINT8),
        "rows": b.constant(found.rows, INT64),
        "edges": b.constant(found.edges, INT32),
        "accepts": b.constant(found.accepts, UINT8),
    }
    scratch = dict.fromkeys(("here", "there", "seen"), ((found.states,), INT64))
    *_, matched = b.kernel(follow_sets, {**arrays, **tables, **scratch, **y})
    return b.reshape(matched, x.shape)
