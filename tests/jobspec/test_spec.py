"""Specs: what YAML means here, overrides, and what is written can be read again."""

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpc_dl.errors import UserError
from hpc_dl.jobspec import units
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.schema import schema
from hpc_dl.jobspec.spec_file import dump

JOBS = sorted((Path(__file__).parent.parent.parent / "jobs").glob("*.yaml"))
GOOD = """\
name: run
model: {name: vae, latent_dim: 4, hidden: [32]}
data: {name: digits}
train: {epochs: 3, optimizer: {name: adamw, lr: 1e-3, betas: [0.9, 0.95]}}
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(GOOD)
    return path


def written(tmp_path, text):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    return load(path)


# ---- what YAML means


@pytest.mark.parametrize("text", ["1e-3", "1E-3", ".001", "0.001", "1.0e-3", "+1e-3"])
def test_a_number_is_a_number_however_it_is_written(tmp_path, text):
    assert written(tmp_path, GOOD.replace("1e-3", text)).train.optimizer.lr == 0.001


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("01:30:00", 5400),
        ("1-12:00:00", 129600),
        ("24:00", 1440),
        ("90", 5400),
        ("2-0", 172800),
        ("1-6:30", 109800),
        ("'10:00'", 600),
    ],
)
def test_a_time_is_what_slurm_means_by_it(tmp_path, text, seconds):
    spec = written(tmp_path, GOOD + f"resources: {{time: {text}}}\n")
    assert units.seconds(spec.resources.time) == seconds


@pytest.mark.parametrize(
    "word", ["no", "on", "yes", "off", "y", "NO", "2024-01-01", "1_000", "0x", "007"]
)
def test_words_that_older_yaml_takes_for_something_else_are_words(tmp_path, word):
    assert written(tmp_path, GOOD.replace("name: run", f"name: {word}")).name == word


def test_anchors_and_comments_and_a_byte_order_mark_are_read(tmp_path):
    text = "\ufeff# a job\nname: &n run # its name\n" + GOOD.split("\n", 1)[1]
    spec = written(tmp_path, text + "tracking: {experiment: *n}\n")
    assert spec.tracking.experiment == "run"


def test_sbatch_options_keep_their_types(tmp_path):
    options = "{exclusive: true, constraint: a100, nice: 100, hint: nomultithread}"
    spec = written(tmp_path, GOOD + f"resources: {{slurm: {options}}}\n")
    assert spec.resources.slurm == {
        "exclusive": True,
        "constraint": "a100",
        "nice": 100,
        "hint": "nomultithread",
    }


@pytest.mark.parametrize(
    "text, said",
    [("1 epoch", (1, "epoch")), ("500 steps", (500, "steps")), ("10 min", (10, "min"))],
)
def test_intervals(text, said):
    found = units.every(text)
    assert (found.count, found.unit) == said
    assert units.every("2 hours") == units.every("120 min")


def test_memory_is_in_megabytes_unless_it_says_otherwise():
    assert units.bytes_of("4000") == 4000 * 2**20
    assert units.bytes_of("32G") == 32 * 2**30


# ---- overrides


@pytest.mark.parametrize(
    "word, path, value",
    [
        ("train.epochs=7", "train.epochs", 7),
        ("model.latent_dim=8", "model.latent_dim", 8),
        ("model.hidden=[64, 32]", "model.hidden", [64, 32]),
        ("train.optimizer.lr=1e-2", "train.optimizer.lr", 0.01),
        ("resources.time=01:00:00", "resources.time", "01:00:00"),
        ("resources.slurm.qos=high", "resources.slurm", {"qos": "high"}),
        ("train.early_stopping.patience=2", "train.early_stopping.patience", 2),
        ("name=a=b".replace("=b", "-b"), "name", "a-b"),
        ("tracking.uri=http://host:5000/?a=b", "tracking.uri", "http://host:5000/?a=b"),
        ("train.clip_norm=null", "train.clip_norm", None),
    ],
)
def test_an_override_is_what_is_used(job, word, path, value):
    found = load(job, [word])
    for key in path.split("."):
        found = getattr(found, key)
    assert found == value


@pytest.mark.parametrize(
    "text",
    [
        "a #b",
        "#ff0000",
        "a: b",
        "- x",
        "? x",
        "!important",
        "&a x",
        "*a",
        "|",
        ">-",
        "%x",
        "@x",
        "`x`",
        " a ",
        "a\nb",
        "---",
        "--- x",
        "a\n---\nb",
        "...",
        "it's",
        "1_000",
        "12:30",
    ],
)
def test_an_ordinary_word_arrives_as_it_was_typed(job, tmp_path, text):
    spec = load(job, [f"resources.account={text}"])
    assert spec.resources.account == text
    (tmp_path / "resolved.yaml").write_text(dump(spec))
    assert load(tmp_path / "resolved.yaml") == spec


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no value after the '='"),
        ("  ", "there is no value after the '='"),
        ("'a' #b", "a comment in it would be dropped"),
        ('"a" b', "not YAML"),
        ('"a": b', "something follows the closing quote or bracket"),
        ("'tis", "not YAML"),
        ("[draft] a", "not YAML"),
        ("[a #b]", "not YAML"),
        ("[a, b] #c", "a comment in it would be dropped"),
        ("[a, #b\n c]", "a comment in it would be dropped"),
        ("{a: !x b}", "the tag !x has no place"),
        ("{<<: {a: 1}}", "a spec has no merge keys"),
        ("a\x07", "a character in it cannot be printed"),
        ("\udcff", "a character in it cannot be printed"),
    ],
)
def test_a_word_that_would_be_cut_is_refused(job, text, said):
    for key in ("tracking.experiment", "model.name"):
        with pytest.raises(UserError, match=re.escape(said)) as caught:
            load(job, [f"{key}={text}"])
        assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "name, said", [("a/b", "has no '/'"), ("a:1", "has no ':'"), (".", "dots alone")]
)
def test_a_name_that_the_model_registry_refuses_is_refused_before_the_training(job, name, said):
    with pytest.raises(UserError, match=re.escape(said)):
        load(job, [f"tracking.register_as='{name}'"])


def test_a_merge_key_is_no_option_on_the_command_line_either(job):
    with pytest.raises(UserError, match=r"there is no 'model\.<<'"):
        load(job, ["model.name=my.py:Net", "model.<<=1"])


@pytest.mark.parametrize("word", ["1e-3", "0o17", "08", "5.", "yes", "null", "a\x85b", "a #b"])
def test_text_is_text_again_where_a_spec_is_read_back(job, tmp_path, word):
    spec = load(job, ["model.name=my.py:Net", f"model.word={json.dumps(word)}"])
    assert spec.model.options["word"] == word
    (tmp_path / "resolved.yaml").write_text(dump(spec))
    assert load(tmp_path / "resolved.yaml") == spec


def test_the_last_of_two_overrides_wins(job):
    assert load(job, ["train.epochs=7", "train.epochs=8"]).train.epochs == 8


def test_steps_on_the_command_line_take_the_place_of_epochs_in_the_file(job):
    spec = load(job, ["train.steps=100"])
    assert (spec.train.steps, spec.train.epochs) == (100, None)


def test_another_model_drops_the_options_that_it_does_not_have_and_keeps_the_others(job):
    spec = load(job, ["model.name=ffnn", "train.optimizer.name=sgd"])
    assert (spec.model.name, spec.model.hidden) == ("ffnn", [32])
    assert (spec.train.optimizer.name, spec.train.optimizer.lr) == ("sgd", 0.001)


def test_options_for_the_new_model_may_come_before_its_name(job):
    assert load(job, ["model.dropout=0.5", "model.name=ffnn"]).model.dropout == 0.5


@pytest.mark.parametrize(
    "word, column, said",
    [
        ("train.epoch=3", 1, "there is no 'train.epoch'; did you mean 'train.epochs'?"),
        ("epochs=3", 1, "there is no 'epochs'"),
        ("train.epochs", 1, "is no override"),
        ("train.epochs=three", 14, "has to be a whole number, not 'three'"),
        ("train.optimizer={name: sgd, lr: -1}", 33, "has to be above 0, not -1"),
        ("model.hidden=[64", 17, "not YAML"),
        ("model.name=vea", 12, "did you mean 'vae'?"),
        ("data.batch_size=0", 17, "has to be above 0"),
        ("train.epochs.x=1", 1, "there is no 'train.epochs.x'"),
        ("train.average=0.9", 1, "train.average is called train.ema_decay now"),
        ("train.on_nonfinite=back", 20, "train.on_nonfinite: back is called rollback now"),
        ("data.only=[3]", 1, "data.only is called data.include_classes now"),
        ("model.dropout=0.1", 1, "unknown key 'dropout' in model"),
    ],
)
def test_a_wrong_override_is_shown_with_its_place_in_the_argument(job, word, column, said):
    with pytest.raises(UserError) as caught:
        load(job, ["name=ok", word])
    message = caught.value.message
    assert f"command line:2:{column}: " in message, message
    assert said in message
    assert word in message


# ---- what is written can be read


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_resolved_spec_loads_as_the_same_spec(path, tmp_path):
    spec = load(path)
    (tmp_path / "resolved.yaml").write_text(dump(spec))
    assert load(tmp_path / "resolved.yaml") == spec


def test_the_schema_that_editors_read_is_the_present_one():
    path = JOBS[0].parent / "schema.json"
    assert json.loads(path.read_text()) == schema(), "run: hpcdl schema > jobs/schema.json"
    for job in JOBS:
        assert job.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def test_the_schema_knows_the_parts_the_choices_and_the_bounds():
    said = schema()
    options = said["$defs"]["VariationalAutoencoder"]
    assert options["additionalProperties"] is False
    assert options["properties"]["latent_dim"]["exclusiveMinimum"] == 0
    assert said["$defs"]["Train"]["properties"]["precision"]["enum"] == ["fp32", "bf16", "fp16"]
    assert "integer" in said["$defs"]["Resources"]["properties"]["time"]["type"]


def test_reading_a_spec_imports_nothing_heavy():
    program = "import sys, hpc_dl.jobspec.load, hpc_dl.planning.site; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "torchvision", "accelerate", "mlflow", "submitit", "numpy"}
    assert not heavy & set(done.stdout.split())


def test_a_file_of_ten_megabytes_is_refused_without_being_read(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("a: [" + "1, " * 5_000_000 + "]")
    started = time.process_time()
    with pytest.raises(UserError, match="larger than 1 MB"):
        load(path)
    assert time.process_time() - started < 1  # parsing it would take minutes


@pytest.mark.parametrize(
    "key, value",
    [("after", "true"), ("after", "[x, false]"), ("name", "1e3"), ("model.init_from", "True"),
     ("tracking.experiment", "12"), ("notify.webhook", "false")],
)  # fmt: skip
def test_what_is_no_word_is_refused_for_a_name_and_the_advice_is_right_as_it_is_typed(
    job, key, value
):
    with pytest.raises(UserError, match="has to be a word, not") as caught:
        load(job, [f"{key}={value}"])
    advice = re.search(r"quote it twice: (.*)", str(caught.value))
    typed = shlex.split(advice[1])[0]
    assert typed.count('"') == 2
    if key != "notify.webhook":  # which has to be a path besides
        load(job, [typed])


def test_words_for_what_is_no_word_are_those_of_the_file(tmp_path):
    with pytest.raises(UserError, match='put it in quotes: "1e3"'):
        written(tmp_path, GOOD + "after: 1e3\n")
