"""The plan: what a spec means on a cluster and on a laptop."""

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.compatibility import SpecConflict, check_new
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Partition, Site
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.plan_job import plan_job

FACTS = DataFacts.of("image", "classify", (1, 8, 8), tuple("0123456789"), 1437, 180, 180)
SITE = Site(name="here")


def spec_of(**sections):
    spec = {
        "name": "x",
        "model": {"name": "ffnn"},
        "data": {"name": "digits", "batch_size": 128},
        "train": {"epochs": 10},
        **sections,
    }
    return JobSpec.model_validate(spec)


def make(site=SITE, machine=None, facts=FACTS, **sections):
    return plan_job(
        registry.get("local" if machine else "slurm"),
        spec_of(**sections),
        site,
        facts,
        run_dir=Path("/runs/x-1"),
        run_root=Path("/runs"),
        data_root=Path("/data"),
        machine=machine,
    )


READING = ("open", "os.listdir", "os.scandir")
OPENED: list[object] = []
sys.addaudithook(lambda event, given: OPENED.append(given[0]) if event in READING else None)
MODELS = [
    *({"name": name} for name in ZOO if name != "torchvision"),
    {"name": "gan", "classifier": "/exports/cnn"},
    {"name": "torchvision:resnet18", "weights": "/weights.pt"},
]


@pytest.mark.parametrize("model", MODELS, ids="-".join)
@pytest.mark.parametrize("machine", [None, Machine(4, 0)], ids=["Slurm", "local"])
def test_planning_looks_at_no_file(model, machine, monkeypatch):
    make(machine=machine)  # what is imported late
    monkeypatch.setattr(os, "stat", lambda *_, **__: pytest.fail("a file is looked for"))
    OPENED.clear()
    with contextlib.suppress(SpecConflict):
        make(model=model, machine=machine)
    assert OPENED == []


def test_one_rank_a_gpu_and_the_global_batch_shared_out():
    plan = make(resources={"nodes": 2, "gpus_per_node": 4})
    assert (plan.world_size, plan.tasks_per_node, plan.rank_batch) == (8, 4, 16)
    assert plan.sbatch["gpus-per-node"] == 4
    assert plan.sbatch["ntasks-per-node"] == 4


ONE_CLASS = DataFacts.of("image", "classify", (1, 8, 8), ("cat",), 1437, 180, 180)


@pytest.mark.parametrize("facts", [ONE_CLASS, replace(FACTS, include_classes=("7",))])
def test_a_single_class_is_nothing_to_tell_apart_but_enough_to_generate(facts):
    with pytest.raises(SpecConflict, match=r"has one class, .* needs two classes") as refused:
        make(facts=facts)
    assert "vae" in refused.value.hint
    assert make(facts=facts, model={"name": "vae"}).facts == facts


def test_the_last_partial_batch_counts_as_a_step():
    plan = make()
    assert (plan.steps_per_epoch, plan.steps, plan.epochs) == (12, 120, 10)
    assert plan.examples_seen(12) == 1437
    assert plan.examples_seen(13) == 1437 + 128


def test_steps_instead_of_epochs():
    plan = make(train={"steps": 100})
    assert (plan.steps, plan.epochs) == (100, 9)


def test_micro_batches_are_at_most_what_was_allowed():
    plan = make(train={"epochs": 1, "micro_batch": 48}, resources={"tasks_per_node": 1})
    assert (plan.micro_batch, plan.micro_batches) == (48, 3)


def test_a_laptop_trains_on_what_it_has_and_says_so():
    plan = make(
        machine=Machine(cpus=4, gpus=0),
        resources={"nodes": 2, "gpus_per_node": 2, "cpus_per_task": 8},
    )
    assert (plan.backend, plan.world_size, plan.gpus_per_node, plan.cpus_per_task) == (
        "local",
        1,
        0,
        4,
    )
    assert "asked for 2 nodes; this run has one, this machine" in plan.notes
    assert "asked for 2 GPUs; this machine has none: trains on the CPU" in plan.notes


