# The few verbs for developers. `make demo` and `make test` are all that a new machine needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test test-long check docs clean

install: .venv/installed

# Installs again only when what is to be installed has changed.
.venv/installed: requirements.txt requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch .venv/installed

demo: install
	$(BIN)/pretint demo

test: install
	$(BIN)/python -m pytest -n auto

test-long: install
	$(BIN)/python -m pytest -m long

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install
	$(BIN)/python -m pytest tests/test_docs.py

clean:
	rm -rf .venv
