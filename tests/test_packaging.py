"""Holds pyproject.toml against the disk: every package is listed, and the entry points lead somewhere."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_packages_are_those_on_disk() -> None:
    folders = {path.parent for room in ("backends", "compiler", "dialects", "passes", "proto") for path in (ROOT / room).rglob("*.py")}
    found = ["intaglio", *(".".join(("intaglio", *folder.relative_to(ROOT).parts)) for folder in folders)]
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(found)
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_version_is_one() -> None:
    import intaglio

    assert intaglio.__version__ == PROJECT["project"]["version"]


def test_commands_exist() -> None:
    for target in PROJECT["project"]["scripts"].values():
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))


def test_public_names_exist() -> None:
    import intaglio

    assert [name for name in intaglio.__all__ if getattr(intaglio, name, None) is None] == []
