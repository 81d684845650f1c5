# `make up` and `make test` are all that a fresh machine with Python 3.11+ and make needs.
SHELL := /bin/bash
PYTHON ?= python3
UV := $(shell command -v uv || echo .uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never
# Six processes start at once, and a verb is one more: each would compile 600 modules anew for more than a second.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
READY := .venv/.installed-from-lock
LAYERS := domain log projections processors api muniment

.PHONY: up test test-fast lint types layers schemas bench lock audit-deps clean

up: $(READY)
	$(BIN)/muniment up

$(UV):
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv==0.13.9

$(READY): requirements.lock pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

lock: | $(UV)
	$(UV) pip compile --quiet --universal --generate-hashes --extra dev --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements.lock

lint: $(READY)
	$(BIN)/ruff check $(LAYERS) schemas tests
	$(BIN)/ruff format --check $(LAYERS) schemas tests

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

schemas: $(READY)
	$(BIN)/python -m log.released

test-fast: $(READY)
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not stack and not slow"

# Tests start and kill brokers by the dozen: half of what one costs to start is compiling code for a long life.
test: export JAVA_TOOL_OPTIONS = -XX:TieredStopAtLevel=1
test: lint types layers
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=25

bench: $(READY)
	$(BIN)/python -m tests.bench

audit-deps: $(READY)
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache
