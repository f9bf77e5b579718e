# Two commands: `make bench` judges the shipped surrogates, `make test` tests the harness itself.
# Both make a virtual environment first; use your own with PYTHON_ENV=/path/to/env.

PYTHON ?= python3
PYTHON_ENV ?= .venv
BIN := $(PYTHON_ENV)/bin
# One thread per process: more would change digits, and thrash on a shared machine.
export OMP_NUM_THREADS = 1
export MKL_NUM_THREADS = 1

.PHONY: bench test check docs env clean

bench: env
	$(BIN)/pytest suites/ -n 2 $(ARGS)

test: env
	$(BIN)/pytest tests/ -n 2 $(ARGS)

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy harness
	$(BIN)/lint-imports --no-cache --no-logo

docs: env
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build --strict

env: $(PYTHON_ENV)/.installed

$(PYTHON_ENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(PYTHON_ENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf cache reports/2*
