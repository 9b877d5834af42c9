# Every target is one command; `make` alone says what there is.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
# uv is faster where it is (make UV= does without); pip stands in where uv does not know of the machine's package sources.
UV ?= $(shell command -v uv 2>/dev/null)
# -qq: errors alone. With several sources pip warns of each package that one of them lacks.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# ARGS is added to the tutorial, unless it names a data set, a loss or an experiment of its own.
EXPERIMENT = $(if $(filter dataset=% loss=% experiment=%,$(ARGS)),,experiment=tutorial)

.DEFAULT_GOAL := help
.PHONY: help install sweep tune advise ui report sync list test test-all faults slurm lint types check bench mutants docs \
	completion lock clean

help: ## say what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F '\t' '{printf "make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## set up .venv as requirements.lock says (the other targets do it when needed)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: lossbench needs Python 3.11, 3.12 or 3.13, with venv."; \
		echo "  hint: install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "setting up .venv with $(PYTHON) (about two minutes; 2 GB) ..."
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@echo "  the packages of requirements.lock, with $(if $(UV),uv,pip) ..."
	@$(if $(UV),$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock || \
		{ echo "  uv could not get them; with pip ..." && )$(PIP) --require-hashes -r requirements.lock$(if $(UV),; },)
	@echo "  lossbench itself ..."
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

sweep: $(STAMP) ## run the nine tutorial experiments, 30 seeds each; more: make sweep ARGS="seeds=200"
	@$(BIN)/lossbench -m $(EXPERIMENT) $(ARGS)

tune: $(STAMP) ## the same with every loss's learning rate tuned first, tuned and untuned side by side
	@$(BIN)/lossbench -m $(EXPERIMENT) tune=none,learning_rate $(ARGS)

ui: $(STAMP) ## browse the results in MLflow's UI, on this machine only
	@$(BIN)/lossbench-ui $(ARGS)

advise: $(STAMP) ## which loss for my data: make advise DATA=house.csv TARGET=price
	@test -n "$(DATA)" -a -n "$(TARGET)$(filter %.npz %/,$(DATA))" || { \
		echo "error: make advise needs a file and a target."; echo "  hint: make advise DATA=house.csv TARGET=price"; exit 1; }
	@$(BIN)/lossbench -m experiment=advise 'dataset.path=$(DATA)' $(if $(TARGET),'dataset.target=$(TARGET)') $(ARGS)

report: $(STAMP) ## write the newest sweep's report again; make report ARGS="a b" compares two sweeps
	@$(BIN)/lossbench-report $(ARGS)

sync: $(STAMP) ## send to MLflow what is not in it yet
	@$(BIN)/lossbench-sync $(ARGS)

list: $(STAMP) ## show the data sets, heads and losses, and which go together
	@$(BIN)/lossbench-list $(ARGS)

test: $(STAMP) ## run the fast tests (22 minutes on two cores)
	@$(BIN)/python -m pytest $(ARGS)

test-all: $(STAMP) ## run all tests
	@$(BIN)/python -m pytest -m "not slurm" $(ARGS)

slurm: $(STAMP) ## run the tests that start a Slurm on this machine (as root; minutes)
	@$(BIN)/python tests/support/slurm_cluster.py --check
	@$(BIN)/python -m pytest -m slurm -n 0 tests/sweeps/test_slurm.py $(ARGS)

lint: $(STAMP) ## check style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(STAMP) ## check types
	@$(BIN)/mypy

faults: $(STAMP) ## kill, starve and mislead sweeps in every way that is tested (as root, under Linux; hours)
	@LOSSBENCH_FAULTS=all $(BIN)/python -m pytest -m "slow or not slow" --durations=50 tests/faults $(ARGS)

check: lint types test ## lint, types and tests, as CI runs them

bench: $(STAMP) ## measure: job by job, a plain loop, ours, and C
	@$(BIN)/python benchmarks/run.py $(ARGS)

mutants: $(STAMP) ## change the code in 200 small ways, and see which of them the tests notice
	@$(BIN)/python benchmarks/mutants.py $(ARGS)

docs: $(STAMP) ## build the documentation into site/, which opens without a network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "the documentation: site/index.html"

completion: $(STAMP) ## write the table of shell completion anew, from conf/ and the types of settings
	@$(BIN)/python -m lossbench.commands.completion.table

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	@uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--extra bench --extra dev --extra docs --extra joblib --extra slurm pyproject.toml --output-file requirements.lock

clean: ## remove .venv and caches; results stay
	@rm -rf .venv .pytest_cache .ruff_cache .mypy_cache dist site
