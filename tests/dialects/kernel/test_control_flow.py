"""Random programs of nested loops, branches and jumps: what is compiled does what Python does."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

_HEAD = "from intaglio.dialects.kernel import Array, Out, inline, kernel, unroll as _unroll\n\n\ndef unroll(n):\n    return range(n)\n\n\n"
_NAMES = ("a", "b", "c")


class Program:
    """Writes the source of a kernel, and a helper with early returns that it calls."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.fresh = 0

    def source(self) -> str:
        helper = ["@inline", "def helper(x, a, b):", "    c = 0", *self.block(1, 0, returns="value"), "    return a - b"]
        body = ["@kernel", "def program(x: Array, y: Out):", "    a = 1", "    b = 2", "    c = 3", *self.block(1, 0, returns="none")]
        return "\n".join([_HEAD, *helper, "", "", *body, "    y[0] = a", "    y[1] = b", "    y[2] = c", ""])

    def block(self, depth: int, loops: int, returns: str) -> list[str]:
        pad, lines = "    " * depth, []
        for _ in range(self.random.randint(1, 4)):
            lines += [pad + line for line in self.statement(depth, loops, returns)]
        return lines

    def nested(self, depth: int, loops: int, returns: str) -> list[str]:
        return [line[4 * depth :] for line in self.block(depth + 1, loops, returns)]

    def statement(self, depth: int, loops: int, returns: str) -> list[str]:
        pick = self.random.random()
        if pick < 0.3 or depth > 5:
            return self.assignment(returns)
        if pick < 0.55:
            lines = [f"if {self.condition()}:", *self.nested(depth, loops, returns)]
            return lines + (["else:", *self.nested(depth, loops, returns)] if self.random.random() < 0.6 else [])
        if pick < 0.75 and loops < 2:
            return self.loop(depth, loops, returns)
        if pick < 0.85 and loops:
            return self.perhaps([self.random.choice(["break", "continue"])])
        if pick < 0.9:
            return self.perhaps(["y[3] = a * 100 + b", "return"] if returns == "none" else [f"return {self.value()}"])
        return self.assignment(returns)

    def perhaps(self, jump: list[str]) -> list[str]:
        """A jump, seldom without a condition: what follows it is dead."""
        if self.random.random() < 0.1:
            return jump
        return [f"if {self.condition()}:", *["    " + line for line in jump]]

    def loop(self, depth: int, loops: int, returns: str) -> list[str]:
        self.fresh += 1
        name = f"i{self.fresh}"
        heads = [f"range({self.random.randint(0, 4)})", f"_unroll({self.random.randint(1, 3)})"]
        heads += ["range(3, -1, -2)", "range(x[1] % 5, x[2] % 7)"]
        head = self.random.choice(heads)
        use = f"    {self.random.choice(_NAMES)} += {name}"
        if self.random.random() < 0.3:
            test = [f"w{self.fresh} = 0", f"while w{self.fresh} < 5 and ({self.condition()}):", f"    w{self.fresh} += 1"]
            return [*test, *self.nested(depth, loops + 1, returns)]
        return [f"for {name} in {head}:", use, *self.nested(depth, loops + 1, returns)]

    def assignment(self, returns: str) -> list[str]:
        if self.random.random() < 0.3:
            self.fresh += 1
            return [f"t{self.fresh} = {self.value()}", f"{self.random.choice(_NAMES)} = t{self.fresh} % 1000 + 1"]
        if returns == "none" and self.random.random() < 0.2:
            return ["a, b = b, helper(x, c % 50, a % 50)"]
        return [f"{self.random.choice(_NAMES)} = ({self.value()}) % 1000"]

    def value(self) -> str:
        return f"{self.random.choice(_NAMES)} {self.random.choice('+-*')} x[{self.random.randint(0, 7)}]"

    def condition(self) -> str:
        name, compare = self.random.choice(_NAMES), self.random.choice(["==", "<", ">="])
        one = f"{name} % {self.random.randint(2, 4)} {compare} {self.random.randint(0, 2)}"
        return one if self.random.random() < 0.7 else f"{one} {self.random.choice(['and', 'or'])} x[a % 8] > {self.random.randint(0, 9)}"


@pytest.mark.parametrize("seed", range(24))
def test_random_programs(run, tmp_path: Path, seed: int):
    path = tmp_path / "program.py"
    path.write_text(Program(seed).source())
    module = load(path)
    for k in range(2):
        x = np.random.default_rng(k).integers(0, 10, 8)
        y = np.zeros(4, np.int64)
        run(module.program, x=x, y=y)
        assert y.tolist() == as_python(path, x), path.read_text()


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_python(path: Path, x: np.ndarray) -> list[int]:
    """The same source with decorators that do nothing."""
    source = path.read_text().replace("@kernel\n", "").replace("@inline\n", "").replace("_unroll(", "range(")
    scope: dict = {}
    exec(source, scope)
    y = [0, 0, 0, 0]
    scope["program"]([int(v) for v in x], y)
    return y


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [0, 1, 5, 30])
def test_the_documented_kernel(run, rng, tmp_path: Path, largest: bool, k: int):
    text = (Path(__file__).parents[3] / "docs" / "kernels.md").read_text()
    path = tmp_path / f"documented_{k}_{largest}.py"
    path.write_text(text.split("```python\n")[1].split("```")[0])
    x = rng.permutation(30).astype(np.float32)
    y, where = np.zeros(k, np.float32), np.zeros(k, np.int64)
    run(load(path).best, x=x, y=y, where=where, largest=largest)
    order = np.argsort(-x if largest else x)[:k]
    np.testing.assert_array_equal(where, order)
    np.testing.assert_array_equal(y, x[order])
