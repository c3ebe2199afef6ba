# `make train`, `make test` and `make docs` make the environment first, in .venv. PYTHON names another interpreter,
# whose environment is beside it: `make train PYTHON=python3.13` uses .venv-python3.13. TESTS names some of the tests;
# EXTRAS, what else of pyproject.toml an environment that is made gets.
PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
TESTS ?=
EXTRAS ?= test
BIN := $(VENV)/bin

.PHONY: train test soak lint docs clean

train: $(VENV)/made
	$(BIN)/python main.py --config=configs/resnet20_digits.py

test: $(VENV)/made
	$(BIN)/python -m pytest -n 2 $(TESTS)

# The slow tests; then kills a run 64 times at random moments, and compares it with one that was never killed: half an hour.
soak: $(VENV)/made
	$(BIN)/python -m pytest -n 2 -m slow
	JAX_RESNET_KILLS=64 $(BIN)/python -m pytest -s tests/faults/test_kills.py

lint: $(VENV)/made
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The documentation site; its first page is site/index.html. The variable turns off a notice on Material's successor.
docs: $(VENV)/made
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(VENV)/made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf .venv .venv-* build site *.egg-info
