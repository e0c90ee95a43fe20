# Everything runs in one virtual environment, .venv, which each target makes or updates first.
# A machine needs make and Python 3.11 (or newer), nothing else.

PYTHON ?= $(firstword $(shell command -v python3.11) $(shell command -v python3) python3)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# A stamp is newer than what it was installed from, so an up-to-date environment costs nothing.
BASE  := $(VENV)/.installed-base
DEV   := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench
APART := $(VENV)/rivals/finmlkit

CODE := src tests bench requirements docs deploy

.PHONY: help install demo test check format catalogue lock bench clean

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(BASE) ## make or update .venv with what runs

demo: $(BASE) ## two simulated venues, the collector and the doors, on this machine
	$(BIN)/orderflow demo $(ARGS)

test: check ## the checks, then the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(DEV) ## format, lint, types, floors, dead code, printed catalogue
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python docs/print_catalogue.py --check

format: $(DEV) ## rewrite the code as `check` wants it
	-$(BIN)/ruff check --fix --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

catalogue: $(BASE) ## print docs/catalogue.md, tools.md and schemas.json from the declarations
	$(BIN)/python docs/print_catalogue.py

bench: $(BENCH) ## our speed beside the rivals', on the same frames and trades; writes bench/RESULTS.md
	$(BIN)/python -m bench $(ARGS)

lock: $(BASE) ## resolve every dependency anew and write requirements/*.txt
	$(BIN)/python requirements/lock.py

clean: ## remove .venv and every cache
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests bench requirements -name __pycache__ -type d -prune -exec rm -rf {} +
	find src -name '*.egg-info' -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "orderflow needs Python 3.11 or newer; $(PYTHON) is older or missing. Say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml requirements/build.txt requirements/base.txt | $(BIN)/python
	$(PIP) install --quiet -r requirements/build.txt -r requirements/base.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src # even where Python is told to write none: half a second of every start
	@touch $@

$(DEV): requirements/dev.txt $(BASE)
	$(PIP) install --quiet -r requirements/dev.txt
	@touch $@

$(BENCH): requirements/bench.txt requirements/finmlkit.txt $(DEV)
	$(PIP) install --quiet -r requirements/bench.txt
	$(PYTHON) -m venv $(APART)
	$(APART)/bin/python -m pip --disable-pip-version-check install --quiet -r requirements/finmlkit.txt
	@touch $@
