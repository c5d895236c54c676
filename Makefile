# Two commands: `make run` starts the system, `make test` checks it. Both install what they need into .venv.
ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
  "$$name" -c '$(ENOUGH)' 2>/dev/null && { echo "$$name"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

OLD_NODE := process.exit(Number(parseInt(process.version.slice(1)) < 18))
NPM := $(shell node -e '$(OLD_NODE)' 2>/dev/null && command -v npm)

.PHONY: run test test-fast test-page test-production lint lint-page types hooks proto install install-dev clean

# SERVE_CONFIG=FILE, FILE=RECORDING, ONCE=1, MODELS=none or full, APT=1 (docs/weights.md).
run: install
	@$(BIN)/python -m graphs.local $(if $(SERVE_CONFIG),--config "$(SERVE_CONFIG)") $(if $(FILE),--file "$(FILE)") $(if $(ONCE),--once) \
	  $(if $(MODELS),--models "$(MODELS)") $(if $(filter 1,$(APT)),--apt)

# Two processes: one has the tests of a running system, which mostly wait, the other all the rest.
test: lint types
	$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder --ignore tests/production -m "not thorough"

# What needs no database, no Ray and little time, in less than a minute on two cores.
test-fast: install-dev
	$(BIN)/python -m pytest tests/unit tests/graph --numprocesses 2 -m fast

# The page in Chromium (on Debian: apt-get install chromium-headless-shell); `make test` has its flows, this the rest, too.
test-page: install-dev
	$(BIN)/python -m pytest tests/cluster/page

# The shipped serve_config.yaml on pretended GPU nodes, by itself: five Ray nodes are all that two cores can carry.
test-production: install-dev
	$(BIN)/python -m pytest tests/production

lint: install-dev lint-page
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# ESLint and the type checker on the page's JavaScript, npm packages of exact versions.
ifneq ($(NPM),)
lint-page: node_modules/.installed
	npm run --silent lint
else
lint-page:
	@echo "The page's JavaScript is not checked: there is no Node.js 18 or newer with npm here"
endif

node_modules/.installed: package.json package-lock.json .npmrc
	@npm ci --silent --no-audit --no-fund
	@touch $@

# Before every commit, `make lint`.
hooks: install-dev
	$(BIN)/pre-commit install

types: install-dev
	$(BIN)/mypy

# The gRPC code is kept in the repository; this writes it anew after a change of the contract.
proto: install-dev
	$(BIN)/python -m grpc_tools.protoc --proto_path=graphs/http/compat/realtone/rpc=proto --python_out=. --pyi_out=. --grpc_python_out=. \
	  proto/audio_analyzer.proto

install: $(VENV)/core.installed
install-dev: $(VENV)/dev.installed

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "VoiceGraph needs Python 3.11 or newer with its venv module (on Debian:" \
	  "apt-get install python3 python3-venv); name another with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/core.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing VoiceGraph into $(VENV) (a minute or two)"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/dev.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing VoiceGraph and what its tests need into $(VENV) (a few minutes)"
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@# face-alignment brings the build of OpenCV that wants a desktop's libraries, into the same folder.
	@$(PIP) install --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless
	@touch $@ $(VENV)/core.installed

clean:
	rm -rf $(VENV) build node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache
