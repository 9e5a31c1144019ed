"""Patterns to automata over bytes: a deterministic one where it stays small, else the steps of a nondeterministic one.

The way is that of Thompson (1968): a graph of nodes with byte edges and free edges, some of them only at places such as a line's
begin. What a place is depends on the bytes before and after it, which come in a few kinds.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from .runes import Bytes, spelt
from .syntax import AnyByte, Choice, Node, PatternError, Place, Repeat, Rune, Sequence, parse

MOST_NODES = 30_000
MOST_ENTRIES = 1 << 17
MOST_WORK = 1_000_000
"""Edges followed while making a deterministic automaton: about a second. Beyond it, or in a table of more than MOST_ENTRIES, the pattern
is simulated; one that comes to more nodes, or to more work even so, is refused."""
MOST_JOINED = 500
"""States that are joined where they are alike, which takes a round for each of a chain."""

# Kinds of bytes, and the edge of the text: its begin before the first byte, its end after the last.
EDGE, NEWLINE, WORD, OTHER = range(4)
KINDS = 4

_HOLDS = {
    "text begin": lambda before, _: before == EDGE,
    "text end": lambda _, after: after == EDGE,
    "line begin": lambda before, _: before in (EDGE, NEWLINE),
    "line end": lambda _, after: after in (EDGE, NEWLINE),
    "word edge": lambda before, after: (before == WORD) != (after == WORD),
    "no word edge": lambda before, after: (before == WORD) == (after == WORD),
}


@dataclass(frozen=True, eq=False)
class Automaton:
    """A deterministic automaton. Bytes match if `steps[state, classes[byte]]` over them leads to a state that accepts.

    Matching begins in state `starts[k]`, k the kind of the byte before, and a state accepts where bit l of `accepts[state]` is set, l the
    kind of the byte after; a whole text begins in state 1 and ends before an EDGE. State 0 is never left. kinds: uint8[256], of bytes;
    classes: uint8[256]; steps: int32[states, number of classes]; starts: int32[4]; accepts: uint8[states].
    """

    kinds: np.ndarray
    classes: np.ndarray
    steps: np.ndarray
    starts: np.ndarray
    accepts: np.ndarray


@dataclass(frozen=True, eq=False)
class Simulation:
    """A nondeterministic automaton without free edges, in which a text is in several states at once; it begins in state 0.

    kinds: uint8[256], what each byte is to the places beside it. In state s, after a byte of kind k and before one of kind l, the edges
    r = rows[(k * 4 + l) * states + s] to the next row lead by bytes edges[r, 0] to edges[r, 1] to state edges[r, 2]. At the end it
    accepts where accepts[k * states + s].
    """

    states: int
    kinds: np.ndarray
    rows: np.ndarray
    edges: np.ndarray
    accepts: np.ndarray


def compile_pattern(pattern: str) -> Automaton | Simulation:
    """What decides whether a whole text matches. Raises PatternError for a pattern that is none in RE2's syntax, or is too large."""
    graph = _Graph(parse(pattern))
    return _Determinised(graph, [EDGE]).run() or _simulation(graph)


def compile_search(pattern: str) -> Automaton:
    """What finds matches inside of a text. Raises PatternError for a pattern that is none in RE2's syntax, or is too large."""
    found = _Determinised(_Graph(parse(pattern)), range(KINDS)).run()
    if found is None:
        raise PatternError("the pattern is too large to be searched for: its repetitions or alternatives multiply")
    return found


