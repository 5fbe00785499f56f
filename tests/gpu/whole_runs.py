"""Whole runs on GPUs: killed and resumed, divided, streamed, exported, measured."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hpc_dl.planning.plan import Plan
from hpc_dl.predictor import load
from hpc_dl.run.layout import RunDir, read_json, write_json
from hpc_dl.usage import flop_rate, peak_flops
from hpc_dl.zoo.trained import WEIGHTS, read_weights
from tests.gpu import machine
from tests.gpu.jobs import JOBS, sections
from tests.support import ranks
from tests.support.running import events, final_state, history, new_run

KILLED = {
    "cnn": {},
    "cnn, replayed": {"compile": "reduce-overhead"},
    "gcn": {},
    "lstm": {},
    "transformer": {"precision": "bf16"},
    "gan": {},
    "vae": {},
}
"""What is killed and resumed, with options of its training; with dropout, noise, and codes."""

MEASURED = {
    "transformer": {"name": "transformer", "patch": 2, "width": 512, "feedforward": 2048},
    "cnn": {"name": "cnn", "channels": [128, 256, 512]},
    "resnet": {"name": "resnet", "width": 64},
}
"""Networks large enough for tensor cores."""


def run_of(folder: Path, job: dict[str, Any], size: int = 1, **train: Any) -> RunDir:
    """A prepared run of a job on so many GPUs."""
    options = {"epochs": None, "steps": 120, "log_every": 5, **train}
    where: dict[str, Any] = {"cpus_per_task": 1}
    where |= {"tasks_per_node": size} if machine.ON_CPU else {"gpus_per_node": size}
    return new_run(
        folder,
        gpus=0 if machine.ON_CPU else size,
        **sections(job, train=options, resources=where, checkpoint={"every": "20 steps"}),
    )


def check_resume(name: str, folder: Path) -> str:
    """A run that is killed twice and resumed ends with the same bits as one that is not."""
    if machine.ON_CPU and "compile" in KILLED[name]:
        raise machine.Skipped("a CPU has no CUDA graphs")
    job = JOBS[name.partition(",")[0]]
    calm = ranks.train(run_of(folder, job, **KILLED[name]))
    killed = run_of(folder, job, **KILLED[name])
    for step in (45, 90):
        ranks.kill_at(killed, step)
    ranks.train(killed)
    starts = [event["step"] for event in events(killed, "started")]
    assert len(starts) == 3, f"it was to start three times: {starts}"
    assert all(step > 0 for step in starts[1:]), f"it began anew: {starts}"
    said = [event["message"] for event in events(killed, "warning")]
    assert not any("train.compile" in text for text in said), said
    assert history(killed) == history(calm), "the history differs"
    assert final_state(killed) == final_state(calm), "the bits differ"
    return f"resumed at steps {starts[1:]}"


def check_fsdp(folder: Path) -> str:
    """Weights divided over two GPUs go on on one, with the losses of a run that had one."""
    machine.needs(2)
    calm = ranks.train(run_of(folder, JOBS["ffnn"]))
    moved = run_of(folder, JOBS["ffnn"], 2, strategy="fsdp")
    ranks.kill_at(moved, 60)
    other = Plan.from_json(read_json(run_of(folder, JOBS["ffnn"], 1, strategy="fsdp").plan))
    write_json(moved.plan, {**other.to_json(), "run_dir": str(moved.path)})
    ranks.train(moved)
    assert [event["world_size"] for event in events(moved, "started")] == [2, 1]
    for (step, ours), (_, theirs) in zip(history(moved), history(calm), strict=True):
        for key in ours.keys() & theirs.keys():
            assert np.isclose(ours[key], theirs[key], rtol=2e-2, atol=1e-3), (step, key)
    return f"went on at step {events(moved, 'started')[1]['step']}"


def check_one_visible_gpu_each(folder: Path) -> str:
    """Two ranks, each of which sees one GPU, as `--gpus-per-task=1` has it, train."""
    machine.needs(2)
    run = run_of(folder, JOBS["cnn"], 2)
    with ranks.ended(ranks.start(run, _see_one, victim=None)) as processes:
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0, 0], _logs(run)
    return f"{events(run, 'started')[0]['world_size']} ranks"


def _see_one() -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ["SUBMITIT_LOCAL_GLOBALID"]


def check_streaming(folder: Path) -> str:
    """Pictures that are read while it trains give the bits of pictures in memory."""
    root = _pictures(folder)
    found = {}
    for loading in ("resident", "streaming"):
        data = {"name": "image_folder", "root": str(root), "size": [8, 8], "channels": 1}
        job = {**JOBS["cnn"], "data": {**data, "batch_size": 16, "loading": loading, "workers": 1}}
        found[loading] = history(ranks.train(run_of(folder, job, steps=20)))
    assert found["resident"] == found["streaming"], "the losses differ"
    return f"{len(found['resident'])} reports, the same"


def _pictures(folder: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(60):
        file = folder / "pictures" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(file)
    return folder / "pictures"


def check_export(folder: Path) -> str:
    """What was trained on a GPU predicts on the CPU."""
    run = ranks.train(run_of(folder, JOBS["cnn"], steps=40))
    weights = read_weights(run.export / WEIGHTS)
    places = {str(it.device) for net in weights.values() for it in net.values()}
    assert places == {"cpu"}, f"the weights are on {places}"
    found = load(run.export).predict(np.zeros((3, 1, 8, 8), np.float32))
    assert np.isfinite(found["probabilities"]).all(), found
    return "three pictures"


def check_mfu(name: str, folder: Path) -> str:
    """A training in bf16 reports its FLOP/s, and its share in the GPU's peak, between 0 and 100 %.
    Prints both, and what they are of."""
    steps, batch = (5, 16) if machine.ON_CPU else (200, 256)
    job = {"model": MEASURED[name], "data": {"name": "digits", "batch_size": batch}}
    run = ranks.train(run_of(folder, job, precision="bf16", steps=steps))
    said = next(line for line in _logs(run).splitlines() if "model FLOPs of an example" in line)
    found = flop_rate.medians(run)
    rate = found[flop_rate.RATE]
    assert rate > 0, found
    if not machine.ON_CPU and peak_flops.find(torch.cuda.get_device_name(0), "bf16"):
        assert 0 < found[flop_rate.MFU] < 100, found
    share = f", MFU {found[flop_rate.MFU]:.1f} %" if flop_rate.MFU in found else ""
    return f"{flop_rate.readable(rate)}FLOP/s{share}; {said}"


def _logs(run: RunDir) -> str:
    return "".join(log.read_text() for log in sorted(run.logs.glob("*.log")))
