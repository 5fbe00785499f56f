"""What tracking costs: the loop for adding a point, and the sync afterwards.

`python -m tests.bench.bench_tracking [EVENTS]` prints the time that a training loop stands still
for a point, beside MLflow's own ways to log one; then syncs a journal of so many events, of two
values each, to a SQLite store, and prints how fast that was, and how much memory it took.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import store
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import run_for

EVENTS = 20_000
VALUES = {"train/loss": 0.693147, "train/accuracy": 0.5123, "lr": 1e-3}
ADDED, LOGGED = 20_000, 500
"""Events for the journal; points for MLflow, which is slower."""


def journal_us(folder: Path) -> float:
    """Microseconds for an event of three values."""
    log = Journal(folder / "journal.jsonl")
    started = time.perf_counter()
    for step in range(ADDED):
        log.append("metrics", step=step, epoch=0, values=VALUES)
    seconds = time.perf_counter() - started
    log.close()
    return seconds / ADDED * 1e6


def mlflow_us(uri: str, *, synchronous: bool) -> tuple[float, float]:
    """Microseconds of the caller's time for a point, and seconds until all have arrived."""
    with store.open_store(uri) as client:
        experiment = client.get_experiment_by_name("Default").experiment_id
        mlflow_id = client.create_run(experiment).info.run_id
        started, waiting = time.perf_counter(), []
        for step in range(LOGGED):
            done = client.log_metric(mlflow_id, "loss", 0.5, step=step, synchronous=synchronous)
            waiting += [done] if done else []
        seconds = time.perf_counter() - started
        for done in waiting:
            done.wait()
        return seconds / LOGGED * 1e6, time.perf_counter() - started


def compare(folder: Path) -> None:
    event = journal_us(folder)
    point = event / len(VALUES)
    uri = f"sqlite:///{folder}/other.db"
    own, _ = mlflow_us(uri, synchronous=True)
    later, drained = mlflow_us(uri, synchronous=False)
    print(f"{'the loop stands still for':34} µs a point   ratio")
    print(f"{'hpcdl: Journal.append':34} {point:10.1f} {1:7.1f}   ({event:.1f} µs an event of 3)")
    print(f"{'MLflow: client.log_metric, SQLite':34} {own:10.1f} {own / point:7.1f}")
    print(
        f"{'MLflow: the same, asynchronous':34} {later:10.1f} {later / point:7.1f}"
        f"   ({LOGGED} points drained in {drained:.1f} s)"
    )


def journalled_run(folder: Path, events: int) -> RunDir:
    run = run_for(f"sqlite:///{folder}/mlflow.db", folder)
    log = Journal(run.journal)
    for step in range(1, events + 1):
        log.append("metrics", step=step, epoch=0, values={"train/loss": 1 / step, "lr": 0.1})
    log.close()
    return run


def peak() -> float:
    """The most memory that this process has held so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def sync_many(folder: Path, events: int) -> None:
    sync_run(journalled_run(folder, 2000))  # imports and first-time costs are not what is measured
    run, before = journalled_run(folder, events), peak()
    started, computed = time.perf_counter(), time.process_time()
    points = sync_run(run).points
    seconds, computed = time.perf_counter() - started, time.process_time() - computed
    megabytes = run.journal.stat().st_size / 1e6
    print(
        f"\n{events} events, {points} points, {megabytes:.0f} MB of journal: "
        f"sent in {seconds:.1f} s ({computed:.1f} s of CPU), {points / seconds:.0f} points/s; "
        f"peak memory {peak():.0f} MB, {peak() - before:.1f} MB more than for 2000 events"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=int, default=EVENTS)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder))
        sync_many(Path(folder), events)


if __name__ == "__main__":
    main()