class _Graph:
    """The nodes of a pattern. Built from the end: each part is told the node that follows it, and says the one it begins at."""

    def __init__(self, tree: Node) -> None:
        self.edges: list[list[tuple[int, int, int]]] = []
        self.free: list[list[tuple[int, str]]] = []
        self.places: set[str] = set()
        self.end = self.node()
        self.start = self.build(tree, self.end)
        # A byte's kind matters to places alone.
        self.kinds = np.zeros(256, np.uint8) + OTHER
        if self.places:
            self.kinds[[*range(48, 58), *range(65, 91), 95, *range(97, 123)]] = WORD
            self.kinds[10] = NEWLINE
        self.work = 0
        self._closures: dict[tuple[int, int, int], tuple[int, ...]] = {}

    def node(self) -> int:
        if len(self.edges) >= MOST_NODES:
            raise PatternError(f"the pattern comes to more than {MOST_NODES} nodes")
        self.edges.append([])
        self.free.append([])
        return len(self.edges) - 1

    def build(self, tree: Node, after: int) -> int:
        if isinstance(tree, Sequence):
            for part in reversed(tree.parts):
                after = self.build(part, after)
            return after
        if isinstance(tree, Repeat):
            return self._repeat(tree, after)
        start = self.node()
        if isinstance(tree, Choice):
            self.free[start] = [(self.build(part, after), "") for part in tree.parts]
        elif isinstance(tree, Place):
            self.places.add(tree.kind)
            self.free[start] = [(after, tree.kind)]
        elif isinstance(tree, AnyByte):
            self.edges[start] = [(0, 255, after)]
        else:
            self._spell(tree, start, after)
        return start

    def _repeat(self, tree: Repeat, after: int) -> int:
        if tree.most is None:
            loop = self.node()
            self.free[loop] = [(self.build(tree.part, loop), ""), (after, "")]
            entry = loop
        else:
            entry = after
            for _ in range(tree.most - tree.least):
                option = self.node()
                self.free[option] = [(self.build(tree.part, entry), ""), (after, "")]
                entry = option
        for _ in range(tree.least):
            entry = self.build(tree.part, entry)
        return entry

    def _spell(self, tree: Rune, start: int, after: int) -> None:
        """One code point in UTF-8: at most one edge for a byte, and nodes with the same ways to the end kept once."""
        known: dict[tuple[Bytes, ...], int] = {((),): after}

        def edges(sequences: tuple[Bytes, ...]) -> list[tuple[int, int, int]]:
            ways: dict[tuple[int, int], list[Bytes]] = {}
            for first, *rest in sequences:
                ways.setdefault(first, []).append(tuple(rest))
            return [(low, high, node(tuple(rests))) for (low, high), rests in ways.items()]

        def node(rests: tuple[Bytes, ...]) -> int:
            if rests not in known:
                following = edges(rests)
                known[rests] = self.node()
                self.edges[known[rests]] = following
            return known[rests]

        self.edges[start] = edges(tuple(spelt(tree.runes)))

    def closure(self, node: int, before: int, after: int) -> tuple[int, ...]:
        """The nodes that free edges lead to, itself among them, at a place between bytes of those kinds."""
        key = (node, before, after)
        if key not in self._closures:
            found = {node: None}
            waiting = [node]
            while waiting:
                for target, place in self.free[waiting.pop()]:
                    if target not in found and (not place or _HOLDS[place](before, after)):
                        found[target] = None
                        waiting.append(target)
            self.work += len(found)
            self._closures[key] = tuple(n for n in found if self.edges[n] or n == self.end)
        return self._closures[key]


