# Two commands a newcomer needs: `make demo` and `make test`. Each sets up what it needs, and is quick the second time.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
LOCK_FLAGS := --quiet --universal --generate-hashes --no-emit-index-url --no-strip-extras --no-header --python-version 3.11

.PHONY: demo test test-fast lint format lock soak bench clean

demo: $(VENV)/.runtime
	$(BIN)/nbprod demo nbprod-demo

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/unit

# An hour or more: floods, many runs, many kills; and hypothesis looks at a thousand examples where `make test` looks at 15.
soak: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/soak
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --hypothesis-profile thorough --timeout 7200

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy nbprod
	$(BIN)/lint-imports
	$(BIN)/nbprod notebooks check templates notebooks

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbprod notebooks tidy templates notebooks

# The locks carry hashes and no index address: pip takes them from whatever index it is set up with.
lock: $(VENV)/.dev
	$(BIN)/uv pip compile pyproject.toml --all-extras $(LOCK_FLAGS) -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --extra build $(LOCK_FLAGS) -c requirements-dev.lock -o requirements.lock

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else "nbprod needs Python 3.11 to 3.13; this is %s. Try: make PYTHON=python3.12 demo" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

# --no-deps: the lock is complete, and old pips refuse hashes on requirements with extras otherwise.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime

clean:
	rm -rf nbprod-demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
