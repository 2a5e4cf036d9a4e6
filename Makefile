# `make demo` and `make test` set up what is missing and need nothing else.
.DEFAULT_GOAL := help
.PHONY: help setup images demo lint unit test bench matrix torture museum compat interleave browser clean

BIN := .venv/bin
# Where it is set, every test process would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## virtual environment, Docker engine and images; quick when all is there
	@tools/setup.sh

images: ## build the images again
	@tools/setup.sh images --rebuild

demo: setup ## one rehearsal: Redis restarts and slows down under load
	@$(BIN)/chaoskit run scenarios/redis-restart.yaml

lint: ## ruff, mypy, import-linter, shellcheck, actionlint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy chaoskit tests
	$(BIN)/lint-imports
	$(BIN)/shellcheck -x -P SCRIPTDIR chaoskit/scripts/*/*.sh tools/setup.sh
	@if [ -x $(BIN)/actionlint ]; then $(BIN)/actionlint -shellcheck=$(BIN)/shellcheck .github/workflows/*.yml; \
	else echo "lint: workflows are not checked: \`make setup\` compiles actionlint where Go is"; fi

unit: ## the tests that need no Docker
	$(BIN)/pytest tests/unit -n 2

test: setup ## lint, and every test
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest tests/unit -n 2
	$(BIN)/pytest tests/judging -n 2
	$(BIN)/pytest tests/contract tests/cli -n 2
	$(BIN)/pytest tests/matrix
	$(BIN)/pytest tests/stack -n 3

bench: setup ## measure what chaoskit costs
	@$(BIN)/python tools/bench.py

matrix: setup ## measure anew what clients feel under every fault, for docs/faults.md
	@CHAOSKIT_WRITE_MATRIX=1 $(BIN)/pytest tests/matrix
	@$(BIN)/python tools/gen_docs.py

torture: setup ## kill chaoskit 300 times at random moments and look for what is left
	@$(BIN)/python -m tests.stack.kill_soak --kills 300

museum: setup ## run every bug of docs/museum.md and its repaired twin 20 times (ROUNDS) and write its table
	@$(BIN)/python tools/museum.py --rounds $(or $(ROUNDS),20)

browser: setup ## the page of a run in a real browser (installs Debian's chromium) and under axe-core
	@tools/setup.sh browser
	$(BIN)/pytest tests/browser

compat: setup ## run the own scenarios on other versions of Docker Compose, built with Go, and write them down
	@$(BIN)/python tools/compat.py
	@$(BIN)/python tools/gen_docs.py

interleave: setup ## find a service that is 30% slower to recover, ten runs of each variant in turns
	@$(BIN)/chaoskit compare tests/stack/stacks/warm-up/scenario.yaml --interleave WARM_UP=1.0 WARM_UP=1.3 -n 10; \
	test $$? = 1

clean: ## remove caches and the virtual environment; keeps images and recorded runs
	rm -rf .venv .cache build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
