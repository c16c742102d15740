# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMPS := $(VENV)/.stamps
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMPS)/uv: requirements/bootstrap.txt
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no '$(PYTHON)' here. Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, but '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "==> creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "'$(PYTHON)' cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: $(STAMPS)/uv requirements/run.txt pyproject.toml xds/pyproject.toml
	@echo "==> installing what the mesh runs on"
	@$(UV) pip install --require-hashes -r requirements/run.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation -e ./xds -e .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/run requirements/dev.txt
	@echo "==> installing what the tests need"
	@$(UV) pip install --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: setup
setup: $(STAMPS)/run ## set up .venv

.PHONY: demo
demo: $(STAMPS)/run ## run the walkthrough of traffic lanes on this machine
	@$(BIN)/python -m mesh demo

.PHONY: up
up: $(STAMPS)/run ## start the mesh and stay (page at http://localhost:9080/productpage)
	@$(BIN)/python -m mesh up

.PHONY: test
test: $(STAMPS)/dev ## run the tests
	@$(BIN)/python -m pytest

.PHONY: coverage
coverage: $(STAMPS)/dev ## branch coverage of the rooms that decide, by their own tests; at least 95 %
	@$(BIN)/coverage run -m pytest --numprocesses=0 -q tests/unit/proxyless tests/protocol tests/fuzz
	@$(BIN)/coverage report

RUNS ?= 1000000
SEED ?= 0
.PHONY: fuzz
fuzz: $(STAMPS)/dev ## try RUNS=1000000 inputs on the parsers and what lies behind them (SEED of an earlier run)
	@$(BIN)/python -m tests.fuzz --runs $(RUNS) --seed $(SEED)

.PHONY: test-istiod
test-istiod: $(STAMPS)/dev ## run the lane matrix and the comparison on ISTIOD=path/to/pilot-discovery
	@test -x "$(ISTIOD)" || { echo "which Istiod? make $@ ISTIOD=path/to/pilot-discovery (docs/istiod.md)" >&2; exit 1; }
	@ISTIOD="$(abspath $(ISTIOD))" $(BIN)/python -m pytest --dist=worksteal tests/istiod tests/e2e/test_mesh_lanes.py

.PHONY: record-istiod
record-istiod: $(STAMPS)/dev ## renew tests/data/istiod with ISTIOD=path/to/pilot-discovery
	@test -x "$(ISTIOD)" || { echo "which Istiod? make $@ ISTIOD=path/to/pilot-discovery (docs/istiod.md)" >&2; exit 1; }
	@$(BIN)/python -m tests.istiod "$(abspath $(ISTIOD))"

.PHONY: kind-up
kind-up: $(STAMPS)/run ## bookinfo on a kind cluster with a stock Istiod (needs docker, kind, helm, kubectl)
	@$(BIN)/python -m deploy.kind up

.PHONY: kind-demo
kind-demo: $(STAMPS)/run ## the walkthrough, on the kind cluster
	@$(BIN)/python -m deploy.kind demo

.PHONY: kind-test
kind-test: $(STAMPS)/dev ## the tests that need a cluster, on the kind cluster
	@$(BIN)/python -m deploy.kind test

.PHONY: kind-down
kind-down: $(STAMPS)/run ## delete the kind cluster
	@$(BIN)/python -m deploy.kind down

.PHONY: test-cluster
test-cluster: $(STAMPS)/dev ## lanes on the API server of KUBECONFIG=path, which needs no nodes (docs/operations.md)
	@test -f "$(KUBECONFIG)" || { echo "which API server? make $@ KUBECONFIG=path ISTIOD_HOST=address (docs/operations.md)" >&2; exit 2; }
	@CLUSTER_KUBECONFIG="$(abspath $(KUBECONFIG))" CLUSTER_ISTIOD_HOST="$(ISTIOD_HOST)" $(BIN)/python -m pytest --numprocesses=0 tests/cluster/apiserver

.PHONY: lint
lint: $(STAMPS)/dev ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: format
format: $(STAMPS)/dev ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: proto
proto: $(STAMPS)/dev ## generate the stubs in bookinfo_pb from proto/
	@$(BIN)/python -m bookinfo_pb.generate

.PHONY: docs
docs: $(STAMPS)/dev ## generate docs/support-matrix.md and docs/reference.md from the code
	@$(BIN)/python -m docs.pages

.PHONY: pictures
pictures: $(STAMPS)/dev ## take the pictures of docs/walkthrough anew, from a running mesh (needs chromium)
	@$(BIN)/python -m tests.walkthrough

.PHONY: lock
lock: $(STAMPS)/uv ## compile requirements/*.txt from the pyproject files
	@$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(COMPILE) xds/pyproject.toml pyproject.toml requirements/build.in --no-emit-package proxyless-xds -o requirements/run.txt
	@$(COMPILE) --group dev -c requirements/run.txt -o requirements/dev.txt
	@$(COMPILE) --group audit -o requirements/audit.txt

# An environment of its own, so that what looks at the pins does not change what the tests run with.
AUDIT := $(VENV)/audit
$(AUDIT)/.stamp: $(STAMPS)/uv requirements/audit.txt
	@$(UV) venv --quiet --clear $(AUDIT)
	@$(UV) pip install --quiet --python $(AUDIT) --require-hashes -r requirements/audit.txt
	@touch $@

# By default PyPI's own list; `make audit SERVICE=osv` asks osv.dev. A pin that is not found there fails the audit.
SERVICE ?= pypi
.PHONY: audit
audit: $(AUDIT)/.stamp ## known vulnerabilities of all that is pinned (asks pypi.org; SERVICE=osv asks osv.dev)
	@for each in requirements/*.txt; do echo "==> $$each"; \
	  $(AUDIT)/bin/pip-audit --strict --vulnerability-service $(SERVICE) --disable-pip --require-hashes -r $$each || exit 1; done

.PHONY: clean
clean: ## remove .venv and caches
	rm -rf $(VENV) .mesh .fuzz .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
