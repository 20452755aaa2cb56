# Loa. On a fresh machine only Python 3.11, git and make are needed: the first target that wants it builds .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_TOOLS := pip-tools==7.6.2
ARGS ?=
# Which tests stay together on one worker, and how many workers there are: tests/conftest.py.
SPREAD := -n auto --dist loadscope --no-loadscope-reorder
# Loa's own modules are compiled once, also where images forbid it: every command starts in a third of the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format faults bench bench-quick deep constraints clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## Build or refresh .venv from the pinned, hashed constraints.txt

# --no-build-isolation: the build tools, too, come pinned and hashed from constraints.txt.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Loa needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | tail -n 1)." >&2; \
	  echo "Install one, then name it: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV): $$(grep -c '==' constraints.txt) pinned packages, about a minute the first time ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -qq --require-hashes -r constraints.txt || { \
	  echo "The packages could not be installed. Is a package index reachable? Run 'make venv' again." >&2; exit 1; }
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@
	@echo "$(VENV) is ready."

demo: $(STAMP)  ## Replay the outage of 5 March 2024 on emulated platforms (about 30 s)
	@$(BIN)/loa demo $(ARGS)

test: $(STAMP)  ## Run the test suite, under 3 minutes (ARGS="-k word" selects)
	@$(BIN)/python -m pytest $(SPREAD) $(ARGS)

check: $(STAMP)  ## What every commit must pass: format, lint, types, import order, quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q $(SPREAD) tests/unit

format: $(STAMP)  ## Format the code and apply the linter's safe repairs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

faults: $(STAMP)  ## Run the fault tests: killed and frozen processes, cut lines, the simulation, more examples (minutes)
	@$(BIN)/python -m pytest $(SPREAD) -m faults $(ARGS) tests/simulation tests/acceptance tests/faults
	@$(BIN)/python -m pytest $(SPREAD) -q -m hypothesis --hypothesis-profile thorough $(ARGS)

bench: $(STAMP)  ## Run the benchmarks (about ten minutes); table and chart go into docs/performance.md
	@$(BIN)/python -m benchmarks --write $(ARGS)

bench-quick: $(STAMP)  ## Run the benchmarks briefly, to see that they work
	@$(BIN)/python -m benchmarks --quick $(ARGS)

deep: $(STAMP)  ## Search long for failures with many seeds (stop it with Ctrl-C)
	@$(BIN)/python -m tests.deep $(ARGS)

# Only the public index is asked, whatever this machine's pip is set to: the file must fit other machines.
constraints:  ## Pin every dependency anew, with the hashes of all its files
	@$(PYTHON) -m venv --clear build/constraints
	@build/constraints/bin/python -m pip install -qq --disable-pip-version-check '$(PIP_TOOLS)'
	env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u PIP_CONSTRAINT PIP_CONFIG_FILE=/dev/null \
	  CUSTOM_COMPILE_COMMAND="make constraints" build/constraints/bin/pip-compile --quiet --no-config --upgrade \
	  --all-extras --build-deps-for=editable --allow-unsafe --strip-extras --generate-hashes --no-emit-options \
	  --output-file=constraints.txt pyproject.toml

clean:  ## Remove .venv, builds and caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find broker adapters loa tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
