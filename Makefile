# Every target sets up all it needs, from nothing but python3 and a package index.

PYTHON ?= python3
DATA ?=
FULL ?=
SECONDS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A caller's PYTHONPATH would shadow what a target installs.
unexport PYTHONPATH PYTHONHOME

VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# The oldest pip among the supported Pythons is loud about indexes it skips: errors only.
PIP := -m pip install -qq

# A stamp names the Python it was made with, so another PYTHON makes another environment.
VENV := .venv/.python-$(VERSION)
DEV := .venv/.dev-$(VERSION)
CORE := .venv-core/.python-$(VERSION)
PEERS := .venv/.peers-$(VERSION)
TOOLS := .venv-tools/.uv-$(VERSION)
FLOORS := .venv-floors/.floors-$(VERSION)
# The development set holds all that the demo needs: whoever has it installs nothing more.
DEMO := $(if $(wildcard $(DEV)),$(DEV),.venv/.demo-$(VERSION))
LOCK := requirements/dev-$(VERSION).txt
BENCH_FLAGS := $(if $(filter-out 0,$(FULL)),,--quick)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test fuzz lint bench core floors requirements clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(DEMO)  ## the demo, on the synthetic shop or on your events: make demo DATA=clicks.parquet
	@.venv/bin/python -m recopersona demo $(if $(DATA),--data "$(DATA)")

# The kernels run first and uncompiled, where coverage sees them and a wrong index raises; the
# whole suite runs last, so that its summary closes the output and its report counts both runs.
test: $(DEV)  ## the kernels uncompiled, then the whole suite with its coverage
	@echo "Kernel tests, uncompiled ..."
	@NUMBA_DISABLE_JIT=1 .venv/bin/python -m pytest -q -p no:cacheprovider tests/kernels \
	    --cov --cov-report= --cov-fail-under=0
	@echo "All tests ..."
	@.venv/bin/python -m pytest --cov --cov-append --cov-report=term

fuzz: $(DEV)  ## a minute of damaged logs, one of damaged rules; SECONDS=600 for more of each
	@RECOPERSONA_FUZZ_SECONDS=$(or $(SECONDS),60) .venv/bin/python -m pytest -q -p no:cacheprovider \
	    tests/events/test_fuzz.py tests/rules/test_fuzz.py

lint: $(DEV)  ## ruff, mypy and the directions of imports
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m mypy
	@.venv/bin/lint-imports --no-logo

bench: $(PEERS)  ## every benchmark within a minute each; FULL=1 runs them whole
	@failed=; for script in benchmarks/[!_]*.py; do \
	    echo "$$script $(BENCH_FLAGS)"; \
	    .venv/bin/python "$$script" $(BENCH_FLAGS) || failed="$$failed $$script"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

core: $(CORE)  ## the demo with the core dependencies alone
	@echo "Installing recopersona without extras ..."
	@.venv-core/bin/python $(PIP) .
	@.venv-core/bin/python -c 'import importlib.util as i, sys; \
	    extras = [name for name in ("pyarrow", "polars") if i.find_spec(name)]; \
	    sys.exit("the core environment must not hold " + ", ".join(extras) if extras else 0)'
	@env -u RECOPERSONA_DATA .venv-core/bin/python -m recopersona demo --quick

# Before 26, pyarrow reads times with a zone in a way that pandas warns of.
floors: $(FLOORS)  ## the suite with the oldest dependencies that pyproject.toml admits
	@.venv-floors/bin/python -m pytest -q -p no:cacheprovider \
	    -W "ignore:Series.values returning an ndarray that drops timezone:DeprecationWarning"

requirements: $(TOOLS)  ## renew the hashed development sets of every supported Python
	@for version in 3.11 3.12 3.13; do \
	    echo "Resolving requirements/dev-$$version.txt ..."; \
	    UV_CUSTOM_COMPILE_COMMAND="make requirements" .venv-tools/bin/uv pip compile -q pyproject.toml \
	        --extra arrow --group test --group lint --group build --python-version $$version \
	        --upgrade --generate-hashes --no-build --no-annotate \
	        --no-emit-index-url --no-emit-find-links --output-file requirements/dev-$$version.txt \
	    || exit 1; \
	done

clean:  ## remove environments, caches and builds
	@rm -rf .venv .venv-core .venv-tools .venv-floors build dist htmlcov .coverage .coverage.* \
	    .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	@find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Stop with one line of reason where PYTHON cannot serve, then make the environment of this stamp.
define make_environment
	@command -v "$(PYTHON)" >/dev/null || { \
	    echo "recopersona needs Python 3.11, 3.12 or 3.13, and there is no $(PYTHON)." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
	    echo "recopersona needs Python 3.11, 3.12 or 3.13, got $(or $(VERSION),none) from $(PYTHON);" \
	        "name another one: make $(or $(MAKECMDGOALS),help) PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) lacks the venv or ensurepip module; on Debian: apt-get install python3-venv" >&2; \
	    exit 1; }
	@echo "Making $(@D) with Python $(VERSION) ..."
	@rm -rf $(@D)
	@"$(PYTHON)" -m venv $(@D)
	@touch $@
endef

$(VENV):
	$(make_environment)

$(CORE):
	$(make_environment)

.venv/.demo-$(VERSION): pyproject.toml | $(VENV)
	@echo "Installing recopersona with parquet support ..."
	@.venv/bin/python $(PIP) -e '.[arrow]'
	@touch $@

$(DEV): pyproject.toml $(wildcard $(LOCK)) | $(VENV)
	@echo "Installing the development set of $(LOCK) ..."
	@.venv/bin/python $(PIP) --require-hashes --no-deps -r $(LOCK)
	@.venv/bin/python $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS): $(DEV)
	@echo "Installing the peers ..."
	@.venv/bin/python $(PIP) --no-build-isolation -e '.[bench]'
	@touch $@

$(TOOLS):
	$(make_environment)
	@.venv-tools/bin/python $(PIP) uv

$(FLOORS): pyproject.toml $(TOOLS)
	$(make_environment)
	@echo "Installing the oldest dependencies ..."
	@.venv-tools/bin/uv pip install -q --python .venv-floors --resolution lowest-direct -e '.[arrow]'
	@.venv-tools/bin/uv pip install -q --python .venv-floors --group test
	@touch $@
