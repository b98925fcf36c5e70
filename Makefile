# Everything that a person or CI does here. `make demo` and `make test` need Python 3.11 or newer, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHELL := /bin/sh

.PHONY: help demo test test-long lint format docs bench bench-large bench-spending kills torture fuzz shared-ledger callbacks-trial prefect-trial structure screenshots transcript clean

help: ## show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("reelbatch needs Python 3.11 or newer; this is %d.%d. Set PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . --group test
	@touch $@

demo: $(STAMP) ## rehearse the bundled example batch: nothing is paid, no key is needed
	$(BIN)/reelbatch demo

test: $(STAMP) ## every check: format, lint, types, layers, and the tests that take less than a second
	$(BIN)/python tests/programmes/every_check.py

test-long: $(STAMP) ## the tests that take longer: stories over real processes. CI runs both
	$(BIN)/python tests/programmes/every_check.py long

lint: $(STAMP) ## format, lint, types and layers, without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## put the code into shape
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

docs: $(STAMP) ## write the generated parts of docs/ anew
	for page in providers glossary laws; do PYTHONPATH=. $(BIN)/python tests/programmes/$${page}_page.py || exit; done

bench: $(STAMP) ## figures beside a plain script; run it alone on the machine
	$(BIN)/python tests/benchmarks/bench_throughput.py "1000 x 1 s, 50 in flight" "2000 x 1 s, 200 in flight"

bench-large: $(STAMP) ## 100,000 rows: plan, resume to the first status query, memory, beside csv and jinja2; run it alone
	PYTHONPATH=. $(BIN)/python tests/benchmarks/bench_large_batch.py

bench-spending: $(STAMP) ## what caps of a day and a month cost each order, on SQLite; run it alone
	PYTHONPATH=. $(BIN)/python tests/benchmarks/bench_spending.py

kills: $(STAMP) ## kill -9 a 100-job run at random moments until it ends; the judge is the sandbox's bill
	PYTHONPATH=. $(BIN)/python tests/programmes/random_kills.py --kills 20 --jobs 100
	PYTHONPATH=. $(BIN)/python tests/programmes/random_kills.py --kills 20 --jobs 110 --mixed

torture: $(STAMP) ## the promise, tried: kills at every failpoint, kills of persons' commands, cut wires, 2,000 walks (hours)
	PYTHONPATH=. $(BIN)/python tests/programmes/failpoint_kills.py --most 99
	PYTHONPATH=. $(BIN)/python tests/programmes/failpoint_kills.py --database postgres
	PYTHONPATH=. $(BIN)/python tests/programmes/failpoint_kills.py --depth 3 --samples 60
	PYTHONPATH=. $(BIN)/python tests/programmes/failpoint_kills.py --clocks --depth 2 --samples 25
	PYTHONPATH=. $(BIN)/python tests/programmes/person_kills.py --kills $(or $(KILLS),2000)
	PYTHONPATH=. $(BIN)/python tests/programmes/person_kills.py --by command --kills 200 --rows 10
	PYTHONPATH=. $(BIN)/python tests/programmes/rough_wire.py --rounds 20
	PYTHONPATH=. $(BIN)/python tests/programmes/shared_ledger_trial.py --rows 60 --seconds 600
	REELBATCH_WALKS=2000x100 $(BIN)/python -m pytest -q --timeout 36000 tests/pipelines/ledger/test_random_walk.py

shared-ledger: $(STAMP) ## eight processes on one PostgreSQL ledger, stopped, killed and cut off at random; the judge is the bill
	PYTHONPATH=. $(BIN)/python tests/programmes/shared_ledger_trial.py

fuzz: $(STAMP) ## chance: 20,000 answers and profiles that no document foresees, 2,000 profiles with one key changed, 1,000 draws for every other law of its kind
	REELBATCH_FUZZ=20000 $(BIN)/python -m pytest -q --timeout 3600 tests/pipelines/providers/test_fuzzed_answers.py tests/pipelines/providers/test_fuzzed_profiles.py \
		tests/pipelines/providers/test_mutated_profiles.py
	REELBATCH_FUZZ=1000 $(BIN)/python -m pytest -q --timeout 3600 -m hypothesis

prefect-trial: $(STAMP) ## every promise about Prefect, with real servers and workers, one step after another (an hour)
	set -e; for step in ways told stops outages kills limits schedules inbox records; do \
		test ! -f tests/programmes/prefect_trial/$$step.py || PYTHONPATH=. $(BIN)/python tests/programmes/prefect_trial/$$step.py; done

callbacks-trial: $(STAMP) ## callbacks: a receiver under attack, runs under a bad post, two runs and one receiver on one database
	PYTHONPATH=. $(BIN)/python tests/programmes/callback_storm.py
	PYTHONPATH=. $(BIN)/python tests/programmes/callback_runs.py

structure: $(STAMP) ## figures of the code's shape: functions, files, helpers, names, circles of imports
	PYTHONPATH=. $(BIN)/python tests/programmes/structure.py

transcript: $(STAMP) ## write the session of docs/guide.md anew
	PYTHONPATH=. $(BIN)/python tests/programmes/transcript.py docs/guide.md

screenshots: $(STAMP) ## make the pictures of the README anew (needs Chromium)
	$(BIN)/python tests/programmes/screenshots.py docs/images

clean: ## forget the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