def test_ranks_on_cpus_share_the_cores_of_a_laptop():
    plan = make(machine=Machine(cpus=4, gpus=0), resources={"tasks_per_node": 2})
    assert (plan.world_size, plan.cpus_per_task) == (2, 2)


def test_synthetic_data_are_noted_first():
    plan = make(facts=replace(FACTS, synthetic=True, notes=("short",)))
    assert [note.partition(":")[0] for note in plan.notes][:2] == ["synthetic data", "short"]


def test_more_ranks_than_examples_in_a_batch_is_noted():
    plan = make(data={"name": "digits", "batch_size": 2}, resources={"tasks_per_node": 4})
    assert plan.notes == ["batch_size 2 leaves 2 of the ranks idle"]


def test_sbatch_options_of_the_spec_win_over_those_of_the_site():
    site = Site(name="here", slurm={"constraint": "v100", "qos": "low"}, account="lab")
    plan = make(site, resources={"slurm": {"constraint": "a100", "exclusive": True}})
    assert plan.sbatch["constraint"] == "a100"
    assert plan.sbatch["qos"] == "low"
    assert plan.sbatch["account"] == "lab"
    assert plan.sbatch["exclusive"] is True


@pytest.mark.parametrize("time, notice", [("01:00:00", 90), ("5", 30)])
def test_the_job_is_warned_before_its_limit_but_not_from_the_start(time, notice):
    assert make(resources={"time": time}).sbatch["signal"] == f"USR2@{notice}"


def test_a_site_that_forbids_requeues_gets_another_job_instead():
    assert not make().follow_up
    plan = make(Site(name="here", requeue=False))
    assert plan.follow_up
    assert plan.sbatch["no-requeue"] is True


@pytest.mark.parametrize(
    "resources, key, message",
    [
        ({"partition": "gpus"}, "resources.partition", "no partition 'gpus'"),
        ({"time": "2-00:00:00"}, "resources.time", "at most 1-00:00:00"),
        ({"gpus_per_node": 8}, "resources.gpus_per_node", "has 4 gpus; the job asks for 8"),
        ({"mem": "65G"}, "resources.mem", "has 64G of memory"),
        ({"cpus_per_task": 99}, "resources.cpus_per_task", "has 64 cpus; the job asks for 99"),
    ],
)
def test_what_a_partition_cannot_give_is_refused_at_submission(resources, key, message):
    offer = Partition(max_time="1-00:00:00", gpus_per_node=4, cpus_per_node=64, mem_per_node="64G")
    site = Site(name="here", partitions={"gpu": offer}, default_partition="gpu")
    with pytest.raises(SpecConflict, match=message) as caught:
        make(site, resources=resources)
    assert caught.value.key == key


def test_gpus_are_asked_for_by_the_type_that_the_partition_has():
    site = Site(name="here", partitions={"gpu": Partition(gpu_type="a100")})
    plan = make(site, resources={"gpus_per_node": 2, "partition": "gpu"})
    assert plan.sbatch["gpus-per-node"] == "a100:2"
    assert plan.gpus_per_node == 2


@pytest.mark.parametrize("internet, notes", [(True, 0), (False, 1)])
def test_a_server_that_compute_nodes_may_not_reach_is_noted(internet, notes):
    plan = make(Site(name="here", tracking_uri="https://mlflow.example.org", internet=internet))
    assert len([note for note in plan.notes if "hpcdl sync" in note]) == notes


def test_a_model_that_does_not_do_the_task_is_refused_with_those_that_would():
    facts = DataFacts.of("image", "none", (1, 8, 8), (), 100, 10, 10)
    with pytest.raises(
        SpecConflict,
        match=r"ffnn takes .* to classify or regress or forecast; digits is image",
    ) as caught:
        make(facts=facts)
    assert "take one of: autoencoder" in caught.value.hint


