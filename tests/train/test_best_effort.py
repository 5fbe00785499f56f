"""The end of a run: the export comes first, and what fails after it costs nothing else."""

import weakref

import pytest
import torch

from hpc_dl import predictor, tasks
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo import build
from tests.support import ranks
from tests.support.own_models import own_models
from tests.support.running import events, new_run


def fragile(root, where, size, rank, memory):
    code = own_models(root / "code")
    model = {"name": "own.py:Fragile", "where": where, "rank": rank, "memory": memory}
    resources = {"tasks_per_node": size, "cpus_per_task": 1}
    return new_run(root, code, model=model, train={"epochs": 1}, resources=resources)


@pytest.mark.parametrize(
    ("where", "size", "rank", "memory", "missing"),
    [
        ("artifacts", 1, 0, False, "no pictures of"),
        ("artifacts", 1, 0, True, "no pictures of"),
        ("picture", 1, 0, False, "no picture 'confusion' of"),
        ("test", 1, 0, False, "no test metrics"),
        ("test", 2, 1, True, "no test metrics"),
        ("predict", 2, 0, False, "no test predictions"),
    ],
)
def test_a_failure_after_the_export_is_a_warning_and_the_run_completes(
    tmp_path, where, size, rank, memory, missing
):
    run = ranks.train(fragile(tmp_path, where, size, rank, memory))
    said = [event["message"] for event in events(run, "warning")]
    assert said
    assert [message for message in said if not message.startswith(missing)] == []
    if where != "picture" and rank == 0:
        assert "exported before: True" in said[-1]
    assert predictor.load(run.export).predict(torch.rand(2, 1, 8, 8).numpy())
    tested = any("test/loss" in event["values"] for event in events(run, "metrics"))
    assert tested == (where != "test")
    drawn = {event["path"].split("/")[1] for event in events(run, "artifact")}
    assert ("roc" in drawn) == (where != "artifacts")
    assert (run.artifacts / "test" / "predictions.csv").exists() == (where != "predict")


def batches(facts, kept):
    """Held-out batches of which no more than two may be in memory at once."""
    generator = torch.Generator().manual_seed(0)
    for number in range(12):
        image = torch.rand(8, *facts.shape, generator=generator)
        kept.append(weakref.ref(image))
        assert sum(one() is not None for one in kept) <= 2
        label = torch.arange(8) % 2
        yield {"image": image, "label": label, "index": torch.arange(8) + 8 * number}


@pytest.mark.parametrize(
    "options",
    [
        {"name": "autoencoder", "use": "anomaly"},
        {"name": "autoencoder", "use": "denoise"},
        {"name": "vae"},
        {"name": "cnn"},
    ],
)
def test_pictures_of_codes_do_not_keep_the_images_of_a_split(options):
    only = ("a",) if options.get("use") == "anomaly" else ()
    facts = DataFacts.of(
        "image", "classify", (1, 8, 8), ("a", "b"), 96, 96, 96, include_classes=only
    )
    model = ZOO[options["name"]].model_validate(options)
    architecture = build(model, facts, None, tasks.build(facts))
    kept = []
    held_out = batches(facts, kept)
    sample = {"image": torch.rand(8, 1, 8, 8), "label": torch.arange(8) % 2}
    with torch.no_grad():
        architecture.artifacts(architecture.networks(), sample, held_out)
    assert len(kept) == 12
