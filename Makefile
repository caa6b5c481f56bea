# Every verb makes its own environment: only Python (3.11 or later), make, git and a package index are needed.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
# What one process has compiled the next one loads, in every environment: a start compiles a thousand modules otherwise.
unexport PYTHONDONTWRITEBYTECODE
# As `sigmasight` does: a process for a core, and one thread for its matrices.
export OPENBLAS_NUM_THREADS := 1
# Behind a proxy with a certificate of its own only the system knows who has issued it, and uv brings its own roots.
export UV_SYSTEM_CERTS := 1

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced
LOCKED_FROM := https://pypi.org/simple
UNIT := tests/architecture tests/contracts tests/unit
# What has servers takes longer: it begins, after what says itself that it takes longest (tests/conftest.py).
RUNNING := tests/system tests/integration
# In as many processes as there are cores (ARGS="-n0": in one, for --pdb).
PYTEST := $(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# With servers, each a database and a broker of its own, in two for a core and one more: they wait most of their time, since who
# was killed is missed, and who is away is asked for again, only after seconds.
SERVING := $(PYTEST) --maxprocesses 8 -n $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 2 + 1)
JARS := $(or $(SIGMASIGHT_KAFKA_JARS),build/kafka)
# Without Kafka's jars, unless they are asked for: what runs does not depend on whether its lane has fetched them.
ON_TANSU := SIGMASIGHT_TEST_BROKER="$${SIGMASIGHT_TEST_BROKER:-tansu}" \
	SIGMASIGHT_KAFKA_JARS="$$([ "$${SIGMASIGHT_TEST_BROKER:-tansu}" = tansu ] && echo none || echo $(JARS))" $(SERVING)
SIZES ?= 500x50 2000x500 5000x1000

# The interpreter the environment is made with; set PYTHON to choose.
define find_python
for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		python="$$candidate"; break; \
	fi; \
done; \
if [ -z "$${python:-}" ]; then \
	echo "Python 3.11 or later must be installed, none was found; name one: make PYTHON=/path/to/python3" >&2; exit 1; \
fi
endef

# What the lock names, from the index that pip would take: `uv sync` takes it from where it was when it was locked.
install = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$(LOCKED_FROM)}}" \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps

.PHONY: help
help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): uv.lock pyproject.toml
	@$(find_python); \
	if [ ! -x $(BIN)/python ]; then \
		echo "making $(VENV) with $$python"; \
		"$$python" -m venv $(VENV) || { echo "its module venv is missing (Debian: apt install python3-venv)" >&2; exit 1; }; \
	fi
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --disable-pip-version-check uv
	@$(BIN)/uv export --quiet --frozen --all-extras --no-emit-project --output-file $(VENV)/requirements.txt
	@$(install) --require-hashes --requirement $(VENV)/requirements.txt
	@$(install) --editable .
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Run the whole chain over real sample prices and show the results
	@$(BIN)/sigmasight demo

.PHONY: up
up: $(STAMP) ## Run the platform here until Ctrl-C (options: ARGS="--broker tansu --port 0")
	@exec $(BIN)/sigmasight up $(ARGS)

.PHONY: unit
unit: $(STAMP) ## Architecture, contracts and unit tests: nothing is started (ARGS="-k name")
	@$(PYTEST) $(UNIT) $(ARGS)

.PHONY: test
test: $(STAMP) ## Architecture, contracts, unit, integration and system tests on Tansu (ARGS="-k name"; SLOW=1: test-slow too)
	@$(ON_TANSU) $(if $(SLOW),--hypothesis-profile=thorough,-m "not slow") $(RUNNING) $(UNIT) $(ARGS)

.PHONY: compiled
compiled: $(STAMP) ## Load all tests once: in a clean checkout each of their processes would compile everything
	@$(PYTEST) -n 0 --collect-only $(RUNNING) $(UNIT) >/dev/null || true  # what cannot be loaded the tests tell

# Where both are asked for, tests begin when everything is compiled, and beside them Kafka's have a process for a core.
ifneq (,$(filter compiled,$(MAKECMDGOALS)))
test: | compiled
test-kafka: SERVING := $(PYTEST)
endif

.PHONY: test-slow
test-slow: $(STAMP) ## What takes minutes: months of nights, backfills, kills, the README's commands (ARGS="-k name")
	@$(ON_TANSU) -m slow $(RUNNING) $(ARGS)

.PHONY: test-chaos
test-chaos: $(STAMP) ## Services die between two steps of a message, again and again (SEEDS=10, BROKER=tansu or kafka)
	@CHAOS_SEEDS=$(or $(SEEDS),10) SIGMASIGHT_TEST_BROKER=$(or $(BROKER),tansu) $(BIN)/pytest -n0 tests/system/test_chaos.py \
		-o log_cli=true --log-cli-level=INFO --log-disable=httpx $(ARGS)

.PHONY: test-processes
test-processes: $(STAMP) ## Two processes are killed, frozen, restarted and joined on Kafka (SEEDS=10)
	@CHAOS_SEEDS=$(or $(SEEDS),10) SIGMASIGHT_TEST_BROKER=kafka $(BIN)/pytest -n0 tests/system/test_processes.py \
		-o log_cli=true --log-cli-level=INFO --log-disable=httpx $(ARGS)

.PHONY: test-upgrade
test-upgrade: $(STAMP) ## A landed version is upgraded to this one while nights go on, on Kafka (FROM=origin/main)
	@SIGMASIGHT_TEST_BROKER=kafka $(BIN)/python -m tests.upgrade $(or $(FROM),origin/main)

