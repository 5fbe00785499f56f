"""Advice follows the rules of docs/report.md, and can be typed as it is written."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import load
from hpc_dl.usage.advice import MEMORY_MARGIN, SHORTEST, Asked, advise
from hpc_dl.usage.usage import Usage
from tests.support.slurm_runs import plan_for

GIB, HOUR = 2**30, 3600
ASKED = Asked(
    of_scheduler=True,
    seconds=4 * HOUR,
    cpus_per_task=4,
    memory=32 * GIB,
    nodes=1,
    gpus_per_node=1,
    workers=3,
)
FITS = Usage(
    seconds=3 * HOUR,
    rank_seconds=3 * HOUR,
    cpu_seconds=6 * HOUR,
    cores=3.2,
    memory=20 * GIB,
    phases={"start": 60.0, "data": 300.0, "evaluation": 600.0, "checkpoint": 30.0, "test": 20.0},
    gpu_seconds=3 * HOUR,
    gpu_utilization=80.0,
)


def waiting(**phases: float) -> dict[str, float]:
    """The phases of a run whose loop takes three hours but a minute."""
    return {"start": 60.0, **{name: share * (3 * HOUR - 60) for name, share in phases.items()}}


@pytest.mark.parametrize(
    "asked, used, advice",
    [
        ({}, {}, []),
        # memory: by the group's peak, which misses nothing, or by samples with a wider margin
        ({}, {"memory": 6 * GIB}, ["ask for less, with resources: {mem: 9G}; 6G of 32G a node"]),
        ({}, {"memory": 300 * 2**20}, ["{mem: 512M}; 300M of 32G a node"]),
        ({}, {"memory": 6 * GIB, "job_memory": 8 * GIB}, ["{mem: 10G}; 8G of 32G a node"]),
        # a group that is full of cached files says nothing
        ({}, {"memory": 6 * GIB, "job_memory": 32 * GIB}, ["{mem: 9G}; 6G of 32G"]),
        ({}, {"memory": 20 * GIB, "job_memory": 32 * GIB}, []),
        ({}, {"memory": 30 * GIB}, ["ask for more, with resources: {mem: 45G}; 30G of 32G"]),
        ({"memory": None}, {"memory": 6 * GIB}, []),
        ({"whole_nodes": True}, {"memory": 6 * GIB, "cores": 1.0}, []),
        # time
        ({"seconds": 24 * HOUR}, {}, ["{time: 04:00:00}; 03:00:00 of 1-00:00:00 were used"]),
        ({}, {"seconds": 3.8 * HOUR}, ["ask for more, with resources: {time: 05:00:00}"]),
        # cores: by the busiest moment, unless their readers are waited for
        ({"cpus_per_task": 8}, {"cores": 2.3}, ["{cpus_per_task: 3}; 2.3 of 8 cores a rank"]),
        (
            {"cpus_per_task": 8, "workers": None},
            {"cores": 2.3, "phases": waiting(data=0.3)},
            [],
        ),
        # what the loop does with its time
        (
            {},
            {"phases": waiting(data=0.3)},
            ["30% of the time it waited for data; more processes may read them, with "],
        ),
        (
            {"save_every": "1 epoch"},
            {"phases": waiting(checkpoint=0.2)},
            ["20% of the time it saved checkpoints; with checkpoint: {every: 4 epoch}"],
        ),
        # GPUs
        (
            {"nodes": 2, "gpus_per_node": 4},
            {"gpu_utilization": 20.0},
            ["resources: {nodes: 1, gpus_per_node: 3}"],
        ),
        ({}, {"gpu_utilization": 5.0}, []),  # there is no fewer than one
    ],
)
def test_rules(asked, used, advice):
    found = advise(replace(ASKED, **asked), replace(FITS, **used), 1, completed=True)
    assert len(found) == len(advice), found
    assert all(part in sentence for part, sentence in zip(advice, found, strict=True)), found


def test_all_that_is_asked_in_excess_is_one_sentence():
    asked = replace(ASKED, seconds=24 * HOUR, cpus_per_task=8)
    used = replace(FITS, cores=1.9, memory=6 * GIB, job_memory=8 * GIB)
    assert advise(asked, used, 1, completed=True) == [
        "ask for less, with resources: {mem: 10G, time: 04:00:00, cpus_per_task: 3}; 8G of 32G a "
        "node, 03:00:00 of 1-00:00:00, 1.9 of 8 cores a rank were used"
    ]


LITTLE = replace(FITS, seconds=0.5 * HOUR, cores=0.5, memory=GIB, job_memory=2 * GIB)


@pytest.mark.parametrize(
    "asked, used, attempts, completed",
    [
        (ASKED, replace(LITTLE, seconds=SHORTEST - 1), 1, True),  # too short to know
        (ASKED, LITTLE, 1, False),  # it may need more before its end
        (replace(ASKED, of_scheduler=False), LITTLE, 1, True),  # nobody else could have had it
        (replace(ASKED, seconds=HOUR), replace(FITS, seconds=3 * HOUR), 3, True),  # requeued
    ],
)
def test_there_is_no_advice_on_resources(asked, used, attempts, completed):
    assert advise(asked, used, attempts, completed=completed) == []


@pytest.mark.parametrize("megabytes", [1, 200, 1000, 1500, 9000, 33_000, 700_000])
def test_never_less_is_advised_than_was_used_with_a_margin(megabytes):
    used = replace(FITS, memory=megabytes * 2**20, job_memory=megabytes * 2**20)
    asked = replace(ASKED, memory=10 * used.memory + 4 * GIB)
    (sentence,) = advise(asked, used, 1, completed=True)
    number, unit = re.search(r"mem: (\d+)([MG])", sentence).groups()
    advised = int(number) * {"M": 2**20, "G": 2**30}[unit]
    assert MEMORY_MARGIN * used.memory <= advised <= 0.75 * asked.memory


def test_advice_can_be_typed(tmp_path: Path):
    asked = replace(ASKED, seconds=24 * HOUR, cpus_per_task=8, nodes=2, gpus_per_node=4)
    idle = replace(LITTLE, gpu_utilization=20.0)
    waits = replace(FITS, phases=waiting(data=0.3, checkpoint=0.2))
    advice = [*advise(asked, idle, 1, completed=True), *advise(asked, waits, 1, completed=True)]
    assert len(advice) == 5
    for sentence in advice:
        sections = {"data": "{name: image_folder, root: .}"}
        for section, values in re.findall(r"(\w+): \{([^}]*)\}", sentence):
            given = sections.get(section, "{}").rstrip("}")
            sections[section] = f"{given}{', ' if section in sections else ''}{values}}}"
        lines = ["name: a", "model: {name: cnn}", "train: {epochs: 1}"]
        file = tmp_path / "job.yaml"
        file.write_text("\n".join([*lines, *(f"{key}: {it}" for key, it in sections.items())]))
        load(file)


@pytest.mark.parametrize(
    "resources, memory",
    [
        ({"mem": "32G"}, 32 * GIB),
        ({"slurm": {"mem-per-cpu": "2G"}}, 16 * GIB),
        ({"slurm": {"mem-per-gpu": "8G"}}, 16 * GIB),
        ({"mem": "0"}, None),  # all of the node
        ({}, None),
    ],
)
def test_the_memory_that_a_node_was_asked_for(tmp_path: Path, resources, memory):
    spec = JobSpec.model_validate(
        {
            "name": "asked",
            "model": {"name": "ffnn"},
            "data": {"name": "digits"},
            "train": {"epochs": 1},
            "resources": {"gpus_per_node": 2, "cpus_per_task": 4, **resources},
        }
    )
    found = Asked.of(spec, plan_for(tmp_path / "asked-1", spec))
    assert (found.of_scheduler, found.memory, found.workers) == (True, memory, None)