TEXT = replace(FACTS, modality="text", inputs={"text": Feature("int", (None,), ("<unk>", "a"))})
TOLD_NEXT = replace(TEXT, task="predict_next")
NODES = replace(FACTS, modality="graph", task="classify_nodes")


@pytest.mark.parametrize(
    ("option", "value", "model", "facts", "able"),
    [
        ("patch", 2, "transformer", TEXT, "the modality of the data is text; it is for image"),
        ("embedding", 8, "cnn", FACTS, "is image; it is for text"),
        ("log_mel", {}, "lstm", FACTS, "is image; it is for audio"),
        ("frames", {}, "rnn", TEXT, "is text; it is for video"),
        ("pooling", "max", "lstm", TOLD_NEXT, "the task of the data is predict_next"),
        ("pooling", "max", "gnn", NODES, "is classify_nodes; it is for classify or regress"),
        ("crf", True, "transformer", FACTS, "is classify; it is for tag"),
        ("heads", 4, "gnn", NODES, "layer is gcn; it is for gat"),
        ("penalty", 1.0, "gan", FACTS, "loss is non-saturating; it is for wasserstein-gp"),
        ("noise_level", 0.1, "autoencoder", FACTS, "use is compress; it is for denoise"),
    ],
)
def test_an_option_without_effect_is_refused(option, value, model, facts, able):
    spec = spec_of(model={"name": model, option: value})
    with pytest.raises(SpecConflict, match=f"model.{option}: has no effect where .*{able}"):
        check_new(spec, facts)


@pytest.mark.parametrize(
    ("facts", "model"),
    [
        (FACTS, {"name": "ffnn", "hidden": [64, 1]}),
        (FACTS, {"name": "vae", "hidden": [1]}),
        (NODES, {"name": "gnn", "hidden": 1}),
    ],
)
def test_group_norm_of_a_single_unit_is_refused(facts, model):
    spec = spec_of(model={**model, "norm": "group"})
    with pytest.raises(SpecConflict, match="one unit is 0 everywhere after group norm") as caught:
        check_new(spec, facts)
    assert caught.value.key == "model.hidden"


def test_options_without_effect_are_refused_together_but_at_their_defaults_mean_nothing():
    reviews = {"name": "synthetic_reviews", "tokens": "bytes", "vocabulary": 300}
    transformer = {"name": "transformer", "crf": True, "patch": 2}
    with pytest.raises(SpecConflict) as refused:
        check_new(spec_of(model=transformer, data=reviews), TEXT)
    assert {fault.path for fault in refused.value.faults} == {
        ("model", "patch"),
        ("model", "crf"),
        ("data", "vocabulary"),
    }
    check_new(spec_of(model={"name": "transformer", "crf": False, "patch": 4}), TEXT)


def test_fp16_without_a_gpu_is_refused():
    with pytest.raises(SpecConflict, match="fp16 needs a GPU"):
        make(train={"epochs": 1, "precision": "fp16"})


GPU = {"resources": {"gpus_per_node": 1}}
LONG = {"train": {"steps": 2000}}
MUSIC = replace(FACTS, modality="music", task="predict_notes")
CARRIED = {"model": {"name": "lstm"}, "data": {"name": "synthetic_music", "carry_state": True}}
GRAPHS = replace(NODES, task="classify")


