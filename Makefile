# `make demo` and `make test` need Python 3.11 or newer, make, and the network for the first installation.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# An index of PyTorch wheels without CUDA saves a machine without GPU 3 GB: make test TORCH_INDEX=...
TORCH_INDEX ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test coverage docs format clean

help:
	@echo "make demo      the main job on embedded data, no download: demo/index.html"
	@echo "make test      lint, types, import directions, tests"
	@echo "make coverage  the tests, and which lines and branches they reach: build/coverage/index.html"
	@echo "make docs      the documentation, every example run: build/docs/index.html"
	@echo "make format    rewrite the sources as ruff likes them"
	@echo "make clean     remove the virtual environment, caches and demo/"

demo: $(VENV)/data.stamp
	@$(BIN)/surronas demo --out demo
	@echo "The page: file://$(CURDIR)/demo/index.html"

test: $(VENV)/test.stamp
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== import-linter"
	@$(BIN)/lint-imports
	@echo "== pytest"
	@$(BIN)/pytest -n 2

coverage: $(VENV)/test.stamp
	@$(BIN)/pytest -n 2 --cov --cov-report=html:build/coverage --cov-report=json:build/coverage.json
	@$(BIN)/python -c 'import json; t = json.load(open("build/coverage.json"))["totals"]; \
	  print("Lines: {:.1f} %, branches: {:.1f} %".format(*(100 * t[f"covered_{a}"] / t[f"num_{b}"] \
	  for a, b in (("lines", "statements"), ("branches", "branches")))))'

docs: $(VENV)/docs.stamp
	@$(BIN)/sphinx-build -W --keep-going -q -b html -d build/doctrees docs build/docs
	@echo "The pages: file://$(CURDIR)/build/docs/index.html"

format: $(VENV)/test.stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo build dist docs/api docs/gallery *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# One environment; a stamp says which extra it holds.
$(VENV)/%.stamp: pyproject.toml constraints.txt | $(VENV)/torch.stamp
	@echo "Installing surronas[$*] into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --quiet -c constraints.txt -e ".[$*]"
	@touch $@

$(VENV)/torch.stamp:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer is needed, not {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	@echo "Making $(VENV) with $$($(PYTHON) --version) and installing torch ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --no-deps $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c constraints.txt torch
	@touch $@
