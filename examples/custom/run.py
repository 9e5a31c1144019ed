"""Tells irises apart with a model of two custom operators: in this process, and from a library that no longer needs Python.

    python examples/custom/run.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import flower_operators
import intaglio
import numpy as np

HERE = Path(__file__).parent
SPECIES = ("setosa", "versicolor", "virginica")
FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.3, 3.3, 6.0, 2.5], [4.9, 3.1, 1.5, 0.1]], np.float32)


def main() -> None:
    program = intaglio.compile(HERE / "flowers.onnx", operators=flower_operators)
    species, distance = program.session().run(None, {"flowers": FLOWERS})
    for flower, s, d in zip(FLOWERS, species, distance, strict=True):
        print(f"{flower} is a {SPECIES[s]}, {d:.2f} from its mean")
    with tempfile.TemporaryDirectory() as folder:
        library = program.save(Path(folder) / "flowers.so")
        again = intaglio.load(library).run(None, {"flowers": FLOWERS})
    same = all(np.array_equal(a, b) for a, b in zip(again, (species, distance), strict=True))
    print(f"{library.name} says {'the same' if same else 'something else'}")


if __name__ == "__main__":
    main()