class _Determinised:
    """States as sets of nodes, with the kind of the byte that led there. places: the kinds of bytes beside a match that matter."""

    def __init__(self, graph: _Graph, places: Iterable[int]) -> None:
        self.graph, self.places = graph, list(places)
        bounds = {0, *(b for edges in graph.edges for low, high, _ in edges for b in (low, high + 1))}
        bounds |= {b for b in range(1, 256) if graph.kinds[b] != graph.kinds[b - 1]}
        # Bytes from one bound to the next are treated alike.
        self.bounds = sorted(b for b in bounds if b < 256)
        self.classes = np.searchsorted(self.bounds, np.arange(256), side="right") - 1
        self.kinds = [int(graph.kinds[b]) for b in self.bounds]
        self.spans = [[self._span(low, high) for low, high, _ in edges] for edges in graph.edges]

    def _span(self, low: int, high: int) -> range:
        return range(bisect.bisect_left(self.bounds, low), bisect.bisect_right(self.bounds, high))

    def run(self) -> Automaton | None:
        """The automaton, None where it would be too large."""
        first = frozenset((self.graph.start,))
        numbers: dict[tuple[frozenset[int], int], int] = {(frozenset(), -1): 0} | {(first, k): n for n, k in enumerate(self.places, 1)}
        rows: list[list[int]] = [[0] * len(self.bounds), *([] for _ in self.places)]
        accepts = [0] * len(rows)
        waiting = deque((first, kind) for kind in self.places)
        while waiting:
            state = waiting.popleft()
            row: list[int] = []
            for targets, kind in self._step(state):
                following = (targets, kind) if targets else (frozenset(), -1)
                if following not in numbers:
                    numbers[following] = len(numbers)
                    rows.append([])
                    accepts.append(0)
                    waiting.append(following)
                row.append(numbers[following])
            rows[numbers[state]] = row
            accepts[numbers[state]] = sum(1 << kind for kind in self.places if self._ends(state, kind))
            if len(numbers) * len(self.bounds) > MOST_ENTRIES or self.graph.work > MOST_WORK:
                return None
        starts = np.resize(np.arange(1, len(self.places) + 1, dtype=np.int32), KINDS)
        return _smallest(Automaton(self.graph.kinds, self.classes, np.array(rows, np.int32), starts, np.array(accepts, np.uint8)))

    def _ends(self, state: tuple[frozenset[int], int], after: int) -> bool:
        nodes, before = state
        return any(self.graph.end in self.graph.closure(n, before, after) for n in nodes)

    def _step(self, state: tuple[frozenset[int], int]) -> list[tuple[frozenset[int], int]]:
        """Where each class of bytes leads to."""
        nodes, before = state
        found: list[set[int]] = [set() for _ in self.bounds]
        kinds = self.kinds
        for after in set(kinds):
            for node in {n for start in nodes for n in self.graph.closure(start, before, after)}:
                for span, (_, _, target) in zip(self.spans[node], self.graph.edges[node], strict=True):
                    self.graph.work += len(span)
                    for c in span:
                        if kinds[c] == after:
                            found[c].add(target)
        return [(frozenset(targets), kind) for targets, kind in zip(found, kinds, strict=True)]


def _smallest(found: Automaton) -> Automaton:
    """The automaton without what does not tell texts apart: states, if they are few, and classes of bytes."""
    if len(found.steps) <= MOST_JOINED:
        found = _joined(found)
    columns, where = np.unique(found.steps, axis=1, return_inverse=True)
    return replace(found, classes=where.reshape(-1)[found.classes].astype(np.uint8), steps=np.ascontiguousarray(columns))


def _joined(found: Automaton) -> Automaton:
    """Joins states of which the same texts are accepted (Moore's way)."""
    steps, groups, count = found.steps, found.accepts.astype(np.int64), 0
    while True:
        signature = np.concatenate([groups[:, None], groups[steps]], axis=1)
        _, first, groups = np.unique(signature, axis=0, return_index=True, return_inverse=True)
        groups = groups.reshape(-1)
        if len(first) == count:
            break
        count = len(first)
    # The dead state keeps number 0 and the first state number 1, even where that is dead too.
    kept = [0, 1, *(n for n in first.tolist() if groups[n] not in (groups[0], groups[1]))]
    number = {int(groups[n]): k for k, n in reversed(list(enumerate(kept)))}
    starts = [1 if n == 1 else number[int(groups[n])] for n in found.starts.tolist()]
    joined = np.array([[number[int(groups[t])] for t in steps[n]] for n in kept], np.int32)
    return replace(found, steps=joined, starts=np.array(starts, np.int32), accepts=found.accepts[kept])


def _simulation(graph: _Graph) -> Simulation:
    """The states are the nodes that byte edges lead to, and the first."""
    nodes = list(dict.fromkeys([graph.start, *(target for edges in graph.edges for _, _, target in edges)]))
    number = {node: n for n, node in enumerate(nodes)}
    graph.work = 0
    rows: list[int] = []
    edges: list[tuple[int, int, int]] = []
    for before in range(KINDS):
        for after in range(KINDS):
            for node in nodes:
                rows.append(len(edges))
                if after == EDGE or (not graph.places and (before, after) != (OTHER, OTHER) and before != EDGE):
                    continue
                closure = graph.closure(node, before, after)
                edges += [(low, high, number[t]) for n in closure for low, high, t in graph.edges[n]]
                if max(len(edges), graph.work) > MOST_WORK:
                    raise PatternError("the pattern is too large: its repetitions multiply")
    rows.append(len(edges))
    accepts = [graph.end in graph.closure(node, before, EDGE) for before in range(KINDS) for node in nodes]
    table = np.array(edges, np.int32).reshape(-1, 3)
    return Simulation(len(nodes), graph.kinds, np.array(rows, np.int64), table, np.array(accepts, np.uint8))
