# Each target does all its own set-up: a fresh machine needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LINT := $(VENV)/lint

# without bytecode every start compiles its modules anew: 2.7 s of CPU for `once` instead of 1.3 s
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check real cluster bench docs image lock clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(STAMP)  ## the main job, end to end, on this machine
	@$(BIN)/updater demo

test: $(STAMP)  ## every test; real servers where they are installed
	@$(BIN)/python -m pytest -q -n auto --dist loadgroup --cov --cov-report=term:skip-covered $(ARGS)

check: $(STAMP) $(LINT)/.ready  ## format, lint, types, layers, regular expressions, generated pages
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(LINT)/bin/lint-imports
	@$(BIN)/python -m tests.patterns
	@$(LINT)/bin/hadolint Dockerfile
	@$(BIN)/python docs/generate.py --check

real: $(STAMP)  ## install the real servers into the cache and run the tests that stand on them; nothing may be skipped
	@bash .ci/parts
	@UPDATER_REQUIRE_REAL=1 $(BIN)/python -m pytest -q -m 'real and not argocd' $(ARGS)

cluster: $(STAMP)  ## a cluster, a registry and a Git server on this machine, with examples, until Ctrl-C; ARGS="--flux --keep DIR"
	@exec $(BIN)/python -m tests.real.lab_command $(ARGS)

bench: $(STAMP)  ## the workloads of docs/reference/performance.md
	@for script in benchmarks/w*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(STAMP)  ## write the generated pages
	@$(BIN)/python docs/generate.py

image:  ## the container image
	@docker build -t gitops-image-updater .

lock: $(STAMP)  ## renew the pinned requirements
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 pyproject.toml --extra notify --group dev -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 pyproject.toml --extra notify -c requirements/dev.txt -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 --group lint -o requirements/lint.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 requirements/build.in -c requirements/run.txt -o requirements/build.txt

clean:
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*

$(STAMP): pyproject.toml requirements/dev.txt
	@echo "setting up $(VENV) (once)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps -e .
	@touch $@

$(LINT)/.ready: requirements/lint.txt | $(STAMP)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LINT)
	@VIRTUAL_ENV=$(LINT) $(BIN)/uv pip install --quiet --require-hashes -r requirements/lint.txt
	@touch $@
