# Two commands: `make up` runs the main job, `make test` runs every check. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# in parallel; tests of a group, such as those that need the bundle's own ports, one after another
PYTEST := env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS $(BIN)/python -m pytest -n auto --dist loadgroup
BASE ?= main
SHELL := /bin/sh
# simple commands below run without a shell between, which an interrupt would end with a message of make's
export PYTHON VENV
.DEFAULT_GOAL := help
.PHONY: help up test check-fast lint types unit bundle bench soak confusion matrix mutants docs mixin format packages clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

up: ## Start exporter, Prometheus, Alertmanager (Grafana with Docker) and replay the recorded build
	@sh exporter/up.sh

test: packages $(VENV)/.test lint types unit ## Run lint, types and all tests, those of the bundle by its own tools among them

check-fast: lint types ## Run lint, types and the tests of what differs from BASE (default: main), under a minute
	$(BIN)/python tests/lib/changed.py $(BASE) | xargs -r $(PYTEST)

lint: $(VENV)/.test ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test ## Check types
	$(BIN)/mypy

bundle: $(VENV)/.test ## Check Prometheus' and Alertmanager's files with their own tools
	promtool check config prometheus/prometheus.yml
	promtool check rules --lint-fatal prometheus/rules/*.yml
	promtool test rules prometheus/tests/*.yml
	amtool check-config alertmanager/alertmanager.yml

unit: $(VENV)/.test ## Run the tests
	$(PYTEST) $(PYTEST_FLAGS)

soak: $(VENV)/.test ## Replay 30 days of builds at speed and run the faults that take minutes
	$(BIN)/python bench/soak.py
	$(BIN)/python -m pytest -m soak tests/soak tests/bench

bench: $(VENV)/.test ## Measure against mtail and node_exporter; prints the table and keeps it as JSON
	$(BIN)/python bench/run.py

confusion: $(VENV)/.test ## Print which class each log of really failed builds is given
	$(BIN)/python tests/diagnostics/corpus/confusion.py

matrix: $(VENV)/.test ## Try the readers against the oldest and newest versions of the tools; installs them, takes minutes
	$(BIN)/python tests/real/versions.py $(TOOLS)

mutants: $(VENV)/.test ## Try the tests of chosen rooms on faults in their code, for an hour; writes docs/development.md
	$(BIN)/pip install --quiet 'mutmut>=3.8'
	nice -n 19 $(BIN)/python tests/lib/mutants.py --write

docs: $(VENV)/.test ## Write the reference pages anew from the code
	$(BIN)/python -m build_exporter.catalog > docs/metrics.md
	$(BIN)/python -m build_exporter.model.docs > docs/events.md
	$(BIN)/python -m build_exporter.model.emit_fields > exporter/build_exporter/wrapper/.emit_fields && \
		mv exporter/build_exporter/wrapper/.emit_fields exporter/build_exporter/wrapper/emit_fields.py
	$(BIN)/python -m build_exporter.cli.docs commands > docs/cli.md
	$(BIN)/python -m build_exporter.cli.docs configuration > docs/configuration.md
	$(BIN)/python -m build_exporter.web.docs > docs/api.md
	$(BIN)/python grafana/src/generate.py
	$(BIN)/python docs/rooms.py
	$(BIN)/python tests/diagnostics/corpus/confusion.py --write

mixin: $(VENV)/.test ## Write rules and alerts for a Prometheus of your own into mixin/
	$(BIN)/python mixin/render.py

format: $(VENV)/.test ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

packages: ## Install what tests need from the distribution, where root may
	@sh exporter/packages.sh test
	@command -v npm >/dev/null || exit 0; npm ci --prefix tests/page --no-audit --no-fund --loglevel=error >/dev/null || \
		echo "npm could not install what the tests of the page need: they are skipped" >&2

$(VENV)/.test: pyproject.toml exporter/venv.sh
	@sh exporter/venv.sh $(VENV) .[dev]
	@touch $@

clean: ## Remove what the targets made
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info exporter/*.egg-info
