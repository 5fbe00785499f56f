"""What the doctor says of the tracking store."""

from pathlib import Path

from hpc_dl.doctor import finding, store_trial, tracking
from hpc_dl.planning.site import Site


def found(site: Site, root: Path) -> finding.Finding:
    return finding.run("it", lambda: tracking.examine(site, root, has_nodes=True))


def test_a_store_that_answers_has_no_fault(uri: str) -> None:
    assert store_trial.fault(uri) == ""


def test_a_file_that_is_no_store_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database " * 100)
    assert "did not take it" in store_trial.fault(f"sqlite:///{tmp_path}/mlflow.db")


def test_a_store_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    it = found(Site(name="alps"), tmp_path)
    assert (it.status, "made by the first run" in it.found) == ("ok", True)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_a_fault_without_its_password(tmp_path: Path) -> None:
    it = found(Site(name="alps", tracking_uri="http://me:secret@127.0.0.1:9"), tmp_path)
    assert it.status == "fault"
    assert "http://***@127.0.0.1:9 did not take it: it does not answer" in it.found
    assert "secret" not in it.found
    assert "does not say that compute nodes reach it" in it.found