.PHONY: test-kafka
test-kafka: $(STAMP) ## All tests that depend on the broker, on Apache Kafka (Java, or a Docker engine)
	@if command -v java >/dev/null || [ -n "$${JAVA_HOME:-}" ] || ! docker info >/dev/null 2>&1; then \
		ls $(JARS)/kafka_2.13-*.jar >/dev/null 2>&1 || $(MAKE) kafka; \
		export SIGMASIGHT_TEST_BROKER=kafka; \
	else \
		export SIGMASIGHT_TEST_BROKER=testcontainers; \
	fi; \
	$(BIN)/python -c 'from tests.support.stack import broker_description; print("broker:", broker_description())'; \
	$(SERVING) -m "broker and not slow" $(RUNNING) $(ARGS)

.PHONY: test-browser
test-browser: $(STAMP) ## The pages in a browser (needs Chromium; Debian: apt-get install chromium)
	@command -v chromium >/dev/null || { echo "Chromium must be installed (Debian: apt-get install chromium)" >&2; exit 1; }
	@$(PYTEST) -n 0 tests/browser $(ARGS)

.PHONY: kafka
kafka: $(STAMP) ## Fetch Apache Kafka's jars (needs Java 17 or later and Maven)
	@$(BIN)/python -m services.ops.hosting.embedded.kafka_jars
	@$(BIN)/python -m services.ops.hosting.embedded.kafka_classes

.PHONY: promtool
promtool: ## Fetch Prometheus' promtool, with which the alerts are tested (Debian and its kin, without installing it)
	@mkdir -p build/prometheus
	@cd build/prometheus && apt-get download -qq prometheus && dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb

.PHONY: bench
bench: $(STAMP) ## Measure nights and onboarding (SIZES="500x50 2000x500 5000x1000")
	@$(BIN)/python -m tests.benchmarks $(SIZES)

.PHONY: bench-beside
bench-beside: $(STAMP) ## Measure a night beside a backfill (SIZES="500x50")
	@$(BIN)/python -m tests.benchmarks.beside $(SIZES)

.PHONY: bench-reads
bench-reads: $(STAMP) ## Measure reads at 20 to 200 a second, alone and beside nights (SIZE=500x1000)
	@$(BIN)/python -m tests.benchmarks.reads $(or $(SIZE),500x1000)

.PHONY: bench-pages
bench-pages: $(STAMP) ## Measure pages and reads one at a time with much stored (SIZE=5000x1000, STORE=directory to keep it in)
	@$(BIN)/python -m tests.benchmarks.pages $(or $(SIZE),5000x1000) $(STORE)

.PHONY: bench-growth
bench-growth: $(STAMP) ## Measure what nights add to each table (SIZE="200x20 10")
	@$(BIN)/python -m tests.benchmarks.growth $(SIZE)

.PHONY: bench-lasting
bench-lasting: $(STAMP) ## Measure a backfill of a year and sixty nights in a row (SIZE="500x100 250 60")
	@$(BIN)/python -m tests.benchmarks.lasting $(SIZE)

.PHONY: check
check: lint types lock audit ## Everything that is checked without running the code

.PHONY: lint
lint: $(STAMP) ## Style, format and layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

.PHONY: types
types: $(STAMP) ## Static types
	@$(BIN)/mypy

.PHONY: lock
lock: $(STAMP) ## Check that uv.lock is up to date
	@$(BIN)/uv lock --quiet --check --default-index $(LOCKED_FROM)

.PHONY: audit
audit: $(STAMP) ## Look for known vulnerabilities of what is locked, where OSV can be reached
	@mkdir -p build
	@UV_HTTP_RETRIES=0 $(BIN)/uv audit --quiet --frozen --preview-features audit-command 2>build/audit.log || { code=$$?; \
		[ $$code = 2 ] || { cat build/audit.log >&2; exit $$code; }; \
		echo "not audited for vulnerabilities: https://api.osv.dev cannot be reached from here" >&2; }

.PHONY: sbom
sbom: $(STAMP) ## Write build/sbom.json: what the image is made of (CycloneDX)
	@mkdir -p build
	@$(BIN)/uv export --quiet --frozen --no-dev --extra embedded --no-emit-project --preview-features sbom-export \
		--format cyclonedx1.5 --output-file build/sbom.json

.PHONY: pin-images
pin-images: $(STAMP) ## Write the digests of others' images beside their tags, where their registries can be reached
	@$(BIN)/python -m services.ops.documents.images

.PHONY: format
format: $(STAMP) ## Format the code and repair what can be repaired
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

.PHONY: schemas
schemas: $(STAMP) ## Record the JSON Schemas of the events
	@$(BIN)/python -m services.ops.documents.schemas

.PHONY: asyncapi
asyncapi: $(STAMP) ## Write the AsyncAPI documents
	@$(BIN)/python -m services.ops.documents.asyncapi

.PHONY: openapi
openapi: $(STAMP) ## Write the OpenAPI document of all services
	@$(BIN)/python -m services.ops.documents.openapi

.PHONY: acls
acls: $(STAMP) ## Write who may do what on Kafka
	@$(BIN)/python -m services.ops.documents.acls

.PHONY: dashboards
dashboards: $(STAMP) ## Write Grafana's dashboards
	@$(BIN)/python -m services.ops.documents.dashboards

.PHONY: clean
clean: ## Remove the environment, the caches and what was built; data directories stay
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
