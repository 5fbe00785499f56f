"""Cora, Citeseer and Pubmed: read where they are staged, fetched from a server, never run."""

import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from pydantic import TypeAdapter

from hpc_dl.cli import main
from hpc_dl.data.sources import planetoid
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources import DataSpec
from tests.support import reading
from tests.support.planetoid import TEST, VALIDATION, facts, write


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, *_):
        pass


def source(name, **options):
    return TypeAdapter(DataSpec).validate_python({"name": name, **options})


@pytest.fixture
def small(monkeypatch):
    """Graphs with the facts of the small ones that tests write."""
    small = {"cora": facts("cora"), "citeseer": facts("citeseer", isolated=2)}
    monkeypatch.setattr(planetoid, "GRAPHS", {**planetoid.GRAPHS, **small})


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server that has a small Citeseer, from which it is fetched."""
    write(tmp_path / "origin", "citeseer", isolated=2)
    handler = partial(Quiet, directory=tmp_path / "origin")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        origin = f"http://127.0.0.1:{serving.server_port}"
        monkeypatch.setattr(planetoid, "ORIGIN", origin)
        yield tmp_path / "origin"
        serving.shutdown()


def test_the_facts_are_those_of_the_literature():
    for name, counts in {
        "cora": (2708, 1433, 10556, 7, 140),
        "citeseer": (3327, 3703, 9104, 6, 120),
        "pubmed": (19717, 500, 88648, 3, 60),
    }.items():
        graph = planetoid.GRAPHS[name]
        there = (graph.nodes, graph.features, graph.edges, len(graph.classes), graph.facts.train)
        assert there == counts
        assert (graph.facts.validation, graph.facts.test) == (500, 1000)


def test_nodes_that_no_list_of_the_test_has_are_in_no_split(small, tmp_path):
    write(tmp_path / "citeseer" / "CiteSeer" / "raw", "citeseer", isolated=2)
    splits = reading.load(source("citeseer"), tmp_path)
    assert splits.facts == reading.describe(source("citeseer"), tmp_path)
    assert [len(it) for it in (splits.train, splits.validation, splits.test)] == [
        6,
        VALIDATION,
        TEST,
    ]
    places = [it.tensors["at"] for it in (splits.train, splits.validation, splits.test)]
    taken = torch.cat(places)
    assert len(taken.unique()) == len(taken) == 526
    label = torch.cat([it.tensors["label"] for it in (splits.train, splits.validation)])
    assert label.tolist() == [node % 3 for node in range(506)]


@pytest.mark.slow
def test_fetching_stages_the_files_and_a_job_can_be_planned(small, server, tmp_path, capsys):
    root = tmp_path / "data" / "citeseer"
    fetch = ["data", "fetch", "citeseer", "--root", str(root)]
    assert main(fetch) == 0
    assert "citeseer is staged" in capsys.readouterr().out
    there = {path.name for path in root.rglob("*") if path.is_file()}
    assert there == {f"ind.citeseer.{part}" for part in planetoid.PARTS}
    assert reading.describe(source("citeseer", root=str(root)), tmp_path).train == 6
    assert main(fetch) == 0
    assert "nothing to fetch" in capsys.readouterr().out


@pytest.mark.parametrize(
    "harm, said",
    [
        (lambda file: file.write_bytes(b"<html>Log in to the network</html>"), "no readable file"),
        (lambda file: file.write_bytes(file.read_bytes()[:50]), "no readable file of Planetoid"),
        (lambda file: file.unlink(), "HTTP Error 404"),
    ],
    ids=["a page of a captive portal", "truncated", "not there"],
)
def test_a_download_of_something_else_stages_nothing(small, server, tmp_path, capsys, harm, said):
    harm(server / "ind.citeseer.allx")
    root = tmp_path / "data"
    assert main(["data", "fetch", "citeseer", "--root", str(root)]) == 2
    answer = capsys.readouterr().err
    assert "citeseer could not be fetched" in answer
    assert said in answer
    assert f"{planetoid.ORIGIN}/ind.citeseer.test.index" in answer
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_what_is_not_staged_is_refused_with_the_command_and_the_folder(tmp_path):
    with pytest.raises(UserError, match="pubmed is not staged: there is no folder") as caught:
        reading.describe(source("pubmed"), tmp_path)
    assert str(tmp_path / "pubmed" / "PubMed" / "raw") in caught.value.message
    assert "hpcdl data fetch pubmed\n" in caught.value.hint


@pytest.fixture
def cora(small, tmp_path):
    """A small graph in the place of Cora."""
    folder = tmp_path / "cora" / "Cora" / "raw"
    write(folder, "cora")
    return folder


class Program:
    def __reduce__(self):
        return (open, ("ran", "w"))


def swapped(folder):
    write(folder, "cora", classes=2)


def other_part(folder):
    (folder / "ind.cora.ally").write_bytes((folder / "ind.cora.ty").read_bytes())


@pytest.mark.parametrize(
    "harm, said",
    [
        (lambda it: (it / "ind.cora.tx").write_bytes(b""), "tx has 0 bytes"),
        (lambda it: (it / "ind.cora.graph").unlink(), "no ind.cora.graph in"),
    ],
    ids=["empty", "missing"],
)
def test_what_names_and_sizes_tell_is_refused_at_submission(cora, tmp_path, harm, said):
    harm(cora)
    with pytest.raises(UserError, match=said):
        reading.describe(source("cora"), tmp_path)


@pytest.mark.parametrize(
    "harm, said",
    [
        (swapped, "another graph"),
        (other_part, "no readable graph cora"),
        (lambda it: (it / "ind.cora.x").write_bytes(b"\x80\x04half"), "ind.cora.x is no readable"),
        (lambda it: (it / "ind.cora.test.index").write_text("one\n"), "no readable graph cora"),
        (lambda it: (it / "ind.cora.y").write_bytes(pickle.dumps(Program())), "io.open, and not"),
    ],
    ids=["another graph", "another part", "no pickle", "words for numbers", "a program"],
)
def test_damaged_files_are_refused_before_the_first_step(cora, tmp_path, monkeypatch, harm, said):
    monkeypatch.chdir(tmp_path)
    harm(cora)
    with pytest.raises(UserError, match=said):
        reading.given(source("cora"), tmp_path)
    assert not (tmp_path / "ran").exists()
