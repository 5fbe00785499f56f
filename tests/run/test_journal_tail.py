"""Finding the newest events from the end of a journal."""

from pathlib import Path

from hpc_dl.run.journal import Journal
from hpc_dl.run.journal_tail import open_tail


def test_the_newest_and_oldest_event_of_a_kind(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for step in range(1000):
        journal.append("metrics", step=step, values={"val/x" if step == 700 else "train/x": 1.0})
    with open_tail(path) as found:
        assert (found.newest("metrics") or {})["step"] == 999
        assert (found.newest("metrics", '"val/') or {})["step"] == 700
        assert (found.oldest("metrics") or {})["step"] == 0
        assert found.newest("state") is None


def test_a_torn_line_and_a_quoted_event_are_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("state", state="running")
    journal.append("warning", message='he said "event": "state" to me')
    with path.open("a") as file:
        file.write('{"event": "state", "state": "fai')
    with open_tail(path) as found:
        assert (found.newest("state") or {})["state"] == "running"


def test_an_absent_or_empty_journal_has_no_events(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("absent", "empty"):
        with open_tail(tmp_path / name) as found:
            assert found.newest("state") is None
            assert found.oldest("state") is None
