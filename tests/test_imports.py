"""Holds the direction of imports: proto ← compiler/importer → dialects ← passes ← backends ← compiler; no room reaches back up."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each room may import of the others, besides itself and the root's errors. The order is the house's.
ALLOWED = {
    "proto": set(),
    "dialects": set(),
    "passes": {"dialects"},
    "backends": {"dialects", "passes"},
    "compiler.importer": {"proto", "dialects"},
    "compiler": {"proto", "dialects", "passes", "backends", "compiler.importer"},
    "root": {"proto", "dialects", "passes", "backends", "compiler", "compiler.importer"},
}
# Modules of the root that anyone may import: they import none of the rooms.
SHARED = {"errors", "hints"}
# Where a rule is bent, and why.
EXCEPTIONS = {
    # The command line says which version it is.
    ("compiler/cli/arguments.py", ""),
}
FILES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.py", *(f"{room}/**/*.py" for room in ("proto", "dialects", "passes", "backends", "compiler")))
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_go_one_way(file: Path) -> None:
    room = room_of(file.with_suffix("").parts)
    for imported in imports(file):
        target = room_of(imported)
        if target == "root":
            bent = (file.as_posix(), ".".join(imported)) in EXCEPTIONS
            assert room == "root" or bent or imported[0] in SHARED, f"{file} imports {'.'.join(imported) or 'the root'}"
        else:
            assert target == room or target in ALLOWED[room], f"{file}, in {room}, imports {'.'.join(imported)}"


def test_shared_modules_import_no_room() -> None:
    for name in SHARED:
        path = Path(f"{name}.py")
        if (ROOT / path).exists():
            assert all(imported[0] in SHARED for imported in imports(path))


def room_of(parts: tuple[str, ...]) -> str:
    if parts[:2] == ("compiler", "importer"):
        return "compiler.importer"
    return parts[0] if parts and parts[0] in ALLOWED else "root"


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """Modules of ours that a file imports, from the root; those under TYPE_CHECKING are imports like others."""
    package = file.parent.parts
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + tuple((node.module or "").split(".") if node.module else ())
            if node.module:
                yield base
            else:
                # `from . import x`: x may be a module or a name of the package.
                yield from ((*base, name.name) if _is_module(base, name.name) else base for name in node.names)
        else:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None) or ""]
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not any(name.split(".")[0] == "intaglio" for name in names), f"{file}: imports inside the package are relative"


def _is_module(base: tuple[str, ...], name: str) -> bool:
    path = ROOT.joinpath(*base, name)
    return path.is_dir() or path.with_suffix(".py").exists()
