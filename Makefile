# The daily commands, in the environment .venv that `make setup` makes; PYTHON=python uses the active one instead.
PYTHON ?= .venv/bin/python
MODEL ?= examples/digits/digits.onnx

.PHONY: help setup test official lit lint bench docs

help:
	@echo "make setup | test | official | lit | lint | bench [MODEL=..] | docs"

setup:
	python3 -m venv .venv
	.venv/bin/pip install -q -e '.[test,dev]'

test:
	$(PYTHON) -m pytest

# Writes the list of official cases that do not pass yet.
official:
	$(PYTHON) tests/official/run_cases.py --update --reasons

lit:
	$(PYTHON) -c "from lit.main import main; main()" -v lit_tests

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m pyright

bench:
	$(PYTHON) -m intaglio.compiler.cli.main bench $(MODEL) --compare

docs:
	$(PYTHON) docs/generate_operators.py
	$(PYTHON) docs/generate_versions.py
