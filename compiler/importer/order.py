"""Puts the nodes of one graph in an order in which every value is defined before its use; `build` calls it."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence

from .graph import Name, Node
from .problems import ImportProblem, listed


def in_order(nodes: Sequence[Node], given: Container[Name] = ()) -> tuple[list[Node], list[Node], ImportProblem | None]:
    """(ordered nodes, nodes on or behind a cycle, the error that names one cycle).

    The file's order is kept where it serves. Names that no node defines count as available; of a name defined twice the
    first definition counts, and none of a name that is `given` already. Linear in nodes and edges.
    """
    producer: dict[Name, int] = {}
    for index, node in enumerate(nodes):
        for output in node.outputs:
            if output and output not in given:
                producer.setdefault(output, index)
    needs = [[producer[name] for name in dict.fromkeys(node.names_used()) if name in producer] for node in nodes]
    if all(need < index for index, found in enumerate(needs) for need in found):
        return list(nodes), [], None
    return _sorted(nodes, needs)


def _sorted(nodes: Sequence[Node], needs: list[list[int]]) -> tuple[list[Node], list[Node], ImportProblem | None]:
    users: list[list[int]] = [[] for _ in nodes]
    for index, found in enumerate(needs):
        for need in found:
            users[need].append(index)
    waiting = [len(found) for found in needs]
    ready = deque(index for index, count in enumerate(waiting) if count == 0)
    ordered: list[Node] = []
    while ready:
        index = ready.popleft()
        ordered.append(nodes[index])
        for user in users[index]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    if len(ordered) == len(nodes):
        return ordered, [], None
    left = [index for index, count in enumerate(waiting) if count]
    return ordered, [nodes[i] for i in left], _cycle_problem(nodes, needs, left)


def _cycle_problem(nodes: Sequence[Node], needs: list[list[int]], left: list[int]) -> ImportProblem:
    """Walks from any node that waits to one it waits for, until it comes back."""
    waiting = set(left)
    path: list[int] = []
    place: dict[int, int] = {}
    index = left[0]
    while index not in place:
        place[index] = len(path)
        path.append(index)
        index = next(need for need in needs[index] if need in waiting)
    cycle = [nodes[i].label for i in reversed(path[place[index] :])]
    return ImportProblem(
        "ITG1001",
        f"{len(cycle)} node{'s wait' if len(cycle) > 1 else ' waits'} for each other's outputs: {listed(cycle)}",
        subject="the graph has a cycle",
        hint="a graph must be acyclic: the model is damaged, or was edited wrongly",
    )
