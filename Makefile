# `make train` and `make test` make the environment in .venv first; PYTHON names another interpreter.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test soak lint clean

train: .venv/made
	$(BIN)/python main.py --config=configs/resnet20_digits.py

test: .venv/made
	$(BIN)/python -m pytest -n 2

# Kills a run 64 times at random moments, and compares it with one that was never killed: about a quarter of an hour.
soak: .venv/made
	JAX_RESNET_KILLS=64 $(BIN)/python -m pytest -s tests/faults/test_kills.py

lint: .venv/made
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.venv/made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
