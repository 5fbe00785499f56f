"""Tags are learned from the spec to the prediction: metrics, coloured sentences, and the export."""

import json

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.predictor import load
from hpc_dl.tracking import model
from tests.support import ranks
from tests.support.running import events, history, new_run

SPEC = {
    "model": {"name": "lstm", "hidden": 32, "bidirectional": True, "dropout": 0.0, "crf": True},
    "data": {"name": "synthetic_entities", "examples": 200, "batch_size": 8},
    "train": {"epochs": 4, "optimizer": {"name": "adamw", "lr": 1e-2}},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ranks.train(new_run(tmp_path_factory.mktemp("runs"), **SPEC), drawing=True)


def test_it_learns_to_find_names_that_it_has_not_seen_and_is_better_than_a_dictionary(run):
    values = {name: value for _, step in history(run) for name, value in step.items()}
    assert values["test/f1"] > 0.7
    assert values["test/f1_dictionary"] < 0.3
    assert values["test/accuracy"] > values["test/f1"]


def test_coloured_sentences_and_a_table_of_types_are_written(run):
    paths = [it["path"] for it in events(run, "artifact")]
    page = next(it for it in paths if it.startswith("artifacts/sentences/test-step-"))
    assert '<span class="right">' in (run.path / page).read_text()
    table = next(it for it in paths if it.startswith("artifacts/entities/test-step-"))
    assert "\nperson " in (run.path / table).read_text()


def test_a_prediction_takes_sentences_or_words(run):
    predictor, sentence = load(run.export), "yesterday Oldity met Kamela Pell in Torloville ."
    predicted = predictor.predict([sentence, "nobody knew"])
    assert [len(it.split()) for it in predicted["tags"]] == [8, 2]
    assert {"start": 6, "end": 7, "type": "place"} in json.loads(predicted["entities"][0])
    words = predictor.predict([sentence.split()])
    assert words["tags"][0] == predicted["tags"][0]
    assert predictor.predict(sentence)["tags"].tolist() == predicted["tags"][:1].tolist()


def test_the_command_tags_a_sentence_a_line_and_names_what_is_none(run, tmp_path, capsys):
    lines = ["yesterday Oldity met Kamela Pell in Torloville .", "", "nobody knew", "a " * 99]
    (tmp_path / "x.txt").write_text("\n".join(lines) + "\n")
    words = ["predict", str(run.export), str(tmp_path / "x.txt"), "-o", str(tmp_path / "x.jsonl")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"broken: {tmp_path}/x.txt:2: the sentence has no words" in said
    assert f"broken: {tmp_path}/x.txt:4: the sentence has 99 words, more than" in said
    assert "divide it into parts of at most" in said
    assert main([*words, "--skip-broken"]) == 0
    found = [json.loads(it) for it in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [(it["line"], it["text"]) for it in found] == [(1, lines[0]), (3, lines[2])]
    assert {"start": 6, "end": 7, "type": "place"} in found[0]["entities"]


@pytest.mark.parametrize(
    "given, message",
    [
        ([""], "sentence 1 has no words"),
        (["a", "b " * 99], r"sentence 2 has 99 words, more than the .*: divide it into parts"),
        ([1.5], "sentence 1 is no string, and no list of words"),
        ([["a", ""]], "sentence 1 is no string, and no list of words"),
        ([], "the network takes sentences"),
        (3, "the network takes sentences"),
    ],
)
def test_what_cannot_be_tagged_is_refused(run, given, message):
    with pytest.raises(UserError, match=message):
        load(run.export).predict(given)


@pytest.mark.slow
def test_its_words_travel_with_the_model_of_mlflow(run, tmp_path):
    import mlflow

    model.save(run.export, str(tmp_path / "model"))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    (found,) = loaded.predict(["Oldity met Kamela ."])["tags"]
    assert found == load(run.export).predict("Oldity met Kamela .")["tags"][0]


@pytest.mark.slow
def test_two_ranks_find_the_numbers_of_one(run, tmp_path):
    two = ranks.train(new_run(tmp_path, **SPEC, resources={"tasks_per_node": 2}))
    for (_, one), (_, other) in zip(history(run), history(two), strict=True):
        names = [it for it in one if "/s" not in it and "second" not in it]
        assert {it: other[it] for it in names} == pytest.approx(
            {it: one[it] for it in names}, rel=1e-3
        )
