# GNU make 3.81 or newer (what macOS ships). `make help` lists the targets.

PYTHON ?= python3
STACK ?= dev
UV ?= uv
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Copies of the locks that are installed: pip runs again only when a lock differs from its copy.
RUN := $(VENV)/installed-requirements.txt
DEV := $(VENV)/installed-requirements-dev.txt
LAUNCHER := $(BIN)/llm-serving
# The policy pack's own environment: see policies/requirements.in.
PACK := policies/.venv
PACK_RUN := $(PACK)/installed-requirements.txt
# Ray's own schemas, for the tests of tests/ray alone.
RAY := tests/ray/.venv
RAY_RUN := $(RAY)/installed-requirements.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help preview check test test-cluster test-engine test-ray cluster up policies schema rules golden bench accuracy lock clean FORCE

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F '|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

preview: $(LAUNCHER) ## print what STACK (default: dev) would create, whether it fits and what it costs
	@$(LAUNCHER) plan $(STACK) $(ARGS)

up: $(RUN) ## deploy STACK: pulumi up, with the CLI on PATH or one that is installed first; ARGS go to pulumi up
	@$(BIN)/python scripts/up.py $(STACK) $(ARGS)

check: $(DEV) ## formatting, lint and types of the whole tree
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/ty check

test: $(DEV) $(PACK_RUN) $(LAUNCHER) ## the whole default test suite
	@$(BIN)/python -m pytest $(ARGS)

test-cluster: $(DEV) ## the tests on a real control plane with simulated GPU nodes (needs Go; the first build takes about 10 minutes)
	@$(BIN)/python -m pytest -m cluster tests/cluster $(ARGS)

test-engine: $(DEV) $(PACK_RUN) $(LAUNCHER) ## the tests that drive the Pulumi engine (needs pulumi, its Kubernetes provider and Go)
	@LLM_SERVING_REQUIRE_ENGINE=1 $(BIN)/python -m pytest -m engine $(ARGS)

test-ray: $(DEV) $(RAY_RUN) ## Serve configurations against Ray's own schemas (half a gigabyte of packages, once)
	@LLM_SERVING_REQUIRE_RAY=1 $(BIN)/python -m pytest tests/ray $(ARGS)

cluster: $(DEV) ## that control plane for people, with the nodes of STACK, until Ctrl-C
	@$(BIN)/python -m tests.cluster $(STACK)

golden: $(DEV) $(LAUNCHER) ## rewrite tests/golden from what the program prints now
	@$(BIN)/python -m pytest --update-golden $(ARGS)

schema: $(LAUNCHER) ## rewrite the JSON Schema of the stack files
	@$(LAUNCHER) schema > llm-serving.schema.json.new && mv llm-serving.schema.json.new llm-serving.schema.json

rules: $(LAUNCHER) ## rewrite docs/rules.md
	@$(LAUNCHER) rules --format markdown > docs/rules.md.new && mv docs/rules.md.new docs/rules.md

policies: $(PACK_RUN) ## the environment of the policy pack, for pulumi preview --policy-pack policies

bench: $(DEV) $(LAUNCHER) ## CPU seconds and memory of check and plan, beside the floor
	@$(BIN)/python -m benchmarks $(ARGS)

accuracy: $(DEV) ## score the memory estimate against measurements
	@$(BIN)/python -m benchmarks.accuracy $(ARGS)

# One lock for Python 3.11 and newer on Linux and macOS; ARGS=--upgrade takes newer releases.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' $(ARGS)

lock: ## pin and hash requirements*.in again (needs uv)
	@command -v $(UV) > /dev/null || { echo "make lock: uv is not on PATH; install it ($(PYTHON) -m pip install uv) or name it with UV=..." >&2; exit 1; }
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt
	$(COMPILE) policies/requirements.in --output-file policies/requirements.txt
	$(COMPILE) tests/ray/requirements.in --output-file tests/ray/requirements.txt

clean: ## remove the environment and every cache
	rm -rf $(VENV) $(PACK) $(RAY) .pytest_cache .ruff_cache .hypothesis build dist *.egg-info llm-serving.schema.json.new
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(1) is an interpreter, $(2) what to do when it is too old. Every Python since 2.6 can run this.
too_old = import sys; \
v = ".".join(map(str, sys.version_info[:3])); \
sys.version_info >= (3, 11) or sys.exit("make: $(1) is Python " + v + "; 3.11 or newer is needed. $(2)")

# pulumi's language host runs `python -m pip` in this environment, so pip stays in it.
$(BIN)/python:
	@command -v "$(PYTHON)" > /dev/null || { echo "make: there is no $(PYTHON). Install Python 3.11 or newer, or name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c '$(call too_old,$(PYTHON),Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12)'
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { echo "make: $(PYTHON) has no venv or ensurepip module. On Debian and Ubuntu: apt install python3-venv. Or name another Python: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "creating $(VENV) ..." >&2
	@"$(PYTHON)" -m venv --clear $(VENV)

# $(1) is what, $(2) the environment. Wheels only: nothing is compiled here but bytecode, without which importing the SDKs takes seconds instead of a moment.
define install
@set -e; cmp -s $< $@ || { \
	$(2)/bin/python -c '$(call too_old,$(2),Run make clean and start again)'; \
	$(2)/bin/python -c 'import pip' 2> /dev/null || $(2)/bin/python -m ensurepip > /dev/null; \
	echo "installing $(1) into $(2) ..." >&2; \
	$(2)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --compile -r $<; \
	cp $< $@; \
}
@touch $@
endef

$(RUN): requirements.txt | $(BIN)/python
	$(call install,the run-time packages (about a minute$(comma) once),$(VENV))

$(DEV): requirements-dev.txt $(RUN)
	$(call install,the test packages (about half a minute$(comma) once),$(VENV))

$(PACK)/bin/python: | $(BIN)/python
	@echo "creating $(PACK) ..." >&2
	@$(BIN)/python -m venv --clear $(PACK)

$(PACK_RUN): policies/requirements.txt | $(PACK)/bin/python
	$(call install,the packages of the policy pack (about half a minute$(comma) once),$(PACK))

$(RAY)/bin/python: | $(BIN)/python
	@echo "creating $(RAY) ..." >&2
	@$(BIN)/python -m venv --clear $(RAY)

$(RAY_RUN): tests/ray/requirements.txt | $(RAY)/bin/python
	$(call install,Ray (about a minute$(comma) once),$(RAY))

comma := ,

# Both sh and Python read this file: a path in a #! line can be neither long nor contain spaces.
define LAUNCHER_TEXT
#!/bin/sh
'''exec' "$(CURDIR)/$(BIN)/python" "$$0" "$$@"
' '''
import os, sys

# Looking for pydantic plugins among all installed packages takes longer than most checks, and we use none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
sys.path[0] = "$(CURDIR)"

from cli import main

sys.exit(main())
endef
export LAUNCHER_TEXT

# Compared on every run, because a checkout can be moved.
$(LAUNCHER): FORCE | $(RUN)
	@printf '%s\n' "$$LAUNCHER_TEXT" | cmp -s - $@ || { printf '%s\n' "$$LAUNCHER_TEXT" > $@; chmod +x $@; }
