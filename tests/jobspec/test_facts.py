"""What is known of data is written as features, and the files of before are still read."""

import dataclasses
import json

from pydantic import TypeAdapter

from hpc_dl.jobspec.facts import DataFacts, Feature

READ = TypeAdapter(DataFacts).validate_python
OLD = """{"kind": "image", "task": "classify", "shape": [1, 8, 8], "classes": ["cat", "dog"],
"train": 8, "validation": 1, "test": 2, "targets": [], "columns": [], "raw": [], "only": [],
"groups": 0, "undirected": false, "contents": [], "notes": ["two rows were left out"]}"""
OLD_TABLE = """{"kind": "table", "task": "regress", "shape": [2], "classes": [],
"train": 8, "validation": 1, "test": 2, "targets": ["price", "size"], "columns": ["a", "b"],
"raw": [{"name": "a", "part": "input", "type": "number", "values": 3, "gaps": 0, "words": []}]}"""


def test_facts_of_an_old_run_folder_are_those_of_today():
    assert READ(json.loads(OLD)) == DataFacts.of(
        "image", "classify", (1, 8, 8), ("cat", "dog"), 8, 1, 2
    )
    table = READ(json.loads(OLD_TABLE))
    assert (table.modality, table.shape, table.raw[0].name) == ("table", (2,), "a")
    assert table.target_names == ("price", "size")
    assert table.outputs == 2


def test_facts_are_the_same_after_they_were_written():
    text = DataFacts(
        "sequence",
        "classify",
        {"sequence": Feature("float", (None, 3), longest=7)},
        {"label": Feature("int", (), ("up", "down"))},
        *(8, 1, 2),
    )
    graph = DataFacts.of("graph", "classify_nodes", (5,), ("a", "b"), 4, 3, 3, undirected=True)
    for facts in (text, graph):
        assert READ(json.loads(json.dumps(dataclasses.asdict(facts)))) == facts


def test_the_shape_of_data_that_differ_in_length_is_that_of_the_longest():
    feature = Feature("float", (None, 3), longest=7)
    facts = DataFacts("sequence", "none", {"sequence": feature}, {}, 8, 1, 2)
    assert facts.shape == (7, 3)
    assert (facts.classes, facts.target_names, facts.outputs) == ((), (), 0)


def test_users_networks_may_still_call_the_modality_kind():
    assert DataFacts.of("image", "none", (1, 8, 8), (), 8, 1, 2).kind == "image"
