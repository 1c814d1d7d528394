# The two commands of a newcomer: `make demo` shows the whole line, `make test` proves it.
# Everything is installed into .venv from lock files with hashes; nothing else on the machine changes.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ./data

.PHONY: help install demo serve test faults faults-times faults-long fuzz fuzz-guided test-servers check bench docs sbom audit format lock clean

help:
	@echo "make demo     a fictitious hospital, posted, pseudonymised, in SNDS tables (under a minute after the install)"
	@echo "make install  .venv with the product alone"
	@echo "make serve    the gateway on 127.0.0.1:8080 with DATA=$(DATA) (made by snds-gateway init)"
	@echo "make test     everything the project promises, attacked"
	@echo "make faults   processes, servers, disks, network and clock harmed under load for SECONDS=60, SEEDS=\"1 3 4\""
	@echo "make faults-times every fault of FORMS=\"server cluster\" once among 2,000 bundles, times judged (about a quarter of an hour)"
	@echo "make faults-long  the same with 2,000 bundles and times judged; killed writers 20 times a point; 500 permutations"
	@echo "make fuzz     harmed documents for the parser, then the validator, for SECONDS=300 each; SEED= for others; then fuzz-guided"
	@echo "make fuzz-guided  the same guided by coverage (atheris), for SECONDS=300 each"
	@echo "make check    format, lint, types, import direction, documents, and make audit where the network is (about a minute)"
	@echo "make docs     the pages that are made from the code: commands, settings"
	@echo "make bench    the figures, as JSON, kept in bench/results/"
	@echo "make sbom     what the product is made of, as CycloneDX, in dist/"
	@echo "make audit    known weaknesses of the dependencies (asks the network; says so when it is not reachable)"
	@echo "make lock     resolve the lock files anew"

$(VENV)/.made:
	@PYTHON="$(PYTHON)" sh scripts/make_venv.sh $(VENV)
	@touch $@

$(VENV)/.product: $(VENV)/.made requirements.lock requirements-build.lock pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock -r requirements.lock
	@PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.developer: $(VENV)/.product requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.product

demo: install
	@$(BIN)/snds-gateway demo

serve: install
	@$(BIN)/snds-gateway serve --data-dir $(DATA)

test: $(VENV)/.developer test-servers
	@$(BIN)/pytest -q -n 2 --dist loadfile

test-servers:
	@sh scripts/install_test_servers.sh

faults: $(VENV)/.developer test-servers
	@$(BIN)/python -m tests.faults.campaign --seconds $(or $(SECONDS),60) $(foreach seed,$(or $(SEEDS),1 3 4),--seed $(seed))

faults-times: $(VENV)/.developer test-servers
	@$(BIN)/python -m tests.faults.campaign --seed $(or $(SEEDS),7) --stays 1780 --seconds 0 --judge-times \
		$(foreach form,$(or $(FORMS),server cluster),--form $(form))

faults-long: $(VENV)/.developer test-servers
	@$(BIN)/python -m tests.faults.campaign --seed $(or $(SEEDS),7) --stays 1780 --seconds $(or $(SECONDS),300) --judge-times
	@$(BIN)/python -m tests.faults.writer_kills --times 20
	@$(BIN)/python -m tests.faults.permutations --times 500

fuzz: $(VENV)/.developer
	@for stage in parse validate; do \
		$(BIN)/python -m tests.fuzz.campaign --stage $$stage --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED)) || exit 1; done
	@$(MAKE) --no-print-directory fuzz-guided

$(VENV)/.fuzz: $(VENV)/.developer requirements-fuzz.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	@touch $@

fuzz-guided: $(VENV)/.fuzz
	@for stage in parse validate; do \
		$(BIN)/python -m tests.fuzz.coverage_guided --stage $$stage --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED)) || exit 1; done

check: $(VENV)/.developer
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/docs tests/architecture
	@sh scripts/audit.sh $(BIN)

format: $(VENV)/.developer
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.developer
	@for page in $(basename $(notdir $(wildcard scripts/build_*_docs.py))) build_dashboard; do \
		$(BIN)/python -m scripts.$$page || exit 1; done

bench: $(VENV)/.developer
	@$(BIN)/python -m bench.run

sbom: $(VENV)/.product
	@$(BIN)/python -m scripts.build_sbom dist/sbom.cdx.json && echo dist/sbom.cdx.json

audit: $(VENV)/.product
	@sh scripts/audit.sh $(BIN)

lock: $(VENV)/.developer
	@sh scripts/lock.sh $(BIN)

clean:
	rm -rf $(VENV) demo-data .mypy_cache .ruff_cache .pytest_cache *.egg-info