@pytest.mark.parametrize(
    ("sections", "facts", "mode", "reason"),
    [
        (GPU | LONG, FACTS, "reduce-overhead", "each of 2000 steps is replayed"),
        (LONG, FACTS, "off", "trains on a CPU"),
        (GPU, FACTS, "off", "120 steps are too few"),
        (GPU | {"train": {"steps": 2000, "compile": "off"}}, FACTS, "off", "as asked for"),
        (LONG | {"resources": {"gpus_per_node": 2}}, FACTS, "off", "2 ranks average gradients"),
        (GPU | {"train": {"steps": 2000, "micro_batch": 64}}, FACTS, "off", "2 micro-batches"),
        (GPU | LONG | CARRIED, MUSIC, "off", "begins with the state"),
        (GPU | LONG | {"model": {"name": "lstm"}}, TEXT, "off", "differ in length"),
        (GPU | LONG | {"model": {"name": "gnn"}}, GRAPHS, "off", "graphs differ in size"),
        (GPU | LONG | {"model": {"name": "gnn"}}, NODES, "reduce-overhead", "2000 steps"),
        (GPU | LONG | {"model": {"name": "a.py:Net"}}, FACTS, "off", "a.py:Net decides in Python"),
    ],
)
def test_auto_replays_steps_where_a_cuda_graph_can_be_and_pays(sections, facts, mode, reason):
    plan = make(facts=facts, **sections)
    assert plan.compile == mode
    assert reason in plan.compile_reason


ASKED = {"train": {"steps": 9, "compile": "reduce-overhead"}}


def test_a_cuda_graph_that_is_asked_for_is_tried_where_auto_would_not():
    mine = {"model": {"name": "a.py:Net"}}
    assert make(**GPU, **ASKED, **mine).compile == "reduce-overhead"
    here = make(machine=Machine(cpus=4, gpus=0), **GPU, **ASKED)
    assert (here.compile, here.gpus_per_node) == ("off", 0)


@pytest.mark.parametrize(
    ("sections", "facts", "why"),
    [
        ({}, FACTS, "trains on a CPU"),
        ({"resources": {"gpus_per_node": 2}}, FACTS, "2 ranks average gradients"),
        (GPU | CARRIED, MUSIC, "begins with the state"),
        (GPU | {"model": {"name": "lstm"}}, TEXT, "differ in length"),
    ],
)
def test_a_cuda_graph_that_cannot_be_is_refused(sections, facts, why):
    with pytest.raises(SpecConflict, match=why) as refused:
        make(facts=facts, **ASKED, **sections)
    assert refused.value.key == "train.compile"


@pytest.mark.parametrize(
    ("train", "gpus", "note"),
    [
        ({}, 1, "convolutions and recurrent layers round their inputs to TF32"),
        ({"precision": "bf16"}, 1, None),
        ({"tf32": False}, 1, None),
        ({"tf32": True}, 0, "train.tf32 changes nothing on a CPU"),
        ({}, 0, None),
    ],
)
def test_the_plan_says_where_fp32_is_rounded_to_tf32(train, gpus, note):
    plan = make(train={"epochs": 1, **train}, resources={"gpus_per_node": gpus})
    found = [it for it in plan.notes if "tf32" in it]
    assert len(found) == (note is not None)
    assert all(note in it for it in found)


def test_the_store_is_the_specs_before_the_sites_before_sqlite_in_the_run_root():
    assert make().tracking_uri == "sqlite:////runs/mlflow.db"
    assert make(Site(name="s", tracking_uri="http://site")).tracking_uri == "http://site"
    chosen = make(Site(name="s", tracking_uri="http://site"), tracking={"uri": "http://mine"})
    assert chosen.tracking_uri == "http://mine"


def test_a_plan_is_the_same_after_a_round_through_json():
    plan = make(resources={"nodes": 2, "slurm": {"exclusive": True}})
    assert Plan.from_json(plan.to_json()) == plan


def test_the_sites_network_is_for_the_way_between_nodes():
    site = Site(name="here", network_interface="ib0", setup=["module load cuda"])
    assert make(site, resources={"nodes": 1}).setup == ["module load cuda"]
    assert make(site, resources={"nodes": 2}).setup == [
        'export NCCL_SOCKET_IFNAME="${NCCL_SOCKET_IFNAME:-ib0}"',
        'export GLOO_SOCKET_IFNAME="${GLOO_SOCKET_IFNAME:-ib0}"',
        "module load cuda",
    ]
