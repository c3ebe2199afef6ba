# `make train`, `make test` and `make docs` first make the environment, in .venv. Variables:
#   PYTHON  another interpreter, with an environment of its version: `make train PYTHON=python3.13` uses .venv-3.13
#   TESTS   the tests to run, instead of all but tests/slow
#   EXTRAS  the extras of pyproject.toml that a new environment gets
PYTHON ?= python3
ifneq ($(PYTHON),python3)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d%s" % (*sys.version_info[:2], sys.abiflags))')
VENV ?= .venv-$(or $(VERSION),$(error PYTHON=$(PYTHON): cannot be run))
endif
VENV ?= .venv
TESTS ?= --ignore=tests/slow
EXTRAS ?= test
BIN := $(VENV)/bin

.PHONY: train test test-all soak lint docs clean

train: $(VENV)/made
	$(BIN)/python main.py --config=configs/resnet20_digits.py

test: $(VENV)/made
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

# Runs all tests but those of `soak`: also those that start programs, compilers or a browser, in tests/slow.
test-all: $(VENV)/made
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Runs the tests that take long beside what they add. Then kills a run 64 times at random moments, and compares it with a
# run that was never killed. Takes half an hour.
soak: $(VENV)/made
	$(BIN)/python -m pytest -n 2 -m soak
	JAX_RESNET_KILLS=64 $(BIN)/python -m pytest -s -o faulthandler_timeout=0 tests/slow/faults/test_kills.py

lint: $(VENV)/made
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Builds the documentation site. Its first page is site/index.html. The variable turns off a notice about Material's
# successor.
docs: $(VENV)/made
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(VENV)/made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf .venv .venv-* build site *.egg-info
