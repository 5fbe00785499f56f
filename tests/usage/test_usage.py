"""How the usage of ranks, nodes and attempts adds up, and what a rank reads of its machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.usage import usage
from hpc_dl.usage.cgroup import peak_memory
from hpc_dl.usage.energy import ProcessorEnergy
from hpc_dl.usage.usage import Usage


def rank(seconds=100.0, **fields):
    known = {"rank_seconds": seconds, "cpu_seconds": 50.0, "cores": 1.5, "memory": 10}
    return Usage(seconds=seconds, **{**known, **fields})


def test_ranks_are_summed_and_nodes_compared():
    on_a = rank(phases={"data": 30.0}, job_memory=25, node_joules=7.0, gpu_joules=1.0)
    also = rank(memory=12, job_memory=25, node_joules=8.0, gpu_joules=2.0)
    on_b = rank(cores=2.5, phases={"data": 10.0, "checkpoint": 5.0}, job_memory=11, node_joules=3.0)
    found = usage.of_attempt([("a", on_a), ("a", also), ("b", on_b)])
    assert (found.seconds, found.rank_seconds, found.cpu_seconds) == (100.0, 300.0, 150.0)
    assert (found.mean_cores, found.cores) == (0.5, 2.5)
    assert (found.memory, found.job_memory) == (22, 25)  # of node a
    assert found.node_joules == 11.0  # the ranks of a node read the same counter
    assert found.gpu_joules is None  # one GPU does not tell, and less than all is no sum
    assert found.phases == {"data": 30.0}  # of the rank for which the others wait
    assert found.share("training") == pytest.approx(0.7)


def test_the_most_cores_are_no_fewer_than_the_average():
    found = usage.of_attempt([("a", rank(cpu_seconds=180.0, cores=1.5))])
    assert (found.mean_cores, found.cores) == (1.8, 1.8)


def test_attempts_follow_each_other_and_utilization_is_weighted_by_time():
    first = rank(100.0, gpu_seconds=100.0, gpu_utilization=90.0, gpu_memory=5, node_joules=1.0)
    second = rank(300.0, gpu_seconds=300.0, gpu_utilization=50.0, gpu_memory=7, memory=9)
    found = usage.of_run([first, second])
    assert (found.seconds, found.cpu_seconds, found.memory) == (400.0, 100.0, 10)
    assert (found.gpu_utilization, found.gpu_memory, found.node_joules) == (60.0, 7, None)


def test_the_newest_usage_of_each_attempt_counts(tmp_path: Path):
    run = RunDir(tmp_path)
    log = Journal(run.journal)
    for attempt, seconds in (("7.0", 1.0), ("7.0", 60.0), ("7.1", 5.0)):
        fields = {"rank_seconds": seconds, "cpu_seconds": 1, "cores": 1, "memory": 1}
        log.append("usage", attempt=attempt, idle_gpus="", seconds=seconds, **fields)
    log.append("usage", attempt="7.2", seconds=1)  # of another version
    log.close()
    assert [it.seconds for it in usage.read(run)] == [60.0, 5.0]


CHILD = "import time\nheld = bytearray(2**26)\nwhile time.process_time() < 0.6: pass\n"
MEASURED = f"""
import json, subprocess, sys
from hpc_dl.usage.processes import ProcessTree
tree = ProcessTree()
child = subprocess.Popen([sys.executable, "-c", {CHILD + "print(flush=True); input()"!r}],
                         stdin=-1, stdout=-1)
child.stdout.readline()
tree.sample(at_once=True)
alive = tree.cpu_seconds, tree.memory
child.communicate(b"\\n")
tree.sample(at_once=True)
print(json.dumps([alive, tree.cpu_seconds, tree.cores]))
"""


def test_processes_that_a_rank_started_count_also_after_their_end():
    done = subprocess.run([sys.executable, "-c", MEASURED], check=True, capture_output=True)
    (seconds, memory), afterwards, cores = json.loads(done.stdout)
    assert seconds >= 0.6
    assert memory >= 2**26
    assert afterwards >= seconds
    assert 0 < cores < 4


@pytest.mark.parametrize(
    "line, file",
    [
        ("0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0", "job_7/memory.peak"),
        ("4:memory:/slurm/uid_1/job_7/step_0/task_0", "job_7/memory.max_usage_in_bytes"),
    ],
)
def test_the_peak_is_that_of_the_group_of_the_whole_job(tmp_path: Path, line: str, file: str):
    own = tmp_path / "cgroup"
    own.write_text(f"9:name=systemd:/\n3:cpuset:/slurm/uid_1/job_7\n{line}\n")
    controllers, path = line.split(":")[1:]
    peak = tmp_path / controllers / path.lstrip("/").partition("job_7")[0] / file
    peak.parent.mkdir(parents=True)
    peak.write_text("123456\n")
    assert peak_memory("7", own, tmp_path) == 123456
    assert peak_memory("77", own, tmp_path) is None  # another job's
    assert peak_memory("", own, tmp_path) is None
    peak.unlink()  # before Linux 5.19
    assert peak_memory("7", own, tmp_path) is None


def test_energy_of_all_packages_is_counted_across_a_wrap(tmp_path: Path):
    def package(number: int, name: str, microjoules: int) -> None:
        zone = tmp_path / f"intel-rapl:{number}"
        zone.mkdir(exist_ok=True)
        values = {"name": name, "energy_uj": microjoules, "max_energy_range_uj": 9_000_000}
        for key, value in values.items():
            (zone / key).write_text(f"{value}\n")

    package(0, "package-0", 1_000_000)
    package(1, "package-1", 8_000_000)
    package(2, "dram", 0)
    energy = ProcessorEnergy(tmp_path)
    package(0, "package-0", 3_000_000)
    package(1, "package-1", 1_000_000)
    package(2, "dram", 5_000_000)
    assert energy.sample() == pytest.approx(2 + 2)
    assert ProcessorEnergy(tmp_path / "none").sample() is None


def test_energy_that_only_root_may_read_is_not_known(tmp_path: Path):
    (tmp_path / "intel-rapl:0").mkdir()
    (tmp_path / "intel-rapl:0" / "name").write_text("package-0\n")
    assert ProcessorEnergy(tmp_path).sample() is None
