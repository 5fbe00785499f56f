"""Resident or streamed: what the plan decides, what the spec can insist on, and what is refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.sources.arrays import Hdf5
from hpc_dl.planning import planner
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Machine
from hpc_dl.planning.site import Site
from tests.support import reading

GIB = 2**30
PICTURE = (3, 1024, 1024)  # 3 MiB
PLANNED = {
    "backend": "slurm",
    "run_dir": Path("/runs/x-1"),
    "run_root": Path("/runs"),
    "data_root": Path("/data"),
}


def plan(pictures=1000, machine=None, data=None, **resources):
    facts = DataFacts.of("image", "classify", PICTURE, ("a", "b"), pictures - 20, 10, 10)
    source = {"name": "image_folder", "root": "/pictures", **(data or {})}
    spec = {
        "name": "x",
        "model": {"name": "ffnn"},
        "data": source,
        "train": {"epochs": 1},
        "resources": {"cpus_per_task": 4, **resources},
    }
    return planner.make(
        JobSpec.model_validate(spec), Site(name="s"), facts, **PLANNED, machine=machine
    )


def of_examples(found):
    """Return the notes on where the examples are."""
    return [note for note in found.notes if "examples" in note]


@pytest.mark.parametrize(
    ("memory", "ranks", "streamed"),
    [("12G", 1, False), ("11G", 1, True), ("12G", 2, True), ("24G", 2, False)],
)
def test_pictures_of_3_gib_are_resident_where_they_take_a_quarter_of_the_memory(
    memory, ranks, streamed
):
    found = plan(1024, mem=memory, tasks_per_node=ranks)
    assert (found.workers is not None) == streamed
    assert (found.notes != []) == streamed


def test_hdf5_is_streamed_by_the_bytes_that_its_examples_take(tmp_path):
    with h5py.File(tmp_path / "pixels.h5", "w") as file:
        shape = (1024, 3, 512, 512)  # 3 GiB of floats; nothing is written
        file.create_dataset("x", shape, "f4", chunks=(1, *shape[1:]))
        file["y"] = np.arange(1024) % 2
    options = {"name": "hdf5", "path": str(tmp_path / "pixels.h5")}
    facts = reading.describe(Hdf5(**options), tmp_path)
    assert facts.example_bytes == 4 * 3 * 512 * 512
    for memory, streamed in (("12G", False), ("11G", True)):
        spec = {"name": "x", "model": {"name": "ffnn"}, "data": options, "train": {"epochs": 1}}
        spec["resources"] = {"mem": memory}
        found = planner.make(JobSpec.model_validate(spec), Site(name="s"), facts, **PLANNED)
        assert (found.workers is not None) == streamed


def test_a_local_run_goes_by_the_memory_of_the_machine():
    assert plan(machine=Machine(4, 0, 64 * GIB), mem="1G").workers is None
    assert plan(machine=Machine(4, 0, 8 * GIB), mem="64G").workers == 3


def test_what_is_too_large_for_a_gpu_stays_in_main_memory_as_long_as_that_is_enough():
    assert of_examples(plan(2000, mem="512G")) == []
    assert of_examples(plan(1000, mem="512G", gpus_per_node=1)) == []
    found = plan(2000, mem="512G", gpus_per_node=1)
    assert found.workers is None
    assert of_examples(found) == [
        "the examples take 5.9 GiB: unless that fits into a quarter of a GPU's memory, "
        "they stay in main memory, and each batch is copied to the GPU"
    ]
    assert plan(2000, mem="16G", gpus_per_node=1).workers is not None


def of_a_table(rows, **resources):
    facts = DataFacts.of("table", "regress", (1024,), (), rows, 0, 0, targets=("y",))
    spec = {
        "name": "x",
        "model": {"name": "ffnn"},
        "data": {"name": "own.py:rows"},
        "train": {"epochs": 1},
        "resources": resources,
    }
    return planner.make(JobSpec.model_validate(spec), Site(name="s"), facts, **PLANNED)


def test_so_it_is_with_every_source_and_one_that_cannot_be_streamed_says_what_it_needs():
    assert of_a_table(2**20, mem="64G").notes == []
    (note,) = of_examples(of_a_table(2**21, mem="64G", gpus_per_node=1))
    assert note.startswith("the examples take 8.0 GiB: ")
    (note,) = of_a_table(2**21, mem="64G", tasks_per_node=4).notes
    assert "4 x 8.0 GiB a node" in note


def test_the_note_says_how_much_there_is_and_how_much_fits():
    assert plan(4096, mem="16G").notes == [
        "the examples are 12.0 GiB in memory, and a rank may hold 4.0 GiB of them: they are "
        "streamed"
    ]


@pytest.mark.parametrize(
    ("data", "workers"),
    [
        ({"loading": "resident"}, None),
        ({"loading": "resident", "workers": 3}, None),
        ({"loading": "streaming"}, 3),
        ({"loading": "streaming", "workers": 0}, 0),
        ({"loading": "streaming", "workers": 20}, 20),
    ],
)
def test_the_spec_can_insist(data, workers):
    assert plan(1_000_000 if data["loading"] == "resident" else 100, data=data).workers == workers


@pytest.mark.parametrize(("cpus", "workers"), [(1, 1), (2, 1), (8, 7), (64, 8)])
def test_workers_leave_the_rank_a_core(cpus, workers):
    assert plan(data={"loading": "streaming"}, cpus_per_task=cpus).workers == workers


def written(tmp_path, data):
    file = tmp_path / "job.yaml"
    file.write_text(f"name: x\nmodel: {{name: ffnn}}\ndata: {data}\ntrain: {{epochs: 1}}\n")
    return file


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ("{name: mnist, augment: {noise: 1.5}}", "3:38", "augment.noise has to be at most 1"),
        ("{name: mnist, augment: {crop: -1}}", "3:37", "augment.crop has to be at least 0"),
        ("{name: mnist, augment: {flop: true}}", "3:31", "did you mean 'flip'"),
        ("{name: image_folder, root: x, workers: -1}", "3:46", "workers has to be at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused_where_they_stand(tmp_path, data, place, message):
    with pytest.raises(UserError) as caught:
        load(written(tmp_path, data), ())
    assert f"job.yaml:{place}" in str(caught.value)
    assert message in str(caught.value)


def test_a_source_that_is_held_in_memory_does_not_stream():
    facts = DataFacts.of("image", "classify", (1, 8, 8), ("a", "b"), 80, 10, 10)
    spec = {
        "name": "x",
        "model": {"name": "ffnn"},
        "data": {"name": "digits", "loading": "streaming"},
        "train": {"epochs": 1},
    }
    with pytest.raises(SpecConflict, match="digits is held in memory") as caught:
        planner.make(JobSpec.model_validate(spec), Site(name="s"), facts, **PLANNED)
    assert caught.value.key == "data.loading"
    assert "image_folder" in caught.value.hint


def test_a_crop_as_large_as_the_picture_is_refused():
    plan(data={"augment": {"crop": 1023}})
    with pytest.raises(SpecConflict, match="1024 x 1024, with a border of 1024") as caught:
        plan(data={"augment": {"crop": 1024}})
    assert caught.value.key == "data.augment.crop"


def test_how_pictures_are_loaded_is_no_other_training():
    def training(**data):
        source = {"name": "image_folder", "root": "/pictures", **data}
        model, train = {"name": "ffnn"}, {"epochs": 1}
        return JobSpec.model_validate(
            {"name": "x", "model": model, "data": source, "train": train}
        ).training()

    assert training(loading="streaming", workers=3) == training()
    assert training(augment={"flip": True}) != training()
