# The verbs of the project. `make` lists them.

.PHONY: help install test lint chaos chaos-ranks chaos-slurm bench cluster cluster-stop

help:
	@echo "make install       this project and its tools into the current Python environment"
	@echo "make test          the test suite; starts a private Slurm where it can (root, packages)"
	@echo "make lint          style, types and import contracts"
	@echo "make chaos         both of the following"
	@echo "make chaos-ranks   hundreds of runs killed at random points, each compared bit by bit"
	@echo "make chaos-slurm   51 jobs on the private Slurm, each troubled in another way and compared"
	@echo "make bench         what a step, a save, loading, the commands and the tracking cost; printed"
	@echo "make cluster       start the private Slurm; see slurm/README.md"
	@echo "make cluster-stop  stop it"

install:
	python -m pip install -c constraints.txt -e '.[test,dev]'

test:
	python -m pytest

lint:
	ruff check .
	ruff format --check .
	mypy
	lint-imports

chaos: chaos-ranks chaos-slurm

chaos-ranks:
	python -m tests.chaos --kills 200

chaos-slurm:
	slurm/cluster start
	eval "$$(slurm/cluster env)" && python -m tests.slurm_chaos --runs 51

bench:
	python -m tests.bench.bench_loop
	python -m tests.bench.bench_save
	python -m tests.bench.bench_loading
	python -m tests.bench.bench_cli
	python -m tests.bench.bench_tracking

cluster:
	slurm/cluster start

cluster-stop:
	slurm/cluster stop
