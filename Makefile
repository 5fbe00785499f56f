# The verbs of the project. `make` lists them.

.PHONY: help install test fast lowest python gpu-check lint docs chaos chaos-ranks chaos-slurm chaos-sweeps bench cluster cluster-stop

help:
	@echo "make install       this project and its tools into the current Python environment"
	@echo "make test          the test suite; starts a private Slurm where it can (root, packages)"
	@echo "make fast          the fast half of it, under two minutes: no Slurm, no servers, no ranks"
	@echo "make lowest        the tests without Slurm, with the lowest versions that pyproject.toml admits"
	@echo "make python        the same, with another Python and the newest versions: PYTHON=3.13"
	@echo "make gpu-check     what only a machine with NVIDIA GPUs can show: a table, and gpu-check.json"
	@echo "make lint          style, types and import contracts"
	@echo "make docs          the documentation's site, in build/site, with docs/job-spec.md written anew"
	@echo "make chaos         all of the following"
	@echo "make chaos-ranks   hundreds of runs killed at random points, each compared bit by bit"
	@echo "make chaos-sweeps  a grid, a random sweep and an ASHA on the private Slurm, troubled and compared"
	@echo "make chaos-slurm   51 jobs on the private Slurm, each troubled in another way and compared"
	@echo "make bench         hpcdl beside other training loops; what a save, loading and tracking cost"
	@echo "make cluster       start the private Slurm; see slurm/README.md"
	@echo "make cluster-stop  stop it"

install:
	python -m pip install -c constraints.txt -e '.[test,dev]'

test:
	python -m pytest

fast:
	python -m pytest -m "not slow and not slurm"

# Each in an environment of its own, which uv makes anew and fills with a few GB.
lowest: export UV_RESOLUTION = lowest-direct
lowest: PYTHON = 3.11
python: PYTHON = 3.13
lowest python:
	uv venv --clear --python $(PYTHON) build/$@
	uv pip install --python build/$@ -e '.[test]'
	build/$@/bin/python -m pytest -m "not nightly and not slurm"

gpu-check:
	python -m tests.gpu_check

lint:
	ruff check .
	ruff format --check .
	mypy
	lint-imports

docs:
	python docs/generate.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

chaos: chaos-ranks chaos-slurm chaos-sweeps

chaos-ranks:
	python -m tests.chaos --kills 200

chaos-slurm:
	slurm/cluster start
	eval "$$(slurm/cluster env)" && python -m tests.slurm_chaos --runs 51

chaos-sweeps:
	slurm/cluster start
	eval "$$(slurm/cluster env)" && python -m tests.sweep_chaos

bench:
	python -m benchmarks
	python -m tests.bench.bench_save
	python -m tests.bench.bench_loading
	python -m tests.bench.bench_tracking

cluster:
	slurm/cluster start

cluster-stop:
	slurm/cluster stop
