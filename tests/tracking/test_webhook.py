"""Notifications of the end of a run, at a real HTTP server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.cli import main
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.run import journal
from hpc_dl.run.failure import NoProgress
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import webhook
from tests.support.cluster import Cluster
from tests.support.own_models import own_models
from tests.support.running import new_run, start, train, wait_for_end
from tests.support.typed import QUICK, hpcdl, job_file, settings
from tests.support.waiting import wait_until

SECRET = "hook-of-mine"


class Server(ThreadingHTTPServer):
    """Keeps what it gets; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.asked = 0
        self.got: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        if self.server.status == 200:
            self.server.got.append(json.loads(content))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "runs"))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        (tmp_path / "webhook").write_text(f"{made.url}\n")
        yield made
        made.shutdown()


def notify(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"webhook": str(tmp_path / "webhook"), **more}


def ended(tmp_path: Path, state: str, **more: Any) -> RunDir:
    """A run whose journal has an end, of which nobody was told."""
    run = new_run(tmp_path / "runs", notify=notify(tmp_path, **more))
    own = Journal(run.journal)
    own.append("metrics", step=24, epoch=1, values={"val/loss": 0.5})
    own.append("state", state=state, reason="because")
    own.close()
    return run


def told(run: RunDir) -> list[tuple[str, bool]]:
    events = journal.read(run.journal, kinds=("notified",))
    return [(event["on"], event["delivered"]) for event, _, _ in events]


def test_a_completed_run_tells_its_metrics_and_keeps_no_url(tmp_path: Path, server: Server) -> None:
    run = new_run(tmp_path / "runs", notify=notify(tmp_path))
    train(run)
    wait_until(lambda: bool(told(run)), timeout=60, message="the notification")
    (got,) = server.got
    assert (got["run"], got["event"], got["state"]) == ("quick-1", "end", "completed")
    assert got["metrics"]["test/accuracy"] > 0
    assert got["host"]
    assert "quick-1: completed" in got["text"]
    assert told(run) == [("end", True)]
    assert main(["reconcile"]) == 0
    assert len(server.got) == 1
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_what_a_node_without_internet_could_not_send_is_sent_by_reconcile(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))
    run = ended(tmp_path, "failed")
    server.status = 503
    webhook.notify_end(run)
    assert (server.asked, told(run)) == (2, [("failure", False)])
    server.status = 200
    assert main(["reconcile"]) == 0
    assert main(["reconcile"]) == 0
    assert [it["event"] for it in server.got] == ["failure"]
    assert told(run) == [("failure", False), ("failure", True)]


def test_a_dead_url_is_given_up(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0,))
    run, server.status = ended(tmp_path, "failed"), 404
    for _ in range(5):
        webhook.notify_end(run)
    assert server.asked == len(told(run)) == webhook.CALLS


def test_only_what_was_asked_for_is_told(tmp_path: Path, server: Server) -> None:
    webhook.notify_end(ended(tmp_path, "completed", on=["failure"]))
    webhook.notify_end(ended(tmp_path, "paused", on=["end", "failure"]))
    requeued = ended(tmp_path, "requeued")
    webhook.notify_end(requeued)
    assert not server.got
    webhook.notify_no_progress(requeued, str(NoProgress("no progress for 10 min")))
    assert [it["event"] for it in server.got] == ["no_progress"]


@pytest.mark.nightly
def test_a_run_that_hangs_tells_so_before_its_end(tmp_path: Path, server: Server) -> None:
    run = new_run(
        tmp_path / "runs",
        own_models(tmp_path / "code"),
        model={"name": "own.py:Hanging", "rank": 0, "at": 4},
        train={"hang_timeout": "0:04"},
        notify=notify(tmp_path),
    )
    start(run)
    wait_until(lambda: len(server.got) == 2, timeout=60, message="two notifications")
    first, second = server.got
    assert (first["event"], second["event"]) == ("no_progress", "failure")
    assert first["reason"].startswith("no progress for ")
    wait_for_end(run)


@pytest.mark.parametrize("content", ["", "secret.example.org/x", "https://a b", None])
def test_a_file_without_a_url_is_refused_at_submission(
    tmp_path: Path, server: Server, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine"
    if content is not None:
        file.write_text(content)
    words = [f"notify.webhook={file}", "--dry-run=plan", "--local"]
    assert main(["submit", str(job_file(tmp_path, QUICK)), *words]) == 2
    said = capsys.readouterr().err
    assert "notify.webhook" in said
    assert "secret" not in said


def test_a_url_in_the_spec_is_refused() -> None:
    with pytest.raises(ValueError, match="give the path"):
        JobSpec.model_validate(
            {
                "name": "a",
                "model": {"name": "ffnn"},
                "data": {"name": "digits"},
                "train": {"epochs": 1},
                "notify": {"webhook": "https://example.org/x"},
            }
        )


@pytest.mark.nightly
def test_a_job_of_slurm_that_fails_tells_so_once(
    tmp_path: Path, server: Server, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (settings(tmp_path) | {"SLURM_CONF": cluster.env["SLURM_CONF"]}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HPCDL_SITE", "test-cluster")
    own_models(tmp_path)
    text = QUICK.replace("{name: ffnn, hidden: [32]}", "{name: 'own.py:Failing'}")
    text += f"notify: {{webhook: {tmp_path / 'webhook'}}}\n"
    done = hpcdl("submit", job_file(tmp_path, text), "--follow")
    assert done.returncode == 1
    (got,) = server.got
    assert (got["event"], got["state"]) == ("failure", "failed")
    assert "the loss exploded" in got["reason"]
