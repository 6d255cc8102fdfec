# `make demo` sets everything up and runs the quickstart, `make test` runs every check, `make soak` does harm for half an hour.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Every step of a recipe and every second test is a process: it starts from modules that are compiled already.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lint types floors pytest soak format clean

demo: $(READY)
	$(BIN)/teachonce run quickstart

test: lint types floors pytest

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "teachonce needs Python 3.11 or later; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

lint: $(READY)
	$(BIN)/ruff check teachonce tests scripts
	$(BIN)/ruff format --check teachonce tests scripts

types: $(READY)
	$(BIN)/mypy

floors: $(READY)
	$(BIN)/lint-imports

pytest: $(READY)
	$(BIN)/python -m pytest -m 'not alone' -n auto --maxprocesses 4 --dist loadfile
	$(BIN)/python -m pytest -m alone

# Faults of all kinds, many times: SEED=1 FAULTS=kills,flips TRIES=100 (of each) SECONDS=600 (together) JOBS=2
SEED ?= 0
# of the cases of these, `make test` tries some by a seed
WHOLE := tests/test_equivalence.py tests/test_no_byte_unchecked.py tests/models/test_placed.py tests/stages
soak: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak --seed $(SEED) $(strip $(if $(FAULTS),--only $(FAULTS)) \
	$(if $(TRIES),--tries $(TRIES)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(JOBS),--jobs $(JOBS))) --json soak.json
	TEACHONCE_SOAK=1 $(BIN)/python -m pytest $(WHOLE)
	PYTHON=$(BIN)/python scripts/gpu_page.sh --small --out $$(mktemp -d)/gpu.json

format: $(READY)
	$(BIN)/ruff check --fix teachonce tests scripts
	$(BIN)/ruff format teachonce tests scripts

clean:
	rm -rf $(VENV) quickstart build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
