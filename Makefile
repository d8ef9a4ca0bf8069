# Everything a person or a machine runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-stop test check contract crash chaos soak bench load fuzz lock docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## install what is needed into .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 1; }
	@echo "installing into $(VENV), a minute or less with a fast connection"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv does not work here; on Debian install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $(STAMP)
	@echo "installed into $(VENV)"

demo: setup ## run the main job against the practice systems; KEEP=1 leaves all of it running
	@$(BIN)/python -m crosswalk.console.demo

demo-stop: setup ## end what KEEP=1 make demo left running
	@$(BIN)/python -m crosswalk.console.demo --stop

test: setup check ## every test and every check, PostgreSQL and Prefect included
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not prefect"
	@$(BIN)/python -m pytest -m prefect

check: setup ## style, types, lock and generated pages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/python tests/checks/lock.py
	@$(BIN)/crosswalk docs --check

contract: setup ## compare with the vendors' own contracts; needs ../shared/specs
	@CROSSWALK_CONTRACT=1 $(BIN)/python -m pytest -m contract

crash: setup ## kill the job at every point and recover it; OUT=file.json keeps the figures
	@$(BIN)/python tests/crash/sweep.py
	@$(BIN)/python tests/crash/worker.py

bench: setup .bench/.installed ## measure the main job beside a floor and dlt; ROWS= sets the size, OUT=file.json keeps the figures
	@PYTHONPATH=.:tests $(BIN)/python -m bench

# What is measured beside us has an environment of its own.
.bench/.installed: bench/peers.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .bench
	@$(BIN)/uv pip install --quiet --python .bench/bin/python --require-hashes -r bench/peers.txt
	@touch .bench/.installed

.PHONY: bench-executor
bench-executor: setup ## measure what starting a run costs, process worker and warm worker; OUT=file.json keeps the figures
	@$(BIN)/python -m bench.executor $(if $(RUNS),--runs $(RUNS)) $(if $(OUT),--out $(OUT))

chaos: setup ## what breaks systems, stores and networks, as a table; OUT=file.json keeps the figures, ONLY="R4 R11" picks
	@$(BIN)/python tests/chaos/run.py $(ONLY)

soak: setup ## every integration for MINUTES=30 with faults, outages and kills; OUT=file.json keeps the figures
	@MINUTES=$(MINUTES) $(BIN)/python tests/chaos/run.py R25

load: setup ## events/s and p99 of the receiver beside a bare endpoint, and event to target; RATE SECONDS PREFECT OUT
	@$(BIN)/python tests/load/receiver.py

.fuzz/bin/schemathesis: | $(STAMP)
	@$(BIN)/uv venv --quiet --python $(BIN)/python .fuzz
	@$(BIN)/uv pip install --quiet --python .fuzz/bin/python 'schemathesis>=4.32,<5'

fuzz: setup .fuzz/bin/schemathesis ## schemathesis against the receiver, from an environment of its own; CASES=100 an operation
	@$(BIN)/python tests/load/fuzz.py

lock: setup ## resolve the dependencies again
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --all-extras --group dev pyproject.toml -o requirements.lock

docs: setup ## render the generated pages
	@$(BIN)/crosswalk docs

clean: ## remove what was installed and made
	@rm -rf $(VENV) .bench .fuzz .crosswalk .pytest_cache .mypy_cache .ruff_cache .hypothesis
