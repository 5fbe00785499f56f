"""What an earlier version wrote under former names is read under those of today."""

from pathlib import Path

from pydantic import TypeAdapter

from hpc_dl.jobspec import renames
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.load import load_resolved, read_identity
from hpc_dl.jobspec.sources.tables import Csv

FORMER = {
    "model": {"name": "gan", "judge": "/exports/cnn"},
    "data": {"name": "digits", "only": [3, 5]},
    "train": {"steps": 3, "average": 0.9, "on_nonfinite": "back"},
}
SPEC = """
name: run
model: {name: gan, judge: /exports/cnn}
data: {name: digits, only: [3, 5]}
train: {steps: 3, average: 0.9, on_nonfinite: back}
"""


def test_a_resolved_spec_is_read_silently(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    spec = load_resolved(tmp_path / "spec.yaml", ["checkpoint.keep=2"])
    assert spec.model.model_dump()["classifier"] == "/exports/cnn"
    assert spec.data.model_dump()["include_classes"] == [3, 5]
    assert (spec.train.ema_decay, spec.train.on_nonfinite) == (0.9, "rollback")
    assert spec.checkpoint.keep == 2
    assert read_identity(FORMER) == spec.training()


def test_a_training_of_before_keeps_the_split_that_it_had(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert load_resolved(tmp_path / "spec.yaml").data.stratify is False
    (tmp_path / "new.yaml").write_text(SPEC.replace("data: {", "data: {stratify: true, "))
    assert load_resolved(tmp_path / "new.yaml").data.stratify is True


def test_a_table_of_before_has_a_header_whatever_stands_in_it(tmp_path: Path) -> None:
    table = "data: {name: csv, path: spectra.csv, target: kind}\n"
    spec = f"name: run\nmodel: {{name: ffnn}}\n{table}train: {{steps: 3}}\n"
    (tmp_path / "spec.yaml").write_text(spec)
    upgraded = load_resolved(tmp_path / "spec.yaml").data
    assert isinstance(upgraded, Csv)
    assert upgraded.header is True
    (tmp_path / "new.yaml").write_text(spec.replace("name: csv,", "name: csv, header: null,"))
    new = load_resolved(tmp_path / "new.yaml").data
    assert isinstance(new, Csv)
    assert new.header is None


def test_an_identity_without_an_option_that_came_later_has_its_default() -> None:
    now = read_identity(FORMER)
    train = {key: value for key, value in now["train"].items() if key != "seed"}
    assert read_identity({**now, "train": train}) == now


def test_the_options_of_a_users_own_network_and_of_a_library_keep_their_names() -> None:
    users = {
        "model": {"name": "net.py:Net", "judge": "x"},
        "data": {"name": "torchvision:CIFAR10", "only": [1]},
    }
    upgraded = renames.upgrade(users)
    assert upgraded["model"] == users["model"]
    assert upgraded["data"] == {**users["data"], "stratify": False}


def test_the_facts_of_a_plan_or_an_export_know_the_included_classes() -> None:
    sizes, classes = (8, 1, 1), ("a", "b")
    facts = DataFacts.of("image", "classify", (1, 8, 8), classes, *sizes, include_classes=("a",))
    written = TypeAdapter(DataFacts).dump_python(facts, mode="json")
    written["only"] = written.pop("include_classes")
    assert TypeAdapter(DataFacts).validate_python(written) == facts
