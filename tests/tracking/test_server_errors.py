"""A tracking server that is slow, fails, refuses, or loses answers gets everything once."""

import os
import threading
import time
from contextlib import contextmanager

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.tracking import sync_worker
from hpc_dl.tracking.store import StoreUnavailable
from hpc_dl.tracking.sync import is_pending, sync_run
from tests.support.proxy import Proxy
from tests.support.stores import Server, run_for, same, write_history
from tests.support.waiting import wait_until

SAID = {
    500: "it answers with an error (HTTP 500)",
    429: "it is asked too often at present (HTTP 429)",
    401: "it refuses the login; are the user and the password right? (HTTP 401)",
    403: "it refuses this user (HTTP 403)",
}


@contextmanager
def running_sync_worker(run, monkeypatch):
    """Run the sync worker, at shorter intervals, as long as the context lasts."""
    monkeypatch.setattr(sync_worker, "INTERVALS", (0.05, 0.05))
    monkeypatch.setattr(sync_worker, "MAX_INTERVAL", 0.2)
    theirs, ours = os.pipe()
    following = threading.Thread(target=sync_worker.follow, args=(run, theirs))
    following.start()
    try:
        yield
    finally:
        os.close(ours)
        following.join()
        os.close(theirs)


@pytest.mark.nightly
def test_a_server_in_trouble_gets_everything_once(tmp_path, monkeypatch, capsys):
    server = Server(tmp_path)
    proxy = Proxy(server)
    try:
        server.start()
        answers_that_are_lost_make_nothing_twice(server, proxy, tmp_path)
        what_is_too_much_at_once_is_sent_in_parts(server, proxy, tmp_path)
        run = run_for(proxy.uri, tmp_path, tracking={"uri": proxy.uri})
        with running_sync_worker(run, monkeypatch):
            a_server_in_trouble_is_waited_for(run, proxy, capsys)
        assert same(run, server.uri)
        assert sync_run(run).points == 0
    finally:
        proxy.close()
        server.kill()


def answers_that_are_lost_make_nothing_twice(server, proxy, folder):
    from mlflow import MlflowClient

    run = run_for(proxy.uri, folder, tracking={"experiment": "lost"})
    write_history(Journal(run.journal), 1, 20)
    proxy.loses = {"experiments/create", "runs/create", "runs/log-batch", "spec.yaml"}
    for _ in range(4):
        with pytest.raises(StoreUnavailable):
            sync_run(run)
    assert not proxy.loses
    wait_until(lambda: is_synced(run), 120, message="the store to take the rest")
    assert same(run, server.uri)
    client = MlflowClient(tracking_uri=server.uri)
    experiment = client.get_experiment_by_name("lost").experiment_id
    assert len(client.search_runs([experiment])) == 1


def what_is_too_much_at_once_is_sent_in_parts(server, proxy, folder):
    run = run_for(proxy.uri, folder, tracking={"experiment": "in parts"})
    write_history(Journal(run.journal), 1, 300)
    proxy.most = 20_000
    sync_run(run)
    proxy.most = 2**30
    assert same(run, server.uri)


def is_synced(run):
    """Whether the store took everything: on a busy machine its answer may come too late."""
    try:
        sync_run(run)
    except StoreUnavailable:
        return False
    return True


def a_server_in_trouble_is_waited_for(run, proxy, capsys):
    """One trouble after the other, each with points before and after."""
    log, longest, said, step = Journal(run.journal), 0.0, "", 0
    for status, delay in [*((it, 0.0) for it in SAID), (200, 0.0), (200, 1.0)]:
        proxy.status, proxy.delay = status, delay
        started = time.perf_counter()
        write_history(log, step + 1, step + 10)
        longest, step = max(longest, time.perf_counter() - started), step + 10
        if status in SAID:
            said = wait_for_complaint(capsys, SAID[status], said)
        else:
            wait_until(lambda: not is_pending(run), message="everything to arrive by itself")
    assert longest < 0.5  # seconds that the training stood still
    assert "geheim" not in said


def wait_for_complaint(capsys, words, said):
    """Return the log of the sync worker once these words are in it."""
    heard = [said]

    def hears():
        heard.append(capsys.readouterr().err)
        return words in "".join(heard)

    wait_until(hears, message=f"the sync worker to log: {words}")
    return "".join(heard)
