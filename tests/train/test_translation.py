"""Translation is learned from the spec to the prediction: metrics, pictures, and the export."""

from io import StringIO

import pandas
import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.predictor import load
from hpc_dl.tracking import model
from tests.support import ranks
from tests.support.running import events, history, new_run

SPEC = {
    "model": {"name": "lstm", "cell": "gru", "hidden": 16, "bidirectional": True, "dropout": 0.0},
    "data": {"name": "synthetic_translation", "examples": 60, "batch_size": 12},
    "train": {"epochs": 2, "label_smoothing": 0.1},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ranks.train(new_run(tmp_path_factory.mktemp("runs"), **SPEC), drawing=True)


def test_translations_are_measured_each_epoch_and_by_a_beam_in_the_test(run):
    values = {name: value for _, step in history(run) for name, value in step.items()}
    assert {"val/bleu", "val/exact", "test/bleu", "test/bleu_beam"} <= set(values)
    assert "val/bleu_beam" not in values
    assert values["val/perplexity"] > 1


def test_translations_and_the_attention_are_shown(run):
    paths = [it["path"] for it in events(run, "artifact")]
    page = next(it for it in paths if it.startswith("artifacts/translations/test-step-"))
    assert "<th>reference<th>translation" in (run.path / page).read_text()
    assert any(it.startswith("artifacts/attention/test-step-") for it in paths)


def test_a_prediction_takes_sentences_and_options_of_the_search(run):
    predictor = load(run.export)
    found = predictor.predict(["einundzwanzig", "neun"], {"beam": 3, "longest": 4})["translation"]
    assert len(found) == 2
    assert all(len(it.split()) <= 4 for it in found)
    alone = predictor.predict("neun", {"beam": 3, "longest": 4})["translation"]
    assert alone[0] == found[1]


def test_the_command_translates_texts_files_of_lines_and_columns_of_tables(run, tmp_path, capsys):
    texts = ["einundzwanzig", "neun"]
    expected = load(run.export).predict(texts, {"beam": 2})["translation"].tolist()
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text)
    (tmp_path / "x.txt").write_text("\n".join(texts))
    pandas.DataFrame({"n": [1, 2], "de": texts}).to_csv(tmp_path / "x.csv", index=False)
    pandas.DataFrame({"de": texts}).to_parquet(tmp_path / "x.parquet")
    ways = [
        ["--text", texts[0], "--text", texts[1]],
        [str(tmp_path / "x.txt")],
        [str(tmp_path / "x.csv"), "--column", "de"],
        [str(tmp_path / "x.parquet")],
        [str(folder)],
    ]
    for words in ways:
        assert main(["predict", str(run.export), *words, "beam=2", "--batch-size", "1"]) == 0
        printed = pandas.read_csv(StringIO(capsys.readouterr().out), keep_default_na=False)
        assert printed["translation"].tolist() == expected
    assert main(["predict", str(run.export), str(tmp_path / "x.csv")]) == 2
    assert "several columns, n, de\n--column n names the one" in capsys.readouterr().err
    assert main(["predict", str(run.export), "neun"]) == 2
    assert "--text 'not bad' predicts a text itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given, params, message",
    [
        ([""], {}, "text 1 is empty"),
        ([7], {}, "the network takes text"),
        (["neun"], {"beam": 0}, "beam has to be above 0, not 0"),
        (["neun"], {"beam": 10**6}, "beam has to be at most"),
        (["neun"], {"longest": 10**12}, "longest has to be at most"),
        (["neun"], {"length_penalty": 1e10}, "length_penalty has to be at most"),
        (["neun"], {"width": 5}, "these predictions have no option 'width'"),
        (["caf\udce9"], {}, r"text 1 is not in UTF-8: caf\\udce9"),
    ],
)
def test_what_cannot_be_translated_is_refused(run, given, params, message):
    with pytest.raises(UserError, match=message):
        load(run.export).predict(given, params)


@pytest.mark.slow
def test_its_tokenizers_travel_with_the_model_of_mlflow(run, tmp_path):
    import mlflow

    model.save(run.export, str(tmp_path / "model"))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    (found,) = loaded.predict(["neun"])["translation"]
    assert found == load(run.export).predict("neun")["translation"][0]


@pytest.mark.slow
def test_two_ranks_find_the_numbers_of_one(run, tmp_path):
    two = ranks.train(new_run(tmp_path, **SPEC, resources={"tasks_per_node": 2}))
    for (_, one), (_, other) in zip(history(run), history(two), strict=True):
        names = [it for it in one if "/s" not in it and "second" not in it]
        assert {it: other[it] for it in names} == pytest.approx(
            {it: one[it] for it in names}, rel=1e-3
        )
