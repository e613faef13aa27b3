# Every task is one command; `make help` lists them. Each does its own set-up.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PYTHON ?=
# Where images set it, each of the hundreds of processes that the tests start would compile all of Beam anew.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := src streaming batch server sql demo tests deploy
ARGS ?=
# Processes for the tests, and how they share them; `make test ARGS="-n 0"` is one after the other.
BESIDE := -n $${WORKERS:-2} --dist worksteal

.PHONY: help setup demo demo-once test quick prove e2e staged fuzz-http fuzz-collector images-check lint lint-jenkins format type bench lock clean

help: ## List the tasks
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv with everything that demo, tests and lint need

$(STAMP): pyproject.toml requirements.lock tools/setup tools/python
	@tools/setup $(VENV)
	@touch $(STAMP)

demo: $(STAMP) ## Run the whole system on this machine until Ctrl-C
	$(BIN)/varde demo $(ARGS)

demo-once: $(STAMP) ## Run it over a bounded input, compare live and nightly counts, exit
	$(BIN)/varde demo --once $(ARGS)

test: $(STAMP) ## All tests but the benches
	$(BIN)/pytest $(BESIDE) $(ARGS)

quick: $(STAMP) ## The tests that start no whole system
	$(BIN)/pytest $(BESIDE) -m "not e2e" $(ARGS)

prove: $(STAMP) ## The property tests with twenty times the examples
	$(BIN)/pytest tests/core tests/property tests/store tests/batch tests/streaming/test_alarms.py -m "not e2e" --hypothesis-profile=prove $(ARGS)

e2e: $(STAMP) ## The tests that start the whole system as real processes, with 100,000 messages
	KILLS=$${KILLS:-20} EXACT_MESSAGES=$${EXACT_MESSAGES:-100000} $(BIN)/pytest -m e2e $(ARGS)

staged: $(STAMP) ## What is staged for Dataflow, in an empty environment into which pip fetches Beam (two minutes)
	STAGED_EMPTY=yes $(BIN)/pytest tests/streaming/test_staged.py $(ARGS)

fuzz-http: $(STAMP) ## 100,000 requests out of the OpenAPI document to a real server (about an hour)
	SCHEMA_REQUESTS=$${SCHEMA_REQUESTS:-100000} $(BIN)/pytest tests/server/test_schemathesis.py -s $(ARGS)

fuzz-collector: $(STAMP) ## 100,000 mutated requests to a real collector, and what arrived (three minutes)
	COLLECTOR_REQUESTS=$${COLLECTOR_REQUESTS:-100000} $(BIN)/pytest tests/server/test_fuzz_collector.py -s $(ARGS)

images-check: $(STAMP) ## The images, made and run without an engine (needs root and debootstrap; some minutes)
	$(BIN)/pytest tests/deploy/check_images.py -s --timeout=3600 $(ARGS)

lint: $(STAMP) ## Style and common mistakes
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

lint-jenkins: $(STAMP) ## The Jenkinsfiles (needs Node.js 20 and Java 17, else it says so and does nothing)
	tools/lint-jenkins $(ARGS)

format: $(STAMP) ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

type: $(STAMP) ## Static types, strict
	tools/types

bench: $(STAMP) ## All benchmarks, with their baselines in the same run (takes a while)
	$(BIN)/python -m tests.bench $(ARGS)

lock: ## Resolve the dependencies anew into requirements.lock
	tools/lock

clean: ## Remove what the tasks have made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis
