"""A text is learned from the spec to the prediction: metrics, samples, assets and the export."""

import dataclasses
import math

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.predictor import load
from hpc_dl.tasks.decoding import Sampling
from hpc_dl.tracking import model
from tests.support import ranks
from tests.support.running import events, history, new_run

SPEC = {
    "model": {"name": "rnn", "hidden": 16},
    "data": {"name": "text", "length": 32, "batch_size": 64},
    "train": {"epochs": 2, "optimizer": {"name": "adamw", "lr": 1e-2}},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ranks.train(new_run(tmp_path_factory.mktemp("runs"), **SPEC), drawing=True)


def test_its_metrics_are_the_same_loss_in_the_units_of_the_field(run):
    values = {name: value for _, step in history(run) for name, value in step.items()}
    for split in ("val", "test"):
        loss = values[f"{split}/loss"]
        assert 1 < loss < math.log(59)
        assert values[f"{split}/perplexity"] == pytest.approx(math.exp(loss))
        assert values[f"{split}/nats_per_character"] == pytest.approx(loss)
        assert values[f"{split}/bits_per_character"] == pytest.approx(loss / math.log(2))
        assert 0 < values[f"{split}/accuracy"] < 1


def test_samples_are_written_during_and_after_the_training(run):
    texts = [it["path"] for it in events(run, "artifact") if it["path"].endswith(".txt")]
    assert len(texts) == 3
    assert texts[-1].startswith("artifacts/continuations/test-step-")
    said = (run.path / texts[-1]).read_text()
    assert said.startswith("Prompts, and after » what the network writes, test split, ")
    assert said.count("»") == 5


def test_a_prediction_continues_a_prompt_and_is_the_same_each_time(run):
    predicted = load(run.export).predict(["Shall I ", "O"])
    assert predicted["continuation"].shape == (2,)
    assert [*map(len, predicted["continuation"])] == [200, 200]
    assert predicted["continuation"].tolist() == (
        load(run.export).predict(["Shall I ", "O"])["continuation"].tolist()
    )


def test_the_commands_continue_a_text(run, tmp_path, capsys):
    export = str(run.export)
    given = ["--prompt", "Shall I ", "length=30", "temperature=0.5"]
    assert main(["generate", export, *given]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Shall I ")
    assert len(printed) == len("Shall I ") + 31
    assert main(["generate", export, *given, "--count", "3", "--seed", "1"]) == 0
    several = capsys.readouterr().out.split("\n---\n")
    assert len({*several, printed}) == 4
    (tmp_path / "prompts.txt").write_text("O\nShall I \n")
    assert main(["predict", export, str(tmp_path / "prompts.txt"), "length=9"]) == 0
    assert capsys.readouterr().out.startswith("line,text,continuation\n1,O,")
    assert main(["generate", export, "temperature=0"]) == 2
    assert "error: temperature has to be above 0, not '0'" in capsys.readouterr().err
    assert main(["generate", export, "0.5"]) == 2
    assert "0.5 is no option key=value" in capsys.readouterr().err


def test_a_user_chooses_how_a_text_is_continued(run):
    predictor = load(run.export)
    found = [
        predictor.predict("O", params)["continuation"][0]
        for params in ({"length": 40}, {"length": 40, "seed": 1}, {"length": 40})
    ]
    assert found[0] == found[2] != found[1]
    with pytest.raises(UserError, match="have no option 'lenght'; did you mean 'length'") as caught:
        predictor.predict("O", {"lenght": 40})
    assert caught.value.hint == "There are: length, temperature, top_k, top_p, seed"
    for params in ({"seed": 2**32}, {"length": 10**12}):  # no generator, and no memory, takes them
        with pytest.raises(UserError, match=r" has to be (at most|below) "):
            predictor.predict("O", params)


def test_its_vocabulary_travels_with_the_model_of_mlflow(run, tmp_path):
    import mlflow

    assert (run.assets / "vocabulary.json").read_text() == (
        run.export / "assets" / "vocabulary.json"
    ).read_text()
    model.save(run.export, str(tmp_path / "model"))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    (found,) = loaded.predict(["Shall I "])["continuation"]
    assert found == load(run.export).predict("Shall I ")["continuation"][0]
    (short,) = loaded.predict(["Shall I "], params={"length": 30, "seed": 3})["continuation"]
    assert short == load(run.export).predict("Shall I ", {"length": 30, "seed": 3})["continuation"]
    params = {it.name: it.default for it in loaded.metadata.signature.params}
    assert params == dataclasses.asdict(Sampling())


def test_byte_pairs_are_learned_and_read_as_text(tmp_path):
    data = {**SPEC["data"], "tokens": "byte_pairs", "vocabulary": 300}
    run = ranks.train(new_run(tmp_path, **{**SPEC, "data": data}), drawing=True)
    values = {name: value for _, step in history(run) for name, value in step.items()}
    assert values["val/nats_per_character"] < 0.9 * values["val/loss"]
    text = next((run.path / "artifacts/continuations").glob("test-*")).read_text()
    assert "Ġ" not in text
    assert "Ċ" not in text
    (written,) = load(run.export).predict("!Zoë ")["continuation"]
    assert "Ġ" not in written


def test_two_ranks_find_the_numbers_of_one(run, tmp_path):
    two = ranks.train(new_run(tmp_path, **SPEC, resources={"tasks_per_node": 2}))
    for (_, one), (_, other) in zip(history(run), history(two), strict=True):
        names = [it for it in one if "/s" not in it and "second" not in it]
        assert {it: other[it] for it in names} == pytest.approx(
            {it: one[it] for it in names}, rel=1e-3
        )
