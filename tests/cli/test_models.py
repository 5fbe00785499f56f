"""What there is to train, and a spec to begin with."""

import json
import re

import pytest
from pydantic import BaseModel

from hpc_dl.cli import main
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.schema import to_yaml
from hpc_dl.jobspec.sources import SOURCES
from hpc_dl.verify import recipes


def said(capsys, *words):
    assert main(words) == 0
    return capsys.readouterr().out


def test_every_architecture_is_listed_with_its_data_and_tasks(capsys):
    lines = said(capsys, "models").splitlines()
    for name, options in ZOO.items():
        (line,) = (line for line in lines if line.split()[:1] == [name])
        assert ", ".join(options.modalities) in line


@pytest.mark.parametrize("name", ZOO)
def test_one_architecture_is_shown_with_its_options_defaults_and_descriptions(capsys, name):
    shown = {line.split()[0]: line for line in said(capsys, "models", name).splitlines() if line}
    for key, field in ZOO[name].model_fields.items():
        if key != "name":
            assert field.description, f"{key} is not explained"
            assert field.description in " ".join(shown[key].split())
            assert field.is_required() or to_yaml(field.default) in shown[key]


def test_architectures_are_listed_as_json(capsys):
    found = json.loads(said(capsys, "models", "--json"))
    assert [it["name"] for it in found] == list(ZOO)
    one = json.loads(said(capsys, "models", "vae", "--json"))
    (beta,) = (option for option in one["options"] if option["name"] == "beta")
    assert (beta["default"], beta["takes"]) == (1.0, "number >= 0")


def test_a_source_is_shown_as_json(capsys):
    one = json.loads(said(capsys, "data", "show", "csv", "--json"))
    (target,) = (option for option in one["options"] if option["name"] == "target")
    assert (one["name"], one["modalities"], one["takes_other_keys"]) == ("csv", ["table"], False)
    assert target["about"]
    assert json.loads(said(capsys, "data", "show", "torchvision:SVHN", "--json"))[
        "takes_other_keys"
    ]


def test_the_picture_of_a_job_is_no_json(capsys):
    assert main(["data", "show", "job.yaml", "--json"]) == 2
    assert "hpcdl data show NAME --json" in capsys.readouterr().err


@pytest.mark.parametrize("name", SOURCES)
def test_one_source_is_shown_with_its_options_and_descriptions(capsys, name):
    lines = said(capsys, "data", "show", name).splitlines()
    shown = {line.split()[0]: " ".join(line.split()) for line in lines if line}
    left_out = {"name", *SOURCES[name].refused_options()}
    assert not {"split_seed", "folds", "validation"} & left_out & set(shown)
    for key, field in SOURCES[name].model_fields.items():
        if key not in left_out:
            assert field.description, f"{key} is not explained"
            assert " ".join(field.description.split())[:60] in shown[key]


def test_an_unknown_source_is_refused_with_a_similar_name(capsys):
    assert main(["data", "show", "mnits"]) == 2
    assert "did you mean 'mnist'?" in capsys.readouterr().err


def test_an_unknown_architecture_is_refused_with_a_similar_name(capsys):
    assert main(["models", "vea"]) == 2
    assert "did you mean 'vae'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ZOO)
def test_init_writes_the_shipped_spec(capsys, tmp_path, name):
    file = tmp_path / "my.yaml"
    file.write_text(said(capsys, "init", name))
    assert load(file) == load(recipes.path(name))


@pytest.mark.parametrize("name", ZOO)
def test_init_writes_every_option_and_its_default_as_a_comment(capsys, tmp_path, name):
    text = re.sub(r"^( *)#(?=\w)", r"\1", said(capsys, "init", name), flags=re.MULTILINE)
    file = tmp_path / "my.yaml"
    file.write_text(text.replace("  steps: null\n", "").replace("  epochs: null\n", ""))
    full = load(file)
    assert full.model_dump() == load(recipes.path(name)).model_dump()
    for section in ("model", "data", "train", "resources", "checkpoint", "tracking", "notify"):
        part = getattr(full, section)
        assert isinstance(part, BaseModel)
        missing = set(type(part).model_fields) - part.model_fields_set - part.refused_options()
        assert missing <= {"steps", "epochs"}
    assert isinstance(full, JobSpec)


def test_init_shows_no_option_that_its_data_refuse(capsys):
    text = said(capsys, "init", "gnn")
    assert "name: karate" in text
    assert not re.search("^ +#?(split_seed|folds|validation):", text, re.MULTILINE)
