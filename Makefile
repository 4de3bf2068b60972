# One word for everything that is done to this project. Nothing outside .venv, ./data and the cache folder is touched,
# but for the system packages that `make test` installs where it runs as root.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
DATA ?= ./data
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/signal-gateway
BIN := .venv/bin
PIP = PIP_CACHE_DIR=$(CACHE)/pip $(BIN)/python -m pip --disable-pip-version-check -qq
SOAK = $(if $(SEED),--seed $(SEED)) $(if $(SIGNALS),--signals $(SIGNALS)) $(if $(KILLS),--kills $(KILLS)) \
  $(if $(BROKER),--broker $(BROKER)) $(if $(filter-out file,$(origin DATA)),--data $(DATA))
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: help run demo test test-more interop soak bench check format contracts components components-more hummingbot lock clean

help:  ## Show these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

run: .venv/installed-server  ## Install into .venv and run a gateway with an embedded broker; it lives in ./data
	@$(BIN)/signal-gateway init --data $(DATA)
	@exec $(BIN)/signal-gateway run --data $(DATA)

demo: .venv/installed-server  ## Run a gateway, two paper bots and a day of alerts, in a minute and a half; it lives in ./data/demo
	@exec $(BIN)/python examples/demo/replay.py --data $(DATA)/demo

test: check components  ## Lint and run every test that is not long or heavy
	@echo "not run here: the long and heavy tests (make test-more), the soak (make soak), the benchmark (make bench)"
	@$(PYTEST)

test-more: .venv/installed-dev components-more hummingbot  ## Run the long and heavy tests; property tests with more examples
	@echo "not run here: what make test runs. These are the property tests, with ten times the examples,"
	@echo "the short runs in which everything is killed under load (docs/testing.md), those against the real"
	@echo "Hummingbot (make interop), the container image, and a thousand bots: twenty minutes."
	@$(PYTEST) -m "more or property" --hypothesis-profile=more --ignore tests/scale
	@$(BIN)/python -m pytest -m more tests/scale

interop: .venv/installed-dev components hummingbot  ## Run those of them against programs that are not ours: the real Hummingbot, which is installed once, and commlib-py
	@$(PYTEST) -m "more or not more" tests/interop

soak: .venv/installed-dev components  ## Kill everything under load for 40 minutes: SEED= SIGNALS= KILLS= BROKER= DATA=
	@$(BIN)/python -m tests.chaos $(SOAK)

bench: .venv/installed-dev components  ## Measure the speed of the main job
	@$(BIN)/python -m bench

check: .venv/installed-dev  ## Lint: ruff, mypy, import-linter; runs no test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: .venv/installed-dev  ## Let ruff format and mend what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

contracts: .venv/installed-dev  ## Write docs/contracts anew: JSON Schemas, OpenAPI, AsyncAPI, and the page that shows them
	@rm -rf docs/contracts
	@$(BIN)/signal-gateway schemas export docs/contracts --data .venv/no-gateway

components:
	@.ci/components mosquitto mosquitto_pub openssl promtool prometheus systemd-analyze wrk caddy

components-more: components
	@.ci/components buildah debootstrap

hummingbot: .venv/bin/python
	@tests/interop/hummingbot/setup $(BIN)/python

lock: .venv/installed-dev  ## Resolve the dependencies anew into requirements/
	@.ci/lock $(BIN)

clean:  ## Remove .venv and what tools left; ./data stays
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@.ci/venv "$(PYTHON)" .venv

.venv/installed-%: requirements/%.txt pyproject.toml | .venv/bin/python
	@echo "installing requirements/$*.txt into .venv"
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@
