"""The lines of a model card, as they stand there, load the export beside it and predict."""

import json
from dataclasses import replace

import pytest

from hpc_dl.jobspec.facts import Column
from hpc_dl.model_card import example
from tests.support import exports
from tests.support.snapshots import write

RAW_TABLE = replace(
    exports.TABLE,
    raw=(
        Column("size", "input", "number", 9, 0),
        Column("colour", "input", "words", 2, 0, words=("blue", "red")),
        Column("ripe", "input", "bool", 2, 0),
        Column("day", "input", "date", 9, 0, format="%d.%m.%Y"),
        Column("height", "target", "number", 9, 0),
    ),
)
NETWORKS = {
    "raw table": ({"name": "ffnn", "hidden": [4]}, RAW_TABLE),
    **{it: exports.MEMBERS[it] for it in ("cnn", "rnn", "gnn of graphs", "vae conditional", "gan")},
    **{it: exports.RAW[it] for it in ("lstm of texts", "lstm of tagged", "transformer of music")},
    **exports.RECORDINGS,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_lines_predict_as_they_are_typed(tmp_path, monkeypatch, capsys, name):
    options, facts = NETWORKS[name]
    folder = exports.export(tmp_path / "export", options, facts)
    write(folder / "assets", exports.ASSETS)
    monkeypatch.chdir(folder)
    exported = json.loads((folder / "model.json").read_text())
    exec(compile(example.lines(facts, exported["inputs"]), "card", "exec"), {})
    said = capsys.readouterr().out
    assert all(repr(it) in said for it in exported["outputs"])
