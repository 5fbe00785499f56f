"""What the GPUs of all ranks do, by a made-up NVML: names, numbers, energy, and what is missing."""

import dataclasses
import itertools
import os
import sys
from types import SimpleNamespace

import pytest
import torch

from hpc_dl.run.journal import Journal
from hpc_dl.status.run_files import RunFiles
from hpc_dl.train import usage_monitor
from hpc_dl.train.gpu_metrics import GPU
from hpc_dl.train.system_metrics import SystemMonitor
from hpc_dl.train.usage_monitor import UsageMonitor
from tests.support import ranks
from tests.support.running import events, new_run
from tests.support.waiting import wait_until

CUDA = torch.device("cuda", 0)
GIB = 2**30
ALL = {
    "memory_usage_megabytes": 20480.0,
    "memory_usage_percentage": 25.0,
    "utilization_percentage": 87.0,
    "power_usage_watts": 350.0,
    "power_usage_percentage": 50.0,
    "temperature_celsius": 61.0,
}


class NVMLError(Exception):
    """Of the driver."""


def nvml(uuid, temperature=61, busy=87):
    """NVML of a node with one GPU, or one MIG instance, of that UUID."""

    def handle(asked):
        if asked != uuid:
            raise NVMLError("Not Found")
        return uuid

    def of_a_card(value):
        def answer(handle, *_):
            if handle.startswith("MIG"):
                raise NVMLError("Not Supported")
            return value

        return answer

    millijoules = itertools.count(5_000_000, 1000)
    return SimpleNamespace(
        NVMLError=NVMLError,
        NVML_TEMPERATURE_GPU=0,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(used=20 * GIB, total=80 * GIB),
        nvmlDeviceGetUtilizationRates=of_a_card(SimpleNamespace(gpu=busy)),
        nvmlDeviceGetPowerUsage=of_a_card(350_000),
        nvmlDeviceGetEnforcedPowerLimit=of_a_card(700_000),
        nvmlDeviceGetTemperature=of_a_card(temperature),
        nvmlDeviceGetTotalEnergyConsumption=lambda _: next(millijoules),
    )


def visible(uuid):
    """Have torch see a GPU of that UUID."""
    torch.cuda.get_device_properties = lambda _: SimpleNamespace(uuid=uuid)


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", None)
    visible("dcdb5f9e")
    return monkeypatch


def test_a_gpu_is_found_by_its_uuid_and_all_metrics_are_read(gpu):
    gpu.setitem(sys.modules, "pynvml", nvml("GPU-dcdb5f9e"))
    assert GPU(CUDA).read() == ALL


def test_a_mig_instance_has_memory_metrics_alone(gpu):
    gpu.setitem(sys.modules, "pynvml", nvml("MIG-dcdb5f9e"))
    assert set(GPU(CUDA).read()) == {"memory_usage_megabytes", "memory_usage_percentage"}


@pytest.mark.parametrize("module", [None, SimpleNamespace(), nvml("GPU-another")])
def test_without_the_module_or_the_driver_there_are_no_metrics(gpu, module):
    gpu.setitem(sys.modules, "pynvml", module)
    assert GPU(CUDA).read() == {}
    assert GPU(torch.device("cpu")).read() == {}


def gathered(world, run):
    """The metrics of three ranks, each with the only GPU that it sees; that of the last idles."""
    visible(f"of-{world.rank}")
    is_last = world.rank == 2
    sys.modules["pynvml"] = nvml(f"GPU-of-{world.rank}", 61 + world.rank, 0 if is_last else 87)
    usage_monitor.INTERVAL = 0.02
    world.phases.enter("data" if is_last else "training")
    journal = Journal(run.journal) if world.rank == 0 else None
    there = dataclasses.replace(world, device=CUDA)
    with UsageMonitor(there, journal, "7.0", idle_warning=0.01) as monitor:
        if world.rank == 0:
            journal.append("state", state="running", reason="3 ranks")
            wait_until(lambda: len(monitor.gpu_metrics()) == 18 and events(run, "warning"), 60)
        monitor.gather()
    return monitor.gpu_metrics()


def test_rank_0_has_the_metrics_of_all_ranks_and_warns_of_a_gpu_that_idles(tmp_path):
    run = new_run(tmp_path)
    found = ranks.call_on_all(gathered, 3, tmp_path, run)
    assert found == {
        f"system/gpu_{rank}_{name}": value + rank * (name == "temperature_celsius")
        for rank in range(3)
        for name, value in ALL.items()
    } | {"system/gpu_2_utilization_percentage": 0.0}
    (warning,) = events(run, "warning")
    why = f"the GPU of rank 2 on {os.uname().nodename} has idled for 0 s: waiting for data"
    assert warning["message"] == why
    assert RunFiles.read(run).stall == why
    used = events(run, "usage")[-1]
    assert used["gpu_utilization"] == pytest.approx(58, abs=10)
    assert (used["gpu_memory"], used["gpu_total_memory"]) == (20 * GIB, 80 * GIB)
    assert used["gpu_joules"] > 0
    assert used["gpu_seconds"] == used["rank_seconds"] > used["seconds"]


def test_gpu_metrics_are_journalled_with_the_load_of_the_node():
    said = []
    engine = SimpleNamespace(step=0)
    plan = SimpleNamespace(steps_per_epoch=1, epochs=1, steps=1)
    journal = SimpleNamespace(append=lambda kind, **fields: said.append((kind, fields)))
    usage = SimpleNamespace(gpu_metrics=lambda: {"system/gpu_1_utilization_percentage": 87.0})
    with SystemMonitor(engine, plan, journal, usage):
        wait_until(lambda: any(kind == "system" for kind, _ in said), message="a sample")
    values = next(fields["values"] for kind, fields in said if kind == "system")
    assert values["system/gpu_1_utilization_percentage"] == 87.0
    assert values["system/system_memory_usage_megabytes"] > 0
