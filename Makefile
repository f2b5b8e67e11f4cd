# One command per job; `make` alone lists them. Needs python3, make and git, nothing else.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=
BENCH  ?=
KILLS  ?= 50
MESSAGES ?= 100000
FOR    ?= 600
DEAF   ?= 1000

SOURCES := bench dispatch geo schemas tests docs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help dev demo test check fmt faults docs bench lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|' 2>/dev/null \
	  || grep '##' $(firstword $(MAKEFILE_LIST))

dev: $(READY) ## the virtual environment with everything pinned

# Runs again only when a pin or the project file changed; every download is checked against its hash.
$(READY): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian: python3-venv)" >&2; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation -e .
	@touch $@

demo: $(READY) ## a city of 23,334 units on this machine; ARGS="--units 2000 --for 60"
	@exec $(BIN)/kapok demo $(ARGS)

test: check ## set up everything, then all checks and all tests, with coverage
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-context=test --cov-report= $(ARGS)
	$(BIN)/python -m tests.coverage_floors

check: $(READY) ## format, lint, floors, types; no tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

fmt: $(READY) ## put the sources into shape
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

faults: $(READY) ## kill everything over and over, then judge; KILLS=50 MESSAGES=100000 FOR=600 DEAF=1000
	$(BIN)/python -m pytest tests/faults -m long -o faulthandler_timeout=600 $(ARGS)
	$(BIN)/python -m tests.faults.campaign --kills $(KILLS) --messages $(MESSAGES) --for $(FOR) --deaf $(DEAF) --json build/faults.json

docs: $(READY) ## write what the documents take from the code
	$(BIN)/python -m docs.make_reference

bench: $(VENV)/.peers ## all benchmarks but city, or one: BENCH=name
	$(BIN)/python -m bench $(BENCH)

# What cannot be had reads "not run" in the tables.
$(VENV)/.peers: $(READY) requirements/bench.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/bench.txt \
	  || echo "the peers cannot be had: benchmarks run without them" >&2
	@touch $@

# The one target that reads an index for something unpinned: the resolver itself, in a place of its own.
lock: ## new pins from pyproject.toml; UPGRADE=--upgrade takes the newest
	@test -x $(VENV)-lock/bin/uv || { $(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv; }
	$(VENV)-lock/bin/uv pip compile $(UPGRADE) $(LOCKING) --extra fast -o requirements/run.txt pyproject.toml
	$(VENV)-lock/bin/uv pip compile $(UPGRADE) $(LOCKING) -c requirements/run.txt --extra dev -o requirements/dev.txt pyproject.toml
	$(VENV)-lock/bin/uv pip compile $(UPGRADE) $(LOCKING) -c requirements/dev.txt --extra bench -o requirements/bench.txt pyproject.toml
	$(VENV)-lock/bin/uv pip compile $(UPGRADE) $(LOCKING) -c requirements/dev.txt --group build -o requirements/build.txt

LOCKING := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
           --no-annotate --custom-compile-command "make lock"

clean: ## remove the environment, caches and results; the demo's data in .kapok stays
	rm -rf $(VENV) $(VENV)-lock build dist .coverage .coverage.* coverage.json htmlcov bench/results
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
