# `make run` and `make test` are enough to start with; the other targets are for development.
# Requires make and Python 3.11 or newer (PYTHON=… selects another one).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATIC := build/static/staticfiles.json
HOST ?= 127.0.0.1
PORT ?= 8000
STORE ?= sql
VAR_DIR ?= $(CURDIR)/var
URL ?= http://$(HOST):$(PORT)
PREPARE = $(BIN)/python manage.py migrate --verbosity 0
# STORE=cassandra starts a node with the site and stops it afterwards, unless
# CASSANDRA_CONTACT_POINTS names running nodes.
ifeq ($(STORE),cassandra)
WITH_STORE = mkdir -p -m 700 "$$VAR_DIR" && $(BIN)/python -m tools.local_cassandra --directory "$$VAR_DIR/cassandra" --
PREPARE += && $(BIN)/python manage.py createkeyspace
endif
export HOST PORT VAR_DIR
export PREDICTION_STORE ?= $(STORE)

.DEFAULT_GOAL := help
.PHONY: help run test test-container check format benchmark messages lock screenshots train audit clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: $(VENV)/serve $(STATIC) $(if $(filter cassandra,$(STORE)),$(VENV)/cassandra-node) ## Install what serving needs and serve at http://127.0.0.1:8000 (HOST, PORT, VAR_DIR, STORE=cassandra, PYTHON=python3.12)
	@$(WITH_STORE) sh -c '$(PREPARE) && exec $(BIN)/python -m gunicorn -c python:mnistsite.gunicorn_config'

test: $(VENV)/dev ## Install everything and run the tests (TESTS="tests/predictions/api -x" for some)
ifdef TESTS
	$(BIN)/python -m pytest $(TESTS)
else
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not container and (browser or not server)"
	$(BIN)/python -m pytest -m "server and not browser and not container" # one after another, since they measure time
endif

test-container: $(VENV)/dev ## Build the container image and test containers of it
	$(BIN)/python -m pytest -m container tests/container

check: $(VENV)/dev ## Lint, format, types, layers, templates, migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint --check --lint --quiet templates
	$(BIN)/python manage.py makemigrations --check --dry-run
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') \
	ALLOWED_HOSTS=digits.example.org $(BIN)/python manage.py check --deploy --fail-level WARNING

format: $(VENV)/dev ## Format code and templates
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djlint --reformat --quiet templates

benchmark: $(VENV)/dev ## Measure how fast it is here, beside its peers: three minutes (needs wrk)
	$(BIN)/python benchmarks/serving.py --rounds 3 --seconds 5 --environments build/peers --only \
		"ours, kept in SQLite" "FastAPI, kept in SQLite" "ours, not kept" "FastAPI, not kept" LitServe

messages: $(VENV)/dev ## Collect what is to be translated into locale/, and compile it (needs GNU gettext)
	$(BIN)/python manage.py makemessages --all --add-location never --no-wrap --no-obsolete \
		--ignore tests --ignore benchmarks --ignore tools --ignore build --ignore var
	sed -i '/^"POT-Creation-Date/d' locale/*/LC_MESSAGES/django.po
	$(BIN)/python manage.py compilemessages --ignore .venv

screenshots: $(VENV)/dev ## Take pictures of the site at URL for build/screenshots and docs (make run in another terminal)
	$(BIN)/python -m tests.browser.screenshots $(URL)

train: $(VENV)/dev ## Train the compact network: make train DATA=folder-with-MNIST (downloaded if not set)
	$(BIN)/python manage.py train $(if $(DATA),--data $(DATA)) $(ARGUMENTS)

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml

lock: $(VENV)/dev ## Lock the newest versions that pyproject.toml allows, with hashes
	$(LOCK) --upgrade --all-extras -o requirements-dev.txt
	$(LOCK) --upgrade --extra train -c requirements-dev.txt -o requirements.txt
	$(LOCK) --upgrade -c requirements-dev.txt -o requirements-serve.txt
	$(LOCK) --upgrade --extra cassandra-node -c requirements-dev.txt -o requirements-cassandra-node.txt

audit: $(VENV)/dev ## Check the locked packages for known vulnerabilities
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements-dev.txt

clean: ## Remove what was installed and built, but not VAR_DIR
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

# Hashing and compressing take seconds, so they are part of the installation.
$(STATIC): $(VENV)/serve $(shell find predictions/static -type f)
	@$(BIN)/python manage.py collectstatic --no-input --clear --ignore redoc --verbosity 0

# One environment for everything; the stamp files record what is installed in it.
$(VENV)/serve: requirements-serve.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/cassandra-node: requirements-cassandra-node.txt $(VENV)/serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
